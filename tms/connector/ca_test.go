package connector

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
)

// fakeCA records requests and answers what it was told to.
type fakeCA struct {
	err    error
	enroll EnrollRequest
	renew  RenewRequest
	revoke RevokeRequest
	serial Serial
	status CertificateStatus
	ids    []string
}

var issuedByFake = IssuedCertificate{Serial: "ab12", Subject: "UID=anna,O=<Token & Key>", DER: []byte{0x30, 1, 2}}

func (f *fakeCA) Enroll(ctx context.Context, r EnrollRequest) (IssuedCertificate, error) {
	f.enroll = r
	f.ids = append(f.ids, Session(ctx)+"/"+Caller(ctx))
	return issuedByFake, f.err
}

func (f *fakeCA) Renew(_ context.Context, r RenewRequest) (IssuedCertificate, error) {
	f.renew = r
	return issuedByFake, f.err
}

func (f *fakeCA) Revoke(_ context.Context, r RevokeRequest) error {
	f.revoke = r
	return f.err
}

func (f *fakeCA) Release(_ context.Context, s Serial) error {
	f.serial = s
	return f.err
}

func (f *fakeCA) Certificate(_ context.Context, s Serial) (CertificateStatus, error) {
	f.serial = s
	return f.status, f.err
}

// caPair serves a CA to one client.
func caPair(t *testing.T, c CA) *CAClient {
	t.Helper()
	a := newAuthority(t)
	own := a.issue(t, "tps")
	h, err := CAHandler(c, HandlerOptions{Clients: []Client{{Name: "tps1", Fingerprint: Fingerprint(own.Leaf)}}})
	require.NoError(t, err)
	s := a.serve(t, h)
	client, err := NewCAClient(PeerConfig{Hosts: addr(s.URL), Timeout: 10 * time.Second,
		TLS: &tls.Config{RootCAs: a.pool, Certificates: []tls.Certificate{own}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func enrollRequest() EnrollRequest {
	return EnrollRequest{RequestID: "4090:7", ProfileID: "caTokenUserSigningKeyEnrollment", UserID: "änna+&=",
		TokenType: "userKey", CUID: keys.CUID{0x40, 0x90, 0, 0x62, 0xFF, 2, 0, 0, 0x0B, 0x9C},
		PublicKey: []byte{0xFB, 0xEF, 0xFF, 0}, Subject: "CN=Anna,O=Example", SANPatterns: []string{"a@b", "c"},
		Attributes: map[string]string{"mail": "a@b.example", "cn": "Anna B"}}
}

func TestCAOverHTTPS(t *testing.T) {
	f := &fakeCA{}
	c := caPair(t, f)
	ctx := WithSession(context.Background(), "s-1")
	out, err := c.Enroll(ctx, enrollRequest())
	require.NoError(t, err)
	assert.Equal(t, issuedByFake, out)
	assert.Equal(t, enrollRequest(), f.enroll)
	assert.Equal(t, []string{"s-1/tps1"}, f.ids)
	device := EnrollRequest{ProfileID: "p", PublicKey: []byte{1}}
	_, err = c.Enroll(ctx, device)
	require.NoError(t, err)
	assert.Len(t, f.enroll.RequestID, 32, "the client makes an id up, so that asking the next host is safe")
	device.RequestID = f.enroll.RequestID
	assert.Equal(t, device, f.enroll)

	renew := RenewRequest{RequestID: "r", ProfileID: "p", Serial: "ffffffffffffffffffffffffffffffff"}
	out, err = c.Renew(ctx, renew)
	require.NoError(t, err)
	assert.Equal(t, issuedByFake, out)
	assert.Equal(t, renew, f.renew)

	for _, reason := range []Reason{ReasonUnspecified, ReasonCertificateHold, ReasonAACompromise} {
		require.NoError(t, c.Revoke(ctx, RevokeRequest{Serial: "ab12", Reason: reason}))
		assert.Equal(t, RevokeRequest{Serial: "ab12", Reason: reason}, f.revoke)
	}
	require.NoError(t, c.Release(ctx, "7f"))
	assert.Equal(t, Serial("7f"), f.serial)
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	for _, want := range []CertificateStatus{{IssuedCertificate: issuedByFake, State: CertificateValid},
		{IssuedCertificate: issuedByFake, State: CertificateOnHold, Reason: ReasonCertificateHold, RevokedAt: at},
		{IssuedCertificate: issuedByFake, State: CertificateRevoked, Reason: ReasonUnspecified, RevokedAt: at}} {
		f.status = want
		got, err := c.Certificate(ctx, "ab12")
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

// Every code travels, and the reason of all but the CA's own failures.
func TestCAErrorsTravel(t *testing.T) {
	f := &fakeCA{}
	c := caPair(t, f)
	ctx := context.Background()
	for _, sentinel := range []*CAError{ErrCABadRequest, ErrCARefused, ErrCANotFound, ErrCAConflict,
		ErrCAAlreadyRevoked, ErrCANotOnHold, ErrCAInternal} {
		f.err = CAErrorf(sentinel.Code, "because <1> & 2=3")
		calls := map[string]error{"revoke": c.Revoke(ctx, RevokeRequest{Serial: "1"}), "release": c.Release(ctx, "1")}
		_, calls["enroll"] = c.Enroll(ctx, enrollRequest())
		_, calls["renew"] = c.Renew(ctx, RenewRequest{ProfileID: "p", Serial: "1"})
		_, calls["get"] = c.Certificate(ctx, "1")
		for name, err := range calls {
			require.ErrorIs(t, err, sentinel, name)
			assert.Equal(t, sentinel.Code != CAInternal, strings.Contains(err.Error(), "because <1>"), err)
		}
	}
	f.err = errors.New("disk on fire at /srv")
	_, err := c.Enroll(ctx, enrollRequest())
	require.ErrorIs(t, err, ErrCAInternal)
	assert.NotContains(t, err.Error(), "/srv")
}

func TestCAServesListedClientsOnly(t *testing.T) {
	a := newAuthority(t)
	h, err := CAHandler(&fakeCA{}, HandlerOptions{Clients: []Client{{Name: "x", Subject: "CN=other"}}})
	require.NoError(t, err)
	s := a.serve(t, h)
	c, err := NewCAClient(PeerConfig{Hosts: addr(s.URL),
		TLS: &tls.Config{RootCAs: a.pool, Certificates: []tls.Certificate{a.issue(t, "tps")}}})
	require.NoError(t, err)
	_, err = c.Enroll(context.Background(), enrollRequest())
	require.ErrorIs(t, err, ErrUnauthorized)
	require.ErrorIs(t, c.Release(context.Background(), "1"), ErrUnauthorized)
	_, err = CAHandler(&fakeCA{}, HandlerOptions{Clients: []Client{{Name: "nobody"}}})
	require.Error(t, err)
	_, err = NewCAClient(PeerConfig{Hosts: "a:1"})
	require.Error(t, err)
}

// The request of Dogtag's TPS, field by field, and its answer.
func TestRequestsOfTheIncumbent(t *testing.T) {
	f := &fakeCA{}
	form := url.Values{"xml": {"true"}, "tokencuid": {"4090-0062-FF02-0000-0B9C"}, "screenname": {"anna"},
		"publickey": {base64.StdEncoding.EncodeToString([]byte{0xFB, 0xEF, 0xFF})}, "profileId": {"p"}, "tokentype": {"userKey"},
		"subject": {"CN=x"}, "req_san_pattern_0": {"a"}, "req_san_pattern_1": {"b"}}
	h := &caHandler{ca: f}
	one := newFormOf(t, form)
	h.log = slog.New(slog.DiscardHandler)
	body, kind := h.issue(context.Background(), one)
	assert.Equal(t, xmlContentType, kind)
	assert.Equal(t, []byte{0xFB, 0xEF, 0xFF}, f.enroll.PublicKey)
	assert.Equal(t, []string{"a", "b"}, f.enroll.SANPatterns)
	assert.Equal(t, byte(0x9C), f.enroll.CUID[9])
	fields, err := parseXML(body)
	require.NoError(t, err)
	assert.Equal(t, "0", fields["Status"])
	assert.Equal(t, "ab12", fields["serialno"])
	assert.Equal(t, "MAEC", fields["b64"])
	assert.Equal(t, issuedByFake.Subject, fields["SubjectDN"])
	text, _ := h.revoke(context.Background(), newFormOf(t, url.Values{"op": {"revoke"}, "revocationReason": {"6"},
		"revokeAll": {"(certRecordId=43794)"}, "totalRecordCount": {"1"}}))
	assert.Equal(t, "status=0&error=", string(text))
	assert.Equal(t, RevokeRequest{Serial: "ab12", Reason: 6}, f.revoke)
}

func newFormOf(t *testing.T, v url.Values) form {
	t.Helper()
	f, err := newForm(v)
	require.NoError(t, err)
	return f
}

func TestWhatIsNoRequestToACA(t *testing.T) {
	h := &caHandler{ca: &fakeCA{}, log: slog.New(slog.DiscardHandler)}
	for name, v := range map[string]url.Values{
		"cuid":   {"tokencuid": {"4090"}, "publickey": {"MAEC"}, "profileId": {"p"}},
		"key":    {"publickey": {"***"}, "profileId": {"p"}},
		"no key": {"profileId": {"p"}},
		"serial": {"renewal": {"true"}, "serial_num": {"-4"}, "profileId": {"p"}},
		"attr":   {"publickey": {"MAEC"}, "profileId": {"p"}, "attr_M": {"x"}},
	} {
		body, _ := h.issue(context.Background(), newFormOf(t, v))
		fields, err := parseXML(body)
		require.NoError(t, err)
		assert.Equal(t, string(CABadRequest), fields["ErrorCode"], name)
	}
	for _, v := range []url.Values{{}, {"op": {"revoke"}}, {"op": {"revoke"}, "revocationReason": {"7"}, "revokeAll": {"(certRecordId=1)"}},
		{"op": {"revoke"}, "revocationReason": {"1"}, "revokeAll": {"(|(certRecordId=1)(certRecordId=2))"}}} {
		body, _ := h.revoke(context.Background(), newFormOf(t, v))
		assert.Contains(t, string(body), "status=1")
	}
}

// Answers of a foreign CA, and of what is none.
func TestForeignAnswers(t *testing.T) {
	for body, want := range map[string]error{
		`<XMLResponse><Status>0</Status><b64>MAEC</b64><serialno>AB12</serialno></XMLResponse>`: nil,
		`<XMLResponse><Status>1</Status><Error>Rejected</Error></XMLResponse>`:                  ErrCARefused,
		`<XMLResponse><Status>0</Status><b64>*</b64><serialno>1</serialno></XMLResponse>`:       ErrProtocol,
		`<XMLResponse><Status>0</Status><b64>MAEC</b64></XMLResponse>`:                          ErrProtocol,
		`<XMLResponse><Status>x</Status></XMLResponse>`:                                         ErrProtocol,
		`<html>`:        ErrProtocol,
		``:              ErrProtocol,
		`unauthorized=`: ErrUnauthorized,
		"<a>" + strings.Repeat("<b></b>", 300) + "</a>": ErrProtocol,
	} {
		a := newAuthority(t)
		var n atomic.Int64
		s := a.serve(t, answering(&n, http.StatusOK, body))
		c, err := NewCAClient(PeerConfig{Hosts: addr(s.URL),
			TLS: &tls.Config{RootCAs: a.pool, Certificates: []tls.Certificate{a.issue(t, "tps")}}})
		require.NoError(t, err)
		out, err := c.Enroll(context.Background(), enrollRequest())
		if want == nil {
			require.NoError(t, err)
			assert.Equal(t, Serial("ab12"), out.Serial)
		} else {
			require.ErrorIs(t, err, want, body)
		}
		_ = c.Close()
	}
}

func TestSerials(t *testing.T) {
	for text, want := range map[string]Serial{"0x00AB": "ab", "ab12": "ab12", "1": "1"} {
		s, err := ParseSerial(text)
		require.NoError(t, err)
		assert.Equal(t, want, s)
		back, err := ParseDecimalSerial(s.Decimal())
		require.NoError(t, err)
		assert.Equal(t, s, back)
	}
	for _, text := range []string{"", "0", "-1", "+1", "xy", "1_0", "0x", strings.Repeat("f", 41)} {
		_, err := ParseSerial(text)
		assert.Error(t, err, text)
		_, err = ParseDecimalSerial(text)
		assert.Error(t, err, text)
	}
	assert.Empty(t, Serial("zz").Decimal())
	assert.Empty(t, SerialOf(nil))
}

func FuzzCAAnswer(f *testing.F) {
	f.Add([]byte(`<XMLResponse><Status>0</Status><Requests><Request><b64>MAEC</b64></Request></Requests></XMLResponse>`))
	f.Add([]byte(`<xml><certChainBase64>MAEC</certChainBase64><revocationReason>6</revocationReason></xml>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		fields, err := parseXML(body)
		if err != nil {
			require.ErrorIs(t, err, ErrProtocol)
			return
		}
		_ = caFailure(fields["Status"], fields["ErrorCode"], fields["Error"])
		_, _ = decodeCert(fields["b64"])
	})
}
