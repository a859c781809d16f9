package conf

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrValue is wrapped by the error about a value that does not fit its key. The value itself
// stands in no error: it may be a secret.
var ErrValue = errors.New("bad value")

// String answers a key's value, or "" when nothing sets it.
func (c *Config) String(key string) string {
	v, _ := c.Lookup(key)
	return v
}

// StringOr answers a key's value, or def when nothing sets it or it is empty.
func (c *Config) StringOr(key, def string) string {
	if v, _ := c.Lookup(key); v != "" {
		return v
	}
	return def
}

// Required answers a key's value; an error when nothing sets it or it is empty.
func (c *Config) Required(key string) (string, error) {
	v, _ := c.Lookup(key)
	if v == "" {
		return "", c.Errorf(key, "%w", ErrMissing)
	}
	return v, nil
}

// OneOf answers a value that must be one of allowed, compared without regard to case and
// answered as allowed spells it; def when the key is not set or empty.
func (c *Config) OneOf(key, def string, allowed ...string) (string, error) {
	v, _ := c.Lookup(key)
	if v == "" {
		return def, nil
	}
	for _, a := range allowed {
		if strings.EqualFold(v, a) {
			return a, nil
		}
	}
	return "", c.Errorf(key, "%w: not one of %s", ErrValue, strings.Join(allowed, ", "))
}

// Int answers a decimal number from smallest to largest; def, which is not checked, when the
// key is not set or empty.
func (c *Config) Int(key string, def, smallest, largest int) (int, error) {
	v, _ := c.Lookup(key)
	if v == "" {
		return def, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < smallest || n > largest {
		return 0, c.Errorf(key, "%w: not a number from %d to %d", ErrValue, smallest, largest)
	}
	return n, nil
}

// Bool answers true or false, in any case; def when the key is not set or empty. Other words
// are an error: an operator who writes "yes" should not get false.
func (c *Config) Bool(key string, def bool) (bool, error) {
	v, _ := c.Lookup(key)
	switch strings.ToLower(v) {
	case "":
		return def, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, c.Errorf(key, "%w: neither true nor false", ErrValue)
}

// Duration answers a time from a whole number of seconds, or from a number with a unit as in
// 1500ms or 2m; def, which is not checked, when the key is not set or empty.
func (c *Config) Duration(key string, def, shortest, longest time.Duration) (time.Duration, error) {
	v, _ := c.Lookup(key)
	if v == "" {
		return def, nil
	}
	if _, err := strconv.Atoi(v); err == nil {
		v += "s"
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < shortest || d > longest {
		return 0, c.Errorf(key, "%w: not a time from %s to %s", ErrValue, shortest, longest)
	}
	return d, nil
}

// Hex answers bytes written as #40#41 or 4041, shortest to longest of them, in a new slice; nil
// when the key is not set or empty.
func (c *Config) Hex(key string, shortest, longest int) ([]byte, error) {
	v, _ := c.Lookup(key)
	if v == "" {
		return nil, nil
	}
	b, err := ParseHex(v)
	if err != nil {
		return nil, c.Errorf(key, "%w", err)
	}
	if len(b) < shortest || len(b) > longest {
		return nil, c.Errorf(key, "%w: %d bytes, want %d to %d", ErrValue, len(b), shortest, longest)
	}
	return b, nil
}

// ParseHex reads bytes written as #40#41 or 4041.
func ParseHex(s string) ([]byte, error) {
	if strings.HasPrefix(s, "#") {
		if len(s)%3 != 0 {
			return nil, fmt.Errorf("%w: byte values are written #HH#HH", ErrValue)
		}
		plain := make([]byte, 0, len(s)/3*2)
		for i := 0; i < len(s); i += 3 {
			if s[i] != '#' {
				return nil, fmt.Errorf("%w: byte values are written #HH#HH", ErrValue)
			}
			plain = append(plain, s[i+1], s[i+2])
		}
		s = string(plain)
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%w: not hexadecimal bytes", ErrValue)
	}
	return b, nil
}

// FormatHex writes bytes as #HH#HH in upper case.
func FormatHex(b []byte) string {
	out := make([]byte, 0, 3*len(b))
	for _, x := range b {
		out = fmt.Appendf(out, "#%02X", x)
	}
	return string(out)
}

// List answers the words of a comma-separated value, trimmed; empty words are dropped. It is
// nil when the key is not set or empty.
func (c *Config) List(key string) []string {
	v, _ := c.Lookup(key)
	var words []string
	for w := range strings.SplitSeq(v, ",") {
		if w = strings.TrimSpace(w); w != "" {
			words = append(words, w)
		}
	}
	return words
}
