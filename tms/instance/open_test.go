package instance

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// TestMistakesAreFoundWhenOpening states one wrong value each and wants its key in the error.
func TestMistakesAreFoundWhenOpening(t *testing.T) {
	dir, _ := newInstance(t)
	tests := map[string]struct{ subsystem, key, value string }{
		"mapping":      {TKS, "tks.defKeySet.mk_mappings.#02#01", "internal:gone"},
		"developer":    {TKS, "tks.jForte.auth_key", "#00"},
		"client":       {TKS, "tps.0.subject", ""},
		"secret":       {TKS, "tps.0.nickname", "gone"},
		"fingerprint":  {TKS, "tps.0.scp02WithoutCryptogram", "perhaps"},
		"transport":    {TKS, "tks.drm_transport_cert_nickname", "gone"},
		"listen":       {TKS, "service.listen", "nowhere"},
		"grace":        {TPS, "service.shutdownTimeout", "soon"},
		"plain":        {TPS, "service.listenPlain", "0.0.0.0:8080"},
		"plain any":    {TPS, "service.listenPlain", ":8080"},
		"tks port":     {TPS, "tps.connector.tks1.port", "high"},
		"tps secret":   {TPS, "conn.tks1.tksSharedSymKeyName", "gone"},
		"nickname":     {TPS, "tps.connector.tks1.nickName", "gone"},
		"tks timeout":  {TPS, "tps.connector.tks1.timeout", "-1"},
		"tks host":     {TPS, "tps.connector.tks1.host", ""},
		"enable":       {TPS, "tps.connector.tks1.enable", "1"},
		"issuer":       {TPS, "op.format.userKey.issuerinfo.value", "http://x/\x01"},
		"message size": {TPS, "tps.connection.maxMessageSize", "x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Open(context.Background(), dir, Options{Subsystems: []string{tt.subsystem},
				Override: map[string]map[string]string{tt.subsystem: {tt.key: tt.value}}})
			require.ErrorContains(t, err, tt.key)
		})
	}
}

func TestDirectoriesThatHoldNoInstance(t *testing.T) {
	_, err := Open(context.Background(), t.TempDir(), Options{})
	require.ErrorIs(t, err, ErrNoInstance)
	dir, _ := newInstance(t)
	_, err = Open(context.Background(), dir, Options{Subsystems: []string{"ca"}})
	require.ErrorContains(t, err, `"ca"`)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, TKS)))
	i, _ := open(t, dir, Options{})
	assert.NotNil(t, i.TPS(), "the TPS stands on its own")
	_, err = Open(context.Background(), dir, Options{Subsystems: []string{TKS}})
	require.ErrorIs(t, err, ErrNoInstance)
}

func TestSecretsOpenToOthersAreRefused(t *testing.T) {
	dir, _ := newInstance(t)
	path := filepath.Join(dir, TKS, passphraseFile)
	require.NoError(t, os.Chmod(path, 0o640))
	_, err := Open(context.Background(), dir, Options{Subsystems: []string{TKS}})
	require.ErrorContains(t, err, "0640")
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.WriteFile(path, []byte("another\n"), 0o600))
	_, err = Open(context.Background(), dir, Options{Subsystems: []string{TKS}})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "another")
	require.NoError(t, os.WriteFile(path, []byte("\n"), 0o600))
	_, err = Open(context.Background(), dir, Options{Subsystems: []string{TKS}})
	require.ErrorContains(t, err, "empty")
}

func TestUnreadKeysAreWarnedAbout(t *testing.T) {
	dir, _ := newInstance(t)
	path := filepath.Join(dir, TPS, configFile)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("chanel.blocksize=100\n" +
		"op.enroll.userKey.keyGen.signing.publisherId=fileBasedPublisher\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	i, log := open(t, dir, Options{Subsystems: []string{TPS}})
	require.Len(t, i.Unread(), 2)
	assert.Contains(t, log.String(),
		"nothing reads key chanel.blocksize, did you mean channel.blocksize?")
	assert.Contains(t, log.String(), "nothing reads key op.enroll.userKey.keyGen.signing.publisherId",
		"what does nothing in the incumbent does nothing here, and says so")
}

func TestInterruptedOperationsAreNotedAtStart(t *testing.T) {
	dir, _ := newInstance(t)
	i, log := open(t, dir, Options{Subsystems: []string{TPS}})
	assert.NotContains(t, log.String(), "interrupted")
	cuid := keys.CUID{0x40, 0x90, 9: 7}
	_, err := i.Store().Apply(context.Background(), store.Change{CUID: cuid, At: time.Now(),
		Actor: "test", Why: "test", Session: "s-9", New: &token.Record{CUID: cuid, Status: token.Unformatted},
		Begin: []token.Intent{{ID: "i1", Kind: token.IntentPutKey, Op: token.OpFormat, From: "0101", To: "0201"}}})
	require.NoError(t, err)
	require.NoError(t, i.Close())
	_, log = open(t, dir, Options{Subsystems: []string{TPS}})
	for _, want := range []string{"interrupted operation", cuid.String(), "s-9"} {
		assert.Contains(t, log.String(), want)
	}
}

func TestCertificates(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	_, err := Init(context.Background(), dir, InitOptions{Host: "192.0.2.7", Now: now, Cost: cheap})
	require.NoError(t, err)
	pool, err := loadPool(filepath.Join(dir, TPS))
	require.NoError(t, err)
	server, err := loadCert(filepath.Join(dir, TPS), serverNickname)
	require.NoError(t, err)
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "192.0.2.7"} {
		_, err := server.Verify(x509.VerifyOptions{Roots: pool, DNSName: name})
		require.NoError(t, err, name)
	}
	_, err = server.Verify(x509.VerifyOptions{Roots: pool, DNSName: "example.org"})
	require.Error(t, err)
	assert.WithinDuration(t, now.Add(leafLifetime), server.NotAfter, time.Second)
	client, err := loadCert(filepath.Join(dir, TPS), clientNickname)
	require.NoError(t, err)
	_, err = client.Verify(x509.VerifyOptions{Roots: pool})
	require.Error(t, err, "a client's certificate must not serve")
	_, err = client.Verify(x509.VerifyOptions{Roots: pool,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.NoError(t, err)
}

// slowPart serves one handler the way a subsystem is served.
func slowPart(t *testing.T, grace time.Duration, h http.HandlerFunc) (
	*Instance, *http.Client, string,
) {
	t.Helper()
	dir, _ := newInstance(t)
	i, _ := open(t, dir, Options{Subsystems: []string{TPS}})
	i.tps.handler, i.tps.grace = h, grace
	require.NoError(t, i.Listen(context.Background()))
	return i, clientOf(t, dir, ""), addressOf(t, i, TPS, "https")
}

func TestRunningRequestsFinishWhenStopping(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	i, c, url := slowPart(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
		close(started)
		<-release
		_, _ = io.WriteString(w, "done")
	})
	stop := serve(t, i)
	body := make(chan string, 1)
	go func() {
		res, err := c.Get(url)
		if err != nil {
			body <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		body <- string(b)
	}()
	<-started
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	require.Eventually(t, func() bool { // no new connection is taken any more
		conn, err := net.DialTimeout("tcp", i.tps.listen, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, 10*time.Second, 5*time.Millisecond)
	close(release)
	assert.Equal(t, "done", <-body)
	require.NoError(t, <-stopped)
}

func TestRequestsThatDoNotEndAreEnded(t *testing.T) {
	started, ended := make(chan struct{}), make(chan struct{})
	i, c, url := slowPart(t, 0, func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		close(ended)
	})
	stop := serve(t, i)
	go func() {
		res, err := c.Get(url)
		if err == nil {
			_ = res.Body.Close()
		}
	}()
	<-started
	require.NoError(t, stop())
	<-ended
}

func TestListenerThatIsTakenIsAnError(t *testing.T) {
	dir, _ := newInstance(t)
	i, _ := open(t, dir, Options{Subsystems: []string{TKS}})
	l, err := net.Listen("tcp", i.tks.listen)
	require.NoError(t, err)
	defer l.Close()
	require.ErrorContains(t, i.Serve(context.Background()), i.tks.listen)
}

func TestIsAt(t *testing.T) {
	for _, tt := range []struct {
		listen, host string
		port         int
		want         bool
	}{
		{"127.0.0.1:8444", "localhost", 8444, true},
		{":8444", "127.0.0.1", 8444, true},
		{"tks.example.org:8444", "tks.example.org:8444", 1, true},
		{"[::1]:8444", "[::1]:8444", 1, true},
		{":8444", "localhost", 8445, false},
		{":8444", "tks.example.org", 8444, false},
		{":8444", "localhost:8444 other:8444", 8444, false},
		{":8444", "localhost:x", 8444, false},
	} {
		p := &tksPart{part: &part{serving: serving{listen: tt.listen}}}
		assert.Equal(t, tt.want, p.isAt(tt.host, tt.port), "%+v", tt)
	}
}
