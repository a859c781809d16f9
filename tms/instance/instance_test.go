package instance

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/features/loopback"
	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore/soft"
	"tokenwright/tms/tps"
)

// freeAddr gives a loopback address that nobody listens on.
func freeAddr(t testing.TB) string {
	t.Helper()
	port, err := loopback.Port()
	require.NoError(t, err)
	return loopback.Addr(port)
}

// cheap is the least effort that a key store takes.
var cheap = soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1}

// newInstance makes an instance with free ports.
func newInstance(t testing.TB) (dir string, made Made) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "instance")
	made, err := Init(context.Background(), dir, InitOptions{
		TPSListen: freeAddr(t), TKSListen: freeAddr(t), Cost: cheap})
	require.NoError(t, err)
	return dir, made
}

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func open(t testing.TB, dir string, o Options) (*Instance, *lines) {
	t.Helper()
	log := &lines{}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	i, err := Open(context.Background(), dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = i.Close() })
	return i, log
}

// serve runs an instance for the rest of the test and gives a function that stops it.
func serve(t testing.TB, i *Instance) (stop func() error) {
	t.Helper()
	require.NoError(t, i.Listen(context.Background()))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- i.Serve(ctx) }()
	once := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = once() })
	return once
}

func addressOf(t testing.TB, i *Instance, subsystem, scheme string) string {
	t.Helper()
	for _, a := range i.Addresses() {
		if a.Subsystem == subsystem && a.Scheme == scheme {
			return a.URL()
		}
	}
	t.Fatalf("%s has no %s address", subsystem, scheme)
	return ""
}

// clientOf trusts the instance's CA; with nickname it shows that certificate of the TPS.
func clientOf(t testing.TB, dir, nickname string) *http.Client {
	t.Helper()
	pool, err := loadPool(filepath.Join(dir, TPS))
	require.NoError(t, err)
	c := &tls.Config{RootCAs: pool}
	if nickname != "" {
		pair, err := loadPair(filepath.Join(dir, TPS), nickname)
		require.NoError(t, err)
		c.Certificates = []tls.Certificate{pair}
	}
	tr := &http.Transport{TLSClientConfig: c}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func get(t testing.TB, c *http.Client, url string) (int, string) {
	t.Helper()
	res, err := c.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

func health(t testing.TB, c *http.Client, url string) (code int, h Health) {
	t.Helper()
	code, body := get(t, c, url+PathHealth)
	require.NoError(t, json.Unmarshal([]byte(body), &h), body)
	return code, h
}

func TestInitMakesAWholeInstance(t *testing.T) {
	dir, made := newInstance(t)
	for _, f := range made.Files {
		_, err := os.Stat(filepath.Join(dir, f.Path))
		require.NoError(t, err)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 3, "nothing else may be left in the directory")
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		if strings.HasSuffix(path, ".crt") || strings.HasSuffix(path, ".xml") {
			return nil
		}
		assert.Zero(t, info.Mode().Perm()&0o077, "%s is open to others", path)
		return nil
	}))
	assert.Len(t, made.MasterKeys, 2)
	i, log := open(t, dir, Options{})
	assert.Empty(t, i.Unread(), "init wrote a key that nothing reads")
	assert.NotContains(t, log.String(), "nothing reads")
	set, err := i.TKS().CreateKeySetData(context.Background(), connector.KeySetDataRequest{
		Info: keys.KeyInfo{KVN: 1, SCP: 1}, NewInfo: keys.KeyInfo{KVN: 2, SCP: 1}})
	require.NoError(t, err)
	assert.Equal(t, byte(2), set.KeySetData[0])
	for _, name := range []string{"defKeySet", "jForte", "aesKeySet"} {
		scp := byte(2)
		if name == "aesKeySet" {
			scp = 3
		}
		_, err := i.TKS().EncryptData(context.Background(), connector.EncryptDataRequest{
			KeySet: name, Info: keys.KeyInfo{KVN: 2, SCP: scp}, Data: make([]byte, 16)})
		require.NoError(t, err, name)
	}
}

func TestMasterKeysDifferBetweenInstancesAndCards(t *testing.T) {
	a, madeA := newInstance(t)
	_, madeB := newInstance(t)
	for n := range madeA.MasterKeys {
		assert.NotEqual(t, madeA.MasterKeys[n].KCV, madeB.MasterKeys[n].KCV)
	}
	i, _ := open(t, a, Options{Subsystems: []string{TKS}})
	encrypt := func(kdd keys.KDD) []byte {
		res, err := i.TKS().EncryptData(context.Background(), connector.EncryptDataRequest{
			KeySet: "aesKeySet", KDD: kdd, Info: keys.KeyInfo{KVN: 2, SCP: 3}, Data: make([]byte, 16)})
		require.NoError(t, err)
		return res.Encrypted
	}
	assert.NotEqual(t, encrypt(keys.KDD{4: 1}), encrypt(keys.KDD{4: 2}),
		"two AES cards got the same keys")
}

func TestInitRefusesToOverwrite(t *testing.T) {
	dir, _ := newInstance(t)
	before, err := os.ReadFile(filepath.Join(dir, TKS, configFile))
	require.NoError(t, err)
	_, err = Init(context.Background(), dir, InitOptions{Cost: cheap})
	require.ErrorIs(t, err, ErrExists)
	after, err := os.ReadFile(filepath.Join(dir, TKS, configFile))
	require.NoError(t, err)
	assert.Equal(t, before, after)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Init(context.Background(), file, InitOptions{Cost: cheap})
	require.Error(t, err)
	empty := t.TempDir()
	_, err = Init(context.Background(), empty, InitOptions{Cost: cheap})
	require.NoError(t, err, "an empty directory is free")
}

func TestInitLeavesNothingWhenItFails(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Init(ctx, dir, InitOptions{Cost: cheap})
	require.ErrorIs(t, err, context.Canceled)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestInitChecksItsOptions(t *testing.T) {
	for name, o := range map[string]InitOptions{
		"host line": {Host: "a\nb"}, "host port": {Host: "a:1"}, "host empty label": {Host: "a..b"},
		"host dash": {Host: "-a"}, "listen": {TPSListen: "8443"}, "port": {TKSListen: ":65536"},
		"ldap scheme": {LDAP: "http://x/dc=y"}, "ldap base": {LDAP: "ldaps://x"},
		"ldap password": {LDAP: "ldaps://u:p@x/dc=y"}, "ldap": {LDAP: "::"},
	} {
		dir := filepath.Join(t.TempDir(), "x")
		_, err := Init(context.Background(), dir, o)
		require.Error(t, err, name)
		assert.NoDirExists(t, dir, name)
	}
}

func TestInitStatesTheDirectory(t *testing.T) {
	dir := t.TempDir()
	_, err := Init(context.Background(), dir, InitOptions{Host: "2001:db8::7", Cost: cheap,
		LDAP: "ldap://ldap.example.org/dc=example,dc=org"})
	require.NoError(t, err)
	c, err := conf.Load(filepath.Join(dir, TPS, configFile), TPS)
	require.NoError(t, err)
	s := c.Sub("auths.instance.ldap1.ldap")
	assert.Equal(t, []string{"ldap.example.org", "389", "false", "dc=example,dc=org"},
		[]string{s.String("ldapconn.host"), s.String("ldapconn.port"),
			s.String("ldapconn.secureConn"), s.String("basedn")})
	assert.Equal(t, "https://[2001:db8::7]:8443"+tps.PathPhoneHome,
		c.String("op.format.userKey.issuerinfo.value"))
}

func TestOneProcessAsksItsOwnTKS(t *testing.T) {
	dir, _ := newInstance(t)
	i, log := open(t, dir, Options{Override: map[string]map[string]string{
		TPS: {"service.listenPlain": "127.0.0.1:0"}}})
	stop := serve(t, i)
	assert.Contains(t, log.String(), "token key service is in this process")
	code, h := health(t, clientOf(t, dir, ""), addressOf(t, i, TPS, "https"))
	assert.Equal(t, 200, code)
	assert.Equal(t, Health{Subsystem: TPS, Status: "ok",
		Needs: map[string]string{"store": "ok", "tks1": "ok"}}, h)
	code, _ = health(t, clientOf(t, dir, ""), addressOf(t, i, TPS, "http"))
	assert.Equal(t, 200, code)
	code, page := get(t, clientOf(t, dir, ""), addressOf(t, i, TPS, "https")+tps.PathPhoneHome)
	assert.Equal(t, 200, code)
	assert.Contains(t, page, "/tps/tps")
	require.NoError(t, stop())
	assert.Contains(t, log.String(), "msg=stopped")
	require.NoError(t, i.Close())
	require.NoError(t, i.Close(), "closing twice")
}

func TestTwoInstancesTalkOverMutualTLS(t *testing.T) {
	dir, _ := newInstance(t)
	tksSide, tksLog := open(t, dir, Options{Subsystems: []string{TKS}})
	tpsSide, _ := open(t, dir, Options{Subsystems: []string{TPS}})
	assert.Nil(t, tpsSide.TKS())
	assert.Nil(t, tksSide.TPS())
	stopTKS := serve(t, tksSide)
	serve(t, tpsSide)
	url := addressOf(t, tpsSide, TPS, "https")
	code, h := health(t, clientOf(t, dir, ""), url)
	assert.Equal(t, 200, code)
	assert.Equal(t, "ok", h.Needs["tks1"])

	tksURL := addressOf(t, tksSide, TKS, "https")
	_, err := clientOf(t, dir, "").Get(tksURL + PathHealth)
	require.Error(t, err, "the TKS took a client without certificate")
	code, h = health(t, clientOf(t, dir, clientNickname), tksURL)
	assert.Equal(t, 200, code)
	assert.Equal(t, Health{Subsystem: TKS, Status: "ok"}, h)
	_, err = clientOf(t, dir, serverNickname).Get(tksURL + PathHealth)
	require.Error(t, err, "a server's certificate passed as a client's")
	assert.NotContains(t, tksLog.String(), "is not on the list")

	require.NoError(t, stopTKS())
	i2, _ := open(t, dir, Options{Subsystems: []string{TPS},
		Override: map[string]map[string]string{TPS: {"service.listen": "127.0.0.1:0",
			"admin.socket": "none"}}}) // the first one has it
	serve(t, i2)
	code, h = health(t, clientOf(t, dir, ""), addressOf(t, i2, TPS, "https"))
	assert.Equal(t, 503, code)
	assert.Equal(t, "failed", h.Status)
	assert.Equal(t, "token key service does not answer", h.Needs["tks1"])
	assert.Equal(t, "ok", h.Needs["store"])
}

func TestClientOfTheSameCAThatIsNotListedIsRefused(t *testing.T) {
	dir, _ := newInstance(t)
	i, _ := open(t, dir, Options{Subsystems: []string{TKS}, Override: map[string]map[string]string{
		TKS: {"tps.0.subject": "CN=somebody else"}}})
	serve(t, i)
	tpsSide, _ := open(t, dir, Options{Subsystems: []string{TPS}})
	serve(t, tpsSide)
	code, h := health(t, clientOf(t, dir, ""), addressOf(t, tpsSide, TPS, "https"))
	assert.Equal(t, 503, code)
	assert.Equal(t, "token key service does not answer", h.Needs["tks1"])
}
