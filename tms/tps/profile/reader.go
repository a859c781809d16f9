package profile

import (
	"encoding/base64"
	"encoding/hex"
	"path/filepath"
	"strconv"
	"time"

	"tokenwright/tms/conf"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
)

// reader reads settings and keeps the first error.
type reader struct {
	c   *conf.Config
	dir string
	err error
}

func (r *reader) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(r.dir, p)
}

func keep[T any](r *reader, v T, err error) T {
	if err != nil && r.err == nil {
		r.err = err
	}
	return v
}

func (r *reader) bool(key string, def bool) bool {
	v, err := r.c.Bool(key, def)
	return keep(r, v, err)
}

func (r *reader) int(key string, def, smallest, largest int) int {
	v, err := r.c.Int(key, def, smallest, largest)
	return keep(r, v, err)
}

func (r *reader) aid(key, def string) gp.AID {
	v, err := gp.ParseAID(r.c.StringOr(key, def))
	if err != nil {
		err = r.c.Errorf(key, "%w", err)
	}
	return keep(r, v, err)
}

func (r *reader) aids(key string, def gp.AID) []gp.AID {
	var out []gp.AID
	for _, word := range r.c.List(key) {
		v, err := gp.ParseAID(word)
		if err != nil {
			err = r.c.Errorf(key, "%w", err)
		}
		out = append(out, keep(r, v, err))
	}
	if len(out) == 0 {
		out = []gp.AID{def}
	}
	return out
}

// kvn reads a key version of two hexadecimal digits.
func (r *reader) kvn(key, def string) keys.KVN {
	text := r.c.StringOr(key, def)
	v, err := strconv.ParseUint(text, 16, 8)
	if err != nil || len(text) != 2 {
		err = r.c.Errorf(key, "%w: not two hexadecimal digits", conf.ErrValue)
	}
	return keep(r, keys.KVN(v), err)
}

// days reads a whole number of days.
func (r *reader) days(key string, def int) time.Duration {
	return time.Duration(r.int(key, def, 0, 36_500)) * 24 * time.Hour
}

// bad keeps an error about a key's value.
func (r *reader) bad(key, format string, args ...any) {
	keep(r, 0, r.c.Errorf(key, format, args...))
}

// oneOf reads a word.
func (r *reader) oneOf(key, def string, allowed ...string) string {
	v, err := r.c.OneOf(key, def, allowed...)
	return keep(r, v, err)
}

// keyIdentifier reads a subject key identifier in base64, and gives it in
// lower-case hex.
func (r *reader) keyIdentifier(key string) string {
	b, err := base64.StdEncoding.DecodeString(r.c.String(key))
	if err != nil || len(b) > token.MaxInfo/2 {
		r.bad(key, "%w: no key identifier in base64", conf.ErrValue)
	}
	return hex.EncodeToString(b)
}
