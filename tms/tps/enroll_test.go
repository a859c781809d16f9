package tps_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/perso"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

// enrollConfig is what tests of enrollment add to the lab's configuration for a stock.
func enrollConfig(keySet string, lines ...string) []string {
	const typ = "op.enroll.userKey."
	out := []string{
		"op.format.userKey.tks.keySet=" + keySet, "op.pinReset.userKey.tks.keySet=" + keySet,
		"op.enroll.userKeyTemporary.tks.keySet=" + keySet, "op.enroll.tokenKey.tks.keySet=" + keySet,
		typ + "tks.keySet=" + keySet,
		typ + "issuerinfo.value=" + issuerURL,
		typ + "update.symmetricKeys.enable=true", typ + "update.symmetricKeys.requiredVersion=2",
	}
	for _, t := range []string{"userKey", "userKeyTemporary", "tokenKey"} {
		for _, k := range []string{"auth", "signing", "encryption"} {
			if t != "userKeyTemporary" && k == "auth" || t == "tokenKey" && k != "signing" {
				continue
			}
			out = append(out, fmt.Sprintf("op.enroll.%s.keyGen.%s.keySize=1024", t, k))
		}
	}
	return append(out, lines...)
}

// serverSide has encryption keys made by the KRA.
var serverSide = []string{
	"op.enroll.userKey.keyGen.encryption.serverKeygen.enable=true",
	"op.enroll.userKeyTemporary.keyGen.encryption.serverKeygen.enable=true",
}

// enrollLab is a lab for a stock.
func enrollLab(t *testing.T, keySet string, lines ...string) *lab {
	t.Helper()
	return newLab(t, enrollConfig(keySet, lines...)...)
}

// enroll runs an enrollment by alice.
func (l *lab) enroll(card *simcard.Card) wire.EndOp { return l.enrollAs("alice", "userKey", card) }

func (l *lab) enrollAs(user, typ string, card *simcard.Card) wire.EndOp {
	l.t.Helper()
	return l.operate(wire.OpEnroll, user, typ, card)
}

func (l *lab) operate(op wire.Operation, user, typ string, card *simcard.Card) wire.EndOp {
	l.t.Helper()
	c := &client{
		user: user, password: "secret123", pin: "1234", tokenType: typ, progress: true,
		extended: true, card: inReader(card),
	}
	end, err := c.run(l.t.Context(), l.http.URL, op)
	require.NoError(l.t, err)
	return end
}

func (l *lab) mustEnroll(card *simcard.Card) {
	l.t.Helper()
	require.Equal(l.t, wire.EndOp{Operation: wire.OpEnroll}, l.enroll(card), "%s", l.log)
}

// certs describes the certificate records of a card, the oldest first.
func (l *lab) certs(cuid keys.CUID) []string {
	l.t.Helper()
	var out []string
	for _, c := range l.certRecords(cuid) {
		out = append(out, fmt.Sprintf("%s %s %s", c.KeyType, c.Presence, c.Status))
	}
	return out
}

func (l *lab) certRecords(cuid keys.CUID) []token.Certificate {
	l.t.Helper()
	page, err := l.store.Certificates(l.t.Context(), store.CertQuery{CUID: cuid})
	require.NoError(l.t, err)
	return page.Certificates
}

// contentOf reads what a card tells readers.
func contentOf(t *testing.T, card *simcard.Card) content.Content {
	t.Helper()
	sim := perso.TransmitterFunc(card.Transmit)
	aid, err := gp.ParseAID("627601FF000000")
	require.NoError(t, err)
	require.NoError(t, perso.SelectApplet(t.Context(), sim, aid))
	c, form, err := perso.ReadContent(t.Context(), perso.User{Card: sim})
	require.NoError(t, err)
	require.Equal(t, perso.CombinedContent, form)
	return c
}

// checkInvariants holds all three promises against CA, KRA, records and card: no
// certificate is valid without a record, no encryption certificate without its key in
// the archive (where keys are archived at all), and no record says of the card what
// is not so.
func (l *lab) checkInvariants(cards ...*simcard.Card) {
	l.t.Helper()
	recorded := map[string]bool{}
	for _, card := range cards {
		for _, c := range l.certRecords(card.CUID()) {
			recorded[c.Serial] = true
			assert.NotContains(l.t, []token.Presence{token.Pending, token.Replaced}, c.Presence)
			if c.KRA != "" {
				assert.True(l.t, l.kra.holds(l.parsed(c.Serial)), "key of %s is archived", c.Serial)
			}
		}
		assert.Empty(l.t, l.openIntents(card.CUID()))
		if l.record(card.CUID()).Status == token.Active {
			l.checkHeld(card)
		}
	}
	for serial := range l.ca.valid() {
		assert.True(l.t, recorded[serial], "valid certificate %s has no record", serial)
	}
}

// checkHeld compares what records say that a card holds with what it does.
func (l *lab) checkHeld(card *simcard.Card) {
	l.t.Helper()
	var want []string
	for _, c := range l.certRecords(card.CUID()) {
		if c.Presence == token.Held {
			want = append(want, c.Serial)
		}
	}
	var got []string
	told := contentOf(l.t, card)
	for _, c := range told.Certificates {
		parsed, err := x509.ParseCertificate(c.DER)
		require.NoError(l.t, err)
		got = append(got, parsed.SerialNumber.Text(16))
		assert.True(l.t, slices.ContainsFunc(told.Keys, func(k content.Key) bool {
			return k.Fixed.ID() == c.Fixed.ID() && k.Fixed.Class() == content.ClassPrivateKey
		}), "certificate %s has a key", parsed.SerialNumber.Text(16))
	}
	slices.Sort(want)
	slices.Sort(got)
	assert.Equal(l.t, want, got)
}

// allCerts gives the certificate records of all cards.
func (l *lab) allCerts() []token.Certificate {
	l.t.Helper()
	page, err := l.store.Certificates(l.t.Context(), store.CertQuery{Limit: store.MaxLimit})
	require.NoError(l.t, err)
	return page.Certificates
}

func (l *lab) parsed(serial string) *x509.Certificate {
	l.t.Helper()
	l.ca.mu.Lock()
	defer l.ca.mu.Unlock()
	for s, c := range l.ca.issued {
		if string(s) == serial {
			parsed, err := x509.ParseCertificate(c.DER)
			require.NoError(l.t, err)
			return parsed
		}
	}
	require.Fail(l.t, "no such certificate", serial)
	return nil
}

// verifyPIN tells whether a card takes a PIN.
func verifyPIN(t *testing.T, card *simcard.Card, pin string) bool {
	t.Helper()
	sel, err := gp.Select{AID: gp.AID{0x62, 0x76, 1, 0xFF, 0, 0, 0}, Ne: 256}.Command().Bytes()
	require.NoError(t, err)
	_, err = card.Transmit(t.Context(), sel)
	require.NoError(t, err)
	cmd, err := coolkey.VerifyPIN{PIN: coolkey.PIN(pin)}.Command().Bytes()
	require.NoError(t, err)
	resp, err := card.Transmit(t.Context(), cmd)
	require.NoError(t, err)
	return bytes.HasSuffix(resp, []byte{0x90, 0})
}

func TestEnrollBlankCard(t *testing.T) {
	for _, s := range stocks {
		for _, lines := range [][]string{nil, serverSide} {
			t.Run(fmt.Sprintf("%s, server side %t", s.name, lines != nil), func(t *testing.T) {
				l := enrollLab(t, s.keySet, lines...)
				card := newCard(t, s.name)
				l.mustEnroll(card)
				rec := l.record(card.CUID())
				assert.Equal(t, token.Active, rec.Status)
				assert.Equal(t, "alice", rec.UserID)
				assert.Equal(t, "userKey", rec.Type)
				assert.Equal(t, s.changed, rec.KeyInfo)
				assert.Equal(t, s.applet, rec.AppletID)
				assert.Equal(t, []string{"signing held active", "encryption held active"},
					l.certs(card.CUID()))
				assert.Equal(t, []string{
					"add success", "key_changeover success", "format success", "enrollment success",
				}, l.history(card.CUID()))
				assert.Equal(t, issuerURL, issuerOn(t, card))
				l.checkInvariants(card)
				told := contentOf(t, card)
				assert.Equal(t, "alice", told.TokenName)
				assert.Equal(t, "signing key for alice", told.Certificates[0].Label)
				assert.Equal(t, card.CUID(), told.CUID)
				assert.True(t, verifyPIN(t, card, "1234"))
				assert.NotContains(t, l.log.String(), "1234567890ABCDEF")
			})
		}
	}
}

func TestEnrollOnACurve(t *testing.T) {
	l := enrollLab(t, "aesKeySet",
		"op.enroll.userKey.keyGen.signing.alg=5", "op.enroll.userKey.keyGen.signing.keySize=256",
		"op.enroll.userKey.keyGen.encryption.alg=5", "op.enroll.userKey.keyGen.encryption.keySize=384")
	card := newCard(t, "sce7-scp03")
	l.mustEnroll(card)
	l.checkInvariants(card)
	told := contentOf(t, card)
	for _, k := range told.Keys {
		assert.Equal(t, content.EC, k.Type)
		if k.Slot == 4 {
			assert.True(t, k.Fixed.Has(content.Derive))
			assert.False(t, k.Fixed.Has(content.Decrypt))
		}
	}
}

func TestEnrollAgainSupersedes(t *testing.T) {
	l := enrollLab(t, "defKeySet", serverSide...)
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	before := contentOf(t, card)
	old := l.certRecords(card.CUID())
	l.mustEnroll(card)
	assert.Equal(t, []string{
		"signing gone revoked", "encryption gone revoked", "signing held active",
		"encryption held active",
	}, l.certs(card.CUID()))
	for _, c := range old {
		assert.Equal(t, "revoked 4", l.ca.state(c.Serial))
	}
	after := contentOf(t, card)
	assert.NotEqual(t, before.Version, after.Version)
	l.checkInvariants(card)
}

func TestEnrollRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		set   func(l *lab, card *simcard.Card)
		user  string
		want  wire.Status
	}{
		"unknown token": {
			lines: []string{"op.enroll.allowUnknownToken=false"}, want: wire.StatusUnknownToken,
		},
		"no login": {
			lines: []string{"op.enroll.userKey.auth.enable=false"}, want: wire.StatusLogin,
		},
		"disabled": {
			lines: []string{"config.Profiles.userKey.state=Disabled"}, want: wire.StatusDisabledToken,
		},
		"terminated": {
			set:  func(l *lab, card *simcard.Card) { l.setState(card, token.Terminated) },
			want: wire.StatusTokenTerminated,
		},
		"lost": {
			set:  func(l *lab, card *simcard.Card) { l.setState(card, token.PermLost) },
			want: wire.StatusUnusableKeyCompromise,
		},
		"damaged": {
			set:  func(l *lab, card *simcard.Card) { l.setState(card, token.Damaged) },
			want: wire.StatusDisabledToken,
		},
		"not again": {
			set: func(l *lab, card *simcard.Card) {
				l.mustEnroll(card)
				l.setPolicy(card, "RE_ENROLL=NO")
			},
			want: wire.StatusDisabledToken,
		},
		"another's": {
			set:  func(l *lab, card *simcard.Card) { l.mustEnroll(card) },
			user: "bob", want: wire.StatusNotTokenOwner,
		},
		"another is active": {
			set: func(l *lab, _ *simcard.Card) {
				l.mustEnroll(newCard(l.t, "gp211-scp02", simcard.WithSeed(8)))
			},
			want: wire.StatusHasActiveToken,
		},
		"CA refuses": {
			lines: []string{"op.enroll.userKey.keyGen.signing.ca.profileId=refused"},
			want:  wire.StatusCAResponse,
		},
		"no KRA": {
			lines: append(slices.Clone(serverSide),
				"op.enroll.userKey.keyGen.encryption.serverKeygen.drm.conn=kra9"),
			want: wire.StatusMACEnrollPDU,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := enrollLab(t, "defKeySet", c.lines...)
			card := newCard(t, "gp211-scp02")
			l.mustFormatUnlessUnknown(card, name)
			if c.set != nil {
				c.set(l, card)
			}
			user := c.user
			if user == "" {
				user = "alice"
			}
			end := l.enrollAs(user, "userKey", card)
			assert.Equal(t, c.want, end.Status, "%s", l.log)
			assert.Equal(t, wire.ResultBad, end.Result)
		})
	}
}

func (l *lab) mustFormatUnlessUnknown(card *simcard.Card, name string) {
	if name != "unknown token" && name != "disabled" {
		l.mustFormat(card)
	}
}

// setState moves a token to a state, as an agent would.
func (l *lab) setState(card *simcard.Card, s token.State) {
	l.t.Helper()
	l.edit(card, func(r *token.Record) { *r = r.InState(s) })
}

func (l *lab) setPolicy(card *simcard.Card, text string) {
	l.t.Helper()
	p, err := token.ParsePolicy(text)
	require.NoError(l.t, err)
	l.edit(card, func(r *token.Record) { r.Policy = p.Over(r.Policy) })
}

func (l *lab) edit(card *simcard.Card, f func(*token.Record)) {
	l.t.Helper()
	old := l.record(card.CUID())
	next := old
	f(&next)
	_, err := l.store.Apply(context.Background(), store.Change{
		CUID: card.CUID(), Old: &old, New: &next, Actor: "agent", Why: "test", At: old.Modified,
	})
	require.NoError(l.t, err)
}

func TestEnrollDevice(t *testing.T) {
	l := enrollLab(t, "defKeySet", "op.enroll.tokenKey.auth.enable=false")
	card := newCard(t, "gp211-scp02")
	end := l.enrollAs("", "tokenKey", card)
	require.Equal(t, wire.EndOp{Operation: wire.OpEnroll}, end, "%s", l.log)
	rec := l.record(card.CUID())
	assert.Equal(t, token.Active, rec.Status)
	assert.Empty(t, rec.UserID)
	assert.Equal(t, []string{"signing held active"}, l.certs(card.CUID()))
	assert.Equal(t, card.CUID().String(), contentOf(t, card).TokenName)
	l.checkInvariants(card)
}

func TestEnrollTellsTheCA(t *testing.T) {
	l := enrollLab(t, "defKeySet")
	card := newCard(t, "gp211-scp02")
	l.mustEnroll(card)
	for _, c := range l.ca.issued {
		assert.True(t, strings.HasPrefix(c.profile, "caTokenUser"), c.profile)
		assert.Equal(t, "alice", c.req.UserID)
		assert.Equal(t, card.CUID(), c.req.CUID)
		assert.Equal(t, "userKey", c.req.TokenType)
		assert.Equal(t, map[string]string{"mail": "alice@example.com", "cn": "Dr. alice"},
			c.req.Attributes)
	}
}
