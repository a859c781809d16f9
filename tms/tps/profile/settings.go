// Package profile holds what configuration says of the operations of a token
// processing system: the settings of the instance, and those of each token type
// for each operation, read once at start so that a mistake comes to light with
// file and line before the first card does.
//
// It owns the names, defaults and bounds of the keys op.*, applet.* and channel.*,
// and the patterns in them. It must not know cards, records, or what an operation
// does with a setting.
package profile

import (
	"tokenwright/tms/conf"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/tps/extreg"
	"tokenwright/tms/tps/tokendb"
)

// Settings are the instance-wide ones.
type Settings struct {
	ISDs       []gp.AID // applet.aid.cardmgr_instance
	Instance   gp.AID   // applet.aid.netkey_instance
	Package    gp.AID   // applet.aid.netkey_file
	Old        []gp.AID // the previous generation, when applet.delete_old
	Ext        string   // general.applet_ext
	Encryption bool     // channel.encryption: level 03, else 01
	DropLe     bool     // channel.scp01.no.le.byte
	RMAC       bool     // channel.rmac: response MACs where the card has them as an option
	BlockSize  int      // channel.blocksize
	KVN        keys.KVN // channel.defKeyVersion
	KeyID      keys.KeyID
	// InstanceSize and MemorySize are install parameters in bytes.
	InstanceSize, MemorySize int
	// Format, Enroll and PINReset are what holds for an operation whatever the type.
	Format, Enroll, PINReset Operation
	// Formats, Enrolls and PINResets are the settings by token type.
	Formats   map[string]Format
	Enrolls   map[string]Enroll
	PINResets map[string]PINReset
	// ManyActive lets a user have several active tokens
	// (tokendb.nonExternalReg.allowMultiActiveTokensUser, or externalReg).
	ManyActive bool
	// External is how tokens are registered in a directory; nil when they are not.
	External *extreg.Config
	// Delegation has the patterns of key types make subject and alternative names of certificates
	// (externalReg.delegation.enable).
	Delegation bool
	// Cleared is what a token forgets that is released for reuse
	// (tokenservice.status.unformatted.clear*).
	Cleared tokendb.Cleared
	// Connectors are those to a TKS, by id. Authorities tells for connectors to a CA
	// which key identifier their CA has, in lower-case hex, as far as it is
	// configured (tps.connector.<id>.caSKI); Revokers are the connectors to try, in
	// order, for a certificate whose own connector is another CA's (tps.connCAList).
	Connectors  map[string]Connector
	Authorities map[string]string
	Revokers    []string

	config *conf.Config
}

// Operation are the settings op.<operation>.<key>.
type Operation struct {
	// AllowUnknown is allowUnknownToken.
	AllowUnknown bool
	// Resolver is mappingResolver; KeySetResolver decides the key set for token types
	// that name none. "" and "none" mean that there is none.
	Resolver, KeySetResolver string
}

// Connector are the settings of one connection to a TKS.
type Connector struct {
	KeySet        string // tps.connector.<id>.keySet
	HostChallenge bool   // generateHostChallenge: the TKS makes the host challenge
}

// Load reads all settings. Relative paths in them are under dir.
func Load(c *conf.Config, dir string) (*Settings, error) {
	r := &reader{c: c, dir: dir}
	s := &Settings{
		config:       c,
		ISDs:         r.aids("applet.aid.cardmgr_instance", gp.AIDOpenPlatform),
		Instance:     r.aid("applet.aid.netkey_instance", "627601FF000000"),
		Package:      r.aid("applet.aid.netkey_file", "627601FF0000"),
		Ext:          c.StringOr("general.applet_ext", "ijc"),
		Encryption:   r.bool("channel.encryption", true),
		DropLe:       r.bool("channel.scp01.no.le.byte", false),
		RMAC:         r.bool("channel.rmac", false),
		BlockSize:    r.int("channel.blocksize", 242, 32, 255),
		KVN:          keys.KVN(r.int("channel.defKeyVersion", 0, 0, 255)),
		KeyID:        keys.KeyID(r.int("channel.defKeyIndex", 0, 0, 127)),
		InstanceSize: r.int("channel.instanceSize", 18000, 0, 0xFFFF),
		MemorySize:   r.int("channel.appletMemorySize", 5000, 1, 0x7FFF),
		Format:       r.operation("format"),
		Enroll:       r.operation("enroll"),
		PINReset:     r.operation("pinReset"),
		ManyActive:   r.bool("tokendb.nonExternalReg.allowMultiActiveTokensUser", false),
		Delegation:   r.bool("externalReg.delegation.enable", false),
		Formats:      make(map[string]Format),
		Enrolls:      make(map[string]Enroll),
		PINResets:    make(map[string]PINReset),
	}
	if r.bool("applet.delete_old", false) {
		s.Old = []gp.AID{
			r.aid("applet.aid.netkey_old_instance", "A00000000101"),
			r.aid("applet.aid.netkey_old_file", "A000000001"),
		}
	}
	for _, name := range c.Sub("op.format").Children() {
		s.Formats[name] = r.format("op.format." + name + ".")
	}
	for _, name := range c.Sub("op.enroll").Children() {
		s.Enrolls[name] = r.enroll("op.enroll." + name + ".")
	}
	for _, name := range c.Sub("op.pinReset").Children() {
		s.PINResets[name] = r.pinReset("op.pinReset." + name + ".")
	}
	s.external(r)
	const forget = "tokenservice.status.unformatted.clear"
	s.Cleared = tokendb.Cleared{
		UserID: r.bool(forget+"UserID", true), Type: r.bool(forget+"Type", true),
		AppletID: r.bool(forget+"AppletID", true), KeyInfo: r.bool(forget+"KeyInfo", true),
		Policy: r.bool(forget+"Policy", true),
	}
	s.connectors(r)
	s.checkTemporary(r)
	c.Declare("config.Profiles.*.state", "config.Profiles.*.timestamp")
	return s, r.err
}

// external reads what is configured of external registration. Every token type that can
// be enrolled may have its PIN reset then, as the directory says the type for both.
func (s *Settings) external(r *reader) {
	x, err := extreg.Load(r.c)
	s.External = keep(r, x, err)
	if s.External == nil {
		return
	}
	if _, ok := s.Enrolls[s.External.DefaultType]; !ok {
		r.bad("externalReg.default.tokenType", "%w: no such token type to enroll", conf.ErrValue)
	}
	for name := range s.Enrolls {
		if _, ok := s.PINResets[name]; !ok {
			s.PINResets[name] = r.pinReset("op.pinReset." + name + ".")
		}
	}
	s.ManyActive = r.bool("tokendb.externalReg.allowMultiActiveTokensUser", false)
}

func (r *reader) operation(name string) Operation {
	prefix := "op." + name + "."
	o := Operation{
		Resolver:       r.c.StringOr(prefix+"mappingResolver", name+"ProfileMappingResolver"),
		KeySetResolver: r.c.StringOr(prefix+"keySetMappingResolver", "none"),
	}
	if name != "pinReset" { // a PIN belongs to a token that is known
		o.AllowUnknown = r.bool(prefix+"allowUnknownToken", true)
	}
	return o
}

func (s *Settings) connectors(r *reader) {
	s.Connectors, s.Authorities = make(map[string]Connector), make(map[string]string)
	for _, id := range r.c.Sub("tps.connector").Children() {
		prefix := "tps.connector." + id + "."
		s.Connectors[id] = Connector{
			KeySet:        r.c.String(prefix + "keySet"),
			HostChallenge: r.bool(prefix+"generateHostChallenge", true),
		}
		if ski := r.keyIdentifier(prefix + "caSKI"); ski != "" {
			s.Authorities[id] = ski
		}
	}
	s.Revokers = r.c.List("tps.connCAList")
}

// checkTemporary wants the token types that others fall back to.
func (s *Settings) checkTemporary(r *reader) {
	for name, e := range s.Enrolls {
		if e.Temporary == "" {
			continue
		}
		if _, ok := s.Enrolls[e.Temporary]; !ok && e.recovers() {
			r.bad("op.enroll."+name+".temporaryToken.tokenType", "%w: no such token type to enroll",
				conf.ErrValue)
		}
	}
}

// Enabled tells whether a token type may be used: its profile's state is Enabled
// (config.Profiles.<type>.state; not set counts as Enabled). It is read each time.
func (s *Settings) Enabled(tokenType string) bool {
	return s.config.StringOr("config.Profiles."+tokenType+".state", "Enabled") == "Enabled"
}
