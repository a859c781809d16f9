// Package slots holds the keys of the CoolKey applet: 24 slots with the key object, access conditions
// and mate of each, and the key-pair objects that tie two slots together for good. It keeps the rules
// of the applet about what may go where, and gives keys out for operations.
//
// A slot goes through three states: never built; built, when a key object was made for it, of a type
// and size; ready, when that object holds a key. Clearing a slot takes it from ready back to built.
//
// Errors of its rules are the applet's status words. The package must not know who is logged in, nor
// any APDU.
package slots

import (
	"slices"

	"tokenwright/simcard/pubkey"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// Count is the number of slots.
const Count = lang.MaxKeys

// KeyECCPrivate is the type under which a private key on a curve is listed. No public applet has such
// keys; the number follows that of the public half.
const KeyECCPrivate lang.KeyType = 0x0B

// Slot is what the applet keeps about a slot besides the numbers of the key. Flags are 0 or 1.
type Slot struct {
	Built, Ready uint8
	// Cipher tells that the slot has a cipher object.
	Cipher uint8
	Type   lang.KeyType
	Bits   uint16
	Mate   uint8 // lang.NoMate without one
	ACL    lang.KeyACL
	Pair   Pair
}

// Pair is a slot's place in a key-pair object, which is made at the first key generation and stays,
// with its size, whatever happens to the keys. Other is lang.NoMate without one.
type Pair struct {
	Other, Private, EC uint8
	Bits               uint16
}

// key is the key of a ready slot, in the one form that suits its type.
type key struct {
	public  *pubkey.RSAPublic
	private *pubkey.RSAPrivate
	ec      *pubkey.EC
}

// state is the part of a Table that is one record in memory, as a fixed layout.
type state struct {
	Layout uint8
	Next   uint8 // where LIST KEYS goes on
	Slots  [Count]Slot
}

// Table are the slots. Use New or Load.
type Table struct {
	state
	saved   state
	numbers [Count][]byte // of the ready keys, as they are saved
	changed [Count]bool   // numbers that are not saved yet
	keys    [Count]key
}

// New makes a table of slots that were never built.
func New() *Table {
	t := &Table{state: state{Layout: layout}}
	for n := range t.Slots {
		t.Slots[n].Mate, t.Slots[n].Pair.Other = lang.NoMate, lang.NoMate
	}
	return t
}

// Has reports whether there is a slot n and it has ever been built.
func (t *Table) Has(n byte) bool { return n < Count && t.Slots[n].Built == 1 }

// IsReady reports whether there is a slot n and it holds a key.
func (t *Table) IsReady(n byte) bool { return n < Count && t.Slots[n].Ready == 1 }

// HasEC reports whether a key on a curve was ever built.
func (t *Table) HasEC() bool {
	return slices.ContainsFunc(t.Slots[:], func(s Slot) bool {
		return s.Built == 1 && (s.Type == KeyECCPrivate || s.Type == lang.KeyECCPublic)
	})
}

// Built counts the slots that were ever built.
func (t *Table) Built() (n int) {
	for _, s := range t.Slots {
		n += int(s.Built)
	}
	return n
}

// Rewind makes Step start with slot 0.
func (t *Table) Rewind() { t.Next = 0 }

// Step gives the next ready slot in ascending order, false when there is no other.
func (t *Table) Step() (byte, Slot, bool) {
	for ; t.Next < Count; t.Next++ {
		if n := t.Next; t.Slots[n].Ready == 1 {
			t.Next++
			return n, t.Slots[n], true
		}
	}
	return 0, Slot{}, false
}

// Mates gives 9C1E unless a and b are different slots of which neither has another mate.
func (t *Table) Mates(a, b byte) error {
	ma, mb := t.Slots[a].Mate, t.Slots[b].Mate
	if a == b || ma != lang.NoMate && ma != b || mb != lang.NoMate && mb != a {
		return apdu.SW9C1E
	}
	return nil
}

// Build makes the key object of a slot. A ready one must have the type and size asked for, 9C03; for
// any other mayCreate is needed, 9C06, and a size that the platform has, 6F00.
func (t *Table) Build(n byte, kind lang.KeyType, bits uint16, mayCreate, legal bool) error {
	s := &t.Slots[n]
	switch {
	case bits == 0, s.Ready == 1 && (s.Type != kind || s.Bits != bits):
		return apdu.SW9C03
	case s.Ready == 1:
		return nil
	case !mayCreate:
		return apdu.SW9C06
	case !legal:
		return apdu.SW6F00
	}
	s.Built, s.Type, s.Bits = 1, kind, bits
	return nil
}

// Join makes the key-pair object of two built slots, or takes the one that they have: 9C03 if they
// belong to others or the other way round. It gives the size of the keys that the object makes, which
// is that of its first time.
func (t *Table) Join(private, public byte, ec bool) (bits uint16, err error) {
	a, b := &t.Slots[private], &t.Slots[public]
	var kind uint8
	if ec {
		kind = 1
	}
	if a.Pair.Other == lang.NoMate && b.Pair.Other == lang.NoMate {
		a.Pair = Pair{Other: public, Private: 1, EC: kind, Bits: a.Bits}
		b.Pair = Pair{Other: private, EC: kind, Bits: a.Bits}
	}
	if a.Pair.Other != public || b.Pair.Other != private || a.Pair.Private != 1 || a.Pair.EC != kind {
		return 0, apdu.SW9C03
	}
	a.Bits, b.Bits = a.Pair.Bits, a.Pair.Bits
	return a.Pair.Bits, nil
}

// Clear takes the key out of a slot, and the slot from its mate. Key object and access conditions
// stay.
func (t *Table) Clear(n byte) {
	s := &t.Slots[n]
	s.Ready, s.Mate = 0, lang.NoMate
	clear(t.numbers[n])
	t.numbers[n], t.changed[n], t.keys[n] = nil, true, key{}
}
