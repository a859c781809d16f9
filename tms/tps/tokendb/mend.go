package tokendb

import (
	"context"
	"fmt"
	"time"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// MendStatus records what a comparison with a CA found of a certificate; it holds for every token that
// has the certificate. Activity token_modify.
func (c *Card) MendStatus(ctx context.Context, id token.CertID, is token.CertStatus, why string) error {
	return c.mend(ctx, id, why, []store.CertMark{{CertID: id, Status: is}}, func(n *token.Certificate) {
		n.Status = is
	})
}

// MendKey records where a comparison with a KRA found the key of a certificate; activity token_modify.
func (c *Card) MendKey(ctx context.Context, id token.CertID, kra, keyID, why string) error {
	return c.mend(ctx, id, why, nil, func(n *token.Certificate) { n.KRA, n.KeyID = kra, keyID })
}

// mend changes one thing of the present record of a certificate: a comparison takes its time, and others
// go on meanwhile. A record that is gone needs no mending.
func (c *Card) mend(ctx context.Context, id token.CertID, why string, mark []store.CertMark,
	change func(*token.Certificate),
) error {
	message := fmt.Sprintf("record of certificate %s mended: %s", id.Serial, why)
	return c.apply(ctx, edit{
		why: token.CleanMessage(message), to: asItIs,
		activities: []token.Activity{c.activity(token.OpModify, token.Success, message)},
		certs: func(now []token.Certificate) (e certEdit) {
			for _, n := range now {
				if n.CertID == id {
					change(&n)
					e.put = append(e.put, n)
				}
			}
			return e
		},
		mark: mark,
	})
}

// Now tells the time by the clock of records.
func (d *DB) Now() time.Time { return d.now() }
