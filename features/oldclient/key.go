package oldclient

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
)

// generate makes an RSA key: algorithm, size, two bytes that do not matter, and the length of a challenge
// that is encrypted under the KEK. The key's blob and a proof that it is there can be read afterwards.
func (t *Token) generate(data []byte) ([]byte, error) {
	if len(data) < 22 || data[5] != 16 {
		return nil, fmt.Errorf("GENERATE KEY with %d bytes", len(data))
	}
	challenge, err := ecb(t.Keys.KEK, data[6:22], true)
	if err != nil {
		return nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, int(binary.BigEndian.Uint16(data[1:])))
	if err != nil {
		return nil, err
	}
	blob := blobOf(&key.PublicKey)
	proof, err := prove(key, blob, challenge)
	if err != nil {
		return nil, err
	}
	t.Made = append(t.Made, blob)
	t.buffer = appendLong(appendLong(nil, blob), proof)
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(t.buffer))), ok...), nil
}

// blobOf writes a public key: in the clear, RSA, size, modulus, exponent.
func blobOf(key *rsa.PublicKey) []byte {
	b := []byte{0, 1}
	b = binary.BigEndian.AppendUint16(b, uint16(key.N.BitLen()))
	b = appendLong(b, key.N.Bytes())
	return appendLong(b, []byte{byte(key.E >> 16), byte(key.E >> 8), byte(key.E)})
}

func appendLong(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(v))), v...)
}

// proven is what a proof signs.
func proven(blob, challenge []byte) []byte {
	d := sha1.Sum(append(append([]byte{}, blob...), challenge...))
	return d[:]
}

func prove(key *rsa.PrivateKey, blob, challenge []byte) ([]byte, error) {
	return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA1, proven(blob, challenge))
}

// MadeLast says whether this is the key that the token made last.
func (t *Token) MadeLast(key *rsa.PublicKey) bool {
	n := len(t.Made)
	return n > 0 && string(t.Made[n-1]) == string(blobOf(key))
}
