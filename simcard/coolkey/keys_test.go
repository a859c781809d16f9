package coolkey_test

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/pubkey"
)

// compute sends an input to INS 37 or 38 and gives the answer.
func (l *lab) compute(ins, slot string, input []byte) []byte {
	l.t.Helper()
	r := l.ask(command("B0"+ins+slot+"04", fmt.Sprintf("01%04X%XZ", len(input), input)))
	require.Equal(l.t, "9000", r[len(r)-4:])
	return unhex(l.t, r[:len(r)-4])
}

// cut takes a length and as many bytes, and nothing more, off an answer.
func cut(t *testing.T, b []byte) []byte {
	t.Helper()
	require.GreaterOrEqual(t, len(b), 2)
	require.Equal(t, int(b[0])<<8|int(b[1]), len(b)-2)
	return b[2:]
}

// Keys on curves: the proof of enrollment, and the four pairs of instruction and payload, as one client
// and the other expect the answers.
func TestCurves(t *testing.T) {
	for _, build := range []uint32{build14, build15} {
		for _, c := range []struct {
			bits  int
			curve elliptic.Curve
			dh    ecdh.Curve
		}{
			{256, elliptic.P256(), ecdh.P256()},
			{384, elliptic.P384(), ecdh.P384()},
			{521, elliptic.P521(), ecdh.P521()},
		} {
			l := newLab(t, build, nil)
			total := l.ask(l.enroll("0D", "F203", c.bits))
			n := (c.bits + 7) / 8
			b := l.read("FFFFFFFF", int(unhex(t, total[:4])[0])<<8|int(unhex(t, total[:4])[1]))
			blob, proof := b[2:2+6+1+2*n], cut(t, b[2+6+1+2*n:])
			require.Equal(t, fmt.Sprintf("%04X000A%04X%04X04", 7+2*n, c.bits, 1+2*n), upper(b[:9]))
			pub, err := ecdsa.ParseUncompressedPublicKey(c.curve, blob[6:])
			require.NoError(t, err)
			digest := sha1.Sum(append(bytes.Clone(blob), challenge...))
			require.True(t, ecdsa.VerifyASN1(pub, digest[:], proof))
			l.want("B03A00000B", fmt.Sprintf("=020B03%04X00004000FFFF9000", c.bits),
				"B03A01000B", fmt.Sprintf("=030A02%04XFFFF4000FFFF9000", c.bits))

			l.start() // the keys survive a reset
			message := sha256.Sum256([]byte("message"))
			require.True(t, ecdsa.VerifyASN1(pub, message[:], cut(t, l.compute("37", "02", message[:]))))
			raw := l.compute("38", "02", message[:])
			require.Len(t, raw, 2*n)
			require.True(t, ecdsa.Verify(pub, message[:], new(big.Int).SetBytes(raw[:n]),
				new(big.Int).SetBytes(raw[n:])))

			d, err := pubkey.GenerateEC(strings.NewReader(strings.Repeat("\x01\x55", 99)), c.bits)
			require.NoError(t, err)
			other, err := c.dh.NewPrivateKey(d)
			require.NoError(t, err)
			ours, err := c.dh.NewPublicKey(blob[6:])
			require.NoError(t, err)
			secret, err := other.ECDH(ours)
			require.NoError(t, err)
			require.Equal(t, secret, cut(t, l.compute("38", "02", other.PublicKey().Bytes())))
			require.Equal(t, secret, l.compute("37", "02", other.PublicKey().Bytes()))
		}
	}
}

// A payload as long as a point that does not start as one is a digest, and too long for one.
func TestCurvePayloads(t *testing.T) {
	l := newLab(t, build14, nil)
	l.want(l.enroll("0D", "F203", 256), "9000")
	l.want(command("B0370204", "010041"+"05"+ff(64)+"Z"), "9C19",
		command("B0370204", "010040"+"04"+ff(63)+"Z"), "9000", // a digest of SHA-512
		command("B0370204", "010061"+"04"+ff(96)+"Z"), "9C19") // the point of another curve
	l.io("0020" + ff(32))
	l.want(command("B0380204", "02Z"), "=9000")
	require.Len(t, l.read("FFFFFFFF", 64), 64)
	l.want(command("B0560000", "FFFFFFFF0000000041Z"), "9C0F")
}

// Wrapped private keys, in all ways that a build takes, sign afterwards.
func TestWrappedKeysWork(t *testing.T) {
	k := foreign(smallKey())
	block := unhex(t, "0001"+ff(64-2-1-20)+"00"+strings.Repeat("77", 20))
	want := new(big.Int).Exp(new(big.Int).SetBytes(block), k.D, k.N).FillBytes(make([]byte, 64))
	for _, c := range []struct {
		build         uint32
		algorithm, iv string
		blob          func(testing.TB, string) string
	}{
		{build14, "81", iv, encrypted}, {build14, "88", iv, encrypted}, {build14, "00", iv, encrypted},
		{build15, "81", iv, encrypted}, {build15, "88", iv, kwpBlob}, {build15, "89", iv + iv, cbcBlob},
		{0x64260792, "88", iv + iv, kwpBlob}, {0x64260792, "89", iv, encrypted},
		{0x558CDCFF, "88", iv, encrypted}, {0x54DE790F, "81", iv, encrypted},
	} {
		l := newLab(t, c.build, nil)
		l.create("FF00FFF3", "400040004000", c.blob(t, pairBlob(512, smallKey())))
		l.want(l.imported("F203", c.algorithm, "FF00FFF3", "", c.iv), "9000",
			command("84360204", "0003010040"+upper(block)), "=0040"+upper(want)+"9000",
			command("84360304", "0003010040"+upper(want)), "=0040"+upper(block)+"9000")
		r := l.ask(command("84560000", "FF00FFF30000000040"))
		require.Equal(t, strings.Repeat("00", 64)+"9000", r, "the wrapped key is gone")
	}
}

// Check values of session keys: three bytes of the key's own, or none.
func TestSessionKeyCheckValues(t *testing.T) {
	first := func(c cipher.Block, err error, fill byte) string {
		require.NoError(t, err)
		b := bytes.Repeat([]byte{fill}, c.BlockSize())
		c.Encrypt(b, b)
		return upper(b[:3])
	}
	des3, err := des.NewTripleDESCipher(append(bytes.Clone(sessionKey), sessionKey[:8]...))
	desValue := first(des3, err, 0)
	c, err := aes.NewCipher(sessionKey)
	for algorithm, kcv := range map[string]string{"81": desValue, "88": first(c, err, 1)} {
		l := newLab(t, build15, nil)
		blob := encrypted(t, pairBlob(512, smallKey()))
		if algorithm == "88" {
			blob = kwpBlob(t, pairBlob(512, smallKey()))
		}
		l.io(blob)
		l.want(l.imported("F203", algorithm, "FFFFFFFF", "AAAAAA", iv), "9C20",
			l.imported("F203", algorithm, "FFFFFFFF", kcv, iv), "9000")
	}
}

// Keys of 4096 bits are taken by the line with AES alone, through the buffer and without self check.
func TestLargeKeys(t *testing.T) {
	half := append([]byte{0xC0}, bytes.Repeat([]byte{0xA5}, 255)...)
	n := pubkey.RSANumbers{P: half, Q: half, QInv: []byte{1}, DP: []byte{3}, DQ: []byte{3}}
	l := newLab(t, build14, nil)
	l.create("FF00FFF3", "FFFFFFFFFFFF", encrypted(t, crtBlob(4096, n)))
	l.want(l.imported("F203", "81", "FF00FFF3", "", iv), "6F00")

	l = newLab(t, build15, nil)
	l.create("FF00FFF3", "FFFFFFFFFFFF", encrypted(t, crtBlob(4096, n)))
	l.want(l.imported("F203", "81", "FF00FFF3", "", iv), "9000")
	l.io("0200" + strings.Repeat("00", 511) + "02")
	l.want(command("B0360204", "000302Z"), "=9000")
	out := l.read("FFFFFFFF", 514)
	require.Equal(t, []byte{2, 0}, out[:2])
	require.EqualValues(t, 8, out[513], "2 to the third")
}

// The proof of an RSA enrollment and the traces of its self check in the buffer.
func TestSelfCheckLeavesTraces(t *testing.T) {
	for build, at := range map[uint32][3]int{build14: {450, 714, 734}, build15: {514, 1100, 1150}} {
		l := newLab(t, build, nil)
		l.want(l.enroll("0C", "F203", 1024), "=010F9000")
		b := l.read("FFFFFFFF", 271)
		digest := sha1.Sum(append(bytes.Clone(b[2:141]), challenge...))
		pub := &rsa.PublicKey{N: new(big.Int).SetBytes(b[8:136]), E: 65537}
		require.NoError(t, rsa.VerifyPKCS1v15(pub, crypto.SHA1, digest[:], b[143:]))

		input := "00" + strings.Repeat("5A", 127)
		l.want(command("84360204", "0003010080"+input), "9000",
			command("845A0000", fmt.Sprintf("FFFFFFFF%08X%s", 890, ff(6))), "9000")
		if build == build15 {
			l.want(command("845A0000", fmt.Sprintf("FFFFFFFF%08X%s", 1200, ff(6))), "9000")
		}
		sum := sha1.Sum(unhex(t, input))
		all := l.read("FFFFFFFF", at[2]+20)
		require.Equal(t, unhex(t, input), all[at[0]:at[0]+128])
		require.Equal(t, sum[:], all[at[1]:at[1]+20])
		require.Equal(t, sum[:], all[at[2]:at[2]+20])
	}
}

// Ciphers: what they were initialised with ends with the power, their direction with selection.
func TestCipherState(t *testing.T) {
	l := newLab(t, build14, nil)
	l.private()
	final := command("84360203", "010040"+"00"+strings.Repeat("5A", 63))
	l.want(final, "9C14", command("84360201", "0103010000"), "9C1B", final, "9C10",
		command("84360201", "0004010000"), "9000", final, "9000", final, "9000")
	l.reselect()
	l.want(final, "9C14", command("84360201", "0104010000"), "9C1B", final, "9000")
	l.start()
	l.want(final, "9C14", command("84360201", "0104010000"), "9C1B", final, "6F00")
}

// The channel of each line: what its security domain answers, and what level it asks for.
func TestChannels(t *testing.T) {
	for build, hidden := range map[uint32]string{build14: "6E00", build15: "6F00"} {
		l := newLab(t, build, nil)
		l.domain.fails = 0x6E00
		l.want("8050000008"+noNonce, hidden)
		l.domain.fails = 0x6A88
		l.want("8050000008"+noNonce, "6A88", "8082000000", "6D00")
		l.domain.fails = 0
		l.want("8050000008"+noNonce, "="+strings.Repeat("00", 28)+"9000")
	}
	for build, want := range map[uint32][3]string{
		build14: {"6985", "9000", "6985"}, build15: {"9000", "9000", "9000"},
	} {
		for i, level := range []string{"00", "03", "33"} {
			l := newLab(t, build, nil)
			l.want(command("8482"+level+"00", strings.Repeat("00", 16)), want[i])
		}
	}
	l := newLab(t, build15, nil)
	l.domain.level = 0 // without C-MAC
	l.want("8404000004"+userPIN, "6982")
	l.domain.open = false
	l.domain.level = 1
	l.want("8404000004"+userPIN, "6982")
}
