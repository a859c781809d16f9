package gp

import (
	"fmt"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// KeyType is the type byte of a key (GPCS 2.3.1 §11.1.8).
type KeyType byte

// Key types.
const (
	KeyDES     KeyType = 0x80 // mode implicitly known
	KeyDESOld  KeyType = 0x81 // triple DES of SCP01 stock
	KeyDES3CBC KeyType = 0x82
	KeyDESECB  KeyType = 0x83
	KeyDESCBC  KeyType = 0x84
	KeyTLSPSK  KeyType = 0x85
	KeyAES     KeyType = 0x88
	KeyHMAC    KeyType = 0x90
	KeyHMAC160 KeyType = 0x91
)

// String names the type.
func (t KeyType) String() string {
	switch t {
	case KeyDES, KeyDESOld, KeyDES3CBC, KeyDESECB, KeyDESCBC:
		return fmt.Sprintf("DES (%02X)", byte(t))
	case KeyTLSPSK:
		return "PSK-TLS (85)"
	case KeyAES:
		return "AES (88)"
	case KeyHMAC, KeyHMAC160:
		return fmt.Sprintf("HMAC (%02X)", byte(t))
	case 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8:
		return fmt.Sprintf("RSA component (%02X)", byte(t))
	case 0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xF0:
		return fmt.Sprintf("ECC component (%02X)", byte(t))
	default:
		return fmt.Sprintf("type %02X", byte(t))
	}
}

// Symmetric reports whether a key of this type is one string of bytes.
func (t KeyType) Symmetric() bool {
	switch t {
	case KeyDES, KeyDESOld, KeyDES3CBC, KeyDESECB, KeyDESCBC, KeyTLSPSK, KeyAES, KeyHMAC, KeyHMAC160:
		return true
	default:
		return false
	}
}

// WrappedKey is a key encrypted under a DEK. It is secret as far as output goes: every fmt verb,
// JSON and slog show its length only.
type WrappedKey []byte

// String shows the length.
func (w WrappedKey) String() string { return fmt.Sprintf("wrapped key of %d bytes", len(w)) }

// Format makes every verb print what String prints.
func (w WrappedKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(w.String())) }

// MarshalText shows the length.
func (w WrappedKey) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// KeyData is one key of a PUT KEY command. Value is the key under the DEK, a multiple of 8 bytes.
//
// There are two encodings. The short one is type, length, value: 88 10 value. With a Length (the
// length of the plain key in bytes, not zero) the value is preceded by it, inside the counted
// length: 88 11 10 value (AMD-D §7.2, Table 7-10; GPCS 2.3.1 §11.8.2.3.1 for padded keys). KCV
// follows with its own length byte and may be empty.
type KeyData struct {
	Type   KeyType
	Length byte
	Value  WrappedKey
	KCV    []byte
}

// PlainLen is the length of the plain key in bytes: Length, or that of Value when not given.
func (k KeyData) PlainLen() int {
	if k.Length != 0 {
		return int(k.Length)
	}
	return len(k.Value)
}

func (k KeyData) append(dst []byte) []byte {
	if k.Length != 0 {
		dst = append(dst, byte(k.Type), byte(len(k.Value)+1), k.Length)
	} else {
		dst = append(dst, byte(k.Type), byte(len(k.Value)))
	}
	dst = append(dst, k.Value...)
	dst = append(dst, byte(len(k.KCV)))
	return append(dst, k.KCV...)
}

func (r *reader) keyData() KeyData {
	k := KeyData{Type: KeyType(r.byte("key type"))}
	if r.err == nil && !k.Type.Symmetric() {
		r.err = fmt.Errorf("%w: key %v is not a symmetric key", ErrData, k.Type)
	}
	n := int(r.byte("key length"))
	if n%8 == 1 {
		k.Length = r.byte("plain key length")
		n--
		if r.err == nil && (k.Length == 0 || int(k.Length) > n) {
			r.err = fmt.Errorf("%w: plain key of %d bytes in %d", ErrData, k.Length, n)
		}
	}
	if r.err == nil && (n == 0 || n%8 != 0) {
		r.err = fmt.Errorf("%w: wrapped key of %d bytes", ErrData, n)
	}
	k.Value = r.take("wrapped key", n)
	if n = int(r.byte("check value length")); n > 0 {
		k.KCV = r.take("check value", n)
	}
	return k
}

// KeySetData is the body of PUT KEY: the new version and one or more keys. A TKS makes one for key
// changeover, with the keys in the order ENC, MAC, DEK.
type KeySetData struct {
	KVN  keys.KVN
	Keys []KeyData
}

// Bytes prints the body. Values of more than 254 bytes do not fit and print wrong; ParseKeySetData
// never makes them.
func (d KeySetData) Bytes() []byte {
	out := []byte{byte(d.KVN)}
	for _, k := range d.Keys {
		out = k.append(out)
	}
	return out
}

// ParseKeySetData reads a body with one or more symmetric keys. Values alias b.
func ParseKeySetData(b []byte) (KeySetData, error) {
	r := reader{rest: b}
	d := KeySetData{KVN: keys.KVN(r.byte("key version"))}
	for r.err == nil && (len(r.rest) > 0 || len(d.Keys) == 0) {
		d.Keys = append(d.Keys, r.keyData())
	}
	if r.err != nil {
		return KeySetData{}, fmt.Errorf("key set data: %w", r.err)
	}
	return d, nil
}

// PutKey is PUT KEY, 80 D8 (GPCS 2.3.1 §11.8, AMD-D §7.2). OldKVN is the version to replace, 00 to
// add one. FirstKeyID is the identifier of the first key; Multiple says that the others have the
// identifiers behind it.
type PutKey struct {
	OldKVN     keys.KVN
	FirstKeyID keys.KeyID
	Multiple   bool
	More       bool // P1 bit 8: another PUT KEY continues this one
	KeySetData
	Ne int
	Form
}

// Command prints the command.
func (p PutKey) Command() apdu.Command {
	p2 := byte(p.FirstKeyID) &^ topBit
	if p.Multiple {
		p2 |= topBit
	}
	p1 := withMore(byte(p.OldKVN)&^topBit, p.More)
	return p.command(claGP, INSPutKey, p1, p2, p.KeySetData.Bytes(), p.Ne)
}

// ParsePutKey reads the command.
func ParsePutKey(c apdu.Command) (PutKey, error) {
	f, err := formOf(c, claGP, INSPutKey)
	if err != nil {
		return PutKey{}, err
	}
	p := PutKey{
		OldKVN: keys.KVN(c.P1 &^ topBit), More: c.P1&topBit != 0,
		FirstKeyID: keys.KeyID(c.P2 &^ topBit), Multiple: c.P2&topBit != 0,
		Ne: c.Ne, Form: f,
	}
	if p.KeySetData, err = ParseKeySetData(c.Data); err != nil {
		return PutKey{}, err
	}
	if !p.Multiple && len(p.Keys) > 1 {
		return PutKey{}, fmt.Errorf("%w: %d keys in a PUT KEY for one", ErrData, len(p.Keys))
	}
	return p, nil
}

// PutKeyResponse is the answer to PUT KEY: the version and a check value for each key.
type PutKeyResponse struct {
	KVN  keys.KVN
	KCVs []keys.KCV
}

// Bytes prints the answer without status word.
func (p PutKeyResponse) Bytes() []byte {
	out := []byte{byte(p.KVN)}
	for _, k := range p.KCVs {
		out = append(out, k[:]...)
	}
	return out
}

// ParsePutKeyResponse reads the data of a successful answer: 1 byte and any number of check values.
func ParsePutKeyResponse(b []byte) (PutKeyResponse, error) {
	if len(b) == 0 || len(b)%3 != 1 {
		return PutKeyResponse{}, fmt.Errorf("%w: put key answer of %d bytes", ErrData, len(b))
	}
	p := PutKeyResponse{KVN: keys.KVN(b[0])}
	for b = b[1:]; len(b) > 0; b = b[3:] {
		p.KCVs = append(p.KCVs, keys.KCV(b[:3]))
	}
	return p, nil
}
