// Package heap is the memory manager of the CoolKey applet: one byte array in which objects live,
// laid out as the applet lays it out, so that free memory, fragmentation and the order of objects
// come out the same.
//
// A free block starts with its size and the offset of the next free block, by address; an allocated
// one with its size. Objects are a list through allocated blocks, newest first: a header with next,
// id, access conditions and size, then the data. All numbers are big-endian and 16 bits wide.
//
// The package must not know who may do what, nor any APDU. Nothing is allocated on the Go heap by
// any of its operations.
package heap

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	none     = 0xFFFF // end of a list
	minBlock = 4      // bytes of the smallest block
	sizeLen  = 2      // bytes in front of an allocated block's content
)

// MaxSize is the size in bytes of the largest heap.
const MaxSize = 0x7FFF

// ErrCorrupt is given for lists that lead out of the heap or in a circle.
var ErrCorrupt = errors.New("corrupt heap")

// Lists are where the lists of a heap start: the first free block by address, the newest object, and
// the object with which an enumeration goes on. All three point into the heap; FFFF is the end.
type Lists struct {
	Free, Newest, Next uint16
}

// Heap is a memory of fixed size. Its bytes and lists are all there is to keep of it.
type Heap struct {
	Mem []byte
	*Lists
}

// New makes an empty heap in mem, which is cleared, of at most MaxSize bytes.
func New(mem []byte, l *Lists) Heap {
	clear(mem)
	*l = Lists{Free: none, Newest: none, Next: none}
	if len(mem) >= minBlock {
		l.Free = 0
		put16(mem, 0, uint16(len(mem)))
		put16(mem, 2, none)
	}
	return Heap{mem, l}
}

func get16(b []byte, at uint16) uint16    { return binary.BigEndian.Uint16(b[at:]) }
func put16(b []byte, at uint16, v uint16) { binary.BigEndian.PutUint16(b[at:], v) }

// alloc takes n bytes from the first free block that has room, at its high end. It gives the offset
// of the bytes, which keep what they held; false without room.
func (h Heap) alloc(n int) (uint16, bool) {
	need := max(n+sizeLen, minBlock)
	prev := uint16(none)
	for at := h.Free; at != none; prev, at = at, get16(h.Mem, at+2) {
		size := int(get16(h.Mem, at))
		if size < need {
			continue
		}
		rest := size - need
		if rest >= minBlock {
			put16(h.Mem, at, uint16(rest))
			block := at + uint16(rest)
			put16(h.Mem, block, uint16(need))
			return block + sizeLen, true
		}
		h.link(prev, get16(h.Mem, at+2))
		return at + sizeLen, true
	}
	return 0, false
}

// link makes next follow prev in the free list, or its first block.
func (h Heap) link(prev, next uint16) {
	if prev == none {
		h.Free = next
		return
	}
	put16(h.Mem, prev+2, next)
}

// release gives a block back and joins it with free neighbours.
func (h Heap) release(content uint16) {
	block := content - sizeLen
	prev, next := uint16(none), h.Free
	for next != none && next < block {
		prev, next = next, get16(h.Mem, next+2)
	}
	put16(h.Mem, block+2, next)
	h.link(prev, block)
	h.join(block)
	if prev != none {
		h.join(prev)
	}
}

// join merges a free block with the next one when they touch.
func (h Heap) join(at uint16) {
	next := get16(h.Mem, at+2)
	if next == none || at+get16(h.Mem, at) != next {
		return
	}
	put16(h.Mem, at, get16(h.Mem, at)+get16(h.Mem, next))
	put16(h.Mem, at+2, get16(h.Mem, next+2))
}

// FreeBytes is what the applet reports as free: all free blocks, each less the two bytes of its size.
func (h Heap) FreeBytes() int {
	n := 0
	for at := h.Free; at != none; at = get16(h.Mem, at+2) {
		n += int(get16(h.Mem, at)) - sizeLen
	}
	return n
}

// Check gives ErrCorrupt unless all lists stay in the heap, end, and lead to whole blocks.
func (h Heap) Check() error {
	bad := func(what string) error { return fmt.Errorf("%s: %w", what, ErrCorrupt) }
	if len(h.Mem) > MaxSize {
		return bad("size")
	}
	end := -1
	for at := h.Free; at != none; at = get16(h.Mem, at+2) {
		if int(at) <= end || int(at)+minBlock > len(h.Mem) {
			return bad("free list")
		}
		size := int(get16(h.Mem, at))
		if size < minBlock || int(at)+size > len(h.Mem) {
			return bad("free block")
		}
		end = int(at) + size - 1
	}
	next := h.Next == none
	n := 0
	for at := h.Newest; at != none; at = get16(h.Mem, at) {
		if n++; n > len(h.Mem)/HeadLen || at < sizeLen || int(at)+HeadLen > len(h.Mem) {
			return bad("object list")
		}
		size := int(get16(h.Mem, at-sizeLen))
		o := Object{h.Mem, at}
		if int(at)-sizeLen+size > len(h.Mem) || sizeLen+HeadLen+o.Size() > size {
			return bad("object")
		}
		next = next || at == h.Next
	}
	if !next {
		return bad("list position")
	}
	return nil
}
