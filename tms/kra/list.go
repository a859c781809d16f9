package kra

import (
	"context"

	"tokenwright/tms/kra/keydb"
)

// List gives archived keys by number, without their private keys, to whoever administers the
// authority's own files and compares them with others.
func (s *Service) List(ctx context.Context, f keydb.KeyFilter) ([]keydb.Key, error) {
	return s.db.Keys(ctx, f)
}
