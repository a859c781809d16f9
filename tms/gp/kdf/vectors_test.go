package kdf_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/vectors"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

func key(t testing.TB, alg keys.Algorithm, b []byte) keys.Key {
	t.Helper()
	k, err := keys.New(alg, b)
	require.NoError(t, err)
	return k
}

func algorithm(name string) keys.Algorithm {
	return map[string]keys.Algorithm{"des3": keys.DES3, "aes": keys.AES}[name]
}

// verifyDerivation compares everything that the vector states.
func verifyDerivation(v vectors.Derivation) error {
	master, err := keys.New(algorithm(v.Algorithm), v.Master)
	if err != nil {
		return err
	}
	m, err := kdf.ParseMethod(v.Method)
	if err != nil {
		return err
	}
	in := kdf.Input{KDD: keys.KDD(v.Data), Out: algorithm(v.Out)}
	byKDD, err := kdf.Diversify(m, master, in)
	if err != nil {
		return err
	}
	byCUID, err := kdf.Diversify(m, master, kdf.Input{
		CUID: keys.CUID(v.Data), KDD: keys.KDD{0xFF}, UseCUID: true, Out: in.Out,
	})
	if err != nil {
		return err
	}
	if v.KCVs == nil {
		v.KCVs = &vectors.KCVs{}
	}
	for _, c := range []struct {
		name      string
		got, same kdf.Secret
		want, kcv []byte
	}{
		{"ENC", byKDD.ENC, byCUID.ENC, v.ENC, v.KCVs.ENC},
		{"MAC", byKDD.MAC, byCUID.MAC, v.MAC, v.KCVs.MAC},
		{"DEK", byKDD.DEK, byCUID.DEK, v.DEK, v.KCVs.DEK},
	} {
		got := c.got.(keys.Key)
		if !got.Equal(c.same.(keys.Key)) {
			return fmt.Errorf("%s: by CUID differs from by KDD", c.name)
		}
		if len(c.want) > 0 && !bytes.Equal(got.Bytes(), c.want) {
			return fmt.Errorf("%s: got %X, want %v", c.name, got.Bytes(), c.want)
		}
		kcv, err := kdf.KCV(c.got)
		if err != nil {
			return err
		}
		if len(c.kcv) > 0 && !bytes.Equal(kcv[:], c.kcv) {
			return fmt.Errorf("%s: check value %v, want %X", c.name, kcv, c.kcv)
		}
	}
	return nil
}

func TestDiversificationVectors(t *testing.T) {
	all, err := vectors.Derivations()
	require.NoError(t, err)
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			require.NoError(t, verifyDerivation(v))
			for name, field := range map[string]vectors.Bytes{
				"master": v.Master, "data": v.Data[4:8], "ENC": v.ENC, "MAC": v.MAC, "DEK": v.DEK,
			} {
				for i := range field {
					field[i] ^= 0x10
					assert.Error(t, verifyDerivation(v), "%s byte %d flipped", name, i)
					field[i] ^= 0x10
				}
			}
			require.NoError(t, verifyDerivation(v))
		})
	}
}

func TestDeveloperSetUsesTheMasterOfEachPurpose(t *testing.T) {
	auth := bytes.Repeat([]byte{0x31, 0x32}, 8)
	mac := bytes.Repeat([]byte{0x41, 0x42}, 8)
	kek := bytes.Repeat([]byte{0x51, 0x52}, 8)
	kdd := keys.KDD{0xA0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	masters := keys.KeySet{
		KVN: 1, ENC: key(t, keys.DES3, auth), MAC: key(t, keys.DES3, mac), DEK: key(t, keys.DES3, kek),
	}
	for _, m := range []kdf.Method{kdf.EMV, kdf.VISA2, kdf.NIST} {
		set, err := kdf.DiversifySet(m, masters, kdd)
		require.NoError(t, err)
		assert.Equal(t, keys.KVN(1), set.KVN)
		for _, c := range []struct {
			master []byte
			pick   func(kdf.CardKeys) kdf.Secret
			got    keys.Key
		}{
			{auth, func(k kdf.CardKeys) kdf.Secret { return k.ENC }, set.ENC},
			{mac, func(k kdf.CardKeys) kdf.Secret { return k.MAC }, set.MAC},
			{kek, func(k kdf.CardKeys) kdf.Secret { return k.DEK }, set.DEK},
		} {
			one, err := kdf.Diversify(m, key(t, keys.DES3, c.master), kdf.Input{KDD: kdd})
			require.NoError(t, err)
			assert.True(t, c.got.Equal(c.pick(one).(keys.Key)), "%v", m)
		}
	}
}

func TestNoneGivesTheMasterItself(t *testing.T) {
	master := key(t, keys.AES, bytes.Repeat([]byte{7}, 32))
	ck, err := kdf.Diversify(kdf.None, master, kdf.Input{})
	require.NoError(t, err)
	for _, s := range []kdf.Secret{ck.ENC, ck.MAC, ck.DEK} {
		assert.True(t, master.Equal(s.(keys.Key)))
	}
	_, err = kdf.Diversify(kdf.None, master, kdf.Input{Out: keys.DES3})
	require.ErrorIs(t, err, kdf.ErrAlgorithm)
}

func TestNISTSetsOddParityOnDESKeysAlone(t *testing.T) {
	master := key(t, keys.DES3, []byte("0123456789abcdef"))
	des, err := kdf.Diversify(kdf.NIST, master, kdf.Input{KDD: keys.KDD{9}})
	require.NoError(t, err)
	raw, err := kdf.Diversify(kdf.NIST, master, kdf.Input{KDD: keys.KDD{9}, Out: keys.AES})
	require.NoError(t, err)
	for i, b := range des.MAC.(keys.Key).Bytes() {
		assert.Equal(t, 1, bits.OnesCount8(b)%2, "byte %d", i)
		assert.Equal(t, raw.MAC.(keys.Key).Bytes()[i]&0xFE, b&0xFE, "byte %d", i)
	}
}

// TestNISTDoesNotDependOnHowTheMasterIsStored pins the HMAC key length: one DES key, stored in 16
// bytes or in 24 with its first third repeated, gives one set of card keys; a true three-key
// master is used whole.
func TestNISTDoesNotDependOnHowTheMasterIsStored(t *testing.T) {
	short := []byte("ABCDEFGHabcdefgh")
	long := append(bytes.Clone(short), short[:8]...)
	other := append(bytes.Clone(short), "12345678"...)
	var got [3]kdf.CardKeys
	for i, b := range [][]byte{short, long, other} {
		var err error
		got[i], err = kdf.Diversify(kdf.NIST, key(t, keys.DES3, b), kdf.Input{KDD: keys.KDD{1, 2, 3}})
		require.NoError(t, err)
	}
	assert.True(t, got[0].MAC.(keys.Key).Equal(got[1].MAC.(keys.Key)))
	assert.False(t, got[0].MAC.(keys.Key).Equal(got[2].MAC.(keys.Key)))

	// The parity bits of the master count: they are part of the stored value.
	flipped := bytes.Clone(short)
	flipped[0] ^= 0x01
	ck, err := kdf.Diversify(kdf.NIST, key(t, keys.DES3, flipped), kdf.Input{KDD: keys.KDD{1, 2, 3}})
	require.NoError(t, err)
	assert.False(t, got[0].MAC.(keys.Key).Equal(ck.MAC.(keys.Key)))
}

func TestSessionKeyVectors(t *testing.T) {
	all, err := vectors.AllSessionKeys()
	require.NoError(t, err)
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			ck := kdf.CardKeys{
				ENC: key(t, keys.DES3, v.ENC), MAC: key(t, keys.DES3, v.MAC), DEK: key(t, keys.DES3, v.DEK),
			}
			var sk keys.SessionKeys
			dek := ck.DEK
			if v.SCP == 1 {
				sk, err = kdf.SessionSCP01(ck, [8]byte(v.Host), [8]byte(v.Card))
				assert.True(t, sk.SDEK.IsZero())
				assert.True(t, sk.SRMAC.IsZero())
			} else {
				sk, err = kdf.SessionSCP02(ck, [2]byte(v.Seq))
				assert.Equal(t, []byte(v.SRMAC), sk.SRMAC.Bytes())
				assert.Equal(t, []byte(v.SDEK), sk.SDEK.Bytes())
				dek = sk.SDEK
			}
			require.NoError(t, err)
			assert.Equal(t, []byte(v.SENC), sk.SENC.Bytes())
			assert.Equal(t, []byte(v.SMAC), sk.SMAC.Bytes())
			if v.KCVs != nil {
				kcv, err := kdf.KCV(dek)
				require.NoError(t, err)
				assert.Equal(t, v.KCVs.ENC.String(), sk.SENC.KCV().String())
				assert.Equal(t, v.KCVs.MAC.String(), sk.SMAC.KCV().String())
				assert.Equal(t, v.KCVs.DEK.String(), kcv.String())
			}
			if v.WrappedDEK != nil {
				got, err := dek.EncryptECB(v.DEK)
				require.NoError(t, err)
				assert.Equal(t, []byte(v.WrappedDEK), got)
			}
		})
	}
}

// handshake checks session keys, cryptograms and challenge of a recorded session.
func handshake(v vectors.Session) error {
	alg := keys.DES3
	if v.SCP == 3 {
		alg = keys.AES
	}
	var set keys.KeySet
	for _, k := range []struct {
		b   []byte
		dst *keys.Key
	}{{v.ENC, &set.ENC}, {v.MAC, &set.MAC}, {v.DEK, &set.DEK}} {
		var err error
		if *k.dst, err = keys.New(alg, k.b); err != nil {
			return err
		}
	}
	ck, host, card := kdf.FromKeySet(set), v.HostChallenge(), v.CardChallenge()
	c := kdf.Challenges{Host: host, Card: card}
	var sk keys.SessionKeys
	var err error
	switch v.SCP {
	case 1:
		sk, err = kdf.SessionSCP01(ck, host, [8]byte(card))
	case 2:
		c.Seq = [2]byte(v.Sequence())
		sk, err = kdf.SessionSCP02(ck, c.Seq)
	case 3:
		sk, err = kdf.SessionSCP03(ck, host, [8]byte(card))
		if err == nil && v.AID != nil {
			challenge, err := kdf.CardChallengeSCP03(set.ENC, [3]byte(v.Sequence()), v.AID)
			if err != nil || !bytes.Equal(challenge[:], card) {
				return fmt.Errorf("card challenge %X, want %X (%w)", challenge, card, err)
			}
		}
	}
	if err != nil {
		return err
	}
	hostC, cardC, err := kdf.Cryptograms(byte(v.SCP), sk, c)
	if err != nil {
		return err
	}
	for name, p := range map[string][2][]byte{
		"S-ENC": {sk.SENC.Bytes(), v.SENC}, "S-MAC": {sk.SMAC.Bytes(), v.SMAC},
		"host cryptogram": {hostC[:], v.HostCryptogram}, "card cryptogram": {cardC[:], v.CardCryptogram},
	} {
		if !bytes.Equal(p[0], p[1]) {
			return fmt.Errorf("%s %X, want %X", name, p[0], p[1])
		}
	}
	if v.SRMAC != nil && !bytes.Equal(sk.SRMAC.Bytes(), v.SRMAC) {
		return errors.New("S-RMAC differs")
	}
	if v.SDEK != nil && !bytes.Equal(sk.SDEK.Bytes(), v.SDEK) {
		return errors.New("S-DEK differs")
	}
	return nil
}

func TestRecordedHandshakes(t *testing.T) {
	all, err := vectors.Sessions()
	require.NoError(t, err)
	challenges := 0
	for _, v := range all {
		if v.AID != nil {
			challenges++
		}
		t.Run(v.Name, func(t *testing.T) { require.NoError(t, handshake(v)) })
	}
	assert.GreaterOrEqual(t, challenges, 10, "pseudo-random challenges of SCP03")
}
