package wire

import (
	"fmt"
	"strconv"
)

func (p *parser) fail(name string, err error) {
	if p.err == nil {
		p.err = fmt.Errorf("%s: %w", name, err)
	}
}

func (p *parser) lookup(name string) (string, bool) { return Fields(p.fields).Get(name) }

func (p *parser) require(name string) string {
	v, ok := p.lookup(name)
	if !ok {
		p.fail(name, ErrMissingField)
	}
	return v
}

func (p *parser) number(name string, largest int) int {
	v := p.require(name)
	if p.err != nil {
		return 0
	}
	n, ok := decimal(v)
	if !ok || n > largest {
		p.fail(name, fmt.Errorf("%w: not a number from 0 to %d", ErrField, largest))
		return 0
	}
	return n
}

// decimal reads one to eight digits: no sign, no blank.
func decimal(s string) (int, bool) {
	if s == "" || len(s) > 8 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// flag reads 0 or 1; an absent flag is 0, as old servers leave some out.
func (p *parser) flag(name string) bool {
	if _, ok := p.lookup(name); !ok {
		return false
	}
	return p.number(name, 1) == 1
}

// percentEcho reads the echo of a status update, which no server looks at.
func (p *parser) percentEcho() int {
	if _, ok := p.lookup("current_state"); !ok {
		return 0
	}
	return p.number("current_state", maxInt)
}

func (p *parser) either(name string) string { return unescapeEither(p.require(name)) }

func (p *parser) secret(name string) Secret { return NewSecret(p.either(name)) }

func (p *parser) asqResponse() Message {
	if _, ok := p.lookup("answer"); !ok {
		if _, ok := p.lookup("question"); ok {
			return ASQResponse{p.secret("question")}
		}
	}
	return ASQResponse{p.secret("answer")}
}

func (p *parser) task(name string) string {
	v := p.require(name)
	for i := range len(v) {
		if !isTaskByte(v[i]) {
			p.fail(name, fmt.Errorf("%w: byte %d is not visible ASCII", ErrField, i))
			return ""
		}
	}
	return v
}

func (p *parser) pdu(shortest int) []byte {
	size := p.number("pdu_size", MaxPDU)
	raw := p.require("pdu_data")
	if p.err != nil {
		return nil
	}
	b, err := unescape(raw)
	switch {
	case err != nil:
		p.fail("pdu_data", err)
	case len(b) != size:
		p.fail("pdu_data", fmt.Errorf("%w: %d and %d", ErrPDUSize, size, len(b)))
	case size < shortest:
		p.fail("pdu_data", fmt.Errorf("%w: %d bytes, want at least %d", ErrField, size, shortest))
	}
	if p.err != nil {
		return nil
	}
	return b
}
