package apdu

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of a command APDU (ISO/IEC 7816-3 §12.1).
const (
	MaxShortData    = 255   // bytes of data in a short command
	MaxExtendedData = 65535 // bytes of data in an extended command
	MaxShortNe      = 256   // Ne that a short Le can ask for
	MaxExtendedNe   = 65536 // Ne that an extended Le can ask for

	headerLen = 4
)

// Errors that Parse and Bytes wrap.
var (
	ErrTruncated = errors.New("apdu: truncated")
	ErrLength    = errors.New("apdu: lengths do not add up")
	ErrTooLong   = errors.New("apdu: too long")
)

// Command is a command APDU. The zero value is the four-byte command 00 00 00 00.
//
// Ne is the number of response bytes asked for; 0 means that no Le field is sent. A short Le of 00
// is Ne 256, an extended Le of 0000 is Ne 65536. Extended selects the long form of Lc and Le even
// where the short one would do; it has no effect on a command with neither data nor Le.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte
	Ne               int
	Extended         bool
}

// Parse reads one command APDU. For every b it accepts, Bytes of the result gives b back. Data
// aliases b. It returns an error that wraps ErrTruncated, ErrLength or ErrTooLong.
func Parse(b []byte) (Command, error) {
	if len(b) < headerLen {
		return Command{}, fmt.Errorf("%w: %d bytes, a command has at least 4", ErrTruncated, len(b))
	}
	c := Command{CLA: b[0], INS: b[1], P1: b[2], P2: b[3]}
	body := b[headerLen:]
	switch {
	case len(body) == 0: // case 1
		return c, nil
	case len(body) == 1: // case 2 short
		c.Ne = shortNe(body[0])
		return c, nil
	case body[0] != 0:
		return parseShort(c, body)
	default:
		return parseExtended(c, body)
	}
}

// parseShort reads Lc, data and an optional Le in cases 3 and 4, short.
func parseShort(c Command, body []byte) (Command, error) {
	lc := int(body[0])
	rest := body[1:]
	switch len(rest) {
	case lc:
		c.Data = rest
	case lc + 1:
		c.Data, c.Ne = rest[:lc:lc], shortNe(rest[lc])
	default:
		return Command{}, lengthError(lc, len(rest))
	}
	return c, nil
}

// parseExtended reads the long forms of cases 2, 3 and 4: 00 Le2, or 00 Lc2 data with or without
// Le2.
func parseExtended(c Command, body []byte) (Command, error) {
	if len(body) < 3 {
		return Command{}, fmt.Errorf("%w: extended length field of %d bytes", ErrTruncated, len(body))
	}
	n := int(binary.BigEndian.Uint16(body[1:3]))
	rest := body[3:]
	c.Extended = true
	switch {
	case len(rest) == 0:
		c.Ne = extendedNe(n)
	case n == 0:
		return Command{}, fmt.Errorf("%w: extended Lc 0000 before %d bytes", ErrLength, len(rest))
	case len(rest) == n:
		c.Data = rest
	case len(rest) == n+2:
		c.Data = rest[:n:n]
		c.Ne = extendedNe(int(binary.BigEndian.Uint16(rest[n:])))
	default:
		return Command{}, lengthError(n, len(rest))
	}
	return c, nil
}

func lengthError(lc, have int) error {
	if have < lc {
		return fmt.Errorf("%w: Lc %d but %d bytes follow", ErrTruncated, lc, have)
	}
	return fmt.Errorf("%w: Lc %d but %d bytes follow", ErrLength, lc, have)
}

func shortNe(le byte) int {
	if le == 0 {
		return MaxShortNe
	}
	return int(le)
}

func extendedNe(le int) int {
	if le == 0 {
		return MaxExtendedNe
	}
	return le
}

// Bytes encodes the command. It fails with ErrTooLong when Data or Ne do not fit the form, short
// unless Extended is set, and with ErrLength for a negative Ne.
func (c Command) Bytes() ([]byte, error) {
	maxData, maxNe := MaxShortData, MaxShortNe
	if c.Extended {
		maxData, maxNe = MaxExtendedData, MaxExtendedNe
	}
	switch {
	case len(c.Data) > maxData:
		return nil, fmt.Errorf("%w: %d bytes of data, at most %d", ErrTooLong, len(c.Data), maxData)
	case c.Ne > maxNe:
		return nil, fmt.Errorf("%w: Ne %d, at most %d", ErrTooLong, c.Ne, maxNe)
	case c.Ne < 0:
		return nil, fmt.Errorf("%w: Ne %d", ErrLength, c.Ne)
	}
	out := make([]byte, 0, headerLen+3+len(c.Data)+2)
	out = append(out, c.CLA, c.INS, c.P1, c.P2)
	if c.Extended {
		return c.appendExtended(out), nil
	}
	if len(c.Data) > 0 {
		out = append(out, byte(len(c.Data)))
		out = append(out, c.Data...)
	}
	if c.Ne > 0 {
		out = append(out, byte(c.Ne)) // 256 becomes 00
	}
	return out, nil
}

func (c Command) appendExtended(out []byte) []byte {
	if len(c.Data) > 0 || c.Ne > 0 {
		out = append(out, 0)
	}
	if len(c.Data) > 0 {
		out = binary.BigEndian.AppendUint16(out, uint16(len(c.Data)))
		out = append(out, c.Data...)
	}
	if c.Ne > 0 {
		out = binary.BigEndian.AppendUint16(out, uint16(c.Ne)) // 65536 becomes 0000
	}
	return out
}

// Case returns the ISO/IEC 7816-3 case of the command, 1 to 4.
func (c Command) Case() int {
	switch {
	case len(c.Data) == 0 && c.Ne == 0:
		return 1
	case len(c.Data) == 0:
		return 2
	case c.Ne == 0:
		return 3
	default:
		return 4
	}
}

// Header returns CLA, INS, P1 and P2.
func (c Command) Header() [4]byte {
	return [4]byte{c.CLA, c.INS, c.P1, c.P2}
}

// String shows the header and the length of the data, never the data: it may hold a PIN or a key.
func (c Command) String() string {
	s := fmt.Sprintf("%02X %02X %02X %02X", c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		s += fmt.Sprintf(" data %d bytes", len(c.Data))
	}
	if c.Ne > 0 {
		s += fmt.Sprintf(" Ne %d", c.Ne)
	}
	return s
}

// Format makes every verb print what String prints.
func (c Command) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(c.String()))
}
