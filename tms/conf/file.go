package conf

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds on a file.
const (
	MaxFileSize   = 4 << 20 // bytes
	MaxLineLength = 16 << 10
	maxKeyLength  = 512
)

// Errors of a file, wrapped in *Error which adds the place.
var (
	ErrSyntax    = errors.New("not a comment and not key=value")
	ErrDuplicate = errors.New("key is set twice")
	ErrTooLarge  = errors.New("too large")
	ErrBadText   = errors.New("not plain text in UTF-8")
)

// Error says what is wrong where. Line counts from 1; 0 means no line, as for a key that no
// file sets.
type Error struct {
	File string
	Line int
	Key  string
	Err  error
}

// Error is "file:line: key: what".
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	return b.String() + e.Err.Error()
}

// Unwrap answers the cause.
func (e *Error) Unwrap() error { return e.Err }

// File is one configuration file, kept line by line so that writing it back changes nothing
// but what was set. The zero value is an empty file without a name.
type File struct {
	name  string
	lines []line
	index map[string]int // key -> position in lines
}

// line keeps the text as read, its line end included. start and end delimit the value in raw.
type line struct {
	raw        string
	key        string // empty for blanks and comments
	start, end int
}

func (l line) value() string { return l.raw[l.start:l.end] }

// Parse reads a file from its bytes; name stands in errors.
func Parse(name string, text []byte) (*File, error) {
	if len(text) > MaxFileSize {
		return nil, &Error{File: name, Err: fmt.Errorf("%w: file is over %d bytes",
			ErrTooLarge, MaxFileSize)}
	}
	f := &File{name: name, index: make(map[string]int)}
	for rest := text; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 0 {
			n = len(rest)
		}
		l, err := parseLine(string(rest[:n]), len(f.lines) == 0)
		if err != nil {
			return nil, &Error{File: name, Line: len(f.lines) + 1, Err: err}
		}
		if first, twice := f.index[l.key]; twice {
			return nil, &Error{File: name, Line: len(f.lines) + 1, Key: l.key,
				Err: fmt.Errorf("%w: first on line %d", ErrDuplicate, first+1)}
		}
		if l.key != "" {
			f.index[l.key] = len(f.lines)
		}
		f.lines = append(f.lines, l)
		rest = rest[n:]
	}
	return f, nil
}

const byteOrderMark = "\uFEFF"

func parseLine(raw string, first bool) (line, error) {
	if len(raw) > MaxLineLength {
		return line{}, fmt.Errorf("%w: line is over %d bytes", ErrTooLarge, MaxLineLength)
	}
	text, ended := strings.CutSuffix(raw, "\n")
	if ended { // a carriage return that no line feed follows is a control character
		text = strings.TrimSuffix(text, "\r")
	}
	from := 0
	if first && strings.HasPrefix(text, byteOrderMark) {
		from = len(byteOrderMark)
	}
	if err := checkText(text[from:]); err != nil {
		return line{}, err
	}
	body := strings.TrimLeft(text[from:], " \t")
	if body == "" || body[0] == '#' || body[0] == '!' {
		return line{raw: raw}, nil
	}
	eq := strings.IndexByte(text, '=')
	if eq < 0 {
		return line{}, ErrSyntax
	}
	key := strings.Trim(text[from:eq], " \t")
	if err := checkKey(key); err != nil {
		return line{}, err
	}
	end := len(strings.TrimRight(text, " \t"))
	start := eq + 1
	for start < end && (text[start] == ' ' || text[start] == '\t') {
		start++
	}
	return line{raw: raw, key: key, start: start, end: max(start, end)}, nil
}

func checkText(s string) error {
	if !utf8.ValidString(s) {
		return ErrBadText
	}
	for _, r := range s {
		if r < ' ' && r != '\t' || r == 0x7F {
			return fmt.Errorf("%w: control character %U", ErrBadText, r)
		}
	}
	return nil
}

func checkKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: no key before the equals sign", ErrSyntax)
	case len(key) > maxKeyLength:
		return fmt.Errorf("%w: key is over %d bytes", ErrTooLarge, maxKeyLength)
	case strings.ContainsAny(key, " \t="):
		return fmt.Errorf("%w: blank inside the key", ErrSyntax)
	case key[0] == '#' || key[0] == '!':
		return fmt.Errorf("%w: key starts like a comment", ErrSyntax)
	}
	return checkText(key)
}

// Name is the name that Parse was given.
func (f *File) Name() string { return f.name }

// Bytes answers the file's text in a new slice; what was not set is byte for byte as read.
func (f *File) Bytes() []byte {
	var b bytes.Buffer
	for _, l := range f.lines {
		b.WriteString(l.raw)
	}
	return b.Bytes()
}

// Keys answers the keys in their order.
func (f *File) Keys() []string {
	keys := make([]string, 0, len(f.index))
	for _, l := range f.lines {
		if l.key != "" {
			keys = append(keys, l.key)
		}
	}
	return keys
}

// Get answers a key's value, its line from 1, and whether the file sets it.
func (f *File) Get(key string) (value string, lineNo int, ok bool) {
	i, ok := f.index[key]
	if !ok {
		return "", 0, false
	}
	return f.lines[i].value(), i + 1, true
}

// Set gives key a value: in its line, keeping what stands around the value, or in a new line
// at the end. A key or value that could not be read back is an error and changes nothing.
func (f *File) Set(key, value string) error {
	if err := checkKey(key); err != nil {
		return &Error{File: f.name, Key: key, Err: err}
	}
	if err := checkText(value); err != nil {
		return &Error{File: f.name, Key: key, Err: err}
	}
	if value != strings.Trim(value, " \t") {
		return &Error{File: f.name, Key: key,
			Err: fmt.Errorf("%w: blanks around a value are not kept", ErrSyntax)}
	}
	i, ok := f.index[key]
	l := line{raw: key + "=" + f.lineEnd(), key: key, start: len(key) + 1, end: len(key) + 1}
	if ok {
		l = f.lines[i]
	}
	l.raw = l.raw[:l.start] + value + l.raw[l.end:]
	l.end = l.start + len(value)
	if len(l.raw) > MaxLineLength {
		return &Error{File: f.name, Key: key, Err: ErrTooLarge}
	}
	if ok {
		f.lines[i] = l
		return nil
	}
	f.append(l)
	return nil
}

// append adds a line at the end, ending the one before it first.
func (f *File) append(l line) {
	if f.index == nil {
		f.index = make(map[string]int)
	}
	if n := len(f.lines); n > 0 && !strings.HasSuffix(f.lines[n-1].raw, "\n") {
		f.lines[n-1].raw += f.lineEnd()
	}
	f.index[l.key] = len(f.lines)
	f.lines = append(f.lines, l)
}

// lineEnd is how the file ends its lines.
func (f *File) lineEnd() string {
	if len(f.lines) > 0 && strings.HasSuffix(f.lines[0].raw, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// Unset removes a key's line and reports whether there was one.
func (f *File) Unset(key string) bool {
	at, ok := f.index[key]
	if !ok {
		return false
	}
	f.lines = append(f.lines[:at], f.lines[at+1:]...)
	delete(f.index, key)
	for k, i := range f.index {
		if i > at {
			f.index[k] = i - 1
		}
	}
	return true
}
