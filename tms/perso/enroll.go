package perso

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/keyblob"
	"tokenwright/tms/gp/keys"
)

// Encrypter encrypts under the card's DEK as the channel's protocol has it: with
// the static key in ECB mode under SCP01, with the session key in ECB mode under
// SCP02, with the static key in CBC mode from a zero IV under SCP03. Whoever holds
// the card's keys gives it.
type Encrypter func(ctx context.Context, plain []byte) ([]byte, error)

// EncryptDEK is what an Encrypter does for a caller that has the card's static DEK.
func (c *Channel) EncryptDEK(dek keys.Key, plain []byte) ([]byte, error) {
	switch c.shake.Variant.SCP {
	case 2:
		return c.sdek.EncryptECB(plain)
	case 3:
		return dek.EncryptCBC(make([]byte, dek.Algorithm().BlockSize()), plain)
	default:
		return dek.EncryptECB(plain)
	}
}

// GenerateOptions says which key pair the card shall make.
type GenerateOptions struct {
	Pair coolkey.PairAddress
	// EC asks for a key on the curve of Bits bits: 256, 384 or 521. Else the key
	// is RSA with a modulus of Bits bits.
	EC   bool
	Bits int
	// Challenge is random and used once. The new key signs it.
	Challenge [keyblob.ChallengeLen]byte
	// Encrypt encrypts the challenge.
	Encrypt Encrypter
}

// algorithmEC is what START ENROLLMENT says of a curve over a prime field.
const algorithmEC = 5

// GenerateKey makes a key pair on the card over a channel to the applet, and gives
// its public key: an *rsa.PublicKey or *ecdsa.PublicKey. The card's proof that it
// holds the private key has been verified. Only that it is *this* card rests on
// the channel: the challenge went over it under the card's own DEK.
func GenerateKey(ctx context.Context, ch *Channel, o GenerateOptions) (crypto.PublicKey, error) {
	wrapped, err := o.Encrypt(ctx, o.Challenge[:])
	if err != nil {
		return nil, fail(StepGenerateKey, fmt.Errorf("encrypting challenge: %w", err))
	}
	cmd := coolkey.StartEnrollment{
		Pair: o.Pair, ECC: o.EC, Algorithm: coolkey.AlgorithmDES, Bits: uint16(o.Bits),
		Challenge: wrapped, Ne: 256,
	}
	if o.EC {
		cmd.Algorithm = algorithmEC
	}
	size, err := ch.expect(ctx, StepGenerateKey, cmd.Command())
	if err != nil {
		return nil, err
	}
	if len(size) != 2 || binary.BigEndian.Uint16(size) > keyblob.MaxAnswer {
		return nil, fail(StepGenerateKey,
			fmt.Errorf("%w: %d bytes in place of a length", ErrAnswer, len(size)))
	}
	raw, err := ReadObject(ctx, ch, coolkey.ObjectIO, int(binary.BigEndian.Uint16(size)))
	if err != nil {
		return nil, err
	}
	answer, err := keyblob.ParseAnswer(raw)
	if err != nil {
		return nil, fail(StepGenerateKey, err)
	}
	if err := o.check(answer.Public); err != nil {
		return nil, fail(StepGenerateKey, err)
	}
	return answer.Public, fail(StepProof, answer.Verify(o.Challenge))
}

// check compares the key with what was asked for.
func (o GenerateOptions) check(key crypto.PublicKey) error {
	var bits int
	var ec bool
	switch k := key.(type) {
	case *rsa.PublicKey:
		bits = k.N.BitLen()
	case *ecdsa.PublicKey:
		bits, ec = k.Params().BitSize, true
	}
	if bits != o.Bits || ec != o.EC {
		return fmt.Errorf("%w: a %T of %d bits", ErrAnswer, key, bits)
	}
	return nil
}

// ImportOptions says which key pair to bring onto the card, and how it is
// encrypted. It is made outside the card, and its private key may be known to
// others. Slices stay the caller's.
type ImportOptions struct {
	Pair coolkey.PairAddress
	Bits int
	// Wrapped is the PKCS #8 private key, encrypted under a session key as
	// Algorithm says: see keyblob.WrapPair.
	Wrapped   []byte
	Algorithm byte
	// SessionKey is that key under the card's DEK, Check its key check value (3
	// bytes or none) and IV what the encryption began with.
	SessionKey []byte
	Check      []byte
	IV         []byte
	// KeepSource leaves the object that carried the key on the card. The applet
	// wipes it in any case; to delete it gives its memory back.
	KeepSource bool
}

// ImportKey brings a key pair onto the card over a channel to the applet: it
// writes the encrypted key into an object that nobody else can read and lets the
// applet take it from there.
func ImportKey(ctx context.Context, ch *Channel, o ImportOptions) error {
	blob := keyblob.NewEncryptedPair(o.Bits, o.Wrapped)
	err := WriteObject(ctx, ch, coolkey.ObjectWrappedKey, coolkey.RAOnly, blob.Bytes())
	if err != nil {
		return err
	}
	cmd := coolkey.ImportEncryptedKey{
		Pair: o.Pair, Source: coolkey.ObjectWrappedKey, Algorithm: o.Algorithm,
		WrappedKey: o.SessionKey, Check: o.Check, IV: o.IV,
	}
	if _, err := ch.expect(ctx, StepImportKey, cmd.Command()); err != nil {
		return err
	}
	if o.KeepSource {
		return nil
	}
	if err := DeleteObject(ctx, ch, coolkey.ObjectWrappedKey); !refused(err) {
		return err
	}
	return nil
}

// ClearKeySlots clears all key slots of the applet but those in keep. Applets that
// do not know the command keep old keys, which nothing on the token names any
// more: cleared tells, and a refusal is no error. No applet clears all slots, so
// nothing is sent when there is nothing to keep.
func ClearKeySlots(ctx context.Context, ch *Channel, keep []coolkey.SlotPair) (
	cleared bool, err error,
) {
	if len(keep) == 0 {
		return false, nil
	}
	_, err = ch.expect(ctx, StepClearKeySlots, coolkey.ClearKeySlots{Keep: keep}.Command())
	if refused(err) {
		return false, nil
	}
	return err == nil, err
}

// refused tells whether the card answered, and said no.
func refused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.SW != 0
}
