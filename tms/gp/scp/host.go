package scp

import (
	"fmt"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// HostOptions are concessions to cards and clients that deviate. The zero value is what the
// specifications say.
type HostOptions struct {
	// EncryptEmpty encrypts an empty data field at C-DECRYPTION levels of SCP01 and SCP02, where
	// the specification is silent and old cards expect a block of padding. SCP03 leaves empty
	// data alone in any case (AMD-D §6.2.6).
	EncryptEmpty bool
	// DropLe leaves out the Le byte after the MAC.
	DropLe bool
}

// phase is where a session object stands.
type phase uint8

const (
	phaseNew   phase = iota // EXTERNAL AUTHENTICATE is next.
	phaseOpen               // Messages pass.
	phaseEnded              // Nothing passes any more.
)

// exchange is what the response to come belongs to.
type exchange uint8

const (
	exchangeNone    exchange = iota
	exchangeAuth             // EXTERNAL AUTHENTICATE, whose response is never protected.
	exchangeCommand          // Any other command.
	exchangeBegin            // BEGIN R-MAC SESSION.
	exchangeEnd              // END R-MAC SESSION.
)

// Host protects commands and checks responses: the off-card end. Make one with NewHost for each
// session; call ExternalAuthenticate, then Wrap and Unwrap in turn. The zero value is ended.
type Host struct {
	v     Variant
	sk    keys.SessionKeys
	opt   HostOptions
	phase phase
	level Level // In force now.
	base  Level // Asked for by EXTERNAL AUTHENTICATE.

	mac     [8]byte  // SCP01, SCP02: C-MAC of the previous command.
	chain   [16]byte // SCP03: MAC chaining value.
	counter uint64   // SCP03: encryption counter.

	rmac     [8]byte // SCP02: running R-MAC, the ICV of the next.
	counting bool    // SCP02: R-MACs are computed, whether sent or not.

	pending exchange
	sent    []byte // SCP02: stripped command that the next response answers.
	next    Level  // Response level asked for by BEGIN R-MAC SESSION.
	final   bool   // END R-MAC SESSION ends the R-MAC session.
}

// NewHost makes the host end of a session. It gives ErrVariant, ErrLevel or ErrKeys for a
// protocol, a level or session keys that do not go together. The host keeps sk until it ends.
func NewHost(v Variant, level Level, sk keys.SessionKeys, o HostOptions) (*Host, error) {
	if err := v.Validate(); err != nil {
		return nil, fmt.Errorf("secure channel host: %w", err)
	}
	if err := v.CheckLevel(level); err != nil {
		return nil, fmt.Errorf("secure channel host: %w", err)
	}
	if err := v.checkKeys(sk); err != nil {
		return nil, fmt.Errorf("secure channel host: %w", err)
	}
	return &Host{v: v, sk: sk, opt: o, base: level, phase: phaseNew}, nil
}

// Variant is the protocol of the session.
func (h *Host) Variant() Variant { return h.v }

// Level is the security level in force, 00 before EXTERNAL AUTHENTICATE and after the end.
func (h *Host) Level() Level { return h.level }

// Ended tells whether the session is over for good.
func (h *Host) Ended() bool { return h.phase == phaseEnded || h.sk.SMAC.IsZero() }

// MaxData is the most command data in bytes that Wrap takes once the session is open.
func (h *Host) MaxData() int { return h.v.MaxData(h.base) }

// End ends the session and drops the keys. Ending twice is fine.
func (h *Host) End() { *h = Host{v: h.v, phase: phaseEnded} }

// fail ends the session and names the cause.
func (h *Host) fail(op string, err error) error {
	h.End()
	return fmt.Errorf("%s: %w", op, err)
}

// ready gives an error unless the session is in the phase that op needs.
func (h *Host) ready(op string, want phase) error {
	switch {
	case h.Ended():
		return fmt.Errorf("%s: %w", op, ErrSessionEnded)
	case h.phase != want:
		return fmt.Errorf("%s: %w", op, ErrSequence)
	}
	return nil
}

// ExternalAuthenticate gives the command that opens the session: host cryptogram and a C-MAC with
// zero ICV (GPCS 2.1.1 §D.4.2, GPCS 2.3.1 §E.5.2, AMD-D §7.1.2). It comes first and once. Its
// response is not protected; pass it to Unwrap all the same, so that a refusal ends the session.
func (h *Host) ExternalAuthenticate(hostCryptogram [8]byte) (apdu.Command, error) {
	const op = "external authenticate"
	if err := h.ready(op, phaseNew); err != nil {
		return apdu.Command{}, err
	}
	cmd := apdu.Command{
		CLA: 0x80, INS: insExternalAuthenticate, P1: byte(h.base), Data: hostCryptogram[:],
	}
	out, err := h.sign(cmd, cmd.Data)
	if err != nil {
		return apdu.Command{}, h.fail(op, err)
	}
	h.phase, h.level, h.pending = phaseOpen, h.base, exchangeAuth
	h.rmac, h.counting = h.mac, h.v.SCP == 2 && h.base.Has(RMAC)
	return out, nil
}

// Wrap protects one command at the level in force. The data of cmd is not kept and not changed.
// ErrTooLong, for data beyond MaxData or an extended command, leaves the session as it was.
func (h *Host) Wrap(cmd apdu.Command) (apdu.Command, error) {
	return h.wrap("wrapping command", cmd, exchangeCommand)
}

func (h *Host) wrap(op string, cmd apdu.Command, x exchange) (apdu.Command, error) {
	if err := h.ready(op, phaseOpen); err != nil {
		return apdu.Command{}, err
	}
	protected := h.level != 0 || h.counting || x == exchangeBegin
	if protected && (cmd.Extended || len(cmd.Data) > h.v.MaxData(h.level)) {
		return apdu.Command{}, fmt.Errorf("%s: %d bytes of data, at most %d at level %v: %w",
			op, len(cmd.Data), h.v.MaxData(h.level), h.level, ErrTooLong)
	}
	if h.v.SCP == 2 && h.v.RMAC() && protected {
		h.sent = stripped(cmd)
	}
	cmd.CLA = apdu.WithSecure(cmd.CLA, false)
	if h.opt.DropLe {
		cmd.Ne = 0
	}
	out := cmd
	if h.level.Has(CMAC) {
		var err error
		if out, err = h.protect(cmd); err != nil {
			return apdu.Command{}, h.fail(op, err)
		}
	}
	h.pending = x
	return out, nil
}

// protect adds what the level asks for: SCP01 and SCP02 authenticate the plain data and encrypt
// it afterwards, SCP03 encrypts first.
func (h *Host) protect(cmd apdu.Command) (apdu.Command, error) {
	h.counter++
	switch {
	case !h.level.Has(CDEC):
		return h.sign(cmd, cmd.Data)
	case h.v.SCP == 3:
		if len(cmd.Data) == 0 {
			return h.sign(cmd, nil)
		}
		iv, err := counterICV(h.sk.SENC, h.counter, false)
		if err != nil {
			return apdu.Command{}, err
		}
		cmd.Data, err = h.sk.SENC.EncryptCBC(iv, pad80(cmd.Data, 16))
		if err != nil {
			return apdu.Command{}, err
		}
		return h.sign(cmd, cmd.Data)
	}
	sent := cmd.Data
	if len(cmd.Data) > 0 || h.opt.EncryptEmpty {
		var err error
		if sent, err = h.sk.SENC.EncryptCBC(nil, h.padDES(cmd.Data)); err != nil {
			return apdu.Command{}, err
		}
	}
	return h.sign(cmd, sent)
}

// padDES prepares data for encryption: SCP02 always pads; SCP01 puts the length before and pads
// only what does not fill its last block (GPCS 2.1.1 §D.3.4, GPCS 2.3.1 §E.4.6).
func (h *Host) padDES(data []byte) []byte {
	if h.v.SCP == 2 {
		return pad80(data, 8)
	}
	b := append([]byte{byte(len(data))}, data...)
	if len(b)%8 == 0 {
		return b
	}
	return pad80(b, 8)
}

// sign computes the C-MAC over cmd, whose data is what the MAC covers, and gives the command with
// the data that is sent and the MAC after it.
func (h *Host) sign(cmd apdu.Command, sent []byte) (apdu.Command, error) {
	msg := make([]byte, 0, len(h.chain)+5+len(cmd.Data))
	if h.v.SCP == 3 {
		msg = append(msg, h.chain[:]...)
	}
	msg = appendMACInput(msg, h.v, cmd, cmd.Data)
	if h.v.SCP == 3 {
		full, err := h.sk.SMAC.CMAC(msg)
		if err != nil {
			return apdu.Command{}, err
		}
		h.chain = [16]byte(full)
		copy(h.mac[:], full)
	} else {
		icv := h.mac
		var err error
		if h.phase == phaseOpen { // the first ICV of a session is zero and never encrypted
			if icv, err = encryptICV(h.v, h.sk.SMAC, icv); err != nil {
				return apdu.Command{}, err
			}
		}
		if h.mac, err = desCMAC(h.v, h.sk.SMAC, icv, msg); err != nil {
			return apdu.Command{}, err
		}
	}
	data := make([]byte, 0, len(sent)+macLen)
	cmd.Data = append(append(data, sent...), h.mac[:]...)
	cmd.CLA = apdu.WithSecure(cmd.CLA, true)
	return cmd, nil
}
