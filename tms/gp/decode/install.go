package decode

import (
	"strings"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/tlv"
)

// installPurpose names the bits of P1.
func installPurpose(c apdu.Command) string {
	names := []struct {
		bit  byte
		name string
	}{
		{gp.InstallLoad, "load"}, {gp.InstallInstall, "install"},
		{gp.InstallMakeSelectable, "make selectable"}, {gp.InstallExtradition, "extradition"},
		{gp.InstallPersonalization, "personalization"},
		{gp.InstallRegistryUpdate, "registry update"},
	}
	var found []string
	for _, n := range names {
		if c.P1&n.bit != 0 {
			found = append(found, n.name)
		}
	}
	if found == nil {
		return ""
	}
	return "[for " + strings.Join(found, " and ") + "]"
}

func install(w *writer, c apdu.Command) error {
	purpose := c.P1 & 0x7F
	switch {
	case purpose == gp.InstallLoad:
		return installForLoad(w, c)
	case purpose&gp.InstallInstall != 0:
		return installForInstall(w, c)
	}
	i, err := gp.ParseInstallFor(c)
	if err != nil {
		return err
	}
	aidField(w, "security domain", i.SD)
	aidField(w, "application", i.App)
	w.add("privileges", i.Privileges.String())
	w.params(i.Params, i.App, c.Data, i.Token)
	return nil
}

func installForLoad(w *writer, c apdu.Command) error {
	i, err := gp.ParseInstallForLoad(c)
	if err != nil {
		return err
	}
	aidField(w, "load file", i.File)
	aidField(w, "security domain", i.SD)
	if i.Hash != nil {
		w.bytes("hash", i.Hash)
	}
	w.params(i.Params, nil, c.Data, i.Token)
	return nil
}

func installForInstall(w *writer, c apdu.Command) error {
	i, err := gp.ParseInstallForInstall(c)
	if err != nil {
		return err
	}
	aidField(w, "load file", i.File)
	aidField(w, "module", i.Module)
	aidField(w, "instance", i.Instance)
	w.add("privileges", i.Privileges.String())
	w.params(i.Params, i.Module, c.Data, i.Token)
	return nil
}

func aidField(w *writer, name string, aid gp.AID) {
	if aid != nil {
		w.add(name, aidName(aid))
	}
}

// params shows memory sizes, and the applet's own parameters if the applet is CoolKey: those of
// another one may hold a PIN or a key. The parameters end before the token and its length.
func (w *writer) params(p gp.InstallParams, applet gp.AID, data, token []byte) {
	if token != nil {
		w.addf("token", "(%d bytes)", len(token))
	}
	if len(p) == 0 {
		return
	}
	end := len(data) - len(token) - len(tlv.AppendLength(nil, len(token)))
	start := end - len(p)
	nodes, err := p.Nodes()
	if err != nil {
		w.hide("parameters", start, len(p))
		return
	}
	at := start
	for _, n := range nodes {
		at += len(n.Bytes())
		switch {
		case n.Tag == gp.TagSystemParams:
			w.sizes(p)
		case n.Tag == gp.TagApplicationParams && applet.Equal(coolkey.AppletAID):
			w.add("applet parameters", coolkey.ParseInstallParams(n.Value).String())
		default:
			w.hide("applet parameters", at-len(n.Value), len(n.Value))
		}
	}
}

func (w *writer) sizes(p gp.InstallParams) {
	for _, s := range []struct {
		tag  uint32
		name string
	}{
		{gp.TagCodeSize, "code size"}, {gp.TagVolatileSize, "volatile size"},
		{gp.TagDataSize, "data size"},
	} {
		if n, ok := p.Size(s.tag); ok {
			w.addf(s.name, "%d", n)
		}
	}
}

// aidName adds the name of an application that the project knows.
func aidName(a gp.AID) string {
	name := ""
	switch {
	case a.Equal(coolkey.AppletAID):
		name = "CoolKey applet"
	case a.Equal(coolkey.PackageAID):
		name = "CoolKey package"
	case a.Equal(gp.AIDOpenPlatform), a.Equal(gp.AIDISDVisa), a.Equal(gp.AIDISDGlobal),
		a.Equal(gp.AIDISDGlobalCard):
		name = "issuer security domain"
	default:
		return a.String()
	}
	return a.String() + " (" + name + ")"
}
