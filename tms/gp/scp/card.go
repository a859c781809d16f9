package scp

import (
	"crypto/subtle"
	"fmt"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// Card checks commands and protects responses: the on-card end. Make one with NewCard when
// INITIALIZE UPDATE has been answered; call ExternalAuthenticate once, then Unwrap and Wrap in
// turn. The zero value is ended.
type Card struct {
	variant Variant
	session keys.SessionKeys
	opened  bool
	ended   bool
	level   Level // In force now.
	granted Level // By EXTERNAL AUTHENTICATE.

	lastMAC  [8]byte  // SCP01, SCP02: C-MAC verified last.
	chaining [16]byte // SCP03: MAC chaining value.
	commands uint64   // SCP03: encryption counter.

	misbehaviour Misbehaviour

	// State of responses.
	waiting  bool    // A command has been unwrapped and not been answered.
	received []byte  // SCP02: that command, stripped.
	running  [8]byte // SCP02: running R-MAC.
	counting bool    // SCP02: R-MACs are computed.
	change   change  // What the response to come changes once it is on its way.
	asked    Level   // By BEGIN R-MAC SESSION.
	uncount  bool    // SCP02: the exchange under way stays out of the R-MAC.
}

// change is what an R-MAC session command does when its response has been protected.
type change uint8

const (
	changeNothing change = iota
	changeBegin
	changeEnd
)

// NewCard makes the card end of a session. It gives ErrVariant or ErrKeys for a protocol or
// session keys that do not go together. The card keeps sk until the session ends.
func NewCard(v Variant, sk keys.SessionKeys) (*Card, error) {
	if err := v.Validate(); err != nil {
		return nil, fmt.Errorf("secure channel card: %w", err)
	}
	if err := v.checkKeys(sk); err != nil {
		return nil, fmt.Errorf("secure channel card: %w", err)
	}
	return &Card{variant: v, session: sk}, nil
}

// Variant is the protocol of the session.
func (c *Card) Variant() Variant { return c.variant }

// Level is the security level in force, 00 before EXTERNAL AUTHENTICATE and after the end.
func (c *Card) Level() Level { return c.level }

// Ended tells whether the session is over for good.
func (c *Card) Ended() bool { return c.ended || c.session.SMAC.IsZero() }

// Open tells whether EXTERNAL AUTHENTICATE succeeded and the session has not ended.
func (c *Card) Open() bool { return c.opened && !c.Ended() }

// End ends the session and drops the keys. Ending twice is fine.
func (c *Card) End() { *c = Card{variant: c.variant, ended: true} }

// abort ends the session and names the cause.
func (c *Card) abort(op string, err error) error {
	c.End()
	return fmt.Errorf("%s: %w", op, err)
}

// ExternalAuthenticate checks the command that opens the session against the host cryptogram that
// the card expects, and gives the level it asks for. Any failure ends the session, as the whole
// process must start again (GPCS 2.3.1 §E.1.2): ErrFormat, ErrLevel, ErrCryptogram, or ErrMAC when
// the cryptogram alone was right. The response is sent as it is, not through Wrap.
func (c *Card) ExternalAuthenticate(cmd apdu.Command, hostCryptogram [8]byte) (Level, error) {
	const op = "external authenticate"
	if c.Ended() {
		return 0, fmt.Errorf("%s: %w", op, ErrSessionEnded)
	}
	if c.opened {
		return 0, c.abort(op, ErrSequence)
	}
	if cmd.INS != insExternalAuthenticate || cmd.P2 != 0 || !apdu.Secure(cmd.CLA) ||
		cmd.Extended || len(cmd.Data) != 8+macLen {
		return 0, c.abort(op, ErrFormat)
	}
	level := Level(cmd.P1)
	if err := c.variant.CheckLevel(level); err != nil {
		return 0, c.abort(op, err)
	}
	sameMAC, err := c.verify(cmd, cmd.Data[:8], cmd.Data[8:], true)
	if err != nil {
		return 0, c.abort(op, err)
	}
	if subtle.ConstantTimeCompare(cmd.Data[:8], hostCryptogram[:]) != 1 {
		return 0, c.abort(op, ErrCryptogram)
	}
	if !sameMAC {
		return 0, c.abort(op, ErrMAC)
	}
	c.opened, c.level, c.granted = true, level, level
	c.running, c.counting = c.lastMAC, c.variant.SCP == 2 && level.Has(RMAC)
	return level, nil
}

// verify recomputes the C-MAC of cmd over data, compares it with got in constant time, and moves
// the chain on when they are the same.
func (c *Card) verify(cmd apdu.Command, data, got []byte, first bool) (bool, error) {
	input := make([]byte, 0, len(c.chaining)+5+len(data))
	if c.variant.SCP == 3 {
		input = appendMACInput(append(input, c.chaining[:]...), c.variant, cmd, data)
		mac, err := c.session.SMAC.CMAC(input)
		if err != nil {
			return false, err
		}
		if subtle.ConstantTimeCompare(mac[:macLen], got) != 1 {
			return false, nil
		}
		c.chaining = [16]byte(mac)
		return true, nil
	}
	var icv [8]byte // zero for the first command and in clear
	if !first {
		var err error
		if icv, err = encryptICV(c.variant, c.session.SMAC, c.lastMAC); err != nil {
			return false, err
		}
	}
	input = appendMACInput(input, c.variant, cmd, data)
	mac, err := desCMAC(c.variant, c.session.SMAC, icv, input)
	if err != nil {
		return false, err
	}
	if subtle.ConstantTimeCompare(mac[:], got) != 1 {
		return false, nil
	}
	c.lastMAC = mac
	return true, nil
}

// Unwrap checks a command and removes its protection: secure messaging bit, MAC, encryption. The
// logical channel and Ne stay. At level 00 and at R-MAC alone commands come and pass unprotected.
//
// A command protected otherwise than the level asks gives ErrLevel, a wrong MAC ErrMAC, and wrong
// padding under a right SCP03 MAC ErrPadding; each ends the session. Wrong padding in SCP01 and
// SCP02, where decryption comes before the MAC, is ErrMAC too and takes the same work, so that it
// tells an attacker nothing. Data that is empty may come encrypted or not.
func (c *Card) Unwrap(cmd apdu.Command) (apdu.Command, error) {
	const op = "unwrapping command"
	switch {
	case c.Ended():
		return apdu.Command{}, fmt.Errorf("%s: %w", op, ErrSessionEnded)
	case !c.opened:
		return apdu.Command{}, fmt.Errorf("%s: %w", op, ErrSequence)
	case apdu.Secure(cmd.CLA) != c.level.Has(CMAC):
		return apdu.Command{}, c.abort(op, ErrLevel)
	}
	if c.level != 0 && cmd.Extended {
		return apdu.Command{}, c.abort(op, fmt.Errorf("extended length: %w", ErrFormat))
	}
	out := cmd
	if c.level.Has(CMAC) {
		var err error
		if out, err = c.open(cmd); err != nil {
			return apdu.Command{}, c.abort(op, err)
		}
	}
	c.waiting, c.change, c.uncount = true, changeNothing, false
	if c.variant.SCP == 2 && c.variant.RMAC() && !cmd.Extended {
		c.received = stripped(out)
	}
	return out, nil
}

func (c *Card) open(cmd apdu.Command) (apdu.Command, error) {
	n := len(cmd.Data) - macLen
	if n != 0 || !c.misbehaviour.StuckCounter {
		c.commands++
	}
	if n < 0 || len(cmd.Data) > maxShort {
		return apdu.Command{}, fmt.Errorf("%d bytes of data: %w", len(cmd.Data), ErrMAC)
	}
	var plain []byte
	var err error
	if c.variant.SCP == 3 {
		plain, err = c.open03(cmd, cmd.Data[:n], cmd.Data[n:])
	} else {
		plain, err = c.openDES(cmd, cmd.Data[:n], cmd.Data[n:])
	}
	if err != nil {
		return apdu.Command{}, err
	}
	cmd.CLA = apdu.WithSecure(cmd.CLA, false)
	cmd.Data = plain
	return cmd, nil
}

// openDES decrypts, then verifies the MAC over the plain data. With wrong padding the MAC is
// verified over what there is, and its outcome ignored.
func (c *Card) openDES(cmd apdu.Command, data, mac []byte) ([]byte, error) {
	plain, padded := data, true
	if c.level.Has(CDEC) && len(data) > 0 {
		whole := len(data) - len(data)%8
		clear8, err := c.session.SENC.DecryptCBC(nil, data[:whole])
		if err != nil {
			return nil, err
		}
		plain, padded = c.unpadDES(clear8)
		padded = padded && whole == len(data)
		if !padded {
			plain = clear8
		}
	}
	same, err := c.verify(cmd, plain, mac, false)
	if err != nil {
		return nil, err
	}
	if !same || !padded {
		return nil, ErrMAC
	}
	return append([]byte(nil), plain...), nil
}

// unpadDES takes the data out of decrypted blocks: SCP01 puts its length first and pads only an
// incomplete block (GPCS 2.1.1 §D.3.4), SCP02 always pads (GPCS 2.3.1 §E.4.6).
func (c *Card) unpadDES(b []byte) ([]byte, bool) {
	if c.variant.SCP == 2 {
		return unpad80(b, 8)
	}
	if len(b) == 0 {
		return nil, false
	}
	end := 1 + int(b[0])
	switch rest := len(b) - end; {
	case rest < 0 || rest > 7:
		return nil, false
	case rest == 0:
		return b[1:], true
	}
	if plain, ok := unpad80(b, 8); !ok || len(plain) != end {
		return nil, false
	}
	return b[1:end], true
}

// open03 verifies the MAC over the data as sent, then decrypts (AMD-D §6.2.4, §6.2.6).
func (c *Card) open03(cmd apdu.Command, data, mac []byte) ([]byte, error) {
	same, err := c.verify(cmd, data, mac, false)
	if err != nil {
		return nil, err
	}
	if !same {
		return nil, ErrMAC
	}
	if !c.level.Has(CDEC) || len(data) == 0 {
		return append([]byte(nil), data...), nil
	}
	if len(data)%16 != 0 {
		return nil, fmt.Errorf("%d encrypted bytes: %w", len(data), ErrPadding)
	}
	iv, err := counterICV(c.session.SENC, c.commands, false)
	if err != nil {
		return nil, err
	}
	b, err := c.session.SENC.DecryptCBC(iv, data)
	if err != nil {
		return nil, err
	}
	plain, ok := unpad80(b, 16)
	if !ok {
		return nil, ErrPadding
	}
	return plain, nil
}
