package lab

import (
	"context"
	"sync/atomic"

	"tokenwright/tms/connector"
)

// awayKRA is a KRA that can be out of reach.
type awayKRA struct {
	connector.KRA
	down atomic.Bool
}

// SetKRADown has the KRA answer nobody, or everybody again. A site's KRA is stopped and started instead.
func (l *Lab) SetKRADown(down bool) { l.kra.down.Store(down) }

func (a *awayKRA) GenerateKeyPair(ctx context.Context, r connector.KeyPairRequest) (
	connector.KeyPairResponse, error,
) {
	if a.down.Load() {
		return connector.KeyPairResponse{}, connector.ErrUnavailable
	}
	return a.KRA.GenerateKeyPair(ctx, r)
}

func (a *awayKRA) RecoverKey(ctx context.Context, r connector.KeyRecoveryRequest) (
	connector.KeyPairResponse, error,
) {
	if a.down.Load() {
		return connector.KeyPairResponse{}, connector.ErrUnavailable
	}
	return a.KRA.RecoverKey(ctx, r)
}

func (a *awayKRA) FindKey(ctx context.Context, q connector.KeyQuery) (connector.KeyInfo, error) {
	if a.down.Load() {
		return connector.KeyInfo{}, connector.ErrUnavailable
	}
	return a.KRA.FindKey(ctx, q)
}
