//go:build pcsc && cgo

package pcsc

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/benchtest"
	"tokenwright/simcard"
	applet "tokenwright/simcard/coolkey"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/scp"
)

// registrar is who acts over a secure channel to the applet.
var registrar = coolkey.Auth{Class: coolkey.ClassSecure}

// benchObject is the object that is read and written, as many bytes at once as a TPS does.
const (
	benchObject = coolkey.ObjectID(0x7A300000)
	benchBytes  = 208
)

// nobody is the nonce of who has not logged in.
const nobody = "0000000000000000"

// benchSlots are those of the pair that operations are done with.
var benchSlots = coolkey.PairAddress{Owner: coolkey.OwnerAnyone, Private: 2, Public: 3}

// newCoolKeyRig has the applet selected, an object on it, and a channel open to it.
func newCoolKeyRig(b *testing.B, stockName string) (*rig, *scp.Host) {
	b.Helper()
	g := newRig(b, stockName, simcard.WithApplet(applet.DefaultVersion, nil))
	g.send(gp.Select{AID: coolkey.AppletAID, Ne: 256}.Command())
	h := openChannel(g)
	anyone := coolkey.ObjectACL{Read: 0xFFFF, Write: 0xFFFF, Delete: 0xFFFF}
	g.sendAll(wrapAll(b, h, []apdu.Command{coolkey.CreateObject{
		ID: benchObject, Size: benchBytes, ACL: anyone, Auth: registrar,
	}.Command()}))
	return g, h
}

// BenchmarkServiceCoolKey: commands of the applet that need no key of the user's.
func BenchmarkServiceCoolKey(b *testing.B) {
	const read = "B056000011" + "7A300000" + "00000000" + "D0" + nobody
	for _, c := range []struct {
		name, cmd string
		least     float64
	}{
		{"get-status", "B03C000010", leastOfEcho}, {"read-208", read, leastOfEchoData},
	} {
		b.Run(c.name, func(b *testing.B) {
			g, _ := newCoolKeyRig(b, "op201-scp01")
			g.besideEcho(c.least, again(c.cmd)(g))
		})
	}
	for _, name := range []string{"op201-scp01", "gp211-scp02", "sce7-scp03"} {
		b.Run("secure-write-208/"+name, func(b *testing.B) {
			g, h := newCoolKeyRig(b, name)
			g.besideEcho(leastOfEchoData, secureWrites(g, h))
		})
	}
}

// secureWrites is twenty WRITE OBJECT a turn at security level 03, each of other bytes, so that the
// card has something to commit. What the host does for the channel is not measured.
func secureWrites(g *rig, h *scp.Host) func() [][]byte {
	n := uint32(0)
	return func() [][]byte {
		cmds := make([]apdu.Command, 20)
		for i := range cmds {
			n++
			data := slices.Repeat(binary.BigEndian.AppendUint32(nil, n), benchBytes/4)
			cmds[i] = coolkey.WriteObject{ID: benchObject, Data: data, Auth: registrar}.Command()
		}
		return wrapAll(g, h, cmds)
	}
}

// besideCall sends a command, and does the bare operation that the card does for it. There is no
// least share of its rate: what is missing is the way through pcscd, which BenchmarkServiceCoolKey
// bounds, and what the card adds is bounded by the benchmarks of simcard.
func (g *rig) besideCall(cmd string, call func() error) {
	g.Helper()
	cmds := [][]byte{unhex(g, cmd)}
	turn := benchtest.Turn{
		N:    1,
		Ours: func() { g.sendAll(cmds) },
		Baseline: func() {
			if err := call(); err != nil {
				g.Fatal(err)
			}
		},
	}
	benchtest.InTurns(g.B, 0, func() benchtest.Turn { return turn })
}

// generate has the card make the pair.
func generate(g *rig, h *scp.Host, cmd coolkey.StartEnrollment) {
	g.Helper()
	cmd.Pair, cmd.Ne = benchSlots, 256
	// It stands for an encrypted challenge, whatever that decrypts to: no one verifies the proof here.
	cmd.Challenge = make([]byte, 16)
	g.sendAll(wrapAll(g, h, []apdu.Command{cmd.Command()}))
}

// BenchmarkServiceRSA: private operations of RSA-2048 with the input in the buffer, signing with the
// applet's self check, beside those of crypto/rsa. The result of one is the input of the next.
func BenchmarkServiceRSA(b *testing.B) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(b, err)
	digest := sha256.Sum256([]byte("message"))
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, &k.PublicKey, digest[:])
	require.NoError(b, err)
	for _, c := range []struct {
		name, cmd string
		call      func() error
	}{
		{"sign", "B03602040D" + "0003020000" + nobody, func() error {
			_, err := rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:])
			return err
		}},
		{"decrypt", "B03602040D" + "0004020000" + nobody, func() error {
			_, err := rsa.DecryptPKCS1v15(nil, k, sealed)
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			g, h := newCoolKeyRig(b, "op201-scp01")
			generate(g, h, coolkey.StartEnrollment{Algorithm: coolkey.AlgorithmDES, Bits: 2048})
			var input []apdu.Command
			buffer := append([]byte{1, 0}, make([]byte, 256)...)
			buffer[2+255] = 0x5A
			for part := range slices.Chunk(buffer, benchBytes) {
				input = append(input, coolkey.WriteObject{
					ID: coolkey.ObjectIO, Offset: uint32(len(input) * benchBytes), Data: part,
					Auth: registrar,
				}.Command())
			}
			g.sendAll(wrapAll(g, h, input))
			g.besideCall(c.cmd, c.call)
		})
	}
}

// BenchmarkServiceP256: operations on P-256 beside those of crypto/ecdsa and crypto/ecdh.
func BenchmarkServiceP256(b *testing.B) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b, err)
	dh, err := k.ECDH()
	require.NoError(b, err)
	peer, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(b, err)
	point := peer.PublicKey().Bytes()
	digest := sha256.Sum256([]byte("message"))
	for _, c := range []struct {
		name, cmd string
		call      func() error
	}{
		{
			"sign", "B03702042B" + "010020" + hex.EncodeToString(digest[:]) + nobody,
			func() error {
				_, err := k.Sign(nil, digest[:], crypto.SHA256)
				return err
			},
		},
		{
			"derive", "B03802044C" + "010041" + hex.EncodeToString(point) + nobody,
			func() error {
				other, err := ecdh.P256().NewPublicKey(point)
				if err == nil {
					_, err = dh.ECDH(other)
				}
				return err
			},
		},
	} {
		b.Run(c.name, func(b *testing.B) {
			g, h := newCoolKeyRig(b, "op201-scp01")
			generate(g, h, coolkey.StartEnrollment{ECC: true, Bits: 256})
			g.besideCall(c.cmd, c.call)
		})
	}
}
