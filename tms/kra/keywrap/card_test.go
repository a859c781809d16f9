package keywrap_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/keyblob"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/kra/keywrap"
)

// TestCardOpens holds what is wrapped here against the card's own code.
func TestCardOpens(t *testing.T) {
	plain := bytes.Repeat([]byte{0x30, 0x82, 0x04}, 400)
	aes, err := keys.New(keys.AES, bytes.Repeat([]byte{1, 2}, 8))
	require.NoError(t, err)
	des, err := keys.New(keys.DES3, []byte("0123456789abcdef"))
	require.NoError(t, err)

	wrapped, err := keywrap.WrapKWP(aes.Bytes(), plain)
	require.NoError(t, err)
	got, err := keyblob.UnwrapPair(coolkey.AlgorithmAESKWP, aes, make([]byte, 8), wrapped)
	require.NoError(t, err)
	assert.Equal(t, plain, got)

	wrapped, err = keywrap.WrapAESCBC(aes.Bytes(), plain)
	require.NoError(t, err)
	got, err = keyblob.UnwrapPair(coolkey.AlgorithmAESCBC, aes, make([]byte, 16), wrapped)
	require.NoError(t, err)
	assert.Equal(t, plain, got)

	wrapped, iv, err := keywrap.WrapDES3CBC(bytes.NewReader([]byte("an iv...")), des.Bytes(), plain)
	require.NoError(t, err)
	got, err = keyblob.UnwrapPair(coolkey.AlgorithmDES, des, iv, wrapped)
	require.NoError(t, err)
	assert.Equal(t, plain, got[:len(plain)], "the padding stays on, as on the card")
}
