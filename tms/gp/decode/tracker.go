package decode

import (
	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// Tracker decodes a conversation with one card and follows what it needs for it: the selected
// application and the security level of the channel. The zero value stands before the first
// command. It is not safe for concurrent use.
type Tracker struct {
	opts Options
	last []byte
	// chained is the command whose answer GET RESPONSE fetches.
	chained []byte
}

// Command decodes the next command. It keeps a copy until the answer.
func (t *Tracker) Command(b []byte) Line {
	t.last = append(t.last[:0], b...)
	return Command(b, t.opts)
}

// Response decodes the answer to the last command.
func (t *Tracker) Response(b []byte) Line {
	cmd := t.last
	if c, err := apdu.Parse(cmd); err == nil && c.INS == gp.INSGetResponse && c.CLA&0x80 == 0 &&
		t.chained != nil {
		cmd = t.chained
	}
	line := Response(cmd, b, t.opts)
	t.follow(cmd, b)
	return line
}

// Reset forgets everything, as the card does when it is reset or powered.
func (t *Tracker) Reset() { *t = Tracker{} }

// Options are what the tracker knows at present.
func (t *Tracker) Options() Options { return t.opts }

func (t *Tracker) follow(cmd, resp []byte) {
	c, err := apdu.Parse(cmd)
	if err != nil {
		return
	}
	r, err := apdu.ParseResponse(resp)
	if err != nil {
		return
	}
	if _, more := r.SW.More(); more {
		t.chained = append([]byte(nil), cmd...)
	} else {
		t.chained = nil
		if !r.SW.OK() && r.SW != apdu.SW6283 {
			return
		}
	}
	t.note(c)
}

// note draws the conclusions from a command that the card accepted.
func (t *Tracker) note(c apdu.Command) {
	switch {
	case c.INS == gp.INSSelect && c.CLA&0x80 == 0 && c.P1 == 0x04:
		t.opts = Options{Target: TargetISD}
		if len(c.Data) > 0 && coolkey.AppletAID.HasPrefix(c.Data) {
			t.opts.Target = TargetCoolKey
		}
	case c.CLA == coolkey.CLAUser:
		t.opts.Target = TargetCoolKey
	case c.INS == gp.INSInitializeUpdate && c.CLA&0x80 != 0:
		t.opts.Level = 0
	case c.INS == gp.INSExternalAuthenticate && apdu.Secure(c.CLA):
		t.opts.Level = c.P1
	}
}
