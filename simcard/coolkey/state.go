package coolkey

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/coolkey/heap"
	"tokenwright/simcard/nvm"
	lang "tokenwright/tms/coolkey"
)

// pin is one PIN. Secret; exists is 0 or 1.
type pin struct {
	Exists, Limit, Left, Len uint8
	Value                    [lang.MaxPIN]byte
}

// state is what the applet keeps in persistent fields, as one record of fixed layout.
type state struct {
	Layout       uint8
	Major, Minor uint8
	Build        uint32
	Issuer       [lang.IssuerInfoLen]byte
	ACL          lang.BuiltinACL
	Flags        uint8 // second byte of GET LIFECYCLE
	HeapSize     uint16
	Lists        heap.Lists
	IOSize       int16 // of the I/O object
	PINs         [lang.MaxPINs]pin
}

const (
	layout    = 1
	stateName = "state"
	heapName  = "heap/"
	heapPage  = 128
)

// Bits of state.Flags.
const (
	flagPIN      = 0x01 // a PIN has been created, ever
	flagWritable = 0x02 // the built-in ACLs let PIN holders create objects and keys
)

func newState(v Version, p lang.InstallParams) (state, []byte) {
	s := state{
		Layout: layout, Major: v.Major, Minor: v.Minor, Build: v.Build,
		ACL: lang.DefaultBuiltinACL, HeapSize: uint16(p.Heap()),
	}
	copy(s.Issuer[:], p.Issuer)
	if p.ACLChange() {
		s.ACL.Enable = 1
	}
	mem := make([]byte, s.HeapSize)
	heap.New(mem, &s.Lists)
	return s, mem
}

func (s state) bytes() []byte {
	b, err := binary.Append(nil, binary.BigEndian, s)
	if err != nil {
		panic(err) // All fields are of fixed size.
	}
	return b
}

func parseState(b []byte) (state, error) {
	var s state
	if len(b) != binary.Size(s) {
		return s, fmt.Errorf("applet state of %d bytes: %w", len(b), nvm.ErrCorrupt)
	}
	if _, err := binary.Decode(b, binary.BigEndian, &s); err != nil {
		return s, fmt.Errorf("applet state: %w: %w", nvm.ErrCorrupt, err)
	}
	if s.Layout != layout || s.HeapSize > heap.MaxSize {
		return s, fmt.Errorf("applet state: %w", nvm.ErrCorrupt)
	}
	for _, p := range s.PINs {
		if p.Exists > 1 || p.Len > lang.MaxPIN {
			return s, fmt.Errorf("applet state: PIN: %w", nvm.ErrCorrupt)
		}
	}
	return s, nil
}

func pageName(i int) string { return fmt.Sprintf("%s%03d", heapName, i/heapPage) }

// save puts what differs between two states of the applet. oldMem may be empty, as at installation.
func save(tx applet.Tx, was, is state, oldMem, mem []byte) {
	if was != is {
		tx.Put(stateName, is.bytes())
	}
	for i := 0; i < len(mem); i += heapPage {
		end := min(i+heapPage, len(mem))
		if len(oldMem) < end || !bytes.Equal(mem[i:end], oldMem[i:end]) {
			tx.Put(pageName(i), mem[i:end])
		}
	}
}

func load(m applet.Memory) (state, []byte, error) {
	b, ok := m.Get(stateName)
	if !ok {
		return state{}, nil, fmt.Errorf("no applet state: %w", nvm.ErrCorrupt)
	}
	s, err := parseState(b)
	if err != nil {
		return s, nil, err
	}
	mem := make([]byte, 0, s.HeapSize)
	for i := 0; i < int(s.HeapSize); i += heapPage {
		p, ok := m.Get(pageName(i))
		if !ok || len(p) != min(heapPage, int(s.HeapSize)-i) {
			return s, nil, fmt.Errorf("applet heap at %d: %w", i, nvm.ErrCorrupt)
		}
		mem = append(mem, p...)
	}
	if err := (heap.Heap{Mem: mem, Lists: &s.Lists}).Check(); err != nil {
		return s, nil, fmt.Errorf("applet heap: %w: %w", nvm.ErrCorrupt, err)
	}
	return s, mem, nil
}
