package tokendb

import (
	"context"
	"fmt"
	"time"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// Mend records what a comparison with a CA or KRA found of a certificate: its record is
// put in the place of the present one, and its status holds for every token that has the
// certificate; activity token_modify.
func (c *Card) Mend(ctx context.Context, cert token.Certificate, why string) error {
	cert.CUID = c.rec.CUID
	message := fmt.Sprintf("record of certificate %s mended: %s", cert.Serial, why)
	return c.apply(ctx, edit{
		why: token.CleanMessage(message), to: asItIs,
		activities: []token.Activity{c.activity(token.OpModify, token.Success, message)},
		certs: func([]token.Certificate) certEdit {
			return certEdit{put: []token.Certificate{cert}}
		},
		mark: []store.CertMark{{CertID: cert.CertID, Status: cert.Status}},
	})
}

// Now tells the time by the clock of records.
func (d *DB) Now() time.Time { return d.now() }
