package op

import (
	"path/filepath"
	"strconv"

	"tokenwright/tms/conf"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/perso"
)

// Settings are the instance-wide ones, read once at start so that a mistake comes
// to light with file and line before the first card does.
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
	// Formats are the settings of operation format, by token type.
	Formats map[string]FormatSettings
	// FormatAllowUnknown is op.format.allowUnknownToken.
	FormatAllowUnknown bool
	// FormatResolver is op.format.mappingResolver; KeySetResolver decides the key set
	// for token types that name none. "" and "none" mean that there is none.
	FormatResolver, KeySetResolver string
	// Connectors are those to a TKS, by id.
	Connectors map[string]Connector

	config *conf.Config
}

// Connector are the settings of one connection to a TKS.
type Connector struct {
	KeySet        string // tps.connector.<id>.keySet
	HostChallenge bool   // generateHostChallenge: the TKS makes the host challenge
}

// FormatSettings are those of op.format.<token type>.
type FormatSettings struct {
	Login          bool
	AuthID         string
	CUIDIsKDD      bool
	BoundKVN       bool
	MinKVN, MaxKVN keys.KVN
	CheckKeyInfo   bool
	RollBack       bool
	TKS            string
	KeySet         string
	WriteIssuer    bool
	IssuerInfo     string // empty clears what is on the card
	EmptyToken     bool
	Encryption     bool
	AppletDir      string
	// AppletVersion is by secure channel protocol, 1 to 3.
	AppletVersion [4]string
	ChangeKeys    bool
	RequiredKVN   keys.KVN
}

// LoadSettings reads all settings of this package's operations. Relative paths in
// them are under dir.
func LoadSettings(c *conf.Config, dir string) (*Settings, error) {
	r := &reader{c: c, dir: dir}
	s := &Settings{
		config:             c,
		ISDs:               r.aids("applet.aid.cardmgr_instance", gp.AIDOpenPlatform),
		Instance:           r.aid("applet.aid.netkey_instance", "627601FF000000"),
		Package:            r.aid("applet.aid.netkey_file", "627601FF0000"),
		Ext:                c.StringOr("general.applet_ext", "ijc"),
		Encryption:         r.bool("channel.encryption", true),
		DropLe:             r.bool("channel.scp01.no.le.byte", false),
		RMAC:               r.bool("channel.rmac", false),
		BlockSize:          r.int("channel.blocksize", 242, 32, 255),
		KVN:                keys.KVN(r.int("channel.defKeyVersion", 0, 0, 255)),
		KeyID:              keys.KeyID(r.int("channel.defKeyIndex", 0, 0, 127)),
		InstanceSize:       r.int("channel.instanceSize", 18000, 0, 0xFFFF),
		MemorySize:         r.int("channel.appletMemorySize", 5000, 1, 0x7FFF),
		FormatAllowUnknown: r.bool("op.format.allowUnknownToken", true),
		FormatResolver:     c.StringOr("op.format.mappingResolver", "formatProfileMappingResolver"),
		KeySetResolver:     c.StringOr("op.format.keySetMappingResolver", "none"),
		Formats:            make(map[string]FormatSettings),
		Connectors:         make(map[string]Connector),
	}
	if r.bool("externalReg.enable", false) {
		// Going on would decide token types in another way than the operator means.
		keep(r, 0, c.Errorf("externalReg.enable", "%w: external registration is not offered",
			conf.ErrValue))
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
	for _, id := range c.Sub("tps.connector").Children() {
		s.Connectors[id] = Connector{
			KeySet:        c.String("tps.connector." + id + ".keySet"),
			HostChallenge: r.bool("tps.connector."+id+".generateHostChallenge", true),
		}
	}
	c.Declare("config.Profiles.*.state", "config.Profiles.*.timestamp")
	return s, r.err
}

// Enabled tells whether a token type may be used: its profile's state is Enabled
// (config.Profiles.<type>.state; not set counts as Enabled). It is read each time.
func (s *Settings) Enabled(tokenType string) bool {
	return s.config.StringOr("config.Profiles."+tokenType+".state", "Enabled") == "Enabled"
}

// reader reads settings and keeps the first error.
type reader struct {
	c   *conf.Config
	dir string
	err error
}

func (r *reader) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(r.dir, p)
}

func keep[T any](r *reader, v T, err error) T {
	if err != nil && r.err == nil {
		r.err = err
	}
	return v
}

func (r *reader) bool(key string, def bool) bool {
	v, err := r.c.Bool(key, def)
	return keep(r, v, err)
}

func (r *reader) int(key string, def, smallest, largest int) int {
	v, err := r.c.Int(key, def, smallest, largest)
	return keep(r, v, err)
}

func (r *reader) aid(key, def string) gp.AID {
	v, err := gp.ParseAID(r.c.StringOr(key, def))
	if err != nil {
		err = r.c.Errorf(key, "%w", err)
	}
	return keep(r, v, err)
}

func (r *reader) aids(key string, def gp.AID) []gp.AID {
	var out []gp.AID
	for _, word := range r.c.List(key) {
		v, err := gp.ParseAID(word)
		if err != nil {
			err = r.c.Errorf(key, "%w", err)
		}
		out = append(out, keep(r, v, err))
	}
	if len(out) == 0 {
		out = []gp.AID{def}
	}
	return out
}

// kvn reads a key version of two hexadecimal digits.
func (r *reader) kvn(key, def string) keys.KVN {
	text := r.c.StringOr(key, def)
	v, err := strconv.ParseUint(text, 16, 8)
	if err != nil || len(text) != 2 {
		err = r.c.Errorf(key, "%w: not two hexadecimal digits", conf.ErrValue)
	}
	return keep(r, keys.KVN(v), err)
}

func (r *reader) format(prefix string) FormatSettings {
	c := r.c
	f := FormatSettings{
		Login:        r.bool(prefix+"auth.enable", true),
		AuthID:       c.StringOr(prefix+"auth.id", "ldap1"),
		CUIDIsKDD:    r.bool(prefix+"cuidMustMatchKDD", false),
		BoundKVN:     r.bool(prefix+"enableBoundedGPKeyVersion", true),
		MinKVN:       r.kvn(prefix+"minimumGPKeyVersion", "01"),
		MaxKVN:       r.kvn(prefix+"maximumGPKeyVersion", "FF"),
		CheckKeyInfo: r.bool(prefix+"validateCardKeyInfoAgainstTokenDB", true),
		RollBack:     r.bool(prefix+"rollbackKeyVersionOnPutKeyFailure", false),
		TKS:          c.StringOr(prefix+"tks.conn", "tks1"),
		KeySet:       c.String(prefix + "tks.keySet"),
		EmptyToken:   r.bool(prefix+"update.applet.emptyToken.enable", true),
		Encryption:   r.bool(prefix+"update.applet.encryption", true),
		AppletDir:    r.path(c.StringOr(prefix+"update.applet.directory", "applets")),
		ChangeKeys:   r.bool(prefix+"update.symmetricKeys.enable", false),
		RequiredKVN: keys.KVN(
			r.int(prefix+"update.symmetricKeys.requiredVersion", 1, 1, 0x7F)),
	}
	f.AppletVersion[1] = c.String(prefix + "update.applet.requiredVersion")
	f.AppletVersion[2] = c.String(prefix + "update.applet.requiredVersion.prot.2")
	f.AppletVersion[3] = c.String(prefix + "update.applet.requiredVersion.prot.3")
	f.WriteIssuer = r.bool(prefix+"issuerinfo.enable", false)
	f.IssuerInfo = c.String(prefix + "issuerinfo.value")
	if err := perso.CheckIssuerInfo(f.IssuerInfo); err != nil {
		keep(r, 0, c.Errorf(prefix+"issuerinfo.value", "%w", err))
	}
	return f
}
