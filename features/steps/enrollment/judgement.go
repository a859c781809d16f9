package enrollment

import (
	"context"
	"fmt"

	"tokenwright/features/judge"
	"tokenwright/features/steps/scene"
)

// judgeIssued looks, at the end of every scenario, at all that was issued for its cards: no scenario may
// leave a certificate, revocation list or OCSP answer that other people's programs would not take.
func judgeIssued(ctx context.Context, sn *scene.Scene) error {
	l := sn.Running()
	if l == nil {
		return nil
	}
	var cuids []string
	for _, c := range sn.CUIDs() {
		cuids = append(cuids, c.String())
	}
	if _, err := judge.Tokens(ctx, l.Authorities().CA, cuids...); err != nil {
		return fmt.Errorf("judging what was issued: %w", err)
	}
	return nil
}
