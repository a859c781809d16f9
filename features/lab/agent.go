package lab

import (
	"context"
	"time"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// SetPolicy changes the policy of a token, as an agent does: what text says comes over what there was.
func (l *Lab) SetPolicy(ctx context.Context, cuid keys.CUID, text string) error {
	p, err := token.ParsePolicy(text)
	if err != nil {
		return err
	}
	old, err := l.Store().Token(ctx, cuid)
	if err != nil {
		return err
	}
	next := old
	next.Policy = p.Over(old.Policy)
	_, err = l.Store().Apply(ctx, store.Change{
		CUID: cuid, Old: &old, New: &next, Actor: "agent", Why: "policy " + text, At: time.Now(),
	})
	return err
}
