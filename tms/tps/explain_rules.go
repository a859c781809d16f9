package tps

import (
	"fmt"

	"tokenwright/tms/token"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/wire"
)

// transition asks whether the token's state lets the operation happen.
func (e *explaining) transition() bool {
	const key = "tps.operations.allowedTransitions"
	from, to := token.Unformatted, e.to
	if e.Record != nil {
		from = e.Record.Status
	} else if !e.op.AllowUnknown {
		return e.refused("transition", wire.StatusUnknownToken, "a card that was never seen, and "+
			"op.%s.allowUnknownToken is false", e.name)
	}
	if e.Operation == wire.OpResetPIN && from != token.Active {
		return e.refused("transition", wire.StatusNotPINResetable, "the token is %s", from)
	}
	if e.Operation == wire.OpEnroll && from == token.Unformatted {
		to = token.Formatted // on the way
	}
	step := token.Transition{From: from, To: to}
	if !e.rules.Operations.Allows(from, to) {
		return e.refused("transition", refusal(e.Operation, from), "%s is not among %s",
			step.Describe(), e.rules.Operations)
	}
	details := []string{"allowed by " + e.origin(key)}
	if to != e.to {
		next := token.Transition{From: to, To: e.to}
		if !e.rules.Operations.Allows(to, e.to) {
			return e.refused("transition", wire.StatusDisabledToken, "%s is not among %s", next.Describe(),
				e.rules.Operations)
		}
		details = append(details, "formatted on the way, then "+next.Describe())
	}
	e.step("transition", step.Describe(), details...)
	return true
}

// refusal gives the code for a state; enrollment tells them apart.
func refusal(op wire.Operation, s token.State) wire.Status {
	switch {
	case op == wire.OpEnroll && s == token.Terminated:
		return wire.StatusTokenTerminated
	case op == wire.OpEnroll && s == token.PermLost:
		return wire.StatusUnusableKeyCompromise
	}
	return wire.StatusDisabledToken
}

// policy tells what the policy in force makes of it.
func (e *explaining) policy() bool {
	if e.settings.External != nil {
		return e.registeredPolicy()
	}
	own, layered := token.Policy{}, e.rules.Policy
	if e.Record != nil {
		own = e.Record.Policy
		layered = own.Over(layered)
	}
	inForce := layered.Over(token.DefaultPolicy())
	details := []string{
		fmt.Sprintf("the record states %q", own),
		fmt.Sprintf("the default states %q, %s", e.rules.Policy, e.origin("tokendb.defaultPolicy")),
	}
	active := e.Record != nil && e.Record.Status == token.Active
	decision := ""
	switch {
	case e.Operation == wire.OpFormat:
		e.step("policy", "does not matter to a format", details...)
		return true
	case e.Operation == wire.OpResetPIN && !inForce.Allows(token.PINReset):
		return e.refused("policy", wire.StatusNotPINResetable, "PIN_RESET is NO (%s)", inForce)
	case e.Operation == wire.OpResetPIN && inForce.Allows(token.ResetPINResetToNo):
		decision = "the PIN may be reset this once"
	case e.Operation == wire.OpResetPIN:
		decision = "the PIN may be reset"
	case active && inForce.Allows(token.Renew) && !inForce.Allows(token.ForceFormat):
		decision = "its certificates are renewed, with the same keys"
	case active && inForce.Allows(token.ReEnroll):
		decision = "it is enrolled again"
	case active:
		return e.refused("policy", wire.StatusDisabledToken, "neither RENEW nor RE_ENROLL is YES (%s)",
			inForce)
	default:
		decision = "it is enrolled"
	}
	if e.Operation == wire.OpEnroll && inForce.Allows(token.ForceFormat) {
		decision += ", after the applet is loaded afresh"
	}
	e.step("policy", decision, append(details, fmt.Sprintf("in force is %q", inForce))...)
	return true
}

// user tells what whoever logs in, and their other tokens, make of it.
func (e *explaining) user() bool {
	asked := e.card.Login
	if e.settings.External != nil {
		asked = e.Operation != wire.OpFormat || e.settings.External.FormatLogin
	}
	if e.UserID == "" || !asked || e.enroll != nil && e.enroll.Device {
		return true
	}
	active := e.Record != nil && e.Record.Status == token.Active
	if e.Operation != wire.OpFormat && active && e.Record.UserID != e.UserID {
		return e.refused("user", wire.StatusNotTokenOwner, "the token is %q's", e.Record.UserID)
	}
	if e.Operation != wire.OpEnroll {
		e.step("user", e.UserID)
		return true
	}
	lost, others := e.others()
	switch {
	case others > 0 && !e.settings.ManyActive:
		return e.refused("user", wire.StatusHasActiveToken, "%s has an active token already, and "+
			"several are not allowed (tokendb.*.allowMultiActiveTokensUser)", e.UserID)
	case others > 0, active, lost == nil, e.settings.External != nil:
		e.step("user", e.UserID+" gets new keys", fmt.Sprintf("%d other active tokens", others))
		return true
	}
	return e.recovery(*lost)
}

// others looks through the user's other tokens as an enrollment does.
func (e *explaining) others() (lost *token.Record, active int) {
	for i, r := range e.Others {
		switch {
		case e.Record != nil && r.CUID == e.Record.CUID:
		case r.Status == token.Active:
			active++
		case outOfUse(r.Status) && lost == nil:
			lost = &e.Others[i]
		}
	}
	return lost, active
}

// recovery tells what comes back of an earlier token.
func (e *explaining) recovery(lost token.Record) bool {
	set, typ := *e.enroll, e.out.TokenType
	if lost.Reason == token.ReasonOnHold {
		if set.Temporary == "" {
			return e.refused("user", wire.StatusMisconfiguration, "token type %s names no temporary one", typ)
		}
		typ = set.Temporary
		set = e.settings.Enrolls[typ]
		e.out.TokenType = typ
	}
	list := set.Recovery[lost.Reason]
	if len(list) == 0 {
		return e.refused("user", wire.StatusMisconfiguration, "token type %s says nothing of recovery "+
			"after %s", typ, lost.Reason)
	}
	details := []string{fmt.Sprintf("token %s is %s, reason %s", lost.CUID, lost.Status, lost.Reason)}
	for _, name := range list {
		k := set.Keys[name]
		if k.Loss[lost.Reason].Scheme.Recovers() && !k.ServerSide {
			return e.refused("user", wire.StatusRecoveryFailed, "%s keys of token type %s are not made by "+
				"a key recovery authority and can't be recovered", name, typ)
		}
		details = append(details, schemeDetail(k, lost.Reason))
	}
	e.step("user", fmt.Sprintf("%s replaces an earlier token, with token type %s", e.UserID, typ),
		details...)
	return true
}

func schemeDetail(k profile.Key, reason token.Reason) string {
	scheme := k.Loss[reason].Scheme
	switch {
	case scheme.New() && scheme.Recovers():
		return k.Name + ": a new key, and the last one comes back"
	case scheme.Recovers():
		return k.Name + ": the last key comes back"
	}
	return k.Name + ": a new key"
}
