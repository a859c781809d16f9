package apdu

import (
	"encoding/binary"
	"fmt"
)

// MaxResponse is the largest response APDU in bytes: 65536 of data and the status word.
const MaxResponse = MaxExtendedNe + 2

// Response is a response APDU: data, which may be empty, and the status word.
type Response struct {
	Data []byte
	SW   SW
}

// ParseResponse reads a response APDU of 2 to MaxResponse bytes. Data aliases b. The error wraps
// ErrTruncated or ErrTooLong.
func ParseResponse(b []byte) (Response, error) {
	switch {
	case len(b) < 2:
		return Response{}, fmt.Errorf("%w: response of %d bytes, at least 2", ErrTruncated, len(b))
	case len(b) > MaxResponse:
		return Response{}, fmt.Errorf("%w: response of %d bytes, at most %d", ErrTooLong, len(b),
			MaxResponse)
	}
	n := len(b) - 2
	r := Response{SW: SW(binary.BigEndian.Uint16(b[n:]))}
	if n > 0 {
		r.Data = b[:n:n]
	}
	return r, nil
}

// Bytes encodes the response: data, then the status word.
func (r Response) Bytes() []byte {
	out := make([]byte, 0, len(r.Data)+2)
	out = append(out, r.Data...)
	return binary.BigEndian.AppendUint16(out, uint16(r.SW))
}

// Err is nil when the status word is 9000, and the status word itself otherwise, so that
// errors.Is(err, SW6A88) works.
func (r Response) Err() error {
	if r.SW.OK() {
		return nil
	}
	return r.SW
}

// String shows the status word and the length of the data, never the data.
func (r Response) String() string {
	if len(r.Data) == 0 {
		return r.SW.Error()
	}
	return fmt.Sprintf("data %d bytes, %v", len(r.Data), r.SW.Error())
}

// Format makes every verb print what String prints.
func (r Response) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(r.String()))
}
