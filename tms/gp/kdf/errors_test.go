package kdf_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// broken is a Secret whose operations fail, as a module that lost its connection.
type broken struct{ alg keys.Algorithm }

var errModule = errors.New("module gone")

func (b broken) Algorithm() keys.Algorithm            { return b.alg }
func (broken) Len() int                               { return 16 }
func (broken) EncryptECB([]byte) ([]byte, error)      { return nil, errModule }
func (broken) EncryptCBC(_, _ []byte) ([]byte, error) { return nil, errModule }
func (broken) CMAC([]byte) ([]byte, error)            { return nil, errModule }
func (broken) HMACSHA256([]byte) ([]byte, error)      { return nil, errModule }

func TestParseMethod(t *testing.T) {
	for name, want := range map[string]kdf.Method{
		"emv": kdf.EMV, "EMV": kdf.EMV, "visa2": kdf.VISA2, " Visa2 ": kdf.VISA2, "nist": kdf.NIST,
		"gpkmc": kdf.GPKMC, "kdf3": kdf.KDF3, "none": kdf.None,
	} {
		got, err := kdf.ParseMethod(name)
		require.NoError(t, err, name)
		assert.Equal(t, want, got)
	}
	for _, name := range []string{"", "emv2", "0"} {
		_, err := kdf.ParseMethod(name)
		require.ErrorIs(t, err, kdf.ErrMethod, name)
	}
	assert.Equal(t, "gpkmc", kdf.GPKMC.String())
	assert.Equal(t, "method(0)", kdf.Method(0).String())
}

func TestDiversifyRefuses(t *testing.T) {
	des := key(t, keys.DES3, make([]byte, 16))
	aes := key(t, keys.AES, make([]byte, 16))
	for name, c := range map[string]struct {
		m      kdf.Method
		master kdf.Secret
		in     kdf.Input
		want   error
	}{
		"no method":          {0, des, kdf.Input{}, kdf.ErrMethod},
		"unknown method":     {99, des, kdf.Input{}, kdf.ErrMethod},
		"nil master":         {kdf.EMV, nil, kdf.Input{}, kdf.ErrNoKey},
		"zero master":        {kdf.NIST, keys.Key{}, kdf.Input{}, kdf.ErrNoKey},
		"emv of aes":         {kdf.EMV, aes, kdf.Input{}, kdf.ErrAlgorithm},
		"visa2 of aes":       {kdf.VISA2, aes, kdf.Input{}, kdf.ErrAlgorithm},
		"gpkmc of des":       {kdf.GPKMC, des, kdf.Input{}, kdf.ErrAlgorithm},
		"gpkmc to des":       {kdf.GPKMC, aes, kdf.Input{Out: keys.DES3}, kdf.ErrAlgorithm},
		"gpkmc odd length":   {kdf.GPKMC, aes, kdf.Input{OutLen: 20}, kdf.ErrLength},
		"unknown output":     {kdf.EMV, des, kdf.Input{Out: 9}, keys.ErrAlgorithm},
		"module fails emv":   {kdf.EMV, broken{keys.DES3}, kdf.Input{}, errModule},
		"module fails nist":  {kdf.NIST, broken{keys.DES3}, kdf.Input{}, errModule},
		"module fails gpkmc": {kdf.GPKMC, broken{keys.AES}, kdf.Input{}, errModule},
	} {
		got, err := kdf.Diversify(c.m, c.master, c.in)
		require.ErrorIs(t, err, c.want, name)
		assert.Nil(t, got.ENC, name)
	}
	_, err := kdf.DiversifySet(kdf.EMV, keys.KeySet{ENC: des, MAC: des}, keys.KDD{})
	require.ErrorIs(t, err, kdf.ErrNoKey)
}

func TestSessionKeysRefuse(t *testing.T) {
	des := kdf.OneKey(key(t, keys.DES3, make([]byte, 16)))
	aes := kdf.OneKey(key(t, keys.AES, make([]byte, 16)))
	lost := func(a keys.Algorithm) kdf.CardKeys { return kdf.OneKey(broken{a}) }
	for name, c := range map[string]struct {
		ck   kdf.CardKeys
		f    func(kdf.CardKeys) (keys.SessionKeys, error)
		want error
	}{
		"scp01 of aes":   {aes, scp01, kdf.ErrAlgorithm},
		"scp02 of aes":   {aes, scp02, kdf.ErrAlgorithm},
		"scp03 of des":   {des, scp03, kdf.ErrAlgorithm},
		"scp01 no key":   {kdf.CardKeys{}, scp01, kdf.ErrNoKey},
		"scp02 no dek":   {kdf.CardKeys{ENC: des.ENC, MAC: des.MAC}, scp02, kdf.ErrNoKey},
		"scp03 zero key": {kdf.OneKey(keys.Key{}), scp03, kdf.ErrNoKey},
		"scp01 lost":     {lost(keys.DES3), scp01, errModule},
		"scp02 lost":     {lost(keys.DES3), scp02, errModule},
		"scp03 lost":     {lost(keys.AES), scp03, errModule},
	} {
		sk, err := c.f(c.ck)
		require.ErrorIs(t, err, c.want, name)
		assert.True(t, sk.SENC.IsZero(), name)
	}
}

func scp01(ck kdf.CardKeys) (keys.SessionKeys, error) {
	return kdf.SessionSCP01(ck, [8]byte{}, [8]byte{})
}
func scp02(ck kdf.CardKeys) (keys.SessionKeys, error) { return kdf.SessionSCP02(ck, [2]byte{}) }
func scp03(ck kdf.CardKeys) (keys.SessionKeys, error) {
	return kdf.SessionSCP03(ck, [8]byte{}, [8]byte{})
}

func TestCryptogramsAndChallengesRefuse(t *testing.T) {
	des, aes := key(t, keys.DES3, make([]byte, 16)), key(t, keys.AES, make([]byte, 16))
	for name, c := range map[string]struct {
		scp  byte
		sk   keys.SessionKeys
		card int
		want error
	}{
		"scp00":              {0, keys.SessionKeys{}, 8, kdf.ErrMethod},
		"scp01 no keys":      {1, keys.SessionKeys{}, 8, keys.ErrNoKey},
		"scp02 8 bytes":      {2, keys.SessionKeys{SENC: des}, 8, kdf.ErrLength},
		"scp03 6 bytes":      {3, keys.SessionKeys{SMAC: aes}, 6, kdf.ErrLength},
		"scp02 with aes key": {2, keys.SessionKeys{SENC: aes}, 6, keys.ErrAlgorithm},
		"scp03 with des key": {3, keys.SessionKeys{SMAC: des}, 8, kdf.ErrAlgorithm},
	} {
		host, card, err := kdf.Cryptograms(c.scp, c.sk, kdf.Challenges{Card: make([]byte, c.card)})
		require.ErrorIs(t, err, c.want, name)
		assert.Zero(t, host, name)
		assert.Zero(t, card, name)
	}
	for _, n := range []int{0, 4, 17} {
		_, err := kdf.CardChallengeSCP02(des, make([]byte, n))
		require.ErrorIs(t, err, kdf.ErrLength)
		_, err = kdf.CardChallengeSCP03(aes, [3]byte{}, make([]byte, n))
		require.ErrorIs(t, err, kdf.ErrLength)
	}
	_, err := kdf.CardChallengeSCP02(aes, make([]byte, 5))
	require.ErrorIs(t, err, keys.ErrAlgorithm)
	_, err = kdf.CardChallengeSCP03(des, [3]byte{}, make([]byte, 5))
	require.ErrorIs(t, err, kdf.ErrAlgorithm)
	_, err = kdf.KCV(nil)
	require.ErrorIs(t, err, kdf.ErrNoKey)
	_, err = kdf.KCV(broken{keys.AES})
	require.ErrorIs(t, err, errModule)
}
