package profile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"tokenwright/tms/ca/der"
	"tokenwright/tms/ca/lint"
)

// throwAway are keys that are made once, try out profiles, and are never trusted by anybody.
type throwAway struct {
	rsa, p256, p384, p521 crypto.Signer
}

var throwAwayKeys = sync.OnceValues(func() (k throwAway, err error) {
	r, err1 := rsa.GenerateKey(rand.Reader, 2048)
	p256, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, err3 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, err4 := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	return throwAway{r, p256, p384, p521}, errors.Join(err1, err2, err3, err4)
})

// subjects gives a key of each kind that the profile takes, one for all sizes of RSA.
func (k throwAway) subjects(types []KeyType) map[KeyType]crypto.Signer {
	out := map[KeyType]crypto.Signer{}
	for _, t := range types {
		switch t {
		case P256:
			out[t] = k.p256
		case P384:
			out[t] = k.p384
		case P521:
			out[t] = k.p521
		default:
			out[RSA2048] = k.rsa
		}
	}
	return out
}

// Check tries every profile of the set out on throw-away keys, as a CA would issue it whose own key
// signs like ca, and looks at what comes out by lint. Renewals renew what the others gave. A
// profile that is disabled is not tried.
func (s Set) Check(ca crypto.PublicKey, issuer Issuer, now time.Time) error {
	keys, err := throwAwayKeys()
	if err != nil {
		return fmt.Errorf("throw-away keys: %w", err)
	}
	t := trial{issuer: issuer, now: now, key: keys.p256}
	if _, ok := ca.(*rsa.PublicKey); ok {
		t.key = keys.rsa
	} else if k, ok := ca.(*ecdsa.PublicKey); ok && k.Curve == elliptic.P384() {
		t.key = keys.p384
	}
	if t.algorithm, err = der.AlgorithmOf(t.key.Public()); err != nil {
		return err
	}
	var errs []error
	for _, id := range s.IDs() {
		p := s[id]
		if !p.Enabled || p.Renewal {
			continue
		}
		for kind, subject := range keys.subjects(p.keyTypes) {
			original, err := t.issue(p, kind, subject)
			if err == nil {
				err = t.renew(s, id, original)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("profile %s with a %s key: %w", id, kind, err))
			}
		}
	}
	return errors.Join(errs...)
}

// trial issues certificates that nobody trusts.
type trial struct {
	issuer    Issuer
	now       time.Time
	key       crypto.Signer
	algorithm der.Algorithm
}

func (t trial) issue(p *Profile, kind KeyType, subject crypto.Signer) (*x509.Certificate, error) {
	spki, err := x509.MarshalPKIXPublicKey(subject.Public())
	if err != nil {
		return nil, err
	}
	trial := *p
	trial.keyTypes = append([]KeyType{kind}, p.keyTypes...)
	content, err := trial.build(p.sample(spki), t.issuer, t.now)
	if err != nil {
		return nil, err
	}
	return t.sign(content)
}

func (t trial) sign(c Content) (*x509.Certificate, error) {
	name, err := der.Name{{Type: "CN", Value: "Throw-away"}, {Type: "O", Value: "Nobody"}}.Encode()
	if err != nil {
		return nil, err
	}
	serial := new(big.Int).Lsh(big.NewInt(0x5A5A5A), 104)
	tbs, err := der.TBS{Serial: serial, Algorithm: t.algorithm, Issuer: name, NotBefore: c.NotBefore,
		NotAfter: c.NotAfter, Subject: c.Subject, PublicKey: c.PublicKey,
		Extensions: c.Extensions}.Encode()
	if err != nil {
		return nil, err
	}
	cert, err := t.algorithm.SignCertificate(rand.Reader, t.key, tbs)
	if err != nil {
		return nil, err
	}
	if err := lint.Certificate(cert); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(cert)
}

// renew tries the renewal profiles that renew certificates of a profile.
func (t trial) renew(s Set, of string, original *x509.Certificate) error {
	for _, id := range s.IDs() {
		p := *s[id]
		if !p.Renewal || !p.Enabled || p.Of != nil && !slices.Contains(p.Of, of) {
			continue
		}
		p.grace, p.keyTypes = false, []KeyType{RSA1024, RSA2048, RSA3072, RSA4096, P256, P384, P521}
		c, err := p.renew(original, of, t.issuer, t.now)
		if err == nil {
			_, err = t.sign(c)
		}
		if err != nil {
			return fmt.Errorf("renewed by %s: %w", id, err)
		}
	}
	return nil
}

// sample gives a request that has everything the profile asks for.
func (p *Profile) sample(spki []byte) Input {
	in := Input{UserID: "sample", TokenType: "userKey", Subject: "CN=Sample,O=Example",
		CUID: "4090-0062-FF02-0000-0B9C", PublicKey: spki, Attributes: map[string]string{}}
	for range maxSANs {
		in.SANPatterns = append(in.SANPatterns, "sample")
	}
	set := func(t template, value string) {
		for i := 1; i < len(t); i += 2 {
			in.Attributes[t[i]] = value
			var n int
			if _, err := fmt.Sscanf(t[i], "req_san_pattern_%d", &n); err == nil && n >= 0 &&
				n < len(in.SANPatterns) {
				in.SANPatterns[n] = value
			}
		}
	}
	for _, a := range p.subject {
		value := map[string]string{"E": "sample@example.org", "C": "DE"}[a.kind]
		if value == "" {
			value = "sample"
		}
		set(a.value, value)
	}
	for _, n := range p.names { // after the subject: a name's value suits a subject as well
		value := map[string]string{"rfc822": "sample@example.org", "dns": "sample.example.org",
			"ip": "192.0.2.1", "uri": "urn:example:sample", "upn": "sample@example.org"}[n.kind]
		if value == "" {
			value = "sample"
		}
		if len(n.value) > 3 || n.value[0] != "" {
			value = "sample" // a part of the name only
		}
		set(n.value, value)
	}
	return in
}
