package simcard

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	mathrand "math/rand/v2"
)

// source gives the card's randomness: r itself, a stream that follows from the seed and from how
// often the memory has been written, or the system's.
func source(r io.Reader, seed *int64, history uint64) io.Reader {
	switch {
	case r != nil:
		return r
	case seed == nil:
		return rand.Reader
	}
	b := binary.BigEndian.AppendUint64([]byte("virtual card"), uint64(*seed))
	b = binary.BigEndian.AppendUint64(b, history)
	return mathrand.NewChaCha8(sha256.Sum256(b))
}
