package isd

import (
	"bytes"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/registry"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/tlv"
)

// Privileges of the domain itself (GPCS 2.3.1 §6.6.2).
var ownPrivileges = []byte{0x9E, 0xFE, 0x80}

const (
	maxPage  = 255 // bytes of entries in one answer
	maxEntry = 220 // bytes of one entry, so that it fits any protected answer
	tagEntry = 0xE3
)

// pager keeps the entries that GET STATUS has not answered yet.
type pager struct {
	scope  gp.Scope
	tagged bool
	rest   [][]byte
}

// getStatus answers GET STATUS (GPCS 2.3.1 §11.4) in pages of whole entries; 6310 says that there
// are more.
func (d *Domain) getStatus(cmd apdu.Command) ([]byte, error) {
	g, err := gp.ParseGetStatus(cmd)
	if err != nil {
		return nil, applet.Refusal(err)
	}
	if sw := d.refuseScope(g.Scope); sw != 0 {
		return nil, sw
	}
	if g.Next {
		if len(d.pages.rest) == 0 || d.pages.scope != g.Scope || d.pages.tagged != g.Tagged {
			return nil, apdu.SW6985
		}
		return d.page()
	}
	d.pages = pager{scope: g.Scope, tagged: g.Tagged}
	for _, e := range d.entries(g.Scope) {
		if bytes.HasPrefix(e.aid, g.AID) {
			d.pages.rest = append(d.pages.rest, e.bytes(g, d.Stock.Quirks.ShortPrivileges))
		}
	}
	if len(d.pages.rest) == 0 {
		return nil, apdu.SW6A88
	}
	return d.page()
}

func (d *Domain) refuseScope(s gp.Scope) apdu.SW {
	switch s {
	case gp.ScopeISD, gp.ScopeApplications, gp.ScopeLoadFiles:
		return 0
	case gp.ScopeModules:
		if !d.Stock.Quirks.NoModuleStatus {
			return 0
		}
	}
	return apdu.SW6A86
}

// page takes as many entries as one answer holds under the session's protection.
func (d *Domain) page() ([]byte, error) {
	limit := min(maxPage, d.channel.MaxResponse())
	var out []byte
	for len(d.pages.rest) > 0 && len(out)+len(d.pages.rest[0]) <= limit {
		out = append(out, d.pages.rest[0]...)
		d.pages.rest = d.pages.rest[1:]
	}
	if len(d.pages.rest) > 0 {
		return out, apdu.SW6310
	}
	return out, nil
}

// entry is one line of the registry.
type entry struct {
	aid        gp.AID
	state      byte
	privileges []byte // of an application or domain; nil for a load file
	file       gp.AID // of an application
	version    []byte
	modules    []gp.AID
	count      bool // the older form counts the modules
	domain     gp.AID
}

func (d *Domain) entries(scope gp.Scope) []entry {
	switch scope {
	case gp.ScopeISD:
		return []entry{{
			aid: d.AID(), state: byte(d.life), privileges: ownPrivileges, domain: d.AID(),
		}}
	case gp.ScopeApplications:
		var out []entry
		for _, a := range d.Registry.Apps() {
			out = append(out, entry{
				aid: a.AID, state: byte(a.State), privileges: a.Privileges[:], file: a.File,
				domain: d.AID(),
			})
		}
		return out
	}
	var out []entry
	for _, f := range d.Registry.Files() {
		e := entry{
			aid: f.AID, state: fileLoaded, version: []byte{f.Major, f.Minor}, domain: d.AID(),
		}
		if scope == gp.ScopeModules {
			e.modules, e.count = fitting(f), true
		}
		out = append(out, e)
	}
	return out
}

const fileLoaded = 0x01 // the one life cycle state of load files (GPCS 2.3.1 Table 11-3)

// fitting gives the modules that one entry can list.
func fitting(f registry.File) []gp.AID {
	const others = 64 // bytes of an entry without its modules
	n := others
	for i, m := range f.Modules {
		if n += 2 + len(m); n > maxEntry {
			return f.Modules[:i]
		}
	}
	return f.Modules
}

func (e entry) bytes(g gp.GetStatus, short bool) []byte {
	if !g.Tagged {
		return e.untagged()
	}
	var out []byte
	add := func(tag uint32, v []byte) {
		if len(v) > 0 && (short || !g.HasTagList || listed(g.TagList, tag)) {
			out = tlv.Append(out, tag, v)
		}
	}
	add(0x4F, e.aid)
	add(0x9F70, []byte{e.state})
	if short {
		add(0xC5, e.privileges[:min(1, len(e.privileges))])
	} else {
		add(0xC5, e.privileges)
		add(0xC4, e.file)
		add(0xCE, e.version)
		add(0xCC, e.domain)
	}
	for _, m := range e.modules {
		add(0x84, m)
	}
	return tlv.Append(nil, tagEntry, out)
}

// untagged is the form of GPCS 2.1.1 Table 9-22.
func (e entry) untagged() []byte {
	out := append([]byte{byte(len(e.aid))}, e.aid...)
	out = append(out, e.state)
	if e.privileges != nil {
		out = append(out, e.privileges[0])
	} else {
		out = append(out, 0)
	}
	if e.count {
		out = append(out, byte(len(e.modules)))
		for _, m := range e.modules {
			out = append(append(out, byte(len(m))), m...)
		}
	}
	return out
}

// listed tells whether a tag list names tag.
func listed(list []byte, tag uint32) bool {
	for i := 0; i < len(list); i++ {
		t := uint32(list[i])
		if list[i]&0x1F == 0x1F && i+1 < len(list) {
			i++
			t = t<<8 | uint32(list[i])
		}
		if t == tag {
			return true
		}
	}
	return false
}

// setStatus answers SET STATUS (GPCS 2.3.1 §11.10).
func (d *Domain) setStatus(cmd apdu.Command) ([]byte, error) {
	s, err := gp.ParseSetStatus(cmd)
	if err != nil {
		return nil, applet.Refusal(err)
	}
	if s.Scope == gp.ScopeISD {
		return nil, d.setLife(gp.CardState(s.State))
	}
	if s.AID.Equal(d.AID()) {
		return nil, apdu.SW6985 // The final application cannot be locked (§9.6.2).
	}
	app, ok := d.Registry.App(s.AID)
	switch {
	case !ok || s.Scope == gp.ScopeSDAndApps:
		return nil, apdu.SW6A88
	case d.life == gp.CardLocked:
		return nil, apdu.SW6985
	}
	// A security domain locks and unlocks; all other states are the application's own (§9.6.2).
	lock := gp.AppState(s.State).Locked()
	if lock == app.State.Locked() {
		return nil, apdu.SW6985
	}
	if lock {
		return nil, d.Registry.SetState(app.AID, app.State.Lock())
	}
	return nil, d.Registry.SetState(app.AID, app.State.Unlock())
}

// setLife changes the life cycle of the card.
func (d *Domain) setLife(to gp.CardState) error {
	if !to.Valid() {
		return apdu.SW6A80
	}
	if !d.life.CanBecome(to) {
		return apdu.SW6985
	}
	err := d.Memory.Update(func(tx *nvm.Tx) error { tx.Put(nameLife, []byte{byte(to)}); return nil })
	if err == nil {
		d.life = to
	}
	return err
}
