package pcsc

import (
	"context"
	"fmt"

	"tokenwright/tms/gp/apdu"
)

type transmitFunc func(ctx context.Context, cmd []byte) ([]byte, error)

// Bounds of one command's answer over T=0: the pieces of 61xx come in at most 256 bytes each, and a
// card that promises more without giving any is stopped.
const (
	maxPieces   = 512
	maxResponse = apdu.MaxResponse
)

// overT0 makes a T=0 card look like any other: commands are APDUs, responses whole.
//
//   - A case 1 command gets its P3 of zero, a short case 4 command loses its Le
//     (ISO/IEC 7816-3 §12.2). A command that is no APDU, or an extended one, goes as it is.
//   - 61xx is followed by GET RESPONSE until the response is complete.
//   - 6Cxx repeats the command once with the length that the card asks for, unless it was secured:
//     its MAC is spent.
func overT0(next transmitFunc) transmitFunc {
	return func(ctx context.Context, cmd []byte) ([]byte, error) {
		c, err := apdu.Parse(cmd)
		if err != nil || c.Extended {
			return next(ctx, cmd)
		}
		out, err := next(ctx, tpdu(c, cmd))
		if err != nil {
			return nil, err
		}
		if n, again := wrongLength(c, out); again {
			c.Ne = n
			if cmd, err = c.Bytes(); err != nil {
				return nil, fmt.Errorf("repeating the command with Le %02X: %w", n&0xFF, err)
			}
			if out, err = next(ctx, cmd); err != nil {
				return nil, err
			}
		}
		return collect(ctx, next, c.CLA, out)
	}
}

// tpdu is the command as T=0 sends it; cmd is its APDU.
func tpdu(c apdu.Command, cmd []byte) []byte {
	switch {
	case len(c.Data) == 0 && c.Ne == 0:
		return []byte{c.CLA, c.INS, c.P1, c.P2, 0}
	case len(c.Data) > 0 && c.Ne > 0:
		return cmd[:len(cmd)-1]
	}
	return cmd
}

// wrongLength says which Le a card asks for with 6Cxx, and whether the command may be repeated.
func wrongLength(c apdu.Command, out []byte) (ne int, again bool) {
	if len(out) != 2 || out[0] != 0x6C || len(c.Data) > 0 || apdu.Secure(c.CLA) {
		return 0, false
	}
	return shortNe(out[1]), true
}

func shortNe(b byte) int {
	if b == 0 {
		return 256
	}
	return int(b)
}

// collect fetches what 61xx promises and returns the whole response.
func collect(ctx context.Context, next transmitFunc, cla byte, out []byte) ([]byte, error) {
	if len(out) < 2 || out[len(out)-2] != 0x61 {
		return out, nil
	}
	get, ok := apdu.WithChannel(0x00, apdu.Channel(cla))
	if !ok {
		return out, nil
	}
	var whole []byte
	for range maxPieces {
		body, le := out[:len(out)-2], out[len(out)-1]
		if len(whole)+len(body) > maxResponse-2 {
			return nil, fmt.Errorf("%w: response longer than %d bytes", ErrTransmission, maxResponse)
		}
		whole = append(whole, body...)
		if out[len(out)-2] != 0x61 {
			return append(whole, out[len(out)-2:]...), nil
		}
		var err error
		out, err = next(ctx, []byte{get, 0xC0, 0x00, 0x00, le})
		if err != nil {
			return nil, fmt.Errorf("get response: %w", err)
		}
		if len(out) < 2 {
			return nil, fmt.Errorf("%w: response of %d bytes", ErrTransmission, len(out))
		}
		// GET RESPONSE itself may be corrected once a piece (ISO/IEC 7816-4 §11.8.1).
		if len(out) == 2 && out[0] == 0x6C {
			if out, err = next(ctx, []byte{get, 0xC0, 0x00, 0x00, out[1]}); err != nil {
				return nil, fmt.Errorf("get response: %w", err)
			}
			if len(out) < 2 {
				return nil, fmt.Errorf("%w: response of %d bytes", ErrTransmission, len(out))
			}
		}
	}
	return nil, fmt.Errorf("%w: more than %d pieces of a response", ErrTransmission, maxPieces)
}
