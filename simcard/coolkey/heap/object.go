package heap

import (
	"encoding/binary"

	lang "tokenwright/tms/coolkey"
)

// HeadLen is the length in bytes of an object's header, which counts as memory in use: next, id,
// access conditions, size.
const HeadLen = 14

// ACLLen is the length in bytes of an object's access conditions.
const ACLLen = 6

// MaxObject bounds the size of an object in bytes: from here on the applet's own arithmetic
// overflows and ruins its memory.
const MaxObject = 0x7FF0

// Object is an object in a heap. It is valid until an object is created or removed.
type Object struct {
	mem []byte
	at  uint16
}

func (o Object) next() uint16 { return get16(o.mem, o.at) }

// ID is the object's identifier.
func (o Object) ID() lang.ObjectID {
	return lang.ObjectID(binary.BigEndian.Uint32(o.mem[o.at+2:]))
}

// Read says who may read the object.
func (o Object) Read() lang.ACL { return lang.ACL(get16(o.mem, o.at+6)) }

// Write says who may write the object.
func (o Object) Write() lang.ACL { return lang.ACL(get16(o.mem, o.at+8)) }

// Delete says who may delete the object.
func (o Object) Delete() lang.ACL { return lang.ACL(get16(o.mem, o.at+10)) }

// ACL gives all three conditions as they are in memory, ACLLen bytes that must not be changed.
func (o Object) ACL() []byte { return o.mem[o.at+6 : o.at+12] }

// Size is the length of the content in bytes.
func (o Object) Size() int { return int(get16(o.mem, o.at+12)) }

// Data is the content in the heap itself.
func (o Object) Data() []byte {
	from := int(o.at) + HeadLen
	return o.mem[from : from+o.Size()]
}

// Create makes an object of size bytes in front of all others; its content is what the memory held.
// It gives false when no single free block has room, or when size is not below MaxObject.
func (h Heap) Create(id lang.ObjectID, size int, acl [ACLLen]byte) bool {
	if size >= MaxObject {
		return false
	}
	at, ok := h.alloc(HeadLen + size)
	if !ok {
		return false
	}
	put16(h.Mem, at, h.Newest)
	binary.BigEndian.PutUint32(h.Mem[at+2:], uint32(id))
	copy(h.Mem[at+6:], acl[:])
	put16(h.Mem, at+12, uint16(size))
	h.Newest = at
	return true
}

// Find gives the object with this id.
func (h Heap) Find(id lang.ObjectID) (Object, bool) {
	for at := h.Newest; at != none; at = get16(h.Mem, at) {
		if o := (Object{h.Mem, at}); o.ID() == id {
			return o, true
		}
	}
	return Object{}, false
}

// Remove takes an object out of the list and gives its memory back, with zero cleared before. An
// enumeration that stood at it goes on with the next one.
func (h Heap) Remove(o Object, zero bool) {
	if h.Newest == o.at {
		h.Newest = o.next()
	} else {
		prev := h.Newest
		for get16(h.Mem, prev) != o.at {
			prev = get16(h.Mem, prev)
		}
		put16(h.Mem, prev, o.next())
	}
	if h.Next == o.at {
		h.Next = o.next()
	}
	if zero {
		clear(o.Data())
	}
	h.release(o.at)
}

// Rewind makes Step start with the newest object.
func (h Heap) Rewind() { h.Next = h.Newest }

// Step gives the next object of the enumeration, false at its end.
func (h Heap) Step() (Object, bool) {
	if h.Next == none {
		return Object{}, false
	}
	o := Object{h.Mem, h.Next}
	h.Next = o.next()
	return o, true
}
