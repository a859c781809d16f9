package holder

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"tokenwright/simcard"
	"tokenwright/simcard/coolkey"
	"tokenwright/simcard/stock"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/perso"
)

var loopback = []net.IP{net.IPv4(127, 0, 0, 1)}

// Kind is the kind of card and the build of its applet, as those that belong together.
type Kind struct {
	Stock  string
	Applet coolkey.Version
}

// Usual is what holders carry when nobody says otherwise.
var Usual = Kind{"gp211-scp02", coolkey.Version{Major: 1, Minor: 4, Build: 0x58768072}}

// Kinds are the kinds of card by stock.
var Kinds = map[string]Kind{
	Usual.Stock:   Usual,
	"gp211-scp01": {"gp211-scp01", Usual.Applet},
	"sce7-scp03":  {"sce7-scp03", coolkey.Version{Major: 1, Minor: 5, Build: 0x65CBF5A6}},
}

// heapSize is room for a few certificates, in bytes.
const heapSize = 0x3000

// Person is whose card it is.
type Person struct{ Name, UID, Mail string }

// Use is what a key pair is for.
type Use string

// Uses.
const (
	Signing    Use = "signing"
	Encryption Use = "encryption"
	Agreement  Use = "agreement"
)

// Algorithm is the kind of a key.
type Algorithm string

// bits gives the length of a key.
func (a Algorithm) bits() (int, error) {
	if c := a.Curve(); c != nil {
		return c.Params().BitSize, nil
	}
	if n, ok := map[Algorithm]int{"RSA 1024": 1024, "RSA 2048": 2048}[a]; ok {
		return n, nil
	}
	return 0, fmt.Errorf("unknown kind of key %q", a)
}

// Curve is the curve of the algorithm, nil for RSA.
func (a Algorithm) Curve() elliptic.Curve {
	return map[Algorithm]elliptic.Curve{
		"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521(),
	}[a]
}

// Plan says what a card is to hold. Pairs fill the containers from 0.
type Plan struct {
	Person Person
	PIN    string
	Tries  byte // wrong PINs until it is blocked
	Pairs  []PairPlan
	// Content says in which form the card tells of its keys.
	Content perso.ContentOptions
}

// PairPlan is a key pair with its certificate.
type PairPlan struct {
	Use       Use
	Algorithm Algorithm
}

// Holding is what is on a holder's card.
type Holding struct {
	Plan      Plan
	TokenName string
	CUID      keys.CUID
	Pairs     []Pair
}

// Pair is a key pair on a card.
type Pair struct {
	PairPlan
	Container   int
	ID          []byte // CKA_ID of certificate and keys
	Label       string
	Slots       lang.SlotPair
	Certificate *x509.Certificate
}

// ErrNoPair means that the card holds no key pair for the use that was asked for.
var ErrNoPair = errors.New("the card holds no key pair for this use")

// For gives the first key pair for a use.
func (h *Holding) For(u Use) (Pair, error) {
	for _, p := range h.Pairs {
		if p.Use == u {
			return p, nil
		}
	}
	return Pair{}, fmt.Errorf("%s: %w", u, ErrNoPair)
}

// Option makes a card that Fill can work on.
func (k Kind) Option() simcard.Option {
	return simcard.WithApplet(k.Applet, lang.InstallParams{Memory: heapSize}.Bytes())
}

// Fill puts what the plan says on a card that was made with Kind.Option and is in no reader.
func Fill(ctx context.Context, card *simcard.Card, st stock.Stock, plan Plan) (_ *Holding, err error) {
	if err := card.PowerOn(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, card.PowerOff()) }()
	w, err := open(ctx, card, st)
	if err != nil {
		return nil, err
	}
	h := &Holding{Plan: plan, TokenName: plan.Person.Name, CUID: card.CUID()}
	if err := perso.SetPIN(ctx, w.ch, perso.PINOptions{
		PIN: lang.PIN(plan.PIN), Tries: plan.Tries,
	}); err != nil {
		return nil, err
	}
	c := content.Content{CUID: h.CUID, Version: 1, TokenName: h.TokenName}
	for i, pp := range plan.Pairs {
		pair, entries, err := w.pair(ctx, i, pp, plan.Person)
		if err != nil {
			return nil, fmt.Errorf("%s key %d: %w", pp.Algorithm, i, err)
		}
		if plan.Content.Separate {
			pair.ID = pair.Certificate.SubjectKeyId
		}
		h.Pairs = append(h.Pairs, pair)
		c.Certificates = append(c.Certificates,
			content.NewCertificate(i, pair.Label, pair.Certificate.Raw))
		c.Keys = append(c.Keys, entries...)
	}
	if err := w.write(ctx, c, plan.Content); err != nil {
		return nil, err
	}
	return h, nil
}

// pair makes a key pair on the card and a certificate for it.
func (w *writer) pair(ctx context.Context, container int, pp PairPlan, who Person) (
	p Pair, entries []content.Key, err error,
) {
	p = Pair{
		PairPlan: pp, Container: container, ID: []byte{byte(container)}, Slots: content.PairSlots(container),
	}
	p.Label = fmt.Sprintf("%s key of %s", pp.Use, who.Name)
	var public crypto.PublicKey
	if pp.Use == Encryption {
		public, err = w.bring(ctx, p.Slots, pp.Algorithm)
	} else {
		public, err = w.generate(ctx, p.Slots, pp.Algorithm)
	}
	if err != nil {
		return p, nil, err
	}
	ca, err := TheAuthority()
	if err != nil {
		return p, nil, err
	}
	usage, onPublic, onPrivate := x509.KeyUsageDigitalSignature, content.SigningPublic, content.SigningPrivate
	switch pp.Use {
	case Encryption:
		usage = x509.KeyUsageKeyEncipherment
		onPublic, onPrivate = content.EncryptionPublic, content.EncryptionPrivate
	case Agreement:
		usage = x509.KeyUsageKeyAgreement
		onPublic, onPrivate = content.EncryptionPublic, content.AgreementPrivate
	}
	if p.Certificate, err = ca.user(who, usage, public); err != nil {
		return p, nil, err
	}
	entries, err = content.NewPair(container, p.Slots, public, onPublic, onPrivate)
	return p, entries, err
}
