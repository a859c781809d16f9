package extreg

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"tokenwright/tms/conf"
)

// Config is what is configured of external registration, externalReg.*
type Config struct {
	// AuthID is the authenticator that people log in with, in whose directory they are
	// registered.
	AuthID string
	// DefaultType is the token type of entries that name none.
	DefaultType string
	// FormatLogin has people log in for a format too; else its token type is the default.
	FormatLogin bool
	// KeySetResolver decides the key set, before anybody logs in: the entry can't know which
	// card will be there. "" and "none" mean that the connector's counts.
	KeySetResolver string
	// ByKeyID brings keys by their number, which has to agree with the certificate.
	ByKeyID bool
	// AllowInvalid brings certificates that are expired, revoked or on hold, too.
	AllowInvalid bool
	Names        Names
}

// Names are those of the attributes.
type Names struct {
	Certificates string
	CUID         string
	Operation    string
	TokenType    string
	// More are others that are to be read from the entry.
	More []string
}

// All gives every name once.
func (n Names) All() []string {
	return union(nil, append([]string{n.Certificates, n.CUID, n.Operation, n.TokenType}, n.More...))
}

// Has tells whether a registration is read from an attribute.
func (n Names) Has(attribute string) bool {
	return slices.ContainsFunc([]string{n.Certificates, n.CUID, n.Operation, n.TokenType},
		func(name string) bool { return strings.EqualFold(name, attribute) })
}

// Enabled tells whether tokens are registered in a directory.
func Enabled(c *conf.Config) (bool, error) { return c.Bool("externalReg.enable", false) }

// Load reads the configuration; nil when tokens are not registered in a directory.
func Load(c *conf.Config) (*Config, error) {
	enabled, err := Enabled(c)
	if err != nil || !enabled {
		c.Declare("externalReg.**", "auths.instance.*.externalReg.**")
		return nil, err
	}
	s := c.Sub("externalReg")
	out := &Config{
		AuthID:         s.StringOr("authId", "ldap1"),
		DefaultType:    s.StringOr("default.tokenType", "externalRegAddToToken"),
		KeySetResolver: s.StringOr("mappingResolver", "keySetMappingResolver"),
	}
	var errs [3]error
	out.FormatLogin, errs[0] = s.Bool("format.loginRequest.enable", true)
	out.ByKeyID, errs[1] = s.Bool("recover.byKeyID", false)
	out.AllowInvalid, errs[2] = s.Bool("allowRecoverInvalidCert.enable", true)
	s.Declare("delegation.enable")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("external registration: %w", err)
	}
	out.Names = ReadNames(c, out.AuthID)
	return out, nil
}

// ReadNames reads the names of attributes, auths.instance.<id>.externalReg.*
func ReadNames(c *conf.Config, authID string) Names {
	s := c.Sub("auths.instance." + authID + ".externalReg")
	return Names{
		Certificates: s.StringOr("certs.recoverAttributeName", "certsToAdd"),
		CUID:         s.StringOr("cuidAttributeName", "tokenCUID"),
		Operation:    s.StringOr("registrationTypeAttributeName", "registrationtype"),
		TokenType:    s.StringOr("tokenTypeAttributeName", "tokenType"),
		More:         s.List("attributes"),
	}
}

// Attributes gives the names of attributes that an authenticator has to fetch beside those
// that it fetches anyway: all that a registration is read from, if it is the one.
func Attributes(c *conf.Config, authID string, anyway []string) ([]string, error) {
	enabled, err := Enabled(c)
	if err != nil || !enabled || c.StringOr("externalReg.authId", "ldap1") != authID {
		return anyway, err
	}
	return union(anyway, ReadNames(c, authID).All()), nil
}

// union gives a followed by what of b is not in it, without regard to case.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, name := range b {
		if name != "" && !slices.ContainsFunc(out, func(have string) bool {
			return strings.EqualFold(have, name)
		}) {
			out = append(out, name)
		}
	}
	return out
}
