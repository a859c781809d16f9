package simcard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/applets"
	"tokenwright/simcard"
	"tokenwright/simcard/fault"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

var (
	packageAID = gp.AID{0x62, 0x76, 0x01, 0xFF, 0, 0}
	appletAID  = gp.AID{0x62, 0x76, 0x01, 0xFF, 0, 0, 0}
)

// loadApplet lists the commands that put the applet of a version on a card.
func loadApplet(t testing.TB, version string) []apdu.Command {
	t.Helper()
	file, err := applets.File(version)
	require.NoError(t, err)
	cmds := []apdu.Command{gp.InstallForLoad{
		File: packageAID, Params: gp.LoadParams(uint32(len(file) + 24)), Ne: 256,
	}.Command()}
	blocks, err := gp.LoadBlocks(file, 208)
	require.NoError(t, err)
	for _, b := range blocks {
		b.Ne = 256
		cmds = append(cmds, b.Command())
	}
	return append(cmds, gp.InstallForInstall{
		MakeSelectable: true, File: packageAID, Module: appletAID, Instance: appletAID,
		Privileges: gp.Privileges{0}, Ne: 256,
		Params: gp.InstanceParams(18000, []byte{0, 2, 0x13, 0x88}),
	}.Command())
}

// deployment is a life of a card in commands of one session: load, install, lock, unlock, store,
// change keys, delete everything.
func deployment(h *host) []apdu.Command {
	cmds := loadApplet(h.t, "1.4.58768072")
	old := h.set.KVN
	if old == 0xFF {
		old = 0
	}
	return append(cmds,
		gp.SetStatus{Scope: gp.ScopeApplications, State: 0x80, AID: appletAID}.Command(),
		gp.SetStatus{Scope: gp.ScopeApplications, State: 0x07, AID: appletAID}.Command(),
		gp.StoreData{
			Last: true, Flags: gp.StoreBERTLV, Data: unhex(h.t, "4204010203044502CAFE"),
		}.Command(),
		h.putKeys(old, 2),
		gp.DeleteKeys(9).Command(), // no such version
		gp.Delete{AID: appletAID}.Command(),
		gp.Delete{AID: packageAID, Related: true}.Command(),
	)
}

// snapshot is what a copy of the card shows when it is started: keys, content, stored data, memory.
func snapshot(t testing.TB, name string, chip *nvm.RAM) string {
	t.Helper()
	c := newCard(t, name, simcard.WithDevice(nvm.NewRAM(chip.Image())))
	kvn := c.Stock().Keys.KVN
	if sw(send(t, c, "8050020008000000000000000000")) == "9000" {
		kvn = 2
	}
	out := []string{send(t, c, "80CA00E000"), send(t, c, "80CA004200"), send(t, c, "80CA004500")}
	h := channel(t, c, kvn, 1)
	for _, cmd := range []string{"80F28002024F0000", "80F24002024F0000", "80F22002024F0000"} {
		out = append(out, h.hex(cmd))
	}
	return strings.Join(append(out, h.hex("80CAFF2100")), "\n")
}

// A card is cut at every write to its memory through a whole deployment, before, within and after
// the write. It must come back as it was before the command or after it, and the deployment must
// then go through.
func TestCutAtEveryWrite(t *testing.T) {
	for _, name := range stock.Names() {
		t.Run(name, func(t *testing.T) { cutEverywhere(t, name) })
	}
}

// repairEach is every how many cuts the deployment is gone through again: it takes most of the time.
const repairEach = 6

func cutEverywhere(t *testing.T, name string) {
	t.Parallel()
	origin := nvm.NewRAM(nil)
	made, err := simcard.New(stockOf(t, name), simcard.WithDevice(origin), simcard.WithSeed(1))
	require.NoError(t, err)
	require.NoError(t, made.Close())

	states, ends, total := dryRun(t, name, origin)
	step := uint64(1)
	if testing.Short() {
		step = 7
	}
	points := 0
	for at := uint64(1); at <= total; at += step {
		for _, cut := range []nvm.Cut{nvm.Before, nvm.Torn, nvm.After} {
			chip := nvm.NewRAM(origin.Image())
			i := cutOnce(t, name, chip, fault.AtWrite(at, cut), points%repairEach == 0)
			what := fmt.Sprintf("%s write %d of %d, in command %d", cut, at, total, i)
			require.LessOrEqual(t, at, ends[i], what)
			got := snapshot(t, name, chip)
			require.Contains(t, []string{states[i], states[i+1]}, got, what)
			points++
		}
	}
	t.Logf("%d cut points in %d writes of %d commands", points, total, len(ends))
	require.Greater(t, points, 70)
}

// dryRun goes through the deployment and gives the state before each command and behind the last,
// the number of writes at the end of each command, and the number of all writes.
func dryRun(t *testing.T, name string, origin *nvm.RAM) (states []string, ends []uint64, n uint64) {
	t.Helper()
	chip, count := nvm.NewRAM(origin.Image()), fault.CountWrites()
	c := newCard(t, name, simcard.WithDevice(chip), simcard.WithTear(count.Hook))
	states = append(states, snapshot(t, name, chip))
	h := channel(t, c, c.Stock().Keys.KVN, 3)
	for _, cmd := range deployment(h) {
		states = append(states, snapshot(t, name, chip))
		ends = append(ends, count.Count())
		h.send(cmd)
	}
	require.NotEqual(t, states[0], states[len(states)-2])
	return append(states, snapshot(t, name, chip)), append(ends, count.Count()), count.Count()
}

// cutOnce goes through the deployment with a cut to come and gives the number of the command in which
// it came. With repair it then loads the applet on a copy, to the end.
func cutOnce(t *testing.T, name string, chip *nvm.RAM, w *fault.Writes, repair bool) int {
	t.Helper()
	c, err := simcard.New(stockOf(t, name), simcard.WithDevice(chip), simcard.WithSeed(1),
		simcard.WithTear(w.Hook))
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	require.NoError(t, c.PowerOn())
	i := untilCut(t, c)
	require.True(t, w.Hit(), "the cut did not come")
	require.NoError(t, c.PowerOn(), "the card must start after command %d", i)

	if !repair {
		return i
	}
	again := newCard(t, name, simcard.WithDevice(nvm.NewRAM(chip.Image())))
	kvn := again.Stock().Keys.KVN
	if sw(send(t, again, "8050020008000000000000000000")) == "9000" {
		kvn = 2
	}
	h := channel(t, again, kvn, 3)
	h.send(gp.Delete{AID: packageAID, Related: true, Ne: 256}.Command())
	for _, cmd := range loadApplet(t, "1.4.58768072") {
		require.NoError(t, h.send(cmd).Err(), "the repair after command %d", i)
	}
	require.Equal(t, "9000", send(t, again, "00A4040007627601FF000000"))
	return i
}

// untilCut sends the deployment until the power goes and gives the number of the command, 0 for the
// opening of the session.
func untilCut(t *testing.T, c *simcard.Card) (i int) {
	t.Helper()
	lost := errors.New("power lost")
	defer func() {
		if r := recover(); r != nil && r != any(lost) {
			panic(r)
		}
	}()
	via := &cutting{Card: c, lost: lost}
	h, ch, _ := initializeVia(t, c, via, keySet(t, c, c.Stock().Keys.KVN))
	require.Equal(t, apdu.SW9000, h.authenticate(ch, 3, nil))
	for _, cmd := range deployment(h) {
		i++
		h.send(cmd)
	}
	return i
}

// cutting panics with lost when the card loses power, so that a conversation ends there.
type cutting struct {
	*simcard.Card
	lost error
}

func (c *cutting) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	r, err := c.Card.Transmit(ctx, cmd)
	if errors.Is(err, nvm.ErrPowerLost) {
		panic(c.lost)
	}
	return r, err
}

// The counter of failed authentications is taken down before the outcome shows, for good.
func TestTriesCannotBeTornBack(t *testing.T) {
	s := stockOf(t, "sce7-scp03")
	for _, cut := range []nvm.Cut{nvm.Keep, nvm.Before, nvm.Torn, nvm.After} {
		c := newCard(t, s.Name, simcard.WithMaxTries(3))
		spoil := func(cmd *apdu.Command) { cmd.Data[0] ^= 1 }
		for range 2 {
			h, ch, _ := initialize(t, c, keySet(t, c, s.Keys.KVN))
			require.Equal(t, apdu.SW6300, h.authenticate(ch, 1, spoil))
		}
		h, ch, _ := initialize(t, c, keySet(t, c, s.Keys.KVN))
		c.SetTear(fault.AtWrite(1, cut).Hook)
		if cut == nvm.Keep {
			require.Equal(t, apdu.SW6300, h.authenticate(ch, 1, spoil))
		} else {
			_, err := c.Transmit(t.Context(), unhex(t, "8482010010"+strings.Repeat("00", 16)))
			require.ErrorIs(t, err, nvm.ErrPowerLost)
			require.NoError(t, c.PowerOn())
		}
		blocked := cut == nvm.Keep || cut == nvm.After
		got := sw(send(t, c, "8050000008000000000000000000"))
		if blocked {
			require.Equal(t, "6983", got, cut)
			require.NoError(t, c.PowerOn())
			require.Equal(t, "6983", sw(send(t, c, "8050000008000000000000000000")))
			continue
		}
		require.Equal(t, "9000", got, cut)
		channel(t, c, keys.KVN(1), 1) // gives the tries back
		h, ch, _ = initialize(t, c, keySet(t, c, s.Keys.KVN))
		require.Equal(t, apdu.SW6300, h.authenticate(ch, 1, spoil))
		require.Equal(t, "9000", sw(send(t, c, "8050000008000000000000000000")))
	}
}
