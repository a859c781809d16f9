package der

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ErrAltName is wrapped by every error about a subject alternative name.
var ErrAltName = errors.New("bad alternative name")

// maxAltName bounds one alternative name, in bytes.
const maxAltName = 512

// AltName is a subject alternative name. // RFC 5280 §4.2.1.6
type AltName struct {
	// Kind is rfc822, dns, uri, ip, upn, or the dotted object identifier of an other name that
	// holds a UTF8String.
	Kind  string
	Value string
}

// Tags of GeneralName.
const (
	tagOther  = cbasn1.Tag(0) | 0xA0
	tagRFC822 = cbasn1.Tag(1) | 0x80
	tagDNS    = cbasn1.Tag(2) | 0x80
	tagURI    = cbasn1.Tag(6) | 0x80
	tagIP     = cbasn1.Tag(7) | 0x80
	tagValue  = cbasn1.Tag(0) | 0xA0
)

// CheckAltKind says whether a kind is known.
func CheckAltKind(kind string) error {
	switch kind {
	case "rfc822", "dns", "uri", "ip", "upn":
		return nil
	}
	_, err := ParseOID(kind)
	return err
}

// ParseOID reads a dotted object identifier of 3 to 20 numbers.
func ParseOID(text string) (asn1.ObjectIdentifier, error) {
	parts := strings.Split(text, ".")
	if len(parts) < 3 || len(parts) > 20 {
		return nil, fmt.Errorf("%.80q is no object identifier", text)
	}
	var out asn1.ObjectIdentifier
	for i, p := range parts {
		n := 0
		for _, c := range p {
			if c < '0' || c > '9' || n > 1<<27 {
				return nil, fmt.Errorf("%.80q is no object identifier", text)
			}
			n = 10*n + int(c-'0')
		}
		if p == "" || len(p) > 1 && p[0] == '0' || i == 0 && n > 2 || i == 1 && out[0] < 2 && n > 39 {
			return nil, fmt.Errorf("%.80q is no object identifier", text)
		}
		out = append(out, n)
	}
	return out, nil
}

// AltNamesExt gives the extension of at least one name. It is critical when the subject is empty.
func AltNamesExt(names []AltName, critical bool) (pkix.Extension, error) {
	var b cryptobyte.Builder
	var bad error
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, n := range names {
			if err := n.add(b); err != nil && bad == nil {
				bad = err
			}
		}
	})
	if bad != nil {
		return pkix.Extension{}, bad
	}
	value, err := b.Bytes()
	return pkix.Extension{Id: OIDSubjectAltName, Critical: critical, Value: value}, err
}

func (n AltName) add(b *cryptobyte.Builder) error {
	if n.Value == "" || len(n.Value) > maxAltName || !utf8.ValidString(n.Value) ||
		strings.IndexFunc(n.Value, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		return fmt.Errorf("%w: %s is empty, too long or does not print", ErrAltName, n.Kind)
	}
	plain := func(tag cbasn1.Tag, ok bool) error {
		if !ok {
			return fmt.Errorf("%w: %.80q is no %s name", ErrAltName, n.Value, n.Kind)
		}
		b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(n.Value)) })
		return nil
	}
	switch n.Kind {
	case "rfc822":
		return plain(tagRFC822, isMailbox(n.Value))
	case "dns":
		return plain(tagDNS, isDNSName(n.Value))
	case "uri":
		return plain(tagURI, isURI(n.Value))
	case "ip":
		ip := net.ParseIP(n.Value)
		if four := ip.To4(); four != nil {
			ip = four
		}
		if ip == nil {
			return fmt.Errorf("%w: %.80q is no address", ErrAltName, n.Value)
		}
		b.AddASN1(tagIP, func(b *cryptobyte.Builder) { b.AddBytes(ip) })
		return nil
	case "upn":
		return n.addOther(b, OIDUPN)
	}
	oid, err := ParseOID(n.Kind)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAltName, err)
	}
	return n.addOther(b, oid)
}

func (n AltName) addOther(b *cryptobyte.Builder, oid asn1.ObjectIdentifier) error {
	b.AddASN1(tagOther, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(tagValue, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(n.Value)) })
		})
	})
	return nil
}

// isMailbox takes local@domain in ASCII, without comments or quotes. // RFC 5280 §4.2.1.6
func isMailbox(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && len(local) <= 64 && isDNSName(domain) &&
		strings.IndexFunc(local, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') &&
				!strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", r)
		}) < 0 && !strings.HasPrefix(local, ".") && !strings.HasSuffix(local, ".") &&
		!strings.Contains(local, "..")
}

func isDNSName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label ||
			strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

func isURI(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	return ok && scheme != "" && rest != "" && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7F
	}) < 0
}
