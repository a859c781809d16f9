package op

import (
	"context"
	"errors"
	"slices"

	"tokenwright/tms/token"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// Format makes a blank or used card a formatted one: the applet is loaded afresh,
// the issuer's address written, the keys changed if the token type wants it, and
// the record says FORMATTED. What a format that was cut at any point left behind,
// the next one repairs.
func Format(ctx context.Context, e *Env, s *Session) error {
	f := &formatting{run: &run{
		Env: e, Session: s, op: token.OpFormat, rules: e.Settings.Format, load: [2]int{10, 90},
	}}
	defer f.end()
	err := f.format(ctx)
	if err != nil && !errors.Is(err, ErrKilled) {
		f.failed(ctx, err)
	}
	return err
}

// formatting is a format under way.
type formatting struct {
	*run
	set profile.Format
}

func (f *formatting) format(ctx context.Context) error {
	if err := f.readCard(ctx); err != nil {
		return err
	}
	if err := f.admit(ctx); err != nil {
		return err
	}
	if err := f.formatCard(ctx); err != nil {
		return err
	}
	return f.finish(ctx)
}

// admit decides what the card is and whether this may be done to it. Nothing is
// changed on the card.
func (f *formatting) admit(ctx context.Context) error {
	if err := f.resolveType(); err != nil {
		return err
	}
	set, ok := f.Settings.Formats[f.tokenType]
	if err := f.settled(set.Card, ok); err != nil {
		return err
	}
	f.set = set
	if err := f.login(ctx); err != nil {
		return err
	}
	err := f.card.Admit(ctx, tokendb.Admission{
		Op: f.op, To: token.Formatted, AllowUnknown: f.rules.AllowUnknown,
	})
	if err != nil {
		return failf(wire.StatusDisabledToken, err, "admitting card")
	}
	if err := f.emptyToken(); err != nil {
		return err
	}
	return f.failpoint(FailAdmitted)
}

// emptyToken refuses a card without applet if the token type says so, unless it is
// known that an earlier operation took the applet away and did not finish.
func (r *run) emptyToken() error {
	if r.conf.EmptyToken || r.facts.Applet.Present {
		return nil
	}
	if r.interrupted() {
		return nil
	}
	return refuse(wire.StatusUpgradeApplet, "card has no applet, and token type %s wants one",
		r.tokenType)
}

// interrupted tells whether an earlier operation took the applet away and did not
// finish.
func (r *run) interrupted() bool {
	return slices.ContainsFunc(r.card.OpenIntents(), func(i token.Intent) bool {
		return i.Kind == token.IntentLoadApplet || i.Kind == token.IntentDeleteApplet
	})
}

// formatCard does the work on the card. Its certificates are revoked first, once it
// has proved to be the card: as long as that is not possible, it keeps its keys.
func (f *formatting) formatCard(ctx context.Context) error {
	ch, err := f.openISD(ctx, channelFor{encrypted: f.conf.Encryption})
	if err != nil {
		return err
	}
	if err := f.settle(ctx); err != nil {
		return err
	}
	if err := f.revoke(ctx); err != nil {
		return err
	}
	if err := f.loadApplet(ctx, ch); err != nil {
		return err
	}
	if err := f.writeIssuerInfo(ctx); err != nil {
		return err
	}
	return f.changeKeys(ctx)
}

// revoke settles what earlier sessions left undone at CAs and KRAs, and has the
// certificates of the token revoked if the token type wants it.
func (f *formatting) revoke(ctx context.Context) error {
	err := f.settleAuthorities(ctx)
	if !f.set.Revoke {
		if err != nil {
			f.Log.Warn("unfinished at authorities", "err", err)
		}
		return nil
	}
	if err == nil {
		err = f.card.BeginRevocations(ctx, f.revocable(), tokendb.Revoke{Reason: int(f.set.Reason)})
	}
	if err == nil {
		err = f.Authorities.Revoke(ctx, f.card)
	}
	return failf(wire.StatusRevokeCertificates, err, "revoking certificates")
}

// revocable gives the certificates that would go on being good or on hold.
func (r *run) revocable() []token.Certificate {
	return slices.DeleteFunc(r.card.Certificates(), func(n token.Certificate) bool {
		return !n.Valid(r.card.Now())
	})
}

// finish records the formatted card and tells the client.
func (f *formatting) finish(ctx context.Context) error {
	applet, err := f.appletID(ctx)
	if err != nil {
		return failf(wire.StatusUpgradeApplet, err, "reading back applet")
	}
	if err := f.failpoint(FailFinish); err != nil {
		return err
	}
	err = f.card.FinishFormat(ctx, tokendb.Formatted{
		AppletID: applet, Type: f.tokenType, KeyInfo: f.shown,
	})
	if err != nil {
		return failf(wire.StatusUpdateTokenDBFailed, err, "recording formatted card")
	}
	f.Log.Info("card formatted", "type", f.tokenType, "applet", applet, "keys", f.shown)
	if err := f.failpoint(FailFinished); err != nil {
		return err
	}
	if err := f.Client.Progress(ctx, 100, taskDone); err != nil {
		// The card is formatted and recorded: a client that left a moment too
		// early changes nothing.
		f.Log.Info("client left before the end", "err", err)
	}
	return nil
}
