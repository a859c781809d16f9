// Package compare holds the token database against what CAs and KRAs say, and mends what
// differs where it is asked to.
//
// It owns what counts as a difference, and which side is right. It must not know how
// records are kept, how authorities list what they have, or who is shown the result.
//
// # Who is right
//
// A CA knows best what became of a certificate, with one exception: what is recorded as
// revoked was revoked because somebody had to be kept from using it, so that a CA that
// calls it good (restored from a copy, say) is asked to revoke it again. The same goes for
// a hold, while the token is suspended. A certificate that is good at a CA without a record
// is revoked if it was issued for a token of this database, or on a request of it.
// An archived key stays where it is.
//
// # What is under way
//
// Sessions of a running server are in the midst of such differences all the time. What is
// younger than a moment that the caller names is left to them.
package compare

import (
	"context"
	"errors"
	"time"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/tps/tokendb"
)

// Kind says what differs.
type Kind string

// The kinds.
const (
	// OpenIntent: a step at a CA, a KRA or the card was announced, and its end is not
	// recorded.
	OpenIntent Kind = "open_intent"
	// Unsettled: it is not settled whether a certificate came to be used, or was replaced.
	Unsettled Kind = "unsettled"
	// UnknownCA: no connection leads to the CA of a certificate.
	UnknownCA Kind = "unknown_ca"
	// NoCertificate: the CA does not know the certificate of a record.
	NoCertificate Kind = "no_certificate"
	// Status: record and CA disagree about where a certificate stands.
	Status Kind = "status"
	// NoToken: the record of a certificate is that of a token which has none.
	NoToken Kind = "no_token"
	// NoRecord: a certificate is good or on hold at a CA, and no token has a record of it.
	NoRecord Kind = "no_record"
	// NotArchived: the key of a certificate is not archived though it should be.
	NotArchived Kind = "not_archived"
	// OtherKey: the key of a certificate is archived under another number than the record
	// says, or without the record saying so.
	OtherKey Kind = "other_key"
	// KeyAlone: a key is archived for which there is no certificate.
	KeyAlone Kind = "key_alone"
)

// Difference is one that was found.
type Difference struct {
	Kind   Kind   `json:"kind"`
	CUID   string `json:"cuid,omitempty"`
	UserID string `json:"user,omitempty"`
	// Serial is the certificate's serial number in hex, Authority the connector that leads
	// to the CA or KRA, KeyID the number of an archived key.
	Serial    string `json:"serial,omitempty"`
	Authority string `json:"authority,omitempty"`
	KeyID     string `json:"key,omitempty"`
	// Record is what the token database says, Found what the authority says.
	Record string `json:"record,omitempty"`
	Found  string `json:"found,omitempty"`
	// Remedy says what mends it, by itself or by hand. Mendable is whether this package
	// can; Mended that it has, and Problem why not.
	Remedy   string `json:"remedy"`
	Mendable bool   `json:"mendable"`
	Mended   bool   `json:"mended"`
	Problem  string `json:"problem,omitempty"`
}

// Summary counts what was looked at and found.
type Summary struct {
	Records      int `json:"records"`      // of certificates
	Certificates int `json:"certificates"` // good or on hold at CAs
	Keys         int `json:"keys"`         // in KRAs
	Differences  int `json:"differences"`
	Mended       int `json:"mended"`
	// Unlisted are the connectors whose CA or KRA can only be asked about what is on
	// record: what it has beyond that is not known.
	Unlisted []string `json:"unlisted,omitempty"`
	// Unreachable are the connectors whose CA or KRA did not answer.
	Unreachable []string `json:"unreachable,omitempty"`
}

// Left tells how many differences are not mended.
func (s Summary) Left() int { return s.Differences - s.Mended }

// ErrIncomplete means that an authority could not be asked: there may be more differences
// than were found.
var ErrIncomplete = errors.New("not all could be compared")

// Issued is a certificate as its CA lists it.
type Issued struct {
	Issuer  string // RFC 4514
	Serial  string // lower-case hex
	Subject string
	CUID    keys.CUID // zero for none
	UserID  string
	Request string // the id of the request it was issued for
	State   connector.CertificateState
	Created time.Time
}

// CertificateList is a CA that tells what it has issued. Neither method may hold more than
// a page in memory.
type CertificateList interface {
	// Good gives f each certificate that is good or on hold and has not expired, until f
	// gives an error, which is given back.
	Good(ctx context.Context, f func(Issued) error) error
	// Certifies tells whether the CA has ever issued a certificate of a public key
	// (SubjectPublicKeyInfo) for a token.
	Certifies(ctx context.Context, cuid keys.CUID, spki []byte) (bool, error)
}

// Archived is a key as its KRA lists it.
type Archived struct {
	connector.KeyInfo
	Created time.Time
}

// KeyList is a KRA that tells what it has archived.
type KeyList interface {
	// Keys gives f each key, until f gives an error, which is given back. It may not hold
	// more than a page in memory.
	Keys(ctx context.Context, f func(Archived) error) error
}

// Records is what is needed of a home of records.
type Records interface {
	tokendb.Store
	store.IntentLister
}

// Comparer compares. Its fields are set once, before Run.
type Comparer struct {
	Records Records
	Tokens  *tokendb.DB
	Router  *routing.Router
	// CAs and KRAs are those that can be listed, by connector id.
	CAs  map[string]CertificateList
	KRAs map[string]KeyList
	// Archives tells whether keys of a token type are to be archived, and by which KRA.
	Archives func(tokenType, keyType string) (kra string, archived bool)
	// Session is an id that was never used before, Actor who wants the comparison.
	Session, Actor string
	// Before: what is younger is left to sessions that may be under way.
	Before time.Time
	// Repair mends what can be mended.
	Repair bool
	// Report gets each difference as it is found; an error ends the comparison.
	Report func(Difference) error

	sum  Summary
	down map[string]bool
}

// Run compares everything once. The error is ErrIncomplete when an authority did not
// answer; the summary tells which.
func (c *Comparer) Run(ctx context.Context) (Summary, error) {
	c.sum, c.down = Summary{}, map[string]bool{}
	for _, step := range []func(context.Context) error{
		c.intents, c.unsettled, c.records, c.issued, c.archived,
	} {
		if err := step(ctx); err != nil {
			return c.sum, err
		}
	}
	if len(c.sum.Unreachable) > 0 {
		return c.sum, ErrIncomplete
	}
	return c.sum, nil
}

// found reports a difference after having mended it, if that is wanted and possible.
func (c *Comparer) found(d Difference, mend func() error) error {
	c.sum.Differences++
	d.Mendable = mend != nil
	if c.Repair && mend != nil {
		if err := mend(); err != nil {
			d.Problem = token.CleanMessage(err.Error())
		} else {
			d.Mended = true
			c.sum.Mended++
		}
	}
	return c.Report(d)
}

// unreachable notes that an authority does not answer, so that it is not asked again for
// every record. It reports whether err means that.
func (c *Comparer) unreachable(id string, err error) bool {
	if err == nil || errors.Is(err, connector.ErrCANotFound) || errors.Is(err, connector.ErrKeyNotFound) {
		return false
	}
	if !c.down[id] {
		c.down[id] = true
		c.sum.Unreachable = append(c.sum.Unreachable, id)
	}
	return true
}

// look looks up a token.
func (c *Comparer) look(ctx context.Context, cuid keys.CUID) (*tokendb.Card, error) {
	return c.Tokens.Look(ctx, tokendb.Session{ID: c.Session, Actor: c.Actor}, cuid)
}

// settle finishes or undoes what sessions left open at authorities for one token.
func (c *Comparer) settle(ctx context.Context, cuid keys.CUID) (*tokendb.Card, error) {
	card, err := c.look(ctx, cuid)
	if err != nil {
		return nil, err
	}
	if !card.Known() {
		return nil, errors.New("the token has no record")
	}
	return card, c.Router.Settle(ctx, card)
}
