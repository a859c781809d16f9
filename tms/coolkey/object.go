package coolkey

import (
	"encoding/binary"
	"fmt"

	"tokenwright/tms/gp/apdu"
)

// Instructions for objects.
const (
	INSReadBuffer   = 0x08
	INSDeleteObject = 0x52
	INSWriteObject  = 0x54
	INSReadObject   = 0x56
	INSListObjects  = 0x58
	INSCreateObject = 0x5A
)

// ObjectID names an object in the applet's store.
type ObjectID uint32

// Objects with a meaning of their own.
const (
	ObjectIO         ObjectID = 0xFFFFFFFF // the volatile input and output buffer
	ObjectIO2        ObjectID = 0xFFFFFFFE // the same buffer
	ObjectCombined   ObjectID = 0x7A300000 // "z0", all token objects in one
	ObjectWrappedKey ObjectID = 0xFF00FFF3 // the wrapped private key on its way in
)

// IsIO reports whether this is the buffer.
func (id ObjectID) IsIO() bool { return id >= ObjectIO2 }

// String gives eight upper-case hexadecimal digits, with the name of a well-known object.
func (id ObjectID) String() string {
	s := fmt.Sprintf("%08X", uint32(id))
	switch {
	case id.IsIO():
		return s + " (buffer)"
	case id == ObjectCombined:
		return s + " (z0)"
	case id == ObjectWrappedKey:
		return s + " (wrapped key)"
	case id&0xFFFF == 0 && printable(byte(id>>24)) && printable(byte(id>>16)):
		return s + fmt.Sprintf(" (%c%c)", byte(id>>24), byte(id>>16))
	default:
		return s
	}
}

func printable(b byte) bool { return b > ' ' && b <= '~' }

func objectID(b []byte) ObjectID { return ObjectID(binary.BigEndian.Uint32(b)) }

func (id ObjectID) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(id))
}

// CreateObject is CREATE OBJECT, B0 5A or 84 5A.
type CreateObject struct {
	ID   ObjectID
	Size uint32
	ACL  ObjectACL
	Ne   int
	Auth
}

const createObjectLen = 4 + 4 + aclLen

// Command prints the command.
func (o CreateObject) Command() apdu.Command {
	data := binary.BigEndian.AppendUint32(o.ID.append(nil), o.Size)
	return o.command(INSCreateObject, 0, 0, o.ACL.append(data), o.Ne)
}

// ParseCreateObject reads the command.
func ParseCreateObject(c apdu.Command) (CreateObject, error) {
	a, data, err := authOf(c, INSCreateObject)
	if err != nil {
		return CreateObject{}, err
	}
	if err := wantLen(data, createObjectLen); err != nil {
		return CreateObject{}, err
	}
	return CreateObject{
		ID: objectID(data), Size: binary.BigEndian.Uint32(data[4:]), ACL: objectACL(data[8:]),
		Ne: c.Ne, Auth: a,
	}, parameters(c, 0, 0)
}

// DeleteObject is DELETE OBJECT, B0 52 or 84 52. Zeroize also wipes the content.
type DeleteObject struct {
	ID      ObjectID
	Zeroize bool
	Ne      int
	Auth
}

// Command prints the command.
func (o DeleteObject) Command() apdu.Command {
	return o.command(INSDeleteObject, 0, bit(o.Zeroize), o.ID.append(nil), o.Ne)
}

// ParseDeleteObject reads the command.
func ParseDeleteObject(c apdu.Command) (DeleteObject, error) {
	a, data, err := authOf(c, INSDeleteObject)
	if err != nil {
		return DeleteObject{}, err
	}
	if err := wantLen(data, 4); err != nil {
		return DeleteObject{}, err
	}
	o := DeleteObject{ID: objectID(data), Zeroize: c.P2 == 1, Ne: c.Ne, Auth: a}
	return o, parameters(c, 0, bit(o.Zeroize))
}

// MaxObjectData is the most bytes that one READ OBJECT can ask for.
const MaxObjectData = 255

// objectAddressLen is the length of object, offset and count in bytes.
const objectAddressLen = 4 + 4 + 1

// ReadObject is READ OBJECT, B0 56 or 84 56: Count bytes from Offset. The applet looks at the low
// half of Offset only.
type ReadObject struct {
	ID     ObjectID
	Offset uint32
	Count  byte
	Ne     int
	Auth
}

// Command prints the command.
func (o ReadObject) Command() apdu.Command {
	return o.command(INSReadObject, 0, 0, address(o.ID, o.Offset, o.Count), o.Ne)
}

// ParseReadObject reads the command.
func ParseReadObject(c apdu.Command) (ReadObject, error) {
	a, data, err := authOf(c, INSReadObject)
	if err != nil {
		return ReadObject{}, err
	}
	if err := wantLen(data, objectAddressLen); err != nil {
		return ReadObject{}, err
	}
	return ReadObject{
		ID: objectID(data), Offset: binary.BigEndian.Uint32(data[4:]), Count: data[8],
		Ne: c.Ne, Auth: a,
	}, parameters(c, 0, 0)
}

func address(id ObjectID, offset uint32, count byte) []byte {
	return append(binary.BigEndian.AppendUint32(id.append(nil), offset), count)
}

// WriteObject is WRITE OBJECT, B0 54 or 84 54: Data go to Offset. In a short command there is room
// for 246 bytes, less nonce or MAC.
type WriteObject struct {
	ID     ObjectID
	Offset uint32
	Data   []byte
	Ne     int
	Auth
}

// Command prints the command.
func (o WriteObject) Command() apdu.Command {
	data := append(address(o.ID, o.Offset, byte(len(o.Data))), o.Data...)
	return o.command(INSWriteObject, 0, 0, data, o.Ne)
}

// ParseWriteObject reads the command; the count agrees with the data that follow it.
func ParseWriteObject(c apdu.Command) (WriteObject, error) {
	a, data, err := authOf(c, INSWriteObject)
	if err != nil {
		return WriteObject{}, err
	}
	if len(data) < objectAddressLen {
		return WriteObject{}, fmt.Errorf("%w: %d bytes, want 9 or more", ErrLength, len(data))
	}
	if err := wantLen(data[objectAddressLen:], int(data[8])); err != nil {
		return WriteObject{}, err
	}
	return WriteObject{
		ID: objectID(data), Offset: binary.BigEndian.Uint32(data[4:]),
		Data: data[objectAddressLen:], Ne: c.Ne, Auth: a,
	}, parameters(c, 0, 0)
}

// ListObjects is LIST OBJECTS, B0 58: the first object, or with Next the following one, until 9C12.
// The usual Ne is 14.
type ListObjects struct {
	Next bool
	Ne   int
	Form
}

// ObjectInfoLen is the length of a LIST OBJECTS answer in bytes.
const ObjectInfoLen = 4 + 4 + aclLen

// Command prints the command.
func (l ListObjects) Command() apdu.Command {
	return l.userCommand(INSListObjects, bit(l.Next), 0, nil, neFor(l.Ne, ObjectInfoLen))
}

// ParseListObjects reads the command.
func ParseListObjects(c apdu.Command) (ListObjects, error) {
	f, err := userForm(c, INSListObjects)
	if err != nil {
		return ListObjects{}, err
	}
	more, err := next(c)
	if err != nil {
		return ListObjects{}, err
	}
	return ListObjects{Next: more, Ne: neOf(c.Ne, ObjectInfoLen), Form: f}, noData(c)
}

// ObjectInfo is the answer to LIST OBJECTS.
type ObjectInfo struct {
	ID   ObjectID
	Size uint32
	ACL  ObjectACL
}

// ParseObjectInfo reads the 14 bytes of the answer.
func ParseObjectInfo(b []byte) (ObjectInfo, error) {
	if err := wantLen(b, ObjectInfoLen); err != nil {
		return ObjectInfo{}, fmt.Errorf("object info: %w", err)
	}
	return ObjectInfo{
		ID: objectID(b), Size: binary.BigEndian.Uint32(b[4:]), ACL: objectACL(b[8:]),
	}, nil
}

// Bytes prints the answer without status word.
func (o ObjectInfo) Bytes() []byte {
	return o.ACL.append(binary.BigEndian.AppendUint32(o.ID.append(nil), o.Size))
}

// ReadBuffer is READ IO BUFFER, 84 08, which old clients know and no public applet answers: Count
// bytes of the buffer from Offset.
type ReadBuffer struct {
	Count  byte
	Offset uint16
	Ne     int
	Form
}

// Command prints the command.
func (r ReadBuffer) Command() apdu.Command {
	data := binary.BigEndian.AppendUint16(nil, r.Offset)
	return r.secureCommand(INSReadBuffer, r.Count, 0, data, r.Ne)
}

// ParseReadBuffer reads the command.
func ParseReadBuffer(c apdu.Command) (ReadBuffer, error) {
	f, err := secureForm(c, INSReadBuffer)
	if err != nil {
		return ReadBuffer{}, err
	}
	if err := wantLen(c.Data, 2); err != nil {
		return ReadBuffer{}, err
	}
	r := ReadBuffer{Count: c.P1, Offset: binary.BigEndian.Uint16(c.Data), Ne: c.Ne, Form: f}
	return r, parameters(c, c.P1, 0)
}
