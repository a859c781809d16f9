package coolkey_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/pubkey"
	"tokenwright/tms/gp/keys"
)

// smallKey is an RSA key of 512 bits, cheap to use.
var smallKey = sync.OnceValue(func() pubkey.RSANumbers { return makeKey(512) })

// fullKey is an RSA key of 2048 bits.
var fullKey = sync.OnceValue(func() pubkey.RSANumbers { return makeKey(2048) })

func makeKey(bits int) pubkey.RSANumbers {
	n, err := pubkey.GenerateRSA(rand.NewChaCha8([32]byte{9}), bits)
	if err != nil {
		panic(err)
	}
	return n
}

// foreign gives a key as crypto/rsa has it.
func foreign(n pubkey.RSANumbers) *rsa.PrivateKey {
	num := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
	p, q, e, one := num(n.P), num(n.Q), num(n.Exponent), big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: num(n.Modulus), E: int(e.Int64())},
		D:         new(big.Int).ModInverse(e, phi), Primes: []*big.Int{p, q},
	}
	k.Precompute()
	return k
}

// pkcs8 prints a PrivateKeyInfo whose private exponent is not looked at.
func pkcs8(n pubkey.RSANumbers) []byte {
	integer := func(b []byte) []byte { return element(0x02, append([]byte{0}, b...)) }
	key := element(0x30, bytes.Join([][]byte{
		{0x02, 1, 0}, integer(n.Modulus), integer(n.Exponent), integer([]byte{1}), integer(n.P),
		integer(n.Q), integer(n.DP), integer(n.DQ), integer(n.QInv),
	}, nil))
	algorithm := element(0x30, []byte{
		0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
	})
	return element(0x30, bytes.Join([][]byte{{0x02, 1, 0}, algorithm, element(0x04, key)}, nil))
}

func element(tag byte, content []byte) []byte {
	out := []byte{tag, 0x82}
	return append(binary.BigEndian.AppendUint16(out, uint16(len(content))), content...)
}

func TestKeyKit(t *testing.T) {
	k, err := x509.ParsePKCS8PrivateKey(mustPKCS8(t, fullKey()))
	require.NoError(t, err)
	require.IsType(t, &rsa.PrivateKey{}, k)
	_, err = x509.ParsePKCS8PrivateKey(pkcs8(fullKey()))
	require.Error(t, err, "the exponent in it is a stand-in")
}

func mustPKCS8(t testing.TB, n pubkey.RSANumbers) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(foreign(n))
	require.NoError(t, err)
	return der
}

// publicBlob, crtBlob and pairBlob are plain key blobs in hex.
func publicBlob(bits int, n pubkey.RSANumbers) string {
	return fmt.Sprintf("0001%04X%s%s", bits, lv(n.Modulus), lv(n.Exponent))
}

func crtBlob(bits int, n pubkey.RSANumbers) string {
	return fmt.Sprintf("0003%04X%s%s%s%s%s", bits, lv(n.P), lv(n.Q), lv(n.QInv), lv(n.DP), lv(n.DQ))
}

func pairBlob(bits int, n pubkey.RSANumbers) string {
	return fmt.Sprintf("0009%04X%X", bits, pkcs8(n))
}

func lv(b []byte) string { return fmt.Sprintf("%04X%X", len(b), b) }

// io puts hex into the I/O object.
func (l *lab) io(content string) { l.write("FFFFFFFF", content) }

// write writes hex into an object, as the registration authority.
func (l *lab) write(id, content string) {
	l.t.Helper()
	const chunk = 400
	for at := 0; at < len(content); at += chunk {
		part := content[at:min(at+chunk, len(content))]
		l.want(command("84540000", fmt.Sprintf("%s%08X%02X%s", id, at/2, len(part)/2, part)), "9000")
	}
}

// create makes an object in place of another one and fills it.
func (l *lab) create(id, acl, content string) {
	l.t.Helper()
	l.want(command("845A0000", fmt.Sprintf("%s%08X%s", id, len(content)/2, acl)), "9000")
	l.write(id, content)
}

// read reads an object as anybody.
func (l *lab) read(id string, n int) []byte {
	l.t.Helper()
	var out []byte
	for len(out) < n {
		m := min(200, n-len(out))
		r := l.ask(command("B0560000", fmt.Sprintf("%s%08X%02XZ", id, len(out), m)))
		require.Equal(l.t, "9000", r[len(r)-4:])
		out = append(out, unhex(l.t, r[:len(r)-4])...)
	}
	return out
}

const (
	toAll = "FFFF4000FFFF" // access conditions of a key that anybody uses
	toPIN = "000040000001"
)

var challenge = []byte("enrollment proof")

// enroll is START ENROLLMENT, with instruction 0C or 0D.
func (l *lab) enroll(ins, p1p2 string, bits int) string {
	l.t.Helper()
	return command("84"+ins+p1p2, fmt.Sprintf("80%04X000010%s00", bits, l.domain.wrap(l.t, challenge)))
}

var sessionKey = []byte("a session key, 2")

const iv = "0102030405060708"

// imported is IMPORT KEY ENCRYPTED from an object under sessionKey.
func (l *lab) imported(p1p2, algorithm, object, check, iv string) string {
	l.t.Helper()
	return command("840A"+p1p2, fmt.Sprintf("%s%s10%s%02X%s%02X%s", object, algorithm,
		l.domain.wrap(l.t, sessionKey), len(check)/2, check, len(iv)/2, iv))
}

// encrypted gives a blob, in hex, as IMPORT KEY ENCRYPTED takes it under 3DES.
func encrypted(t testing.TB, blob string) string {
	t.Helper()
	b := unhex(t, blob)
	data := b[4:]
	for len(data)%8 != 0 {
		data = append(data, 0)
	}
	k, err := keys.New(keys.DES3, sessionKey)
	require.NoError(t, err)
	out, err := k.EncryptCBC(unhex(t, iv), data)
	require.NoError(t, err)
	return "01" + upper(b[1:4]) + upper(out)
}

// cbcBlob gives a blob as IMPORT KEY ENCRYPTED takes it under AES-CBC with PKCS#7 padding.
func cbcBlob(t testing.TB, blob string) string {
	t.Helper()
	b := unhex(t, blob)
	n := aes.BlockSize - (len(b)-4)%aes.BlockSize
	data := append(bytes.Clone(b[4:]), bytes.Repeat([]byte{byte(n)}, n)...)
	c, err := aes.NewCipher(sessionKey)
	require.NoError(t, err)
	cipher.NewCBCEncrypter(c, make([]byte, aes.BlockSize)).CryptBlocks(data, data)
	return "01" + upper(b[1:4]) + upper(data)
}

// kwpBlob gives a blob as IMPORT KEY ENCRYPTED takes it under AES key wrap with padding (RFC 5649
// §4.1).
func kwpBlob(t testing.TB, blob string) string {
	t.Helper()
	b := unhex(t, blob)
	data := bytes.Clone(b[4:])
	a := binary.BigEndian.AppendUint32([]byte{0xA6, 0x59, 0x59, 0xA6}, uint32(len(data)))
	for len(data)%8 != 0 {
		data = append(data, 0)
	}
	c, err := aes.NewCipher(sessionKey)
	require.NoError(t, err)
	n := len(data) / 8
	for step := range 6 * n {
		r := data[step%n*8:][:8]
		block := append(bytes.Clone(a), r...)
		c.Encrypt(block, block)
		copy(r, block[8:])
		binary.BigEndian.PutUint64(a, binary.BigEndian.Uint64(block)^uint64(step+1))
	}
	return "01" + upper(b[1:4]) + upper(a) + upper(data)
}
