package perso

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

func loadOptions(form Form, size int) LoadOptions {
	file := make([]byte, size)
	for i := range file {
		file[i] = byte(i)
	}
	return LoadOptions{
		Form: form, ISD: gp.AIDISDVisa, Package: coolkey.PackageAID, Instance: coolkey.AppletAID,
		File: file, BlockSize: 224, InstanceSize: 18000, MemorySize: 5000,
	}
}

func TestLoadApplet(t *testing.T) {
	eachChannel(t, func(t *testing.T, card *channelCard, ch *Channel) {
		for _, form := range []Form{GP201, GP211} {
			card.plain, card.maxLc = nil, 0
			card.respond = func(c apdu.Command) (string, error) {
				if c.INS == 0xE4 {
					return "6A88", nil // nothing there to delete
				}
				return "9000", nil
			}
			o := loadOptions(form, 15_409)
			var done []string
			o.Progress = func(_ context.Context, n, total int) error {
				done = append(done, fmt.Sprint(n, "/", total))
				return nil
			}
			require.NoError(t, LoadApplet(t.Context(), ch, o))
			checkLoaded(t, card, o)
			assert.LessOrEqual(t, card.maxLc, 224)
			blocks := len(card.plain) - 4
			assert.Len(t, done, blocks)
			assert.Equal(t, fmt.Sprint(blocks, "/", blocks), done[len(done)-1])
		}
	})
}

// checkLoaded checks the commands that a card was sent, one by one.
func checkLoaded(t *testing.T, card *channelCard, o LoadOptions) {
	t.Helper()
	text := func(i int) string {
		c := card.plain[i]
		return fmt.Sprintf("%02X%02X%02X %X", c.INS, c.P1, c.P2, c.Data)
	}
	last := len(card.plain) - 1
	assert.Equal(t, "E40000 4F07627601FF000000", text(0))
	assert.Equal(t, "E40000 4F06627601FF0000", text(1))
	if o.Form == GP211 {
		assert.Equal(t, "E60200 06627601FF0000"+"08A000000003000000"+"00"+"06EF04C6023C51"+"00", text(2))
	} else {
		assert.Equal(t, "E60200 06627601FF0000"+"00"+"00"+"06EF04C6023C49"+"00", text(2))
	}
	assert.Equal(t, "E60C00 06627601FF0000"+"07627601FF000000"+"07627601FF000000"+"0100"+
		"0CEF04C8024650C90400021388"+"00", text(last))
	var stream gp.LoadStream
	for i, c := range card.plain[3:last] {
		l, err := gp.ParseLoad(apdu.Command{CLA: 0x80, INS: c.INS, P1: c.P1, P2: c.P2, Data: c.Data})
		require.NoError(t, err)
		complete, err := stream.Add(l)
		require.NoError(t, err)
		assert.Equal(t, i == last-4, complete)
	}
	file, _, err := stream.File()
	require.NoError(t, err)
	assert.Equal(t, o.File, file)
}

func TestLoadAppletDeletesTheOldGenerationToo(t *testing.T) {
	set := testKeys(t, keys.DES3)
	card := &channelCard{t: t, variant: scp.Variant{SCP: 1, I: 5}, set: set, kvn: 1}
	ch, err := OpenChannel(t.Context(), card, ChannelOptions{Keys: testKeyring(t, set)})
	require.NoError(t, err)
	o := loadOptions(GP201, 100)
	o.Old = []gp.AID{{0xA0, 0, 0, 0, 1, 1}, {0xA0, 0, 0, 0, 1}}
	require.NoError(t, LoadApplet(t.Context(), ch, o))
	var deleted []string
	for _, c := range card.plain {
		if c.INS == 0xE4 {
			deleted = append(deleted, hex.EncodeToString(c.Data))
		}
	}
	assert.Equal(t, []string{
		"4f07627601ff000000", "4f06627601ff0000", "4f06a00000000101", "4f05a000000001",
	}, deleted)
}

func TestLoadAppletStopsWhereTheCardRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		ins, p1 byte
		sw      string
		step    Step
		want    apdu.SW
	}{
		"delete":             {0xE4, 0x00, "6985", StepDeleteInstance, apdu.SW6985},
		"install for load":   {0xE6, 0x02, "6A84", StepInstallForLoad, apdu.SW6A84},
		"load":               {0xE8, 0x00, "6581", StepLoad, apdu.SW6581},
		"install selectable": {0xE6, 0x0C, "6A80", StepInstallSelectable, apdu.SW6A80},
	} {
		t.Run(name, func(t *testing.T) {
			set := testKeys(t, keys.AES)
			card := &channelCard{t: t, variant: scp.Variant{SCP: 3, I: 0x70}, set: set, kvn: 1}
			ch, err := OpenChannel(t.Context(), card, ChannelOptions{Keys: testKeyring(t, set)})
			require.NoError(t, err)
			card.respond = func(cmd apdu.Command) (string, error) {
				if cmd.INS == c.ins && cmd.P1 == c.p1 {
					return c.sw, nil
				}
				return "9000", nil
			}
			err = LoadApplet(t.Context(), ch, loadOptions(GP211, 1000))
			require.ErrorIs(t, err, c.want)
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, c.step, e.Step)
			assert.Equal(t, c.want, e.SW)
			assert.True(t, strings.HasPrefix(err.Error(), string(c.step)+": "+c.sw))
			last := card.plain[len(card.plain)-1]
			assert.Equal(t, c.ins, last.INS, "nothing follows a refusal")
		})
	}
}

func TestLoadAppletChecksSizesBeforeAnythingIsDeleted(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o *LoadOptions)
		want   error
	}{
		"no file":             {func(o *LoadOptions) { o.File = nil }, ErrLoadFile},
		"more than 256":       {func(o *LoadOptions) { o.File = make([]byte, 0xF000) }, ErrLoadFile},
		"more than two bytes": {func(o *LoadOptions) { o.File = make([]byte, 0x10000) }, ErrMemorySize},
		"block too small":     {func(o *LoadOptions) { o.BlockSize = 16 }, ErrBlockSize},
		"block too large":     {func(o *LoadOptions) { o.BlockSize = 256 }, ErrBlockSize},
		"instance size":       {func(o *LoadOptions) { o.InstanceSize = 0x10000 }, ErrMemorySize},
		"memory size":         {func(o *LoadOptions) { o.MemorySize = -1 }, ErrMemorySize},
	} {
		t.Run(name, func(t *testing.T) {
			set := testKeys(t, keys.DES3)
			card := &channelCard{t: t, variant: scp.Variant{SCP: 2, I: 0x15}, set: set, kvn: 1}
			ch, err := OpenChannel(t.Context(), card, ChannelOptions{Keys: testKeyring(t, set)})
			require.NoError(t, err)
			o := loadOptions(GP211, 1000)
			c.change(&o)
			require.ErrorIs(t, CheckLoad(ch, o), c.want)
			require.ErrorIs(t, LoadApplet(t.Context(), ch, o), c.want)
			assert.Empty(t, card.plain)
		})
	}
}

func TestLoadAppletEndsWhenProgressSaysSo(t *testing.T) {
	left := errors.New("client left")
	set := testKeys(t, keys.DES3)
	card := &channelCard{t: t, variant: scp.Variant{SCP: 2, I: 0x15}, set: set, kvn: 1}
	ch, err := OpenChannel(t.Context(), card, ChannelOptions{Keys: testKeyring(t, set)})
	require.NoError(t, err)
	o := loadOptions(GP211, 1000)
	o.Progress = func(context.Context, int, int) error { return left }
	require.ErrorIs(t, LoadApplet(t.Context(), ch, o), left)
	assert.Equal(t, byte(0xE8), card.plain[len(card.plain)-1].INS)
}

// At the shipped block size the old protocol carries exactly what servers have
// always sent it.
func TestPayloadOfABlock(t *testing.T) {
	for _, c := range []struct {
		variant scp.Variant
		level   scp.Level
		size    int
		want    int
	}{
		{scp.Variant{SCP: 1, I: 5}, scp.CMAC, 224, 216},
		{scp.Variant{SCP: 1, I: 5}, scp.CMAC | scp.CDEC, 224, 208},
		{scp.Variant{SCP: 2, I: 0x15}, scp.CMAC | scp.CDEC, 224, 208},
		{scp.Variant{SCP: 3, I: 0x70}, scp.CMAC | scp.CDEC, 224, 207},
		{scp.Variant{SCP: 3, I: 0x70}, scp.CMAC, 224, 216},
	} {
		assert.Equal(t, c.want, maxPayload(c.variant, c.level, c.size), "%v %v", c.variant, c.level)
	}
}
