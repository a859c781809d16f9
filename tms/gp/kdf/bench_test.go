package kdf_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"testing"

	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// BenchmarkSessionKeys measures one session's keys and both cryptograms per protocol, beside the
// block operations and the key set-up of the standard library that they can't do without.
func BenchmarkSessionKeys(b *testing.B) {
	tdea := kdf.OneKey(key(b, keys.DES3, []byte("0123456789abcdef")))
	for _, c := range []struct {
		name   string
		scp    byte
		ck     kdf.CardKeys
		cipher func() (cipher.Block, error)
		blocks int
	}{
		{"scp01", 1, tdea, newTDEA, 2*2 + 2*3}, // two keys of two blocks, two cryptograms of three
		{"scp02", 2, tdea, newTDEA, 4*2 + 2*3}, // four keys
		// Three keys and two cryptograms, each a CMAC of two blocks.
		{"scp03-128", 3, kdf.OneKey(key(b, keys.AES, make([]byte, 16))), newAES(16), 5 * 2},
		// Keys of 32 bytes are two CMACs each.
		{"scp03-256", 3, kdf.OneKey(key(b, keys.AES, make([]byte, 32))), newAES(32), 3*4 + 2*2},
	} {
		b.Run(c.name+"/ours", func(b *testing.B) {
			for b.Loop() {
				if err := sessionKeys(c.scp, c.ck); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b)
		})
		b.Run(c.name+"/baseline", func(b *testing.B) {
			block := make([]byte, 16)
			for b.Loop() {
				bare, err := c.cipher() // of the session key that the cryptograms need
				if err != nil {
					b.Fatal(err)
				}
				for range c.blocks {
					bare.Encrypt(block, block)
				}
			}
			perSecond(b)
		})
	}
}

func sessionKeys(scp byte, ck kdf.CardKeys) (err error) {
	var sk keys.SessionKeys
	challenges := kdf.Challenges{Card: make([]byte, 8)}
	switch scp {
	case 1:
		sk, err = scp01(ck)
	case 2:
		challenges.Card = challenges.Card[:6]
		sk, err = scp02(ck)
	case 3:
		sk, err = scp03(ck)
	}
	if err == nil {
		_, _, err = kdf.Cryptograms(scp, sk, challenges)
	}
	return err
}

func perSecond(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "derivations/s")
}

func newTDEA() (cipher.Block, error) {
	return des.NewTripleDESCipher([]byte("0123456789abcdef01234567"))
}

func newAES(n int) func() (cipher.Block, error) {
	return func() (cipher.Block, error) { return aes.NewCipher(make([]byte, n)) }
}

// BenchmarkDiversify measures a card's three static keys from one master per method.
func BenchmarkDiversify(b *testing.B) {
	tdea := key(b, keys.DES3, []byte("0123456789abcdef"))
	large := key(b, keys.AES, make([]byte, 32))
	for _, c := range []struct {
		m      kdf.Method
		master kdf.Secret
	}{{kdf.EMV, tdea}, {kdf.VISA2, tdea}, {kdf.NIST, tdea}, {kdf.GPKMC, large}} {
		b.Run(c.m.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := kdf.Diversify(c.m, c.master, kdf.Input{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
