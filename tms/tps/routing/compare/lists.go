package compare

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// issued looks for certificates that no token has a record of.
func (c *Comparer) issued(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(c.Router.CAs)) {
		list, ok := c.CAs[id]
		if !ok {
			c.sum.Unlisted = append(c.sum.Unlisted, id)
			continue
		}
		if c.down[id] {
			continue
		}
		var ours error // not the CA's
		err := list.Good(ctx, func(i Issued) error {
			c.sum.Certificates++
			if (i.CUID == keys.CUID{}) || !i.Created.Before(c.Before) {
				return nil // for no token, or perhaps of a session under way
			}
			ours = c.recorded(ctx, id, i)
			return ours
		})
		if ours != nil || ctx.Err() != nil {
			return fmt.Errorf("listing certificates of %s: %w", id, errors.Join(ours, ctx.Err()))
		}
		c.unreachable(id, err)
	}
	return nil
}

func (c *Comparer) recorded(ctx context.Context, id string, i Issued) error {
	page, err := c.Records.Certificates(ctx, store.CertQuery{
		Issuer: i.Issuer, Serial: i.Serial, Limit: 1,
	})
	if err != nil {
		return fmt.Errorf("looking for certificate %s: %w", i.Serial, err)
	}
	if len(page.Certificates) > 0 {
		return nil
	}
	d := Difference{
		Kind: NoRecord, CUID: i.CUID.String(), UserID: i.UserID, Serial: i.Serial, Authority: id,
		Record: "none", Found: string(i.State), Remedy: "have it revoked",
	}
	ours, err := c.ours(ctx, i)
	if err != nil {
		return err
	}
	if !ours {
		d.Remedy = "find out whose it is: this database knows neither token nor request"
		return c.found(d, nil)
	}
	return c.found(d, func() error {
		return c.Router.CAs[id].Revoke(ctx, connector.RevokeRequest{
			Serial: connector.Serial(i.Serial), Reason: connector.ReasonCessationOfOperation,
		})
	})
}

// ours tells whether a certificate was issued for a token of this database, or on a
// request of it.
func (c *Comparer) ours(ctx context.Context, i Issued) (bool, error) {
	_, err := c.Records.Token(ctx, i.CUID)
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	for q := (store.IntentQuery{CUID: i.CUID, Ended: true, Limit: store.MaxLimit}); ; {
		page, err := c.Records.Intents(ctx, q)
		if err != nil {
			return false, err
		}
		for _, n := range page.Intents {
			if n.ID == i.Request {
				return true, nil
			}
		}
		if q.After = page.Next; q.After == "" {
			return false, nil
		}
	}
}

// archived looks for keys that no certificate is for.
func (c *Comparer) archived(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(c.Router.KRAs)) {
		list, ok := c.KRAs[id]
		if !ok {
			c.sum.Unlisted = append(c.sum.Unlisted, id)
			continue
		}
		if c.down[id] {
			continue
		}
		var ours error // not the KRA's
		err := list.Keys(ctx, func(k Archived) error {
			c.sum.Keys++
			if !k.Created.Before(c.Before) {
				return nil
			}
			ours = c.certified(ctx, id, k)
			return ours
		})
		if ours != nil || ctx.Err() != nil {
			return fmt.Errorf("listing keys of %s: %w", id, errors.Join(ours, ctx.Err()))
		}
		c.unreachable(id, err)
	}
	return nil
}

func (c *Comparer) certified(ctx context.Context, id string, k Archived) error {
	known := false
	err := c.certificates(ctx, store.CertQuery{CUID: k.CUID}, func(n token.Certificate) error {
		known = known || n.KRA == id && n.KeyID == string(k.KeyID)
		return nil
	})
	if known || err != nil {
		return err
	}
	for ca := range c.Router.CAs {
		list, ok := c.CAs[ca]
		if !ok {
			return nil // that CA may have certified it
		}
		if known, err = list.Certifies(ctx, k.CUID, k.PublicKey); known || err != nil {
			return err
		}
	}
	return c.found(Difference{
		Kind: KeyAlone, CUID: k.CUID.String(), UserID: k.UserID, Authority: id,
		KeyID: string(k.KeyID), Record: "none", Found: "archived",
		Remedy: "none is needed: nothing was ever encrypted for it, and a KRA forgets nothing",
	}, nil)
}
