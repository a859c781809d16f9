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
	return setPolicy(ctx, l.Store(), cuid, text)
}

func setPolicy(ctx context.Context, db store.Store, cuid keys.CUID, text string) error {
	p, err := token.ParsePolicy(text)
	if err != nil {
		return err
	}
	old, err := db.Token(ctx, cuid)
	if err != nil {
		return err
	}
	next := old
	next.Policy = p.Over(old.Policy)
	_, err = db.Apply(ctx, store.Change{
		CUID: cuid, Old: &old, New: &next, Actor: "agent", Why: "policy " + text, At: time.Now(),
	})
	return err
}
