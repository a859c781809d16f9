// Package coolkey holds the steps about the CoolKey applet: logging in, objects, and keys that are
// made on the card. It works on instances that the catalogue has made for itself.
package coolkey

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"tokenwright/features/script"
	"tokenwright/features/steps/bench"
	"tokenwright/features/verdict"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
)

// AddSteps registers the steps.
func AddSteps(book *script.Book) {
	book.Step(`^the card answers these commands:\n((?s).+)$`, table)
	book.Step(`^PIN (\d) is "([^"]*)" with (\d+) tries$`, createPIN)
	book.Step(`^the holder has logged in$`, logIn)
	book.Step(`^the applet is selected again$`, again)
	book.Step(`^a key pair of (\d+) bits in slots (\d+) and (\d+)$`, keyPair)
	book.Step(`^the host has keys made with P1 "([0-9A-F]{2})", P2 "([0-9A-F]{2})" and (\d+) bits$`, enroll)
	book.Step(`^the proof of the key is right$`, proof)
	addEnduranceSteps(book)
	book.Step(`^the host has a session key, wrapped for the card$`, wrapKey)
}

// table sends commands, those of class 84 in the channel, and holds each answer against the second
// cell: a status word, with " #" and the number of bytes, or " =" and the bytes, of the data.
func table(ctx context.Context, text string) error {
	for line := range strings.Lines(text) {
		cmd, want, ok := strings.Cut(strings.TrimSpace(line), " | ")
		if !ok {
			return fmt.Errorf("row %q: want a command and its answer", line)
		}
		if err := row(ctx, cmd, want); err != nil {
			return err
		}
	}
	return nil
}

func row(ctx context.Context, text, want string) error {
	w := bench.From(ctx)
	raw, err := w.Expand(text)
	if err != nil {
		return err
	}
	if len(raw) > 0 && raw[0] == 0x84 && w.Channel != nil {
		cmd, err := apdu.Parse(raw)
		if err != nil {
			return err
		}
		cmd.CLA = 0x80
		err = w.Secure(ctx, cmd)
		if err != nil {
			return err
		}
	} else if err := w.Send(ctx, raw); err != nil {
		return err
	}
	return answer(w, text, want)
}

func answer(w *bench.Work, text, want string) error {
	sw, data, _ := strings.Cut(want, " ")
	w.Check(verdict.Check{
		Kind: verdict.Status, Subject: "status word of " + text, Exchange: w.Last.N,
		Got: []string{bench.SW(w.Last.Wire)}, Want: strings.Split(sw, "/"),
	})
	got := w.Last.Resp.Data
	switch {
	case data == "":
		return nil
	case data[0] == '#':
		w.Check(verdict.Check{
			Kind: verdict.Member, Subject: "bytes of data of " + text, Exchange: w.Last.N,
			Got: []string{fmt.Sprint(len(got))}, Want: []string{data[1:]},
		})
		return nil
	case data[0] == '=':
		b, err := w.Expand(data[1:])
		if err != nil {
			return err
		}
		w.Check(verdict.Check{
			Kind: verdict.Same, Subject: "data of " + text, Exchange: w.Last.N,
			Got: []string{fmt.Sprintf("%X", got)}, Want: []string{fmt.Sprintf("%X", b)},
		})
		return nil
	}
	return fmt.Errorf("answer %q: want a status word, and then nothing, # or =", want)
}

var errNoChannel = errors.New("no channel was opened")

// secure sends a command in the channel that has to succeed.
func secure(ctx context.Context, cmd apdu.Command, what string) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	a, err := w.Channel.Send(ctx, cmd)
	if err == nil {
		err = errors.Join(a.Protection, a.Resp.Err())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func createPIN(ctx context.Context, n int, pin string, tries int) error {
	cmd := apdu.Command{CLA: 0x80, INS: coolkey.INSCreatePIN, P1: byte(n), P2: byte(tries), Data: []byte(pin)}
	return secure(ctx, cmd, "CREATE PIN")
}

// logIn verifies PIN 0 and notes the nonce.
func logIn(ctx context.Context) error {
	w := bench.From(ctx)
	resp, err := w.Do(ctx, apdu.Command{CLA: 0xB0, INS: coolkey.INSVerifyPIN, Data: []byte("1234")})
	if err == nil {
		err = resp.Err()
	}
	if err != nil {
		return fmt.Errorf("VERIFY PIN: %w", err)
	}
	w.Note("nonce", resp.Data)
	return nil
}

func again(ctx context.Context) error {
	w := bench.From(ctx)
	resp, err := w.Do(ctx, gp.Select{AID: coolkey.AppletAID}.Command())
	if err == nil {
		err = resp.Err()
	}
	w.Channel = nil
	return err
}

func keyPair(ctx context.Context, bits, private, public int) error {
	if err := enroll(ctx, fmt.Sprintf("%02X", private), fmt.Sprintf("%02X", public), bits); err != nil {
		return err
	}
	return bench.From(ctx).Last.Wire.Err()
}

// challenge is what START ENROLLMENT signs together with the public key.
var challenge = []byte("sixteen byte(s)!")

func enroll(ctx context.Context, p1, p2 string, bits int) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	wrapped, err := wrap(w, challenge)
	if err != nil {
		return err
	}
	cmd := apdu.Command{CLA: 0x80, INS: coolkey.INSStartEnrollment, Ne: apdu.MaxShortNe}
	if _, err := fmt.Sscanf(p1+" "+p2, "%02X %02X", &cmd.P1, &cmd.P2); err != nil {
		return err
	}
	cmd.Data = binary.BigEndian.AppendUint16([]byte{coolkey.AlgorithmDES}, uint16(bits))
	cmd.Data = append(append(cmd.Data, 0x00, 0x00, 0x10), wrapped...)
	cmd.Data = append(cmd.Data, 0x00)
	return w.Secure(ctx, cmd)
}

// wrap encrypts 16 bytes as PUT KEY encrypts keys.
func wrap(w *bench.Work, plain []byte) ([]byte, error) {
	switch h := w.Channel.Handshake; h.Variant.SCP {
	case 1:
		return h.Keys.DEK.EncryptECB(plain)
	case 2:
		return h.Session.SDEK.EncryptECB(plain)
	default:
		return h.Keys.DEK.EncryptCBC(nil, plain)
	}
}

func wrapKey(ctx context.Context) error {
	w := bench.From(ctx)
	if w.Channel == nil {
		return errNoChannel
	}
	k, err := keys.New(keys.DES3, []byte("a 3DES key, two-"))
	if err != nil {
		return err
	}
	wrapped, err := wrap(w, k.Bytes())
	if err == nil {
		w.Note("wrapped", wrapped)
	}
	return err
}

// buffer reads n bytes of the applet's buffer with nobody logged in.
func buffer(ctx context.Context, w *bench.Work, n int) ([]byte, error) {
	const chunk = 200
	var out []byte
	for len(out) < n {
		k := min(chunk, n-len(out))
		data := binary.BigEndian.AppendUint32([]byte{0xFF, 0xFF, 0xFF, 0xFF}, uint32(len(out)))
		data = append(append(data, byte(k)), make([]byte, coolkey.NonceLen)...)
		resp, err := w.Do(ctx, apdu.Command{CLA: 0xB0, INS: coolkey.INSReadObject, Data: data})
		if err == nil {
			err = resp.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("reading the buffer: %w", err)
		}
		if len(resp.Data) != k {
			return nil, fmt.Errorf("reading the buffer: %d bytes came, not %d", len(resp.Data), k)
		}
		out = append(out, resp.Data...)
	}
	return out, nil
}

// proof verifies the signature over public key and challenge that the card made with the new key.
func proof(ctx context.Context) error {
	w := bench.From(ctx)
	if len(w.Last.Resp.Data) != 2 {
		return fmt.Errorf("START ENROLLMENT answered %d bytes", len(w.Last.Resp.Data))
	}
	all, err := buffer(ctx, w, int(binary.BigEndian.Uint16(w.Last.Resp.Data)))
	if err != nil {
		return err
	}
	blob, rest, err := field(all)
	if err != nil {
		return err
	}
	signature, _, err := field(rest)
	if err != nil {
		return err
	}
	pub, err := publicKey(blob)
	if err != nil {
		return err
	}
	digest := sha1.Sum(append(append([]byte(nil), blob...), challenge...))
	got := "right"
	if err := rsa.VerifyPKCS1v15(pub, crypto.SHA1, digest[:], signature); err != nil {
		got = err.Error()
	}
	w.Check(verdict.Check{
		Kind: verdict.Member, Subject: "proof that the key was made on the card", Exchange: w.Last.N,
		Got: []string{got}, Want: []string{"right"},
	})
	return nil
}

// field cuts what stands behind a length of two bytes.
func field(b []byte) (value, rest []byte, err error) {
	if len(b) < 2 || int(binary.BigEndian.Uint16(b)) > len(b)-2 {
		return nil, nil, errors.New("a length goes beyond the end")
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	return b[2:n], b[n:], nil
}

// publicKey reads encoding, type and bits, then modulus and exponent.
func publicKey(blob []byte) (*rsa.PublicKey, error) {
	if len(blob) < 4 || blob[0] != 0x00 || blob[1] != 0x01 {
		return nil, errors.New("the buffer holds no RSA public key")
	}
	modulus, rest, err := field(blob[4:])
	if err != nil {
		return nil, err
	}
	exponent, _, err := field(rest)
	if err != nil {
		return nil, err
	}
	e := new(big.Int).SetBytes(exponent)
	if !e.IsInt64() || e.Int64() > 1<<31-1 {
		return nil, errors.New("the public exponent is too large")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(e.Int64())}, nil
}
