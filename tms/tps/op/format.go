package op

import (
	"context"
	"errors"

	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// Format makes a blank or used card a formatted one: the applet is loaded afresh,
// the issuer's address written, the keys changed if the token type wants it, and
// the record says FORMATTED. What a format that was cut at any point left behind,
// the next one repairs.
func Format(ctx context.Context, e *Env, s *Session) error {
	r := &run{Env: e, Session: s, op: token.OpFormat}
	err := r.format(ctx)
	if err == nil || errors.Is(err, ErrKilled) {
		return err
	}
	if r.card != nil {
		if ferr := r.card.Fail(ctx, r.op, err); ferr != nil {
			r.Log.Error("failed operation not recorded", "err", ferr)
		}
	}
	return err
}

func (r *run) format(ctx context.Context) error {
	if err := r.readCard(ctx); err != nil {
		return err
	}
	if err := r.admitFormat(ctx); err != nil {
		return err
	}
	if err := r.formatCard(ctx); err != nil {
		return err
	}
	return r.finishFormat(ctx)
}

// admitFormat decides what the card is and whether this may be done to it. Nothing
// is changed on the card.
func (r *run) admitFormat(ctx context.Context) error {
	if err := r.resolveType(r.Settings.FormatResolver); err != nil {
		return err
	}
	if err := r.resolveKeySet(); err != nil {
		return err
	}
	if !r.Settings.Enabled(r.tokenType) {
		return refuse(wire.StatusDisabledToken, "token type %s is not enabled", r.tokenType)
	}
	if err := r.login(ctx); err != nil {
		return err
	}
	err := r.card.Admit(ctx, tokendb.Admission{
		Op: r.op, To: token.Formatted, AllowUnknown: r.Settings.FormatAllowUnknown,
	})
	if err != nil {
		return failf(wire.StatusDisabledToken, err, "admitting card")
	}
	if err := r.emptyToken(); err != nil {
		return err
	}
	return r.failpoint(FailAdmitted)
}

// emptyToken refuses a card without applet if the token type says so, unless it is
// known that an earlier operation took the applet away and did not finish.
func (r *run) emptyToken() error {
	if r.conf.EmptyToken || r.facts.Applet.Present {
		return nil
	}
	for _, i := range r.card.OpenIntents() {
		if i.Kind == token.IntentLoadApplet || i.Kind == token.IntentDeleteApplet {
			return nil
		}
	}
	return refuse(wire.StatusUpgradeApplet, "card has no applet, and token type %s wants one",
		r.tokenType)
}

// formatCard does the work on the card.
func (r *run) formatCard(ctx context.Context) error {
	ch, err := r.openISD(ctx, channelFor{encrypted: r.conf.Encryption})
	if err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	if err := r.loadApplet(ctx, ch); err != nil {
		return err
	}
	if err := r.writeIssuerInfo(ctx); err != nil {
		return err
	}
	return r.changeKeys(ctx)
}

// finishFormat records the formatted card and tells the client.
func (r *run) finishFormat(ctx context.Context) error {
	applet, err := r.appletID(ctx)
	if err != nil {
		return failf(wire.StatusUpgradeApplet, err, "reading back applet")
	}
	if err := r.failpoint(FailFinish); err != nil {
		return err
	}
	err = r.card.FinishFormat(ctx, tokendb.Formatted{
		AppletID: applet, Type: r.tokenType, KeyInfo: r.shown,
	})
	if err != nil {
		return failf(wire.StatusUpdateTokenDBFailed, err, "recording formatted card")
	}
	r.Log.Info("card formatted", "type", r.tokenType, "applet", applet, "keys", r.shown)
	if err := r.failpoint(FailFinished); err != nil {
		return err
	}
	if err := r.Client.Progress(ctx, 100, taskDone); err != nil {
		// The card is formatted and recorded: a client that left a moment too
		// early changes nothing.
		r.Log.Info("client left before the end", "err", err)
	}
	return nil
}
