package op

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/extreg"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// taskDone is a word of progress, as clients know it.
const taskDone = "PROGRESS_DONE"

// Format makes a blank or used card a formatted one: the applet is loaded afresh,
// the issuer's address written, the keys changed if the token type wants it, and
// the record says FORMATTED. What a format that was cut at any point left behind,
// the next one repairs.
func Format(ctx context.Context, e *contact.Env, s *contact.Session) error {
	f := &formatting{Run: &contact.Run{
		Env: e, Session: s, Op: token.OpFormat, Rules: e.Settings.Format, Load: [2]int{10, 90},
	}}
	defer f.End()
	err := f.format(ctx)
	if err != nil && !errors.Is(err, contact.ErrKilled) {
		f.Failed(ctx, err)
	}
	return err
}

// formatting is a format under way.
type formatting struct {
	*contact.Run
	set profile.Format
}

func (f *formatting) format(ctx context.Context) error {
	if err := f.ReadCard(ctx); err != nil {
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
	if err := f.identify(ctx); err != nil {
		return err
	}
	err := f.Card.Admit(ctx, tokendb.Admission{
		Op: f.Op, To: token.Formatted, AllowUnknown: f.Rules.AllowUnknown,
	})
	if err != nil {
		return contact.Failf(wire.StatusDisabledToken, err, "admitting card")
	}
	if err := f.EmptyToken(); err != nil {
		return err
	}
	return f.At(FailAdmitted)
}

// identify decides the token type, and who is there.
func (f *formatting) identify(ctx context.Context) error {
	x, decide, login := f.Settings.External, func() error { return f.ResolveType() }, f.Login
	if x != nil {
		decide = func() error { return f.Register(ctx, extreg.Format, x.FormatLogin) }
		login = func(context.Context) error { return nil } // done, if it is wanted
	}
	if err := decide(); err != nil {
		return err
	}
	var ok bool
	f.set, ok = f.Settings.Formats[f.TokenType]
	if err := f.Settled(f.set.Card, ok); err != nil {
		return err
	}
	return login(ctx)
}

// formatCard does the work on the card. Its certificates are revoked first, once it
// has proved to be the card: as long as that is not possible, it keeps its keys.
func (f *formatting) formatCard(ctx context.Context) error {
	ch, err := f.OpenISD(ctx, contact.ChannelFor{Encrypted: f.Conf.Encryption})
	if err != nil {
		return err
	}
	if err := f.Settle(ctx); err != nil {
		return err
	}
	if err := f.revoke(ctx); err != nil {
		return err
	}
	if err := f.LoadApplet(ctx, ch); err != nil {
		return err
	}
	if err := f.WriteIssuerInfo(ctx); err != nil {
		return err
	}
	return f.ChangeKeys(ctx)
}

// revoke settles what earlier sessions left undone at CAs and KRAs, and has the
// certificates of the token revoked if the token type wants it.
func (f *formatting) revoke(ctx context.Context) error {
	err := f.SettleAuthorities(ctx)
	if !f.set.Revoke {
		if err != nil {
			f.Log.Warn("unfinished at authorities", "err", err)
		}
		return nil
	}
	if err == nil {
		err = f.Card.BeginRevocations(ctx, f.revocable(), tokendb.Revoke{Reason: int(f.set.Reason)})
	}
	if err == nil {
		err = f.Authorities.Revoke(ctx, f.Card)
	}
	return contact.Failf(wire.StatusRevokeCertificates, err, "revoking certificates")
}

// revocable gives the certificates that would go on being good or on hold.
func (f *formatting) revocable() []token.Certificate {
	list := slices.DeleteFunc(f.Card.Certificates(), func(n token.Certificate) bool {
		return !n.Valid(f.Card.Now())
	})
	for i := range list {
		list[i].CA = cmp.Or(list[i].CA, f.set.CA)
	}
	return list
}

// finish records the formatted card and tells the client.
func (f *formatting) finish(ctx context.Context) error {
	applet, err := f.AppletID(ctx)
	if err != nil {
		return contact.Failf(wire.StatusUpgradeApplet, err, "reading back applet")
	}
	if err := f.At(FailFinish); err != nil {
		return err
	}
	err = f.Card.FinishFormat(ctx, tokendb.Formatted{
		AppletID: applet, Type: f.TokenType, KeyInfo: f.Shown,
	})
	if err != nil {
		return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "recording formatted card")
	}
	f.Log.Info("card formatted", "type", f.TokenType, "applet", applet, "keys", f.Shown)
	if err := f.At(FailFinished); err != nil {
		return err
	}
	if err := f.Client.Progress(ctx, 100, taskDone); err != nil {
		// The card is formatted and recorded: a client that left a moment too
		// early changes nothing.
		f.Log.Info("client left before the end", "err", err)
	}
	return nil
}
