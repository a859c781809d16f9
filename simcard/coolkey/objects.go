package coolkey

import (
	"encoding/binary"

	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

const (
	listRecord = 14     // bytes of a LIST OBJECTS answer
	maxObject  = 0x7FF0 // sizes from here on overflow the applet's arithmetic and ruin its heap
)

// createObject replaces an object of the same id when the registration authority asks, whatever
// that object's own ACL; the old one is gone even if the new one does not fit.
func (a *instance) createObject(cmd apdu.Command, lc int, data []byte) ([]byte, error) {
	switch {
	case !a.st.ACL.CreateObject.Grants(a.who):
		return nil, apdu.SW9C06
	case lc != listRecord:
		return nil, apdu.SW9C0F
	case cmd.P1 != 0:
		return nil, apdu.SW9C10
	}
	id := lang.ObjectID(binary.BigEndian.Uint32(data))
	size := binary.BigEndian.Uint32(data[4:])
	switch {
	case size > 0x7FFF:
		return nil, apdu.SW9C01
	case size == 0:
		return nil, apdu.SW9C0F
	case id.IsIO() && int(size) > len(a.io):
		return nil, apdu.SW9C01
	case id.IsIO():
		a.st.IOSize = int16(size)
		return nil, nil
	}
	if o, prev, ok := a.find(id); ok {
		if a.who != lang.ACLRA {
			return nil, apdu.SW9C08
		}
		a.remove(o, prev, true)
	}
	if size >= maxObject {
		return nil, apdu.SW9C01
	}
	at, ok := a.alloc(objHead + int(size))
	if !ok {
		return nil, apdu.SW9C01
	}
	put16(a.heap, at, a.st.ObjectHead)
	binary.BigEndian.PutUint32(a.heap[at+2:], uint32(id))
	copy(a.heap[at+6:], data[8:14])
	put16(a.heap, at+12, uint16(size))
	a.st.ObjectHead = at
	return nil, nil
}

// offset16 reads the offset field: the applet looks at its low half alone.
func offset16(b []byte) (int, bool) {
	v := binary.BigEndian.Uint16(b[2:])
	return int(v), v&0x8000 == 0
}

func (a *instance) readObject(cmd apdu.Command, lc int, data []byte) ([]byte, error) {
	switch {
	case cmd.P1 != 0:
		return nil, apdu.SW9C10
	case cmd.P2 != 0:
		return nil, apdu.SW9C11
	case lc != 9:
		return nil, apdu.SW9C0F
	}
	id := lang.ObjectID(binary.BigEndian.Uint32(data))
	off, ok := offset16(data[4:])
	end := off + int(data[8])
	if !ok {
		return nil, apdu.SW9C0F
	}
	if id.IsIO() {
		switch {
		case end > int(a.st.IOSize):
			return nil, apdu.SW9C0F
		case end > len(a.io):
			return nil, apdu.SW6F00
		}
		return append([]byte(nil), a.io[off:end]...), nil
	}
	o, _, found := a.find(id)
	switch {
	case !found:
		return nil, apdu.SW9C07
	case !o.read().Grants(a.who):
		return nil, apdu.SW9C06
	case end > o.size():
		return nil, apdu.SW9C0F
	}
	return append([]byte(nil), o.data()[off:end]...), nil
}

// writeObject does not check its length: bytes that did not come are what the APDU buffer holds
// behind the data, which starts with the nonce and goes on with zeros.
func (a *instance) writeObject(cmd apdu.Command, _ int, _ []byte) ([]byte, error) {
	switch {
	case cmd.P1 != 0:
		return nil, apdu.SW9C10
	case cmd.P2 != 0:
		return nil, apdu.SW9C11
	}
	const head = 9
	var buffer [head + 2*256]byte
	copy(buffer[:], cmd.Data)
	id := lang.ObjectID(binary.BigEndian.Uint32(buffer[:]))
	off, ok := offset16(buffer[4:])
	if !ok {
		return nil, apdu.SW9C0F
	}
	n := int(buffer[8])
	content := buffer[head : head+n]
	if id.IsIO() {
		return nil, a.writeIO(off, content)
	}
	o, _, found := a.find(id)
	switch {
	case !found:
		return nil, apdu.SW9C07
	case !o.write().Grants(a.who):
		return nil, apdu.SW9C06
	case off+n > o.size():
		return nil, apdu.SW9C0F
	}
	copy(o.data()[off:], content)
	return nil, nil
}

// writeIO sets the size of the I/O object to where the write ends, even if the buffer does not
// reach that far.
func (a *instance) writeIO(off int, content []byte) error {
	end := off + len(content)
	a.st.IOSize = int16(uint16(end))
	switch {
	case a.st.IOSize < 0:
		return apdu.SW9C0F
	case end > len(a.io):
		return apdu.SW6F00
	}
	copy(a.io[off:], content)
	return nil
}

func (a *instance) deleteObject(cmd apdu.Command, lc int, data []byte) ([]byte, error) {
	switch {
	case cmd.P1 != 0:
		return nil, apdu.SW9C10
	case cmd.P2 > 1:
		return nil, apdu.SW9C11
	case lc != 4:
		return nil, apdu.SW9C0F
	}
	id := lang.ObjectID(binary.BigEndian.Uint32(data))
	if id.IsIO() {
		a.st.IOSize = 0
		return nil, nil
	}
	o, prev, ok := a.find(id)
	switch {
	case !ok:
		return nil, apdu.SW9C07
	case !o.delete().Grants(a.who):
		return nil, apdu.SW9C06
	}
	a.remove(o, prev, cmd.P2 == 1)
	return nil, nil
}

// listObjects compares P3 as a signed byte. 9C12 is the end of the list, also of an empty one.
func (a *instance) listObjects(cmd apdu.Command, p3 int, _ []byte) ([]byte, error) {
	switch {
	case cmd.P2 != 0:
		return nil, apdu.SW9C11
	case int8(p3) < listRecord:
		return nil, apdu.SW6700
	case cmd.P1 > 1:
		return nil, apdu.SW9C10
	case cmd.P1 == 0:
		a.st.ObjectNext = a.st.ObjectHead
	}
	if a.st.ObjectNext == none {
		return nil, apdu.SW9C12
	}
	o := object{a.heap, a.st.ObjectNext}
	a.st.ObjectNext = o.next()
	out := binary.BigEndian.AppendUint32(nil, uint32(o.id()))
	out = binary.BigEndian.AppendUint32(out, uint32(o.size()))
	return append(out, a.heap[o.at+6:o.at+12]...), nil
}
