package contact

import (
	"errors"

	"tokenwright/tms/connector"
	"tokenwright/tms/tps/mapping"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/wire"
)

// Chosen are settings that a resolver gives for a card in place of those of its token type; what is
// zero is the token type's.
type Chosen struct {
	// Wrap is how private keys are wrapped for a card with AES keys (target keyWrapAlg), if HasWrap.
	Wrap    connector.KeyWrap
	HasWrap bool
	// Usages are those of keys that a KRA makes (target keyGenUsages).
	Usages string
}

// resolveKeySet decides the TKS, the key set and what goes with it: what the token type names, else
// the key set resolver's answer, else the connector's, else the default.
func (r *Run) resolveKeySet() error {
	tks, ok := r.TKS[r.Conf.TKS]
	if !ok {
		return Refuse(wire.StatusNoTKSConnID, "no connection to token key service %s", r.Conf.TKS)
	}
	r.KeyService = tks
	r.KeySet = defaultKeySet
	if name := r.Settings.Connectors[r.Conf.TKS].KeySet; name != "" {
		r.KeySet = name
	}
	name := r.Rules.KeySetResolver
	if name != "" && name != noResolver {
		resolver, ok := r.Resolvers[name]
		if !ok {
			return Refuse(wire.StatusMappingResolverParams, "mapping resolver %s is not configured", name)
		}
		if err := r.ask(resolver); err != nil {
			return err
		}
	}
	if r.Conf.KeySet != "" {
		r.KeySet = r.Conf.KeySet
	}
	return nil
}

// ask takes what the resolver says of the card. What it does not say stays as it is.
func (r *Run) ask(resolver mapping.Resolver) error {
	r.Chosen = Chosen{}
	for _, t := range []struct {
		target mapping.Target
		take   func(value string) error
	}{
		{mapping.TargetKeySet, func(v string) error { r.KeySet = v; return nil }},
		{mapping.TargetAppletVer, r.takeAppletVersion},
		{mapping.TargetKeyWrapAlg, r.takeWrap},
		{mapping.TargetKeyGenUsages, func(v string) error { r.Chosen.Usages = v; return nil }},
	} {
		res, err := resolver.Resolve(r.input(), t.target)
		if errors.Is(err, mapping.ErrNoMapping) {
			continue
		}
		if err == nil {
			r.Log.Info("resolved for the card", "target", string(t.target), "value", res.Value,
				"why", res.Explain())
			err = t.take(res.Value)
		}
		if err != nil {
			return Failf(wire.StatusMappingResolverFailed, err, "resolving %s", string(t.target))
		}
	}
	return nil
}

// takeAppletVersion has the version count for every protocol.
func (r *Run) takeAppletVersion(v string) error {
	for i := range r.Conf.AppletVersion {
		r.Conf.AppletVersion[i] = v
	}
	return nil
}

func (r *Run) takeWrap(v string) error {
	if r.Chosen.Wrap, r.Chosen.HasWrap = profile.WrapByName(v); !r.Chosen.HasWrap {
		return Refuse(wire.StatusMisconfiguration, "keyWrapAlg=%.20q: not KWP, CBC or DES", v)
	}
	return nil
}
