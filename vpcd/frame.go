package vpcd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxMessage is the longest command or response that the protocol carries, in bytes.
const MaxMessage = 65535

// maxATR is the longest answer to reset, in bytes (ISO/IEC 7816-3 §8.2.1: TS and up to 32 more).
const maxATR = 33

const headerLen = 2

// Controls: messages of one byte that the reader sends.
const (
	ctlPowerOff byte = 0x00
	ctlPowerOn  byte = 0x01
	ctlReset    byte = 0x02
	ctlATR      byte = 0x04
)

var (
	// ErrTooLong refuses a message of more than MaxMessage bytes.
	ErrTooLong = errors.New("message longer than 65535 bytes")
	// ErrTooShort refuses a command of less than two bytes: one byte alone is a control.
	ErrTooShort = errors.New("command shorter than 2 bytes")
	// ErrProtocol says that the peer sent what the protocol does not allow; the connection is over.
	ErrProtocol = errors.New("protocol violated")
)

// appendFrame appends the message with its length in front to dst.
func appendFrame(dst, message []byte) ([]byte, error) {
	if len(message) > MaxMessage {
		return dst, fmt.Errorf("%w: %d bytes", ErrTooLong, len(message))
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(message)))
	return append(dst, message...), nil
}

// frameReader takes messages from a stream. It never holds more than one message.
type frameReader struct {
	r   *bufio.Reader
	buf []byte
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: bufio.NewReader(r)}
}

// next returns the next message, which stays valid until the call after. A stream that ends
// between messages gives io.EOF alone; one that ends inside gives io.ErrUnexpectedEOF, wrapped.
func (f *frameReader) next() ([]byte, error) {
	var header [headerLen]byte
	if n, err := io.ReadFull(f.r, header[:]); err != nil {
		if n > 0 {
			return nil, fmt.Errorf("length cut short after %d byte: %w", n, unexpected(err))
		}
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(header[:]))
	if length == 0 {
		return nil, fmt.Errorf("%w: message of 0 bytes", ErrProtocol)
	}
	if cap(f.buf) < length {
		f.buf = make([]byte, length)
	}
	f.buf = f.buf[:length]
	if n, err := io.ReadFull(f.r, f.buf); err != nil {
		return nil, fmt.Errorf("message cut short after %d of %d bytes: %w", n, length, unexpected(err))
	}
	return f.buf, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
