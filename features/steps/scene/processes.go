package scene

import (
	"context"

	"tokenwright/features/lab"
)

// Processes starts a system whose parts are processes of their own; the caller closes it.
func (s *Scene) Processes(ctx context.Context, tps map[string]string) (*lab.Processes, error) {
	return s.labs.Processes(ctx, tps)
}
