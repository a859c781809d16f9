package channel

import (
	"encoding/json"
	"errors"
	"fmt"

	"tokenwright/simcard/nvm"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// Names of records.
const (
	nameSets  = "channel/keys"
	nameTries = "channel/tries"
	nameSeq   = "channel/seq/"
)

// keysPerSet is ENC, MAC and DEK, key identifiers 1 to 3.
const keysPerSet = 3

// maxSets bounds the key versions of a card.
const maxSets = 8

// keySet is one key version. A set that PUT KEY builds key by key may lack some.
type keySet struct {
	kvn     keys.KVN
	keys    [keysPerSet]keys.Key
	initial bool // a factory set that goes when the first other one is complete
}

func factorySet(s keys.KeySet) keySet {
	return keySet{
		kvn: s.KVN, keys: [keysPerSet]keys.Key{s.ENC, s.MAC, s.DEK}, initial: s.KVN == 0xFF,
	}
}

func (s keySet) complete() bool {
	for _, k := range s.keys {
		if k.IsZero() {
			return false
		}
	}
	return true
}

func (s keySet) keySet() keys.KeySet {
	return keys.KeySet{KVN: s.kvn, ENC: s.keys[0], MAC: s.keys[1], DEK: s.keys[2]}
}

// storedSet is a set as the memory holds it.
type storedSet struct {
	KVN       byte
	Algorithm [keysPerSet]keys.Algorithm
	Values    [keysPerSet][]byte
	Initial   bool
}

func marshalSets(sets []keySet) ([]byte, error) {
	out := make([]storedSet, len(sets))
	for i, s := range sets {
		out[i] = storedSet{KVN: byte(s.kvn), Initial: s.initial}
		for j, k := range s.keys {
			if !k.IsZero() {
				out[i].Algorithm[j], out[i].Values[j] = k.Algorithm(), k.Bytes()
			}
		}
	}
	return json.Marshal(out)
}

func unmarshalSets(b []byte) ([]keySet, error) {
	var stored []storedSet
	if err := json.Unmarshal(b, &stored); err != nil {
		return nil, fmt.Errorf("key sets: %w: %w", nvm.ErrCorrupt, err)
	}
	if len(stored) > maxSets+1 {
		return nil, fmt.Errorf("%d key sets: %w", len(stored), nvm.ErrCorrupt)
	}
	out := make([]keySet, len(stored))
	for i, s := range stored {
		out[i] = keySet{kvn: keys.KVN(s.KVN), initial: s.Initial}
		for j, v := range s.Values {
			if len(v) == 0 {
				continue
			}
			k, err := keys.New(s.Algorithm[j], v)
			if err != nil {
				return nil, fmt.Errorf("key set %s: %w: %w", out[i].kvn, nvm.ErrCorrupt, err)
			}
			out[i].keys[j] = k
		}
	}
	return out, nil
}

// read fills the channel from memory.
func (c *Channel) read() error {
	b, ok := c.Memory.Get(nameSets)
	if !ok {
		return fmt.Errorf("no keys: %w", nvm.ErrCorrupt)
	}
	var err error
	if c.sets, err = unmarshalSets(b); err != nil {
		return err
	}
	tries, ok := c.Memory.Get(nameTries)
	if !ok || len(tries) != 1 {
		return fmt.Errorf("authentication tries: %w", nvm.ErrCorrupt)
	}
	c.tries = int(tries[0])
	return nil
}

// find gives the index of the set that INITIALIZE UPDATE asks for; 00 is the first one that is
// complete (GPCS 2.3.1 §E.5.1.3). It is -1 without one.
func (c *Channel) find(kvn keys.KVN) int {
	for i, s := range c.sets {
		if (kvn == 0 || s.kvn == kvn) && s.complete() {
			return i
		}
	}
	return -1
}

func (c *Channel) index(kvn keys.KVN) int {
	for i, s := range c.sets {
		if s.kvn == kvn {
			return i
		}
	}
	return -1
}

// Sequence counters (GPCS 2.3.1 §E.1.2, AMD-D §6.2.2.1): two bytes in SCP02, counted up by a
// successful EXTERNAL AUTHENTICATE; three in SCP03 with pseudo-random challenges, counted up by
// INITIALIZE UPDATE before it answers. The record holds the current value.

func seqName(kvn keys.KVN) string { return nameSeq + kvn.String() }

// counterLen is 0 for variants without a counter.
func counterLen(v scp.Variant) int {
	switch {
	case v.SCP == 2:
		return 2
	case v.SCP == 3 && v.PseudoRandom():
		return 3
	}
	return 0
}

func (c *Channel) counter(kvn keys.KVN) (uint32, error) {
	b, ok := c.Memory.Get(seqName(kvn))
	if !ok {
		return 0, nil
	}
	if len(b) != 4 {
		return 0, fmt.Errorf("sequence counter: %w", nvm.ErrCorrupt)
	}
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), nil
}

func putCounter(tx *nvm.Tx, kvn keys.KVN, n uint32) {
	tx.Put(seqName(kvn), []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// putStartCounter sets the counter such that the next INITIALIZE UPDATE answers seq.
func putStartCounter(tx *nvm.Tx, v scp.Variant, kvn keys.KVN, seq []byte) error {
	if len(seq) != counterLen(v) {
		return fmt.Errorf("sequence counter of %d bytes, %v has %d", len(seq), v, counterLen(v))
	}
	var n uint32
	for _, b := range seq {
		n = n<<8 | uint32(b)
	}
	if v.SCP == 3 {
		if n == 0 {
			return errors.New("sequence counter 000000 is never answered: it counts up first")
		}
		n--
	}
	putCounter(tx, kvn, n)
	return nil
}
