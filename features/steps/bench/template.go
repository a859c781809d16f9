package bench

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Expand reads the bytes of a step: hex digits with spaces where they help, {name} for values that
// differ from card to card or come from an earlier step, and [ ] around what is preceded by its
// length in one byte: "00A40400 [{isd}] 00".
func (w *Work) Expand(text string) ([]byte, error) {
	e := expansion{w: w, rest: text}
	out, err := e.until(0, 0)
	if err != nil {
		return nil, fmt.Errorf("bytes %q: %w", text, err)
	}
	return out, nil
}

type expansion struct {
	w    *Work
	rest string
}

const (
	maxNesting  = 8
	maxExpanded = 65544 // bytes: the longest extended command
)

// until expands up to a closing bracket, or the end.
func (e *expansion) until(end byte, depth int) ([]byte, error) {
	var out []byte
	if depth > maxNesting {
		return nil, fmt.Errorf("nested too deep")
	}
	for len(e.rest) > 0 && len(out) <= maxExpanded {
		c := e.rest[0]
		switch {
		case c == ' ':
			e.rest = e.rest[1:]
		case c == end && end != 0:
			e.rest = e.rest[1:]
			return out, nil
		case c == '[':
			e.rest = e.rest[1:]
			inner, err := e.until(']', depth+1)
			if err != nil {
				return nil, err
			}
			if len(inner) > 0xFF {
				return nil, fmt.Errorf("%d bytes do not go with a length of one byte", len(inner))
			}
			out = append(append(out, byte(len(inner))), inner...)
		case c == '{':
			name, rest, ok := strings.Cut(e.rest[1:], "}")
			if !ok {
				return nil, fmt.Errorf("a brace is not closed")
			}
			v, err := e.w.value(name)
			if err != nil {
				return nil, err
			}
			out, e.rest = append(out, v...), rest
		default:
			if len(e.rest) < 2 {
				return nil, fmt.Errorf("half a byte")
			}
			b, err := hex.DecodeString(e.rest[:2])
			if err != nil {
				return nil, err
			}
			out, e.rest = append(out, b...), e.rest[2:]
		}
	}
	if end != 0 {
		return nil, fmt.Errorf("a bracket is not closed")
	}
	return out, nil
}

// value gives what a name stands for. Random values are new each time.
func (w *Work) value(name string) ([]byte, error) {
	word, arg, _ := strings.Cut(name, " ")
	switch word {
	case "isd":
		return w.ISD, nil
	case "rid":
		return w.ISD[:5], nil
	case "kvn":
		return []byte{byte(w.Base.KVN)}, nil
	case "absent":
		return []byte{absentKVN}, nil
	case "unknown":
		return unknownAID, nil
	case "applet":
		var line byte
		_, _ = fmt.Sscan(w.Facts["appletline"], &line) // 14 stands for version 1.4
		return []byte{line % 10}, nil
	case "random", "zero":
		var n int
		if _, err := fmt.Sscan(arg, &n); err != nil || n < 0 || n > maxExpanded {
			return nil, fmt.Errorf("{%s}: want a number of bytes", name)
		}
		b := make([]byte, n)
		if word == "random" {
			w.Random(b)
		}
		return b, nil
	}
	return w.Noted(name)
}

// absentKVN is a key version that the catalogue leaves alone.
const absentKVN = 0x6E

// unknownAID names no application: its registered provider is nobody.
var unknownAID = []byte{0xF0, 'n', 'o', 'b', 'o', 'd', 'y', 0x00, 0x01}
