package simcard_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/vectors"
	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
)

// stockFor is a stock whose card manager can stand in for the recorded card.
func stockFor(t *testing.T, v vectors.Session) stock.Stock {
	t.Helper()
	s := stockOf(t, map[vectors.Byte]string{
		1: "op201-scp01", 2: "gp211-scp02", 3: "sce7-scp03",
	}[v.SCP])
	if len(v.AID) > 0 {
		s.ISD = gp.AID(v.AID)
	}
	return s
}

// recorded makes a card that has the recorded card's keys and identity. The key version is the one
// asked for: one host accepts an answer that names another.
func recorded(t *testing.T, v vectors.Session, opts ...simcard.Option) *simcard.Card {
	t.Helper()
	kvn := v.InitUpdate[2]
	if kvn == 0 {
		kvn = v.InitUpdateResponse[10]
	}
	opts = append([]simcard.Option{
		simcard.WithProtocol(byte(v.SCP), byte(v.I)), simcard.WithKDD(v.KDD()),
		simcard.WithKeys(v.ENC, v.MAC, v.DEK), simcard.WithKVN(keys.KVN(kvn)),
		simcard.WithSequenceCounter(v.Sequence()),
	}, opts...)
	c, err := simcard.New(stockFor(t, v), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.PowerOn())
	return c
}

// Foreign hosts' recorded sessions run against the card: it answers the recorded cryptogram, takes
// the recorded handshake, and takes every wrapped command as the card of the recording did.
func TestForeignSessionsRunAsRecorded(t *testing.T) {
	sessions, err := vectors.Sessions()
	require.NoError(t, err)
	commands := 0
	for _, v := range sessions {
		t.Run(v.Name, func(t *testing.T) {
			c := recorded(t, v, simcard.WithCardChallenge(v.CardChallenge()))
			require.Equal(t, answerOf(v), send(t, c, upper(v.InitUpdate)))
			require.Equal(t, "9000", send(t, c, upper(v.ExternalAuthenticate)))
			for i, e := range v.Commands {
				got := send(t, c, upper(e.Wrapped))
				require.NotContains(t, []string{"6982", "6985", "6988"}, sw(got), "command %d", i+1)
				commands++
			}
		})
	}
	require.Greater(t, len(sessions), 25)
	require.Greater(t, commands, 70)
}

// answerOf is the recorded answer to INITIALIZE UPDATE, with the key version that was asked for.
func answerOf(v vectors.Session) string {
	b := append([]byte(nil), v.InitUpdateResponse...)
	if asked := v.InitUpdate[2]; asked != 0 {
		b[10] = asked
	}
	return upper(b) + "9000"
}

// A wrapped command of a recorded session is refused with one bit changed anywhere.
func TestForeignSessionsWithOneBitChanged(t *testing.T) {
	sessions, err := vectors.Sessions()
	require.NoError(t, err)
	for _, v := range sessions {
		t.Run(v.Name, func(t *testing.T) {
			c := recorded(t, v, simcard.WithCardChallenge(v.CardChallenge()),
				simcard.WithMaxTries(0))
			ea := append([]byte(nil), v.ExternalAuthenticate...)
			for i := 5; i < 21; i++ {
				ea[i] ^= 1
				send(t, c, upper(v.InitUpdate))
				require.Contains(t, []string{"6300", "6982"}, send(t, c, upper(ea)), "byte %d", i)
				ea[i] ^= 1
			}
			if len(v.Commands) == 0 {
				return
			}
			cmd := append([]byte(nil), v.Commands[0].Wrapped...)
			for i := 5; i < 5+int(cmd[4]); i++ {
				fresh := recorded(t, v, simcard.WithCardChallenge(v.CardChallenge()))
				send(t, fresh, upper(v.InitUpdate))
				require.Equal(t, "9000", send(t, fresh, upper(v.ExternalAuthenticate)))
				cmd[i] ^= 1
				require.Equal(t, "6982", send(t, fresh, upper(cmd)), "byte %d", i)
				cmd[i] ^= 1
				require.Equal(t, "6982", send(t, fresh, upper(cmd)), "the session is over")
			}
		})
	}
}

// Where the recorded challenge follows from counter and AID, the card makes it itself.
func TestPseudoRandomChallengesAsRecorded(t *testing.T) {
	sessions, err := vectors.Sessions()
	require.NoError(t, err)
	n := 0
	for _, v := range sessions {
		if len(v.AID) == 0 {
			continue
		}
		n++
		t.Run(v.Name, func(t *testing.T) {
			c := recorded(t, v)
			require.Equal(t, answerOf(v), send(t, c, upper(v.InitUpdate)))
			require.Equal(t, "9000", send(t, c, upper(v.ExternalAuthenticate)))
		})
	}
	require.Greater(t, n, 5)
}

// A recorded deployment by a foreign host: delete, load, install.
func TestForeignHostLoadsAnApplet(t *testing.T) {
	sessions, err := vectors.Sessions()
	require.NoError(t, err)
	for _, v := range sessions {
		if v.Name != "SCP02 install_mac_enc" {
			continue
		}
		c := recorded(t, v, simcard.WithCardChallenge(v.CardChallenge()))
		send(t, c, upper(v.InitUpdate))
		send(t, c, upper(v.ExternalAuthenticate))
		// The recorded card had the package that the second command deletes; this one has not.
		want := []string{"6A88", "6A88", "009000", "009000", "009000", "009000"}
		require.Len(t, v.Commands, len(want))
		for i, e := range v.Commands {
			require.Equal(t, want[i], send(t, c, upper(e.Wrapped)), "command %d", i+1)
		}
		require.Equal(t, "9000", send(t, c, "00A4040008D0D1D2D3D4D5010100"))
		require.Equal(t, "6D00", send(t, c, "8000000000"))
		return
	}
	t.Fatal("the recording is missing")
}
