package op

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/perso"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/extreg"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// Percentages and words of progress of an enrollment, as clients know them.
const (
	percentProfile = 10
	percentKeys    = 15
	percentKeysEnd = 90
	percentContent = 92
	percentIssuer  = 98
	percentLife    = 99
	percentDone    = 100

	taskProfile  = "PROGRESS_PROCESS_PROFILE"
	taskKey      = "PROGRESS_KEY_GENERATION"
	taskContent  = "PROGRESS_WRITE_OBJECTS"
	taskIssuer   = "PROGRESS_ISSUER_INFO"
	taskLife     = "PROGRESS_SET_LIFECYCLE"
	taskEnrolled = "PROGRESS_DONE_ENROLLMENT"
)

// undoTimeout bounds what is undone at CAs when an operation has failed. What it
// leaves is done at the next contact or start.
const undoTimeout = 30 * time.Second

// Enroll binds a formatted token to the person who logs in: keys are made on the
// card or by a KRA, a CA certifies them, the card tells readers about both, and the
// record says ACTIVE. An active token is enrolled anew, or its certificates are
// renewed, as its policy says; a user whose earlier token is out of use gets back
// what the token type says. What an enrollment that was cut at any point left
// behind, the next contact with the card undoes, and so does the next start.
func Enroll(ctx context.Context, e *contact.Env, s *contact.Session) error {
	n := &enrollment{Run: &contact.Run{
		Env: e, Session: s, Op: token.OpEnrollment, Rules: e.Settings.Enroll, Load: [2]int{5, 12},
	}}
	defer func() { n.End(); clear(n.pin) }()
	err := n.enroll(ctx)
	if err != nil && !errors.Is(err, contact.ErrKilled) {
		n.undo(ctx)
		n.Failed(ctx, err)
	}
	return err
}

// enrollment is an enrollment under way.
type enrollment struct {
	*contact.Run
	set  profile.Enroll
	plan plan
	pin  coolkey.PIN
	// fresh tells that the applet was loaded in this session: it holds nothing.
	fresh bool
	// begun tells that the operation was admitted: from then on it has to be undone
	// when it fails.
	begun bool
	objects
}

func (n *enrollment) enroll(ctx context.Context) error {
	if err := n.ReadCard(ctx); err != nil {
		return err
	}
	if err := n.admit(ctx); err != nil {
		return err
	}
	ch, err := n.prepare(ctx)
	if err != nil {
		return err
	}
	if err := n.fetchListed(ctx, ch); err != nil {
		return err
	}
	if err := n.setPIN(ctx, ch); err != nil {
		return err
	}
	if err := n.fill(ctx, ch); err != nil {
		return err
	}
	if err := n.complete(ctx, ch); err != nil {
		return err
	}
	return n.finish(ctx, ch)
}

// admit decides what the card is, whose it will be and what is to be done. Nothing
// is changed on the card.
func (n *enrollment) admit(ctx context.Context) error {
	if err := n.identify(ctx); err != nil {
		return err
	}
	if err := n.settleEarlier(ctx); err != nil {
		return err
	}
	if err := n.admitted(ctx); err != nil {
		return err
	}
	if err := n.decide(ctx); err != nil {
		return err
	}
	if err := n.EmptyToken(); err != nil {
		return err
	}
	if err := n.askPIN(ctx); err != nil {
		return err
	}
	n.begun = true
	return n.At(FailEnrollAdmitted)
}

// identify decides the token type, and who is there.
func (n *enrollment) identify(ctx context.Context) error {
	if n.Settings.External != nil {
		if err := n.Register(ctx, extreg.Enroll, true); err != nil {
			return err
		}
		return n.choose(n.TokenType)
	}
	if err := n.ResolveType(); err != nil {
		return err
	}
	if err := n.choose(n.TokenType); err != nil {
		return err
	}
	if !n.Conf.Login && !n.set.Device {
		return contact.Refuse(wire.StatusLogin, "token type %s enrolls persons and asks nobody to log in",
			n.TokenType)
	}
	return n.Login(ctx)
}

// choose takes the settings of a token type.
func (n *enrollment) choose(tokenType string) error {
	n.TokenType = tokenType
	set, ok := n.Settings.Enrolls[tokenType]
	if err := n.Settled(set.Card, ok); err != nil {
		return err
	}
	n.set = set
	return nil
}

// admitted asks whether the token may be enrolled at all: a blank one is formatted
// on the way.
func (n *enrollment) admitted(ctx context.Context) error {
	to := token.Active
	if n.blank() {
		to = token.Formatted
	}
	err := n.Card.Admit(ctx, tokendb.Admission{
		Op: n.Op, To: to, AllowUnknown: n.Rules.AllowUnknown,
	})
	return contact.Failf(wire.StatusDisabledToken, err, "admitting card")
}

// blank tells whether the card has to be formatted before it can be enrolled.
func (n *enrollment) blank() bool {
	return !n.Card.Known() || n.Card.Record().Status == token.Unformatted
}

// owner is whose the token will be.
func (n *enrollment) owner() string {
	if n.set.Device {
		return ""
	}
	return n.User.ID
}

// prepare brings applet and keys of the card up to what the token type wants, and
// opens a channel to the applet.
func (n *enrollment) prepare(ctx context.Context) (*perso.Channel, error) {
	if err := n.Client.Progress(ctx, percentProfile, taskProfile); err != nil {
		return nil, contact.Failf(wire.StatusConnLost, err, "telling progress")
	}
	force := n.blank() || n.Allows(token.ForceFormat)
	if !n.plan.renews() && (force || !n.keepsListed()) { // another applet would take the keys away that are to stay
		fresh, err := n.UpdateApplet(ctx, force)
		if err != nil {
			return nil, err
		}
		n.fresh = fresh
	}
	n.ServerKeys = (n.set.ServerSide() || n.brings()) && !n.plan.renews()
	ch, err := n.OpenApplet(ctx, contact.ChannelFor{Encrypted: true})
	if err != nil {
		return nil, err
	}
	if !n.fresh {
		if err := n.Settle(ctx); err != nil {
			return nil, err
		}
	}
	before := n.Shown
	if err := n.ChangeKeys(ctx); err != nil {
		return nil, err
	}
	if n.Conf.ChangeKeys && !contact.IsKVN(before, n.Conf.RequiredKVN) { // another channel was opened
		if ch, err = n.OpenApplet(ctx, contact.ChannelFor{Encrypted: true}); err != nil {
			return nil, err
		}
	}
	if !force {
		return ch, nil
	}
	return ch, n.formatted(ctx)
}

// formatted records that the card is formatted, and goes on to enroll it.
func (n *enrollment) formatted(ctx context.Context) error {
	err := n.Card.FinishFormat(ctx, tokendb.Formatted{
		AppletID: n.Card.Record().AppletID, Type: n.TokenType, KeyInfo: n.Shown,
	})
	if err != nil {
		return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "recording formatted card")
	}
	return n.admitted(ctx)
}

// complete writes what is left: the issuer's address and the life cycle state.
func (n *enrollment) complete(ctx context.Context, ch *perso.Channel) error {
	if n.Conf.WriteIssuer {
		if err := n.Client.Progress(ctx, percentIssuer, taskIssuer); err != nil {
			return contact.Failf(wire.StatusConnLost, err, "telling progress")
		}
		if err := perso.WriteIssuerInfo(ctx, ch, n.Conf.IssuerInfo); err != nil {
			return contact.Failf(wire.StatusBadStatus, err, "writing issuer info")
		}
	}
	life := n.Facts.Applet
	if !n.fresh && life.HasLifeCycle && life.LifeCycle.State == gp.AppPersonalized {
		return nil
	}
	if err := n.Client.Progress(ctx, percentLife, taskLife); err != nil {
		return contact.Failf(wire.StatusConnLost, err, "telling progress")
	}
	err := perso.SetLifeCycle(ctx, ch, gp.AppPersonalized)
	return contact.Failf(wire.StatusMACLifecyclePDU, err, "setting life cycle")
}

// finish records the enrolled card, tells CAs what follows from it, and the client.
func (n *enrollment) finish(ctx context.Context, ch *perso.Channel) error {
	if err := n.At(FailEnrollFinish); err != nil {
		return err
	}
	err := n.Card.FinishEnroll(ctx, tokendb.Enrolled{
		AppletID: n.applet(), Type: n.TokenType, KeyInfo: n.Shown, UserID: n.owner(),
		Renewed: n.renewed, Kept: n.kept, Adopted: n.adopted, Removed: n.removed, Message: n.message(),
	})
	if err != nil {
		return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "recording enrolled card")
	}
	n.Log.Info("card enrolled", "type", n.TokenType, "operation", string(n.Op), "keys", n.Shown,
		"certificates", len(n.Card.Holds()))
	if err := n.At(FailEnrollFinished); err != nil {
		return err
	}
	// The card is enrolled and recorded: nothing that follows changes that.
	if err := n.Authorities.Revoke(ctx, n.Card); errors.Is(err, contact.ErrKilled) {
		return err
	} else if err != nil {
		n.Log.Warn("certificates left to be revoked or released", "err", err)
	}
	if err := n.clearSlots(ctx, ch); err != nil {
		n.Log.Info("key slots not cleared", "err", err)
	}
	if err := n.Client.Progress(ctx, percentDone, taskEnrolled); err != nil {
		n.Log.Info("client left before the end", "err", err)
	}
	return nil
}

// applet is the version of the applet on the card, as records hold it.
func (n *enrollment) applet() string {
	if v := n.Facts.Applet.Version(); v != "" && !n.fresh {
		return v
	}
	return n.Card.Record().AppletID
}

// clearSlots wipes keys that nothing on the card names any more. A fresh applet has
// none.
func (n *enrollment) clearSlots(ctx context.Context, ch *perso.Channel) error {
	if n.fresh || n.Plain() {
		return nil
	}
	_, err := perso.ClearKeySlots(ctx, ch, n.content.Pairs())
	return err
}

func (n *enrollment) message() string {
	return fmt.Sprintf("%s, %d certificates", n.plan.String(), len(n.made))
}

// settleEarlier finishes or undoes what earlier sessions left at CAs and KRAs. What
// can't be settled now stays; an operation that needs those CAs finds out itself.
func (n *enrollment) settleEarlier(ctx context.Context) error {
	err := n.SettleAuthorities(ctx)
	if errors.Is(err, contact.ErrKilled) {
		return err
	}
	if err != nil {
		n.Log.Warn("unfinished at authorities", "err", err)
	}
	return nil
}

// undo takes back what this session did at CAs and KRAs, and in the record.
func (n *enrollment) undo(ctx context.Context) {
	if !n.begun {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := n.Authorities.Settle(ctx, n.Card); err != nil {
		n.Log.Warn("not all could be undone", "err", err)
	}
}
