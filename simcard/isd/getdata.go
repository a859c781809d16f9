package isd

import (
	"slices"

	"tokenwright/simcard/applet"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/tlv"
)

// getData answers GET DATA (GPCS 2.3.1 §11.3). The interindustry class gets the value alone, without
// tag and length (§11.3.3.1). Le is not held against the length: the protocol is T=1.
func (d *Domain) getData(cmd apdu.Command) ([]byte, error) {
	g, err := gp.ParseGetData(cmd)
	if err != nil {
		return nil, applet.Refusal(err)
	}
	value, err := d.object(g.Tag)
	if err != nil {
		return nil, err
	}
	if g.ISO {
		return value, nil
	}
	return tlv.Append(nil, uint32(g.Tag), value), nil
}

// object gives the value of a data object, apdu.SW6A88 without it.
func (d *Domain) object(tag uint16) ([]byte, error) {
	old := d.Stock.Quirks.NoRecognition
	switch {
	case tag == gp.TagCPLC:
		return d.cplc(), nil
	case tag == gp.TagRecognitionData && !old:
		return d.recognition(), nil
	case tag == gp.TagKeyInformation && !old:
		return d.keyInformation(), nil
	case tag == gp.TagKDD && !old:
		return d.channel.KDD[:], nil
	case tag == gp.TagSequenceCounter && d.channel.HasCounter():
		return d.counter()
	case tag == tagResources && !d.Stock.Quirks.ShortPrivileges:
		return d.resources(), nil
	}
	if v, ok := d.Memory.Get(dataName(tag)); ok {
		return v, nil
	}
	return nil, apdu.SW6A88
}

func (d *Domain) cplc() []byte {
	if v, ok := d.Memory.Get(dataName(gp.TagCPLC)); ok {
		return v
	}
	return d.CPLC[:]
}

// GlobalPlatform's object identifiers start with {1 2 840 114283} (GPCS 2.3.1 §H.1).
func oid(suffix ...byte) []byte {
	return tlv.Append(nil, 0x06, append([]byte{0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B}, suffix...))
}

// recognition is the value of the card recognition data: card management type and version, card
// identification scheme, secure channel protocol (GPCS 2.3.1 §H.2).
func (d *Domain) recognition() []byte {
	v := d.Stock.GPVersion
	gpVersion := []byte{2, v[0], v[1]}
	if v[2] != 0 {
		gpVersion = append(gpVersion, v[2])
	}
	data := oid(1)
	data = tlv.Append(data, 0x60, oid(gpVersion...))
	data = tlv.Append(data, 0x63, oid(3))
	data = tlv.Append(data, 0x64, oid(4, d.Stock.SCP, d.Stock.I))
	return tlv.Append(nil, 0x73, data)
}

// keyInformation is the value of the key information template: C0 with identifier, version, type
// and length of each key (GPCS 2.3.1 §11.3.3.1.1).
func (d *Domain) keyInformation() []byte {
	var out []byte
	for _, k := range d.channel.Keys() {
		out = tlv.Append(out, 0xC0, []byte{byte(k.ID), byte(k.KVN), byte(k.Type), byte(k.Len)})
	}
	return out
}

// counter is the sequence counter of the key version that INITIALIZE UPDATE uses by default.
func (d *Domain) counter() ([]byte, error) {
	v, ok, err := d.channel.Counter()
	if err == nil && !ok {
		err = apdu.SW6A88
	}
	return v, err
}

// tagResources is extended card resources information (ETSI TS 102 226 §8.2.1.7.2): number of
// applications, free non-volatile and volatile memory.
const tagResources = 0xFF21

func (d *Domain) resources() []byte {
	size := func(n int) []byte { return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }
	out := tlv.Append(nil, 0x81, []byte{byte(len(d.Registry.Apps()))})
	out = tlv.Append(out, 0x82, size(d.Registry.Free()))
	return tlv.Append(out, 0x83, size(d.Stock.Memory.Transient))
}

// writable lists the objects that STORE DATA may write. CPLC and diversification data are the
// factory's: they are open until the card is initialized.
func (d *Domain) writable(tag uint32) error {
	switch {
	case tag == gp.TagIIN || tag == gp.TagCIN:
		return nil
	case slices.Contains([]uint32{gp.TagCPLC, gp.TagKDD}, tag):
		if d.life == gp.CardOPReady {
			return nil
		}
		return apdu.SW6985
	}
	return apdu.SW6A80
}
