//go:build pcsc && cgo

package pcsc

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/applets"
	"tokenwright/simcard"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// again is one command, twenty times a turn.
func again(cmd string) func(testing.TB, *Card, *simcard.Card) func() [][]byte {
	return func(t testing.TB, _ *Card, _ *simcard.Card) func() [][]byte {
		turn := slices.Repeat([][]byte{unhex(t, cmd)}, 20)
		return func() [][]byte { return turn }
	}
}

// loads is the applet's whole load and its removal a turn, as the host sends them
// in an SCP03 channel, encrypted and with MACs. What the host does for that is not measured.
func loads(t testing.TB, reader *Card, card *simcard.Card) func() [][]byte {
	cmds := loadCommands(t)
	h := openSCP03(t, reader, card)
	return func() [][]byte {
		turn := make([][]byte, len(cmds))
		for i, cmd := range cmds {
			wrapped, err := h.Wrap(cmd)
			require.NoError(t, err)
			turn[i], err = wrapped.Bytes()
			require.NoError(t, err)
		}
		return turn
	}
}

func loadCommands(t testing.TB) []apdu.Command {
	t.Helper()
	file, err := applets.File(applets.Versions()[0])
	require.NoError(t, err)
	blocks, err := gp.LoadBlocks(file, 208)
	require.NoError(t, err)
	load := gp.InstallForLoad{
		File: coolkey.PackageAID, Params: gp.LoadParams(uint32(len(file))), Ne: 256,
	}
	cmds := []apdu.Command{load.Command()}
	for _, block := range blocks {
		block.Ne = 256
		cmds = append(cmds, block.Command())
	}
	return append(cmds, gp.Delete{AID: coolkey.PackageAID, Related: true}.Command())
}

// openSCP03 opens a channel at security level 03 with the factory keys.
func openSCP03(t testing.TB, reader *Card, card *simcard.Card) *scp.Host {
	t.Helper()
	send := func(cmd apdu.Command) []byte {
		b, err := cmd.Bytes()
		require.NoError(t, err)
		raw, err := reader.Transmit(t.Context(), b)
		require.NoError(t, err)
		resp, err := apdu.ParseResponse(raw)
		require.NoError(t, err)
		require.NoError(t, resp.Err())
		return resp.Data
	}
	set, err := card.Stock().FactoryKeys(card.KDD())
	require.NoError(t, err)
	challenge := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	answer, err := gp.ParseInitializeUpdateResponse(
		send(gp.InitializeUpdate{KVN: set.KVN, HostChallenge: challenge, Ne: 256}.Command()))
	require.NoError(t, err)
	var sk keys.SessionKeys
	sk, err = kdf.SessionSCP03(kdf.FromKeySet(set), challenge, [8]byte(answer.Challenge))
	require.NoError(t, err)
	host, _, err := kdf.Cryptograms(3, sk, kdf.Challenges{Host: challenge, Card: answer.Challenge})
	require.NoError(t, err)
	h, err := scp.NewHost(scp.Variant{SCP: 3, I: card.Stock().I}, scp.CMAC|scp.CDEC, sk,
		scp.HostOptions{})
	require.NoError(t, err)
	authenticate, err := h.ExternalAuthenticate(host)
	require.NoError(t, err)
	send(authenticate)
	return h
}
