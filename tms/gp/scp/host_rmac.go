package scp

import (
	"fmt"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// MaxRMACData is the most data in bytes that BEGIN R-MAC SESSION carries (GPCS 2.3.1 Table E-16).
const MaxRMACData = 24

// SetRMACKey replaces the R-MAC session key for a coming BEGIN R-MAC SESSION of SCP02. The
// specification derives it from the sequence counter as it stands then, which EXTERNAL
// AUTHENTICATE has moved on by one (GPCS 2.3.1 §E.4.1); without this call the session's key stays.
func (h *Host) SetRMACKey(k keys.Key) error {
	const op = "replacing r-mac session key"
	if err := h.ready(op, phaseOpen); err != nil {
		return err
	}
	if h.v.SCP != 2 || k.Algorithm() != keys.DES3 {
		return fmt.Errorf("%s: %v, %v: %w", op, h.v, k, ErrKeys)
	}
	if h.counting {
		return fmt.Errorf("%s: r-mac session in progress: %w", op, ErrSequence)
	}
	h.sk.SRMAC = k
	return nil
}

// BeginRMAC gives a wrapped BEGIN R-MAC SESSION (GPCS 2.3.1 §E.5.3, AMD-D §7.1.3). response is
// RMAC, RMAC|RENC (SCP03), or 00 (SCP02: only END R-MAC SESSION returns an R-MAC). data, up to 24
// bytes, is the host's challenge. The new level holds once Unwrap has seen the card's 9000.
func (h *Host) BeginRMAC(response Level, data []byte) (apdu.Command, error) {
	const op = "begin r-mac session"
	if err := h.ready(op, phaseOpen); err != nil {
		return apdu.Command{}, err
	}
	if err := h.checkBegin(response); err != nil {
		return apdu.Command{}, fmt.Errorf("%s: %w", op, err)
	}
	if len(data) > MaxRMACData {
		return apdu.Command{}, fmt.Errorf("%s: %d bytes of data, at most %d: %w",
			op, len(data), MaxRMACData, ErrTooLong)
	}
	cmd := apdu.Command{CLA: 0x80, INS: insBeginRMAC, P1: byte(response), P2: 0x01}
	cmd.Data = append([]byte{byte(len(data))}, data...)
	out, err := h.wrap(op, cmd, exchangeBegin)
	if err != nil {
		return apdu.Command{}, err
	}
	h.next = response
	return out, nil
}

// checkBegin allows a response level that raises the one in force, with commands protected at
// least as well in SCP03 (AMD-D §7.1.3).
func (h *Host) checkBegin(response Level) error {
	ok := h.v.RMAC()
	switch h.v.SCP {
	case 2:
		ok = ok && !h.counting && (response == 0 || response == RMAC)
	case 3:
		switch response {
		case RMAC:
			ok = ok && h.base.Has(CMAC) && !h.level.Has(RMAC)
		case RMAC | RENC:
			ok = ok && h.v.RENC() && h.base.Has(CMAC|CDEC) && !h.level.Has(RENC)
		default:
			ok = false
		}
	}
	if !ok {
		return fmt.Errorf("%v at level %v: responses at %v: %w", h.v, h.level, response, ErrLevel)
	}
	return nil
}

// EndRMAC gives a wrapped END R-MAC SESSION (GPCS 2.3.1 §E.5.4, AMD-D §7.1.4). With final false,
// SCP02 alone, the card returns the running R-MAC and the R-MAC session goes on.
func (h *Host) EndRMAC(final bool) (apdu.Command, error) {
	const op = "end r-mac session"
	if err := h.ready(op, phaseOpen); err != nil {
		return apdu.Command{}, err
	}
	begun := h.level != h.base || h.counting && !h.base.Has(RMAC)
	if !begun || !final && h.v.SCP != 2 {
		return apdu.Command{}, fmt.Errorf("%s: %v at level %v: %w", op, h.v, h.level, ErrLevel)
	}
	cmd := apdu.Command{CLA: 0x80, INS: insEndRMAC, P2: 0x01, Ne: maxNe}
	if final {
		cmd.P2 = 0x03
	}
	out, err := h.wrap(op, cmd, exchangeEnd)
	if err != nil {
		return apdu.Command{}, err
	}
	h.final = final
	return out, nil
}
