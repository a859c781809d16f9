package routing_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/tps/tokendb"
)

var cuid = keys.CUID{0x40, 0x90, 1}

// fakeCA answers with what a test gives it.
type fakeCA struct {
	connector.CA
	name     string
	answer   error // of every call
	cert     connector.IssuedCertificate
	requests []string
	revoked  []connector.RevokeRequest
	released []connector.Serial
}

func (c *fakeCA) Enroll(_ context.Context, req connector.EnrollRequest) (
	connector.IssuedCertificate, error,
) {
	c.requests = append(c.requests, req.RequestID)
	return c.cert, c.answer
}

func (c *fakeCA) Revoke(_ context.Context, req connector.RevokeRequest) error {
	c.revoked = append(c.revoked, req)
	return c.answer
}

func (c *fakeCA) Release(_ context.Context, serial connector.Serial) error {
	c.released = append(c.released, serial)
	return c.answer
}

// fakeKRA answers with what a test gives it.
type fakeKRA struct {
	connector.KRA
	answer, found error
	requests      []string
}

func (k *fakeKRA) GenerateKeyPair(_ context.Context, req connector.KeyPairRequest) (
	connector.KeyPairResponse, error,
) {
	k.requests = append(k.requests, req.RequestID)
	return connector.KeyPairResponse{}, k.answer
}

func (k *fakeKRA) FindKey(_ context.Context, q connector.KeyQuery) (connector.KeyInfo, error) {
	k.requests = append(k.requests, q.RequestID)
	return connector.KeyInfo{}, k.found
}

type world struct {
	t      *testing.T
	store  *sql.Store
	db     *tokendb.DB
	router *routing.Router
	ca     *fakeCA
	kra    *fakeKRA
	key    *ecdsa.PrivateKey
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := sql.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	w := &world{t: t, store: s, ca: &fakeCA{name: "ca1"}, kra: &fakeKRA{}}
	w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	w.ca.cert = w.certificate(0x2A)
	w.db = tokendb.New(s, tokendb.DefaultRules(), time.Now)
	w.router = &routing.Router{
		CAs: map[string]connector.CA{"ca1": w.ca}, KRAs: map[string]connector.KRA{"kra1": w.kra},
	}
	rec := token.NewRecord(cuid, token.Policy{}).InState(token.Formatted)
	_, err = s.Apply(t.Context(), store.Change{
		CUID: cuid, New: &rec, Actor: "a", Why: "b", At: time.Now(),
	})
	require.NoError(t, err)
	return w
}

func (w *world) certificate(serial int64) connector.IssuedCertificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "alice"},
		Issuer: pkix.Name{CommonName: "CA"}, NotBefore: time.Now(), AuthorityKeyId: []byte{7},
		NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, w.key.Public(), w.key)
	require.NoError(w.t, err)
	return connector.IssuedCertificate{Serial: connector.SerialOf(big.NewInt(serial)), DER: der}
}

func (w *world) card(session string) *tokendb.Card {
	w.t.Helper()
	c, err := w.db.Look(w.t.Context(), tokendb.Session{ID: session}, cuid)
	require.NoError(w.t, err)
	require.NoError(w.t, c.Admit(w.t.Context(), tokendb.Admission{
		Op: token.OpEnrollment, To: token.Active,
	}))
	return c
}

func (w *world) request() routing.Request {
	spki, err := x509.MarshalPKIXPublicKey(w.key.Public())
	require.NoError(w.t, err)
	return routing.Request{
		CA: "ca1", KeyType: "signing", Type: "userKey", UserID: "alice", Container: 1,
		Enroll: &connector.EnrollRequest{ProfileID: "p", CUID: cuid, PublicKey: spki},
	}
}

// open names the kinds of open intents.
func (w *world) open() (out []string) {
	w.t.Helper()
	list, err := w.store.OpenIntents(w.t.Context(), cuid)
	require.NoError(w.t, err)
	for _, i := range list {
		out = append(out, string(i.Kind))
	}
	return out
}

func (w *world) certs() (out []string) {
	w.t.Helper()
	page, err := w.store.Certificates(w.t.Context(), store.CertQuery{CUID: cuid})
	require.NoError(w.t, err)
	for _, c := range page.Certificates {
		out = append(out, fmt.Sprintf("%s %s %s", c.Serial, c.Presence, c.Status))
	}
	return out
}

func TestIssuedCertificateIsOnRecord(t *testing.T) {
	w := newWorld(t)
	card := w.card("s")
	issued, err := w.router.Issue(t.Context(), card, w.request())
	require.NoError(t, err)
	assert.Equal(t, "2a", issued.Record.Serial)
	assert.Equal(t, []string{"issue_cert"}, w.open(), "noted, and recorded with the next change")
	require.NoError(t, card.Flush(t.Context()))
	assert.Equal(t, []string{"2a pending active"}, w.certs())
	assert.Empty(t, w.open())
	assert.Equal(t, []string{"s.1"}, w.ca.requests, "the request is the intent's")
}

func TestRefusedRequestIsClosedAndOneWithoutAnswerStays(t *testing.T) {
	for err, open := range map[error][]string{
		connector.CAErrorf(connector.CARefused, "no"): nil,
		connector.ErrUnauthorized:                     nil,
		connector.ErrUnavailable:                      {"issue_cert"},
		connector.ErrCAInternal:                       {"issue_cert"},
		context.DeadlineExceeded:                      {"issue_cert"},
	} {
		w := newWorld(t)
		w.ca.answer = err
		_, got := w.router.Issue(t.Context(), w.card("s"), w.request())
		require.ErrorIs(t, got, err)
		assert.Equal(t, open, w.open(), err)
		assert.Empty(t, w.certs())
	}
}

func TestSettleAsksAgainAndRevokes(t *testing.T) {
	w := newWorld(t)
	w.ca.answer = connector.ErrUnavailable
	_, err := w.router.Issue(t.Context(), w.card("died"), w.request())
	require.Error(t, err)
	require.Error(t, w.router.Settle(t.Context(), w.card("too early")))
	assert.Equal(t, []string{"issue_cert"}, w.open())

	w.ca.answer = nil
	busy := true
	reconcile := func() {
		t.Helper()
		require.NoError(t, w.router.Reconcile(t.Context(), w.db, w.store, "later",
			func(c keys.CUID) bool { return busy && c == cuid }))
	}
	reconcile()
	assert.Equal(t, []string{"issue_cert"}, w.open(), "left to the session at work")
	busy = false
	reconcile()
	assert.Empty(t, w.open())
	assert.Equal(t, []string{"2a gone revoked"}, w.certs())
	assert.Equal(t, []string{"died.1", "died.1", "died.1"}, w.ca.requests, "always the same request")
	require.Len(t, w.ca.revoked, 1)
	assert.Equal(t, connector.ReasonCessationOfOperation, w.ca.revoked[0].Reason)
}

// A CA that certifies another key than it was asked to has that certificate revoked.
func TestCertificateForAnotherKeyIsRevoked(t *testing.T) {
	w := newWorld(t)
	req := w.request()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	req.Enroll.PublicKey, err = x509.MarshalPKIXPublicKey(other.Public())
	require.NoError(t, err)
	card := w.card("s")
	_, err = w.router.Issue(t.Context(), card, req)
	require.ErrorIs(t, err, routing.ErrCertificate)
	assert.Len(t, card.Certificates(), 1)
	require.NoError(t, w.router.Settle(t.Context(), card))
	assert.Equal(t, []string{"2a gone revoked"}, w.certs())
}

func TestArchivedKeyIsLookedFor(t *testing.T) {
	for found, open := range map[error][]string{
		nil: nil, connector.ErrKeyNotFound: nil, connector.ErrUnavailable: {"archive_key"},
	} {
		w := newWorld(t)
		w.kra.answer, w.kra.found = connector.ErrUnavailable, found
		_, err := w.router.MakeKey(t.Context(), w.card("died"), "kra1", "encryption",
			connector.KeyPairRequest{Type: connector.KeyRSA, Bits: 2048, Archive: true})
		require.ErrorIs(t, err, connector.ErrUnavailable)
		require.Equal(t, []string{"archive_key"}, w.open())
		err = w.router.Settle(t.Context(), w.card("next"))
		assert.Equal(t, open == nil, err == nil, "%v", err)
		assert.Equal(t, open, w.open())
		assert.Equal(t, []string{"died.1", "died.1"}, w.kra.requests)
	}
}

func TestKeyThatIsNotTheOneAskedFor(t *testing.T) {
	w := newWorld(t)
	_, err := w.router.MakeKey(t.Context(), w.card("s"), "kra1", "encryption",
		connector.KeyPairRequest{Type: connector.KeyRSA, Bits: 2048})
	require.ErrorIs(t, err, routing.ErrKey)
}

func TestRevocationByTheCAThatSigned(t *testing.T) {
	ca1, ca0 := &fakeCA{name: "ca1"}, &fakeCA{name: "ca0"}
	r := &routing.Router{
		CAs: map[string]connector.CA{"ca1": ca1, "ca0": ca0}, Revokers: []string{"ca2", "ca0"},
	}
	for _, c := range []struct {
		known         map[string]string
		authority, id string
		want          *fakeCA
	}{
		{nil, "aa", "ca1", ca1}, // nobody knows better
		{map[string]string{"ca1": "aa"}, "aa", "ca1", ca1},
		{map[string]string{"ca1": "bb", "ca0": "aa"}, "aa", "ca1", ca0},
		{map[string]string{"ca1": "bb", "ca0": "aa"}, "aa", "gone", ca0},
		{map[string]string{"ca1": "bb"}, "aa", "ca1", nil},
		{map[string]string{"ca1": "bb"}, "", "ca1", ca1},
		{nil, "", "gone", nil},
	} {
		r.Authorities = c.known
		got, err := r.Signer(c.authority, c.id)
		if c.want == nil {
			require.ErrorIs(t, err, routing.ErrNoAuthority)
			continue
		}
		require.NoError(t, err)
		assert.Same(t, c.want, got)
	}
}

func TestAnswersToARevocation(t *testing.T) {
	for answer, want := range map[error]struct {
		open  []string
		certs string
	}{
		nil:                           {nil, "2a gone revoked"},
		connector.ErrCAAlreadyRevoked: {nil, "2a gone revoked"},
		connector.ErrCANotFound:       {nil, "2a gone active"},
		connector.ErrUnavailable:      {[]string{"revoke_cert"}, "2a gone active"},
		errors.New("who knows"):       {[]string{"revoke_cert"}, "2a gone active"},
	} {
		w := newWorld(t)
		card := w.card("s")
		_, err := w.router.Issue(t.Context(), card, w.request())
		require.NoError(t, err)
		w.ca.answer = answer
		err = w.router.Settle(t.Context(), card)
		assert.Equal(t, want.open == nil, err == nil, "%v", answer)
		assert.Equal(t, want.open, w.open(), "%v", answer)
		assert.Equal(t, []string{want.certs}, w.certs(), "%v", answer)
	}
}

func TestUnknownConnections(t *testing.T) {
	w := newWorld(t)
	req := w.request()
	req.CA = "ca9"
	_, err := w.router.Issue(t.Context(), w.card("s"), req)
	require.ErrorIs(t, err, routing.ErrNoConnection)
	_, err = w.router.MakeKey(t.Context(), w.card("s"), "kra9", "", connector.KeyPairRequest{})
	require.ErrorIs(t, err, routing.ErrNoConnection)
	assert.Empty(t, w.open(), "nothing was asked")
}
