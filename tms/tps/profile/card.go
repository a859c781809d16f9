package profile

import (
	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/perso"
)

// Card are the settings that operations have alike, op.<operation>.<token type>.*
type Card struct {
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
	// UpdateApplet has an applet of another version than the required one replaced; a
	// format always loads the applet.
	UpdateApplet bool
	EmptyToken   bool
	Encryption   bool
	AppletDir    string
	// AppletVersion is by secure channel protocol, 1 to 3.
	AppletVersion [4]string
	ChangeKeys    bool
	RequiredKVN   keys.KVN
}

// Format are the settings op.format.<token type>.*
type Format struct {
	Card
	// Revoke has the certificates of a formatted token revoked, for Reason.
	Revoke bool
	Reason connector.Reason
	// CA is the connector to ask for that where a certificate's record names none, as those of other
	// systems do.
	CA string
}

// PIN are the bounds of a PIN, in bytes, and how often it may be wrong in a row.
type PIN struct {
	Min, Max, Tries int
}

// PINReset are the settings op.pinReset.<token type>.*
type PINReset struct {
	Card
	// SetPIN says that PINs of the token type are set at all.
	SetPIN bool
	PIN    PIN
}

// card reads the common settings.
func (r *reader) card(prefix string) Card {
	c := r.c
	f := Card{
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
		RequiredKVN: keys.KVN(
			r.int(prefix+"update.symmetricKeys.requiredVersion", 0, 0, 0x7F)),
	}
	// Without a required version there is nothing to change to, whatever the key says.
	f.ChangeKeys = r.bool(prefix+"update.symmetricKeys.enable", true) && f.RequiredKVN != 0
	f.AppletVersion[1] = c.String(prefix + "update.applet.requiredVersion")
	f.AppletVersion[2] = c.String(prefix + "update.applet.requiredVersion.prot.2")
	f.AppletVersion[3] = c.String(prefix + "update.applet.requiredVersion.prot.3")
	f.WriteIssuer = r.bool(prefix+"issuerinfo.enable", false)
	f.IssuerInfo = c.String(prefix + "issuerinfo.value")
	if err := perso.CheckIssuerInfo(f.IssuerInfo); err != nil {
		r.bad(prefix+"issuerinfo.value", "%w", err)
	}
	return f
}

func (r *reader) format(prefix string) Format {
	return Format{
		Card:   r.card(prefix),
		Revoke: r.bool(prefix+"revokeCert", false),
		Reason: r.reason(prefix + "revokeCert.reason"),
		CA:     r.c.StringOr(prefix+"ca.conn", "ca1"),
	}
}

func (r *reader) pinReset(prefix string) PINReset {
	p := PINReset{
		Card: r.card(prefix), SetPIN: r.bool(prefix+"pinReset.enable", true), PIN: r.pin(prefix),
	}
	p.UpdateApplet = r.bool(prefix+"update.applet.enable", false)
	return p
}

// Bounds of PINs in bytes that the applet takes.
const (
	shortestPIN = 4
	longestPIN  = 16
)

func (r *reader) pin(prefix string) PIN {
	p := PIN{
		Min:   r.int(prefix+"pinReset.pin.minLen", 4, shortestPIN, longestPIN),
		Max:   r.int(prefix+"pinReset.pin.maxLen", 10, shortestPIN, longestPIN),
		Tries: r.int(prefix+"pinReset.pin.maxRetries", 127, 1, 127),
	}
	if p.Min > p.Max {
		r.bad(prefix+"pinReset.pin.maxLen", "%w: smaller than minLen", conf.ErrValue)
	}
	return p
}

// reason reads a revocation reason by its number.
func (r *reader) reason(key string) connector.Reason {
	reason := connector.Reason(r.int(key, 0, 0, 10))
	if !reason.CanRevoke() {
		r.bad(key, "%w: no reason to revoke a certificate for", conf.ErrValue)
	}
	return reason
}
