package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Bounds of the framing.
const (
	// DefaultMaxMessage is the largest N that is accepted unless configured otherwise
	// (tps.connection.maxMessageSize).
	DefaultMaxMessage = 9999
	// LargestMaxMessage is the most that can be configured.
	LargestMaxMessage = 1 << 20

	maxSizeDigits = 7
)

// Errors of FrameReader.
var (
	ErrFraming = errors.New("bad framing")
	ErrTooLong = errors.New("message is too long")
)

// FrameReader cuts a byte stream into messages by their "s=" lengths; how the stream was cut
// into chunks before does not matter to it.
type FrameReader struct {
	r       *bufio.Reader
	largest int
}

// NewFrameReader reads from r. largest bounds N; 0 means DefaultMaxMessage, and more than
// LargestMaxMessage means that.
func NewFrameReader(r io.Reader, largest int) *FrameReader {
	if largest <= 0 {
		largest = DefaultMaxMessage
	}
	return &FrameReader{r: bufio.NewReader(r), largest: min(largest, LargestMaxMessage)}
}

// Next answers the payload of the next message, what follows "s=<N>&", in a slice of its own.
// It answers io.EOF when the stream ends between messages, io.ErrUnexpectedEOF when it ends
// inside one, and wraps ErrFraming or ErrTooLong for a prefix that is not one.
func (f *FrameReader) Next() ([]byte, error) {
	n, err := f.size()
	if err != nil {
		return nil, err
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(f.r, payload); err != nil {
		return nil, inside(err)
	}
	return payload, nil
}

// size reads "s=<N>&".
func (f *FrameReader) size() (int, error) {
	for i, want := range []byte("s=") {
		c, err := f.r.ReadByte()
		if err != nil {
			if i == 0 {
				return 0, err
			}
			return 0, inside(err)
		}
		if c != want {
			return 0, fmt.Errorf(`%w: message does not start with "s="`, ErrFraming)
		}
	}
	n := 0
	for digits := 0; ; digits++ {
		c, err := f.r.ReadByte()
		switch {
		case err != nil:
			return 0, inside(err)
		case c == '&' && digits > 0:
			if n == 0 {
				return 0, fmt.Errorf("%w: message of no bytes", ErrFraming)
			}
			if n > f.largest {
				return 0, fmt.Errorf("%w: %d bytes, at most %d allowed", ErrTooLong, n, f.largest)
			}
			return n, nil
		case c < '0' || c > '9':
			return 0, fmt.Errorf("%w: length is not a decimal number", ErrFraming)
		case digits == maxSizeDigits:
			return 0, fmt.Errorf("%w: length has more than %d digits", ErrTooLong, maxSizeDigits)
		}
		n = n*10 + int(c-'0')
	}
}

func inside(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
