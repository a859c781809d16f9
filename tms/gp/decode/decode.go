// Package decode names what goes to a card and what comes back, for traces, reports and pages, and
// hides what nobody may read there: PINs, passwords, nonces, random numbers, keys plain or wrapped,
// and the data of every command it does not know.
//
// It works on bytes as they stand on the wire, wrapped for a secure channel or not, and needs no
// key; of encrypted data it shows the length. It never fails: malformed input becomes a line that
// says so. It does no input or output and keeps nothing but the state of a Tracker.
package decode

import (
	"fmt"
	"strings"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// Target is the application that a command goes to.
type Target uint8

// Targets. TargetUnknown decides by class and instruction byte.
const (
	TargetUnknown Target = iota
	TargetISD
	TargetCoolKey
)

// Options say what the bytes alone do not. The zero value knows nothing and is safe.
type Options struct {
	Target Target
	// Level is the security level of the secure channel, P1 of EXTERNAL AUTHENTICATE, which tells
	// what of a wrapped command and its answer is encrypted. Zero: not known, taken for C-MAC only.
	Level byte
	// Unwrapped says that secure messaging has been removed although the class byte announces it.
	Unwrapped bool
}

// Field is one named part of a command or an answer. The Value of a Secret one tells its length.
type Field struct {
	Name   string
	Value  string
	Secret bool
}

// Line is a decoded command or answer. Name is the name of the command, or the status word with its
// meaning. Hex are the bytes in upper-case hex, each secret byte as two asterisks. None of it
// contains control characters, whatever the card sent.
type Line struct {
	Name   string
	Fields []Field
	Hex    string
}

// String is the line without the bytes: "SET PIN: number 0, PIN (8 bytes hidden)".
func (l Line) String() string {
	if len(l.Fields) == 0 {
		return l.Name
	}
	parts := make([]string, len(l.Fields))
	for i, f := range l.Fields {
		parts[i] = strings.TrimSpace(f.Name + " " + f.Value)
	}
	return l.Name + ": " + strings.Join(parts, ", ")
}

// Field returns the value of the first field with the given name.
func (l Line) Field(name string) (string, bool) {
	for _, f := range l.Fields {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

// Command decodes a command APDU.
func Command(b []byte, o Options) Line {
	c, err := apdu.Parse(b)
	if err != nil {
		return malformed("malformed command", b, err)
	}
	s := lookup(c, o)
	w := &writer{}
	p, wrap := unwrap(c, o)
	w.data = p.Data
	switch {
	case wrap.encrypted:
		w.opaque("encrypted data", s.secret)
	case s.command == nil: // takes no data that anybody should know
		w.opaque("data", true)
	default:
		if err := s.command(w, p); err != nil {
			w.unreadable(err, s.secret)
		}
	}
	switch {
	case wrap.mac == nil:
	case s.secret: // what looks like a MAC may be the end of a PIN that was never wrapped
		w.hide("MAC", len(p.Data), macLen)
	default:
		w.bytes("MAC", wrap.mac)
	}
	return Line{Name: s.title(p), Fields: w.fields, Hex: commandHex(b, c, w.spans)}
}

// Response decodes the answer resp to the command cmd.
func Response(cmd, resp []byte, o Options) Line {
	r, err := apdu.ParseResponse(resp)
	if err != nil {
		return malformed("malformed response", resp, err)
	}
	s := unknown
	var c apdu.Command
	if c, err = apdu.Parse(cmd); err == nil {
		s = lookup(c, o)
	}
	w := &writer{}
	p, _ := unwrap(c, o)
	data, wrap := unwrapAnswer(c, r, o)
	w.data = data
	switch {
	case len(data) == 0:
	case wrap.encrypted:
		w.opaque("encrypted data", s.secretAnswer)
	case s.answer == nil:
		w.opaque("data", true)
	case !r.SW.OK() && !r.SW.Warning():
		w.opaque("data", s.secretAnswer)
	default:
		if err := s.answer(w, p, data); err != nil {
			w.unreadable(err, s.secretAnswer)
		}
	}
	if wrap.mac != nil {
		if s.secretAnswer {
			w.hide("MAC", len(data), macLen)
		} else {
			w.bytes("MAC", wrap.mac)
		}
	}
	return Line{Name: r.SW.Error(), Fields: w.fields, Hex: maskedHex(resp, 0, w.spans)}
}

// malformed shows no byte of what could not be read.
func malformed(name string, b []byte, err error) Line {
	return Line{
		Name:   name,
		Fields: []Field{{Name: "reason", Value: clean(err.Error())}},
		Hex:    maskedHex(b, 0, []span{{0, len(b)}}),
	}
}

// wrapping is what secure messaging did to a command or an answer.
type wrapping struct {
	mac       []byte
	encrypted bool
}

const (
	macLen = 8

	levelCDecryption = 0x02
	levelRMAC        = 0x10
	levelREncryption = 0x20
)

// unwrap cuts the MAC off a wrapped command and tells whether the rest is encrypted.
func unwrap(c apdu.Command, o Options) (apdu.Command, wrapping) {
	if !apdu.Secure(c.CLA) || o.Unwrapped || isHandshake(c) || len(c.Data) < macLen {
		return c, wrapping{}
	}
	n := len(c.Data) - macLen
	w := wrapping{mac: c.Data[n:], encrypted: o.Level&levelCDecryption != 0 && n > 0}
	c.Data = c.Data[:n:n]
	if n == 0 {
		c.Data = nil
	}
	return c, w
}

// unwrapAnswer does the same to the answer of a wrapped command.
func unwrapAnswer(c apdu.Command, r apdu.Response, o Options) ([]byte, wrapping) {
	protected := r.SW.OK() || r.SW.Warning()
	if !apdu.Secure(c.CLA) || o.Unwrapped || isHandshake(c) || o.Level&levelRMAC == 0 ||
		!protected || len(r.Data) < macLen {
		return r.Data, wrapping{}
	}
	n := len(r.Data) - macLen
	return r.Data[:n], wrapping{
		mac: r.Data[n:], encrypted: o.Level&levelREncryption != 0 && n > 0,
	}
}

func isHandshake(c apdu.Command) bool {
	return c.CLA != 0xB0 && (c.INS == 0x50 || c.INS == 0x82)
}

// spec is how to show one kind of command. secret and secretAnswer say that data may not be shown
// when they cannot be taken apart.
type spec struct {
	name         string
	secret       bool
	command      func(*writer, apdu.Command) error
	secretAnswer bool
	answer       func(*writer, apdu.Command, []byte) error
	variant      func(apdu.Command) string // a more exact name
}

// unknown hides everything behind the header.
var unknown = spec{secret: true, secretAnswer: true}

func (s spec) title(c apdu.Command) string {
	switch {
	case s.name == "":
		return fmt.Sprintf("unknown command %02X %02X %02X %02X", c.CLA, c.INS, c.P1, c.P2)
	case s.variant != nil:
		if v := s.variant(c); v != "" {
			return s.name + " " + v
		}
	}
	return s.name
}

// lookup finds how to show c. Instructions that both the security domain and the applet know in
// the same class are told apart by the target, or by P1.
func lookup(c apdu.Command, o Options) spec {
	var table map[byte]spec
	switch {
	case c.CLA == 0xB0:
		table = coolkeySpecs
	case c.CLA&0x80 == 0:
		table = isoSpecs
	default:
		if s, ok := coolkeySpecs[c.INS]; ok && toApplet(c, o) {
			return s
		}
		table = gpSpecs
	}
	if s, ok := table[c.INS]; ok {
		return s
	}
	return unknown
}

// toApplet reports whether a command of class 80 or 84 is one of the applet's. Without a target,
// instructions that the security domain does not know are; of the shared ones GET STATUS and SET
// STATUS have a scope in P1, which the applet's commands do not.
func toApplet(c apdu.Command, o Options) bool {
	switch o.Target {
	case TargetISD:
		return false
	case TargetCoolKey:
		return true
	}
	if _, shared := gpSpecs[c.INS]; !shared {
		return true
	}
	switch gp.Scope(c.P1) {
	case gp.ScopeISD, gp.ScopeApplications, gp.ScopeLoadFiles, gp.ScopeModules, gp.ScopeSDAndApps:
		return false
	default:
		return c.INS == gp.INSGetStatus || c.INS == gp.INSSetStatus
	}
}
