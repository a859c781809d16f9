package perso

import (
	"context"
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

const (
	selectDefault = "00A40400"
	selectOP      = "00A4040007A0000000030000"
	selectISD     = "00A4040008A000000003000000"
	selectApplet  = "00A4040007627601FF000000"
	askCPLC       = "80CA9F7F"
	askRecogn     = "80CA0066"
	askKeys       = "80CA00E0"
	askStatus     = "B03C0000"
	askVersion    = "B0700000"
	askLifeCycle  = "B0F20000"

	// The fields of a recorded client's card, which leaves tag and length alone.
	oldCPLC = "01000140906145010001000100010024192D2BC76201" +
		"0001000000010001000100010000000100010001020304"
	goodStatus = "0101010400001388000013880100" + "0000" + "9000"
)

// goodCPLC has fabricator 4090, type 6145, batch C762, serial 24192D2B.
var goodCPLC = "9F7F2A" + oldCPLC[6:]

func cardAnswers(change map[string]string) *scripted {
	a := map[string]string{
		selectDefault: "6F108408A000000003000000A5049F6501FF9000",
		selectISD:     "9000",
		selectOP:      "6A82",
		askCPLC:       goodCPLC + "9000",
		selectApplet:  "9000",
		askStatus:     goodStatus,
		askVersion:    "587680729000",
		askLifeCycle:  "079000",
	}
	for k, v := range change {
		a[k] = v
	}
	return &scripted{answers: a}
}

var factsOptions = FactsOptions{
	ISDs: []gp.AID{gp.AIDOpenPlatform, gp.AIDISDVisa}, Applet: coolkey.AppletAID, LifeCycle: true,
}

func TestReadFacts(t *testing.T) {
	card := cardAnswers(map[string]string{
		askRecogn: "663D733B06072A864886FC6B01600B06092A864886FC6B020101630906072A864886FC6B03" +
			"640B06092A864886FC6B040255" + "640B06092A864886FC6B040370" + "9000",
		askKeys: "E012C00401FF8010C00402FF8010C00403FF80109000",
	})
	f, err := ReadFacts(t.Context(), card, factsOptions)
	require.NoError(t, err)
	assert.Equal(t, "A000000003000000", f.ISD.String())
	assert.Equal(t, "40906145C76224192D2B", f.CUID.String())
	assert.Equal(t, [4]byte{1, 2, 3, 4}, f.MSN)
	assert.True(t, f.Recognition)
	assert.Equal(t, GP211, f.CardForm())
	assert.Equal(t, []scp.Variant{{SCP: 2, I: 0x55}, {SCP: 3, I: 0x70}}, f.Variants)
	assert.Len(t, f.Keys.Keys, 3)
	assert.Equal(t, "1.4.58768072", f.Applet.Version())
	assert.True(t, f.Applet.Present && f.Applet.HasLifeCycle)
	assert.Equal(t, coolkey.StateSelectable, f.Applet.LifeCycle.State)
}

func TestReadFactsSelectsTheCardManager(t *testing.T) {
	const visa, op = "A000000003000000", "A0000000030000"
	for name, c := range map[string]struct {
		change map[string]string
		want   string
	}{
		"named in the FCI":       {nil, visa},
		"no FCI":                 {map[string]string{selectDefault: "9000"}, visa},
		"no FCI, first is there": {map[string]string{selectDefault: "9000", selectOP: "9000"}, op},
		"a bare AID":             {map[string]string{selectDefault: "A0000000030000009000"}, visa},
		"an empty AID":           {map[string]string{selectDefault: "6F0284009000"}, visa},
		"an unlisted AID": {map[string]string{
			selectDefault: "6F0A8408A0000001510000009000",
		}, visa},
		"default refused": {map[string]string{selectDefault: "6A82"}, visa},
		"fetched with 61xx": {map[string]string{
			selectDefault: "6112", "00C0000012": "6F108408A000000003000000A5049F6501FF9000",
		}, visa},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := ReadFacts(t.Context(), cardAnswers(c.change), factsOptions)
			require.NoError(t, err)
			assert.Equal(t, c.want, f.ISD.String())
		})
	}
}

func TestReadFactsWantsACardManagerAndCPLC(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]string
		step   Step
		want   error
	}{
		"no card manager": {map[string]string{selectISD: "6A82"}, StepSelectISD, ErrNoCardManager},
		"no CPLC":         {map[string]string{askCPLC: "6A88"}, StepCPLC, apdu.SW6A88},
		"CPLC cut short":  {map[string]string{askCPLC: "9F7F2A40909000"}, StepCPLC, gp.ErrData},
		"no answer":       {map[string]string{askCPLC: ""}, StepCPLC, ErrNoAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadFacts(t.Context(), cardAnswers(c.change), factsOptions)
			require.ErrorIs(t, err, c.want)
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, c.step, e.Step)
		})
	}
}

func TestReadFactsRepeatsWithTheLengthTheCardWants(t *testing.T) {
	card := cardAnswers(map[string]string{
		askCPLC: "6C2A", askCPLC + "2A": goodCPLC[6:] + "9000",
	})
	f, err := ReadFacts(t.Context(), card, factsOptions)
	require.NoError(t, err)
	assert.Equal(t, "40906145C76224192D2B", f.CUID.String())

	card = cardAnswers(map[string]string{askCPLC: "6C2A"})
	_, err = ReadFacts(t.Context(), card, factsOptions)
	require.ErrorIs(t, err, apdu.SW(0x6C2A), "asked for a length twice")
}

// The old test client answers CPLC to every GET DATA, with no tag of its own in it, and
// has no life cycle.
func TestReadFactsOfTheOldTestClient(t *testing.T) {
	card := &scripted{answers: map[string]string{
		"00A404": "9000", "80CA": oldCPLC + "9000",
		askStatus: "01010000010020FF01002000010001009000", askVersion: "6FBBC1059000",
		askLifeCycle: "6A88",
	}}
	f, err := ReadFacts(t.Context(), card, factsOptions)
	require.NoError(t, err)
	assert.Equal(t, "40906145C76224192D2B", f.CUID.String())
	assert.False(t, f.Recognition)
	assert.Equal(t, GP201, f.CardForm())
	assert.Empty(t, f.Variants)
	assert.True(t, f.Applet.Present)
	assert.Equal(t, "0.0.6fbbc105", f.Applet.Version())
	assert.False(t, f.Applet.HasLifeCycle)
}

func TestReadFactsOfACardWithoutApplet(t *testing.T) {
	for name, change := range map[string]map[string]string{
		"not there":       {selectApplet: "6A82"},
		"another applet":  {askStatus: "6D00", askVersion: "6E00"},
		"answers nothing": {askStatus: "9000", askVersion: "9000"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := ReadFacts(t.Context(), cardAnswers(change), factsOptions)
			require.NoError(t, err)
			assert.False(t, f.Applet.Present)
			assert.Empty(t, f.Applet.Version())
		})
	}
}

func TestReadFactsEndsWhenTheCardGoes(t *testing.T) {
	for after := range 8 {
		card := cardAnswers(nil)
		n := 0
		_, err := ReadFacts(t.Context(), TransmitterFunc(
			func(ctx context.Context, cmd []byte) ([]byte, error) {
				if n++; n > after {
					return nil, errPulled
				}
				return card.Transmit(ctx, cmd)
			}), factsOptions)
		require.ErrorIs(t, err, errPulled, "after %d", after)
		require.ErrorIs(t, err, ErrNoAnswer)
	}
}

func TestGatherIsBounded(t *testing.T) {
	card := &scripted{answers: map[string]string{"80CA": "6110", "00C0": "AA6110"}}
	_, err := exchange(t.Context(), card, gp.GetData{Tag: gp.TagCPLC, Ne: 256}.Command())
	require.Error(t, err)
	assert.LessOrEqual(t, len(card.sent), maxPieces+1)
}

func TestPreferredKVN(t *testing.T) {
	element := func(id, kvn, alg byte) string {
		return fmt.Sprintf("C004%02X%02X%02X10", id, kvn, alg)
	}
	both := []scp.Variant{{SCP: 2, I: 0x15}, {SCP: 3, I: 0x70}}
	for name, c := range map[string]struct {
		elements []string
		variants []scp.Variant
		want     keys.KVN
	}{
		"both kinds":        {[]string{element(1, 0x20, 0x80), element(1, 0x30, 0x88)}, both, 0x30},
		"AES alone":         {[]string{element(1, 0x30, 0x88)}, both, 0},
		"DES alone":         {[]string{element(1, 0x20, 0x80)}, both, 0},
		"SCP03 not offered": {[]string{element(1, 0x20, 0x80), element(1, 0x30, 0x88)}, both[:1], 0},
		"not for channels":  {[]string{element(1, 0x20, 0x80), element(1, 0x70, 0x88)}, both, 0},
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.Join(c.elements, "")
			card := cardAnswers(map[string]string{
				askKeys: fmt.Sprintf("E0%02X%s9000", len(body)/2, body),
			})
			f, err := ReadFacts(t.Context(), card, factsOptions)
			require.NoError(t, err)
			f.Variants = c.variants
			assert.Equal(t, c.want, f.PreferredKVN())
			assert.Equal(t, len(c.elements) > 1, f.HoldsBeside(0x20))
			assert.False(t, f.HoldsBeside(0x55))
		})
	}
}
