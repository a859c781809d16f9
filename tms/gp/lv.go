package gp

import (
	"fmt"

	"tokenwright/tms/gp/tlv"
)

// reader takes length-value fields off the front of a data field. The first error sticks and makes
// every later field empty.
type reader struct {
	rest []byte
	err  error
}

// lv reads a field whose length is coded in BER, in the shortest form (GPCS 2.3.1 §11.5.2.3). An
// empty field is nil.
func (r *reader) lv(what string) []byte {
	if r.err != nil {
		return nil
	}
	n, size, rest, err := tlv.ReadLength(r.rest)
	if err != nil {
		r.err = fmt.Errorf("%w: length of %s: %w", ErrData, what, err)
		return nil
	}
	if n > len(rest) {
		r.err = fmt.Errorf("%w: %s of %d bytes, %d left", ErrData, what, n, len(rest))
		return nil
	}
	if size != len(tlv.AppendLength(nil, n)) {
		r.err = fmt.Errorf("%w: length of %s takes %d bytes", ErrData, what, size)
		return nil
	}
	r.rest = rest[n:]
	if n == 0 {
		return nil
	}
	return rest[:n:n]
}

// aid reads a field that is empty or an AID.
func (r *reader) aid(what string) AID {
	v := r.lv(what)
	if r.err != nil || v == nil {
		return nil
	}
	a, err := aidOf(v)
	if err != nil {
		r.err = fmt.Errorf("%s: %w", what, err)
	}
	return a
}

// none reads a field that must be empty.
func (r *reader) none(what string) {
	if v := r.lv(what); v != nil && r.err == nil {
		r.err = fmt.Errorf("%w: %s is not empty", ErrData, what)
	}
}

// byte reads one byte.
func (r *reader) byte(what string) byte {
	v := r.take(what, 1)
	if v == nil {
		return 0
	}
	return v[0]
}

// take reads n bytes; nil after an error.
func (r *reader) take(what string, n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > len(r.rest) {
		r.err = fmt.Errorf("%w: %s of %d bytes, %d left", ErrData, what, n, len(r.rest))
		return nil
	}
	v := r.rest[:n:n]
	r.rest = r.rest[n:]
	return v
}

// end returns the sticking error, or one if bytes are left.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		return fmt.Errorf("%w: %d bytes too many", ErrData, len(r.rest))
	}
	return r.err
}

func appendLV(dst []byte, values ...[]byte) []byte {
	for _, v := range values {
		dst = append(tlv.AppendLength(dst, len(v)), v...)
	}
	return dst
}
