package profile

import (
	"encoding/asn1"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tokenwright/tms/ca/der"
	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
)

const (
	day     = 24 * time.Hour
	maxDays = 18250
	maxSANs = 16
)

// Profile says what a certificate is made of. It is made by New and not changed afterwards.
type Profile struct {
	ID, Desc string
	Enabled  bool
	Publish  bool // the certificate belongs into the directory
	// Renewal says that it renews certificates; Of are the profiles of which, nil for all.
	Renewal bool
	Of      []string

	inputs    []string
	subject   []attrTemplate
	wholeName bool // the subject is the request's
	names     []altTemplate
	lifetime  time.Duration // 0: the original's
	backdate  time.Duration
	keyTypes  []KeyType
	usageRSA  der.KeyUsage
	usageEC   der.KeyUsage
	purposes  []asn1.ObjectIdentifier
	policies  []asn1.ObjectIdentifier
	grace     bool
	before    time.Duration
	after     time.Duration
}

type attrTemplate struct {
	kind  string
	value template
}

type altTemplate struct {
	kind     string
	value    template
	required bool
}

// purposes by name. // RFC 5280 §4.2.1.12; [MS-WCCE]
var purposeNames = map[string]asn1.ObjectIdentifier{
	"serverauth":      {1, 3, 6, 1, 5, 5, 7, 3, 1},
	"clientauth":      {1, 3, 6, 1, 5, 5, 7, 3, 2},
	"emailprotection": {1, 3, 6, 1, 5, 5, 7, 3, 4},
	"smartcardlogon":  {1, 3, 6, 1, 4, 1, 311, 20, 2, 2},
}

// reader reads the keys of one file and notes which it was asked for.
type reader struct {
	file *conf.File
	read map[string]bool
	err  error // the first
}

func (r *reader) text(key string) string {
	r.read[key] = true
	v, _, _ := r.file.Get(key)
	return v
}

func (r *reader) fail(key, format string, args ...any) {
	if r.err != nil {
		return
	}
	_, line, _ := r.file.Get(key)
	r.err = &conf.Error{File: r.file.Name(), Line: line, Key: key,
		Err: fmt.Errorf("%w: %w", ErrProfile, fmt.Errorf(format, args...))}
}

func (r *reader) list(key string) []string {
	var out []string
	between := func(c rune) bool { return c == ',' || c == ' ' }
	for w := range strings.FieldsFuncSeq(r.text(key), between) {
		out = append(out, w)
	}
	return out
}

func (r *reader) boolean(key string, def bool) bool {
	switch strings.ToLower(r.text(key)) {
	case "":
		return def
	case "true":
		return true
	case "false":
		return false
	}
	r.fail(key, "neither true nor false")
	return def
}

func (r *reader) number(key string, def, least, most int) int {
	text := r.text(key)
	if text == "" {
		return def
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		r.fail(key, "no number from %d to %d", least, most)
		return def
	}
	return n
}

// New reads a profile. Errors name file and line.
func New(id string, file *conf.File) (*Profile, error) {
	r := &reader{file: file, read: map[string]bool{}}
	p := &Profile{ID: id, Desc: r.text("desc"), Enabled: r.boolean("enable", true),
		Publish: r.boolean("publish", false), Renewal: r.boolean("renewal", false)}
	if len(id) > connector.MaxProfileID || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz"+
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" || id == "" {
		return nil, fmt.Errorf("%w: name %.80q: want 1 to %d letters, digits or -_. characters",
			ErrProfile, id, connector.MaxProfileID)
	}
	p.backdate = time.Duration(r.number("validity.backdate", 5, 0, 1440)) * time.Minute
	p.keyTypes = r.keyTypes()
	if p.Renewal {
		p.readRenewal(r)
	} else {
		p.readContent(r)
	}
	for _, key := range file.Keys() {
		if !r.read[key] {
			r.fail(key, "no such key, or none that such a profile has")
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

func (p *Profile) readRenewal(r *reader) {
	p.Of = r.list("renewal.of")
	p.grace = r.boolean("renewal.grace", false)
	p.before = time.Duration(r.number("renewal.graceBefore", 30, 0, maxDays)) * day
	p.after = time.Duration(r.number("renewal.graceAfter", 30, 0, maxDays)) * day
	if r.text("validity.days") != "original" {
		p.lifetime = time.Duration(r.number("validity.days", 0, 1, maxDays)) * day
		if p.lifetime == 0 {
			r.fail("validity.days", "is required")
		}
	}
}

func (p *Profile) readContent(r *reader) {
	p.inputs = r.list("inputs")
	for _, in := range p.inputs {
		if !slices.Contains([]string{"screenname", "tokencuid", "subject"}, in) {
			r.fail("inputs", "unknown input %.40q", in)
		}
	}
	p.lifetime = time.Duration(r.number("validity.days", 0, 1, maxDays)) * day
	if p.lifetime == 0 {
		r.fail("validity.days", "is required")
	}
	p.readSubject(r)
	p.readNames(r)
	p.readUsage(r)
	p.purposes = r.oids("extKeyUsage", purposeNames)
	p.policies = r.oids("policies", nil)
}

func (p *Profile) readSubject(r *reader) {
	text := r.text("subject")
	if text == "$request.subject$" {
		p.wholeName = true
		return
	}
	name, err := der.ParseName(text)
	if err != nil {
		r.fail("subject", "%w", err)
		return
	}
	for _, a := range name {
		t, err := parseTemplate(a.Value)
		if err != nil {
			r.fail("subject", "%w", err)
		}
		p.subject = append(p.subject, attrTemplate{a.Type, t})
	}
}

func (p *Profile) readNames(r *reader) {
	for i := range maxSANs {
		key := "san." + strconv.Itoa(i)
		text := r.text(key)
		required := r.boolean(key+".required", false)
		if text == "" {
			if required {
				r.fail(key+".required", "there is no %s", key)
			}
			continue
		}
		kind, value, ok := strings.Cut(text, ":")
		if err := der.CheckAltKind(kind); !ok || err != nil {
			r.fail(key, "want kind:value, with a kind of rfc822, dns, ip, uri, upn, or an object "+
				"identifier")
			continue
		}
		t, err := parseTemplate(value)
		if err != nil {
			r.fail(key, "%w", err)
		}
		p.names = append(p.names, altTemplate{kind, t, required})
	}
}

func (p *Profile) readUsage(r *reader) {
	usage := func(key string) der.KeyUsage {
		u, err := der.ParseKeyUsage(r.list(key))
		if err != nil {
			r.fail(key, "%w", err)
		}
		return u
	}
	both := usage("keyUsage")
	p.usageRSA, p.usageEC = usage("keyUsage.rsa")|both, usage("keyUsage.ec")|both
	for _, k := range p.keyTypes {
		key, u := "keyUsage.ec", p.usageEC
		if k.isRSA() {
			key, u = "keyUsage.rsa", p.usageRSA
		}
		switch {
		case u == 0:
			r.fail("keyUsage", "this or %s is required: there is none for %s keys", key, k)
		case u.Has("keyCertSign") || u.Has("cRLSign"):
			r.fail("keyUsage", "a profile makes no certificate authorities")
		}
	}
}

func (r *reader) keyTypes() []KeyType {
	names := r.list("key.types")
	if len(names) == 0 {
		return []KeyType{RSA2048, RSA3072, RSA4096, P256, P384, P521}
	}
	var out []KeyType
	for _, n := range names {
		k := KeyType(strings.ToLower(n))
		if !k.known() {
			r.fail("key.types", "unknown key type %.40q", n)
		}
		out = append(out, k)
	}
	return out
}

// oids reads a list of names or dotted identifiers.
func (r *reader) oids(key string, names map[string]asn1.ObjectIdentifier) []asn1.ObjectIdentifier {
	var out []asn1.ObjectIdentifier
	for _, text := range r.list(key) {
		oid, ok := names[strings.ToLower(text)]
		if !ok {
			var err error
			if oid, err = der.ParseOID(text); err != nil {
				r.fail(key, "%w", err)
			}
		}
		if oid.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 9}) {
			r.fail(key, "a profile makes no ocsp responders")
		}
		out = append(out, oid)
	}
	return out
}
