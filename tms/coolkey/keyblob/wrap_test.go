package keyblob_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/cards"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/keyblob"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

func aKey(t testing.TB, alg keys.Algorithm, digits string) keys.Key {
	t.Helper()
	k, err := keys.New(alg, unhex(t, digits))
	require.NoError(t, err)
	return k
}

// RFC 5649 §6.
func TestKeyWrapWithPadding(t *testing.T) {
	key := aKey(t, keys.AES, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
	for _, v := range []struct{ plain, wrapped string }{
		{"c37b7e6492584340bed12207808941155068f738",
			"138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
		{"466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
	} {
		got, err := keyblob.WrapPair(coolkey.AlgorithmAESKWP, key, nil, unhex(t, v.plain))
		require.NoError(t, err)
		require.Equal(t, v.wrapped, hex.EncodeToString(got))
		back, err := keyblob.UnwrapPair(coolkey.AlgorithmAESKWP, key, nil, got)
		require.NoError(t, err)
		require.Equal(t, v.plain, hex.EncodeToString(back))
		for i := range got {
			bad := bytes.Clone(got)
			bad[i] ^= 0x80
			_, err := keyblob.UnwrapPair(coolkey.AlgorithmAESKWP, key, nil, bad)
			require.ErrorIs(t, err, keyblob.ErrWrap)
		}
	}
	for _, n := range []int{0, 8, 15, 17, 8192} {
		_, err := keyblob.UnwrapPair(coolkey.AlgorithmAESKWP, key, nil, make([]byte, n))
		require.ErrorIs(t, err, keyblob.ErrWrap, n)
	}
}

func TestWrapPairRoundTrip(t *testing.T) {
	des := aKey(t, keys.DES3, "000102030405060708090A0B0C0D0E0F")
	aes := aKey(t, keys.AES, "000102030405060708090A0B0C0D0E0F")
	iv := unhex(t, "0101010101010101")
	for _, n := range []int{1, 7, 8, 9, 15, 16, 17, 635, 1217, 4096} {
		plain := make([]byte, n)
		_, err := rand.Read(plain)
		require.NoError(t, err)
		for algorithm, key := range map[byte]keys.Key{
			coolkey.AlgorithmDES: des, coolkey.AlgorithmDESKCV: des, coolkey.AlgorithmAESKWP: aes,
			coolkey.AlgorithmAESCBC: aes,
		} {
			wrapped, err := keyblob.WrapPair(algorithm, key, iv, plain)
			require.NoError(t, err)
			back, err := keyblob.UnwrapPair(algorithm, key, iv, wrapped)
			require.NoError(t, err)
			require.Equal(t, plain, back[:n])
			if key.Algorithm() == keys.DES3 {
				pad := 8 - n%8
				require.Equal(t, bytes.Repeat([]byte{byte(pad)}, pad), back[n:], "padding is left on")
			} else {
				require.Len(t, back, n)
			}
		}
	}
}

func TestWrapPairRefuses(t *testing.T) {
	des := aKey(t, keys.DES3, "000102030405060708090A0B0C0D0E0F")
	aes := aKey(t, keys.AES, "000102030405060708090A0B0C0D0E0F")
	iv := make([]byte, 8)
	for name, tt := range map[string]struct {
		algorithm byte
		key       keys.Key
		iv, data  []byte
	}{
		"algorithm":     {0x82, des, iv, iv},
		"no key":        {coolkey.AlgorithmDES, keys.Key{}, iv, iv},
		"AES for DES":   {coolkey.AlgorithmDES, aes, iv, iv},
		"DES for KWP":   {coolkey.AlgorithmAESKWP, des, iv, iv},
		"DES for CBC":   {coolkey.AlgorithmAESCBC, des, iv, iv},
		"short IV":      {coolkey.AlgorithmDES, des, iv[:7], iv},
		"nothing":       {coolkey.AlgorithmDES, des, iv, nil},
		"far too large": {coolkey.AlgorithmAESKWP, aes, iv, make([]byte, 4097)},
	} {
		_, err := keyblob.WrapPair(tt.algorithm, tt.key, tt.iv, tt.data)
		require.Error(t, err, name)
	}
	_, err := keyblob.UnwrapPair(coolkey.AlgorithmDES, des, iv, make([]byte, 9))
	require.Error(t, err, "no whole blocks")
	_, err = keyblob.UnwrapPair(0x82, des, iv, make([]byte, 8))
	require.ErrorIs(t, err, keyblob.ErrForm)

	// Every way in which PKCS #7 padding can be wrong.
	for _, last := range []string{
		"00000000000000000000000000000000", "00000000000000000000000000000011",
		"00000000000000000000000000000002", "00000000000000000000000003020303",
		"10101010101010001010101010101010",
	} {
		wrapped, err := aes.EncryptCBC(make([]byte, 16), unhex(t, last))
		require.NoError(t, err)
		_, err = keyblob.UnwrapPair(coolkey.AlgorithmAESCBC, aes, nil, wrapped)
		require.ErrorIs(t, err, keyblob.ErrWrap, last)
	}
	for _, n := range []int{0, 15} {
		_, err = keyblob.UnwrapPair(coolkey.AlgorithmAESCBC, aes, nil, make([]byte, n))
		require.ErrorIs(t, err, keyblob.ErrWrap)
	}
}

// recorded is a key pair on its way into the real applet, and the command that imported it.
type recorded struct {
	blob    []byte
	command coolkey.ImportEncryptedKey
}

// recordedImports finds the imports of encrypted key pairs that the real applet took.
func recordedImports(t *testing.T) (out []recorded) {
	t.Helper()
	sections, err := cards.CoolKey()
	require.NoError(t, err)
	for _, section := range sections {
		var buffer []byte
		for _, step := range section.Steps {
			text := step.Cmd
			if step.Plain != "" {
				text = step.Plain
			}
			raw, err := hex.DecodeString(text)
			if err != nil || step.Resp != "9000" {
				continue // a nonce is in it, or the applet refused
			}
			cmd, err := apdu.Parse(raw)
			if err != nil {
				continue
			}
			if w, err := coolkey.ParseWriteObject(cmd); err == nil && w.ID.IsIO() {
				buffer = append(buffer[:min(int(w.Offset), len(buffer))], w.Data...)
			}
			k, err := coolkey.ParseImportEncryptedKey(cmd)
			if err == nil && k.Source.IsIO() && len(k.Check) > 0 && bytes.HasPrefix(buffer, []byte{1, 9}) {
				out = append(out, recorded{blob: bytes.Clone(buffer), command: k})
			}
		}
	}
	return out
}

// What a foreign host wrote to the real applet, and the applet took.
func TestRecordedImport(t *testing.T) {
	dek := aKey(t, keys.DES3, "404142434445464748494A4B4C4D4E4F")
	imports := 0
	for _, c := range recordedImports(t) {
		raw, err := dek.DecryptECB(c.command.WrappedKey)
		require.NoError(t, err)
		key, err := keys.New(keys.DES3, raw)
		require.NoError(t, err)
		require.Equal(t, c.command.Check, keyblob.CheckValue(key))
		blob, err := keyblob.Parse(c.blob)
		require.NoError(t, err)
		require.Equal(t, keyblob.Encrypted, blob.Encoding)
		require.Equal(t, coolkey.KeyPKCS8Pair, blob.Type)
		padded, err := keyblob.UnwrapPair(coolkey.AlgorithmDES, key, c.command.IV, blob.Data)
		require.NoError(t, err)
		der := padded[:len(padded)-int(padded[len(padded)-1])]
		private, err := x509.ParsePKCS8PrivateKey(der)
		require.NoError(t, err)
		again, _, err := keyblob.PKCS8(private)
		require.NoError(t, err)
		wrapped, err := keyblob.WrapPair(coolkey.AlgorithmDES, key, c.command.IV, again)
		require.NoError(t, err)
		require.Equal(t, c.blob, keyblob.NewEncryptedPair(int(blob.Bits), wrapped).Bytes())
		imports++
	}
	require.NotZero(t, imports)
}

func FuzzUnwrapPair(f *testing.F) {
	f.Add(byte(0x88), []byte("0123456789abcdef"))
	f.Add(byte(0x89), []byte("0123456789abcdef"))
	f.Add(byte(0x80), []byte("01234567"))
	des := aKey(f, keys.DES3, "000102030405060708090A0B0C0D0E0F")
	aes := aKey(f, keys.AES, "000102030405060708090A0B0C0D0E0F")
	iv := make([]byte, 8)
	f.Fuzz(func(t *testing.T, algorithm byte, wrapped []byte) {
		key := des
		if algorithm >= coolkey.AlgorithmAESKWP {
			key = aes
		}
		plain, err := keyblob.UnwrapPair(algorithm, key, iv, wrapped)
		if err != nil || len(plain) == 0 || len(plain) > 4096 || key.Algorithm() == keys.DES3 {
			return
		}
		again, err := keyblob.WrapPair(algorithm, key, iv, plain)
		require.NoError(t, err)
		require.Equal(t, wrapped, again)
	})
}
