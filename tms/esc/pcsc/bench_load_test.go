//go:build pcsc && cgo

package pcsc

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/applets"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// again is one command, twenty times a turn.
func again(cmd string) func(*rig) func() [][]byte {
	return func(g *rig) func() [][]byte {
		turn := slices.Repeat([][]byte{unhex(g, cmd)}, 20)
		return func() [][]byte { return turn }
	}
}

// loads is the applet's whole load and its removal a turn, as the host sends them in a secure
// channel, encrypted and with MACs. What the host does for that is not measured.
func loads(g *rig) func() [][]byte {
	cmds := loadCommands(g)
	h := openChannel(g)
	return func() [][]byte { return wrapAll(g, h, cmds) }
}

// wrapAll gives the commands as they go over the channel.
func wrapAll(t testing.TB, h *scp.Host, cmds []apdu.Command) [][]byte {
	t.Helper()
	out := make([][]byte, len(cmds))
	for i, cmd := range cmds {
		wrapped, err := h.Wrap(cmd)
		require.NoError(t, err)
		out[i], err = wrapped.Bytes()
		require.NoError(t, err)
	}
	return out
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

// openChannel opens a channel at security level 03 with the factory keys to what is selected.
func openChannel(g *rig) *scp.Host {
	g.Helper()
	set, err := g.card.Stock().FactoryKeys(g.card.KDD())
	require.NoError(g, err)
	challenge := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	answer, err := gp.ParseInitializeUpdateResponse(
		g.send(gp.InitializeUpdate{KVN: set.KVN, HostChallenge: challenge, Ne: 256}.Command()))
	require.NoError(g, err)
	static := kdf.FromKeySet(set)
	c := kdf.Challenges{Host: challenge, Card: answer.Challenge}
	var sk keys.SessionKeys
	switch answer.Info.SCP {
	case 2:
		c.Seq = [2]byte(answer.Seq)
		sk, err = kdf.SessionSCP02(static, c.Seq)
	case 3:
		sk, err = kdf.SessionSCP03(static, challenge, [8]byte(answer.Challenge))
	default:
		sk, err = kdf.SessionSCP01(static, challenge, [8]byte(answer.Challenge))
	}
	require.NoError(g, err)
	host, _, err := kdf.Cryptograms(answer.Info.SCP, sk, c)
	require.NoError(g, err)
	v := scp.Variant{SCP: answer.Info.SCP, I: g.card.Stock().I}
	h, err := scp.NewHost(v, scp.CMAC|scp.CDEC, sk, scp.HostOptions{})
	require.NoError(g, err)
	authenticate, err := h.ExternalAuthenticate(host)
	require.NoError(g, err)
	g.send(authenticate)
	return h
}

// send sends a command as it is and gives the data of its answer, which has to be 9000.
func (g *rig) send(cmd apdu.Command) []byte {
	g.Helper()
	b, err := cmd.Bytes()
	require.NoError(g, err)
	raw, err := g.reader.Transmit(g.Context(), b)
	require.NoError(g, err)
	resp, err := apdu.ParseResponse(raw)
	require.NoError(g, err)
	require.NoError(g, resp.Err())
	return resp.Data
}
