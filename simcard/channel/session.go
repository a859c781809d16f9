package channel

import (
	"errors"
	"fmt"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// sessionPhase is where the secure channel stands.
type sessionPhase uint8

const (
	sessionNone    sessionPhase = iota
	sessionStarted              // INITIALIZE UPDATE has been answered.
	sessionOpen                 // EXTERNAL AUTHENTICATE succeeded.
	sessionAborted              // A command failed its check; nothing passes until the session is over.
)

// session is the card's one secure channel session.
type session struct {
	phase sessionPhase
	card  *scp.Card
	host  [8]byte // host cryptogram that EXTERNAL AUTHENTICATE must bring
	set   keySet
	keys  keys.SessionKeys
}

func (s *session) end() {
	if s.card != nil {
		s.card.End()
	}
	*s = session{}
}

// End terminates the session (GPCS 2.3.1 §10.2.3).
func (c *Channel) End() { c.session.end() }

// Engaged tells whether commands are subject to a session: one is open, or was aborted.
func (c *Channel) Engaged() bool {
	return c.session.phase == sessionOpen || c.session.phase == sessionAborted
}

// Authenticated tells whether a session is open.
func (c *Channel) Authenticated() bool { return c.session.phase == sessionOpen }

// Level is the security level of the open session, 00 without one.
func (c *Channel) Level() scp.Level {
	if !c.Authenticated() {
		return 0
	}
	return c.session.card.Level()
}

// MaxResponse is the most response data in bytes that Wrap takes.
func (c *Channel) MaxResponse() int {
	if !c.Authenticated() {
		return apdu.MaxShortNe
	}
	return c.session.card.MaxResponse()
}

// Unwrap checks a command of the session and gives it plain. The error is an apdu.SW. A command
// that fails aborts the session (GPCS 2.3.1 §E.1.6, AMD-D §5.6): every other one is refused until
// it is terminated.
func (c *Channel) Unwrap(cmd apdu.Command) (apdu.Command, error) {
	if !c.Authenticated() {
		return apdu.Command{}, apdu.SW6982
	}
	plain, err := c.session.card.Unwrap(cmd)
	if err != nil {
		c.session.end()
		c.session.phase = sessionAborted
		return apdu.Command{}, apdu.SW6982
	}
	return plain, nil
}

// Wrap protects an answer. A session that the command has ended leaves the answer as it is; data
// that do not fit beside their protection give way to 6F00.
func (c *Channel) Wrap(resp apdu.Response) (apdu.Response, error) {
	if !c.Authenticated() {
		return resp, nil
	}
	out, err := c.session.card.Wrap(resp)
	if errors.Is(err, scp.ErrTooLong) {
		out, err = c.session.card.Wrap(apdu.Response{SW: apdu.SW6F00})
	}
	if err != nil {
		return apdu.Response{}, fmt.Errorf("protecting response: %w", err)
	}
	return out, nil
}

// RMAC answers BEGIN and END R-MAC SESSION, unwrapped, of an open session (GPCS 2.3.1 §E.5.3,
// §E.5.4); other commands, and those of a protocol without R-MAC, are not its own.
func (c *Channel) RMAC(cmd apdu.Command) (resp apdu.Response, own bool) {
	switch {
	case !c.Variant.RMAC() || !c.Authenticated():
		return apdu.Response{}, false
	case cmd.INS == gp.INSBeginRMAC:
		return c.session.card.BeginRMAC(cmd), true
	case cmd.INS == gp.INSEndRMAC:
		return c.session.card.EndRMAC(cmd), true
	}
	return apdu.Response{}, false
}

// Decrypt decrypts sensitive data of a command: 3DES-ECB under the static DEK in SCP01 (GPCS 2.1.1
// §D.3.5) and the session DEK in SCP02 (GPCS 2.3.1 §E.4.7), AES-CBC with zero IV under the static
// DEK in SCP03 (AMD-D §6.2.8).
func (c *Channel) Decrypt(data []byte) ([]byte, error) {
	if !c.Authenticated() {
		return nil, apdu.SW6985
	}
	var out []byte
	var err error
	switch c.Variant.SCP {
	case 1:
		out, err = c.session.set.keys[2].DecryptECB(data)
	case 2:
		out, err = c.session.keys.SDEK.DecryptECB(data)
	default:
		out, err = c.session.set.keys[2].DecryptCBC(nil, data)
	}
	if err != nil {
		return nil, apdu.SW6A80 // Not a whole number of blocks.
	}
	return out, nil
}
