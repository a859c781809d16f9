package registration

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"tokenwright/features/steps/scene"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/perso"
)

// told wants the card to tell of the certificates with these serial numbers and of no others, each with
// its private key.
func told(ctx context.Context, serials []string) error {
	card := scene.From(ctx).Card
	var c content.Content
	err := card.Quietly(func() error {
		if err := perso.SelectApplet(ctx, card, coolkey.AppletAID); err != nil {
			return err
		}
		var form perso.ContentForm
		var err error
		c, form, err = perso.ReadContent(ctx, perso.User{Card: card})
		if err == nil && form == perso.NoContent {
			err = errors.New("the card tells nothing")
		}
		return err
	})
	if err != nil {
		return err
	}
	var got []string
	for _, n := range c.Certificates {
		cert, err := x509.ParseCertificate(n.DER)
		if err != nil {
			return err
		}
		got = append(got, cert.SerialNumber.Text(16))
		if !slices.ContainsFunc(c.Keys, func(k content.Key) bool {
			return k.Fixed.ID() == n.Fixed.ID() && k.Fixed.Class() == content.ClassPrivateKey
		}) {
			return fmt.Errorf("the card has no key for certificate %x", cert.SerialNumber)
		}
	}
	slices.Sort(got)
	slices.Sort(serials)
	if !slices.Equal(got, serials) {
		return fmt.Errorf("the card tells of %q, the records of %q", got, serials)
	}
	return card.Quietly(func() error { return opens(ctx, card, c) })
}

// pin is the one that people choose in these scenarios.
const pin = "135790"

// opens wants the card to open, after its PIN, what Go's own cryptography sealed for each certificate.
func opens(ctx context.Context, card *scene.Card, c content.Content) error {
	if len(c.Certificates) == 0 {
		return nil
	}
	data, err := answer(ctx, card, coolkey.VerifyPIN{PIN: coolkey.PIN(pin)}.Command())
	if err != nil {
		return fmt.Errorf("showing the PIN: %w", err)
	}
	nonce, err := coolkey.ParseNonce(data)
	if err != nil {
		return err
	}
	for _, n := range c.Certificates {
		cert, err := x509.ParseCertificate(n.DER)
		if err != nil {
			return err
		}
		public, ok := cert.PublicKey.(*rsa.PublicKey)
		if !ok {
			return fmt.Errorf("certificate %x is for a %T", cert.SerialNumber, cert.PublicKey)
		}
		at := slices.IndexFunc(c.Keys, func(k content.Key) bool {
			return k.Fixed.ID() == n.Fixed.ID() && k.Fixed.Class() == content.ClassPrivateKey
		})
		if err := open(ctx, card, nonce, byte(c.Keys[at].Slot), public); err != nil {
			return fmt.Errorf("opening what was sealed for certificate %x: %w", cert.SerialNumber, err)
		}
	}
	return nil
}

// open has the card open one sealed message. It takes the message, behind its length, through the
// applet's buffer, and gives it back there, padding and all.
func open(ctx context.Context, card *scene.Card, nonce coolkey.Nonce, slot byte, public *rsa.PublicKey,
) error {
	const message, piece = "the group's message", 0xC0
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, public, []byte(message))
	if err != nil {
		return err
	}
	user := perso.User{Card: card, Nonce: nonce}
	in := append(binary.BigEndian.AppendUint16(nil, uint16(len(sealed))), sealed...)
	for at := 0; at < len(in); at += piece {
		_, err := answer(ctx, card, coolkey.WriteObject{
			ID: coolkey.ObjectIO, Offset: uint32(at), Data: in[at:min(at+piece, len(in))],
			Auth: coolkey.Auth{Nonce: nonce},
		}.Command())
		if err != nil {
			return err
		}
	}
	_, err = answer(ctx, card, coolkey.ComputeCrypt{
		Slot: slot, Op: coolkey.CryptOneStep, Direction: coolkey.DirectionDecrypt,
		Location: coolkey.LocationBuffer, NoLength: true, Auth: coolkey.Auth{Nonce: nonce},
	}.Command())
	if err != nil {
		return err
	}
	out, err := perso.ReadObject(ctx, user, coolkey.ObjectIO, len(in))
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(out[2:], []byte{0, 2}) || !bytes.HasSuffix(out, append([]byte{0}, message...)) {
		return errors.New("it opens as something else")
	}
	return nil
}

// answer sends a command and gives the data of an answer of success.
func answer(ctx context.Context, card *scene.Card, cmd apdu.Command) ([]byte, error) {
	resp, err := card.Do(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return resp.Data, resp.Err()
}
