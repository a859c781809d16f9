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

// pageNames are the names of all pages of the largest heap.
var pageNames = func() (names [heap.MaxSize/heapPage + 1]string) {
	for i := range names {
		names[i] = fmt.Sprintf("%s%03d", heapName, i)
	}
	return names
}()

func pageName(i int) string { return pageNames[i/heapPage] }

// changedPages gives the offsets of the pages in which two heaps of the same size differ.
func changedPages(was, is []byte) (pages []int) {
	const stretch = 8 * heapPage // is compared as a whole first
	for from := 0; from < len(is); from += stretch {
		to := min(from+stretch, len(is))
		if bytes.Equal(was[from:to], is[from:to]) {
			continue
		}
		for at := from; at < to; at += heapPage {
			if end := min(at+heapPage, to); !bytes.Equal(was[at:end], is[at:end]) {
				pages = append(pages, at)
			}
		}
	}
	return pages
}

// page is the part of a heap that is one record.
func page(mem []byte, at int) []byte { return mem[at:min(at+heapPage, len(mem))] }

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
