package contact

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

// ReadCard reads the card's facts and looks up its record.
func (r *Run) ReadCard(ctx context.Context) error {
	facts, err := perso.ReadFacts(ctx, r.Client, perso.FactsOptions{
		ISDs: r.Settings.ISDs, Applet: r.Settings.Instance, LifeCycle: r.Op != token.OpFormat,
	})
	if err != nil {
		status := wire.StatusBadStatus
		if errors.Is(err, perso.ErrNoCardManager) {
			status = wire.StatusCreateCardManager
		}
		return Failf(status, err, "reading card")
	}
	r.Facts = facts
	r.leave = r.Busy.Enter(facts.CUID)
	r.Log = r.Log.With("cuid", facts.CUID.String())
	r.Log.Info("card read", "isd", facts.ISD.String(), "applet", facts.Applet.Version(),
		"recognition", facts.Recognition)
	r.Card, err = r.Tokens.Look(ctx, tokendb.Session{
		ID: r.ID, IP: r.IP, Actor: "client " + r.IP,
	}, facts.CUID)
	return Failf(wire.StatusDB, err, "looking up token record")
}

// input is what resolvers decide from.
func (r *Run) input() mapping.Input {
	in := mapping.Input{
		ATR:       r.Extension(wire.ExtTokenATR),
		CUID:      r.Facts.CUID.String(),
		TokenType: r.Extension(wire.ExtTokenType),
		KeySet:    r.Extension(wire.ExtKeySet),

		SymKeySize: symKeySize(r.Facts, r.defaultKVN()),
	}
	if r.Facts.Applet.HasStatus {
		in.AppletMajor = int(r.Facts.Applet.Status.AppletMajor)
		in.AppletMinor = int(r.Facts.Applet.Status.AppletMinor)
	}
	return in
}

// noResolver is how configuration says that nothing is to be resolved.
const noResolver = "none"

// ResolveType decides the token type. Without a resolver the client's wish counts.
func (r *Run) ResolveType() error {
	name := r.Rules.Resolver
	if name == noResolver {
		r.TokenType = r.Extension(wire.ExtTokenType)
	} else {
		resolver, ok := r.Resolvers[name]
		if !ok {
			return Refuse(wire.StatusMappingResolverParams, "mapping resolver %s is not configured", name)
		}
		res, err := resolver.Resolve(r.input(), mapping.TargetTokenType)
		if err != nil {
			return Failf(wire.StatusMappingResolverFailed, err, "resolving token type")
		}
		r.TokenType = res.Value
		r.Log.Info("token type resolved", "type", res.Value, "why", res.Explain())
	}
	return nil
}

// Settled takes the settings of the decided token type, if there are any, and looks
// for the key set.
func (r *Run) Settled(c profile.Card, ok bool) error {
	if !ok {
		return Refuse(wire.StatusMappingResolverParams, "no settings for token type %.64q", r.TokenType)
	}
	if !r.Settings.Enabled(r.TokenType) {
		return Refuse(wire.StatusDisabledToken, "token type %s is not enabled", r.TokenType)
	}
	r.Conf = c
	r.Card.SetType(r.TokenType)
	if r.Registration != nil {
		return r.registeredService()
	}
	return r.resolveKeySet()
}

// Login has the person prove who they are, if the token type wants it. One try: a
// client that keeps a wrong password would lock the person's account otherwise.
func (r *Run) Login(ctx context.Context) error {
	if !r.Conf.Login {
		return nil
	}
	return r.login(ctx, r.Conf.AuthID)
}

func (r *Run) login(ctx context.Context, authID string) error {
	a, ok := r.Auth[authID]
	if !ok {
		return Refuse(wire.StatusMisconfiguration, "authenticator %s is not configured", authID)
	}
	creds, err := r.Client.Login(ctx, a.Prompt(r.Extension(wire.ExtLocale)))
	if err != nil {
		return Failf(wire.StatusLogin, err, "asking for login")
	}
	user, err := a.Authenticate(ctx, creds)
	if err != nil {
		return Failf(wire.StatusLogin, err, "logging in")
	}
	r.User = user
	r.Card.SetUser(user.ID)
	r.Log = r.Log.With("user", user.ID)
	r.Log.Info("logged in")
	return nil
}

// SettleAuthorities finishes or undoes what earlier sessions left at CAs and KRAs.
func (r *Run) SettleAuthorities(ctx context.Context) error {
	if !r.Card.Known() {
		return nil
	}
	return r.Authorities.Settle(ctx, r.Card)
}
