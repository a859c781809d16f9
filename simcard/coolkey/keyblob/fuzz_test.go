package keyblob_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/coolkey/keyblob"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// requireSW demands that an error is one of the applet's own.
func requireSW(t *testing.T, err error, words ...apdu.SW) {
	t.Helper()
	var sw apdu.SW
	require.ErrorAs(t, err, &sw)
	require.Contains(t, words, sw)
}

// FuzzPKCS8 walks hostile DER: what is taken has no empty number and none that was not there.
func FuzzPKCS8(f *testing.F) {
	der := pkcs8(f, numbers(f))
	f.Add(der)
	f.Add(der[:40])
	f.Add(unhex(f, "3012020100300D06092A864886F70D01010105000409300702010002020000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := keyblob.PKCS8(b)
		if err != nil {
			requireSW(t, err, apdu.SW9CD0, apdu.SW9C21)
			return
		}
		for _, v := range [][]byte{n.Modulus, n.Exponent, n.P, n.Q, n.QInv, n.DP, n.DQ} {
			require.NotEmpty(t, v)
			require.NotZero(t, v[0])
			require.True(t, bytes.Contains(b, v))
		}
	})
}

// FuzzBlob reads hostile key blobs. A public one that is taken prints as it came.
func FuzzBlob(f *testing.F) {
	n := numbers(f)
	f.Add(keyblob.AppendRSA(nil, 1024, n.Modulus, n.Exponent))
	f.Add(keyblob.AppendEC(nil, 256, make([]byte, 65)))
	f.Add(unhex(f, "000304000001AA0001BB0001CC0001DD0002EEFF"))
	f.Fuzz(func(t *testing.T, b []byte) {
		blob, err := keyblob.Parse(b)
		if err != nil {
			requireSW(t, err, apdu.SW9C0F)
			return
		}
		if err := keyblob.Supported(blob.Type); err != nil {
			requireSW(t, err, apdu.SW9C17, apdu.SW9C18)
		}
		if mod, exp, err := blob.Public(); err != nil {
			requireSW(t, err, apdu.SW9C0F)
		} else if blob.Encoding == keyblob.Plain && blob.Type == lang.KeyRSAPublic {
			require.True(t, bytes.HasPrefix(b, keyblob.AppendRSA(nil, blob.Bits, mod, exp)))
		}
		if _, err := blob.Private(); err != nil {
			requireSW(t, err, apdu.SW9C0F, apdu.SW9C1F)
		}
	})
}
