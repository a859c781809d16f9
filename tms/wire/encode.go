package wire

import (
	"errors"
	"fmt"
	"strings"
)

const upperHex = "0123456789ABCDEF"

var errEscape = errors.New("bad %HH escape")

// appendPercentAll writes every byte as %HH in upper case: what a server's pdu_data must be.
func appendPercentAll(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
	}
	return dst
}

// appendEscaped writes letters and digits as they are, a blank as "+" and every other byte as
// %HH: what clients send everywhere, and servers in texts.
func appendEscaped[T string | []byte](dst []byte, s T) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case isAlnum(c):
			dst = append(dst, c)
		case c == ' ':
			dst = append(dst, '+')
		default:
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

// unescape undoes both encodings: %HH in either case, "+" as a blank, other bytes as they are.
func unescape(s string) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return nil, fmt.Errorf("%w at offset %d", errEscape, i)
			}
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if !ok1 || !ok2 {
				return nil, fmt.Errorf("%w at offset %d", errEscape, i)
			}
			out = append(out, hi<<4|lo)
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out, nil
}

// unescapeEither reads a value that one client sends raw and another URL-encoded. The rule: a
// value made only of what an encoder leaves behind (letters, digits, ".-_*~", "+" and whole
// %HH escapes) is encoded; a value with any other byte is raw and taken as it is. So a raw
// value is misread only if it looks encoded from end to end and holds "+" or %HH; a client
// that encodes is never misread.
func unescapeEither(s string) string {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return s
			}
			i += 2
			continue
		}
		if !isAlnum(c) && strings.IndexByte(".-_*~+", c) < 0 {
			return s
		}
	}
	b, err := unescape(s)
	if err != nil {
		return s
	}
	return string(b)
}

// cleanInner replaces the bytes that would end a value, or a name, inside a nested k=v&k=v list.
func cleanInner(s string, name bool) string {
	if !strings.ContainsAny(s, "&=") {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if c == '&' || name && c == '=' {
			b[i] = ' '
		}
	}
	return string(b)
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func isHex(c byte) bool { _, ok := unhex(c); return ok }

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
