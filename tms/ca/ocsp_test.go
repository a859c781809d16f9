package ca_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xocsp "golang.org/x/crypto/ocsp"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/lint"
	"tokenwright/tms/connector"
)

// addNonce puts a nonce into a question that has no extensions.
func addNonce(t testing.TB, question []byte) []byte {
	t.Helper()
	var outer struct{ TBS asn1.RawValue }
	_, err := asn1.Unmarshal(question, &outer)
	require.NoError(t, err)
	exts := []byte{0xA2, 0x1B, 0x30, 0x19, 0x30, 0x17, 0x06, 0x09, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02,
		0x04, 0x0A, 0x04, 0x08, 1, 2, 3, 4, 5, 6, 7, 8}
	tbs, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true,
		Bytes: append(bytes.Clone(outer.TBS.Bytes), exts...)})
	require.NoError(t, err)
	out, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: tbs})
	require.NoError(t, err)
	return out
}

func question(t testing.TB, l *lab, cert *x509.Certificate, hash crypto.Hash) []byte {
	t.Helper()
	q, err := xocsp.CreateRequest(cert, l.opts.Certificate, &xocsp.RequestOptions{Hash: hash})
	require.NoError(t, err)
	return q
}

// answer reads an answer and verifies it as x/crypto/ocsp does.
func answer(t testing.TB, l *lab, raw []byte) *xocsp.Response {
	t.Helper()
	r, err := xocsp.ParseResponse(raw, l.opts.Certificate)
	require.NoError(t, err)
	require.NoError(t, lint.OCSP(raw))
	return r
}

func TestAnswersAreKeptAndFresh(t *testing.T) {
	l := newLab(t, "p256", nil)
	cert := l.enroll(signing, "ec")
	r, q := l.ca.Responder(), question(t, l, cert, crypto.SHA256)
	first := r.Answer(t.Context(), q)
	assert.Equal(t, xocsp.Good, answer(t, l, first).Status)
	assert.Equal(t, first, r.Answer(t.Context(), q), "signed once")
	kept, _ := r.Kept()
	assert.Equal(t, 1, kept)
	nonce := addNonce(t, q)
	one, two := r.Answer(t.Context(), nonce), r.Answer(t.Context(), nonce)
	assert.NotEqual(t, one, two, "signed for each")
	assert.Contains(t, string(one), string([]byte{0x04, 8, 1, 2, 3, 4, 5, 6, 7, 8}))
	answer(t, l, one)

	// A revocation by another process shows in the next answer.
	require.NoError(t, l.again(nil).Revoke(t.Context(), connector.RevokeRequest{Serial: serialOf(cert), Reason: 1}))
	got := answer(t, l, r.Answer(t.Context(), q))
	assert.Equal(t, xocsp.Revoked, got.Status)
	assert.Equal(t, 1, got.RevocationReason)

	tend := func() int {
		n, err := r.Tend(t.Context())
		require.NoError(t, err)
		return n
	}
	l.clock.add(90 * time.Minute)
	assert.Equal(t, 3, tend(), "what was asked for, and both certificates")
	assert.WithinDuration(t, l.clock.now(), answer(t, l, r.Answer(t.Context(), q)).ThisUpdate, time.Second)
	assert.Zero(t, tend(), "fresh enough")
	l.clock.add(90 * time.Minute)
	assert.Equal(t, 3, tend())
	l.clock.add(3 * time.Hour)
	tend()
	kept, _ = r.Kept()
	assert.Equal(t, 2, kept, "nobody asks by SHA-256 any more")
	// The responder's certificate goes on in time, and so do its answers.
	l.clock.add(65 * 24 * time.Hour)
	old := r.SignerCert()
	l.ca.Tend(t.Context())
	assert.NotEqual(t, old.Raw, r.SignerCert().Raw)
	answer(t, l, r.Answer(t.Context(), q))
}

func TestQuestionsThatGetNoAnswer(t *testing.T) {
	l, other := newLab(t, "p256", nil), newLab(t, "p256", nil)
	cert := l.enroll(signing, "ec")
	r := l.ca.Responder()
	status := func(q []byte) xocsp.ResponseStatus {
		_, err := xocsp.ParseResponse(r.Answer(t.Context(), q), nil)
		var e xocsp.ResponseError
		require.ErrorAs(t, err, &e)
		return e.Status
	}
	q := question(t, l, cert, crypto.SHA1)
	for _, bad := range [][]byte{nil, {0x30, 0}, q[:len(q)-1], append(bytes.Clone(q), 0), make([]byte, 5000)} {
		assert.Equal(t, xocsp.Malformed, status(bad))
	}
	assert.Equal(t, xocsp.Unauthorized, status(question(t, other, other.enroll(signing, "ec"), crypto.SHA1)))
	l.clock.add(100 * 24 * time.Hour)
	assert.Equal(t, xocsp.InternalError, status(q), "its certificate has ended")
}

func TestOCSPOverHTTP(t *testing.T) {
	l := newLab(t, "p256", nil)
	cert := l.enroll(signing, "ec")
	s := httptest.NewServer(l.ca.PublicHandler())
	defer s.Close()
	q := question(t, l, cert, crypto.SHA1)
	get := func(target string, head http.Header) (*http.Response, []byte) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		require.NoError(t, err)
		req.Header = head
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, body
	}
	text := base64.StdEncoding.EncodeToString(q)
	for _, form := range []string{url.PathEscape(text), text, strings.TrimRight(text, "="), url.QueryEscape(text)} {
		res, body := get(s.URL+ca.PathOCSP+"/"+form, nil)
		require.Equal(t, http.StatusOK, res.StatusCode)
		assert.Equal(t, xocsp.Good, answer(t, l, body).Status)
		assert.Contains(t, res.Header.Get("Cache-Control"), "max-age=7")
		again, body := get(s.URL+ca.PathOCSP+"/"+form, http.Header{"If-None-Match": {res.Header.Get("ETag")}})
		assert.Equal(t, http.StatusNotModified, again.StatusCode)
		assert.Empty(t, body)
	}
	post := func(kind string, body []byte) (int, []byte) {
		res, err := http.Post(s.URL+ca.PathOCSP, kind, bytes.NewReader(body))
		require.NoError(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, b
	}
	code, body := post("application/ocsp-request", q)
	assert.Equal(t, http.StatusOK, code)
	answer(t, l, body)
	code, _ = post("text/plain", q)
	assert.Equal(t, http.StatusUnsupportedMediaType, code)
	code, _ = post("application/ocsp-request", make([]byte, 5000))
	assert.Equal(t, http.StatusRequestEntityTooLarge, code)
	_, body = get(s.URL+ca.PathOCSP+"/!", nil)
	assert.Equal(t, []byte{0x30, 3, 0x0A, 1, 1}, body)
}

func TestWhatIsPublished(t *testing.T) {
	l := newLab(t, "p256", func(o *ca.Options) { o.CRL.FullEvery = 2 })
	s := httptest.NewServer(l.ca.PublicHandler())
	defer s.Close()
	fetch := func(path string) (int, []byte) {
		res, err := http.Get(s.URL + path)
		require.NoError(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, b
	}
	code, _ := fetch(ca.PathCRL)
	assert.Equal(t, http.StatusNotFound, code)
	code, body := fetch("/")
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, string(body), "none was issued yet")
	full, err := l.ca.IssueCRL(t.Context(), false)
	require.NoError(t, err)
	delta, err := l.ca.IssueCRL(t.Context(), true)
	require.NoError(t, err)
	for path, want := range map[string][]byte{ca.PathCRL: full.DER, ca.PathDelta: delta.DER,
		ca.PathCertificate: l.opts.Certificate.Raw, ca.PathChain: l.ca.ChainPEM()} {
		code, body := fetch(path)
		assert.Equal(t, http.StatusOK, code, path)
		assert.Equal(t, want, body, path)
	}
	_, body = fetch("/ca/")
	for _, want := range []string{"CN=Token CA 1,O=Example,C=DE", ca.PathCRL, "number 1 of", ca.PathOCSP} {
		assert.Contains(t, string(body), want)
	}
	code, _ = fetch("/ca/x")
	assert.Equal(t, http.StatusNotFound, code)
	cert := l.enroll(signing, "ec")
	assert.Equal(t, []string{base + ca.PathCRL}, cert.CRLDistributionPoints)
	assert.Equal(t, []string{base + ca.PathOCSP}, cert.OCSPServer)
	assert.Equal(t, []string{base + ca.PathCertificate}, cert.IssuingCertificateURL)
}
