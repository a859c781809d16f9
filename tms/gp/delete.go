package gp

import (
	"fmt"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/tlv"
)

const (
	tagAID    = 0x4F
	tagKeyID  = 0xD0
	tagKeyKVN = 0xD2
)

// Delete is DELETE, 80 E4 (GPCS 2.3.1 §11.2). With an AID it removes an application or a load file,
// and with Related also everything that came from that load file. Without one it removes keys:
// those with KeyID, with KVN, or the one with both. Tail holds any data objects behind (delete
// token, control reference template) as they stand.
type Delete struct {
	AID     AID
	KeyID   *keys.KeyID
	KVN     *keys.KVN
	Related bool
	More    bool // P1 bit 8: another DELETE continues this one
	Tail    []byte
	Ne      int
	Form
}

// DeleteKeys is the DELETE of all keys of one version.
func DeleteKeys(kvn keys.KVN) Delete { return Delete{KVN: &kvn} }

// Command prints the command.
func (d Delete) Command() apdu.Command {
	var p1, p2 byte
	if d.More {
		p1 = topBit
	}
	if d.Related {
		p2 = topBit
	}
	var data []byte
	if d.AID != nil {
		data = tlv.Append(data, tagAID, d.AID)
	}
	if d.KeyID != nil {
		data = tlv.Append(data, tagKeyID, []byte{byte(*d.KeyID)})
	}
	if d.KVN != nil {
		data = tlv.Append(data, tagKeyKVN, []byte{byte(*d.KVN)})
	}
	data = append(data, d.Tail...)
	return d.command(claGP, INSDelete, p1, p2, data, d.Ne)
}

// ParseDelete reads the command: an AID, or KeyID and KVN in this order, then any other objects.
func ParseDelete(c apdu.Command) (Delete, error) {
	f, err := formOf(c, claGP, INSDelete)
	if err != nil {
		return Delete{}, err
	}
	if c.P1&^topBit != 0 || c.P2&^topBit != 0 {
		return Delete{}, parameterError(c)
	}
	d := Delete{More: c.P1 != 0, Related: c.P2 != 0, Tail: c.Data, Ne: c.Ne, Form: f}
	if v, ok := d.take(tagAID); ok {
		if d.AID, err = aidOf(v); err != nil {
			return Delete{}, err
		}
	} else {
		d.takeKey()
	}
	if d.AID == nil && d.KeyID == nil && d.KVN == nil {
		return Delete{}, fmt.Errorf("%w: delete names neither an aid nor a key", ErrData)
	}
	if len(d.Tail) == 0 {
		d.Tail = nil
	}
	if _, err := tlv.Parse(d.Tail); err != nil {
		return Delete{}, fmt.Errorf("%w: delete: %w", ErrData, err)
	}
	return d, nil
}

func (d *Delete) takeKey() {
	if v, ok := d.take(tagKeyID); ok && len(v) == 1 {
		id := keys.KeyID(v[0])
		d.KeyID = &id
	}
	if v, ok := d.take(tagKeyKVN); ok && len(v) == 1 {
		kvn := keys.KVN(v[0])
		d.KVN = &kvn
	}
}

// take cuts the object tag off the front of Tail if it stands there with a one-byte length.
func (d *Delete) take(tag uint32) ([]byte, bool) {
	n, rest, err := tlv.Split(d.Tail)
	if err != nil || n.Tag != tag || n.LengthBytes != 0 {
		return nil, false
	}
	if tag != tagAID && len(n.Value) != 1 {
		return nil, false
	}
	d.Tail = rest
	return n.Value, true
}
