package der

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxRDNs bounds the attributes of a name.
const maxRDNs = 32

// ErrName is wrapped by every error about a name.
var ErrName = errors.New("bad name")

// Attr is one attribute of a name: a type by its short name, and a value.
type Attr struct{ Type, Value string }

// Name is a sequence of attributes in the order of RFC 4514 text: the most specific first. Each is
// a relative distinguished name by itself.
type Name []Attr

// attrType is what is known of an attribute type.
type attrType struct {
	name string // as written in text
	oid  asn1.ObjectIdentifier
	max  int        // characters // RFC 5280 appendix A.1, upper bounds
	tag  cbasn1.Tag // 0: UTF8String
}

// attrTypes are the attribute types that names may have. The first of an oid is how it is written.
var attrTypes = []attrType{
	{"CN", asn1.ObjectIdentifier{2, 5, 4, 3}, 64, 0},
	{"SN", asn1.ObjectIdentifier{2, 5, 4, 4}, 64, 0},
	{"serialNumber", asn1.ObjectIdentifier{2, 5, 4, 5}, 64, cbasn1.PrintableString},
	{"C", asn1.ObjectIdentifier{2, 5, 4, 6}, 2, cbasn1.PrintableString},
	{"L", asn1.ObjectIdentifier{2, 5, 4, 7}, 128, 0},
	{"ST", asn1.ObjectIdentifier{2, 5, 4, 8}, 128, 0},
	{"street", asn1.ObjectIdentifier{2, 5, 4, 9}, 128, 0},
	{"O", asn1.ObjectIdentifier{2, 5, 4, 10}, 64, 0},
	{"OU", asn1.ObjectIdentifier{2, 5, 4, 11}, 64, 0},
	{"title", asn1.ObjectIdentifier{2, 5, 4, 12}, 64, 0},
	{"GN", asn1.ObjectIdentifier{2, 5, 4, 42}, 64, 0},
	{"UID", asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, 256, 0},
	{"DC", asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, 63, cbasn1.IA5String},
	{"E", asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, 255, cbasn1.IA5String},
	{"emailAddress", asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, 255, cbasn1.IA5String},
}

// ParseName reads RFC 4514 text: type=value pairs separated by commas, special characters behind a
// backslash. Attribute types are those of attrTypes, in any case. A name must not be empty, nor
// have relative distinguished names of several attributes, nor values in hex.
func ParseName(text string) (Name, error) {
	var out Name
	for rest := text; ; {
		kind, value, tail, more, err := nextAttr(rest)
		if err != nil {
			return nil, err
		}
		t, ok := typeByName(kind)
		if !ok {
			return nil, fmt.Errorf("%w: unknown attribute type %.32q", ErrName, kind)
		}
		if value == "" {
			return nil, fmt.Errorf("%w: %s is empty", ErrName, t.name)
		}
		if out = append(out, Attr{t.name, value}); len(out) > maxRDNs {
			return nil, fmt.Errorf("%w: more than %d attributes", ErrName, maxRDNs)
		}
		if !more {
			return out, nil
		}
		rest = tail
	}
}

// nextAttr reads one type=value; more says that a comma followed.
func nextAttr(text string) (kind, value, rest string, more bool, err error) {
	kind, text, ok := strings.Cut(text, "=")
	if !ok {
		return "", "", "", false, fmt.Errorf("%w: want type=value", ErrName)
	}
	kind, text = strings.TrimSpace(kind), strings.TrimLeft(text, " ")
	if strings.HasPrefix(text, "#") {
		return "", "", "", false, fmt.Errorf("%w: %.32s has a value in hex", ErrName, kind)
	}
	var b strings.Builder
	kept := 0 // length up to the last character that is no blank, or is escaped
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ',':
			rest, more = text[i+1:], true
			i = len(text)
		case '\\':
			n, width, err := unescape(text[i+1:])
			if err != nil {
				return "", "", "", false, err
			}
			b.WriteByte(n)
			i += width
			kept = b.Len()
		case '+', ';', '<', '>', '"':
			return "", "", "", false, fmt.Errorf("%w: %q without backslash", ErrName, c)
		default:
			b.WriteByte(c)
			if c != ' ' {
				kept = b.Len()
			}
		}
	}
	value = b.String()[:kept]
	if !utf8.ValidString(value) {
		return "", "", "", false, fmt.Errorf("%w: value of %.32s is no UTF-8", ErrName, kind)
	}
	return kind, value, rest, more, nil
}

// unescape reads what follows a backslash: a special character, or two hex digits.
func unescape(text string) (c byte, width int, err error) {
	if text == "" {
		return 0, 0, fmt.Errorf("%w: backslash at its end", ErrName)
	}
	if strings.IndexByte(` "#+,;<=>\`, text[0]) >= 0 {
		return text[0], 1, nil
	}
	if len(text) >= 2 {
		hi, ok1 := hexDigit(text[0])
		lo, ok2 := hexDigit(text[1])
		if ok1 && ok2 {
			return hi<<4 | lo, 2, nil
		}
	}
	return 0, 0, fmt.Errorf("%w: backslash before %q", ErrName, text[0])
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func typeByName(name string) (attrType, bool) {
	for _, t := range attrTypes {
		if strings.EqualFold(t.name, name) {
			return typeByOID(t.oid)
		}
	}
	return attrType{}, false
}

// String gives RFC 4514 text that ParseName reads back.
func (n Name) String() string {
	var b strings.Builder
	for i, a := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(a.Type)
		b.WriteByte('=')
		for j, r := range a.Value {
			edge := r == ' ' && (j == 0 || j == len(a.Value)-1) || r == '#' && j == 0
			switch {
			case edge, strings.ContainsRune(`"+,;<>\=`, r):
				b.WriteByte('\\')
				b.WriteRune(r)
			case r < ' ' || r == 0x7F:
				fmt.Fprintf(&b, `\%02X`, r)
			default:
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// Encode gives the Name in DER, the least specific attribute first. // RFC 4514 §2.1
func (n Name) Encode() ([]byte, error) {
	var b cryptobyte.Builder
	var bad error
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i := len(n) - 1; i >= 0; i-- {
			t, ok := typeByName(n[i].Type)
			if !ok {
				bad = fmt.Errorf("%w: unknown attribute type %.32q", ErrName, n[i].Type)
				return
			}
			tag, err := t.check(n[i].Value)
			if err != nil {
				bad = err
				return
			}
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(t.oid)
					b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(n[i].Value)) })
				})
			})
		}
	})
	if bad != nil {
		return nil, bad
	}
	return b.Bytes()
}

// check gives the string type to write a value in.
func (t attrType) check(value string) (cbasn1.Tag, error) {
	if n := utf8.RuneCountInString(value); n == 0 || n > t.max {
		return 0, fmt.Errorf("%w: %s has %d characters, want 1 to %d", ErrName, t.name, n, t.max)
	}
	if t.name == "C" && len(value) != 2 {
		return 0, fmt.Errorf("%w: C is no country code of two letters", ErrName)
	}
	for _, r := range value {
		switch {
		case r == utf8.RuneError, r < ' ', r == 0x7F:
			return 0, fmt.Errorf("%w: %s holds a character that does not print", ErrName, t.name)
		case t.tag == cbasn1.IA5String && r > 0x7F,
			t.tag == cbasn1.PrintableString && !printable(r):
			return 0, fmt.Errorf("%w: %s holds %q", ErrName, t.name, r)
		}
	}
	if t.tag != 0 {
		return t.tag, nil
	}
	return cbasn1.UTF8String, nil
}

// printable tells the characters of PrintableString. // X.680 §41.4
func printable(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune(" '()+,-./:=?", r)
}

// DecodeName gives the Name that DER holds, as far as its attribute types are known and each
// relative distinguished name has one; ErrName otherwise. The bytes may be anything.
func DecodeName(raw []byte) (Name, error) {
	in := cryptobyte.String(raw)
	var rdns cryptobyte.String
	if !in.ReadASN1(&rdns, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, fmt.Errorf("%w: no sequence", ErrName)
	}
	var out Name
	for !rdns.Empty() {
		var set, seq, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var tag cbasn1.Tag
		if !rdns.ReadASN1(&set, cbasn1.SET) || !set.ReadASN1(&seq, cbasn1.SEQUENCE) ||
			!set.Empty() || !seq.ReadASN1ObjectIdentifier(&oid) ||
			!seq.ReadAnyASN1(&value, &tag) || !seq.Empty() || len(out) >= maxRDNs {
			return nil, fmt.Errorf("%w: relative distinguished name not understood", ErrName)
		}
		t, ok := typeByOID(oid)
		text, err := stringOf(tag, value)
		if !ok || err != nil {
			return nil, fmt.Errorf("%w: attribute %s not understood", ErrName, oid)
		}
		out = append(Name{{t.name, text}}, out...)
	}
	return out, nil
}

func typeByOID(oid asn1.ObjectIdentifier) (attrType, bool) {
	for _, t := range attrTypes {
		if t.oid.Equal(oid) {
			return t, true
		}
	}
	return attrType{}, false
}

func stringOf(tag cbasn1.Tag, value []byte) (string, error) {
	switch tag {
	case cbasn1.UTF8String, cbasn1.PrintableString, cbasn1.IA5String, cbasn1.T61String:
		if utf8.Valid(value) {
			return string(value), nil
		}
	}
	return "", ErrName
}
