package ocsp

import (
	"crypto"
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xocsp "golang.org/x/crypto/ocsp"
)

func question(t testing.TB, hash crypto.Hash) []byte {
	t.Helper()
	q, err := (&xocsp.Request{HashAlgorithm: hash, IssuerNameHash: make([]byte, hash.Size()),
		IssuerKeyHash: []byte("key"), SerialNumber: big.NewInt(0x1234)}).Marshal()
	require.NoError(t, err)
	return q
}

func TestParseRequest(t *testing.T) {
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		q, err := ParseRequest(question(t, hash))
		require.NoError(t, err)
		require.Len(t, q.Certs, 1)
		assert.Equal(t, hash, q.Certs[0].Hash)
		assert.Equal(t, []byte("key"), q.Certs[0].KeyHash)
		assert.Equal(t, big.NewInt(0x1234), q.Certs[0].Serial)
		assert.Nil(t, q.Nonce)
	}
}

func TestNonceBounds(t *testing.T) {
	for n, ok := range map[int]bool{1: true, 8: true, 32: true, 128: true, 140: false} {
		value := append([]byte{0x04, 0x81, byte(n)}, make([]byte, n)...)
		q, err := ParseRequest(withExtension(question(t, crypto.SHA1), value))
		assert.Equal(t, ok, err == nil, n)
		if ok {
			assert.Equal(t, value, q.Nonce)
		}
	}
	_, err := ParseRequest(withExtension(question(t, crypto.SHA1), nil))
	require.ErrorIs(t, err, ErrMalformed)
}

func tlv(tag byte, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	n := len(body)
	return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
}

// shortest makes a TLV with its length as DER wants it.
func shortest(tag byte, parts ...[]byte) []byte {
	b := tlv(tag, parts...)
	switch n := len(b) - 4; {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, b[4:]...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, b[4:]...)
	}
	return b
}

// withExtension puts a nonce extension of a value into a question of a short length.
func withExtension(q, value []byte) []byte {
	list := q[4:] // SEQUENCE, SEQUENCE, then the list
	oid, _ := hex.DecodeString("06092b0601050507300102")
	ext := shortest(0x30, oid, shortest(0x04, value))
	return shortest(0x30, shortest(0x30, list, shortest(0xA2, shortest(0x30, ext))))
}

func FuzzParseRequest(f *testing.F) {
	f.Add(question(f, crypto.SHA1))
	f.Add(question(f, crypto.SHA256))
	f.Add(withExtension(question(f, crypto.SHA1), []byte{4, 2, 1, 2}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		q, err := ParseRequest(raw)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		require.NotEmpty(t, q.Certs)
		require.LessOrEqual(t, len(q.Certs), maxCerts)
		for _, c := range q.Certs {
			require.NotNil(t, c.Serial)
			require.NotEmpty(t, c.raw)
		}
	})
}
