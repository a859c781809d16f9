package isd

import (
	"encoding/binary"
	"fmt"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/tlv"
)

const (
	maxStored   = 1024 // bytes of one STORE DATA sequence
	maxIdentity = 32   // bytes of 0042 and 0045
	dgiObjects  = 0x0070
)

// storing is a STORE DATA sequence under way.
type storing struct {
	next int
	data []byte
	kind byte
}

func dataName(tag uint16) string { return fmt.Sprintf("%s%04X", nameData, tag) }

// storeData takes data objects for the domain itself (GPCS 2.3.1 §11.11): BER-TLV, or DGI 0070
// around it. Nothing is written before the last block.
func (d *Domain) storeData(cmd apdu.Command) ([]byte, error) {
	s, err := gp.ParseStoreData(cmd)
	if err != nil {
		return nil, applet.Refusal(err)
	}
	st := &d.store
	kind := s.Flags & gp.StoreStructure
	switch {
	case s.Flags&gp.StoreEncrypted != 0 || kind == gp.StoreStructure:
		err = apdu.SW6A86
	case int(s.Block) != st.next || st.next > 0 && kind != st.kind:
		err = apdu.SW6A86
	case len(st.data)+len(s.Data) > maxStored:
		err = apdu.SW6A84
	}
	if err != nil {
		d.store = storing{}
		return nil, err
	}
	st.next, st.kind = st.next+1, kind
	st.data = append(st.data, s.Data...)
	if !s.Last {
		return nil, nil
	}
	data := st.data
	d.store = storing{}
	if kind == gp.StoreDGI {
		if data, err = unwrapDGI(data); err != nil {
			return nil, err
		}
	}
	return nil, d.storeObjects(data)
}

// unwrapDGI gives the content of one DGI 0070 with a length of one byte, or of three (FF and two).
func unwrapDGI(b []byte) ([]byte, error) {
	if len(b) < 3 || binary.BigEndian.Uint16(b) != dgiObjects {
		return nil, apdu.SW6A80
	}
	n, rest := int(b[2]), b[3:]
	if n == 0xFF {
		if len(rest) < 2 {
			return nil, apdu.SW6A80
		}
		n, rest = int(binary.BigEndian.Uint16(rest)), rest[2:]
	}
	if n != len(rest) {
		return nil, apdu.SW6A80
	}
	return rest, nil
}

// storeObjects writes all objects or none.
func (d *Domain) storeObjects(data []byte) error {
	nodes, err := tlv.Parse(data)
	if err != nil || len(nodes) == 0 {
		return apdu.SW6A80
	}
	for _, n := range nodes {
		if err := d.writable(n.Tag); err != nil {
			return err
		}
		if err := checkObject(n); err != nil {
			return err
		}
	}
	err = d.Memory.Update(func(tx *nvm.Tx) error {
		for _, n := range nodes {
			tx.Put(dataName(uint16(n.Tag)), n.Value)
		}
		return nil
	})
	d.readKDD()
	return err
}

// checkObject bounds the value of an object.
func checkObject(n tlv.Node) error {
	switch n.Tag {
	case gp.TagCPLC:
		if len(n.Value) != stock.CPLCLen {
			return apdu.SW6A80
		}
	case gp.TagKDD:
		if len(n.Value) != 10 {
			return apdu.SW6A80
		}
	default:
		if len(n.Value) > maxIdentity {
			return apdu.SW6A84
		}
	}
	return nil
}
