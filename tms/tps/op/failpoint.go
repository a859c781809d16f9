package op

import (
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/routing"
)

// The names of failpoints: before and after each intent and outcome of an operation. Those of
// the applet's load and of PUT KEY are the contact's.
const (
	FailAdmitted = "format.admitted" // record added, nothing done to the card
	FailFinish   = "format.finish"   // card finished, record not
	FailFinished = "format.finished" // record finished, client not told

	FailEnrollAdmitted = "enroll.admitted"       // decided, nothing done to the card
	FailKeyIntent      = "enroll.key.intent"     // intent recorded, no key on the card yet
	FailKeyDone        = "enroll.key.done"       // key on the card, outcome not recorded
	FailKeyOutcome     = "enroll.key.outcome"    // outcome noted
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
		FailAdmitted, contact.FailLoadIntent, contact.FailLoadDone, contact.FailLoadOutcome,
		contact.FailPutKeyIntent, contact.FailPutKeyDone, contact.FailPutKeyOutcome,
		FailFinish, FailFinished,
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
