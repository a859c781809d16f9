package instance

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/keyblob"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
	"tokenwright/tms/kra/agentapi"
	"tokenwright/tms/kra/approval"
)

// addKRA makes a KRA in an instance, with a pool that does not keep the machine busy.
func addKRA(t testing.TB, dir string, change func(*KRAOptions)) KRAMade {
	t.Helper()
	o := KRAOptions{Listen: freeAddr(t), Cost: cheap, Agents: []string{"ann", "bob"}}
	if change != nil {
		change(&o)
	}
	made, err := CreateKRA(context.Background(), dir, o)
	require.NoError(t, err)
	appendTo(t, filepath.Join(dir, KRA, configFile), "kra.keygen.pool.rsa2048=0\n")
	return made
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// makeKey has the KRA make a P-256 key for a card that holds a session key, and unwraps it.
func makeKey(t *testing.T, k connector.KRA, transport *x509.Certificate, id string) (
	connector.KeyPairResponse, *ecdsa.PrivateKey,
) {
	t.Helper()
	raw := []byte("a session key 16")
	sent, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, transport.PublicKey.(*rsa.PublicKey), raw, nil)
	require.NoError(t, err)
	res, err := k.GenerateKeyPair(t.Context(), connector.KeyPairRequest{RequestID: id, UserID: "anna",
		CUID: keys.CUID{0x40, 0x90}, Type: connector.KeyEC, Bits: 256, Archive: true,
		CardTransport: connector.CardTransport{DRMTransAESKey: sent}})
	require.NoError(t, err)
	key, err := keys.New(keys.AES, raw)
	require.NoError(t, err)
	plain, err := keyblob.UnwrapPair(coolkey.AlgorithmAESKWP, key, res.IV, res.Wrapped)
	require.NoError(t, err)
	private, err := x509.ParsePKCS8PrivateKey(plain)
	require.NoError(t, err)
	return res, private.(*ecdsa.PrivateKey)
}

// The KRA apart from the TPS, over HTTPS; the TPS and the TKS were told of it when it was made.
// Two agents recover a key together.
func TestKRAOverHTTPS(t *testing.T) {
	dir, _ := newInstance(t)
	made := addKRA(t, dir, nil)
	names, err := Subsystems(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{TKS, KRA, TPS}, names)
	kra, log := open(t, dir, Options{Subsystems: []string{KRA}})
	assert.Empty(t, kra.Unread())
	assert.NotContains(t, log.String(), "WARN")
	stop := serve(t, kra)

	tks, _ := open(t, dir, Options{Subsystems: []string{TKS}})
	assert.Empty(t, tks.Unread())
	transport, err := transportCert(tks.tks.part)
	require.NoError(t, err)
	require.NotNil(t, transport, "the TKS was told")
	tps, _ := open(t, dir, Options{Subsystems: []string{TPS}})
	assert.Empty(t, tps.Unread(), "the TPS was told")
	p, err := newPart(dir, TPS, Options{Log: tps.log})
	require.NoError(t, err)
	others, err := tps.openAuthorities(p, Options{})
	require.NoError(t, err)
	require.Contains(t, others.kras, "kra1")
	first, private := makeKey(t, others.kras["kra1"], transport, "r1")
	again, same := makeKey(t, others.kras["kra1"], transport, "r1")
	assert.Equal(t, first.KeyID, again.KeyID)
	assert.True(t, private.Equal(same))

	ann, bob := agent(t, made, 0), agent(t, made, 1)
	q, err := ann.Make(t.Context(), agentapi.New{KeyID: 1, Purpose: approval.Export, Reason: "left"})
	require.NoError(t, err)
	for _, c := range []*agentapi.Client{ann, bob} {
		_, err = c.Vote(t.Context(), q.ID, true)
		require.NoError(t, err)
	}
	out, err := ann.Fulfil(t.Context(), q.ID, "correct horse battery")
	require.NoError(t, err)
	assert.Contains(t, out.Key, "ENCRYPTED PRIVATE KEY")
	require.NoError(t, stop())
}

// agent gives the client of one of the agents that were made with a KRA.
func agent(t *testing.T, made KRAMade, n int) *agentapi.Client {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(made.Agents[n]+".crt", made.Agents[n]+".key")
	require.NoError(t, err)
	pool, err := loadPool(made.Dir)
	require.NoError(t, err)
	c, err := agentapi.NewClient("https://"+dialable(made.Listen),
		&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// In one process the TPS asks the KRA directly.
func TestKRAInProcess(t *testing.T) {
	dir, _ := newInstance(t)
	made := addKRA(t, dir, func(o *KRAOptions) { o.Agents, o.Transport = nil, keystore.RSA3072 })
	i, log := open(t, dir, Options{})
	assert.Empty(t, i.Unread())
	assert.Contains(t, log.String(), "key recovery authority is in this process")
	transport, err := loadCert(made.Dir, kraTransportName)
	require.NoError(t, err)
	assert.Equal(t, 3072, transport.PublicKey.(*rsa.PublicKey).N.BitLen())
	makeKey(t, i.KRA(), transport, "r1")
	assert.NotNil(t, i.KRAHandler())
	none, _ := open(t, dir, Options{Subsystems: []string{TKS}})
	assert.Nil(t, none.KRA())
	assert.Nil(t, none.KRAHandler())
}

func TestAddKRAAgents(t *testing.T) {
	dir, _ := newInstance(t)
	_, err := AddKRAAgents(dir, []string{"ann", "bob"}, time.Now())
	require.Error(t, err, "there is no KRA")
	addKRA(t, dir, func(o *KRAOptions) { o.Agents = nil })
	_, err = AddKRAAgents(dir, []string{"ann"}, time.Now())
	require.ErrorIs(t, err, approval.ErrRule, "one alone can never approve")
	paths, err := AddKRAAgents(dir, []string{"ann", "bob"}, time.Now())
	require.NoError(t, err)
	assert.Len(t, paths, 2)
	more, err := AddKRAAgents(dir, []string{"cy"}, time.Now())
	require.NoError(t, err)
	assert.FileExists(t, more[0]+".key")
	_, err = AddKRAAgents(dir, []string{"cy"}, time.Now())
	require.ErrorIs(t, err, approval.ErrRule, "a name twice")
	i, _ := open(t, dir, Options{Subsystems: []string{KRA}})
	assert.Empty(t, i.Unread())
	assert.Equal(t, []string{"ann", "bob", "cy"}, i.kra.service.Agents().Rule().Agents)
	_, err = AddKRAAgents(dir, nil, time.Now())
	require.Error(t, err)
}

func TestCreateKRARefuses(t *testing.T) {
	dir, _ := newInstance(t)
	for name, change := range map[string]func(*KRAOptions){
		"one agent": func(o *KRAOptions) { o.Agents = []string{"ann"} },
		"bad name":  func(o *KRAOptions) { o.Agents = []string{"ann", "b/ob"} },
		"approvals": func(o *KRAOptions) { o.Agents, o.Approvals = []string{"a", "b"}, 3 },
		"transport": func(o *KRAOptions) { o.Transport = keystore.P256 },
		"listen":    func(o *KRAOptions) { o.Listen = "nowhere" },
		"host":      func(o *KRAOptions) { o.Host = "a b" },
	} {
		o := KRAOptions{Listen: "127.0.0.1:1", Cost: cheap}
		change(&o)
		_, err := CreateKRA(t.Context(), dir, o)
		require.Error(t, err, name)
		assert.NoDirExists(t, filepath.Join(dir, KRA), name)
	}
	addKRA(t, dir, nil)
	_, err := CreateKRA(t.Context(), dir, KRAOptions{Cost: cheap})
	require.ErrorIs(t, err, ErrExists)
	_, err = CreateKRA(t.Context(), t.TempDir(), KRAOptions{Cost: cheap})
	require.ErrorContains(t, err, "tms init")
}

func TestKRAMistakesAreFoundWhenOpening(t *testing.T) {
	dir, _ := newInstance(t)
	addKRA(t, dir, nil)
	for _, tt := range []struct{ key, value string }{
		{"kra.transportUnit.nickName", "serverCert"}, {"kra.transportUnit.nickName", "gone"},
		{"kra.storageUnit.nickName", "gone"}, {"kra.storageUnit.nickName", kraTransportName},
		{"kra.auditKey.nickName", "gone"}, {"kra.agents.ann.fingerprint", ""},
		{"kra.agents.list", "ann"}, {"kra.keygen.rsaSizes", "512"}, {"tps.0.subject", ""},
		{"service.listen", "nowhere"},
	} {
		_, err := Open(context.Background(), dir, Options{Subsystems: []string{KRA},
			Override: map[string]map[string]string{KRA: {tt.key: tt.value}}})
		require.Error(t, err, tt.key)
		want := strings.TrimSuffix(tt.key, ".fingerprint") // of two keys, the other may be named
		require.ErrorContains(t, err, want, "%s=%s", tt.key, tt.value)
	}
}
