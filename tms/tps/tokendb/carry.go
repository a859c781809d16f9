package tokendb

import (
	"context"
	"slices"
	"strings"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// carried are outcomes of steps that go into the record with its next change: each change waits for
// the disk, and the intent of the next step follows at once.
type carried struct {
	end []store.IntentEnd
	put []token.Certificate
	why []string
}

// NoteDone is Done for a step that changes nothing but what is on the card or at an authority, when
// the session goes on at once: the outcome is recorded together with the next intent, and so before
// the next step that can't be undone. Until then a death leaves the step as if its answer was lost.
func (s *Step) NoteDone() { s.card.note(s.card.ending(s.intent, token.OutcomeDone, ""), nil) }

// NoteIssued is Issued as NoteDone is Done.
func (s *Step) NoteIssued(cert token.Certificate) {
	cert.CUID = s.card.rec.CUID
	e := s.card.ending(s.intent, token.OutcomeDone, "certificate "+cert.Serial)
	s.card.note(e, []token.Certificate{cert})
}

func (c *Card) note(e edit, put []token.Certificate) {
	c.carry.end = append(c.carry.end, e.end...)
	c.carry.put = append(c.carry.put, put...)
	c.carry.why = append(c.carry.why, e.why)
	c.recall()
}

// recall has the lists of intents and certificates say what is noted.
func (c *Card) recall() {
	c.settled(c.carry.end, nil, c.db.now())
	c.settleCerts(certEdit{put: c.carry.put}, nil)
}

// Flush records what is noted and not recorded yet, for a session that does not go on. It is written
// even if the client has gone.
func (c *Card) Flush(ctx context.Context) error {
	if len(c.carry.end) == 0 {
		return nil
	}
	ctx, cancel := mustWrite(ctx)
	defer cancel()
	return c.apply(ctx, edit{to: asItIs})
}

// with adds what is carried to a change. Where both speak of a certificate, the change knows better.
func (n carried) with(e edit, ce certEdit) (edit, certEdit) {
	if len(n.end) == 0 {
		return e, ce
	}
	why := n.why
	if e.why != "" {
		why = append(slices.Clip(why), e.why)
	}
	e.why = token.CleanMessage(strings.Join(why, "; "))
	e.end = slices.Concat(n.end, e.end)
	var put []token.Certificate
	for _, cert := range n.put {
		same := func(other token.Certificate) bool { return other.CertID == cert.CertID }
		if !slices.ContainsFunc(ce.put, same) && !slices.Contains(ce.drop, cert.CertID) {
			put = append(put, cert)
		}
	}
	ce.put = append(put, ce.put...)
	return e, ce
}
