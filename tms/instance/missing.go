package instance

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tokenwright/tms/connector"
	"tokenwright/tms/tps/auth"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/profile"
)

// joined is what a TPS was joined with.
type joined struct {
	tks  map[string]contact.TKS
	auth map[string]auth.Authenticator
	authorities
}

// lack is one thing that operations need and will not find.
type lack struct {
	what string // the sentence of the warning
	name string // the key, file, connector or profile that is meant
	do   string // what helps
}

// lacks are the token types that each thing lacks for, as format userKey or enroll soKey.
type lacks map[lack][]string

func (l lacks) add(who string, is bool, what, name, do string) {
	if is {
		return
	}
	at := lack{what, name, do}
	if !slices.Contains(l[at], who) {
		l[at] = append(l[at], who)
	}
}

// warnMissing says at start what operations will not find. The person at the desk would get a bare
// code. Nothing of it keeps the server from starting: another token type may be all
// that is in use, and what is missing may come while it runs.
func (i *Instance) warnMissing() error {
	if i.tps == nil {
		return nil
	}
	p := i.tps.part
	set, err := profile.Load(p.conf, p.dir)
	if err != nil {
		return err
	}
	found := lacks{}
	for name, f := range set.Formats {
		if set.Enabled(name) {
			i.lacksOfCard(found, "format "+name, set, f.Card)
			i.lacksOfLoad(found, "format "+name, set, f.Card)
		}
	}
	for name, e := range set.Enrolls {
		if set.Enabled(name) {
			i.lacksOfCard(found, "enroll "+name, set, e.Card)
			i.lacksOfEnroll(found, "enroll "+name, e)
		}
	}
	for name, r := range set.PINResets {
		if set.Enabled(name) {
			i.lacksOfCard(found, "pinReset "+name, set, r.Card)
		}
	}
	for _, l := range slices.SortedFunc(maps.Keys(found), func(a, b lack) int {
		return cmp.Or(cmp.Compare(a.what, b.what), cmp.Compare(a.name, b.name))
	}) {
		slices.Sort(found[l])
		p.log.Warn(l.what, "missing", l.name, "for", strings.Join(found[l], ", "), "do", l.do)
	}
	return nil
}

// lacksOfCard looks at what every operation needs.
func (i *Instance) lacksOfCard(l lacks, who string, s *profile.Settings, c profile.Card) {
	l.add(who, i.tps.joined.tks[c.TKS] != nil, "operations will end with code 40: no connection to a "+
		"token key service", c.TKS, "tps.connector."+c.TKS+".enable and .host in CS.cfg of the TPS")
	// A directory that is not configured is warned about where it is read.
	asked := !c.Login || i.tps.joined.auth[c.AuthID] != nil ||
		slices.Contains(i.tps.conf.Sub("auths.instance").Children(), c.AuthID)
	l.add(who, asked, "operations will end with code 18: no such authenticator", c.AuthID,
		"auths.instance."+c.AuthID+".* in CS.cfg of the TPS")
	if i.tks != nil && c.KeySet != "" {
		l.add(who, slices.Contains(i.tks.keySets, c.KeySet), "operations will end with code 18: no such key "+
			"set in the TKS", c.KeySet, "tks."+c.KeySet+".* in CS.cfg of the TKS")
	}
}

// lacksOfLoad looks for the load files, which a format loads whatever is on the card.
func (i *Instance) lacksOfLoad(l lacks, who string, s *profile.Settings, c profile.Card) {
	for _, version := range c.AppletVersion {
		if version == "" {
			continue
		}
		path := filepath.Join(c.AppletDir, version+"."+s.Ext)
		_, err := os.Stat(path)
		l.add(who, err == nil, "operations will end with code 19: load file is missing", path,
			"put it there, or name another version: op.<operation>.<type>.update.applet.requiredVersion")
	}
}

// lacksOfEnroll looks at what keys and certificates come from.
func (i *Instance) lacksOfEnroll(l lacks, who string, e profile.Enroll) {
	for _, name := range e.KeyTypes {
		k := e.Keys[name]
		i.lacksOfCA(l, who, k.CA, k.ProfileID)
		if k.ServerSide {
			i.lacksOfKRA(l, who, k.KRA)
		}
	}
	for _, r := range e.Renewal {
		i.lacksOfCA(l, who, r.CA, r.ProfileID)
	}
}

func (i *Instance) lacksOfCA(l lacks, who, id, profileID string) {
	c := i.tps.joined.cas[id]
	l.add(who, c != nil, "enrollments will end with code 10: no connection to a "+
		"certificate authority", id,
		"tms ca create "+id+", or tps.connector."+id+".enable and .host in CS.cfg of the TPS")
	for _, own := range i.cas {
		if connector.CA(own.authority) != c {
			continue
		}
		p := own.authority.Profiles()[profileID]
		l.add(who, p != nil && p.Enabled, "enrollments will end with code 10: the certificate authority "+
			"has no such profile, or it is not enabled", profileID,
			filepath.Join(own.dir, profilesDir)+" holds the profiles of "+own.name)
		l.add(who, !own.authority.Retired(), "enrollments will end with code 10: the certificate "+
			"authority is retired", own.name, "ca.retired in its CS.cfg")
	}
}

func (i *Instance) lacksOfKRA(l lacks, who, id string) {
	c := i.tps.joined.kras[id]
	l.add(who, c != nil, "enrollments will end with code 7: no connection to a "+
		"key recovery authority", id,
		"tms kra create, or tps.connector."+id+".enable and .host in CS.cfg of the TPS")
	if c == nil || i.tks == nil {
		return // a TKS in another process says so itself
	}
	const key = "tks.drm_transport_cert_nickname"
	l.add(who, i.tks.transport != nil, "enrollments will end with code 18: the TKS has no transport "+
		"certificate of the KRA", key, "tms kra connect")
	if i.kra != nil && i.tks.transport != nil && c == connector.KRA(i.kra.service) {
		l.add(who, i.kra.transport.Equal(i.tks.transport), "enrollments will end with code 7: the TKS has "+
			"another transport certificate than the KRA", key, "copy "+i.kra.dir+"/certs/"+
			i.kra.conf.StringOr("kra.transportUnit.nickName", kraTransportName)+".crt to the TKS")
	}
}
