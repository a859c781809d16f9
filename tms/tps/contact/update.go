package contact

import (
	"context"
	"slices"

	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

// UpdateApplet loads the applet if the card has to have it loaded, and tells whether
// it did.
func (r *Run) UpdateApplet(ctx context.Context, force bool) (bool, error) {
	if !force && !r.wantsApplet() {
		return false, nil
	}
	ch, err := r.OpenISD(ctx, ChannelFor{Encrypted: r.Conf.Encryption})
	if err != nil {
		return false, err
	}
	if err := r.Settle(ctx); err != nil {
		return false, err
	}
	return true, r.LoadApplet(ctx, ch)
}

// wantsApplet tells whether the applet is missing, may be half loaded, or is of
// another version than the one required for a protocol that the card speaks.
func (r *Run) wantsApplet() bool {
	if !r.Facts.Applet.Present || r.Interrupted() {
		return true
	}
	if !r.Conf.UpdateApplet {
		return false
	}
	have := r.Facts.Applet.Version()
	if len(r.Facts.Variants) == 0 {
		return have != r.Conf.AppletVersion[1]
	}
	for _, v := range r.Facts.Variants {
		if v.SCP <= 3 && have == r.Conf.AppletVersion[v.SCP] {
			return false
		}
	}
	return true
}

// EmptyToken refuses a card without applet if the token type says so, unless it is
// known that an earlier operation took the applet away and did not finish.
func (r *Run) EmptyToken() error {
	if r.Conf.EmptyToken || r.Facts.Applet.Present {
		return nil
	}
	if r.Interrupted() {
		return nil
	}
	return Refuse(wire.StatusUpgradeApplet, "card has no applet, and token type %s wants one",
		r.TokenType)
}

// Interrupted tells whether an earlier operation took the applet away and did not
// finish.
func (r *Run) Interrupted() bool {
	return slices.ContainsFunc(r.Card.OpenIntents(), func(i token.Intent) bool {
		return i.Kind == token.IntentLoadApplet || i.Kind == token.IntentDeleteApplet
	})
}

// Plain tells of a card that does not even know the life cycle of its applet: it is not
// asked what is only nice to have, since some stand-ins for cards go silent then.
func (r *Run) Plain() bool { return r.Facts.Applet.Present && !r.Facts.Applet.HasLifeCycle }
