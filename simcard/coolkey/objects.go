package coolkey

import (
	"encoding/binary"

	"tokenwright/simcard/coolkey/heap"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// listRecord is the length of a LIST OBJECTS answer, and of the data of CREATE OBJECT, in bytes.
const listRecord = 14

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
	if o, ok := a.heap.Find(id); ok {
		if a.who != lang.ACLRA {
			return nil, apdu.SW9C08
		}
		a.heap.Remove(o, true)
	}
	if !a.heap.Create(id, int(size), [heap.ACLLen]byte(data[8:])) {
		return nil, apdu.SW9C01
	}
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
	o, found := a.heap.Find(id)
	switch {
	case !found:
		return nil, apdu.SW9C07
	case !o.Read().Grants(a.who):
		return nil, apdu.SW9C06
	case end > o.Size():
		return nil, apdu.SW9C0F
	}
	return append([]byte(nil), o.Data()[off:end]...), nil
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
	o, found := a.heap.Find(id)
	switch {
	case !found:
		return nil, apdu.SW9C07
	case !o.Write().Grants(a.who):
		return nil, apdu.SW9C06
	case off+n > o.Size():
		return nil, apdu.SW9C0F
	}
	copy(o.Data()[off:], content)
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
	o, ok := a.heap.Find(id)
	switch {
	case !ok:
		return nil, apdu.SW9C07
	case !o.Delete().Grants(a.who):
		return nil, apdu.SW9C06
	}
	a.heap.Remove(o, cmd.P2 == 1)
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
		a.heap.Rewind()
	}
	o, ok := a.heap.Step()
	if !ok {
		return nil, apdu.SW9C12
	}
	out := make([]byte, 0, listRecord)
	out = binary.BigEndian.AppendUint32(out, uint32(o.ID()))
	out = binary.BigEndian.AppendUint32(out, uint32(o.Size()))
	return append(out, o.ACL()...), nil
}
