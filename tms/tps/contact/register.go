package contact

import (
	"context"

	"tokenwright/tms/token"
	"tokenwright/tms/tps/extreg"
	"tokenwright/tms/tps/mapping"
	"tokenwright/tms/wire"
)

// Register decides key set, person and token type where tokens are registered in a
// directory: the key set by the card alone, before anybody logs in, the token type by the
// entry of who does. Without login it is the default one. The registration has to be for
// this card and operation.
func (r *Run) Register(ctx context.Context, op extreg.Operation, login bool) error {
	x := r.Settings.External
	if err := r.registeredKeySet(x.KeySetResolver); err != nil {
		return err
	}
	registration := extreg.Registration{TokenType: x.DefaultType}
	if login {
		if err := r.login(ctx, x.AuthID); err != nil {
			return err
		}
		var err error
		if registration, err = x.Read(r.User.Attributes); err != nil {
			return Failf(wire.StatusMisconfiguration, err, "reading registration of %s", r.User.ID)
		}
		if err = registration.Check(op, r.Facts.CUID); err != nil {
			return Failf(wire.StatusDisabledToken, err, "registration of %s", r.User.ID)
		}
	}
	r.Registration, r.TokenType = &registration, registration.TokenType
	r.Log.Info("token registered", "type", r.TokenType, "login", login,
		"certificates", len(registration.Certificates))
	return nil
}

// registeredKeySet decides the key set by the resolver for external registration.
func (r *Run) registeredKeySet(name string) error {
	if name == "" || name == noResolver {
		return nil
	}
	resolver, ok := r.Resolvers[name]
	if !ok {
		return Refuse(wire.StatusMappingResolverParams, "mapping resolver %s is not configured", name)
	}
	res, err := resolver.Resolve(r.input(), mapping.TargetKeySet)
	if err != nil {
		return Failf(wire.StatusMappingResolverFailed, err, "resolving key set")
	}
	r.KeySet = res.Value
	r.Log.Info("key set resolved", "keyset", res.Value, "why", res.Explain())
	return nil
}

// registeredService takes the TKS that the token type names, and its key set if no
// resolver has decided on one: the token type does not know which card is there.
func (r *Run) registeredService() error {
	tks, ok := r.TKS[r.Conf.TKS]
	if !ok {
		return Refuse(wire.StatusNoTKSConnID, "no connection to token key service %s", r.Conf.TKS)
	}
	r.KeyService = tks
	if r.KeySet == "" {
		r.KeySet = defaultKeySet
		if name := r.Settings.Connectors[r.Conf.TKS].KeySet; name != "" {
			r.KeySet = name
		}
	}
	if resolver, ok := r.Resolvers[r.Settings.External.KeySetResolver]; ok {
		return r.ask(resolver) // what it says of this card beside the key set
	}
	return nil
}

// registered are the rules that hold for every token that is registered in a directory:
// policies are those of tokens that are not.
var registered = token.Policy{}.With(token.ReEnroll, true).With(token.PINReset, true)

// Allows tells whether a rule of the token's policy holds.
func (r *Run) Allows(rule token.Rule) bool {
	if r.Registration != nil {
		return registered.Allows(rule)
	}
	return r.Card.Policy().Allows(rule)
}
