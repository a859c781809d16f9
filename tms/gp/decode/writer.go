package decode

import (
	"encoding/hex"
	"fmt"
	"strings"

	"tokenwright/tms/gp/apdu"
)

// span is a range of bytes, from first to one behind the last.
type span struct{ from, to int }

// writer collects the fields of a line and the parts of data that must not be shown.
type writer struct {
	data   []byte
	fields []Field
	spans  []span
}

func (w *writer) add(name, value string) {
	w.fields = append(w.fields, Field{Name: name, Value: clean(value)})
}

func (w *writer) addf(name, format string, args ...any) {
	w.add(name, fmt.Sprintf(format, args...))
}

// bytes adds a field of public bytes.
func (w *writer) bytes(name string, b []byte) { w.add(name, hexOf(b)) }

// hide adds a field that tells the length of n secret bytes at from in the data.
func (w *writer) hide(name string, from, n int) {
	w.fields = append(w.fields, Field{
		Name: name, Value: fmt.Sprintf("(%d bytes hidden)", n), Secret: true,
	})
	w.cover(from, n)
}

// cover hides bytes without a field.
func (w *writer) cover(from, n int) { w.spans = append(w.spans, span{from, from + n}) }

// opaque adds the data as they are, or only their length.
func (w *writer) opaque(name string, secret bool) {
	switch {
	case len(w.data) == 0:
	case secret:
		w.hide(name, 0, len(w.data))
	default:
		w.addf(name, "(%d bytes)", len(w.data))
	}
}

// unreadable replaces whatever was collected: fields may be half right and spans missing.
func (w *writer) unreadable(err error, secret bool) {
	w.fields, w.spans = nil, nil
	w.add("unreadable", err.Error())
	w.opaque("data", secret)
}

// commandHex prints a command with the spans, which count from the start of the data, hidden.
func commandHex(b []byte, c apdu.Command, spans []span) string {
	start := 5
	if c.Extended {
		start = 7
	}
	return maskedHex(b, start, spans)
}

// maskedHex prints b in hex with the spans, moved by start, as asterisks.
func maskedHex(b []byte, start int, spans []span) string {
	out := []byte(hexOf(b))
	for _, s := range spans {
		from, to := max(s.from+start, 0), min(s.to+start, len(b))
		for i := from; i < to; i++ {
			out[2*i], out[2*i+1] = '*', '*'
		}
	}
	return string(out)
}

func hexOf(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// clean keeps foreign text from moving a terminal's cursor or forging a line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, s)
}
