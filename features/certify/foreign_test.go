package certify_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/certify"
	"tokenwright/features/evidence"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/fixtures/applets"
	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp/keys"
)

// foreign is a card that belongs to somebody, in a reader that a test can pull it out of.
type foreign struct {
	card   *simcard.Card
	sent   [][]byte
	pullAt int    // the command at which the card is pulled, from 1; 0 never
	onSend func() // before each command
}

func newForeign(t *testing.T, name string) (*foreign, stock.Stock) {
	t.Helper()
	st, err := stock.ByName(name)
	require.NoError(t, err)
	card, err := simcard.New(st, simcard.WithSeed(7))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, card.Close()) })
	return &foreign{card: card}, st
}

func (f *foreign) Name() string   { return "somebody's card" }
func (f *foreign) Reader() string { return "a reader" }
func (f *foreign) Foreign() bool  { return true }
func (f *foreign) Close() error   { return nil }
func (f *foreign) ATR() []byte    { return f.card.ATR() }

func (f *foreign) Open(context.Context) (bench.Device, error) {
	f.sent = nil
	return f, f.card.PowerOn()
}

func (f *foreign) Spare(context.Context) (bench.Device, error) { return nil, certify.ErrNoSpare }

func (f *foreign) Reset(context.Context) error {
	if f.pulled() {
		return errPulled
	}
	return f.card.PowerOn()
}

var errPulled = errors.New("the card was pulled")

func (f *foreign) pulled() bool { return f.pullAt > 0 && len(f.sent) >= f.pullAt }

func (f *foreign) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	f.sent = append(f.sent, slices.Clone(cmd))
	if f.onSend != nil {
		f.onSend()
	}
	if f.pulled() {
		return nil, errPulled
	}
	return f.card.Transmit(ctx, cmd)
}

func (f *foreign) authentications() int {
	n := 0
	for _, cmd := range f.sent {
		if len(cmd) > 1 && cmd[0]&0x80 != 0 && cmd[1] == 0x82 {
			n++
		}
	}
	return n
}

// state reads all that a run must leave as it was.
func (f *foreign) state(t *testing.T, st stock.Stock) []string {
	t.Helper()
	require.NoError(t, f.card.PowerOn())
	l := bench.NewLink(&foreign{card: f.card}, evidence.NewRecorder(nil), false, nil)
	l.Identified()
	b := bench.New(l, 1)
	b.Base = certify.FactoryKeys(st)
	require.NoError(t, b.Identify(context.Background()))
	require.NoError(t, b.Discover(context.Background()))
	s, err := b.Snapshot(context.Background())
	require.NoError(t, err)
	return s
}

func config(t *testing.T, f *foreign, st stock.Stock, journal certify.Journal, only ...string) certify.Config {
	t.Helper()
	file, err := applets.File(certify.AppletFor(st))
	require.NoError(t, err)
	return certify.Config{
		Source: f, Only: only, Seed: 1, Keys: certify.FactoryKeys(st), LoadFile: file, Journal: journal,
		Consent: f.card.CUID().String(),
	}
}

func TestAWrongConsentSendsNothingBeyondIdentification(t *testing.T) {
	for _, destroy := range []bool{false, true} {
		f, st := newForeign(t, "gp211-scp02")
		c := config(t, f, st, certify.Folder(t.TempDir()))
		c.Consent = "00000000000000000000"
		if destroy {
			c.Consent, c.Destroy = "", c.Consent
		}
		_, err := certify.Run(context.Background(), c)
		require.ErrorIs(t, err, certify.ErrConsent)
		require.True(t, certify.Refused(err))
		require.Len(t, f.sent, 2)
		require.Equal(t, []byte{0x00, 0xA4, 0x04, 0x00, 0x00}, f.sent[0])
		require.Equal(t, []byte{0x80, 0xCA, 0x9F, 0x7F, 0x00}, f.sent[1])
	}
}

// Who the card is gets told before anything beyond identification is sent, whatever else is shown.
func TestTheCardIsNamedFirst(t *testing.T) {
	f, st := newForeign(t, "sce7-scp03")
	c := config(t, f, st, certify.Folder(t.TempDir()), "SEL-02")
	var told strings.Builder
	c.Announce = &told
	at := 0
	f.onSend = func() {
		if at == 0 && strings.Contains(told.String(), f.card.CUID().String()) {
			at = len(f.sent)
		}
	}
	_, err := certify.Run(context.Background(), c)
	require.NoError(t, err)
	require.Equal(t, 3, at)
}

func TestASyntheticLoadFileGoesToNoRealCard(t *testing.T) {
	f, st := newForeign(t, "gp211-scp02")
	card, err := simcard.New(st, simcard.WithSeed(7), simcard.WithATR([]byte{0x3B, 0x00}))
	require.NoError(t, err)
	defer func() { require.NoError(t, card.Close()) }()
	f.card = card
	_, err = certify.Run(context.Background(), config(t, f, st, certify.Folder(t.TempDir())))
	require.ErrorIs(t, err, certify.ErrSynthetic)
	require.Len(t, f.sent, 2, "nothing beyond identification")
}

// Without consent nothing that changes the card or spends tries is sent.
func TestNoConsent(t *testing.T) {
	f, st := newForeign(t, "sce7-scp03")
	before := f.state(t, st)
	c := config(t, f, st, certify.Folder(t.TempDir()))
	c.Consent = ""
	report, err := certify.Run(context.Background(), c)
	require.NoError(t, err)
	require.Zero(t, report.Counts[verdict.Fail])
	require.Zero(t, report.Counts[verdict.Inconclusive])
	for _, res := range report.Results {
		if res.Risk != "none" {
			require.Equal(t, verdict.NotApplicable, res.Finding.Verdict, res.ID)
		}
	}
	require.Equal(t, before, f.state(t, st))
}

// Keys that are not the card's are never tried on it.
func TestWrongKeysAreNotTried(t *testing.T) {
	f, st := newForeign(t, "gp211-scp02")
	c := config(t, f, st, certify.Folder(t.TempDir()))
	c.Keys = bench.KeySource{KVN: 0xFF, Set: func(keys.KDD) (keys.KeySet, error) {
		return bench.TestSet(0xFF, keys.DES3, 16)
	}}
	report, err := certify.Run(context.Background(), c)
	require.NoError(t, err)
	require.Equal(t, "false", report.Facts["keys"])
	require.Zero(t, f.authentications())
}

// disturbed runs cases that change the card, is disturbed at command n, and gives whether it ended
// before that.
func disturbed(t *testing.T, f *foreign, st stock.Stock, j certify.Journal, n int, pull bool) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f.pullAt, f.onSend = 0, nil
	if pull {
		f.pullAt = n
	} else {
		f.onSend = func() {
			if len(f.sent) == n {
				cancel()
			}
		}
	}
	_, _ = certify.Run(ctx, config(t, f, st, j, "PUT-20", "PUT-21", "INS-10", "LCY-14", "EXA-02"))
	over := len(f.sent) < n
	f.pullAt, f.onSend = 0, nil
	return over
}

// stride is how many commands lie between the moments that are tried; SOAK tries each.
func stride() int {
	if os.Getenv("SOAK") != "" {
		return 1
	}
	return 53
}

func TestTheNextRunPutsTheCardBack(t *testing.T) {
	for _, pull := range []bool{false, true} {
		t.Run(fmt.Sprintf("pulled %t", pull), func(t *testing.T) {
			f, st := newForeign(t, "sce7-scp03")
			before := f.state(t, st)
			journal := certify.Folder(t.TempDir())
			for n := 3; ; n += stride() {
				over := disturbed(t, f, st, journal, n, pull)
				_, err := certify.Run(context.Background(), config(t, f, st, journal, "SEL-02"))
				require.NoError(t, err, "the run behind one that was disturbed at command %d", n)
				require.Equal(t, before, f.state(t, st), "disturbed at command %d", n)
				if over {
					require.Greater(t, n, 100, "the run was long enough to be disturbed")
					return
				}
			}
		})
	}
}

func TestACutOffRunIsFinishedWithConsentAlone(t *testing.T) {
	f, st := newForeign(t, "sce7-scp03")
	journal := certify.Folder(t.TempDir())
	f.pullAt = 170
	_, _ = certify.Run(context.Background(), config(t, f, st, journal, "INS-10"))
	f.pullAt = 0
	e, err := journal.Load(f.card.CUID())
	require.NoError(t, err)
	require.True(t, e.Changed)
	c := config(t, f, st, journal, "SEL-02")
	c.Consent = ""
	_, err = certify.Run(context.Background(), c)
	require.ErrorIs(t, err, certify.ErrUnfinished)
	_, err = certify.Run(context.Background(), config(t, f, st, journal, "SEL-02"))
	require.NoError(t, err)
	e, err = journal.Load(f.card.CUID())
	require.NoError(t, err)
	require.False(t, e.Changed)
}

// With consent a foreign card passes what a virtual one does, and is what it was in the end.
func TestAForeignCardIsLeftAsItWas(t *testing.T) {
	for _, name := range []string{"sce7-scp03", "gp211-scp02", "op201-scp01"} {
		f, st := newForeign(t, name)
		before := f.state(t, st)
		report, err := certify.Run(context.Background(), config(t, f, st, certify.Folder(t.TempDir())))
		require.NoError(t, err, name)
		for _, res := range report.Results {
			require.NotContains(t, []verdict.Verdict{verdict.Fail, verdict.Inconclusive},
				res.Finding.Verdict, "%s: %v", res.ID, res.Finding.Reasons)
		}
		require.Equal(t, before, f.state(t, st), name)
	}
}
