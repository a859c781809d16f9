package connector

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
)

// front is a handler behind TLS with one allowed client, and ways to reach it.
type front struct {
	fake   *fakeTKS
	url    string
	client *http.Client // the allowed one
	tks    *TKSClient
	ca     authority
}

func newFront(t *testing.T) front {
	t.Helper()
	f := front{fake: &fakeTKS{}, ca: newAuthority(t)}
	k, err := keys.New(keys.DES3, []byte("sixteen byte key"))
	require.NoError(t, err)
	f.fake.keys = keys.SessionKeys{SENC: k, SMAC: k}
	h, err := TKSHandler(f.fake, aesSecret(t), HandlerOptions{Clients: []Client{
		{Name: "tps1", Subject: "CN=tps"}}})
	require.NoError(t, err)
	s := f.ca.serve(t, h)
	f.url = s.URL
	var own tls.Certificate
	f.tks, own = f.ca.client(t, addr(s.URL), aesSecret(t), nil)
	f.client = f.as(own)
	return f
}

func (f front) as(certs ...tls.Certificate) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: f.ca.pool, Certificates: certs}}}
}

// scp01Form is what an older TPS posts for SCP01.
func scp01Form() url.Values {
	return url.Values{
		"serversideKeygen": {"false"}, "KDD": {"#A0#01#92#03#04#05#06#07#08#C9"},
		"tokencuid": {"#40#90#01#02#03#04#05#06#07#08"}, "KeyInfo": {"#02#01"},
		"card_challenge": {"#01#02#03#04#05#06#07#08"}, "keySet": {"jForte"},
		"host_challenge":  {"#11#12#13#14#15#16#17#18"},
		"card_cryptogram": {"#21#22#23#24#25#26#27#28"},
	}
}

func TestOldSCP01Request(t *testing.T) {
	f := newFront(t)
	res, err := f.client.PostForm(f.url+PathComputeSessionKey, scp01Form())
	require.NoError(t, err)
	body := readAll(t, res)
	assert.True(t, strings.HasPrefix(body, "status=0&sessionKey=#"), body)
	assert.True(t, strings.HasSuffix(body, "&hostCryptogram=#01#02#03#00#00#00#00#00"), body)
	assert.Contains(t, body, "&encSessionKey=#")
	got := f.fake.session
	assert.Equal(t, byte(1), got.SCP)
	assert.Equal(t, "40900102030405060708", got.CUID.String())
	assert.Equal(t, "A00192030405060708C9", got.KDD.String())
	assert.Equal(t, "0201", got.Info.String())
	assert.Equal(t, "jForte", got.KeySet)
	assert.Equal(t, byte(0x11), got.HostChallenge[0])
	assert.Equal(t, byte(0x01), got.CardChallenge[0])
	assert.Equal(t, byte(0x21), got.CardCryptogram[0])
	assert.False(t, got.ServerSideKeygen)

	form := scp01Form()
	form.Del("KDD")
	form.Set("serversideKeygen", "true")
	res, err = f.client.PostForm(f.url+PathEncryptData, form) // the path does not decide
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(readAll(t, res), "status=0&"))
	assert.Equal(t, keys.KDD(f.fake.session.CUID), f.fake.session.KDD, "the CUID stands for the KDD")
	assert.True(t, f.fake.session.ServerSideKeygen)
}

func TestUnknownClientsAreUnauthorized(t *testing.T) {
	f := newFront(t)
	for name, c := range map[string]*http.Client{
		"no certificate": f.as(), "another name": f.as(f.ca.issue(t, "tps2")),
	} {
		res, err := c.PostForm(f.url+PathComputeRandomData, url.Values{"dataNumBytes": {"8"}})
		require.NoError(t, err, name)
		assert.Equal(t, "unauthorized=", readAll(t, res), name)
	}
	foreign := newAuthority(t)
	res, err := f.as(foreign.issue(t, "tps")).PostForm(f.url+PathComputeRandomData,
		url.Values{"dataNumBytes": {"8"}})
	if err == nil { // a client whose CA the server does not name sends no certificate at all
		assert.Equal(t, "unauthorized=", readAll(t, res))
	}
	w := httptest.NewRecorder()
	h, err := TKSHandler(f.fake, aesSecret(t), HandlerOptions{})
	require.NoError(t, err)
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, PathComputeRandomData, nil))
	assert.Equal(t, "unauthorized=", w.Body.String())
}

func TestBadRequests(t *testing.T) {
	f := newFront(t)
	tests := map[string]struct {
		change func(url.Values)
		want   string
	}{
		"no cuid":         {func(v url.Values) { v.Del("tokencuid") }, "status=3"},
		"short cuid":      {func(v url.Values) { v.Set("tokencuid", "#01") }, "status=3"},
		"bad hex":         {func(v url.Values) { v.Set("KDD", "#GG") }, "status=3"},
		"key info":        {func(v url.Values) { v.Set("KeyInfo", "#01") }, "status=3"},
		"challenge":       {func(v url.Values) { v.Set("card_challenge", "#01") }, "status=3"},
		"no host":         {func(v url.Values) { v.Del("host_challenge") }, "status=3"},
		"no cryptogram":   {func(v url.Values) { v.Del("card_cryptogram") }, "status=3"},
		"key set name":    {func(v url.Values) { v.Set("keySet", strings.Repeat("x", 65)) }, "status=3"},
		"protocol 2 only": {func(v url.Values) { v.Set("protocol", "2") }, "status=3"},
		"protocol 7":      {func(v url.Values) { v.Set("protocol", "7") }, "status=3"},
		"nothing": {func(v url.Values) {
			for k := range v {
				v.Del(k)
			}
		}, "status=3"},
		"random count": {func(v url.Values) {
			v.Del("card_challenge")
			v.Set("dataNumBytes", "x")
		}, "status=1"},
		"random large": {func(v url.Values) {
			v.Del("card_challenge")
			v.Set("dataNumBytes", "1025")
		}, "status=1"},
		"short data": {func(v url.Values) {
			v.Del("card_challenge")
			v.Set("data", "#00")
		}, "status=3"},
		"wrapped dek": {func(v url.Values) {
			v.Del("card_challenge")
			v.Set("protocol", "2")
			v.Set("newKeyInfo", "#02#01")
			v.Set("wrappedDekKey", "#00")
		}, "status=3"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			form := scp01Form()
			tt.change(form)
			res, err := f.client.PostForm(f.url+PathComputeSessionKey, form)
			require.NoError(t, err)
			assert.Equal(t, tt.want, readAll(t, res))
		})
	}
	assert.Empty(t, f.fake.ids, "the service saw a bad request")
}

func TestBoundsOfHTTP(t *testing.T) {
	f := newFront(t)
	long := strings.NewReader("a=" + strings.Repeat("x", maxRequestBytes))
	many := strings.NewReader(strings.Repeat("a=1&a=2&", 2))
	wide := url.Values{}
	for i := range maxRequestFields + 1 {
		wide.Set(strings.Repeat("k", i+1), "")
	}
	tests := map[string]struct {
		method, kind string
		body         *strings.Reader
		want         int
	}{
		"get":       {http.MethodGet, formContentType, strings.NewReader(""), 405},
		"kind":      {http.MethodPost, "text/plain", strings.NewReader("x"), 415},
		"no kind":   {http.MethodPost, "", strings.NewReader("x"), 415},
		"oversize":  {http.MethodPost, formContentType, long, 413},
		"duplicate": {http.MethodPost, formContentType, many, 400},
		"encoding":  {http.MethodPost, formContentType, strings.NewReader("a=%ZZ"), 400},
		"fields":    {http.MethodPost, formContentType, strings.NewReader(wide.Encode()), 400},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest(tt.method, f.url+PathComputeSessionKey, tt.body)
			require.NoError(t, err)
			if tt.kind != "" {
				req.Header.Set("Content-Type", tt.kind)
			}
			res, err := f.client.Do(req)
			require.NoError(t, err)
			_ = readAll(t, res)
			assert.Equal(t, tt.want, res.StatusCode)
		})
	}
}

func TestStatusTravelsAndReasonDoesNot(t *testing.T) {
	f := newFront(t)
	f.fake.err = Errorf(StatusToken, "module in slot 7 is gone")
	_, err := f.tks.CreateKeySetData(context.Background(), KeySetDataRequest{SCP: 1})
	require.ErrorIs(t, err, ErrToken)
	assert.NotContains(t, err.Error(), "slot 7")
	f.fake.err = assert.AnError
	_, err = f.tks.CreateKeySetData(context.Background(), KeySetDataRequest{SCP: 1})
	require.ErrorIs(t, err, ErrDerivation)
}

func TestSessionAndCallerReachTheService(t *testing.T) {
	f := newFront(t)
	for _, id := range []string{"abc-1.2_X", "", "with blank", "line\nfeed", strings.Repeat("x", 65)} {
		_, err := f.tks.CreateKeySetData(WithSession(context.Background(), id),
			KeySetDataRequest{SCP: 3, Info: keys.KeyInfo{KVN: 1, SCP: 3, HasI: true, I: 0x70}})
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"abc-1.2_X/tps1", "/tps1", "/tps1", "/tps1", "/tps1"}, f.fake.ids)
	assert.Equal(t, InProcess, Caller(context.Background()))
	assert.Equal(t, "010370", f.fake.keySet.Info.String())
}

func TestChangeoverRequestTravelsWhole(t *testing.T) {
	f := newFront(t)
	sdek, err := keys.New(keys.DES3, []byte("dek dek dek dek "))
	require.NoError(t, err)
	req := KeySetDataRequest{SCP: 2, CUID: keys.CUID{1}, KDD: keys.KDD{2}, KeySet: "new",
		OldKeySet: "old", Info: keys.KeyInfo{KVN: 0xFF, SCP: 2}, NewInfo: keys.KeyInfo{KVN: 2, SCP: 2},
		SDEK: sdek}
	res, err := f.tks.CreateKeySetData(context.Background(), req)
	require.NoError(t, err)
	assert.Equal(t, []byte{2}, res.KeySetData)
	got := f.fake.keySet
	assert.True(t, sdek.Equal(got.SDEK))
	assert.Equal(t, byte(2), got.SCP)
	assert.Equal(t, "FF01", got.Info.String(), "SCP02's key information ends in 01 on the wire")
	assert.Equal(t, "0201", got.NewInfo.String())
	assert.Equal(t, [2]string{"new", "old"}, [2]string{got.KeySet, got.OldKeySet})
	assert.Equal(t, [2]string{req.CUID.String(), req.KDD.String()},
		[2]string{got.CUID.String(), got.KDD.String()})
}

func TestClientEntriesAreChecked(t *testing.T) {
	s := aesSecret(t)
	for name, c := range map[string]Client{
		"nothing": {Name: "a"}, "digest": {Fingerprint: "00ff"}, "hex": {Fingerprint: "zz"},
	} {
		_, err := TKSHandler(&fakeTKS{}, s, HandlerOptions{Clients: []Client{c}})
		require.Error(t, err, name)
	}
	_, err := TKSHandler(&fakeTKS{}, nil, HandlerOptions{Clients: []Client{{Subject: "CN=x"}}})
	require.ErrorContains(t, err, "shared secret")
}

func TestFingerprintAndSubjectMustBothMatch(t *testing.T) {
	ca := newAuthority(t)
	cert := ca.issue(t, "tps").Leaf
	state := &tls.ConnectionState{}
	state.VerifiedChains = [][]*x509.Certificate{{cert, ca.cert}}
	digest := Fingerprint(cert)
	colons := ""
	for i := 0; i < len(digest); i += 2 {
		colons += ":" + strings.ToUpper(digest[i:i+2])
	}
	for _, tt := range []struct {
		c    Client
		want bool
	}{
		{Client{Fingerprint: digest}, true},
		{Client{Fingerprint: colons[1:]}, true},
		{Client{Fingerprint: digest, Subject: "CN=tps"}, true},
		{Client{Fingerprint: digest, Subject: "CN=other"}, false},
		{Client{Fingerprint: Fingerprint(ca.cert), Subject: "CN=tps"}, false},
		{Client{Subject: "CN=tp"}, false},
	} {
		a, err := newAllowed(tt.c)
		require.NoError(t, err)
		got := findClient([]allowed{a}, state)
		assert.Equal(t, tt.want, got != nil, tt.c)
	}
	a, err := newAllowed(Client{Subject: "CN=tps"})
	require.NoError(t, err)
	unverified := &tls.ConnectionState{PeerCertificates: state.VerifiedChains[0]}
	assert.Nil(t, findClient([]allowed{a}, unverified), "only a verified certificate counts")
}

func FuzzRequest(f *testing.F) {
	f.Add(scp01Form().Encode())
	f.Add("protocol=3&card_challenge=%23")
	f.Add("data=%2300&protocol=1")
	f.Add("newKeyInfo=%2302%2301&protocol=2&wrappedDekKey=00")
	k, err := keys.New(keys.AES, make([]byte, 16))
	if err != nil {
		f.Fatal(err)
	}
	secret, err := NewSharedSecret(k)
	if err != nil {
		f.Fatal(err)
	}
	h := &tksHandler{tks: &fakeTKS{}}
	client := &allowed{Client: Client{Secret: secret}}
	f.Fuzz(func(t *testing.T, body string) {
		values, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		form, err := newForm(values)
		if err != nil {
			return
		}
		fields, err := h.dispatch(context.Background(), client, form)
		if err == nil {
			if _, err := readAnswer(encodeAnswer(fields)); err != nil {
				t.Fatalf("own answer is not the wire form: %v", err)
			}
		}
	})
}
