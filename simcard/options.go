package simcard

import (
	"errors"
	"fmt"
	"io"

	"tokenwright/simcard/coolkey"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/stock"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/keys"
)

// Option sets up a card.
type Option func(*setup) error

// setup is what options ask for.
type setup struct {
	device func() (nvm.Device, error)
	seed   *int64
	random io.Reader
	hook   nvm.Hook

	// For a new card alone.
	factory []change
	applet  *preload

	cardChallenge, nonce []byte
}

// change is something chosen about a new card. Changes apply by phase, whatever the order of the
// options: what the protocol and the diversification data decide comes before the keys.
type change struct {
	phase int
	apply func(*factory) error
}

const (
	phaseProtocol = iota
	phaseKDD
	phaseKeys
	phaseRest
)

// factory is a new card before it is written.
type factory struct {
	stock stock.Stock
	id    stock.Identity
	seq   []byte
}

// preload asks for an applet that is there from the start.
type preload struct {
	version coolkey.Version
	params  []byte
}

// WithState keeps the card in a file, which is made if it does not exist. Two cards cannot share
// one: New gives nvm.ErrLocked.
func WithState(path string) Option {
	return func(s *setup) error {
		s.device = func() (nvm.Device, error) { return nvm.OpenFile(path) }
		return nil
	}
}

// WithDevice keeps the card in dev, such as an nvm.RAM that a test puts from one Card into another.
func WithDevice(dev nvm.Device) Option {
	return func(s *setup) error {
		s.device = func() (nvm.Device, error) { return dev, nil }
		return nil
	}
}

// WithSeed makes every random choice, from the serial number on, follow from seed and the card's
// history. Without it they come from the system's randomness.
func WithSeed(seed int64) Option {
	return func(s *setup) error { s.seed = &seed; return nil }
}

// WithRandom makes every random choice come from r.
func WithRandom(r io.Reader) Option {
	return func(s *setup) error { s.random = r; return nil }
}

// WithTear asks hook before every physical write to the card's memory. When it cuts the power, the
// command fails with nvm.ErrPowerLost and the card is off; PowerOn brings it back with what its
// memory holds.
func WithTear(hook nvm.Hook) Option {
	return func(s *setup) error { s.hook = hook; return nil }
}

// ErrExisting is given when an option that makes a new card meets one that exists.
var ErrExisting = errors.New("the card exists already; its keys and identity cannot be chosen")

func ofFactory(phase int, f func(*factory) error) Option {
	return func(s *setup) error { s.factory = append(s.factory, change{phase, f}); return nil }
}

// WithKeys gives a new card three keys in place of its factory set, under the same version. Their
// algorithm is that of the card's protocol. Each has 16, 24 or 32 bytes.
func WithKeys(enc, mac, dek []byte) Option {
	return ofFactory(phaseKeys, func(f *factory) error {
		algorithm := keys.DES3
		if f.stock.SCP == 3 {
			algorithm = keys.AES
		}
		set := keys.KeySet{KVN: f.id.Keys.KVN}
		for _, k := range []struct {
			to   *keys.Key
			name string
			b    []byte
		}{{&set.ENC, "ENC", enc}, {&set.MAC, "MAC", mac}, {&set.DEK, "DEK", dek}} {
			var err error
			if *k.to, err = keys.New(algorithm, k.b); err != nil {
				return fmt.Errorf("%s key: %w", k.name, err)
			}
		}
		f.id.Keys = set
		return nil
	})
}

// WithKVN gives the factory key set of a new card another version.
func WithKVN(kvn keys.KVN) Option {
	return ofFactory(phaseRest, func(f *factory) error { f.id.Keys.KVN = kvn; return nil })
}

// WithProtocol gives a new card another secure channel protocol and i parameter. Its factory keys
// must suit it: use WithKeys after a change between 3DES and AES.
func WithProtocol(scp, i byte) Option {
	return ofFactory(phaseProtocol, func(f *factory) error { f.stock.SCP, f.stock.I = scp, i; return nil })
}

// WithKDD gives a new card other key diversification data, and the factory keys that follow from
// them.
func WithKDD(kdd keys.KDD) Option {
	return ofFactory(phaseKDD, func(f *factory) error {
		set, err := f.stock.FactoryKeys(kdd)
		set.KVN = f.id.Keys.KVN
		f.id.KDD, f.id.Keys = kdd, set
		return err
	})
}

// WithCPLC gives a new card other production life cycle data, and so another CUID. Its key
// diversification data stay.
func WithCPLC(cplc [stock.CPLCLen]byte) Option {
	return ofFactory(phaseRest, func(f *factory) error { f.id.CPLC = cplc; return nil })
}

// WithSequenceCounter sets what the next INITIALIZE UPDATE of a new card answers as its sequence
// counter: 2 bytes for SCP02, 3 for SCP03 with pseudo-random challenges.
func WithSequenceCounter(seq []byte) Option {
	return ofFactory(phaseRest, func(f *factory) error { f.seq = seq; return nil })
}

// Bounds of an answer to reset in bytes (ISO/IEC 7816-3 §8.2).
const minATR, maxATR = 2, 33

// WithATR gives a new card another answer to reset, 2 to 33 bytes.
func WithATR(atr []byte) Option {
	return ofFactory(phaseRest, func(f *factory) error {
		f.stock.ATR = atr
		return nil
	})
}

// WithMaxTries changes after how many failed authentications in a row a new card blocks its keys; 0
// is never.
func WithMaxTries(n uint8) Option {
	return ofFactory(phaseRest, func(f *factory) error { f.stock.Quirks.AuthTries = int(n); return nil })
}

// WithApplet gives a new card the CoolKey applet, loaded, installed and selectable. params is what
// its install method gets, the content of tag C9.
func WithApplet(v coolkey.Version, params []byte) Option {
	return func(s *setup) error {
		s.applet = &preload{version: v, params: params}
		return nil
	}
}

// WithCardChallenge pins the card challenge of every session: 8 bytes, of which SCP02 takes 6.
func WithCardChallenge(c []byte) Option {
	return func(s *setup) error { s.cardChallenge = c; return nil }
}

// WithNonce pins the nonce that the applet hands out at login, 8 bytes that are not all zero.
func WithNonce(n []byte) Option {
	return func(s *setup) error {
		if len(n) != lang.NonceLen || lang.Nonce(n).IsZero() {
			return fmt.Errorf("nonce of %d bytes, want %d that are not all zero", len(n),
				lang.NonceLen)
		}
		s.nonce = n
		return nil
	}
}
