package store

import (
	"context"

	"tokenwright/tms/token"
)

// Batch is a part of one home that is copied into another as it is: revisions, times and ids stay.
type Batch struct {
	Tokens       []token.Record
	Activities   []token.Activity
	Intents      []token.Intent // in the order of recording
	Certificates []token.Certificate
}

// Counts are how many of each a home holds.
type Counts struct {
	Tokens, Activities, Intents, Certificates int64
}

// Zero says that a home is empty.
func (c Counts) Zero() bool { return c == Counts{} }

// Importer is a home that others can be copied into.
type Importer interface {
	// Import takes a batch. What is there already stays as it is, so that a batch may be imported
	// again after an error, of which any part may have been taken.
	Import(ctx context.Context, b Batch) error
	// Count counts what is there, without a limit in time but that of ctx.
	Count(ctx context.Context) (Counts, error)
}
