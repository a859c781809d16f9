package decode

import (
	"fmt"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/tlv"
)

// tagNames are the data objects that GET DATA reads.
var tagNames = map[uint16]string{
	gp.TagIIN:             "issuer identification number",
	gp.TagCIN:             "card image number",
	gp.TagRecognitionData: "card recognition data",
	gp.TagCapabilities:    "card capability information",
	gp.TagSequenceCounter: "sequence counter",
	gp.TagConfirmations:   "confirmation counter",
	gp.TagKDD:             "key diversification data",
	gp.TagKeyInformation:  "key information template",
	gp.TagApplicationList: "list of applications",
	gp.TagCPLC:            "CPLC",
}

func tagName(c apdu.Command) string { return tagNames[uint16(c.P1)<<8|uint16(c.P2)] }

func getData(w *writer, c apdu.Command) error {
	g, err := gp.ParseGetData(c)
	if err != nil {
		return err
	}
	w.addf("tag", "%04X", g.Tag)
	if len(g.Data) > 0 {
		w.bytes("tag list", g.Data)
	}
	return nil
}

// getDataAnswer takes apart what GlobalPlatform defines and shows it even when that fails, since it
// is public; an applet's own objects stay hidden.
func getDataAnswer(w *writer, c apdu.Command, data []byte) error {
	tag := uint16(c.P1)<<8 | uint16(c.P2)
	var err error
	switch tag {
	case gp.TagCPLC:
		err = cplcAnswer(w, data)
	case gp.TagRecognitionData:
		err = recognitionAnswer(w, data)
	case gp.TagKeyInformation:
		err = keyInformationAnswer(w, data)
	default:
		if _, known := tagNames[tag]; !known {
			w.opaque("data", true)
			return nil
		}
		if n, rest, err := tlv.Split(data); err == nil && len(rest) == 0 && n.Tag == uint32(tag) {
			data = n.Value
		}
		w.bytes("value", data)
	}
	if err != nil {
		w.unreadable(err, false)
	}
	return nil
}

func cplcAnswer(w *writer, data []byte) error {
	c, err := gp.ParseCPLC(data)
	if err != nil {
		return err
	}
	w.add("CUID", c.CUID().String())
	for _, f := range c.Fields() {
		w.bytes(f.Name, f.Value)
	}
	return nil
}

func recognitionAnswer(w *writer, data []byte) error {
	d, err := gp.ParseCardRecognitionData(data)
	if err != nil {
		return err
	}
	w.add("GlobalPlatform", d.VersionString())
	for _, p := range d.Protocols {
		w.add("protocol", p.String())
	}
	return nil
}

func keyInformationAnswer(w *writer, data []byte) error {
	t, err := gp.ParseKeyInformationTemplate(data)
	if err != nil {
		return err
	}
	for _, k := range t.Keys {
		for _, c := range k.Components {
			w.add("key", fmt.Sprintf("version %v identifier %v %v %d bytes", k.KVN, k.KeyID, c.Type,
				c.Len))
		}
	}
	return nil
}
