package interruption

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/perso"
	"tokenwright/tms/token"
)

// promised holds the card against its record, by the card's own commands: the keys of its issuer, the
// applet and its life cycle, the certificates that it tells of, and, for those in use, that it has the
// private key behind each and lets the person use it with the PIN of the last try.
func (w *world) promised(ctx context.Context) error {
	r, err := w.record(ctx)
	if err != nil {
		return err
	}
	info, err := w.card.KeyInfo(ctx)
	if err != nil {
		return err
	}
	recorded, err := keys.ParseKeyInfo(r.KeyInfo)
	if err != nil {
		return err
	}
	if info.KVN != recorded.KVN {
		return fmt.Errorf("it shows keys %s, its record says %s", info, r.KeyInfo)
	}
	applet, err := w.card.AppletVersion(ctx)
	if err != nil {
		return err
	}
	if applet != r.AppletID {
		return fmt.Errorf("it has applet %s, its record says %s", applet, r.AppletID)
	}
	if err := w.life(ctx, r); err != nil {
		return err
	}
	told, err := w.told(ctx)
	if err != nil {
		return err
	}
	if r.Status != token.Active {
		return nil
	}
	return w.proved(ctx, told)
}

// life wants an applet that is personalized if the token is active, and one that is not if not.
func (w *world) life(ctx context.Context, r token.Record) error {
	resp, err := w.card.Do(ctx, coolkey.GetLifeCycle{}.Command())
	if err != nil {
		return err
	}
	life, err := coolkey.ParseLifeCycle(resp.Data)
	if err != nil {
		return err
	}
	if is, want := life.State == gp.AppPersonalized, r.Status == token.Active; is != want {
		return fmt.Errorf("its applet is in state %02X, and the token is %s", byte(life.State), r.Status)
	}
	return nil
}

// told wants the card to tell of the certificates that it holds by its records, and of no others.
func (w *world) told(ctx context.Context) (content.Content, error) {
	c, _, err := perso.ReadContent(ctx, perso.User{Card: w.card})
	if err != nil {
		return c, err
	}
	var got, want []string
	for _, n := range c.Certificates {
		cert, err := x509.ParseCertificate(n.DER)
		if err != nil {
			return c, err
		}
		got = append(got, cert.SerialNumber.Text(16))
	}
	held, err := w.held(ctx)
	if err != nil {
		return c, err
	}
	for _, h := range held {
		want = append(want, h.Serial)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		err = fmt.Errorf("it tells of %q, its records of %q", got, want)
	}
	return c, err
}

// proved has the card use the private key of each certificate that it tells of.
func (w *world) proved(ctx context.Context, c content.Content) error {
	resp, err := w.card.Do(ctx, coolkey.VerifyPIN{PIN: coolkey.PIN(w.pin)}.Command())
	if err == nil {
		err = resp.Err()
	}
	if err != nil {
		return fmt.Errorf("taking the PIN: %w", err)
	}
	nonce, err := coolkey.ParseNonce(resp.Data)
	if err != nil {
		return err
	}
	u := user{perso.User{Card: w.card, Nonce: nonce}}
	for _, n := range c.Certificates {
		cert, err := x509.ParseCertificate(n.DER)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(c.Keys, func(k content.Key) bool {
			return k.Fixed.ID() == n.Fixed.ID() && k.Fixed.Class() == content.ClassPrivateKey
		})
		if i < 0 {
			return fmt.Errorf("it tells of no private key for certificate %x", cert.SerialNumber)
		}
		slot := byte(c.Keys[i].Slot)
		switch key := cert.PublicKey.(type) {
		case *rsa.PublicKey:
			err = u.provesRSA(ctx, slot, key)
		case *ecdsa.PublicKey:
			err = u.provesEC(ctx, slot, key)
		default:
			err = fmt.Errorf("a key of type %T", key)
		}
		if err != nil {
			return fmt.Errorf("using the key of certificate %x: %w", cert.SerialNumber, err)
		}
	}
	return nil
}

// user is somebody who has shown the PIN.
type user struct{ perso.User }

func (u user) do(ctx context.Context, cmd apdu.Command) ([]byte, error) {
	b, err := cmd.Bytes()
	if err != nil {
		return nil, err
	}
	answer, err := u.Card.Transmit(ctx, b)
	if err != nil {
		return nil, err
	}
	resp, err := apdu.ParseResponse(answer)
	if err != nil {
		return nil, err
	}
	return resp.Data, resp.Err()
}

var errOtherKey = errors.New("it is another than the certificate is for")

// provesRSA wants the public key to undo what the private key makes of a block, which passes through the
// applet's buffer.
func (u user) provesRSA(ctx context.Context, slot byte, key *rsa.PublicKey) error {
	block := make([]byte, key.Size())
	for i := range block[1:] {
		block[i+1] = byte(i)
	}
	in := append(binary.BigEndian.AppendUint16(nil, uint16(len(block))), block...)
	const piece = 0xD0
	for at := 0; at < len(in); at += piece {
		_, err := u.do(ctx, coolkey.WriteObject{
			ID: coolkey.ObjectIO, Offset: uint32(at), Data: in[at:min(at+piece, len(in))],
			Auth: coolkey.Auth{Nonce: u.Nonce},
		}.Command())
		if err != nil {
			return err
		}
	}
	_, err := u.do(ctx, coolkey.ComputeCrypt{
		Slot: slot, Op: coolkey.CryptOneStep, Direction: coolkey.DirectionDecrypt,
		Location: coolkey.LocationBuffer, NoLength: true, Auth: coolkey.Auth{Nonce: u.Nonce},
	}.Command())
	if err != nil {
		return err
	}
	out, err := perso.ReadObject(ctx, u.User, coolkey.ObjectIO, len(in))
	if err != nil {
		return err
	}
	back := new(big.Int).Exp(new(big.Int).SetBytes(out[2:]), big.NewInt(int64(key.E)), key.N)
	if !slices.Equal(back.FillBytes(make([]byte, len(block))), block) {
		return errOtherKey
	}
	return nil
}

// insSignEC signs a digest as libckyapplet has it done: the answer is a length and a signature in DER.
const insSignEC = 0x37

func (u user) provesEC(ctx context.Context, slot byte, key *ecdsa.PublicKey) error {
	digest := sha256.Sum256([]byte("whose key is this"))
	data := binary.BigEndian.AppendUint16([]byte{coolkey.LocationAPDU}, uint16(len(digest)))
	data = append(append(data, digest[:]...), u.Nonce[:]...)
	out, err := u.do(ctx, apdu.Command{CLA: 0xB0, INS: insSignEC, P1: slot, P2: byte(coolkey.CryptOneStep),
		Data: data, Ne: 256})
	if err != nil {
		return err
	}
	if len(out) < 2 || !ecdsa.VerifyASN1(key, digest[:], out[2:]) {
		return errOtherKey
	}
	return nil
}
