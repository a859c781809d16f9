package op

import (
	"context"
	"errors"

	"tokenwright/tms/perso"
	"tokenwright/tms/token"
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
func PINReset(ctx context.Context, e *Env, s *Session) error {
	p := &pinReset{run: &run{
		Env: e, Session: s, op: token.OpPINReset, rules: e.Settings.PINReset, load: [2]int{20, 80},
	}}
	defer p.end()
	err := p.reset(ctx)
	if err != nil && !errors.Is(err, ErrKilled) {
		p.failed(ctx, err)
	}
	return err
}

// pinReset is a PIN reset under way.
type pinReset struct {
	*run
	set profile.PINReset
}

func (p *pinReset) reset(ctx context.Context) error {
	if err := p.readCard(ctx); err != nil {
		return err
	}
	if err := p.admit(ctx); err != nil {
		return err
	}
	pin, err := p.newPIN(ctx, p.set.PIN)
	if err != nil {
		return err
	}
	defer clear(pin)
	ch, err := p.prepare(ctx)
	if err != nil {
		return err
	}
	if _, err := p.card.BeginFor(ctx, token.IntentSetPIN, "", ""); err != nil {
		return failf(wire.StatusUpdateTokenDBFailed, err, "recording intent to set PIN")
	}
	if err := p.failpoint(FailPINIntent); err != nil {
		return err
	}
	if err := writePIN(ctx, ch, pin, p.set.PIN); err != nil {
		return err
	}
	if err := p.failpoint(FailPINDone); err != nil {
		return err
	}
	return p.finish(ctx)
}

// admit decides whether the PIN of this card may be set. Nothing is changed on the
// card.
func (p *pinReset) admit(ctx context.Context) error {
	if !p.card.Known() {
		return refuse(wire.StatusUnknownToken, "token is not known")
	}
	if err := p.Client.Progress(ctx, percentPINStart, taskPINStart); err != nil {
		return failf(wire.StatusConnLost, err, "telling progress")
	}
	if err := p.resolveType(); err != nil {
		return err
	}
	set, ok := p.Settings.PINResets[p.tokenType]
	if err := p.settled(set.Card, ok); err != nil {
		return err
	}
	p.set = set
	if err := p.login(ctx); err != nil {
		return err
	}
	rec := p.card.Record()
	switch {
	case rec.Status != token.Active:
		return refuse(wire.StatusNotPINResetable, "token is %s", rec.Status)
	case p.conf.Login && rec.UserID != p.user.ID:
		return refuse(wire.StatusNotTokenOwner, "token is another user's")
	case !p.card.Policy().Allows(token.PINReset):
		return refuse(wire.StatusNotPINResetable, "policy does not allow to reset the PIN")
	}
	err := p.card.Admit(ctx, tokendb.Admission{Op: p.op, To: token.Active})
	if err != nil {
		return failf(wire.StatusNotPINResetable, err, "admitting card")
	}
	err = p.Client.Progress(ctx, percentPINProfile, taskPINProfile)
	return failf(wire.StatusConnLost, err, "telling progress")
}

// prepare brings applet and keys up to what the token type wants, and opens a channel
// to the applet. A token type that has the applet replaced takes the user's keys
// away, which is for its administrator to know.
func (p *pinReset) prepare(ctx context.Context) (*perso.Channel, error) {
	if p.conf.UpdateApplet {
		if _, err := p.updateApplet(ctx, false); err != nil {
			return nil, err
		}
	}
	ch, err := p.openApplet(ctx, channelFor{encrypted: true})
	if err != nil {
		return nil, err
	}
	if err := p.settle(ctx); err != nil {
		return nil, err
	}
	if !p.conf.ChangeKeys || isKVN(p.shown, p.conf.RequiredKVN) {
		return ch, nil
	}
	if err := p.changeKeys(ctx); err != nil {
		return nil, err
	}
	return p.openApplet(ctx, channelFor{encrypted: true})
}

// finish records that the PIN is set, and tells the client.
func (p *pinReset) finish(ctx context.Context) error {
	applet := p.card.Record().AppletID
	once := p.card.Policy().Allows(token.ResetPINResetToNo)
	if err := p.card.FinishPINReset(ctx, applet, p.shown, once); err != nil {
		return failf(wire.StatusUpdateTokenDBFailed, err, "recording PIN reset")
	}
	p.Log.Info("PIN set", "type", p.tokenType, "once", once)
	if err := p.failpoint(FailPINFinished); err != nil {
		return err
	}
	if err := p.Client.Progress(ctx, percentDone, taskPINDone); err != nil {
		p.Log.Info("client left before the end", "err", err)
	}
	return nil
}
