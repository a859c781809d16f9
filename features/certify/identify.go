package certify

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/features/evidence"
	"tokenwright/features/steps/bench"
)

// Identify says which card a source holds, by SELECT and GET DATA alone, and closes it again.
func Identify(ctx context.Context, s Source) (cuid string, err error) {
	dev, err := s.Open(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	b := bench.New(bench.NewLink(dev, evidence.NewRecorder(nil), false, nil), 0)
	if err := b.Identify(ctx); err != nil {
		return "", fmt.Errorf("identifying the card: %w", err)
	}
	return b.CUID.String(), nil
}
