package decode

import (
	"fmt"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/tlv"
)

// gpSpecs are the commands of a security domain, classes 80 to 8F and C0 to EF.
var gpSpecs = map[byte]spec{
	gp.INSInitializeUpdate: {
		name: "INITIALIZE UPDATE", command: initializeUpdate, answer: initializeUpdateAnswer,
	},
	gp.INSExternalAuthenticate: {name: "EXTERNAL AUTHENTICATE", command: externalAuthenticate},
	gp.INSGetData: {
		name: "GET DATA", variant: tagName, command: getData,
		secretAnswer: true, answer: getDataAnswer,
	},
	gp.INSGetDataList: {
		name: "GET DATA", variant: tagName, command: getData,
		secretAnswer: true, answer: getDataAnswer,
	},
	gp.INSPutKey: {name: "PUT KEY", secret: true, command: putKey, answer: putKeyAnswer},
	gp.INSStoreData: {
		name: "STORE DATA", secret: true, command: storeData, secretAnswer: true,
	},
	gp.INSDelete: {name: "DELETE", command: deleteCommand, answer: receipt},
	gp.INSInstall: {
		name: "INSTALL", variant: installPurpose, secret: true, command: install, answer: receipt,
	},
	gp.INSLoad:          {name: "LOAD", command: load, answer: receipt},
	gp.INSSetStatus:     {name: "SET STATUS", command: setStatus},
	gp.INSGetStatus:     {name: "GET STATUS", command: getStatus, answer: getStatusAnswer},
	gp.INSManageChannel: {name: "MANAGE CHANNEL", answer: plainAnswer},
	gp.INSBeginRMAC:     {name: "BEGIN R-MAC SESSION", answer: plainAnswer},
	gp.INSEndRMAC:       {name: "END R-MAC SESSION", answer: plainAnswer},
	gp.INSGetResponse:   {name: "GET RESPONSE", secretAnswer: true},
	gp.INSSelect:        {name: "SELECT", command: selectCommand, answer: selectAnswer},
}

func plainAnswer(w *writer, _ apdu.Command, data []byte) error {
	w.bytes("data", data)
	return nil
}

func receipt(w *writer, _ apdu.Command, data []byte) error {
	if len(data) == 1 && data[0] == 0 {
		w.add("no receipt", "")
		return nil
	}
	w.bytes("receipt", data)
	return nil
}

func selectCommand(w *writer, c apdu.Command) error {
	if c.P1 != 0x04 {
		w.addf("P1", "%02X", c.P1)
		w.bytes("file", c.Data)
		return nil
	}
	s, err := gp.ParseSelect(c)
	if err != nil {
		return err
	}
	if s.AID == nil {
		w.add("issuer security domain", "")
	} else {
		w.add("AID", aidName(s.AID))
	}
	if s.P2&gp.SelectNext != 0 && s.P2&0x0C == 0 {
		w.add("next occurrence", "")
	}
	return nil
}

func selectAnswer(w *writer, _ apdu.Command, data []byte) error {
	f, err := gp.ParseFCI(data)
	if err != nil {
		return err
	}
	if f.AID != nil {
		w.add("AID", aidName(f.AID))
	}
	if f.MaxData != nil {
		w.bytes("maximum data length", f.MaxData)
	}
	if f.Production != nil {
		w.bytes("production data", f.Production)
	}
	return nil
}

func initializeUpdate(w *writer, c apdu.Command) error {
	i, err := gp.ParseInitializeUpdate(c)
	if err != nil {
		return err
	}
	w.add("key version", i.KVN.String())
	w.add("key identifier", i.KeyID.String())
	w.bytes("host challenge", i.HostChallenge[:])
	return nil
}

func initializeUpdateAnswer(w *writer, _ apdu.Command, data []byte) error {
	r, err := gp.ParseInitializeUpdateResponse(data)
	if err != nil {
		return err
	}
	w.add("KDD", r.KDD.String())
	w.add("key version", r.Info.KVN.String())
	w.addf("protocol", "SCP%02X", r.Info.SCP)
	if r.Info.HasI {
		w.addf("i", "%02X", r.Info.I)
	}
	if r.Seq != nil {
		w.bytes("sequence counter", r.Seq)
	}
	w.bytes("card challenge", r.Challenge)
	w.bytes("card cryptogram", r.Cryptogram[:])
	return nil
}

func externalAuthenticate(w *writer, c apdu.Command) error {
	e, err := gp.ParseExternalAuthenticate(c)
	if err != nil {
		return err
	}
	w.addf("level", "%02X", e.Level)
	w.bytes("host cryptogram", e.HostCryptogram[:])
	w.bytes("MAC", e.MAC[:])
	return nil
}

func putKey(w *writer, c apdu.Command) error {
	p, err := gp.ParsePutKey(c)
	if err != nil {
		return err
	}
	if p.OldKVN == 0 {
		w.add("add", "")
	} else {
		w.add("replace version", p.OldKVN.String())
	}
	w.add("new version", p.KVN.String())
	at := 1
	for i, k := range p.Keys {
		at += 2
		if k.Length != 0 {
			at++
		}
		name := fmt.Sprintf("key %d", int(p.FirstKeyID)+i)
		w.addf(name+" type", "%v, %d bytes", k.Type, k.PlainLen())
		w.hide(name, at, len(k.Value))
		at += len(k.Value) + 1
		if len(k.KCV) > 0 {
			w.bytes(name+" KCV", k.KCV)
		}
		at += len(k.KCV)
	}
	return nil
}

func putKeyAnswer(w *writer, _ apdu.Command, data []byte) error {
	r, err := gp.ParsePutKeyResponse(data)
	if err != nil {
		return err
	}
	w.add("version", r.KVN.String())
	for _, k := range r.KCVs {
		w.add("KCV", k.String())
	}
	return nil
}

// storeData shows BER-TLV objects that describe a card; everything else could be a key.
func storeData(w *writer, c apdu.Command) error {
	s, err := gp.ParseStoreData(c)
	if err != nil {
		return err
	}
	w.addf("block", "%02X", s.Block)
	if s.Last {
		w.add("last", "")
	}
	nodes, err := tlv.Parse(s.Data)
	if err != nil || s.Flags&gp.StoreEncrypted != 0 || s.Flags&gp.StoreStructure != gp.StoreBERTLV {
		w.opaque("data", true)
		return nil
	}
	at := 0
	for _, n := range nodes {
		name := fmt.Sprintf("%X", n.Tag)
		at += len(n.Bytes())
		if describesCard(n.Tag) {
			w.bytes(name, n.Value)
		} else {
			w.hide(name, at-len(n.Value), len(n.Value))
		}
	}
	return nil
}

func describesCard(tag uint32) bool {
	switch tag {
	case gp.TagIIN, gp.TagCIN, gp.TagRecognitionData, gp.TagCapabilities, gp.TagKDD, gp.TagCPLC:
		return true
	default:
		return false
	}
}

func deleteCommand(w *writer, c apdu.Command) error {
	d, err := gp.ParseDelete(c)
	if err != nil {
		return err
	}
	if d.AID != nil {
		w.add("AID", aidName(d.AID))
	}
	if d.KeyID != nil {
		w.add("key identifier", d.KeyID.String())
	}
	if d.KVN != nil {
		w.add("key version", d.KVN.String())
	}
	if d.Related {
		w.add("with related objects", "")
	}
	if d.Tail != nil {
		w.addf("token", "(%d bytes)", len(d.Tail))
	}
	return nil
}

func load(w *writer, c apdu.Command) error {
	l, err := gp.ParseLoad(c)
	if err != nil {
		return err
	}
	w.addf("block", "%02X", l.Block)
	w.addf("data", "(%d bytes)", len(l.Data))
	if l.Last {
		w.add("last", "")
	}
	return nil
}

func setStatus(w *writer, c apdu.Command) error {
	s, err := gp.ParseSetStatus(c)
	if err != nil {
		return err
	}
	w.add("scope", s.Scope.String())
	if s.Scope == gp.ScopeISD {
		w.add("state", gp.CardState(s.State).String())
		return nil
	}
	w.add("state", gp.AppState(s.State).String())
	w.add("AID", aidName(s.AID))
	return nil
}

func getStatus(w *writer, c apdu.Command) error {
	g, err := gp.ParseGetStatus(c)
	if err != nil {
		return err
	}
	w.add("scope", g.Scope.String())
	if g.AID != nil {
		w.bytes("AID", g.AID)
	}
	if g.Next {
		w.add("next", "")
	}
	return nil
}

func getStatusAnswer(w *writer, c apdu.Command, data []byte) error {
	scope, tagged := gp.Scope(c.P1), c.P2&0x02 != 0 // the data may be encrypted
	var reg gp.Registry
	var err error
	if tagged {
		reg, err = gp.ParseRegistry(data)
	} else {
		reg, err = gp.ParseRegistryOld(data, scope&gp.ScopeModules != 0)
	}
	if err != nil {
		return err
	}
	for _, e := range reg {
		state := gp.AppState(e.LifeCycle).String()
		switch {
		case scope&gp.ScopeISD != 0:
			state = gp.CardState(e.LifeCycle).String()
		case scope&(gp.ScopeLoadFiles|gp.ScopeModules) != 0 && e.LifeCycle == gp.FileLoaded:
			state = "LOADED"
		}
		w.addf("entry", "%s %s", aidName(e.AID), state)
		if e.Privileges.Mask() != 0 {
			w.add("privileges", e.Privileges.String())
		}
		for _, m := range e.Modules {
			w.add("module", aidName(m))
		}
	}
	return nil
}
