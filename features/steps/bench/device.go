// Package bench is what the steps of a conformance case share: the card under test behind a recorder,
// what is known of it, the host's end of a secure channel, and the checks that the case has made.
//
// It keeps the rules that protect a card from the harness: what may be sent before its identity is
// known, no EXTERNAL AUTHENTICATE before the card has proved that it holds the same keys, and a
// budget of failed ones. It must not judge: checks are the judge's inputs.
package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"tokenwright/features/evidence"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/decode"
)

// Device is a powered card in its place.
type Device interface {
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
	ATR() []byte
	// Reset is a cold reset.
	Reset(ctx context.Context) error
}

// Cut says when, at a write to its memory, a card loses power.
type Cut int

// The moments of a cut.
const (
	CutBefore Cut = iota
	CutTorn       // in the middle
	CutAfter
)

// String names a moment.
func (c Cut) String() string { return []string{"before", "in the middle of", "behind"}[c] }

// Tearable is a device whose power can be cut at a write to the card's memory.
type Tearable interface {
	Device
	// CutAtWrite cuts at the n-th write from now; 0 cuts none and counts.
	CutAtWrite(n uint64, when Cut)
	// WritesSince is the number of writes since the last CutAtWrite.
	WritesSince() uint64
}

// ErrNotTearable is given where nobody can cut a card's power at a write.
var ErrNotTearable = errors.New("the power of this card cannot be cut at a write")

// CutAtWrite arms a cut, or with 0 counts from now on.
func (l *Link) CutAtWrite(n uint64, when Cut) error {
	t, ok := l.dev.(Tearable)
	if !ok {
		return ErrNotTearable
	}
	t.CutAtWrite(n, when)
	return nil
}

// WritesSince is the number of writes since the last CutAtWrite, 0 where nobody counts.
func (l *Link) WritesSince() uint64 {
	t, ok := l.dev.(Tearable)
	if !ok {
		return 0
	}
	return t.WritesSince()
}

// Rules that a Link refuses to break.
var (
	// ErrIdentify refuses a command before the card was identified.
	ErrIdentify = errors.New("not sent: the card is not identified yet")
	// ErrUnproven refuses EXTERNAL AUTHENTICATE to a card that has not shown that it holds the keys.
	ErrUnproven = errors.New("not sent: the card has not shown that it holds the same keys")
	// ErrBudget refuses an EXTERNAL AUTHENTICATE beyond the failures in a row that are allowed.
	ErrBudget = errors.New("not sent: the budget of failed authentications is used up")
)

// Budget is how many failed authentications in a row a Link lets happen.
const Budget = 3

// Link carries commands to a card, keeps the rules and records what passes.
type Link struct {
	dev      Device
	recorder *evidence.Recorder
	spare    bool

	mu         sync.Mutex
	tracker    decode.Tracker
	identified bool
	updates    int  // INITIALIZE UPDATE commands sent before the card was identified
	proven     bool // its cryptogram was right once
	vouched    bool // the next authentication has to succeed
	failures   int  // failed authentications since the last good one
	onFailures func(int) error
	sent       int
	card       time.Duration
	broken     bool // the last exchange gave no answer
	unanswered int
	fetched    int // answers that had to be fetched, or asked for again with another length
}

// NewLink makes a link that is good for identification alone. changed, when not nil, hears of every
// change in the number of failed authentications, before the command that may bring it.
func NewLink(d Device, r *evidence.Recorder, spare bool, changed func(int) error) *Link {
	return &Link{dev: d, recorder: r, spare: spare, onFailures: changed}
}

// Identified opens the link for everything else.
func (l *Link) Identified() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.identified = true
}

// Proven notes that the card's cryptogram was right.
func (l *Link) Proven() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proven = true
}

// Vouch says that the next EXTERNAL AUTHENTICATE answers a cryptogram that was right, and is right
// itself: it may go to the card once, where the budget is used up, to give it back.
func (l *Link) Vouch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.vouched = true
}

// Failed notes failed authentications that earlier runs have left.
func (l *Link) Failed(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = n
}

// Failures is the number of failed authentications since the last good one.
func (l *Link) Failures() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures
}

// Sent is the number of commands so far, and the time that the card took for them.
func (l *Link) Sent() (int, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent, l.card
}

// Broken tells whether the last command had no answer: the card may be gone, or mute.
func (l *Link) Broken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

// ATR is the answer to the last reset.
func (l *Link) ATR() []byte { return l.dev.ATR() }

// Reset is a cold reset.
func (l *Link) Reset(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	began := time.Now()
	err := l.dev.Reset(ctx)
	rec := evidence.Record{Kind: evidence.KindReset, Took: time.Since(began).Microseconds(), Spare: l.spare}
	if err != nil {
		rec.Text = err.Error()
	}
	l.recorder.Add(rec)
	l.tracker.Reset()
	if err != nil {
		return fmt.Errorf("resetting the card: %w", err)
	}
	l.broken = false
	return nil
}

// Transmit sends a command and gives the answer with its number in the transcript.
func (l *Link) Transmit(ctx context.Context, cmd []byte) (n int, resp apdu.Response, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, resp, err
	}
	authenticates := isAuthenticate(cmd)
	if err := l.allow(cmd, authenticates); err != nil {
		return 0, resp, err
	}
	if n, resp, err = l.fetch(ctx, cmd); err != nil {
		return n, resp, err
	}
	if authenticates && resp.SW.OK() {
		err = l.count(0)
	}
	return n, resp, err
}

// fetch sends a command and gets the whole answer from a card that has it fetched (61xx), or that
// corrects the expected length (6Cxx) (ISO/IEC 7816-4 §5.6).
func (l *Link) fetch(ctx context.Context, cmd []byte) (n int, resp apdu.Response, err error) {
	var data []byte
	corrected := false
	for range maxFetches {
		if n, resp, err = l.exchange(ctx, cmd); err != nil {
			return n, resp, err
		}
		if le, ok := resp.SW.WrongLe(); ok && !corrected && endsInLe(cmd) {
			cmd = append(slices.Clone(cmd[:len(cmd)-1]), byte(le))
			corrected = true
			l.fetched++
			continue
		}
		data = append(data, resp.Data...)
		more, ok := resp.SW.More()
		if !ok {
			resp.Data = data
			return n, resp, nil
		}
		l.fetched++
		cmd = []byte{0x00, gp.INSGetResponse, 0x00, 0x00, byte(more)}
	}
	return n, resp, fmt.Errorf("exchange %d: the card's answer has no end", n)
}

// endsInLe says whether a command may be sent again with another Le: it has one, and no try hangs on it.
func endsInLe(cmd []byte) bool {
	c, err := apdu.Parse(cmd)
	return err == nil && !c.Extended && c.Ne > 0 && !isAuthenticate(cmd)
}

// maxFetches bounds how often the card may ask to fetch more.
const maxFetches = 300

// exchange sends one command and records it.
func (l *Link) exchange(ctx context.Context, cmd []byte) (n int, resp apdu.Response, err error) {
	began := time.Now()
	raw, err := l.dev.Transmit(ctx, cmd)
	took := time.Since(began)
	l.sent++
	l.card += took
	if err == nil {
		resp, err = apdu.ParseResponse(raw)
	}
	l.broken = err != nil
	if err != nil && ctx.Err() == nil {
		l.unanswered++
	}
	n = l.recorder.Exchange(&l.tracker, cmd, raw, began, took, err, l.spare)
	if err != nil {
		return n, resp, fmt.Errorf("exchange %d: %w", n, err)
	}
	return n, resp, nil
}

// Manners tells how many commands had no answer, and how many answers had to be fetched.
func (l *Link) Manners() (unanswered, fetched int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unanswered, l.fetched
}

// allow keeps the rules. A failed authentication is counted before it can happen.
func (l *Link) allow(cmd []byte, authenticates bool) error {
	if !l.identified && !l.identifies(cmd) {
		return ErrIdentify
	}
	if !authenticates {
		return nil
	}
	switch {
	case !l.proven:
		return ErrUnproven
	case l.failures > Budget, l.failures == Budget && !l.vouched:
		return ErrBudget
	}
	l.vouched = false
	return l.count(l.failures + 1)
}

func (l *Link) count(n int) error {
	l.failures = n
	if l.onFailures == nil {
		return nil
	}
	return l.onFailures(n)
}

// identifies tells the commands that read a card's identity: SELECT, GET DATA 9F7F, and one
// INITIALIZE UPDATE for the diversification data of cards without production data.
func (l *Link) identifies(cmd []byte) bool {
	c, err := apdu.Parse(cmd)
	if err != nil {
		return false
	}
	switch {
	case c.CLA == 0x00 && c.INS == gp.INSSelect && c.P1 == 0x04:
		return true
	case c.CLA == 0x80 && c.INS == gp.INSGetData && c.P1 == 0x9F && c.P2 == 0x7F:
		return true
	case c.CLA == 0x80 && c.INS == gp.INSInitializeUpdate && l.updates == 0:
		l.updates++
		return true
	}
	return false
}

func isAuthenticate(cmd []byte) bool {
	return len(cmd) > 4 && cmd[0]&0x80 != 0 && cmd[1] == gp.INSExternalAuthenticate
}
