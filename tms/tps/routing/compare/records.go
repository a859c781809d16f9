package compare

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/connector"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
)

// intents looks at the steps whose end is not recorded.
func (c *Comparer) intents(ctx context.Context) error {
	for q := (store.IntentQuery{Limit: store.MaxLimit}); ; {
		page, err := c.Records.Intents(ctx, q)
		if err != nil {
			return fmt.Errorf("listing open intents: %w", err)
		}
		for _, i := range page.Intents {
			if !i.At.Before(c.Before) {
				continue
			}
			if err := c.intent(ctx, i); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}

func (c *Comparer) intent(ctx context.Context, i token.Intent) error {
	d := Difference{
		Kind: OpenIntent, CUID: i.CUID.String(), Record: i.String(), Found: "not known to have ended",
		Remedy: "the next format or enrollment of the card puts it right",
	}
	if i.Kind.OnCard() {
		return c.found(d, nil)
	}
	d.Remedy = "finish or undo it at the authority, as the server does by itself"
	return c.found(d, func() error {
		card, err := c.settle(ctx, i.CUID)
		if card == nil {
			return err
		}
		for _, open := range card.OpenIntents() {
			if open.ID == i.ID {
				return errors.Join(errors.New("it is still open"), err)
			}
		}
		return nil // another step of the token may be left, which is reported for itself
	})
}

// unsettled looks at certificates of operations that ended without a word.
func (c *Comparer) unsettled(ctx context.Context) error {
	for _, presence := range []token.Presence{token.Pending, token.Replaced} {
		err := c.certificates(ctx, store.CertQuery{Presence: presence}, func(n token.Certificate) error {
			if !n.Modified.Before(c.Before) {
				return nil
			}
			return c.found(Difference{
				Kind: Unsettled, CUID: n.CUID.String(), UserID: n.UserID, Serial: n.Serial,
				Authority: n.CA, Record: string(n.Presence),
				Found:  "the operation has not finished",
				Remedy: "undo the operation: have the certificate revoked",
			}, func() error {
				_, err := c.settle(ctx, n.CUID)
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// certificates gives f each certificate record that q asks for, a page at a time.
func (c *Comparer) certificates(ctx context.Context, q store.CertQuery,
	f func(token.Certificate) error,
) error {
	for q.Limit = store.MaxLimit; ; {
		page, err := c.Records.Certificates(ctx, q)
		if err != nil {
			return fmt.Errorf("listing certificate records: %w", err)
		}
		for _, n := range page.Certificates {
			if err := f(n); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}

// records asks the CA, and the KRA, about every certificate on record.
func (c *Comparer) records(ctx context.Context) error {
	return c.certificates(ctx, store.CertQuery{}, func(n token.Certificate) error {
		c.sum.Records++
		if unsettledYet(n) {
			return nil // seen to before
		}
		return c.record(ctx, n)
	})
}

func unsettledYet(n token.Certificate) bool {
	return n.Presence == token.Pending || n.Presence == token.Replaced
}

func (c *Comparer) record(ctx context.Context, n token.Certificate) error {
	d := Difference{
		CUID: n.CUID.String(), UserID: n.UserID, Serial: n.Serial, Authority: n.CA,
		Record: string(n.Status),
	}
	id, err := c.Router.SignerID(n.Authority, n.CA)
	if err != nil {
		d.Kind, d.Found = UnknownCA, "no connection leads to key identifier "+n.Authority
		d.Remedy = "connect the CA: tps.connector.<id> and tps.connCAList in CS.cfg of the TPS"
		return c.found(d, nil)
	}
	d.Authority = id
	if c.down[id] {
		return nil
	}
	status, err := c.Router.CAs[id].Certificate(ctx, connector.Serial(n.Serial))
	if errors.Is(err, connector.ErrCANotFound) {
		d.Kind, d.Found = NoCertificate, "unknown"
		d.Remedy = "find out why: a CA forgets nothing"
		return c.found(d, nil)
	}
	if c.unreachable(id, err) {
		return nil
	}
	card, err := c.look(ctx, n.CUID)
	if err != nil {
		return err
	}
	if !card.Known() {
		return c.orphan(ctx, d, n, id, status)
	}
	if err := c.status(ctx, d, card, n, status); err != nil {
		return err
	}
	return c.key(ctx, d, card, n, status)
}

// orphan is a certificate whose token was deleted.
func (c *Comparer) orphan(ctx context.Context, d Difference, n token.Certificate, id string,
	status connector.CertificateStatus,
) error {
	d.Kind, d.Found = NoToken, string(status.State)
	d.Remedy = "have the certificate revoked unless it is, and delete the record"
	return c.found(d, func() error {
		if status.State != connector.CertificateRevoked {
			err := c.Router.CAs[id].Revoke(ctx, connector.RevokeRequest{
				Serial: connector.Serial(n.Serial), Reason: connector.ReasonCessationOfOperation,
			})
			if err != nil {
				return err
			}
		}
		_, err := c.Records.Apply(ctx, store.Change{
			CUID: n.CUID, Drop: []token.CertID{n.CertID}, Actor: c.Actor, Session: c.Session,
			Why: "certificate of a token that has no record", At: c.Tokens.Now(),
		})
		return err
	})
}

// stands is where a certificate stands by its CA, in the words of records.
func stands(s connector.CertificateState) token.CertStatus {
	switch s {
	case connector.CertificateRevoked:
		return token.CertRevoked
	case connector.CertificateOnHold:
		return token.CertOnHold
	}
	return token.CertActive
}

// status compares where a certificate stands.
func (c *Comparer) status(ctx context.Context, d Difference, card *tokendb.Card,
	n token.Certificate, at connector.CertificateStatus,
) error {
	is, says := stands(at.State), n.Status
	if says == token.CertRenewed {
		says = token.CertActive // which it is for the CA
	}
	if is == says || revoking(card, n.CertID) {
		return nil
	}
	d.Kind, d.Found = Status, string(at.State)
	if is != token.CertActive {
		d.Found += " for " + at.Reason.String()
	}
	reason, again := c.insists(card, says, is)
	if !again {
		d.Remedy = "record what the CA says"
		return c.found(d, func() error {
			return card.MendStatus(ctx, n.CertID, is, "the CA says that it is "+d.Found)
		})
	}
	d.Remedy = "have the CA revoke it again: " + reason.String()
	return c.found(d, func() error {
		return c.Router.CAs[d.Authority].Revoke(ctx, connector.RevokeRequest{
			Serial: connector.Serial(n.Serial), Reason: reason,
		})
	})
}

// revoking tells whether a revocation or release is on its way, which is a difference of
// its own if it takes too long.
func revoking(card *tokendb.Card, id token.CertID) bool {
	for _, step := range card.Resume(token.IntentRevokeCert) {
		if r, err := step.Revocation(); err == nil && r.CertID == id {
			return true
		}
	}
	return false
}

// insists tells whether the record counts more than what the CA says, and for which reason
// the CA is to revoke then.
func (c *Comparer) insists(card *tokendb.Card, says, is token.CertStatus) (
	connector.Reason, bool,
) {
	rec := card.Record()
	switch {
	case says == token.CertRevoked && rec.Reason == token.ReasonKeyCompromise:
		return connector.ReasonKeyCompromise, true
	case says == token.CertRevoked:
		return connector.ReasonCessationOfOperation, true
	case says == token.CertOnHold && is == token.CertActive && rec.Status == token.Suspended:
		return connector.ReasonCertificateHold, true
	}
	return 0, false
}

// key compares the archive with what the record says of the key.
func (c *Comparer) key(ctx context.Context, d Difference, card *tokendb.Card,
	n token.Certificate, at connector.CertificateStatus,
) error {
	kra := n.KRA
	if kra == "" && n.Presence == token.Held && c.Archives != nil {
		if id, archived := c.Archives(n.Type, n.KeyType); archived {
			kra = id
		}
	}
	if kra == "" || c.down[kra] {
		return nil
	}
	d.Authority, d.KeyID, d.Record = kra, n.KeyID, "archived"
	if n.KRA == "" {
		d.Record = "to be archived by its token type"
	}
	authority, err := c.Router.KRA(kra)
	if err != nil {
		d.Kind, d.Found, d.Remedy = NotArchived, "no connection leads there",
			"connect the KRA: tps.connector.<id> in CS.cfg of the TPS"
		return c.found(d, nil)
	}
	info, err := authority.FindKey(ctx, connector.KeyQuery{Certificate: at.DER})
	if errors.Is(err, connector.ErrKeyNotFound) {
		d.Kind, d.Found = NotArchived, "no key of the certificate"
		d.Remedy = "enroll the token again: a key can't be archived any more"
		return c.found(d, nil)
	}
	if c.unreachable(kra, err) || n.KRA != "" && (n.KeyID == "" || n.KeyID == string(info.KeyID)) {
		return nil
	}
	d.Kind, d.Found = OtherKey, "key "+string(info.KeyID)
	d.Remedy = "record the number that the KRA says"
	return c.found(d, func() error {
		keyID := string(info.KeyID)
		return card.MendKey(ctx, n.CertID, kra, keyID, "its key is archived as "+keyID)
	})
}
