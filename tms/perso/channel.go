package perso

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// Handshake is what both sides have said when a card has answered INITIALIZE
// UPDATE: all that session keys are derived from and proved with.
type Handshake struct {
	Variant       scp.Variant  // protocol and its i parameter
	KDD           keys.KDD     // the card's key diversification data
	Info          keys.KeyInfo // key version and protocol as the card answered
	HostChallenge [8]byte
	CardChallenge []byte // 8 bytes; 6 under SCP02
	Seq           []byte // sequence counter: 2 bytes under SCP02, 3 or none under SCP03
	Cryptogram    [8]byte
}

// Session is what a Keyring gives for a handshake. It is secret.
type Session struct {
	Keys           keys.SessionKeys
	HostCryptogram [8]byte
}

// A Keyring computes the session keys of a handshake. It must verify the card
// cryptogram first and return an error when it is wrong: OpenChannel sends
// EXTERNAL AUTHENTICATE on the strength of that, and a wrong host cryptogram
// spends one of the card's authentication tries.
type Keyring interface {
	SessionKeys(ctx context.Context, h Handshake) (Session, error)
}

// KeyringFunc makes a Keyring of a function.
type KeyringFunc func(ctx context.Context, h Handshake) (Session, error)

// SessionKeys calls f.
func (f KeyringFunc) SessionKeys(ctx context.Context, h Handshake) (Session, error) {
	return f(ctx, h)
}

// ErrProtocol means that a card answered INITIALIZE UPDATE under a secure
// channel protocol other than those it announces, or one that is not spoken here.
var ErrProtocol = errors.New("secure channel protocol not usable")

// ErrCardCryptogram means that the card could not prove that it holds the keys:
// the keys of the other side are not the card's. Keyrings wrap it.
var ErrCardCryptogram = errors.New("card cryptogram is wrong")

// ChannelOptions says how to open a secure channel. The zero value asks for the
// card's default key set, takes SCP01 and security level 03; HostChallenge and
// Keys must be given.
type ChannelOptions struct {
	// Variants are those that the card announces (Facts.Variants); none means a
	// card without card recognition data.
	Variants []scp.Variant
	// KVN is the key version to ask for, 0 for the card's default one.
	KVN keys.KVN
	// KeyID is P2 of INITIALIZE UPDATE.
	KeyID keys.KeyID
	// HostChallenge is 8 bytes, random and used once.
	HostChallenge [8]byte
	// Level is 01 or 03 (CMAC, CMAC|CDEC); zero means 03.
	Level scp.Level
	// RMAC adds response MACs where the variant has them as an option. Applets
	// that accept levels 01 and 03 alone (CoolKey) refuse it.
	RMAC bool
	// Host holds what old clients and cards need. DropLe counts under SCP01 alone,
	// and for INITIALIZE UPDATE, which comes before the protocol is known.
	Host scp.HostOptions
	// Check, if any, judges the card's answer before session keys are asked for.
	Check func(h Handshake) error
	// Keys computes the session keys.
	Keys Keyring
}

// Channel is an open secure channel to the application that was selected when
// OpenChannel was called. After an error from Send it is of no further use. Its
// methods must not be called from several goroutines at once.
type Channel struct {
	t     Transmitter
	host  *scp.Host
	shake Handshake
	level scp.Level
	sdek  keys.Key
}

// Handshake gives what was exchanged when the channel was opened.
func (c *Channel) Handshake() Handshake { return c.shake }

// Info gives the key version and protocol that the card answered.
func (c *Channel) Info() keys.KeyInfo { return c.shake.Info }

// Variant gives the protocol that the channel speaks.
func (c *Channel) Variant() scp.Variant { return c.shake.Variant }

// Level gives the security level that was agreed.
func (c *Channel) Level() scp.Level { return c.level }

// OpenChannel opens a secure channel to the selected application (GPCS 2.3.1
// §11.1.7): INITIALIZE UPDATE, the caller's check, session keys from the
// caller's Keyring, which proves the card's cryptogram, and only then EXTERNAL
// AUTHENTICATE. Errors are *Error; a wrong card cryptogram costs the card no try.
func OpenChannel(ctx context.Context, t Transmitter, o ChannelOptions) (*Channel, error) {
	shake, err := initializeUpdate(ctx, t, o)
	if err != nil {
		return nil, err
	}
	if o.Check != nil {
		if err := o.Check(shake); err != nil {
			return nil, fail(StepSanityCheck, err)
		}
	}
	session, err := o.Keys.SessionKeys(ctx, shake)
	if err != nil {
		return nil, fail(StepSessionKeys, err)
	}
	level := securityLevel(shake.Variant, o)
	o.Host.DropLe = o.Host.DropLe && shake.Variant.SCP == 1
	host, err := scp.NewHost(shake.Variant, level, session.Keys, o.Host)
	if err != nil {
		return nil, fail(StepExternalAuth, err)
	}
	cmd, err := host.ExternalAuthenticate(session.HostCryptogram)
	if err != nil {
		return nil, fail(StepExternalAuth, err)
	}
	ch := &Channel{t: t, host: host, shake: shake, level: level, sdek: session.Keys.SDEK}
	resp, err := ch.trade(ctx, cmd)
	if err != nil {
		return nil, fail(StepExternalAuth, err)
	}
	if err := resp.Err(); err != nil {
		return nil, fail(StepExternalAuth, err)
	}
	return ch, nil
}

// SDEK gives the DEK session key of SCP02, zero under the other protocols. It is
// secret.
func (c *Channel) SDEK() keys.Key { return c.sdek }

// Send wraps a plain command, sends it and unwraps the answer. The error is
// about transport and secure messaging alone; the card's verdict is the
// response's status word.
func (c *Channel) Send(ctx context.Context, cmd apdu.Command) (apdu.Response, error) {
	wrapped, err := c.host.Wrap(cmd)
	if err != nil {
		return apdu.Response{}, fmt.Errorf("wrapping command: %w", err)
	}
	return c.trade(ctx, wrapped)
}

// trade sends a wrapped command and unwraps the answer.
func (c *Channel) trade(ctx context.Context, wrapped apdu.Command) (apdu.Response, error) {
	resp, err := roundTrip(ctx, c.t, wrapped)
	if err != nil {
		return apdu.Response{}, err
	}
	if resp, err = gather(ctx, c.t, resp); err != nil {
		return apdu.Response{}, err
	}
	if resp, err = c.host.Unwrap(resp); err != nil {
		return apdu.Response{}, fmt.Errorf("unwrapping response: %w", err)
	}
	return resp, nil
}

// expect sends a command through the channel and wants 9000.
func (c *Channel) expect(ctx context.Context, s Step, cmd apdu.Command) ([]byte, error) {
	resp, err := c.Send(ctx, cmd)
	if err != nil {
		return nil, fail(s, err)
	}
	return resp.Data, fail(s, resp.Err())
}

func initializeUpdate(ctx context.Context, t Transmitter, o ChannelOptions) (Handshake, error) {
	ne := 256
	if o.Host.DropLe {
		ne = 0 // clients that can't bear a trailing Le can't bear it here either
	}
	cmd := gp.InitializeUpdate{
		KVN: o.KVN, KeyID: o.KeyID, HostChallenge: o.HostChallenge, Ne: ne,
	}.Command()
	data, err := expect(ctx, t, StepInitializeUpdate, cmd)
	if err != nil {
		return Handshake{}, err
	}
	answer, err := gp.ParseInitializeUpdateResponse(data)
	if err != nil {
		return Handshake{}, fail(StepInitializeUpdate, err)
	}
	if o.KVN != 0 && answer.Info.KVN != o.KVN {
		return Handshake{}, fail(StepInitializeUpdate,
			fmt.Errorf("asked for key version %02X, card answered %02X", o.KVN, answer.Info.KVN))
	}
	variant, err := chooseVariant(answer.Info, o.Variants)
	if err != nil {
		return Handshake{}, fail(StepInitializeUpdate, err)
	}
	return Handshake{
		Variant: variant, KDD: answer.KDD, Info: answer.Info,
		HostChallenge: o.HostChallenge, CardChallenge: answer.Challenge,
		Seq: answer.Seq, Cryptogram: answer.Cryptogram,
	}, nil
}

// The i parameters assumed of a card that announces none: the only SCP01 of
// GP 2.0.1 cards, and the only SCP02 that issuers' servers have spoken.
const (
	defaultSCP01 byte = 0x05
	defaultSCP02 byte = 0x15
)

// chooseVariant joins the protocol that the card answered with the i parameter
// it announces for it. SCP03 carries i in the answer itself, which then holds.
func chooseVariant(info keys.KeyInfo, announced []scp.Variant) (scp.Variant, error) {
	v := scp.Variant{SCP: info.SCP}
	if info.SCP < 1 || info.SCP > 3 {
		return v, fmt.Errorf("%w: card answered protocol %02X", ErrProtocol, info.SCP)
	}
	if info.HasI {
		v.I = info.I
		return v, nil
	}
	for _, a := range announced {
		if a.SCP == info.SCP {
			return a, nil
		}
	}
	if len(announced) > 0 {
		return v, fmt.Errorf("%w: card answered protocol %02X and announces others",
			ErrProtocol, info.SCP)
	}
	switch info.SCP {
	case 1:
		v.I = defaultSCP01
	case 2:
		v.I = defaultSCP02
	}
	return v, nil
}

func securityLevel(v scp.Variant, o ChannelOptions) scp.Level {
	level := o.Level
	if level == 0 {
		level = scp.CMAC | scp.CDEC
	}
	if o.RMAC && v.RMAC() {
		level |= scp.RMAC
	}
	return level
}
