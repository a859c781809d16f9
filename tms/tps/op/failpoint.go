package op

import (
	"fmt"

	"tokenwright/tms/tps/routing"
)

// The names of failpoints: before and after each intent and outcome of an operation.
const (
	FailAdmitted      = "format.admitted"       // record added, nothing done to the card
	FailLoadIntent    = "format.load.intent"    // intent recorded, applet not yet deleted
	FailLoadDone      = "format.load.done"      // applet loaded, outcome not recorded
	FailLoadOutcome   = "format.load.outcome"   // outcome recorded
	FailPutKeyIntent  = "format.putkey.intent"  // intent recorded, PUT KEY not sent
	FailPutKeyDone    = "format.putkey.done"    // PUT KEY answered, outcome not recorded
	FailPutKeyOutcome = "format.putkey.outcome" // outcome recorded, new keys not used yet
	FailFinish        = "format.finish"         // card finished, record not
	FailFinished      = "format.finished"       // record finished, client not told

	FailEnrollAdmitted = "enroll.admitted"       // decided, nothing done to the card
	FailKeyIntent      = "enroll.key.intent"     // intent recorded, no key on the card yet
	FailKeyDone        = "enroll.key.done"       // key on the card, outcome not recorded
	FailKeyOutcome     = "enroll.key.outcome"    // outcome recorded
	FailContentIntent  = "enroll.content.intent" // intent recorded, objects not written
	FailContentDone    = "enroll.content.done"   // objects written, outcome not recorded
	FailEnrollFinish   = "enroll.finish"         // card finished, record not
	FailEnrollFinished = "enroll.finished"       // record finished, client not told

	FailPINIntent   = "pinreset.intent"   // intent recorded, PIN not set
	FailPINDone     = "pinreset.done"     // PIN set, record not finished
	FailPINFinished = "pinreset.finished" // record finished, client not told
)

// Failpoints lists the names of all failpoints in the order of a format that
// changes keys.
func Failpoints() []string {
	return []string{
		FailAdmitted, FailLoadIntent, FailLoadDone, FailLoadOutcome,
		FailPutKeyIntent, FailPutKeyDone, FailPutKeyOutcome, FailFinish, FailFinished,
	}
}

// EnrollFailpoints lists the names of the failpoints of an enrollment in their order,
// without those of a format that may be part of it. Renewal and recovery pass those
// of them that they have a step for.
func EnrollFailpoints() []string {
	return []string{
		FailEnrollAdmitted, routing.FailArchiveIntent, routing.FailArchiveDone,
		routing.FailArchiveOutcome, FailKeyIntent, FailKeyDone, FailKeyOutcome,
		routing.FailIssueIntent, routing.FailIssueDone, routing.FailIssueOutcome,
		FailContentIntent, FailContentDone, FailEnrollFinish, FailEnrollFinished,
		routing.FailRevokeDone, routing.FailRevokeOutcome,
	}
}

// PINResetFailpoints lists the names of the failpoints of a PIN reset in their order.
func PINResetFailpoints() []string {
	return []string{FailPINIntent, FailPINDone, FailPINFinished}
}

// At is what others call at their failpoints.
func (e *Env) At(name string) error { return e.failpoint(name) }

func (e *Env) failpoint(name string) error {
	if e.Failpoint == nil {
		return nil
	}
	if err := e.Failpoint(name); err != nil {
		return fmt.Errorf("%w %s: %w", ErrKilled, name, err)
	}
	return nil
}
