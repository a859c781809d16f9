package agentapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
	"tokenwright/tms/kra"
	"tokenwright/tms/kra/agentapi"
	"tokenwright/tms/kra/approval"
	"tokenwright/tms/kra/keydb"
	"tokenwright/tms/kra/vault"
)

const phrase = "correct horse battery"

// site is an authority with one key of alice's, behind TLS.
type site struct {
	service *kra.Service
	server  *httptest.Server
	ca      *x509.Certificate
	key     *ecdsa.PrivateKey
	pool    *x509.CertPool
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{service: newService(t), pool: x509.NewCertPool()}
	var err error
	s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &s.key.PublicKey, s.key)
	require.NoError(t, err)
	s.ca, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	s.pool.AddCert(s.ca)
	who, err := connector.Identifier([]connector.Client{{Name: "ann", Subject: "CN=ann"},
		{Name: "bob", Subject: "CN=bob"}})
	require.NoError(t, err)
	s.server = httptest.NewUnstartedServer(agentapi.Handler(s.service.Agents(), who, time.Now,
		slog.New(slog.DiscardHandler)))
	s.server.TLS = &tls.Config{Certificates: []tls.Certificate{s.issue(t, "kra")},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.pool}
	s.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

func newService(t *testing.T) *kra.Service {
	t.Helper()
	dir := t.TempDir()
	store, err := soft.Create(filepath.Join(dir, "keystore"), []byte("passphrase"),
		soft.WithCost(soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1}))
	require.NoError(t, err)
	key, err := store.Generate(t.Context(), "key", keystore.AES256)
	require.NoError(t, err)
	db, err := keydb.Open(t.Context(), filepath.Join(dir, "keys.db"), key.CMAC)
	require.NoError(t, err)
	v, err := vault.New(t.Context(), store, "key", rand.Reader)
	require.NoError(t, err)
	transport, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	s, err := kra.New(kra.Config{Curves: []int{256}, Agents: approval.Rule{
		Agents: []string{"ann", "bob"}, Need: 2, Lifetime: time.Hour}},
		kra.Options{DB: db, Vault: v, Transport: transport})
	require.NoError(t, err)
	sent, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &transport.PublicKey, make([]byte, 16), nil)
	require.NoError(t, err)
	_, err = s.GenerateKeyPair(t.Context(), connector.KeyPairRequest{RequestID: "r1",
		CUID: keys.CUID{0x40}, UserID: "alice", Type: connector.KeyEC, Bits: 256, Archive: true,
		CardTransport: connector.CardTransport{DRMTransAESKey: sent}})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.NoError(t, db.Close())
		require.NoError(t, store.Close())
	})
	return s
}

func (s *site) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, s.ca, &key.PublicKey, s.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (s *site) tls(t *testing.T, name string) *tls.Config {
	return &tls.Config{RootCAs: s.pool, Certificates: []tls.Certificate{s.issue(t, name)}}
}

func (s *site) as(t *testing.T, name string) *agentapi.Client {
	t.Helper()
	c, err := agentapi.NewClient(s.server.URL, s.tls(t, name))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// wants asserts a refusal with an HTTP status.
func wants(t *testing.T, code int, err error) {
	t.Helper()
	var e *agentapi.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, code, e.Code, e.Text)
}

func TestTwoAgentsRecoverAKey(t *testing.T) {
	s := newSite(t)
	ann, bob, ctx := s.as(t, "ann"), s.as(t, "bob"), t.Context()
	found, err := ann.Keys(ctx, agentapi.KeyQuery{User: "alice", CUID: keys.CUID{0x40}.String()})
	require.NoError(t, err)
	require.Len(t, found, 1)
	k, err := bob.Key(ctx, found[0].ID)
	require.NoError(t, err)
	assert.Equal(t, found[0], k)
	assert.Equal(t, "r1", k.RequestID)

	q, err := ann.Make(ctx, agentapi.New{KeyID: k.ID, Purpose: approval.Export, Reason: "left"})
	require.NoError(t, err)
	assert.Equal(t, approval.Open, q.Now)
	assert.Equal(t, 2, q.Need)
	_, err = ann.Fulfil(ctx, q.ID, phrase)
	wants(t, http.StatusConflict, err)
	_, err = ann.Vote(ctx, q.ID, true)
	require.NoError(t, err)
	_, err = ann.Vote(ctx, q.ID, true)
	wants(t, http.StatusConflict, err)
	q, err = bob.Vote(ctx, q.ID, true)
	require.NoError(t, err)
	assert.Equal(t, approval.Approved, q.Now)
	_, err = bob.Fulfil(ctx, q.ID, phrase)
	wants(t, http.StatusForbidden, err)
	_, err = ann.Fulfil(ctx, q.ID, "short")
	wants(t, http.StatusBadRequest, err)
	out, err := ann.Fulfil(ctx, q.ID, phrase)
	require.NoError(t, err)
	block, _ := pem.Decode([]byte(out.Key))
	require.NotNil(t, block)
	assert.Equal(t, "ENCRYPTED PRIVATE KEY", block.Type)
	assert.Equal(t, approval.Fulfilled, out.Request.Now)

	got, err := bob.Request(ctx, q.ID)
	require.NoError(t, err)
	assert.Equal(t, out.Request, got)
	other, err := bob.Make(ctx, agentapi.New{KeyID: k.ID, Purpose: approval.Share, User: "bea",
		Reason: "team"})
	require.NoError(t, err)
	_, err = ann.Cancel(ctx, other.ID)
	wants(t, http.StatusForbidden, err)
	_, err = bob.Cancel(ctx, other.ID)
	require.NoError(t, err)
	all, err := bob.Requests(ctx, k.ID, 0, 10)
	require.NoError(t, err)
	assert.Len(t, all, 2)
	events, err := bob.Events(ctx, k.ID, 1, 3)
	require.NoError(t, err)
	require.Len(t, events, 3)
	assert.Equal(t, keydb.RequestMade, events[0].Kind)
	assert.Equal(t, "agent ann", events[0].Actor)
	checked, err := bob.Verify(ctx)
	require.NoError(t, err)
	assert.True(t, checked.OK)
	assert.Equal(t, keydb.RequestCancelled, checked.Last.Kind)
}

func TestStrangersAndNonsense(t *testing.T) {
	s := newSite(t)
	eve := s.as(t, "eve")
	_, err := eve.Keys(t.Context(), agentapi.KeyQuery{})
	wants(t, http.StatusForbidden, err)
	ann := s.as(t, "ann")
	_, err = ann.Key(t.Context(), 99)
	wants(t, http.StatusNotFound, err)
	_, err = ann.Keys(t.Context(), agentapi.KeyQuery{CUID: "40"})
	wants(t, http.StatusBadRequest, err)
	_, err = ann.Make(t.Context(), agentapi.New{KeyID: 1, Purpose: "sell", Reason: "r"})
	wants(t, http.StatusBadRequest, err)
	_, err = agentapi.NewClient("http://localhost", &tls.Config{})
	require.Error(t, err)

	tr := &http.Transport{TLSClientConfig: s.tls(t, "ann")}
	defer tr.CloseIdleConnections()
	for _, tt := range []struct {
		method, path, kind, body string
		want                     int
	}{
		{"GET", "keys/x", "", "", http.StatusBadRequest},
		{"GET", "keys?after=-1", "", "", http.StatusBadRequest},
		{"GET", "requests?key=x", "", "", http.StatusBadRequest},
		{"GET", "events?limit=99999999999999999999", "", "", http.StatusBadRequest},
		{"GET", "requests/0x1", "", "", http.StatusBadRequest},
		{"GET", "nothing", "", "", http.StatusNotFound},
		{"DELETE", "keys/1", "", "", http.StatusMethodNotAllowed},
		{"POST", "requests", "text/plain", "{}", http.StatusUnsupportedMediaType},
		{"POST", "requests", "application/json", "[1]", http.StatusBadRequest},
		{"POST", "requests", "application/json", `{"keyId":1}{}`, http.StatusBadRequest},
		{"POST", "requests", "application/json", `{"key":1}`, http.StatusBadRequest},
		{"POST", "requests", "application/json", `"` + strings.Repeat("a", 20<<10) + `"`,
			http.StatusBadRequest},
		{"POST", "requests/x/approve", "application/json", "{}", http.StatusBadRequest},
		{"POST", "requests/x/cancel", "application/json", "{}", http.StatusBadRequest},
		{"POST", "requests/x/fulfil", "application/json", "{}", http.StatusBadRequest},
		{"POST", "requests/1/fulfil", "application/json", "x", http.StatusBadRequest},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method,
			s.server.URL+agentapi.Prefix+tt.path, strings.NewReader(tt.body))
		require.NoError(t, err)
		if tt.kind != "" {
			req.Header.Set("Content-Type", tt.kind)
		}
		res, err := tr.RoundTrip(req)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, tt.want, res.StatusCode, "%s %s %.20s", tt.method, tt.path, tt.body)
	}
}
