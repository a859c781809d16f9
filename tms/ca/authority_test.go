package ca_test

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/lint"
	"tokenwright/tms/connector"
)

// Every profile, key and kind of CA gives certificates that lint has nothing against, with the
// chain that crypto/x509 accepts.
func TestEveryProfileIssues(t *testing.T) {
	kinds := []string{"p256", "p384", "rsa2048"}
	if !testing.Short() {
		kinds = append(kinds, "rsa3072")
	}
	for _, kind := range kinds {
		l := newLab(t, kind, allProfiles(t))
		require.NoError(t, lint.Certificate(l.opts.Certificate.Raw))
		require.NoError(t, lint.Certificate(l.root.Chain()[0].Raw))
		require.NoError(t, ca.CheckChain(l.opts.Key.Public(), l.ca.Chain()))
		roots, above := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(l.root.Chain()[0])
		above.AddCert(l.opts.Certificate)
		issued := 0
		for id, p := range l.opts.Profiles {
			if p.Renewal {
				continue
			}
			for _, subject := range []string{"rsa", "ec"} {
				cert := l.enroll(id, subject)
				require.NoError(t, lint.Certificate(cert.Raw), id)
				_, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: above,
					CurrentTime: l.clock.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
				require.NoError(t, err, id)
				assert.LessOrEqual(t, cert.SerialNumber.BitLen(), 128)
				assert.Greater(t, cert.SerialNumber.BitLen(), 64)
				issued++
			}
		}
		assert.Greater(t, issued, 18)
		responder := l.ca.Responder().SignerCert()
		require.NoError(t, lint.Certificate(responder.Raw))
		assert.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, responder.ExtKeyUsage)
	}
}

func TestAskingAgainGivesTheSame(t *testing.T) {
	l := newLab(t, "p256", nil)
	r := request(t, signing, "ec")
	r.RequestID = "4090:1"
	first, err := l.ca.Enroll(t.Context(), r)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			again, err := l.ca.Enroll(context.Background(), r)
			assert.NoError(t, err)
			assert.Equal(t, first, again)
		})
	}
	wg.Wait()
	other := r
	other.UserID = "bob"
	_, err = l.ca.Enroll(t.Context(), other)
	require.ErrorIs(t, err, connector.ErrCAConflict)
	_, err = l.ca.Renew(t.Context(), connector.RenewRequest{RequestID: r.RequestID, Serial: first.Serial,
		ProfileID: "caTokenUserSigningKeyRenewal"})
	require.ErrorIs(t, err, connector.ErrCAConflict)
	r.RequestID = ""
	next, err := l.ca.Enroll(t.Context(), r)
	require.NoError(t, err)
	assert.NotEqual(t, first.Serial, next.Serial, "without an id each request is a new one")
}

// Many callers ask for the same at once, before there is anything.
func TestOneCertificateForManyAtOnce(t *testing.T) {
	l := newLab(t, "p256", nil)
	r := request(t, signing, "ec")
	r.RequestID = "race"
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			out, err := l.ca.Enroll(context.Background(), r)
			assert.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			seen[string(out.DER)]++
		})
	}
	wg.Wait()
	assert.Len(t, seen, 1)
}

var errCut = errors.New("cut")

// The CA dies at each point of an enrollment: who asks again gets one certificate, and there is one.
func TestDyingBetweenSteps(t *testing.T) {
	for _, point := range []string{ca.FailBeforeIntent, ca.FailAfterIntent, ca.FailAfterSign, ca.FailAfterRecord} {
		t.Run(point, func(t *testing.T) {
			l := newLab(t, "p256", nil)
			dying := l.again(func(o *ca.Options) {
				o.Failpoint = func(name string) error {
					if name == point {
						return errCut
					}
					return nil
				}
			})
			r := request(t, signing, "ec")
			r.RequestID = "once"
			_, err := dying.Enroll(t.Context(), r)
			require.ErrorIs(t, err, errCut)
			before, lookup := l.opts.DB.ByRequest(t.Context(), "once")
			out, err := l.again(nil).Enroll(t.Context(), r)
			require.NoError(t, err)
			if lookup == nil {
				assert.Equal(t, before.Serial, out.Serial, "what was begun is finished")
			}
			list, err := l.opts.DB.ByRequest(t.Context(), "once")
			require.NoError(t, err)
			assert.Equal(t, out.DER, list.DER)
			pending, err := l.opts.DB.Pending(t.Context())
			require.NoError(t, err)
			assert.Zero(t, pending)
			cert, err := x509.ParseCertificate(out.DER)
			require.NoError(t, err)
			require.NoError(t, cert.CheckSignatureFrom(l.opts.Certificate))
		})
	}
}

func TestStates(t *testing.T) {
	l := newLab(t, "p256", nil)
	ctx := connector.WithCaller(t.Context(), "tps1")
	serial := serialOf(l.enroll(signing, "ec"))
	state := func() connector.CertificateStatus {
		c, err := l.ca.Certificate(ctx, serial)
		require.NoError(t, err)
		return c
	}
	revoke := func(r connector.Reason) error {
		return l.ca.Revoke(ctx, connector.RevokeRequest{Serial: serial, Reason: r})
	}
	assert.Equal(t, connector.CertificateValid, state().State)
	require.NoError(t, l.ca.Release(ctx, serial), "nothing to release")
	require.NoError(t, revoke(connector.ReasonCertificateHold))
	held := state()
	assert.Equal(t, connector.CertificateOnHold, held.State)
	l.clock.add(time.Hour)
	require.NoError(t, revoke(connector.ReasonCertificateHold))
	assert.Equal(t, held, state(), "holding again changes nothing")
	require.NoError(t, l.ca.Release(ctx, serial))
	assert.Equal(t, connector.CertificateValid, state().State)
	assert.Zero(t, state().RevokedAt)
	require.NoError(t, revoke(connector.ReasonCertificateHold))
	require.NoError(t, revoke(connector.ReasonKeyCompromise))
	assert.Equal(t, connector.ReasonKeyCompromise, state().Reason)
	require.NoError(t, revoke(connector.ReasonKeyCompromise))
	require.ErrorIs(t, revoke(connector.ReasonSuperseded), connector.ErrCAAlreadyRevoked)
	require.ErrorIs(t, revoke(connector.ReasonCertificateHold), connector.ErrCAAlreadyRevoked)
	require.ErrorIs(t, l.ca.Release(ctx, serial), connector.ErrCANotOnHold)
	require.ErrorIs(t, revoke(7), connector.ErrCABadRequest)
	_, err := l.ca.Renew(ctx, connector.RenewRequest{Serial: serial, ProfileID: "caTokenUserSigningKeyRenewal"})
	require.ErrorIs(t, err, connector.ErrCARefused)
	_, err = l.ca.Certificate(ctx, "abc")
	require.ErrorIs(t, err, connector.ErrCANotFound)
	events, err := l.opts.DB.Events(ctx, serial)
	require.NoError(t, err)
	var ops []string
	for _, e := range events {
		ops = append(ops, e.Op)
	}
	assert.Equal(t, []string{"enroll", "hold", "release", "hold", "revoke"}, ops)
	assert.Equal(t, "tps1", events[1].Actor)
}

func TestRenewal(t *testing.T) {
	l := newLab(t, "p256", nil)
	old := l.enroll(encryption, "rsa")
	l.clock.add(100 * 24 * time.Hour)
	out, err := l.ca.Renew(t.Context(), connector.RenewRequest{Serial: serialOf(old), RequestID: "n1",
		ProfileID: "caTokenUserEncryptionKeyRenewal"})
	require.NoError(t, err)
	next, err := x509.ParseCertificate(out.DER)
	require.NoError(t, err)
	assert.Equal(t, old.RawSubject, next.RawSubject)
	assert.Equal(t, old.RawSubjectPublicKeyInfo, next.RawSubjectPublicKeyInfo)
	assert.Equal(t, old.KeyUsage, next.KeyUsage)
	assert.Equal(t, old.NotBefore.Add(100*24*time.Hour), next.NotBefore)
	require.NoError(t, lint.Certificate(next.Raw))
	rec, err := l.opts.DB.Certificate(t.Context(), out.Serial)
	require.NoError(t, err)
	assert.Equal(t, serialOf(old), rec.Renews)
	assert.Equal(t, "anna", rec.UserID)
	for profileID, want := range map[string]error{"caTokenUserSigningKeyRenewal": connector.ErrCARefused,
		signing: connector.ErrCARefused, "none": connector.ErrCANotFound} {
		_, err = l.ca.Renew(t.Context(), connector.RenewRequest{Serial: serialOf(old), ProfileID: profileID})
		require.ErrorIs(t, err, want, profileID)
	}
}

func TestRetiredCA(t *testing.T) {
	l := newLab(t, "p256", nil)
	r := request(t, signing, "ec")
	r.RequestID = "before"
	first, err := l.ca.Enroll(t.Context(), r)
	require.NoError(t, err)
	l.ca = l.again(func(o *ca.Options) { o.Retired = true })
	again, err := l.ca.Enroll(t.Context(), r)
	require.NoError(t, err, "what was issued is given again")
	assert.Equal(t, first, again)
	r.RequestID = "after"
	_, err = l.ca.Enroll(t.Context(), r)
	require.ErrorIs(t, err, connector.ErrCARefused)
	require.NoError(t, l.ca.Revoke(t.Context(), connector.RevokeRequest{Serial: first.Serial, Reason: 1}))
	list, err := l.ca.IssueCRL(t.Context(), false)
	require.NoError(t, err)
	assert.Equal(t, 1, list.Entries)
	l.clock.add(80 * 24 * time.Hour)
	require.NoError(t, l.ca.StartResponder(t.Context()), "its responder gets certificates")
	assert.True(t, l.ca.Responder().SignerCert().NotAfter.After(l.clock.now().Add(60*24*time.Hour)))
}

// Nothing outlives the CA's own certificate.
func TestCertificatesEndWithTheCA(t *testing.T) {
	l := newLab(t, "p256", nil)
	l.clock.add(9 * 365 * 24 * time.Hour)
	assert.Equal(t, l.opts.Certificate.NotAfter, l.enroll(signing, "ec").NotAfter)
	l.clock.add(2 * 365 * 24 * time.Hour)
	_, err := l.ca.Enroll(t.Context(), request(t, signing, "ec"))
	require.ErrorIs(t, err, connector.ErrCARefused)
}

func TestRequestsThatAreRefused(t *testing.T) {
	l := newLab(t, "p256", nil)
	for name, tt := range map[string]struct {
		change func(*connector.EnrollRequest)
		want   error
	}{
		"profile": {func(r *connector.EnrollRequest) { r.ProfileID = "other" }, connector.ErrCANotFound},
		"id":      {func(r *connector.EnrollRequest) { r.RequestID = "a b" }, connector.ErrCABadRequest},
		"key":     {func(r *connector.EnrollRequest) { r.PublicKey = []byte{0x30, 0} }, connector.ErrCARefused},
		"no key":  {func(r *connector.EnrollRequest) { r.PublicKey = nil }, connector.ErrCABadRequest},
		"user":    {func(r *connector.EnrollRequest) { r.UserID = "" }, connector.ErrCARefused},
		"control": {func(r *connector.EnrollRequest) { r.UserID = "a\nb" }, connector.ErrCABadRequest},
		"mail":    {func(r *connector.EnrollRequest) { r.Attributes["mail"] = "anna" }, connector.ErrCARefused},
		"name":    {func(r *connector.EnrollRequest) { r.Attributes["A B"] = "x" }, connector.ErrCABadRequest},
		"renewal": {func(r *connector.EnrollRequest) { r.ProfileID = "caTokenUserSigningKeyRenewal" }, connector.ErrCARefused},
	} {
		r := request(t, signing, "ec")
		tt.change(&r)
		_, err := l.ca.Enroll(t.Context(), r)
		assert.ErrorIs(t, err, tt.want, name)
	}
	pending, err := l.opts.DB.Pending(t.Context())
	require.NoError(t, err)
	assert.Zero(t, pending)
}

func TestWhatIsNoCA(t *testing.T) {
	l := newLab(t, "p256", nil)
	leaf := l.enroll("caServerCert", "ec")
	require.Error(t, ca.CheckCertificate(leaf, subjectKeys()["ec"].Public()))
	require.Error(t, ca.CheckCertificate(l.opts.Certificate, subjectKeys()["ec"].Public()))
	require.Error(t, ca.CheckChain(l.opts.Key.Public(), nil))
	require.Error(t, ca.CheckChain(l.opts.Key.Public(), []*x509.Certificate{l.opts.Certificate}))
	other := newLab(t, "p256", nil)
	require.Error(t, ca.CheckChain(l.opts.Key.Public(),
		[]*x509.Certificate{l.opts.Certificate, other.root.Chain()[0]}))
	o := l.opts
	o.URL = "ldap://x"
	_, err := ca.New(o)
	require.Error(t, err)
}
