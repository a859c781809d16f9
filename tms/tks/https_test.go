package tks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// signCard fills in the cryptogram that a card with the right keys would send.
func signCard(t testing.TB, s *Service, r *connector.SessionKeyRequest) {
	t.Helper()
	ck, err := s.cardKeys(r.Card())
	require.NoError(t, err)
	ch, err := challenges(*r)
	require.NoError(t, err)
	sk, err := sessionKeys(r.Card().Protocol(), ck, ch)
	require.NoError(t, err)
	_, card, err := kdf.Cryptograms(r.Card().Protocol(), sk, ch)
	require.NoError(t, err)
	r.CardCryptogram = card
}

// peer is a self-signed certificate with its key and the pool that trusts it.
type peer struct {
	tls.Certificate
	pool *x509.CertPool
}

func newPeer(t testing.TB, name string) peer {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true}
	tmpl.Subject.CommonName = name
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &priv.PublicKey, priv)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	p := peer{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: priv, Leaf: leaf},
		x509.NewCertPool()}
	p.pool.AddCert(leaf)
	return p
}

// remote is a TKS behind HTTPS and a client of it; requests counts round trips.
type remote struct {
	service  *Service
	client   *connector.TKSClient
	requests *atomic.Int64
	server   *httptest.Server
	http     *http.Client
}

func newRemote(t testing.TB, s *Service, change func(*connector.Client)) remote {
	t.Helper()
	server, tps := newPeer(t, "tks"), newPeer(t, "tps")
	secret, err := connector.NewSharedSecret(key(t, keys.AES, aes256))
	require.NoError(t, err)
	allowed := connector.Client{Name: "tps1", Fingerprint: connector.Fingerprint(tps.Leaf)}
	if change != nil {
		change(&allowed)
	}
	h, err := connector.TKSHandler(s, secret, connector.HandlerOptions{
		Clients: []connector.Client{allowed}})
	require.NoError(t, err)
	r := remote{service: s, requests: new(atomic.Int64)}
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, req *http.Request) {
			r.requests.Add(1)
			h.ServeHTTP(w, req)
		}))
	r.server.TLS = &tls.Config{Certificates: []tls.Certificate{server.Certificate},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: tps.pool}
	r.server.StartTLS()
	t.Cleanup(r.server.Close)
	conf := &tls.Config{RootCAs: server.pool, Certificates: []tls.Certificate{tps.Certificate}}
	r.client, err = connector.NewTKSClient(connector.ClientConfig{
		Hosts: r.server.Listener.Addr().String(), TLS: conf, Secret: secret})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.client.Close() })
	r.http = &http.Client{Transport: &http.Transport{TLSClientConfig: conf}}
	return r
}

// cardRequests has one request a protocol and key length, each signed by a card.
func cardRequests(t testing.TB, s *Service) map[string]connector.SessionKeyRequest {
	t.Helper()
	out := map[string]connector.SessionKeyRequest{
		"scp01":         {KeySet: "jForte", Info: keys.KeyInfo{KVN: 0xFF, SCP: 1}},
		"scp02":         {KeySet: "jForte", Info: keys.KeyInfo{KVN: 1, SCP: 2}, I: 0x55},
		"scp03 emv":     {KeySet: "jForte", Info: keys.KeyInfo{KVN: 1, SCP: 3, I: 0x70, HasI: true}},
		"scp03 aes-128": {KeySet: "a16", Info: keys.KeyInfo{KVN: 1, SCP: 3, I: 0x70, HasI: true}},
		"scp03 aes-192": {KeySet: "a24", Info: keys.KeyInfo{KVN: 0xFF, SCP: 3, I: 0x70, HasI: true}},
		"scp03 aes-256": {KeySet: "a32", Info: keys.KeyInfo{KVN: 1, SCP: 3, I: 0x70, HasI: true}},
	}
	for name, r := range out {
		r.CUID = keys.CUID{0x40, 0x90, 1, 2, 3, 4, 5, 6, 7, 8}
		r.KDD = keys.KDD{0x40, 0x90, 8, 7, 6, 5, 4, 3, 2, 1}
		r.HostChallenge = [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
		r.CardChallenge = []byte{9, 8, 7, 6, 5, 4, 3, 2}
		if r.Info.SCP == 2 {
			r.Seq, r.CardChallenge = []byte{0, 7}, r.CardChallenge[:6]
		}
		signCard(t, s, &r)
		out[name] = r
	}
	return out
}

func allSets(t testing.TB) *Service {
	des := distinct(t)
	des.Mappings = map[Slot]Mapping{{2, 1}: {Name: "des"}}
	sets := []KeySetConfig{des, aesSet(t, "a16", 16), aesSet(t, "a24", 24), aesSet(t, "a32", 32)}
	for i := 1; i < len(sets); i++ {
		sets[i].Mappings = nil
	}
	return newService(t, memory{"des": key(t, keys.DES3, someDEK)}, sets...)
}

func assertSameKeys(t *testing.T, want, got keys.SessionKeys) {
	t.Helper()
	assert.True(t, want.SENC.Equal(got.SENC), "ENC")
	assert.True(t, want.SMAC.Equal(got.SMAC), "C-MAC")
	assert.True(t, want.SRMAC.Equal(got.SRMAC), "R-MAC")
	assert.True(t, want.SDEK.Equal(got.SDEK), "DEK")
}

func TestRemoteFormAnswersAsTheInProcessForm(t *testing.T) {
	s := allSets(t)
	r := newRemote(t, s, nil)
	ctx := context.Background()
	for name, req := range cardRequests(t, s) {
		t.Run(name, func(t *testing.T) {
			want, err := s.ComputeSessionKey(ctx, req)
			require.NoError(t, err)
			before := r.requests.Load()
			got, err := r.client.ComputeSessionKey(ctx, req)
			require.NoError(t, err)
			assert.Equal(t, int64(1), r.requests.Load()-before, "round trips")
			assertSameKeys(t, want.Keys, got.Keys)
			assert.Equal(t, want.HostCryptogram, got.HostCryptogram)

			req.CardCryptogram[0] ^= 1
			_, err = r.client.ComputeSessionKey(ctx, req)
			require.ErrorIs(t, err, connector.ErrCardCryptogram)

			ks := connector.KeySetDataRequest{SCP: req.Info.SCP, CUID: req.CUID, KDD: req.KDD,
				Info: req.Info, NewInfo: req.Info, KeySet: req.KeySet, SDEK: want.Keys.SDEK}
			ks.NewInfo.KVN = 1
			wantData, err := s.CreateKeySetData(ctx, ks)
			require.NoError(t, err)
			gotData, err := r.client.CreateKeySetData(ctx, ks)
			require.NoError(t, err)
			assert.Equal(t, wantData, gotData)
			enc := connector.EncryptDataRequest{SCP: req.Info.SCP, CUID: req.CUID, KDD: req.KDD,
				Info: req.Info, KeySet: req.KeySet, Data: []byte("0123456789abcdef")}
			wantEnc, err := s.EncryptData(ctx, enc)
			require.NoError(t, err)
			gotEnc, err := r.client.EncryptData(ctx, enc)
			require.NoError(t, err)
			assert.Equal(t, wantEnc, gotEnc)
		})
	}
	random, err := r.client.ComputeRandomData(ctx, 1024)
	require.NoError(t, err)
	assert.Len(t, random, 1024)
}

func (r remote) post(t *testing.T, form url.Values) string {
	t.Helper()
	res, err := r.http.PostForm("https://"+r.server.Listener.Addr().String()+
		connector.PathComputeSessionKey, form)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(body)
}

// oldSCP02Form is what an older TPS posts for one derivation constant.
func oldSCP02Form(constant string) url.Values {
	return url.Values{
		"serversideKeygen": {"false"}, "KDD": {"#40#90#08#07#06#05#04#03#02#01"},
		"tokencuid": {"#40#90#01#02#03#04#05#06#07#08"}, "KeyInfo": {"#01#01"},
		"keySet": {"jForte"}, "protocol": {"2"}, "sequenceCounter": {"#00#07"},
		"derivationConstant": {constant},
	}
}

func TestOneConstantCallsAreServedToWhoMayAsk(t *testing.T) {
	s := allSets(t)
	req := cardRequests(t, s)["scp02"]
	want, err := s.ComputeSessionKey(context.Background(), req)
	require.NoError(t, err)
	secret, err := connector.NewSharedSecret(key(t, keys.AES, aes256))
	require.NoError(t, err)

	r := newRemote(t, s, func(c *connector.Client) { c.SCP02Steps = true })
	for constant, key := range map[string]keys.Key{
		"#01#82": want.Keys.SENC, "#01#01": want.Keys.SMAC,
		"#01#02": want.Keys.SRMAC, "#01#81": want.Keys.SDEK,
	} {
		body := r.post(t, oldSCP02Form(constant))
		wrapped, ok := strings.CutPrefix(body, "status=0&sessionKey=")
		require.True(t, ok, body)
		b, err := connector.DecodeHex(wrapped, 16)
		require.NoError(t, err)
		got, err := secret.Unwrap(keys.DES3, b, 0)
		require.NoError(t, err)
		assert.True(t, key.Equal(got), constant)
	}
	assert.Equal(t, "status=3", r.post(t, oldSCP02Form("#07#07")))

	strict := newRemote(t, s, nil)
	assert.Equal(t, "status=3", strict.post(t, oldSCP02Form("#01#82")))
}

func BenchmarkSessionKeysHTTPS(b *testing.B) {
	s := allSets(b)
	r := newRemote(b, s, nil)
	req := cardRequests(b, s)["scp03 aes-128"]
	for b.Loop() {
		if _, err := r.client.ComputeSessionKey(context.Background(), req); err != nil {
			b.Fatal(err)
		}
	}
}
