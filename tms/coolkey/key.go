package coolkey

import (
	"encoding/binary"
	"fmt"

	"tokenwright/tms/gp/apdu"
)

// Instructions for keys.
const (
	INSImportKey     = 0x32
	INSComputeCrypt  = 0x36
	INSListKeys      = 0x3A
	INSClearKeySlots = 0x55
)

// MaxKeys is the number of key slots, numbered from 0.
const MaxKeys = 24

// NoMate is the mate of a key that has none.
const NoMate = 0xFF

// KeyType is the type of a key in a slot or a key blob.
type KeyType byte

// Key types. KeyPKCS8Pair occurs in blobs only and fills two slots.
const (
	KeyRSAPublic     KeyType = 0x01
	KeyRSAPrivate    KeyType = 0x02
	KeyRSAPrivateCRT KeyType = 0x03
	KeyPKCS8Pair     KeyType = 0x09
	KeyECCPublic     KeyType = 0x0A
)

// String names the type.
func (t KeyType) String() string {
	switch t {
	case KeyRSAPublic:
		return "RSA public"
	case KeyRSAPrivate:
		return "RSA private"
	case KeyRSAPrivateCRT:
		return "RSA private CRT"
	case KeyPKCS8Pair:
		return "PKCS#8 pair"
	case KeyECCPublic:
		return "ECC public"
	default:
		return fmt.Sprintf("key type %02X", byte(t))
	}
}

// ListKeys is LIST KEYS, B0 3A: the first key, or with Next the following one, until an empty
// answer. The usual Ne is 11.
type ListKeys struct {
	Next bool
	Ne   int
	Form
}

// KeyRecordLen is the length of a LIST KEYS answer in bytes.
const KeyRecordLen = 5 + aclLen

// Command prints the command.
func (l ListKeys) Command() apdu.Command {
	return l.userCommand(INSListKeys, bit(l.Next), 0, nil, neFor(l.Ne, KeyRecordLen))
}

// ParseListKeys reads the command.
func ParseListKeys(c apdu.Command) (ListKeys, error) {
	f, err := userForm(c, INSListKeys)
	if err != nil {
		return ListKeys{}, err
	}
	more, err := next(c)
	if err != nil {
		return ListKeys{}, err
	}
	return ListKeys{Next: more, Ne: neOf(c.Ne, KeyRecordLen), Form: f}, noData(c)
}

// KeyRecord is the answer to LIST KEYS. Mate is the slot of the other half, or NoMate.
type KeyRecord struct {
	Slot byte
	Type KeyType
	Mate byte
	Bits uint16
	ACL  KeyACL
}

// ParseKeyRecord reads the 11 bytes of an answer that is not the empty last one.
func ParseKeyRecord(b []byte) (KeyRecord, error) {
	if err := wantLen(b, KeyRecordLen); err != nil {
		return KeyRecord{}, fmt.Errorf("key record: %w", err)
	}
	return KeyRecord{
		Slot: b[0], Type: KeyType(b[1]), Mate: b[2], Bits: binary.BigEndian.Uint16(b[3:]),
		ACL: keyACL(b[5:]),
	}, nil
}

// Bytes prints the answer without status word.
func (k KeyRecord) Bytes() []byte {
	b := []byte{k.Slot, byte(k.Type), k.Mate}
	return k.ACL.append(binary.BigEndian.AppendUint16(b, k.Bits))
}

// CryptOp is the step of a COMPUTE CRYPT.
type CryptOp byte

// Steps.
const (
	CryptInit    CryptOp = 1
	CryptProcess CryptOp = 2
	CryptFinal   CryptOp = 3
	CryptOneStep CryptOp = 4
)

// Directions and data locations of COMPUTE CRYPT.
const (
	DirectionSign    = 1
	DirectionVerify  = 2
	DirectionEncrypt = 3
	DirectionDecrypt = 4

	LocationAPDU   = 1
	LocationBuffer = 2
)

// ComputeCrypt is COMPUTE CRYPT, B0 36 or 84 36: a raw RSA operation with the key in Slot. Mode and
// Direction are sent with CryptInit and CryptOneStep only. Data stand in the command, behind their
// length, or in the buffer; for the latter the length may be missing, which NoLength tells.
type ComputeCrypt struct {
	Slot      byte
	Op        CryptOp
	Mode      byte
	Direction byte
	Location  byte
	Data      []byte
	NoLength  bool
	Ne        int
	Auth
}

func (o CryptOp) starts() bool { return o == CryptInit || o == CryptOneStep }

// Command prints the command.
func (k ComputeCrypt) Command() apdu.Command {
	var data []byte
	if k.Op.starts() {
		data = append(data, k.Mode, k.Direction)
	}
	data = append(data, k.Location)
	if !k.NoLength {
		data = binary.BigEndian.AppendUint16(data, uint16(len(k.Data)))
	}
	return k.command(INSComputeCrypt, k.Slot, byte(k.Op), append(data, k.Data...), k.Ne)
}

// ParseComputeCrypt reads the command; its length field agrees with the data that follow it.
func ParseComputeCrypt(c apdu.Command) (ComputeCrypt, error) {
	a, data, err := authOf(c, INSComputeCrypt)
	if err != nil {
		return ComputeCrypt{}, err
	}
	k := ComputeCrypt{Slot: c.P1, Op: CryptOp(c.P2), Ne: c.Ne, Auth: a}
	if k.Op < CryptInit || k.Op > CryptOneStep {
		return ComputeCrypt{}, fmt.Errorf("%w: %02X %02X", ErrParameter, c.P1, c.P2)
	}
	head := 1
	if k.Op.starts() {
		head = 3
	}
	if len(data) < head {
		return ComputeCrypt{}, fmt.Errorf("%w: %d bytes, want %d or more", ErrLength, len(data), head)
	}
	if k.Op.starts() {
		k.Mode, k.Direction = data[0], data[1]
	}
	k.Location, data = data[head-1], data[head:]
	if len(data) == 0 {
		k.NoLength = true
		return k, nil
	}
	if len(data) < 2 {
		return ComputeCrypt{}, fmt.Errorf("%w: length of the input cut short", ErrLength)
	}
	k.Data = data[2:]
	return k, wantLen(k.Data, int(binary.BigEndian.Uint16(data)))
}

// ImportKey is IMPORT KEY, B0 32 or 84 32: the key in object Source, in plain, goes to Slot. Mate
// is the slot of the public half of a PKCS#8 pair, whose access conditions are then in PublicACL.
type ImportKey struct {
	Slot, Mate byte
	Source     ObjectID
	ACL        KeyACL
	PublicACL  *KeyACL
	Ne         int
	Auth
}

const importKeyLen = 4 + aclLen

// Command prints the command.
func (k ImportKey) Command() apdu.Command {
	data := k.ACL.append(k.Source.append(nil))
	if k.PublicACL != nil {
		data = k.PublicACL.append(data)
	}
	return k.command(INSImportKey, k.Slot, k.Mate, data, k.Ne)
}

// ParseImportKey reads the command.
func ParseImportKey(c apdu.Command) (ImportKey, error) {
	a, data, err := authOf(c, INSImportKey)
	if err != nil {
		return ImportKey{}, err
	}
	if len(data) != importKeyLen && len(data) != importKeyLen+aclLen {
		return ImportKey{}, fmt.Errorf("%w: %d bytes, want 10 or 16", ErrLength, len(data))
	}
	k := ImportKey{
		Slot: c.P1, Mate: c.P2, Source: objectID(data), ACL: keyACL(data[4:]), Ne: c.Ne, Auth: a,
	}
	if len(data) > importKeyLen {
		public := keyACL(data[importKeyLen:])
		k.PublicACL = &public
	}
	return k, nil
}

// SlotPair are the slots of a private key and its public half.
type SlotPair struct {
	Private, Public byte
}

// ClearKeySlots is CLEAR KEY SLOTS, 84 55: it clears every slot not in Keep.
type ClearKeySlots struct {
	Keep []SlotPair
	Ne   int
	Form
}

// Command prints the command.
func (k ClearKeySlots) Command() apdu.Command {
	var data []byte
	for _, p := range k.Keep {
		data = append(data, p.Private, p.Public)
	}
	return k.secureCommand(INSClearKeySlots, 0, 0, data, k.Ne)
}

// ParseClearKeySlots reads the command, a whole number of pairs; an applet refuses none at all.
func ParseClearKeySlots(c apdu.Command) (ClearKeySlots, error) {
	f, err := secureForm(c, INSClearKeySlots)
	if err != nil {
		return ClearKeySlots{}, err
	}
	if len(c.Data)%2 != 0 {
		return ClearKeySlots{}, fmt.Errorf("%w: %d bytes are not pairs", ErrLength, len(c.Data))
	}
	k := ClearKeySlots{Ne: c.Ne, Form: f}
	for d := c.Data; len(d) > 0; d = d[2:] {
		k.Keep = append(k.Keep, SlotPair{Private: d[0], Public: d[1]})
	}
	return k, parameters(c, 0, 0)
}
