package tps

import (
	"errors"
	"fmt"
	"strings"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/extreg"
	"tokenwright/tms/tps/mapping"
	"tokenwright/tms/wire"
)

// registration decides as under external registration: the key set by the card alone,
// before anybody logs in, the token type by the entry of who does.
func (e *explaining) registration() bool {
	x := e.settings.External
	if !e.registeredKeySet(x.KeySetResolver) {
		return false
	}
	r := extreg.Registration{TokenType: x.DefaultType}
	if e.Operation == wire.OpFormat && !x.FormatLogin {
		e.out.TokenType = r.TokenType
		e.step("registration", r.TokenType+", the default: nobody logs in",
			e.origin("externalReg.format.loginRequest.enable"))
		return true
	}
	var err error
	if r, err = x.Read(e.Attributes); err == nil {
		err = e.checkRegistration(r)
	}
	var bad *extreg.Error
	if errors.As(err, &bad) {
		return e.refused("registration", wire.Status(bad.Status()), "%v", bad)
	}
	if err != nil {
		return e.refused("registration", wire.StatusMisconfiguration, "%v", err)
	}
	e.out.TokenType = r.TokenType
	details := []string{
		"whoever brings it logs in at " + x.AuthID,
		"attributes that count: " + strings.Join(x.Names.All(), ", "),
	}
	if len(e.Attributes) == 0 {
		details = append(details, "of the user's entry nothing was stated")
	}
	for _, c := range r.Certificates {
		word := "is kept"
		if c.Brought() {
			word = "is brought with its key from " + c.KRA
		}
		details = append(details, fmt.Sprintf("certificate %s of %s %s", c.Serial, c.CA, word))
	}
	e.step("registration", r.TokenType+", by the user's entry", details...)
	return true
}

func (e *explaining) checkRegistration(r extreg.Registration) error {
	op := map[wire.Operation]extreg.Operation{
		wire.OpFormat: extreg.Format, wire.OpEnroll: extreg.Enroll, wire.OpResetPIN: extreg.PINReset,
	}[e.Operation]
	cuid, err := keys.ParseCUID(e.Input.CUID)
	if err != nil {
		return err
	}
	return r.Check(op, cuid)
}

// registeredKeySet asks the resolver for external registration, if there is one.
func (e *explaining) registeredKeySet(name string) bool {
	if name == "" || name == noResolver {
		return true
	}
	set, err := e.resolve("key set", name, mapping.TargetKeySet)
	var bad *mapping.Error
	switch {
	case errors.As(err, &bad):
		return e.refused("key set", wire.Status(bad.Status()), "%v", bad.Kind)
	case err != nil:
		return e.refused("key set", wire.StatusMappingResolverParams, "%v", err)
	}
	e.out.KeySet = set
	return true
}

// registeredPolicy stands for the policies of tokens that are registered in a directory:
// they play no part.
func (e *explaining) registeredPolicy() bool {
	decision := "plays no part under external registration"
	if e.Record != nil && e.Record.Status == token.Active && e.Operation == wire.OpEnroll {
		decision += ": it is enrolled again"
	}
	e.step("policy", decision, e.origin("externalReg.enable"))
	return true
}
