package coolkey

import (
	"encoding/binary"
	"fmt"

	"tokenwright/simcard/nvm"
	lang "tokenwright/tms/coolkey"
)

// The applet's heap is one byte array. A free block starts with its size and the offset of the next
// free block, by address; an allocated one with its size. Objects are a list through allocated
// blocks, newest first.

const (
	none     = 0xFFFF // end of a list
	minBlock = 4      // bytes of the smallest block
	objHead  = 14     // bytes in front of an object's data: next, id, ACL, size
)

func get16(b []byte, at uint16) uint16    { return binary.BigEndian.Uint16(b[at:]) }
func put16(b []byte, at uint16, v uint16) { binary.BigEndian.PutUint16(b[at:], v) }

// alloc takes n bytes from the first free block that has room, at its high end. It gives the offset
// of the bytes, which keep what they held; false without room.
func (a *instance) alloc(n int) (uint16, bool) {
	need := max(n+2, minBlock)
	prev := uint16(none)
	for at := a.st.FreeHead; at != none; prev, at = at, get16(a.heap, at+2) {
		size := int(get16(a.heap, at))
		if size < need {
			continue
		}
		rest := size - need
		if rest >= minBlock {
			put16(a.heap, at, uint16(rest))
			block := at + uint16(rest)
			put16(a.heap, block, uint16(need))
			return block + 2, true
		}
		a.link(prev, get16(a.heap, at+2))
		return at + 2, true
	}
	return 0, false
}

// link makes next follow prev in the free list, or its first block.
func (a *instance) link(prev, next uint16) {
	if prev == none {
		a.st.FreeHead = next
		return
	}
	put16(a.heap, prev+2, next)
}

// free gives a block back and joins it with free neighbours.
func (a *instance) free(payload uint16) {
	block := payload - 2
	prev, next := uint16(none), a.st.FreeHead
	for next != none && next < block {
		prev, next = next, get16(a.heap, next+2)
	}
	put16(a.heap, block+2, next)
	a.link(prev, block)
	a.join(block)
	if prev != none {
		a.join(prev)
	}
}

// join merges a free block with the next one when they touch.
func (a *instance) join(at uint16) {
	next := get16(a.heap, at+2)
	if next == none || at+get16(a.heap, at) != next {
		return
	}
	put16(a.heap, at, get16(a.heap, at)+get16(a.heap, next))
	put16(a.heap, at+2, get16(a.heap, next+2))
}

// freeBytes is what GET STATUS reports: the free blocks, each less the two bytes of its size.
func (a *instance) freeBytes() int {
	n := 0
	for at := a.st.FreeHead; at != none; at = get16(a.heap, at+2) {
		n += int(get16(a.heap, at)) - 2
	}
	return n
}

// object is where an object's header lies in the heap.
type object struct {
	heap []byte
	at   uint16
}

func (o object) next() uint16      { return get16(o.heap, o.at) }
func (o object) id() lang.ObjectID { return lang.ObjectID(binary.BigEndian.Uint32(o.heap[o.at+2:])) }
func (o object) read() lang.ACL    { return lang.ACL(get16(o.heap, o.at+6)) }
func (o object) write() lang.ACL   { return lang.ACL(get16(o.heap, o.at+8)) }
func (o object) delete() lang.ACL  { return lang.ACL(get16(o.heap, o.at+10)) }
func (o object) size() int         { return int(get16(o.heap, o.at+12)) }

// data is the object's content in the heap.
func (o object) data() []byte {
	from := int(o.at) + objHead
	return o.heap[from : from+o.size()]
}

// find gives the object with this id, and the offset of the object before it in the list.
func (a *instance) find(id lang.ObjectID) (o object, prev uint16, ok bool) {
	prev = none
	for at := a.st.ObjectHead; at != none; at = get16(a.heap, at) {
		o = object{a.heap, at}
		if o.id() == id {
			return o, prev, true
		}
		prev = at
	}
	return object{}, none, false
}

// remove takes an object out of the list and gives its memory back.
func (a *instance) remove(o object, prev uint16, zero bool) {
	if prev == none {
		a.st.ObjectHead = o.next()
	} else {
		put16(a.heap, prev, o.next())
	}
	if a.st.ObjectNext == o.at {
		a.st.ObjectNext = o.next()
	}
	if zero {
		clear(o.data())
	}
	a.free(o.at)
}

// checkHeap refuses a heap whose lists lead out of it or in a circle.
func checkHeap(s state, heap []byte) error {
	bad := func(what string) error { return fmt.Errorf("applet heap: %s: %w", what, nvm.ErrCorrupt) }
	end := -1
	for at := s.FreeHead; at != none; at = get16(heap, at+2) {
		if int(at) <= end || int(at)+minBlock > len(heap) {
			return bad("free list")
		}
		size := int(get16(heap, at))
		if size < minBlock || int(at)+size > len(heap) {
			return bad("free block")
		}
		end = int(at) + size - 1
	}
	next := s.ObjectNext == none
	n := 0
	for at := s.ObjectHead; at != none; at = get16(heap, at) {
		if n++; n > len(heap)/objHead || at < 2 || int(at)+objHead > len(heap) {
			return bad("object list")
		}
		size := int(get16(heap, at-2))
		if o := (object{heap, at}); size < 2 || int(at)-2+size > len(heap) || objHead+o.size() > size-2 {
			return bad("object")
		}
		next = next || at == s.ObjectNext
	}
	if !next {
		return bad("list position")
	}
	return nil
}
