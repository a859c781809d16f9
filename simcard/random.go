package simcard

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	mathrand "math/rand/v2"
)

// source gives the card's randomness: r itself, a stream that follows from the seed and the card's
// history (how often its memory has been written, how often it has been started), or the system's.
func source(r io.Reader, seed *int64, commits, starts uint64) io.Reader {
	switch {
	case r != nil:
		return r
	case seed == nil:
		return rand.Reader
	}
	b := binary.BigEndian.AppendUint64([]byte("virtual card"), uint64(*seed))
	b = binary.BigEndian.AppendUint64(b, commits)
	b = binary.BigEndian.AppendUint64(b, starts)
	return mathrand.NewChaCha8(sha256.Sum256(b))
}
