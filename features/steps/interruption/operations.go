package interruption

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tokenwright/features/lab"
	"tokenwright/tms/ca"
	"tokenwright/tms/esc"
	"tokenwright/tms/kra"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/op"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/wire"
)

// operation is what a person does with a token: where it begins, and where it has to end.
type operation struct {
	name string
	what wire.Operation
	// parts are the processes that take part; the others are not asked for anything.
	parts []string
	// points are failpoints that have to be among those at which processes are killed.
	points []string
	// ready brings the card to where the operation begins.
	ready func(context.Context, *world) error
	// ended says why the end of the last try is not the right one; before is the record before it.
	ended func(ctx context.Context, w *world, before token.Record) error
}

var (
	tpsOnly    = []string{lab.ProcessTPS}
	tpsAndCA   = []string{lab.ProcessTPS, lab.ProcessCA}
	everything = []string{lab.ProcessTPS, lab.ProcessCA, lab.ProcessKRA}

	// What happens at an authority when a certificate is made, or revoked, and when a key comes back.
	making   = []string{ca.FailBeforeIntent, ca.FailAfterIntent, ca.FailAfterSign, ca.FailAfterRecord}
	revoking = []string{ca.FailBeforeChange, ca.FailAfterChange, routing.FailRevokeDone, routing.FailRevokeOutcome}
	issuing  = []string{routing.FailIssueIntent, routing.FailIssueDone, routing.FailIssueOutcome,
		op.FailContentIntent, op.FailContentDone, op.FailEnrollFinish, op.FailEnrollFinished}
	archiving = kra.Failpoints()[:2]
	returning = kra.Failpoints()[2:4]
)

// operations are all of them, by the names that scenarios have for them.
var operations = map[string]operation{
	"format a used token": {what: wire.OpFormat, parts: tpsAndCA, ready: active, ended: formatted,
		points: slices.Concat(op.Failpoints()[:4], revoking)},
	"format a blank card": {what: wire.OpFormat, parts: tpsOnly, ready: blank, ended: formatted,
		points: op.Failpoints()},
	"enroll": {what: wire.OpEnroll, parts: everything, ready: unused, ended: enrolled,
		points: slices.Concat(op.EnrollFailpoints()[:14], making, archiving)},
	"enroll a blank card": {what: wire.OpEnroll, parts: everything, ready: blank, ended: enrolled,
		points: slices.Concat(op.EnrollFailpoints()[:14], op.Failpoints()[1:7], making, archiving)},
	"enroll again": {what: wire.OpEnroll, parts: everything, ready: active, ended: enrolled,
		points: slices.Concat(op.EnrollFailpoints(), making, archiving, revoking)},
	"renew": {what: wire.OpEnroll, parts: tpsAndCA, ready: renewable, ended: enrolled,
		points: slices.Concat(issuing, making)},
	"recover": {what: wire.OpEnroll, parts: everything, ready: lost, ended: recovered,
		points: slices.Concat(issuing, making, returning)},
	"reset the PIN": {what: wire.OpResetPIN, parts: tpsOnly, ready: resettable, ended: reset,
		points: op.PINResetFailpoints()},
}

func operationByName(name string) (operation, error) {
	o, ok := operations[name]
	o.name = name
	if !ok {
		return o, fmt.Errorf("there is no operation %q", name)
	}
	return o, nil
}

// in has the person do what leads to a state, unless the token is in it.
func in(ctx context.Context, w *world, want token.State, what wire.Operation) error {
	r, err := w.record(ctx)
	if err != nil || r.Rev > 0 && r.Status == want {
		return err
	}
	if err := w.try(ctx, what); err != nil {
		return fmt.Errorf("getting the card ready: %w", err)
	}
	return nil
}

func active(ctx context.Context, w *world) error { return in(ctx, w, token.Active, wire.OpEnroll) }

func unused(ctx context.Context, w *world) error { return in(ctx, w, token.Formatted, wire.OpFormat) }

// blank retires the card and takes one that nobody has seen.
func blank(ctx context.Context, w *world) error {
	r, err := w.record(ctx)
	if err != nil || r.Rev == 0 {
		return err
	}
	if err := w.sys.ChangeState(w.card.CUID(), token.Terminated); err != nil {
		return err
	}
	if err := w.another(ctx); err != nil {
		return err
	}
	err = w.former.Close(ctx)
	w.former = nil
	return err
}

// renewable has the token enrolled afresh, so that it tells of no former certificates.
func renewable(ctx context.Context, w *world) error {
	r, err := w.record(ctx)
	if err != nil {
		return err
	}
	if r.Rev > 0 {
		if err := w.sys.SetPolicy(ctx, w.card.CUID(), "RENEW=NO"); err != nil {
			return err
		}
	}
	if err := w.try(ctx, wire.OpEnroll); err != nil {
		return fmt.Errorf("getting the card ready: %w", err)
	}
	return w.sys.SetPolicy(ctx, w.card.CUID(), "RENEW=YES")
}

// lost has the active token reported as damaged, and another card formatted for the person.
func lost(ctx context.Context, w *world) error {
	if err := active(ctx, w); err != nil {
		return err
	}
	if err := w.sys.ChangeState(w.card.CUID(), token.Damaged); err != nil {
		return err
	}
	if err := w.another(ctx); err != nil {
		return err
	}
	return unused(ctx, w)
}

func resettable(ctx context.Context, w *world) error {
	if err := active(ctx, w); err != nil {
		return err
	}
	return w.sys.SetPolicy(ctx, w.card.CUID(), "PIN_RESET=YES;RESET_PIN_RESET_TO_NO=YES")
}

func formatted(ctx context.Context, w *world, _ token.Record) error {
	r, err := w.record(ctx)
	if err == nil && (r.Status != token.Formatted || r.UserID != "") {
		err = fmt.Errorf("the token is %s and belongs to %q", r.Status, r.UserID)
	}
	return err
}

// enrolled wants an active token of the person that signs and decrypts.
func enrolled(ctx context.Context, w *world, _ token.Record) error {
	r, err := w.record(ctx)
	if err != nil {
		return err
	}
	if r.Status != token.Active || r.UserID != person {
		return fmt.Errorf("the token is %s and belongs to %q", r.Status, r.UserID)
	}
	held, err := w.held(ctx)
	if err != nil {
		return err
	}
	var got []string
	for _, c := range held {
		if c.Status == token.CertActive {
			got = append(got, c.KeyType)
		}
	}
	slices.Sort(got)
	if strings.Join(got, " ") != "encryption signing" {
		return fmt.Errorf("the token holds certificates in use for %q", got)
	}
	return nil
}

// recovered wants the encryption key of the former token, if the operation had not ended by itself
// before: then the last try enrolled the token again.
func recovered(ctx context.Context, w *world, before token.Record) error {
	if err := enrolled(ctx, w, before); err != nil || before.Status == token.Active {
		return err
	}
	theirs, err := certificatesOf(ctx, w.sys.Store(), w.former.CUID())
	if err != nil {
		return err
	}
	held, err := w.held(ctx)
	if err != nil {
		return err
	}
	for _, c := range held {
		if c.KeyType != "encryption" {
			continue
		}
		if !slices.ContainsFunc(theirs, func(t token.Certificate) bool { return t.CertID == c.CertID }) {
			return fmt.Errorf("encryption certificate %s is not that of the former token", c.Serial)
		}
	}
	return nil
}

// reset wants a card that takes the PIN; it is accepted that there was nothing left to do.
func reset(ctx context.Context, w *world, before token.Record) error {
	return enrolled(ctx, w, before)
}

// doneBefore tells that a try was refused because the one before it had done everything.
func doneBefore(o operation, err error) bool {
	var refused *esc.OperationError
	return o.what == wire.OpResetPIN && errors.As(err, &refused) &&
		refused.Status == wire.StatusNotPINResetable
}
