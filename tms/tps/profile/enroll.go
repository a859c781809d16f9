package profile

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/token"
)

// Enroll are the settings op.enroll.<token type>.*
type Enroll struct {
	Card
	// Device enrolls the token for itself: it belongs to no person, whoever logged in.
	Device bool
	// SetPIN asks for a PIN and sets it.
	SetPIN bool
	PIN    PIN
	// TokenName is the pattern of the token's name.
	TokenName string
	// KeyTypes are those to make, in order; Keys has each that the token type knows.
	KeyTypes []string
	Keys     map[string]Key
	// Recovery lists the key types that a recovery covers, by the reason why the
	// earlier token is out of use.
	Recovery map[token.Reason][]string
	// Temporary is the token type to enroll while the earlier token may be found.
	Temporary string
	Renewal   []Renewal
	// Wrap is how private keys are wrapped for cards with AES keys.
	Wrap connector.KeyWrap
	// Combined writes one object for all; Compress compresses it.
	Combined, Compress bool
}

// Renewal says how certificates of one key type are renewed.
type Renewal struct {
	Key       string
	CA        string
	ProfileID string
	// Grace allows it from Before before expiry until After after it only.
	Grace         bool
	Before, After time.Duration
}

// In tells whether a certificate that expires at the given time may be renewed now.
func (r Renewal) In(expiry, now time.Time) bool {
	return !r.Grace || !now.Before(expiry.Add(-r.Before)) && !now.After(expiry.Add(r.After))
}

// ServerSide tells whether any key of the token type is made by a KRA.
func (e Enroll) ServerSide() bool {
	for _, k := range e.Keys {
		if k.ServerSide {
			return true
		}
	}
	return false
}

// recovers tells whether a token on hold leads to a temporary one.
func (e Enroll) recovers() bool { return len(e.Recovery) > 0 }

// mostKeyTypes is the number of containers on a card.
const mostKeyTypes = token.MaxContainer + 1

func (r *reader) enroll(prefix string) Enroll {
	e := Enroll{
		Card:      r.card(prefix),
		Device:    r.bool(prefix+"device", false),
		SetPIN:    r.bool(prefix+"pinReset.enable", true),
		PIN:       r.pin(prefix),
		TokenName: r.c.StringOr(prefix+"keyGen.tokenName", "$cuid$"),
		Temporary: r.c.String(prefix + "temporaryToken.tokenType"),
		Combined:  r.bool(prefix+"pkcs11obj.enable", true),
		Compress:  r.bool(prefix+"pkcs11obj.compress.enable", true),
		Keys:      make(map[string]Key),
		Recovery:  make(map[token.Reason][]string),
	}
	e.UpdateApplet = r.bool(prefix+"update.applet.enable", false)
	e.Wrap, _ = WrapByName(r.oneOf(prefix+"keyGen.aesKeyWrapAlg", "KWP", "KWP", "CBC", "DES"))
	for _, name := range r.c.Sub(strings.TrimSuffix(prefix, ".") + ".keyGen").Children() {
		if name == "keyType" || name == "recovery" {
			continue
		}
		e.Keys[name] = r.key(prefix+"keyGen."+name+".", name)
	}
	e.KeyTypes = r.keyTypes(prefix+"keyGen.keyType.", e.Keys)
	for _, reason := range reasons {
		at := prefix + "keyGen.recovery." + string(reason) + ".keyType."
		if list := r.keyTypes(at, e.Keys); len(list) > 0 {
			e.Recovery[reason] = list
		}
	}
	e.Renewal = r.renewals(prefix+"renewal.", e)
	r.checkContainers(prefix, e)
	return e
}

// WrapByName gives what configuration means by KWP, CBC or DES.
func WrapByName(name string) (w connector.KeyWrap, ok bool) {
	w, ok = map[string]connector.KeyWrap{
		"KWP": connector.WrapAESKWP, "CBC": connector.WrapAESCBC, "DES": connector.WrapDES3CBC,
	}[strings.ToUpper(name)]
	return w, ok
}

// reasons are those that configuration has settings for.
var reasons = []token.Reason{
	token.ReasonDestroyed, token.ReasonKeyCompromise, token.ReasonOnHold, token.ReasonTerminated,
}

// keyTypes reads a list num, value.0, value.1 and so on of known key types.
func (r *reader) keyTypes(prefix string, known map[string]Key) []string {
	var out []string
	for i := range r.int(prefix+"num", 0, 0, mostKeyTypes) {
		key := prefix + "value." + strconv.Itoa(i)
		name, err := r.c.Required(key)
		if err != nil {
			keep(r, 0, err)
			continue
		}
		if _, ok := known[name]; !ok {
			r.bad(key, "%w: nothing is configured for key type %.64q", conf.ErrValue, name)
		}
		if slices.Contains(out, name) {
			r.bad(key, "%w: key type %.64q is listed twice", conf.ErrValue, name)
		}
		out = append(out, name)
	}
	return out
}

func (r *reader) renewals(prefix string, e Enroll) []Renewal {
	var out []Renewal
	for _, name := range r.keyTypes(prefix+"keyType.", e.Keys) {
		at, k := prefix+name+".", e.Keys[name]
		w := Renewal{
			Key: name,
			CA:  r.c.StringOr(at+"ca.conn", k.CA), ProfileID: r.c.String(at + "ca.profileId"),
			Grace:  r.bool(at+"gracePeriod.enable", false),
			Before: r.days(at+"gracePeriod.before", 30), After: r.days(at+"gracePeriod.after", 30),
		}
		r.sameIndex(at+"certId", 'C', k.Container)
		r.sameIndex(at+"certAttrId", 'c', k.Container)
		r.sameIndex(at+"privateKeyAttrId", 'k', int(k.Slots.Private))
		r.sameIndex(at+"publicKeyAttrId", 'k', int(k.Slots.Public))
		if !r.bool(at+"enable", true) {
			continue
		}
		if w.ProfileID == "" {
			r.bad(at+"ca.profileId", "%w", conf.ErrMissing)
		}
		out = append(out, w)
	}
	return out
}

// checkContainers refuses two keys of one token in the same place.
func (r *reader) checkContainers(prefix string, e Enroll) {
	taken := map[int]string{}
	for _, name := range e.KeyTypes {
		k := e.Keys[name]
		if other, ok := taken[k.Container]; ok {
			r.bad(prefix+"keyGen."+name+".certId", "%w: container %d is that of key type %s",
				conf.ErrValue, k.Container, other)
		}
		taken[k.Container] = name
	}
}
