package connector

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
)

// fakeKRA records requests and answers what it was told to.
type fakeKRA struct {
	err      error
	res      KeyPairResponse
	info     KeyInfo
	generate KeyPairRequest
	recover  KeyRecoveryRequest
	query    KeyQuery
	ids      []string
}

func (f *fakeKRA) note(ctx context.Context) { f.ids = append(f.ids, Session(ctx)+"/"+Caller(ctx)) }

func (f *fakeKRA) GenerateKeyPair(ctx context.Context, r KeyPairRequest) (KeyPairResponse, error) {
	f.note(ctx)
	f.generate = r
	return f.res, f.err
}

func (f *fakeKRA) RecoverKey(ctx context.Context, r KeyRecoveryRequest) (KeyPairResponse, error) {
	f.note(ctx)
	f.recover = r
	return f.res, f.err
}

func (f *fakeKRA) FindKey(ctx context.Context, q KeyQuery) (KeyInfo, error) {
	f.note(ctx)
	f.query = q
	return f.info, f.err
}

// kraOverHTTPS gives a client of a KRA behind TLS, known to it as tps1.
func kraOverHTTPS(t testing.TB, k KRA) *KRAClient {
	t.Helper()
	a := newAuthority(t)
	own := a.issue(t, "tps")
	h, err := KRAHandler(k, HandlerOptions{Clients: []Client{{Name: "tps1", Subject: "CN=tps"}}})
	require.NoError(t, err)
	s := a.serve(t, h)
	c, err := NewKRAClient(PeerConfig{Hosts: strings.TrimPrefix(s.URL, "https://"),
		Timeout: 10 * time.Second,
		TLS:     &tls.Config{RootCAs: a.pool, Certificates: []tls.Certificate{own}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func spkiOf(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	return spki
}

var theCard = keys.CUID{0x40, 0x90, 0x61, 0xFF}

func TestKRAOverHTTPS(t *testing.T) {
	f := &fakeKRA{res: KeyPairResponse{KeyID: "17", PublicKey: spkiOf(t), Wrapped: []byte{1, 2, 3},
		IV: make([]byte, 16), Wrap: WrapAESCBC}}
	c := kraOverHTTPS(t, f)
	ctx := WithSession(t.Context(), "s-1")
	gen := KeyPairRequest{RequestID: "r.1", CUID: theCard, UserID: "jürgen & co=#41+ü", Type: KeyEC,
		Bits: 521, Archive: true, Usages: "wrap,unwrap",
		CardTransport: CardTransport{DRMTransDESKey: []byte{5, 6}, DRMTransAESKey: []byte{0, 0xFF},
			AESWrap: WrapAESCBC}}
	res, err := c.GenerateKeyPair(ctx, gen)
	require.NoError(t, err)
	assert.Equal(t, gen, f.generate)
	assert.Equal(t, f.res, res)
	gen.Type, gen.Bits, gen.Archive, gen.DRMTransDESKey = KeyRSA, 4096, false, []byte{}
	_, err = c.GenerateKeyPair(ctx, gen)
	require.NoError(t, err)
	assert.Equal(t, gen, f.generate)

	rec := KeyRecoveryRequest{CUID: theCard, UserID: "a", KeyID: "340282366920938463463374607431",
		Certificate: []byte("\xFB\xFF\xFE any bytes"), CardTransport: gen.CardTransport}
	res, err = c.RecoverKey(ctx, rec)
	require.NoError(t, err)
	assert.Equal(t, rec, f.recover)
	assert.Equal(t, f.res, res)

	f.info = KeyInfo{KeyID: "17", CUID: theCard, UserID: "jürgen & co=#41+ü", Type: KeyEC, Bits: 256,
		PublicKey: f.res.PublicKey}
	info, err := c.FindKey(ctx, KeyQuery{RequestID: "r.1"})
	require.NoError(t, err)
	assert.Equal(t, f.info, info)
	assert.Equal(t, KeyQuery{RequestID: "r.1", Certificate: []byte{}}, f.query)
	assert.Equal(t, []string{"s-1/tps1", "s-1/tps1", "s-1/tps1", "s-1/tps1"}, f.ids)
}

func TestKRAErrorsOverHTTPS(t *testing.T) {
	f := &fakeKRA{}
	c := kraOverHTTPS(t, f)
	for s := range kraStatusText {
		if s == KRAOK {
			continue
		}
		f.err = KRAErrorf(s, "a reason that stays inside")
		_, err := c.FindKey(t.Context(), KeyQuery{KeyID: "1"})
		require.ErrorIs(t, err, &KRAError{Status: s})
		assert.NotContains(t, err.Error(), "inside")
	}
	f.err = errors.New("anything")
	_, err := c.FindKey(t.Context(), KeyQuery{KeyID: "1"})
	assert.Equal(t, KRAInternal, KRAStatusOf(err))
	assert.Equal(t, KRAOK, KRAStatusOf(nil))
	require.NoError(t, c.Close())
}

func TestKRAStrangers(t *testing.T) {
	a := newAuthority(t)
	h, err := KRAHandler(&fakeKRA{}, HandlerOptions{Clients: []Client{{Subject: "CN=tps"}}})
	require.NoError(t, err)
	s := a.serve(t, h)
	c, err := NewKRAClient(PeerConfig{Hosts: strings.TrimPrefix(s.URL, "https://"),
		TLS: &tls.Config{RootCAs: a.pool, Certificates: []tls.Certificate{a.issue(t, "eve")}}})
	require.NoError(t, err)
	_, err = c.FindKey(t.Context(), KeyQuery{KeyID: "1"})
	require.ErrorIs(t, err, ErrUnauthorized)
	_, err = NewKRAClient(PeerConfig{Hosts: "a:1"})
	require.ErrorContains(t, err, "key recovery authority")
	_, err = KRAHandler(nil, HandlerOptions{Clients: []Client{{}}})
	require.Error(t, err)
}

// post sends what an older TPS sends.
func post(t *testing.T, k KRA, path, body string) string {
	t.Helper()
	h := &kraHandler{kra: k, answer: map[string]func(context.Context, KRA, form) ([]field, error){
		PathGenerateKeyPair: answerGenerate, PathTokenKeyRecovery: answerRecovery}[path]}
	values, err := url.ParseQuery(body)
	require.NoError(t, err)
	f, err := newForm(values)
	require.NoError(t, err)
	fields, err := h.answer(t.Context(), h.kra, f)
	if err != nil {
		return KRAStatusOf(err).String()
	}
	return string(encodeAnswer(fields))
}

// The older TPS's requests as they come: bare hex for the card, #HH for keys, a wish for the way of
// wrapping that may be any word, and a certificate whose base64 may be broken into lines.
func TestOlderTPSRequests(t *testing.T) {
	f := &fakeKRA{res: KeyPairResponse{PublicKey: []byte{0x30, 0}, Wrapped: []byte{0xAB}, IV: []byte{1},
		Wrap: WrapDES3CBC}}
	const head = "tokencuid=409061FF000000000000&userid=u1&"
	got := post(t, f, PathGenerateKeyPair, head+"archive=true&keytype=RSA&keysize=2048&"+
		"drm_trans_desKey=%230A%23FF&drm_trans_aesKey=%2301&drm_aes_wrapAlg=whatever")
	assert.Equal(t, "status=0&wrapped_priv_key=#AB&iv_param=#01&public_key=MAA=&wrap_alg=DES3", got)
	assert.Equal(t, KeyPairRequest{CUID: theCard, UserID: "u1", Type: KeyRSA, Bits: 2048, Archive: true,
		CardTransport: CardTransport{DRMTransDESKey: []byte{0x0A, 0xFF}, DRMTransAESKey: []byte{1},
			AESWrap: WrapAESKWP}}, f.generate)
	post(t, f, PathGenerateKeyPair, head+"archive=false&keytype=EC&eckeycurve=nistp384&"+
		"drm_trans_aesKey=%2301&drm_aes_wrapAlg=CBC")
	assert.Equal(t, 384, f.generate.Bits)
	assert.Equal(t, WrapAESCBC, f.generate.AESWrap)
	post(t, f, PathTokenKeyRecovery, head+"cert=AAEC%0D%0A%2BwQ%3D&drm_trans_desKey=%2301")
	assert.Equal(t, []byte{0, 1, 2, 0xFB, 4}, f.recover.Certificate)
	post(t, f, PathTokenKeyRecovery, head+"cert=AAEC+wQ&drm_trans_desKey=%2301")
	assert.Equal(t, []byte{0, 1, 2, 0xFB, 4}, f.recover.Certificate, "plus signs that became blanks")

	for body, want := range map[string]KRAStatus{
		"archive=yes&keysize=2048&drm_trans_aesKey=%2301":                         KRARequest,
		"archive=true&keysize=x&drm_trans_aesKey=%2301":                           KRARequest,
		"archive=true&keytype=EC&eckeycurve=nistb233&drm_trans_aesKey=%2301":      KRARequest,
		"archive=true&keytype=DSA&keysize=2048&drm_trans_aesKey=%2301":            KRARequest,
		"archive=true&keysize=2048":                                               KRANoWrapped,
		"archive=true&keysize=2048&drm_trans_aesKey=zz":                           KRANoWrapped,
		"archive=true&keysize=2048&drm_trans_aesKey=%2301&requestid=a%20b":        KRARequest,
		"archive=true&keysize=2048&drm_trans_aesKey=" + strings.Repeat("0", 2050): KRANoWrapped,
		"archive=true&keysize=2048&drm_trans_aesKey=01&keyGenUsages=" +
			strings.Repeat("a", 257): KRARequest,
	} {
		assert.Equal(t, want.String(), post(t, f, PathGenerateKeyPair, head+body), body)
	}
	for body, want := range map[string]KRAStatus{
		"drm_trans_aesKey=01":                                       KRANoKeyNamed,
		"keyid=0x1&drm_trans_aesKey=01":                             KRARequest,
		"keyid=" + strings.Repeat("1", 40) + "&drm_trans_aesKey=01": KRARequest,
		"cert=!&drm_trans_aesKey=01":                                KRACertificate,
		"cert=" + strings.Repeat("A", 2*MaxCertLen+4):               KRACertificate,
		"keyid=1": KRANoWrapped,
	} {
		assert.Equal(t, want.String(), post(t, f, PathTokenKeyRecovery, head+body), body)
	}
	for _, head := range []string{"", "tokencuid=40&userid=u", "tokencuid=409061FF000000000000",
		"tokencuid=409061FF000000000000&userid=%0A"} {
		assert.Equal(t, KRARequest.String(), post(t, f, PathTokenKeyRecovery,
			head+"&keyid=1&drm_trans_aesKey=01"), head)
	}
}

// Answers of an older KRA: no number, no way of wrapping, 1 for success in one path.
func TestOlderKRAAnswers(t *testing.T) {
	const pair = "&wrapped_priv_key=#AB&iv_param=#01&public_key="
	read := func(body string, desFirst bool, t CardTransport) (KeyPairResponse, error) {
		a, err := readKRAAnswer([]byte(body))
		if err != nil {
			return KeyPairResponse{}, err
		}
		return a.keyPair(wrapUsed(t, desFirst))
	}
	both := CardTransport{DRMTransAESKey: []byte{1}, DRMTransDESKey: []byte{1}, AESWrap: WrapAESCBC}
	for _, tt := range []struct {
		body     string
		desFirst bool
		want     KeyWrap
	}{
		{"status=0" + pair + "MAA=", false, WrapAESCBC}, {"status=1" + pair + "#30#00", true, WrapDES3CBC},
		{"status=0" + pair + "MAA=&wrap_alg=KWP", true, WrapAESKWP},
	} {
		res, err := read(tt.body, tt.desFirst, both)
		require.NoError(t, err, tt.body)
		assert.Equal(t, KeyPairResponse{PublicKey: []byte{0x30, 0}, Wrapped: []byte{0xAB},
			IV: []byte{1}, Wrap: tt.want}, res)
	}
	for body, want := range map[string]error{
		"":                                     ErrProtocol,
		"status=x":                             ErrProtocol,
		"status=1":                             &KRAError{Status: 1},
		"status=8":                             ErrKeyNotFound,
		"unauthorized=":                        ErrUnauthorized,
		"status=0":                             ErrProtocol,
		"status=0&public_key=MAA=":             ErrProtocol,
		"status=0&wrapped_priv_key=#AB":        ErrProtocol,
		"status=0" + pair + "?":                ErrProtocol,
		"status=0" + pair + "MAA=&keyid=x":     ErrProtocol,
		"status=0" + pair + "MAA=&wrap_alg=XX": ErrProtocol,
	} {
		_, err := read(body, false, both)
		assert.ErrorIs(t, err, want, body)
	}
}

func TestIdentifier(t *testing.T) {
	a := newAuthority(t)
	ann := a.issue(t, "ann")
	who, err := Identifier([]Client{{Name: "ann", Fingerprint: Fingerprint(ann.Leaf)}})
	require.NoError(t, err)
	seen := make(chan string, 1)
	s := a.serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		name, ok := who(r.TLS)
		if !ok {
			name = "stranger"
		}
		seen <- name
	}))
	for want, certs := range map[string][]tls.Certificate{
		"ann": {ann}, "stranger": {a.issue(t, "ann")}} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool, Certificates: certs}}
		res, err := (&http.Client{Transport: tr}).Get(s.URL)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, want, <-seen)
		tr.CloseIdleConnections()
	}
	_, ok := who(httptest.NewRequest(http.MethodGet, "/", nil).TLS)
	assert.False(t, ok)
	_, err = Identifier([]Client{{Name: "nobody"}})
	require.Error(t, err)
}

// Whatever form comes is refused with a status or understood, and what is understood reads the same
// when this project's client sends it.
func FuzzKRARequest(f *testing.F) {
	const head = "tokencuid=409061FF000000000000&userid=u1&"
	f.Add(head + "archive=true&keytype=RSA&keysize=2048&drm_trans_desKey=%230A&drm_aes_wrapAlg=KWP")
	f.Add(head + "archive=false&keytype=EC&eckeycurve=nistp521&drm_trans_aesKey=00&requestid=1")
	f.Add(head + "cert=AAEC&keyid=5&drm_trans_aesKey=%2300&drm_trans_desKey=11")
	f.Fuzz(func(t *testing.T, body string) {
		values, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		in, err := newForm(values)
		if err != nil {
			return
		}
		k := &fakeKRA{res: KeyPairResponse{PublicKey: []byte{0x30}, Wrapped: []byte{1}}}
		if _, err := answerGenerate(t.Context(), k, in); err == nil {
			r := k.generate
			again := url.Values{fieldArchive: {falseText}, fieldCUID: {r.CUID.String()},
				fieldUserID: {r.UserID}, fieldUsages: {r.Usages}, fieldKeyRequest: {r.RequestID}}
			if r.Archive {
				again.Set(fieldArchive, trueText)
			}
			for _, f := range keySpecFields(r.Type, r.Bits) {
				again.Set(f.name, f.value)
			}
			transportForm(again, r.CardTransport)
			f, err := newForm(again)
			require.NoError(t, err)
			_, err = answerGenerate(t.Context(), k, f)
			require.NoError(t, err)
			r.AESWrap, k.generate.AESWrap = 0, 0 // a wish without an AES key is not sent
			require.Equal(t, r, k.generate)
		}
		_, _ = answerRecovery(t.Context(), k, in)
		_, _ = answerQuery(t.Context(), k, in)
	})
}

// Whatever a KRA answers is an error or a key pair within its bounds.
func FuzzKRAAnswer(f *testing.F) {
	f.Add([]byte("status=0&wrapped_priv_key=#AB&iv_param=#01&public_key=MAA=&keyid=1&wrap_alg=KWP"))
	f.Add([]byte("status=0&keyid=1&tokencuid=409061FF000000000000&userid=a%2B&keytype=EC&" +
		"eckeycurve=nistp256&public_key=#30"))
	f.Add([]byte("status=1"))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := readKRAAnswer(body)
		if err != nil {
			return
		}
		if res, err := a.keyPair(WrapAESKWP); err == nil {
			require.NotEmpty(t, res.Wrapped)
			require.LessOrEqual(t, len(res.Wrapped), maxWrapped)
			require.LessOrEqual(t, len(res.PublicKey), maxPublicKey)
		}
		if info, err := a.keyInfo(); err == nil {
			require.True(t, info.KeyID.Valid())
			require.NoError(t, CheckUserID(info.UserID))
		}
	})
}
