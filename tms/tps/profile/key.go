package profile

import (
	"strings"

	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/token"
)

// Key are the settings of one key type, op.enroll.<token type>.keyGen.<key type>.*
type Key struct {
	Name string
	// CA and ProfileID say who issues the certificate.
	CA, ProfileID string
	Container     int
	Slots         coolkey.SlotPair
	// EC asks for a key on the curve of Bits bits, else the key is RSA.
	EC   bool
	Bits int
	// Usage and Owner go to the card with the request for a key.
	Usage byte
	Owner coolkey.Owner
	// Label is a pattern.
	Label string
	// Overwrite lets the key take the place of one that is on the card.
	Overwrite       bool
	Public, Private content.Fixed
	// ServerSide has the KRA make the key, and with Archive keep it.
	ServerSide, Archive bool
	KRA                 string
	Usages              string
	// Subject and SANs are patterns that only delegation looks at.
	Subject string
	SANs    []string
	Loss    map[token.Reason]Loss
}

// Scheme says what a recovery does for a key type.
type Scheme string

// Schemes.
const (
	NewKey               Scheme = "GenerateNewKey"
	RecoverLast          Scheme = "RecoverLast"
	NewKeyAndRecoverLast Scheme = "GenerateNewKeyAndRecoverLast"
)

// New tells whether a key is made.
func (s Scheme) New() bool { return s != RecoverLast }

// Recovers tells whether the last key comes back.
func (s Scheme) Recovers() bool { return s != NewKey }

// Loss says what becomes of a key type when its token is out of use for a reason,
// recovery.<reason>.*
type Loss struct {
	Scheme Scheme
	// Revoke has the certificate revoked, for Reason.
	Revoke bool
	Reason connector.Reason
	// KeepShared spares a certificate that another active token holds.
	KeepShared bool
	// Expired revokes certificates that have expired, or are not valid yet, too.
	Expired bool
}

// Algorithms as configuration numbers them.
const (
	algRSA    = 1
	algRSACRT = 2
	algECF2M  = 4
	algECFP   = 5
)

func (r *reader) key(prefix, name string) Key {
	k := Key{
		Name: name,
		CA:   r.c.StringOr(prefix+"ca.conn", "ca1"), ProfileID: r.c.String(prefix + "ca.profileId"),
		Container:  r.index(prefix+"certId", 'C', 0, token.MaxContainer),
		Usage:      byte(r.int(prefix+"keyUsage", 0, 0, 15)),
		Owner:      coolkey.Owner(r.int(prefix+"keyUser", 0, 0, 15)),
		Label:      r.c.StringOr(prefix+"label", name+" key for $userid$"),
		Overwrite:  r.bool(prefix+"overwrite", true),
		ServerSide: r.bool(prefix+"serverKeygen.enable", false),
		Archive:    r.bool(prefix+"serverKeygen.archive", false),
		KRA:        r.c.StringOr(prefix+"serverKeygen.drm.conn", "kra1"),
		Usages:     r.c.String(prefix + "serverKeygen.keyGenUsages"),
		Subject:    r.c.String(prefix + "dnpattern"),
		SANs:       r.c.List(prefix + "SANpattern"),
		Loss:       make(map[token.Reason]Loss),
	}
	most := 2*token.MaxContainer + 1
	if most > 15 { // the card's command has four bits for a slot
		most = 15
	}
	k.Slots.Private = byte(r.int(prefix+"privateKeyNumber", min(2*k.Container, most), 0, most))
	k.Slots.Public = byte(r.int(prefix+"publicKeyNumber", min(2*k.Container+1, most), 0, most))
	r.sameIndex(prefix+"certAttrId", 'c', k.Container)
	r.sameIndex(prefix+"privateKeyAttrId", 'k', int(k.Slots.Private))
	r.sameIndex(prefix+"publicKeyAttrId", 'k', int(k.Slots.Public))
	if k.Slots.Private == k.Slots.Public {
		r.bad(prefix+"publicKeyNumber", "%w: the private key has the same number", conf.ErrValue)
	}
	r.algorithm(prefix, &k)
	if k.EC && k.ServerSide {
		// Found out at the card it would be too late: the key archived, its certificate signed.
		r.bad(prefix+"serverKeygen.enable", "%w: applets take only RSA keys from outside; a key on a "+
			"curve is made on the card (false), or the key is RSA (alg=2)", conf.ErrValue)
	}
	k.Public = r.capabilities(prefix + "public.keyCapabilities.")
	k.Private = r.capabilities(prefix + "private.keyCapabilities.")
	k.agree()
	for _, reason := range reasons {
		k.Loss[reason] = r.loss(prefix+"recovery."+string(reason)+".", name)
	}
	return k
}

// algorithm reads kind and size of the key.
func (r *reader) algorithm(prefix string, k *Key) {
	switch alg := r.int(prefix+"alg", algRSACRT, algRSA, algECFP); alg {
	case algRSA, algRSACRT:
		k.Bits = r.int(prefix+"keySize", 2048, 1024, 4096)
		if k.Bits%8 != 0 {
			r.bad(prefix+"keySize", "%w: no number of whole bytes", conf.ErrValue)
		}
	case algECFP, algECF2M:
		k.EC = true
		k.Bits = r.int(prefix+"keySize", 256, 256, 521)
		if k.Bits != 256 && k.Bits != 384 && k.Bits != 521 {
			r.bad(prefix+"keySize", "%w: no curve of that size", conf.ErrValue)
		}
		if alg == algECF2M {
			r.bad(prefix+"alg", "%w: no card makes keys on binary curves", conf.ErrValue)
		}
	default:
		r.bad(prefix+"alg", "%w: neither RSA (2) nor EC (5)", conf.ErrValue)
	}
}

// capabilityNames are the words of keyCapabilities.
var capabilityNames = []struct {
	name string
	flag content.Fixed
}{
	{"encrypt", content.Encrypt}, {"decrypt", content.Decrypt}, {"sign", content.Sign},
	{"signRecover", content.SignRecover}, {"verify", content.Verify},
	{"verifyRecover", content.VerifyRecover}, {"wrap", content.Wrap}, {"unwrap", content.Unwrap},
	{"derive", content.Derive}, {"sensitive", content.Sensitive}, {"private", content.Private},
	{"token", content.Token},
}

func (r *reader) capabilities(prefix string) content.Fixed {
	var out content.Fixed
	for _, c := range capabilityNames {
		if r.bool(prefix+c.name, c.flag == content.Token) {
			out |= c.flag
		}
	}
	return out
}

// agree turns what an encryption key can do into what one on a curve can: it
// agrees on a key, and neither decrypts nor unwraps.
func (k *Key) agree() {
	const opens, closes = content.Decrypt | content.Unwrap, content.Encrypt | content.Wrap
	if !k.EC || k.Private&opens == 0 {
		return
	}
	k.Private = k.Private&^opens | content.Derive
	k.Public &^= closes
}

func (r *reader) loss(prefix, name string) Loss {
	l := Loss{
		Scheme: Scheme(r.oneOf(prefix+"scheme", string(NewKey), string(NewKey), string(RecoverLast),
			string(NewKeyAndRecoverLast))),
		Revoke:     r.bool(prefix+"revokeCert", true),
		Reason:     r.reason(prefix + "revokeCert.reason"),
		KeepShared: r.bool(prefix+"holdRevocationUntilLastCredential", false),
		Expired:    r.bool(prefix+"revokeExpiredCerts", true),
	}
	if l.Scheme == NewKeyAndRecoverLast && name == "signing" {
		r.bad(prefix+"scheme", "%w: a signing key is not recovered beside a new one", conf.ErrValue)
	}
	return l
}

// indexes are the second characters of object names, by their number.
const indexes = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// index reads an object name such as C2 and gives its number.
func (r *reader) index(key string, letter byte, def, largest int) int {
	text := r.c.String(key)
	if text == "" {
		return def
	}
	n := -1
	if len(text) == 2 && text[0] == letter {
		n = strings.IndexByte(indexes, text[1])
	}
	if n < 0 || n > largest {
		r.bad(key, "%w: not %c0 to %c%c", conf.ErrValue, letter, letter, indexes[largest])
		return def
	}
	return n
}

// sameIndex reads an object name that has to agree with a number stated elsewhere:
// cards know the one by the other.
func (r *reader) sameIndex(key string, letter byte, want int) {
	if n := r.index(key, letter, want, len(indexes)-1); n != want {
		r.bad(key, "%w: the key's number or certificate says %c%c", conf.ErrValue, letter,
			indexes[want])
	}
}
