package soft_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/vectors"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
)

// TestKeyChangeoverOfTheIncumbent wraps VISA2-derived keys under the old DEK as Dogtag's TKS does
// for SCP01, with the raw bytes that the parity policy of package kdf keeps.
func TestKeyChangeoverOfTheIncumbent(t *testing.T) {
	all, err := vectors.Derivations()
	require.NoError(t, err)
	var v vectors.Derivation
	for _, d := range all {
		if d.Name == "Dogtag VISA2" {
			v = d
		}
	}
	require.NotEmpty(t, v.Name)
	s, _ := create(t)
	bare, err := keys.New(keys.DES3, v.Master)
	require.NoError(t, err)
	master, err := s.Import(t.Context(), "#02#01", bare)
	require.NoError(t, err)
	ck, err := kdf.Diversify(kdf.VISA2, master, kdf.Input{KDD: keys.KDD(v.Data)})
	require.NoError(t, err)
	for _, c := range []struct {
		name         string
		k            kdf.Secret
		wrapped, kcv string
	}{
		{"ENC", ck.ENC, "7A50C7F6E3A4FF2C6499FC6E1161155A", "0A412B"},
		{"MAC", ck.MAC, "1794034479B302B382ADB0A8857C5FCC", "4EA834"},
		{"DEK", ck.DEK, "20E0495A67AE24803F19B593D74FE80A", "AEF732"},
	} {
		want, err := hex.DecodeString(c.wrapped)
		require.NoError(t, err)
		got, err := keystore.Wrap(c.k, master, keystore.ECB)
		require.NoError(t, err)
		assert.Equal(t, want, got, c.name)
		kcv, err := kdf.KCV(c.k)
		require.NoError(t, err)
		assert.Equal(t, c.kcv, kcv.String(), c.name)
	}
}

// TestWrapFillsAES192 pins the eight bytes behind a 24-byte key under AES (AMD-D §6.2.8).
func TestWrapFillsAES192(t *testing.T) {
	raw := []byte("abcdefghijklmnopqrstuvwx")
	kek := bytes.Repeat([]byte{0x42}, 16)
	got, err := keystore.Wrap(symmetric(t, keys.AES, string(raw)), symmetric(t, keys.AES, string(kek)),
		keystore.CBC)
	require.NoError(t, err)
	block, err := aes.NewCipher(kek)
	require.NoError(t, err)
	plain := make([]byte, 32)
	cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(plain, got)
	assert.Equal(t, append(raw, make([]byte, 8)...), plain)
}
