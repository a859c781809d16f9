package simcard_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/simcard/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

const (
	fciVisa       = "6F108408A000000003000000A5049F6501FF9000"
	fciGlobal     = "6F108408A000000151000000A5049F6501FF9000"
	selectCoolKey = "00A4040007627601FF000000"
)

type exchange struct{ cmd, want string }

// run demands answers; a want of four digits is the status word alone.
func demand(t *testing.T, c *simcard.Card, steps ...exchange) {
	t.Helper()
	for i, s := range steps {
		got := send(t, c, s.cmd)
		if len(s.want) == 4 {
			got = sw(got)
		}
		require.Equal(t, s.want, got, "step %d: %s", i+1, s.cmd)
	}
}

func withCoolKey() simcard.Option { return simcard.WithApplet(coolkey.DefaultVersion, nil) }

func TestSelection(t *testing.T) {
	c := newCard(t, "gp211-scp01", withCoolKey())
	demand(t, c,
		exchange{"80CA006600", "9000"}, // the security domain, without any SELECT
		exchange{"00A4040000", fciVisa},
		exchange{"00A40400", fciVisa},
		exchange{"00A4040008A00000000300000000", fciVisa},
		exchange{"00A4040007A0000000030000", fciVisa}, // partial
		exchange{"00A4040C07A0000000030000", "9000"},  // no answer data wanted
		exchange{"00A4040008A00000015100000000", "6A82"},
		exchange{"80CA006600", "9000"}, // a failed SELECT changes nothing
		exchange{selectCoolKey, "9000"},
		exchange{"80CA9F7F2D", "6D00"},
		exchange{"00A4040007A000000079010000", "6A82"},
		exchange{"B071000000", "9000"}, // still CoolKey
		exchange{"00A4040005627601FF00", "9000"},
		exchange{"B071000000", "9000"},
		exchange{"00A4040C06627601FF0000", "9000"},
		exchange{"00A4040007627601FF00000000", "9000"},
		exchange{"00A4040000", fciVisa},
		exchange{"B071000000", "6E00"},
		exchange{"00A4000002 3F00 00", "6A86"},
		exchange{"04A4040000", "6882"},
		exchange{"01A4040000", "6881"},
		exchange{"00A4040011" + strings.Repeat("A0", 17), "6A80"},
		exchange{"00A4040004A0000000", "6A80"},
		exchange{"00A4040105A000000003", "6A86"},
		exchange{"00A4041005A000000003", "6A86"},
	)
}

func TestSelectionOfANewerCard(t *testing.T) {
	c := newCard(t, "sce7-scp03")
	demand(t, c,
		exchange{"00A4040000", fciGlobal},
		exchange{"00A4040008A000000151000000", fciGlobal},
		exchange{"00A4040C07A0000000030000", "9000"},
		exchange{"00A4040008A000000003000000", fciGlobal},
	)
}

// Partial AIDs go through the matches in registry order (GPCS 2.3.1 §6.4.2.1.2).
func TestSelectNext(t *testing.T) {
	c := newCard(t, "sce7-scp03", withCoolKey())
	h := channel(t, c, 1, 1)
	for _, aid := range []string{"627601FF000001", "627601FF00000002"} {
		in := gp.InstallForInstall{
			MakeSelectable: true, File: packageAID, Module: appletAID, Instance: unhex(t, aid),
			Privileges: gp.Privileges{0}, Params: gp.InstallParams{0xC9, 0},
		}
		require.NoError(t, h.send(in.Command()).Err())
	}
	version := "B03C000010"
	demand(t, c,
		exchange{"00A4040005627601FF00", "9000"},
		exchange{version, "9000"},
		exchange{"00A4040205627601FF00", "9000"},
		exchange{"00A4040205627601FF00", "9000"},
		exchange{"00A4040205627601FF00", "6A82"},
		exchange{"00A4040207627601FF000000", "6A82"},
		exchange{"00A4040000", fciGlobal},
		exchange{"00A4040207627601FF000001", "9000"},
		// An AID in full comes before those that it starts.
		exchange{"00A4040007627601FF000000", "9000"},
		exchange{"00A4040207627601FF000000", "9000"},
		exchange{"00A4040207627601FF000000", "6A82"},
	)
}

func TestClassesAndInstructions(t *testing.T) {
	c := newCard(t, "gp211-scp02")
	demand(t, c,
		exchange{"FFCA006600", "6E00"}, exchange{"20CA006600", "6E00"},
		exchange{"90CA006600", "6E00"}, exchange{"A0CA006600", "6E00"},
		exchange{"81CA006600", "6881"}, exchange{"40CA006600", "6881"},
		exchange{"C0CA006600", "6881"}, exchange{"0070000001", "6881"},
		exchange{"84CA006600", "6982"}, exchange{"84FF000000", "6982"},
		exchange{"80FF000000", "6D00"}, exchange{"0084000008", "6D00"},
		exchange{"00F28002024F00", "6E00"},
		exchange{"80", "6700"}, exchange{"", "6700"}, exchange{"80CA9F7F0500", "6700"},
		exchange{"80CA00660000FF", "6700"}, // extended
	)
	// Without a session, every instruction that manages content is refused, and no other is known.
	known := "CA D8 E2 E4 E6 E8 F0 F2 50 82 A4 70 "
	for ins := range 256 {
		got := send(t, c, "80"+upper([]byte{byte(ins)})+"000000")
		switch {
		case !strings.Contains(known, upper([]byte{byte(ins)})+" "):
			require.Equal(t, "6D00", got, "INS %02X", ins)
		case ins >= 0xD8:
			require.Equal(t, "6982", got, "INS %02X", ins)
		}
	}
	require.Equal(t, "9000", sw(send(t, c, "80CA006600")), "alive")
}

func TestPower(t *testing.T) {
	c := newCard(t, "gp211-scp01", withCoolKey())
	require.Len(t, c.ATR(), 16)
	c.ATR()[0] = 0
	require.EqualValues(t, 0x3B, c.ATR()[0])
	demand(t, c, exchange{selectCoolKey, "9000"}, exchange{"B071000000", "9000"})
	require.NoError(t, c.Reset())
	demand(t, c, exchange{"B071000000", "6E00"}, exchange{"80CA006600", "9000"})
	require.NoError(t, c.PowerOff())
	require.NoError(t, c.PowerOff(), "off twice is no error")
	_, err := c.Transmit(t.Context(), []byte{0, 0xA4, 4, 0})
	require.ErrorIs(t, err, simcard.ErrNoPower)
	require.ErrorIs(t, c.Reset(), simcard.ErrNoPower)
	require.NoError(t, c.PowerOn())
	demand(t, c, exchange{"00A4040000", fciVisa})
}

// An instance with the privilege for it is selected by a reset (GPCS 2.3.1 §6.4.2.1.1).
func TestDefaultSelection(t *testing.T) {
	c := newCard(t, "gp211-scp01", withCoolKey())
	h := channel(t, c, 0xFF, 1)
	in := gp.InstallForInstall{
		MakeSelectable: true, File: packageAID, Module: appletAID,
		Instance: gp.AID{0x62, 0x76, 1, 2, 3}, Privileges: gp.Privileges{4},
		Params: gp.InstallParams{0xC9, 0},
	}
	require.NoError(t, h.send(in.Command()).Err())
	in.Instance = gp.AID{0x62, 0x76, 1, 2, 4}
	require.Equal(t, apdu.SW6985, h.send(in.Command()).SW, "there is one already")
	require.NoError(t, c.PowerOn())
	demand(t, c, exchange{"B071000000", "9000"}, exchange{"00A4040000", fciVisa})
	require.NoError(t, c.Reset())
	demand(t, c, exchange{"B071000000", "9000"})
}

func TestCardsDifferAndSeedsRepeat(t *testing.T) {
	stockName := "sce6-scp03"
	one, same := newCard(t, stockName), newCard(t, stockName)
	other := newCard(t, stockName, simcard.WithSeed(2))
	require.Equal(t, one.CUID(), same.CUID())
	require.Equal(t, send(t, one, "8050000008000000000000000000"),
		send(t, same, "8050000008000000000000000000"))
	require.NotEqual(t, one.CUID(), other.CUID())
	require.NotEqual(t, one.KDD(), other.KDD())
	require.NotEqual(t, one.KDD().String(), one.CUID().String())
	cplc, err := gp.ParseCPLC(unhex(t, send(t, one, "80CA9F7F2D"))[:45])
	require.NoError(t, err)
	require.Equal(t, one.CUID(), cplc.CUID())

	free, err := simcard.New(stockOf(t, stockName))
	require.NoError(t, err)
	defer free.Close()
	require.NotEqual(t, one.CUID(), free.CUID())
}

// The challenges of a seeded card do not repeat when it is started again.
func TestSeedGoesOnAfterPowerOn(t *testing.T) {
	c := newCard(t, "gp211-scp01")
	seen := map[string]bool{}
	for range 3 {
		for range 50 {
			r := send(t, c, "8050000008000000000000000000")[24:40]
			require.False(t, seen[r], "challenge %s again", r)
			seen[r] = true
		}
		require.NoError(t, c.PowerOn())
	}
}
