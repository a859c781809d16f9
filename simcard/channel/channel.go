package channel

import (
	"fmt"
	"io"

	"tokenwright/simcard/nvm"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// Config is what a Channel is made of.
type Config struct {
	Variant scp.Variant
	KDD     keys.KDD
	Memory  *nvm.Memory
	Random  io.Reader
	// Challenge, when not nil, is the start of every card challenge: 8 bytes, 6 suffice for SCP02.
	Challenge []byte
	// MaxTries is how many failed authentications in a row block the keys; 0 never does.
	MaxTries int
	// StrictKeyIndex refuses INITIALIZE UPDATE with P2 other than 00 under SCP02 and SCP03.
	StrictKeyIndex bool
	Misbehaviour   scp.Misbehaviour
}

// Channel is a security domain's secure channel between one power-on and the next. Its methods are
// called one at a time.
type Channel struct {
	Config
	sets    []keySet
	tries   int
	session session
}

// Open reads the channel's state from the card memory.
func Open(conf Config) (*Channel, error) {
	c := &Channel{Config: conf}
	if err := c.Variant.Validate(); err != nil {
		return nil, err
	}
	if c.Challenge != nil && len(c.Challenge) < c.challengeLen() {
		return nil, fmt.Errorf("card challenge of %d bytes, want %d", len(c.Challenge),
			c.challengeLen())
	}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("secure channel: %w", err)
	}
	return c, nil
}

// Initialize writes the state of a new card: one key set, no failed tries. seq is the sequence
// counter as the next INITIALIZE UPDATE answers it, nil for the start.
func Initialize(tx *nvm.Tx, v scp.Variant, maxTries int, set keys.KeySet, seq []byte) error {
	sets, err := marshalSets([]keySet{factorySet(set)})
	if err != nil {
		return err
	}
	tx.Put(nameSets, sets)
	tx.Put(nameTries, []byte{byte(maxTries)})
	if len(seq) > 0 {
		return putStartCounter(tx, v, set.KVN, seq)
	}
	return nil
}

// HasCounter tells whether the protocol has a sequence counter.
func (c *Channel) HasCounter() bool { return counterLen(c.Variant) > 0 }

// Counter is the sequence counter of the key version that INITIALIZE UPDATE uses by default, 2
// bytes for SCP02, 3 for SCP03. ok is false without one.
func (c *Channel) Counter() (value []byte, ok bool, err error) {
	i := c.find(0)
	if i < 0 || !c.HasCounter() {
		return nil, false, nil
	}
	n, err := c.counter(c.sets[i].kvn)
	if err != nil {
		return nil, false, err
	}
	b := []byte{byte(n >> 16), byte(n >> 8), byte(n)}
	return b[3-counterLen(c.Variant):], true, nil
}

// KeyInfo is one key as GET DATA tells of it.
type KeyInfo struct {
	ID   keys.KeyID
	KVN  keys.KVN
	Type gp.KeyType
	Len  int // bytes
}

// Keys lists the keys in the order in which their sets came.
func (c *Channel) Keys() []KeyInfo {
	var out []KeyInfo
	for _, s := range c.sets {
		for i, k := range s.keys {
			if k.IsZero() {
				continue
			}
			info := KeyInfo{ID: keys.KeyID(i + 1), KVN: s.kvn, Type: gp.KeyDES, Len: k.Len()}
			if k.Algorithm() == keys.AES {
				info.Type = gp.KeyAES
			}
			out = append(out, info)
		}
	}
	return out
}
