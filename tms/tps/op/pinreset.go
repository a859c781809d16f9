package op

import (
	"context"
	"errors"

	"tokenwright/tms/perso"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/extreg"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// Percentages and words of progress of a PIN reset, as clients know them.
const (
	percentPINStart   = 10
	percentPINProfile = 15

	taskPINStart   = "PROGRESS_START_PIN_RESET"
	taskPINProfile = "PROGRESS_PIN_RESET_RESOLVE_PROFILE"
	taskPINDone    = "PROGRESS_PIN_RESET_COMPLETE"
)

// PINReset sets the PIN of an active token anew, for its user, if the token's policy
// allows it. A PIN that may be set but once is recorded as set together with the end
// of that right.
func PINReset(ctx context.Context, e *contact.Env, s *contact.Session) error {
	p := &pinReset{Run: &contact.Run{
		Env: e, Session: s, Op: token.OpPINReset, Rules: e.Settings.PINReset, Load: [2]int{20, 80},
	}}
	defer p.End()
	err := p.reset(ctx)
	if err != nil && !errors.Is(err, contact.ErrKilled) {
		p.Failed(ctx, err)
	}
	return err
}

// pinReset is a PIN reset under way.
type pinReset struct {
	*contact.Run
	set profile.PINReset
	// fresh tells that the applet was loaded in this session: the user's keys are gone.
	fresh bool
}

func (p *pinReset) reset(ctx context.Context) error {
	if err := p.ReadCard(ctx); err != nil {
		return err
	}
	if err := p.admit(ctx); err != nil {
		return err
	}
	pin, err := p.NewPIN(ctx, p.set.PIN)
	if err != nil {
		return err
	}
	defer clear(pin)
	ch, err := p.prepare(ctx)
	if err != nil {
		return err
	}
	if _, err := p.Card.BeginFor(ctx, token.IntentSetPIN, "", ""); err != nil {
		return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "recording intent to set PIN")
	}
	if err := p.At(FailPINIntent); err != nil {
		return err
	}
	if err := contact.WritePIN(ctx, ch, pin, p.set.PIN); err != nil {
		return err
	}
	if err := p.At(FailPINDone); err != nil {
		return err
	}
	return p.finish(ctx)
}

// admit decides whether the PIN of this card may be set. Nothing is changed on the
// card.
func (p *pinReset) admit(ctx context.Context) error {
	if !p.Card.Known() {
		return contact.Refuse(wire.StatusUnknownToken, "token is not known")
	}
	if err := p.Client.Progress(ctx, percentPINStart, taskPINStart); err != nil {
		return contact.Failf(wire.StatusConnLost, err, "telling progress")
	}
	if err := p.identify(ctx); err != nil {
		return err
	}
	rec := p.Card.Record()
	switch {
	case !p.set.SetPIN:
		return contact.Refuse(wire.StatusNotPINResetable, "PINs of token type %s are not set",
			p.TokenType)
	case rec.Status != token.Active:
		return contact.Refuse(wire.StatusNotPINResetable, "token is %s", rec.Status)
	case (p.Conf.Login || p.Registration != nil) && rec.UserID != p.User.ID:
		return contact.Refuse(wire.StatusNotTokenOwner, "token is another user's")
	case !p.Allows(token.PINReset):
		return contact.Refuse(wire.StatusNotPINResetable, "policy does not allow to reset the PIN")
	}
	err := p.Card.Admit(ctx, tokendb.Admission{Op: p.Op, To: token.Active})
	if err != nil {
		return contact.Failf(wire.StatusNotPINResetable, err, "admitting card")
	}
	err = p.Client.Progress(ctx, percentPINProfile, taskPINProfile)
	return contact.Failf(wire.StatusConnLost, err, "telling progress")
}

// identify decides the token type, and who is there.
func (p *pinReset) identify(ctx context.Context) error {
	decide, login := func(context.Context) error { return p.ResolveType() }, p.Login
	if p.Settings.External != nil {
		decide = func(ctx context.Context) error { return p.Register(ctx, extreg.PINReset, true) }
		login = func(context.Context) error { return nil } // done
	}
	if err := decide(ctx); err != nil {
		return err
	}
	var ok bool
	p.set, ok = p.Settings.PINResets[p.TokenType]
	if err := p.Settled(p.set.Card, ok); err != nil {
		return err
	}
	return login(ctx)
}

// prepare brings applet and keys up to what the token type wants, and opens a channel
// to the applet. A token type that has the applet replaced takes the user's keys
// away, which is for its administrator to know: the token is a formatted one then.
func (p *pinReset) prepare(ctx context.Context) (ch *perso.Channel, err error) {
	if p.Conf.UpdateApplet {
		if p.fresh, err = p.UpdateApplet(ctx, false); err != nil {
			return nil, err
		}
	}
	if ch, err = p.updateKeys(ctx); err != nil || !p.fresh || !p.Conf.WriteIssuer {
		return ch, err
	}
	err = perso.WriteIssuerInfo(ctx, ch, p.Conf.IssuerInfo)
	return ch, contact.Failf(wire.StatusBadStatus, err, "writing issuer info")
}

// updateKeys brings the card's own keys up to what the token type wants, and opens a
// channel to the applet.
func (p *pinReset) updateKeys(ctx context.Context) (*perso.Channel, error) {
	ch, err := p.OpenApplet(ctx, contact.ChannelFor{Encrypted: true})
	if err != nil {
		return nil, err
	}
	if err := p.Settle(ctx); err != nil {
		return nil, err
	}
	if !p.Conf.ChangeKeys || contact.IsKVN(p.Shown, p.Conf.RequiredKVN) {
		return ch, nil
	}
	if err := p.ChangeKeys(ctx); err != nil {
		return nil, err
	}
	return p.OpenApplet(ctx, contact.ChannelFor{Encrypted: true})
}

// finish records that the PIN is set, and tells the client.
func (p *pinReset) finish(ctx context.Context) error {
	applet := p.Card.Record().AppletID
	once := p.Allows(token.ResetPINResetToNo)
	if err := p.Card.FinishPINReset(ctx, applet, p.Shown, once); err != nil {
		return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "recording PIN reset")
	}
	p.Log.Info("PIN set", "type", p.TokenType, "once", once)
	if err := p.At(FailPINFinished); err != nil {
		return err
	}
	if p.fresh { // nobody can use the certificates any more
		if err := p.Authorities.Settle(ctx, p.Card); errors.Is(err, contact.ErrKilled) {
			return err
		} else if err != nil {
			p.Log.Warn("certificates left to be revoked", "err", err)
		}
	}
	if err := p.Client.Progress(ctx, percentDone, taskPINDone); err != nil {
		p.Log.Info("client left before the end", "err", err)
	}
	return nil
}
