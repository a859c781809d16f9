package op

import (
	"context"
	"errors"

	"tokenwright/tms/perso"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/mapping"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// readCard reads the card's facts and looks up its record.
func (r *run) readCard(ctx context.Context) error {
	facts, err := perso.ReadFacts(ctx, r.Client, perso.FactsOptions{
		ISDs: r.Settings.ISDs, Applet: r.Settings.Instance, LifeCycle: r.op != token.OpFormat,
	})
	if err != nil {
		status := wire.StatusBadStatus
		if errors.Is(err, perso.ErrNoCardManager) {
			status = wire.StatusCreateCardManager
		}
		return failf(status, err, "reading card")
	}
	r.facts = facts
	r.leave = r.Busy.enter(facts.CUID)
	r.Log = r.Log.With("cuid", facts.CUID.String())
	r.Log.Info("card read", "isd", facts.ISD.String(), "applet", facts.Applet.Version(),
		"recognition", facts.Recognition)
	r.card, err = r.Tokens.Look(ctx, tokendb.Session{
		ID: r.ID, IP: r.IP, Actor: "client " + r.IP,
	}, facts.CUID)
	return failf(wire.StatusDB, err, "looking up token record")
}

// input is what resolvers decide from.
func (r *run) input() mapping.Input {
	in := mapping.Input{
		ATR:       r.extension(wire.ExtTokenATR),
		CUID:      r.facts.CUID.String(),
		TokenType: r.extension(wire.ExtTokenType),
		KeySet:    r.extension(wire.ExtKeySet),
	}
	if r.facts.Applet.HasStatus {
		in.AppletMajor = int(r.facts.Applet.Status.AppletMajor)
		in.AppletMinor = int(r.facts.Applet.Status.AppletMinor)
	}
	return in
}

// noResolver is how configuration says that nothing is to be resolved.
const noResolver = "none"

// resolveType decides the token type. Without a resolver the client's wish counts.
func (r *run) resolveType() error {
	name := r.rules.Resolver
	if name == noResolver {
		r.tokenType = r.extension(wire.ExtTokenType)
	} else {
		resolver, ok := r.Resolvers[name]
		if !ok {
			return refuse(wire.StatusMappingResolverParams, "mapping resolver %s is not configured", name)
		}
		res, err := resolver.Resolve(r.input(), mapping.TargetTokenType)
		if err != nil {
			return failf(wire.StatusMappingResolverFailed, err, "resolving token type")
		}
		r.tokenType = res.Value
		r.Log.Info("token type resolved", "type", res.Value, "why", res.Explain())
	}
	return nil
}

// settled takes the settings of the decided token type, if there are any, and looks
// for the key set.
func (r *run) settled(c profile.Card, ok bool) error {
	if !ok {
		return refuse(wire.StatusMappingResolverParams, "no settings for token type %.64q", r.tokenType)
	}
	if !r.Settings.Enabled(r.tokenType) {
		return refuse(wire.StatusDisabledToken, "token type %s is not enabled", r.tokenType)
	}
	r.conf = c
	r.card.SetType(r.tokenType)
	return r.resolveKeySet()
}

// resolveKeySet decides the TKS and the key set: what the token type names, else
// the key set resolver's answer, else the connector's, else the default.
func (r *run) resolveKeySet() error {
	tks, ok := r.TKS[r.conf.TKS]
	if !ok {
		return refuse(wire.StatusNoTKSConnID, "no connection to token key service %s", r.conf.TKS)
	}
	r.tks = tks
	r.keySet = defaultKeySet
	if name := r.Settings.Connectors[r.conf.TKS].KeySet; name != "" {
		r.keySet = name
	}
	if r.conf.KeySet != "" {
		r.keySet = r.conf.KeySet
		return nil
	}
	name := r.rules.KeySetResolver
	if name == "" || name == noResolver {
		return nil
	}
	resolver, ok := r.Resolvers[name]
	if !ok {
		return refuse(wire.StatusMappingResolverParams, "mapping resolver %s is not configured", name)
	}
	res, err := resolver.Resolve(r.input(), mapping.TargetKeySet)
	if errors.Is(err, mapping.ErrNoMapping) {
		r.Log.Info("no mapping decides the key set", "resolver", name, "keyset", r.keySet)
		return nil
	}
	if err != nil {
		return failf(wire.StatusMappingResolverFailed, err, "resolving key set")
	}
	r.keySet = res.Value
	return nil
}

// login has the person prove who they are, if the token type wants it. One try: a
// client that keeps a wrong password would lock the person's account otherwise.
func (r *run) login(ctx context.Context) error {
	if !r.conf.Login {
		return nil
	}
	a, ok := r.Auth[r.conf.AuthID]
	if !ok {
		return refuse(wire.StatusMisconfiguration, "authenticator %s is not configured", r.conf.AuthID)
	}
	creds, err := r.Client.Login(ctx, a.Prompt(r.extension(wire.ExtLocale)))
	if err != nil {
		return failf(wire.StatusLogin, err, "asking for login")
	}
	user, err := a.Authenticate(ctx, creds)
	if err != nil {
		return failf(wire.StatusLogin, err, "logging in")
	}
	r.user = user
	r.card.SetUser(user.ID)
	r.Log = r.Log.With("user", user.ID)
	r.Log.Info("logged in")
	return nil
}
