package slots

import (
	"encoding/binary"
	"errors"
	"fmt"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/pubkey"
	lang "tokenwright/tms/coolkey"
)

const (
	layout     = 1
	recordName = "slots"
)

func numbersName(n int) string { return fmt.Sprintf("key/%02d", n) }

// Changed reports whether there is anything to save.
func (t *Table) Changed() bool { return t.state != t.saved || t.changed != [Count]bool{} }

// Save puts what has changed since Load or the last Settle.
func (t *Table) Save(tx applet.Tx) {
	if t.state != t.saved {
		b, err := binary.Append(nil, binary.BigEndian, t.state)
		if err != nil {
			panic(err) // All fields are of fixed size.
		}
		tx.Put(recordName, b)
	}
	for n, changed := range t.changed {
		switch {
		case changed && t.numbers[n] != nil:
			tx.Put(numbersName(n), t.numbers[n])
		case changed:
			tx.Delete(numbersName(n))
		}
	}
}

// Settle tells that what Save put is in memory for good.
func (t *Table) Settle() { t.saved, t.changed = t.state, [Count]bool{} }

// Load reads a table. A memory without one holds none, as before the first key.
func Load(m applet.Memory) (*Table, error) {
	t := New()
	b, ok := m.Get(recordName)
	if !ok {
		t.Settle()
		return t, nil
	}
	if len(b) != binary.Size(t.state) {
		return nil, fmt.Errorf("key slots of %d bytes: %w", len(b), nvm.ErrCorrupt)
	}
	if _, err := binary.Decode(b, binary.BigEndian, &t.state); err != nil {
		return nil, fmt.Errorf("key slots: %w: %w", nvm.ErrCorrupt, err)
	}
	if t.Layout != layout || t.Next > Count {
		return nil, fmt.Errorf("key slots: %w", nvm.ErrCorrupt)
	}
	for n := range t.Slots {
		if err := t.load(m, n); err != nil {
			return nil, fmt.Errorf("key slot %d: %w: %w", n, nvm.ErrCorrupt, err)
		}
	}
	t.Settle()
	return t, nil
}

var errSlot = errors.New("impossible slot")

// load reads the key of one slot and checks what the slot says of itself.
func (t *Table) load(m applet.Memory, n int) error {
	s := &t.Slots[n]
	known := func(slot uint8) bool { return slot < Count || slot == lang.NoMate }
	if s.Built > 1 || s.Ready > s.Built || s.Cipher > 1 || !known(s.Mate) || !known(s.Pair.Other) {
		return errSlot
	}
	if s.Ready == 0 {
		return nil
	}
	b, ok := m.Get(numbersName(n))
	if !ok {
		return fmt.Errorf("no key: %w", pubkey.ErrNumber)
	}
	t.numbers[n] = append([]byte(nil), b...)
	var err error
	t.keys[n], err = parse(s.Type, int(s.Bits), t.numbers[n])
	return err
}
