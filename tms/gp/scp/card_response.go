package scp

import (
	"fmt"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// Wrap protects the response to the command that Unwrap gave last. ErrTooLong, for data that does
// not fit beside the R-MAC, leaves the session as it was: answer something shorter.
//
// In SCP03 an error status word goes alone (AMD-D §6.2.5): data given with it is dropped. In SCP02
// every response of an R-MAC session carries an R-MAC, an error's covers no data (§E.4.5).
func (c *Card) Wrap(resp apdu.Response) (apdu.Response, error) {
	const op = "wrapping response"
	switch {
	case c.Ended():
		return apdu.Response{}, fmt.Errorf("%s: %w", op, ErrSessionEnded)
	case !c.waiting:
		return apdu.Response{}, fmt.Errorf("%s: no command waits for one: %w", op, ErrSequence)
	}
	if limit := c.MaxResponse(); c.level.Has(RMAC) && len(resp.Data) > limit {
		return apdu.Response{}, fmt.Errorf("%s: %d bytes of data, at most %d: %w",
			op, len(resp.Data), limit, ErrTooLong)
	}
	var err error
	switch {
	case c.variant.SCP == 2 && c.counting && !c.uncount:
		resp, err = c.seal02(resp)
	case c.variant.SCP == 3 && c.level.Has(RMAC):
		resp, err = c.seal03(resp)
	}
	if err != nil {
		return apdu.Response{}, c.abort(op, err)
	}
	c.waiting = false
	c.apply()
	return resp, nil
}

// MaxResponse is the most response data in bytes that Wrap takes at the level in force.
func (c *Card) MaxResponse() int {
	switch {
	case c.level.Has(RENC):
		return 239 // 240 with padding, 248 with the R-MAC
	case c.level.Has(RMAC):
		return maxNe - macLen
	}
	return maxNe
}

// seal02 computes the next R-MAC and sends it when the level says so.
func (c *Card) seal02(resp apdu.Response) (apdu.Response, error) {
	if !succeeded(resp.SW) {
		resp.Data = nil
	}
	mac, err := rmac02(c.session.SRMAC, c.running, c.received, resp.Data, resp.SW)
	if err != nil {
		return apdu.Response{}, err
	}
	c.running = mac
	if c.level.Has(RMAC) { // not yet in force for BEGIN's own response (§E.5.3.3)
		resp.Data = append(append([]byte(nil), resp.Data...), mac[:]...)
	}
	return resp, nil
}

func (c *Card) seal03(resp apdu.Response) (apdu.Response, error) {
	if !succeeded(resp.SW) {
		return apdu.Response{SW: resp.SW}, nil
	}
	data := append([]byte(nil), resp.Data...)
	if c.level.Has(RENC) && len(data) > 0 {
		iv, err := counterICV(c.session.SENC, c.commands, !c.misbehaviour.BrokenRENC)
		if err != nil {
			return apdu.Response{}, err
		}
		if data, err = c.session.SENC.EncryptCBC(iv, pad80(data, 16)); err != nil {
			return apdu.Response{}, err
		}
	}
	mac, err := rmac03(c.session.SRMAC, c.chaining, data, resp.SW)
	if err != nil {
		return apdu.Response{}, err
	}
	return apdu.Response{Data: append(data, mac...), SW: resp.SW}, nil
}

// apply makes an R-MAC session command take effect after its own response.
func (c *Card) apply() {
	switch c.change {
	case changeBegin:
		c.level = c.granted | c.asked
	case changeEnd:
		c.level, c.counting = c.granted, false
	}
	c.change, c.uncount = changeNothing, false
}

// SetRMACKey replaces the R-MAC session key for a coming BEGIN R-MAC SESSION of SCP02, as
// Host.SetRMACKey does at the other end.
func (c *Card) SetRMACKey(k keys.Key) error {
	const op = "replacing r-mac session key"
	switch {
	case c.Ended():
		return fmt.Errorf("%s: %w", op, ErrSessionEnded)
	case !c.opened || c.counting:
		return fmt.Errorf("%s: %w", op, ErrSequence)
	case c.variant.SCP != 2 || k.Algorithm() != keys.DES3:
		return fmt.Errorf("%s: %v, %v: %w", op, c.variant, k, ErrKeys)
	}
	c.session.SRMAC = k
	return nil
}

// BeginRMAC answers an unwrapped BEGIN R-MAC SESSION (GPCS 2.3.1 §E.5.3, AMD-D §7.1.3). The
// response goes through Wrap, after which the new level holds. A refusal is a status word and
// leaves the session as it was.
func (c *Card) BeginRMAC(cmd apdu.Command) apdu.Response {
	if !c.Open() || !c.waiting || cmd.INS != insBeginRMAC {
		return apdu.Response{SW: apdu.SW6985}
	}
	asked := Level(cmd.P1)
	switch {
	case !c.variant.RMAC():
		return apdu.Response{SW: apdu.SW6D00}
	case cmd.P2 != 0x01 || asked&^(RMAC|RENC) != 0 || asked == RENC:
		return apdu.Response{SW: apdu.SW6A86}
	case len(cmd.Data) < 1 || len(cmd.Data) != 1+int(cmd.Data[0]) || cmd.Data[0] > MaxRMACData:
		return apdu.Response{SW: apdu.SW6A80}
	case !c.mayBegin(asked):
		return apdu.Response{SW: apdu.SW6985}
	}
	c.change, c.asked = changeBegin, asked
	c.counting = c.variant.SCP == 2
	return apdu.Response{SW: apdu.SW9000}
}

// mayBegin holds the rules of AMD-D §7.1.3.7. SCP02 has none but that one R-MAC session is enough.
func (c *Card) mayBegin(asked Level) bool {
	if c.variant.SCP == 2 {
		return !c.counting && asked != RMAC|RENC
	}
	switch asked {
	case RMAC:
		return c.granted.Has(CMAC) && !c.level.Has(RMAC)
	case RMAC | RENC:
		return c.variant.RENC() && c.granted.Has(CMAC|CDEC) && !c.level.Has(RENC)
	}
	return false
}

// EndRMAC answers an unwrapped END R-MAC SESSION (GPCS 2.3.1 §E.5.4, AMD-D §7.1.4): in SCP02 with
// the running R-MAC as data, in SCP03 with none, since Wrap adds the response's own R-MAC. The
// response goes through Wrap. A refusal is a status word and leaves the R-MAC session as it was.
func (c *Card) EndRMAC(cmd apdu.Command) apdu.Response {
	if !c.Open() || !c.waiting || cmd.INS != insEndRMAC {
		return apdu.Response{SW: apdu.SW6985}
	}
	c.uncount = c.variant.SCP == 2 // whatever the answer, this exchange is outside the R-MAC
	begun := c.level != c.granted || c.counting && !c.granted.Has(RMAC)
	switch {
	case !c.variant.RMAC():
		return apdu.Response{SW: apdu.SW6D00}
	case cmd.P1 != 0 || cmd.P2 != 0x03 && (cmd.P2 != 0x01 || c.variant.SCP != 2):
		return apdu.Response{SW: apdu.SW6A86}
	case len(cmd.Data) != 0:
		return apdu.Response{SW: apdu.SW6A80}
	case !begun:
		return apdu.Response{SW: apdu.SW6985}
	}
	if cmd.P2 == 0x03 {
		c.change = changeEnd
	}
	if c.variant.SCP != 2 {
		return apdu.Response{SW: apdu.SW9000}
	}
	return apdu.Response{Data: append([]byte(nil), c.running[:]...), SW: apdu.SW9000}
}
