package kdf_test

import (
	"testing"

	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// BenchmarkSessionKeys measures one session's keys and both cryptograms per protocol.
func BenchmarkSessionKeys(b *testing.B) {
	des := kdf.OneKey(key(b, keys.DES3, []byte("0123456789abcdef")))
	for _, c := range []struct {
		name string
		scp  byte
		ck   kdf.CardKeys
	}{
		{"scp01", 1, des},
		{"scp02", 2, des},
		{"scp03-128", 3, kdf.OneKey(key(b, keys.AES, make([]byte, 16)))},
		{"scp03-256", 3, kdf.OneKey(key(b, keys.AES, make([]byte, 32)))},
	} {
		b.Run(c.name, func(b *testing.B) {
			challenge := kdf.Challenges{Card: make([]byte, 8)}
			if c.scp == 2 {
				challenge.Card = challenge.Card[:6]
			}
			for b.Loop() {
				var sk keys.SessionKeys
				var err error
				switch c.scp {
				case 1:
					sk, err = scp01(c.ck)
				case 2:
					sk, err = scp02(c.ck)
				case 3:
					sk, err = scp03(c.ck)
				}
				if err == nil {
					_, _, err = kdf.Cryptograms(c.scp, sk, challenge)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "derivations/s")
		})
	}
}

// BenchmarkDiversify measures a card's three static keys from one master per method.
func BenchmarkDiversify(b *testing.B) {
	des := key(b, keys.DES3, []byte("0123456789abcdef"))
	aes := key(b, keys.AES, make([]byte, 32))
	for _, c := range []struct {
		m      kdf.Method
		master kdf.Secret
	}{{kdf.EMV, des}, {kdf.VISA2, des}, {kdf.NIST, des}, {kdf.GPKMC, aes}} {
		b.Run(c.m.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := kdf.Diversify(c.m, c.master, kdf.Input{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
