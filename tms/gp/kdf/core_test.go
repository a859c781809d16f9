package kdf

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/vectors"
	"tokenwright/tms/gp/keys"
)

// TestCounterMode holds the derivation core against SP 800-108 values of others.
func TestCounterMode(t *testing.T) {
	all, err := vectors.PRFs()
	require.NoError(t, err)
	ran := 0
	for _, v := range all {
		if v.Bits == 0 {
			continue
		}
		ran++
		t.Run(v.Name, func(t *testing.T) {
			alg := keys.AES
			if v.PRF == "hmac-sha256" {
				alg = keys.DES3
			}
			k, err := keys.New(alg, v.Key)
			require.NoError(t, err)
			prf := k.CMAC
			if v.PRF == "hmac-sha256" {
				prf = k.HMACSHA256
			}
			got, err := counterMode(prf, v.Message, v.After, v.Bits/8)
			require.NoError(t, err)
			assert.Equal(t, []byte(v.Output), got)

			v.After[0] ^= 0x01
			got, err = counterMode(prf, v.Message, v.After, v.Bits/8)
			require.NoError(t, err)
			assert.NotEqual(t, []byte(v.Output), got)
		})
	}
	assert.GreaterOrEqual(t, ran, 8)
}

func TestParityPolicy(t *testing.T) {
	for _, m := range []Method{EMV, VISA2, NIST, GPKMC, KDF3, None} {
		for _, out := range []keys.Algorithm{keys.DES3, keys.AES} {
			assert.Equal(t, m == NIST && out == keys.DES3, setsParity(m, out), "%v %v", m, out)
		}
	}
}
