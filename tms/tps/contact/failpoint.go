package contact

import "fmt"

// The names of failpoints: before and after each intent and outcome of a contact.
const (
	FailLoadIntent    = "format.load.intent"    // intent recorded, applet not yet deleted
	FailLoadDone      = "format.load.done"      // applet loaded, outcome not recorded
	FailLoadOutcome   = "format.load.outcome"   // outcome recorded
	FailPutKeyIntent  = "format.putkey.intent"  // intent recorded, PUT KEY not sent
	FailPutKeyDone    = "format.putkey.done"    // PUT KEY answered, outcome not recorded
	FailPutKeyOutcome = "format.putkey.outcome" // outcome recorded, new keys not used yet
)

// At is called at a failpoint by its name. An error ends the operation.
func (e *Env) At(name string) error {
	if e.Failpoint == nil {
		return nil
	}
	if err := e.Failpoint(name); err != nil {
		return fmt.Errorf("%w %s: %w", ErrKilled, name, err)
	}
	return nil
}
