package channel

import (
	"crypto/subtle"
	"errors"
	"slices"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/nvm"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// PutKey adds or replaces keys (GPCS 2.3.1 §11.8, AMD-D §7.2). All keys of the command take effect
// in one commit, or none does. Replaced and new sets start with a sequence counter of zero. The
// factory set FF goes when the first other set is complete.
func (c *Channel) PutKey(cmd apdu.Command) ([]byte, error) {
	p, err := gp.ParsePutKey(cmd)
	if err != nil {
		return nil, applet.Refusal(err)
	}
	first := int(p.FirstKeyID)
	switch {
	case p.More, first < 1, first+len(p.Keys)-1 > keysPerSet:
		return nil, apdu.SW6A86
	case p.KVN < 1 || p.KVN > 0x7F:
		return nil, apdu.SW6A80
	}
	values := make([]keys.Key, len(p.Keys))
	for i, k := range p.Keys {
		if values[i], err = c.unwrapKey(k); err != nil {
			return nil, err
		}
	}
	sets, err := c.withKeys(p.OldKVN, p.KVN, first-1, values)
	if err != nil {
		return nil, err
	}
	if err := c.commitSets(sets, p.OldKVN, p.KVN); err != nil {
		return nil, err
	}
	out := gp.PutKeyResponse{KVN: p.KVN}
	for _, k := range values {
		out.KCVs = append(out.KCVs, k.KCV())
	}
	return out.Bytes(), nil
}

// unwrapKey decrypts one key and checks its KCV (GPCS 2.3.1 §11.8.2.3.3).
func (c *Channel) unwrapKey(k gp.KeyData) (keys.Key, error) {
	algorithm := keys.DES3
	switch k.Type {
	case gp.KeyDES, gp.KeyDESOld, gp.KeyDES3CBC, gp.KeyDESECB, gp.KeyDESCBC:
	case gp.KeyAES:
		algorithm = keys.AES
	default:
		return keys.Key{}, apdu.SW6A80
	}
	if (algorithm == keys.AES) != (c.Variant.SCP == 3) || len(k.KCV) != len(keys.KCV{}) {
		return keys.Key{}, apdu.SW6A80
	}
	plain, err := c.Decrypt(k.Value)
	if err != nil {
		return keys.Key{}, err
	}
	key, err := keys.New(algorithm, plain[:k.PlainLen()])
	if err != nil {
		return keys.Key{}, apdu.SW6A80
	}
	kcv := key.KCV()
	if subtle.ConstantTimeCompare(kcv[:], k.KCV) != 1 {
		return keys.Key{}, apdu.SW6982
	}
	return key, nil
}

// withKeys gives the key sets as they are once the keys stand under version kvn, from index first
// on: as additions when old is 00, otherwise in place of those of version old.
func (c *Channel) withKeys(old, kvn keys.KVN, first int, values []keys.Key) ([]keySet, error) {
	sets := slices.Clone(c.sets)
	i := c.index(kvn)
	if old != 0 {
		if i = c.index(old); i < 0 {
			return nil, apdu.SW6A88
		}
		if kvn != old && c.index(kvn) >= 0 {
			return nil, apdu.SW6A80
		}
	} else if i < 0 {
		if len(sets) >= maxSets {
			return nil, apdu.SW6A84
		}
		i, sets = len(sets), append(sets, keySet{kvn: kvn})
	}
	s := &sets[i]
	s.kvn = kvn
	for j, key := range values {
		have := s.keys[first+j]
		switch {
		case old == 0 && !have.IsZero():
			return nil, apdu.SW6A80 // Exists: PUT KEY with the old version replaces it.
		case old != 0 && have.IsZero():
			return nil, apdu.SW6A88
		case old != 0 && (have.Algorithm() != key.Algorithm() || have.Len() != key.Len()):
			return nil, apdu.SW6A80 // Algorithm and size stay (GPCS 2.3.1 §11.8.2.3.3).
		}
		s.keys[first+j] = key
	}
	if !s.uniform() {
		return nil, apdu.SW6A80 // AMD-D §6.1: the keys of a set are of one length.
	}
	if s.complete() {
		sets = slices.DeleteFunc(sets, func(x keySet) bool { return x.initial && x.kvn != kvn })
	}
	return sets, nil
}

// uniform tells whether the keys of a set, those that are there, are of one kind.
func (s keySet) uniform() bool {
	var first keys.Key
	for _, k := range s.keys {
		switch {
		case k.IsZero():
		case first.IsZero():
			first = k
		case k.Algorithm() != first.Algorithm() || k.Len() != first.Len():
			return false
		}
	}
	return true
}

// commitSets writes the sets; the counters of the given versions start anew.
func (c *Channel) commitSets(sets []keySet, changed ...keys.KVN) error {
	b, err := marshalSets(sets)
	if err != nil {
		return err
	}
	err = c.Memory.Update(func(tx *nvm.Tx) error {
		tx.Put(nameSets, b)
		for _, kvn := range changed {
			tx.Delete(seqName(kvn))
		}
		return nil
	})
	if errors.Is(err, nvm.ErrFull) {
		return apdu.SW6A84
	}
	if err != nil {
		return err
	}
	c.sets = sets
	return nil
}

// DeleteKeys removes the keys that DELETE names: a version, an identifier in all versions, or one
// key (GPCS 2.3.1 §11.2.2.3.2). The last complete set stays: without it the card would be lost.
func (c *Channel) DeleteKeys(id *keys.KeyID, kvn *keys.KVN) error {
	var sets []keySet
	var changed []keys.KVN
	usable := false
	for _, s := range c.sets {
		hit, empty := false, true
		for i, k := range s.keys {
			if !k.IsZero() && (kvn == nil || *kvn == s.kvn) && (id == nil || int(*id) == i+1) {
				s.keys[i], hit = keys.Key{}, true
			}
			empty = empty && s.keys[i].IsZero()
		}
		if hit {
			changed = append(changed, s.kvn)
		}
		if !empty {
			sets = append(sets, s)
			usable = usable || s.complete()
		}
	}
	switch {
	case len(changed) == 0:
		return apdu.SW6A88
	case !usable:
		return apdu.SW6985
	}
	return c.commitSets(sets, changed...)
}
