package bench

import (
	"crypto/sha256"
	"errors"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// Key versions that the catalogue uses for itself, and removes again.
const (
	TestKVN  keys.KVN = 0x71
	OtherKVN keys.KVN = 0x72
)

// TestSet gives one of the two key sets that the catalogue puts on cards. They are no secret: whoever
// finds a card with them knows that a run was cut off.
func TestSet(kvn keys.KVN, algorithm keys.Algorithm, size int) (keys.KeySet, error) {
	set := keys.KeySet{KVN: kvn}
	for name, to := range map[string]*keys.Key{"ENC": &set.ENC, "MAC": &set.MAC, "DEK": &set.DEK} {
		sum := sha256.Sum256([]byte("cardcert test key " + kvn.String() + " " + name))
		k, err := keys.New(algorithm, sum[:size])
		if err != nil {
			return keys.KeySet{}, err
		}
		*to = k
	}
	return set, nil
}

// TestKeys are the sources of those sets, whatever version they stand under.
func TestKeys() []KeySource {
	var out []KeySource
	for _, kvn := range []keys.KVN{TestKVN, OtherKVN} {
		for _, kind := range []struct {
			algorithm keys.Algorithm
			size      int
		}{{keys.DES3, 16}, {keys.AES, 16}, {keys.AES, 24}, {keys.AES, 32}} {
			out = append(out, KeySource{Set: func(keys.KDD) (keys.KeySet, error) {
				return TestSet(kvn, kind.algorithm, kind.size)
			}})
		}
	}
	return out
}

// TestSet gives a key set of the kind that the card's own keys are of.
func (b *Bench) TestSet(kvn keys.KVN) (keys.KeySet, error) {
	base, err := b.BaseSet()
	if err != nil {
		return keys.KeySet{}, err
	}
	return TestSet(kvn, base.ENC.Algorithm(), base.ENC.Len())
}

// BaseSet gives the key set that the card came with.
func (b *Bench) BaseSet() (keys.KeySet, error) {
	if b.Base.Set == nil {
		return keys.KeySet{}, errors.New("the host has no keys of this card")
	}
	set, err := b.Base.Set(b.KDD)
	set.KVN = b.Base.KVN
	return set, err
}

// PutKey makes PUT KEY for a whole set: old is the version to replace, 00 to add.
func (c *Channel) PutKey(old keys.KVN, set keys.KeySet) (apdu.Command, error) {
	p := gp.PutKey{OldKVN: old, FirstKeyID: 1, Multiple: true, Ne: apdu.MaxShortNe}
	p.KVN = set.KVN
	for _, k := range []keys.Key{set.ENC, set.MAC, set.DEK} {
		data, err := c.KeyData(k)
		if err != nil {
			return apdu.Command{}, err
		}
		p.Keys = append(p.Keys, data)
	}
	return p.Command(), nil
}

// KeyData encrypts one key for PUT KEY: 3DES-ECB under the static DEK in SCP01 (GPCS 2.1.1 §D.3.5),
// under the session DEK in SCP02 (GPCS 2.3.1 §E.4.7), AES-CBC with a zero IV under the static DEK in
// SCP03 (AMD-D §6.2.8). A key that is no whole number of blocks is filled up.
func (c *Channel) KeyData(k keys.Key) (gp.KeyData, error) {
	plain := k.Bytes()
	kcv := k.KCV()
	out := gp.KeyData{Type: gp.KeyDES, KCV: kcv[:]}
	var err error
	switch h := c.Handshake; h.Variant.SCP {
	case 1:
		out.Value, err = h.Keys.DEK.EncryptECB(plain)
	case 2:
		out.Value, err = h.Session.SDEK.EncryptECB(plain)
	default:
		out.Type = gp.KeyAES
		padded := append(plain, make([]byte, (16-len(plain)%16)%16)...)
		out.Value, err = h.Keys.DEK.EncryptCBC(nil, padded)
		out.Length = byte(len(plain))
	}
	return out, err
}
