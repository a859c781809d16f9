package kdf_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// The openssl oracle: derivations written a second time from their descriptions, with the openssl
// command for every primitive. It covers what no foreign vector does: NIST with each length of
// master, GP KMC to 192 and 256 bits, session keys of three different static keys, SCP02's
// pseudo-random challenge. A machine without openssl fails the test.
type openssl struct {
	t    testing.TB
	path string
}

func newOpenSSL(t testing.TB) openssl {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatalf("the openssl command (3.0 or later) is needed as the independent oracle: %v", err)
	}
	return openssl{t, path}
}

func (o openssl) run(input []byte, args ...string) []byte {
	o.t.Helper()
	cmd := exec.Command(o.path, args...)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	require.NoError(o.t, err, "openssl %s", args[0])
	return out
}

func (o openssl) hmac(k, b []byte) []byte {
	return o.run(b, "mac", "-binary", "-digest", "SHA256", "-macopt", "hexkey:"+hex.EncodeToString(k), "HMAC")
}

func (o openssl) cmac(k, b []byte) []byte {
	return o.run(b, "mac", "-binary", "-cipher", fmt.Sprintf("AES-%d-CBC", 8*len(k)),
		"-macopt", "hexkey:"+hex.EncodeToString(k), "CMAC")
}

// des3 encrypts in CBC mode from a zero vector; one block at a time it is ECB.
func (o openssl) des3(k, b []byte) []byte {
	if len(k) == 16 {
		k = append(bytes.Clone(k), k[:8]...)
	}
	return o.run(b, "enc", "-des-ede3-cbc", "-nopad", "-K", hex.EncodeToString(k), "-iv", "0000000000000000")
}

func (o openssl) ecb(k, b []byte) []byte {
	var out []byte
	for ; len(b) > 0; b = b[8:] {
		out = append(out, o.des3(k, b[:8])...)
	}
	return out
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func oddParity(b []byte) []byte {
	out := bytes.Clone(b)
	for i := range out {
		ones := 0
		for bit := 1; bit < 8; bit++ {
			ones += int(out[i]>>bit) & 1
		}
		out[i] = out[i]&^1 | byte(1-ones%2)
	}
	return out
}

// material is n bytes that repeat nowhere.
func material(seed byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = seed ^ byte(17*i+3)
	}
	return b
}

var oracleKDD = []byte{0x47, 0x90, 0x50, 0x37, 0x72, 0x71, 0x97, 0x00, 0x74, 0xA9}

func TestOpenSSLOracleNIST(t *testing.T) {
	o := newOpenSSL(t)
	for _, c := range []struct {
		alg keys.Algorithm
		n   int
	}{{keys.DES3, 16}, {keys.DES3, 24}, {keys.AES, 16}, {keys.AES, 24}, {keys.AES, 32}} {
		m := material(0x6B, c.n)
		fixed := cat([]byte{0x04, 0x00}, oracleKDD, []byte{0x01, 0x80})
		stream := cat(o.hmac(m, cat([]byte{1}, fixed)), o.hmac(m, cat([]byte{2}, fixed)))
		for _, out := range []keys.Algorithm{keys.DES3, keys.AES} {
			got, err := kdf.Diversify(kdf.NIST, key(t, c.alg, m), kdf.Input{KDD: keys.KDD(oracleKDD), Out: out})
			require.NoError(t, err)
			for i, s := range []kdf.Secret{got.ENC, got.MAC, got.DEK} {
				want := stream[16*i : 16*i+16]
				if out == keys.DES3 {
					want = oddParity(want)
				}
				assert.Equal(t, want, s.(keys.Key).Bytes(), "%v master of %d bytes, key %d", c.alg, c.n, i+1)
			}
		}
	}
}

func TestOpenSSLOracleGPKMC(t *testing.T) {
	o := newOpenSSL(t)
	for _, masterLen := range []int{16, 24, 32} {
		m := material(0x2C, masterLen)
		for _, n := range []int{0, 16, 24, 32} {
			size := n
			if n == 0 {
				size = masterLen
			}
			for _, method := range []kdf.Method{kdf.GPKMC, kdf.KDF3} {
				got, err := kdf.Diversify(method, key(t, keys.AES, m), kdf.Input{
					CUID: keys.CUID(oracleKDD), UseCUID: true, OutLen: n,
				})
				require.NoError(t, err)
				context := oracleKDD
				if method == kdf.GPKMC {
					bits := 8 * size
					context = cat([]byte{0, 0}, oracleKDD[6:10], oracleKDD[4:6], []byte{byte(bits >> 8), byte(bits)})
				}
				for i, s := range []kdf.Secret{got.ENC, got.MAC, got.DEK} {
					var want []byte
					for block := byte(1); len(want) < size; block++ {
						want = cat(want, o.cmac(m, cat([]byte{block, 0, 0, 0, byte(i + 1), 0}, context)))
					}
					assert.Equal(t, want[:size], s.(keys.Key).Bytes(), "%v %d to %d", method, masterLen, size)
				}
			}
		}
	}
}

func TestOpenSSLOracleEMVAndVISA2(t *testing.T) {
	o := newOpenSSL(t)
	for _, n := range []int{16, 24} {
		m := material(0x91, n)
		for method, six := range map[kdf.Method][]byte{
			kdf.EMV:   oracleKDD[4:10],
			kdf.VISA2: cat(oracleKDD[0:2], oracleKDD[4:8]),
		} {
			got, err := kdf.Diversify(method, key(t, keys.DES3, m), kdf.Input{KDD: keys.KDD(oracleKDD)})
			require.NoError(t, err)
			for i, s := range []kdf.Secret{got.ENC, got.MAC, got.DEK} {
				tt := byte(i + 1)
				want := o.ecb(m, cat(six, []byte{0xF0, tt}, six, []byte{0x0F, tt}))
				assert.Equal(t, want, s.(keys.Key).Bytes(), "%v of %d bytes, key %d", method, n, tt)
			}
		}
	}
}

// TestOpenSSLOracleSessionKeys uses three different static keys, so that a mix-up of them shows.
func TestOpenSSLOracleSessionKeys(t *testing.T) {
	o := newOpenSSL(t)
	host, card := [8]byte(material(1, 8)), [8]byte(material(2, 8))
	for _, n := range []int{16, 24} {
		enc, mac, dek := material(0x10, n), material(0x50, n), material(0xA0, n)
		ck := kdf.CardKeys{
			ENC: key(t, keys.DES3, enc), MAC: key(t, keys.DES3, mac), DEK: key(t, keys.DES3, dek),
		}
		sk, err := kdf.SessionSCP01(ck, host, card)
		require.NoError(t, err)
		data := cat(card[4:], host[:4], card[:4], host[4:])
		assert.Equal(t, o.ecb(enc, data), sk.SENC.Bytes())
		assert.Equal(t, o.ecb(mac, data), sk.SMAC.Bytes())

		sk, err = kdf.SessionSCP02(ck, [2]byte{0x12, 0x34})
		require.NoError(t, err)
		for _, c := range []struct {
			static, constant []byte
			got              keys.Key
		}{
			{enc, []byte{0x01, 0x82}, sk.SENC}, {mac, []byte{0x01, 0x01}, sk.SMAC},
			{mac, []byte{0x01, 0x02}, sk.SRMAC}, {dek, []byte{0x01, 0x81}, sk.SDEK},
		} {
			want := o.des3(c.static, cat(c.constant, []byte{0x12, 0x34}, make([]byte, 12)))
			assert.Equal(t, want, c.got.Bytes(), "%X", c.constant)
		}
	}
	for _, n := range []int{16, 24, 32} {
		enc, mac, dek := material(0x10, n), material(0x50, n), material(0xA0, n)
		ck := kdf.CardKeys{
			ENC: key(t, keys.AES, enc), MAC: key(t, keys.AES, mac), DEK: key(t, keys.AES, dek),
		}
		sk, err := kdf.SessionSCP03(ck, host, card)
		require.NoError(t, err)
		for _, c := range []struct {
			static   []byte
			constant byte
			got      keys.Key
		}{{enc, 0x04, sk.SENC}, {mac, 0x06, sk.SMAC}, {mac, 0x07, sk.SRMAC}} {
			var want []byte
			for i := byte(1); len(want) < n; i++ {
				tail := []byte{c.constant, 0, byte(8 * n >> 8), byte(8 * n), i}
				want = cat(want, o.cmac(c.static, cat(make([]byte, 11), tail, host[:], card[:])))
			}
			assert.Equal(t, want[:n], c.got.Bytes(), "%02X with %d bytes", c.constant, n)
		}
		challenge, err := kdf.CardChallengeSCP03(ck.ENC, [3]byte{0, 1, 2}, material(9, 7))
		require.NoError(t, err)
		want := o.cmac(enc, cat(make([]byte, 11), []byte{0x02, 0, 0, 0x40, 1}, []byte{0, 1, 2}, material(9, 7)))
		assert.Equal(t, want[:8], challenge[:])
	}
}

// TestOpenSSLOracleChallengeSCP02 covers AIDs that do and do not fill a block.
func TestOpenSSLOracleChallengeSCP02(t *testing.T) {
	o := newOpenSSL(t)
	smac := material(0x77, 16)
	for n := 5; n <= 16; n++ {
		aid := material(0xA0, n)
		padded := append(bytes.Clone(aid), 0x80)
		for len(padded)%8 != 0 {
			padded = append(padded, 0)
		}
		state := make([]byte, 8)
		for i := 0; i < len(padded); i += 8 {
			block := make([]byte, 8)
			for j := range block {
				block[j] = state[j] ^ padded[i+j]
			}
			k := bytes.Repeat(smac[:8], 3) // single DES
			if i+8 == len(padded) {
				k = smac
			}
			state = o.des3(k, block)
		}
		got, err := kdf.CardChallengeSCP02(key(t, keys.DES3, smac), aid)
		require.NoError(t, err)
		assert.Equal(t, state[:6], got[:], "aid of %d bytes", n)
	}
}
