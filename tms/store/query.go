package store

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
)

// Page sizes: what a question gets that asks for none, and the most that any
// question gets.
const (
	DefaultLimit = 100
	MaxLimit     = 2000
)

// Cursor says where the next page begins. It is opaque, printable, valid for
// the same question only, and holds no secret. The empty Cursor is the
// beginning; a page that is the last has an empty Next.
type Cursor string

// TokenQuery asks for records. Empty fields do not narrow it; the others must
// all hold.
type TokenQuery struct {
	UserID string
	Type   string
	// Status are the states to accept; empty accepts all.
	Status []token.State
	// ModifiedFrom is inclusive, ModifiedUntil exclusive.
	ModifiedFrom  time.Time
	ModifiedUntil time.Time
	After         Cursor
	Limit         int
}

// TokenPage is one page of an answer, the latest modified first. A record that
// is modified while one pages moves to the front and is not met again.
type TokenPage struct {
	Tokens []token.Record
	Next   Cursor
}

// ActivityQuery asks for activities. Empty fields do not narrow it; the others
// must all hold.
type ActivityQuery struct {
	CUID    keys.CUID
	UserID  string
	Session string
	Op      token.Op
	Result  token.Result
	// From is inclusive, Until exclusive.
	From  time.Time
	Until time.Time
	After Cursor
	Limit int
}

// ActivityPage is one page of an answer, the latest first.
type ActivityPage struct {
	Activities []token.Activity
	Next       Cursor
}

// IntentQuery asks for intents: the open ones, or all.
type IntentQuery struct {
	CUID keys.CUID
	// Ended asks for closed intents too.
	Ended bool
	After Cursor
	Limit int
}

// IntentPage is one page of an answer, the oldest first.
type IntentPage struct {
	Intents []token.Intent
	Next    Cursor
}

// PageSize returns the number of items to answer with: limit, DefaultLimit when
// it is 0, and MaxLimit when it is more.
func PageSize(limit int) (int, error) {
	switch {
	case limit < 0:
		return 0, fmt.Errorf("%w: page of %d", ErrInvalid, limit)
	case limit == 0:
		return DefaultLimit, nil
	}
	return min(limit, MaxLimit), nil
}

// Position is what a cursor holds: the place of the last item given out, in the
// order of the answer. Homes make cursors of it and read it back.
type Position struct {
	At  time.Time // to the nanosecond
	Key string    // tells items of the same instant apart
}

const (
	cursorVersion = 1
	maxCursor     = 1024
)

// Cursor returns the position in its printable form.
func (p Position) Cursor() Cursor {
	b := []byte{cursorVersion}
	b = binary.BigEndian.AppendUint64(b, uint64(p.At.UnixNano()))
	b = append(b, p.Key...)
	return Cursor(base64.RawURLEncoding.EncodeToString(b))
}

// Position reads the cursor back. Cursors come back from clients: one that
// Position did not make is ErrInvalid. ok is false for the empty cursor.
func (c Cursor) Position() (p Position, ok bool, err error) {
	if c == "" {
		return Position{}, false, nil
	}
	if len(c) > maxCursor {
		return Position{}, false, fmt.Errorf("%w: cursor of %d bytes", ErrInvalid, len(c))
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(c))
	if err != nil || len(b) < 9 || b[0] != cursorVersion {
		return Position{}, false, fmt.Errorf("%w: no cursor of this store", ErrInvalid)
	}
	at := int64(binary.BigEndian.Uint64(b[1:9]))
	p = Position{At: time.Unix(0, at).UTC(), Key: string(b[9:])}
	if p.Cursor() != c { // the decoder passes over line breaks
		return Position{}, false, fmt.Errorf("%w: no cursor of this store", ErrInvalid)
	}
	return p, true, nil
}
