package op

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/perso"
	"tokenwright/tms/token"
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
func Enroll(ctx context.Context, e *Env, s *Session) error {
	n := &enrollment{run: &run{
		Env: e, Session: s, op: token.OpEnrollment, rules: e.Settings.Enroll, load: [2]int{5, 12},
	}}
	defer func() { n.end(); clear(n.pin) }()
	err := n.enroll(ctx)
	if err != nil && !errors.Is(err, ErrKilled) {
		n.undo(ctx)
		n.failed(ctx, err)
	}
	return err
}

// enrollment is an enrollment under way.
type enrollment struct {
	*run
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
	if err := n.readCard(ctx); err != nil {
		return err
	}
	if err := n.admit(ctx); err != nil {
		return err
	}
	ch, err := n.prepare(ctx)
	if err != nil {
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
	if err := n.resolveType(); err != nil {
		return err
	}
	if err := n.choose(n.tokenType); err != nil {
		return err
	}
	if !n.conf.Login && !n.set.Device {
		return refuse(wire.StatusLogin, "token type %s enrolls persons and asks nobody to log in",
			n.tokenType)
	}
	if err := n.login(ctx); err != nil {
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
	if err := n.emptyToken(); err != nil {
		return err
	}
	if err := n.askPIN(ctx); err != nil {
		return err
	}
	n.begun = true
	return n.failpoint(FailEnrollAdmitted)
}

// choose takes the settings of a token type.
func (n *enrollment) choose(tokenType string) error {
	n.tokenType = tokenType
	set, ok := n.Settings.Enrolls[tokenType]
	if err := n.settled(set.Card, ok); err != nil {
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
	err := n.card.Admit(ctx, tokendb.Admission{
		Op: n.op, To: to, AllowUnknown: n.rules.AllowUnknown,
	})
	return failf(wire.StatusDisabledToken, err, "admitting card")
}

// blank tells whether the card has to be formatted before it can be enrolled.
func (n *enrollment) blank() bool {
	return !n.card.Known() || n.card.Record().Status == token.Unformatted
}

// owner is whose the token will be.
func (n *enrollment) owner() string {
	if n.set.Device {
		return ""
	}
	return n.user.ID
}

// prepare brings applet and keys of the card up to what the token type wants, and
// opens a channel to the applet.
func (n *enrollment) prepare(ctx context.Context) (*perso.Channel, error) {
	if err := n.Client.Progress(ctx, percentProfile, taskProfile); err != nil {
		return nil, failf(wire.StatusConnLost, err, "telling progress")
	}
	force := n.blank() || n.card.Policy().Allows(token.ForceFormat)
	if !n.plan.renews() { // another applet would take the keys away that are to stay
		fresh, err := n.updateApplet(ctx, force)
		if err != nil {
			return nil, err
		}
		n.fresh = fresh
	}
	n.serverKeys = n.set.ServerSide() && !n.plan.renews()
	ch, err := n.openApplet(ctx, channelFor{encrypted: true})
	if err != nil {
		return nil, err
	}
	if !n.fresh {
		if err := n.settle(ctx); err != nil {
			return nil, err
		}
	}
	before := n.shown
	if err := n.changeKeys(ctx); err != nil {
		return nil, err
	}
	if n.conf.ChangeKeys && !isKVN(before, n.conf.RequiredKVN) { // another channel was opened
		if ch, err = n.openApplet(ctx, channelFor{encrypted: true}); err != nil {
			return nil, err
		}
	}
	if !force {
		return ch, nil
	}
	return ch, n.formatted(ctx)
}

// isKVN tells whether key information, as records hold it, is of a key version.
func isKVN(info string, kvn keys.KVN) bool {
	k, err := keys.ParseKeyInfo(info)
	return err == nil && k.KVN == kvn
}

// formatted records that the card is formatted, and goes on to enroll it.
func (n *enrollment) formatted(ctx context.Context) error {
	err := n.card.FinishFormat(ctx, tokendb.Formatted{
		AppletID: n.card.Record().AppletID, Type: n.tokenType, KeyInfo: n.shown,
	})
	if err != nil {
		return failf(wire.StatusUpdateTokenDBFailed, err, "recording formatted card")
	}
	return n.admitted(ctx)
}

// updateApplet loads the applet if the card has to have it loaded, and tells whether
// it did.
func (r *run) updateApplet(ctx context.Context, force bool) (bool, error) {
	if !force && !r.wantsApplet() {
		return false, nil
	}
	ch, err := r.openISD(ctx, channelFor{encrypted: r.conf.Encryption})
	if err != nil {
		return false, err
	}
	if err := r.settle(ctx); err != nil {
		return false, err
	}
	return true, r.loadApplet(ctx, ch)
}

// wantsApplet tells whether the applet is missing, may be half loaded, or is of
// another version than the one required for a protocol that the card speaks.
func (r *run) wantsApplet() bool {
	if !r.facts.Applet.Present || r.interrupted() {
		return true
	}
	if !r.conf.UpdateApplet {
		return false
	}
	have := r.facts.Applet.Version()
	if len(r.facts.Variants) == 0 {
		return have != r.conf.AppletVersion[1]
	}
	for _, v := range r.facts.Variants {
		if v.SCP <= 3 && have == r.conf.AppletVersion[v.SCP] {
			return false
		}
	}
	return true
}

// complete writes what is left: the issuer's address and the life cycle state.
func (n *enrollment) complete(ctx context.Context, ch *perso.Channel) error {
	if n.conf.WriteIssuer {
		if err := n.Client.Progress(ctx, percentIssuer, taskIssuer); err != nil {
			return failf(wire.StatusConnLost, err, "telling progress")
		}
		if err := perso.WriteIssuerInfo(ctx, ch, n.conf.IssuerInfo); err != nil {
			return failf(wire.StatusBadStatus, err, "writing issuer info")
		}
	}
	life := n.facts.Applet
	if !n.fresh && life.HasLifeCycle && life.LifeCycle.State == gp.AppPersonalized {
		return nil
	}
	if err := n.Client.Progress(ctx, percentLife, taskLife); err != nil {
		return failf(wire.StatusConnLost, err, "telling progress")
	}
	err := perso.SetLifeCycle(ctx, ch, gp.AppPersonalized)
	return failf(wire.StatusMACLifecyclePDU, err, "setting life cycle")
}

// finish records the enrolled card, tells CAs what follows from it, and the client.
func (n *enrollment) finish(ctx context.Context, ch *perso.Channel) error {
	if err := n.failpoint(FailEnrollFinish); err != nil {
		return err
	}
	err := n.card.FinishEnroll(ctx, tokendb.Enrolled{
		AppletID: n.applet(), Type: n.tokenType, KeyInfo: n.shown, UserID: n.owner(),
		Renewed: n.renewed, Kept: n.kept, Message: n.message(),
	})
	if err != nil {
		return failf(wire.StatusUpdateTokenDBFailed, err, "recording enrolled card")
	}
	n.Log.Info("card enrolled", "type", n.tokenType, "operation", string(n.op), "keys", n.shown,
		"certificates", len(n.card.Holds()))
	if err := n.failpoint(FailEnrollFinished); err != nil {
		return err
	}
	// The card is enrolled and recorded: nothing that follows changes that.
	if err := n.Authorities.Revoke(ctx, n.card); errors.Is(err, ErrKilled) {
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
	if v := n.facts.Applet.Version(); v != "" && !n.fresh {
		return v
	}
	return n.card.Record().AppletID
}

// plain tells of a card that does not even know the life cycle of its applet: it is not
// asked what is only nice to have, since some stand-ins for cards go silent then.
func (r *run) plain() bool { return r.facts.Applet.Present && !r.facts.Applet.HasLifeCycle }

// clearSlots wipes keys that nothing on the card names any more. A fresh applet has
// none.
func (n *enrollment) clearSlots(ctx context.Context, ch *perso.Channel) error {
	if n.fresh || n.plain() {
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
	err := n.settleAuthorities(ctx)
	if errors.Is(err, ErrKilled) {
		return err
	}
	if err != nil {
		n.Log.Warn("unfinished at authorities", "err", err)
	}
	return nil
}

// settleAuthorities finishes or undoes what earlier sessions left at CAs and KRAs.
func (r *run) settleAuthorities(ctx context.Context) error {
	if !r.card.Known() {
		return nil
	}
	return r.Authorities.Settle(ctx, r.card)
}

// undo takes back what this session did at CAs and KRAs, and in the record.
func (n *enrollment) undo(ctx context.Context) {
	if !n.begun {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := n.Authorities.Settle(ctx, n.card); err != nil {
		n.Log.Warn("not all could be undone", "err", err)
	}
}
