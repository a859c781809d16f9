package session

import (
	"bytes"
	"context"
	"fmt"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

func addAuthenticateSteps(book *script.Book) {
	book.Step(`^the host authenticates at level "([0-9A-F]{2})"$`, authenticate)
	book.Step(`^the host authenticates at level "([0-9A-F]{2})" with a wrong cryptogram$`, wrongCryptogram)
	book.Step(`^the host authenticates at level "([0-9A-F]{2})" with a wrong MAC$`, wrongAuthMAC)
	book.Step(`^the host authenticates with P2 "([0-9A-F]{2})"$`, withP2)
	book.Step(`^the host authenticates without the secure messaging class$`, plainClass)
	book.Step(`^the host authenticates with (\d+) bytes of data$`, withLength)
	book.Step(`^the host authenticates with a MAC made over an initial value of its own$`, ownICV)
	book.Step(`^the host sends the last authentication again$`, replayAuthentication)
}

// external makes EXTERNAL AUTHENTICATE with the MAC that belongs to exactly this header and
// cryptogram, whatever the protocol thinks of them. icv stands for the initial chaining value, zero
// by the specifications.
func external(h *bench.Handshake, level, p2 byte, cryptogram, icv []byte) (apdu.Command, error) {
	cmd := apdu.Command{CLA: 0x84, INS: 0x82, P1: level, P2: p2}
	mac, err := firstMAC(h, []byte{0x84, 0x82, level, p2, 0x10}, cryptogram, icv)
	cmd.Data = append(bytes.Clone(cryptogram), mac...)
	return cmd, err
}

// firstMAC is the C-MAC of the first command of a session, made here from the block ciphers alone:
// full 3DES in SCP01 (GPCS 2.1.1 §D.3.3), the retail MAC in SCP02 (GPCS 2.3.1 §E.4.4), half an AES
// CMAC over the chaining value and the command in SCP03 (AMD-D §6.2.4).
func firstMAC(h *bench.Handshake, header, data, icv []byte) ([]byte, error) {
	msg := append(bytes.Clone(header), data...)
	var start [16]byte
	copy(start[:], icv)
	var mac [8]byte
	var err error
	switch h.Variant.SCP {
	case 1:
		mac, err = h.Session.SMAC.FullMAC([8]byte(start[:8]), msg)
	case 2:
		mac, err = h.Session.SMAC.RetailMAC([8]byte(start[:8]), msg)
	default:
		var full []byte
		if full, err = h.Session.SMAC.CMAC(append(start[:], msg...)); err == nil {
			mac = [8]byte(full[:8])
		}
	}
	return mac[:], err
}

// noteAuthentication is where the last EXTERNAL AUTHENTICATE is kept.
const noteAuthentication = "authentication"

// submit sends an EXTERNAL AUTHENTICATE. When the card takes it, the channel is open.
func submit(ctx context.Context, cmd apdu.Command, level scp.Level) error {
	w := bench.From(ctx)
	raw, err := cmd.Bytes()
	if err != nil {
		return err
	}
	w.Note(noteAuthentication, raw)
	if err := w.Send(ctx, raw); err != nil {
		return err
	}
	w.Channel = nil
	if w.Last.Wire.SW.OK() {
		w.Channel, err = w.Opened(w.Shake, level)
	}
	return err
}

func authenticate(ctx context.Context, level string) error {
	l, cmd, err := rightCommand(ctx, level, 0, nil)
	if err != nil {
		return err
	}
	if w, h, _ := shake(ctx); h.Proved() && h.Variant.CheckLevel(l) == nil {
		w.Vouch()
	}
	return submit(ctx, cmd, l)
}

// rightCommand makes the right command for a level, P2 and an initial value.
func rightCommand(ctx context.Context, level string, p2 byte, icv []byte) (scp.Level, apdu.Command, error) {
	_, h, err := proved(ctx)
	if err != nil {
		return 0, apdu.Command{}, err
	}
	var l byte
	if _, err := fmt.Sscanf(level, "%02X", &l); err != nil {
		return 0, apdu.Command{}, err
	}
	cmd, err := external(h, l, p2, h.Host[:], icv)
	return scp.Level(l), cmd, err
}

func wrongCryptogram(ctx context.Context, level string) error {
	_, h, err := proved(ctx)
	if err != nil {
		return err
	}
	var l byte
	if _, err := fmt.Sscanf(level, "%02X", &l); err != nil {
		return err
	}
	wrong := h.Host
	wrong[3] ^= 0x10
	cmd, err := external(h, l, 0, wrong[:], nil)
	if err != nil {
		return err
	}
	return submit(ctx, cmd, scp.Level(l))
}

func wrongAuthMAC(ctx context.Context, level string) error {
	l, cmd, err := rightCommand(ctx, level, 0, nil)
	if err != nil {
		return err
	}
	cmd.Data[12] ^= 0x01
	return submit(ctx, cmd, l)
}

func withP2(ctx context.Context, p2 string) error {
	var b byte
	if _, err := fmt.Sscanf(p2, "%02X", &b); err != nil {
		return err
	}
	l, cmd, err := rightCommand(ctx, "01", b, nil)
	if err != nil {
		return err
	}
	return submit(ctx, cmd, l)
}

func plainClass(ctx context.Context) error {
	l, cmd, err := rightCommand(ctx, "01", 0, nil)
	if err != nil {
		return err
	}
	cmd.CLA = 0x80
	return submit(ctx, cmd, l)
}

func withLength(ctx context.Context, n int) error {
	l, cmd, err := rightCommand(ctx, "01", 0, nil)
	if err != nil {
		return err
	}
	cmd.Data = append(cmd.Data, 0x00)[:n]
	return submit(ctx, cmd, l)
}

func ownICV(ctx context.Context) error {
	l, cmd, err := rightCommand(ctx, "01", 0, bytes.Repeat([]byte{0x5A}, 16))
	if err != nil {
		return err
	}
	return submit(ctx, cmd, l)
}

func replayAuthentication(ctx context.Context) error {
	w := bench.From(ctx)
	raw, err := w.Noted(noteAuthentication)
	if err != nil {
		return err
	}
	return w.Send(ctx, raw)
}

// keysOf says whether an algorithm is AES.
func keysOf(h *bench.Handshake) keys.Algorithm { return h.Session.SMAC.Algorithm() }
