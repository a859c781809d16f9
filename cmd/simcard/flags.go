package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"tokenwright/simcard"
	"tokenwright/simcard/coolkey"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp/keys"
)

// cardFlags choose a card, its state, and what about it is not as the stock has it.
type cardFlags struct {
	set *pflag.FlagSet
	// change, if not nil, changes the kind of card that a new one is made of.
	change func(stock.Stock) (stock.Stock, error)

	stock, state          string
	seed                  int64
	applet, params, build string

	keys, kvn, scp, i, kdd    string
	counter, challenge, nonce string
	atr, cplc                 string
	tries                     uint8
}

func (f *cardFlags) register(set *pflag.FlagSet) {
	f.set = set
	set.StringVar(&f.stock, "stock", "", "kind of card, by `name`: "+strings.Join(stock.Names(), ", "))
	set.StringVar(&f.state, "state", "",
		"`file` that keeps the card; without one it is gone at the end")
	set.Int64Var(&f.seed, "seed", 0, "make every random choice reproducible")
	set.StringVar(&f.applet, "applet", "", "applet that is there from the start: coolkey")
	set.StringVar(&f.params, "install-params", "",
		"what the applet's install method gets (content of C9), `hex`")
	set.StringVar(&f.build, "build", "", "build id of the applet, 8 `hex` digits")

	const test = " (a new card; test keys only, they end up in the shell's history)"
	set.StringVar(&f.keys, "keys", "", "ENC,MAC,DEK in `hex`, or one key for all three"+test)
	set.StringVar(&f.kvn, "kvn", "", "version of the keys, `hex`")
	set.StringVar(&f.scp, "scp", "", "secure channel `protocol`: 01, 02, 03")
	set.StringVar(&f.i, "i", "", "i parameter of the protocol, `hex`")
	set.StringVar(&f.kdd, "kdd", "", "key diversification data, 20 `hex` digits")
	set.StringVar(&f.counter, "sequence-counter", "",
		"what the next INITIALIZE UPDATE answers, `hex`: 2 bytes for SCP02, 3 for SCP03")
	set.StringVar(&f.challenge, "card-challenge", "", "pin the card challenge, `hex`")
	set.StringVar(&f.nonce, "nonce", "", "pin the applet's login nonce, 16 `hex` digits")
	set.StringVar(&f.atr, "atr", "", "answer to reset, `hex`")
	set.StringVar(&f.cplc, "cplc", "",
		"production life cycle data, `hex`: 42 bytes, or 45 with their tag")
	set.Uint8Var(&f.tries, "tries", 0, "failed authentications until keys are blocked, 0 never")
}

// open makes or opens the card.
func (f *cardFlags) open() (*simcard.Card, error) {
	opts, err := f.options()
	if err != nil {
		return nil, usageError{err}
	}
	if f.stock == "" {
		if f.state == "" {
			return nil, usageError{errors.New("say which card with --stock, or which file with --state")}
		}
		return simcard.Open(f.state, opts...)
	}
	s, err := stock.ByName(f.stock)
	if err == nil && f.change != nil {
		s, err = f.change(s)
	}
	if err != nil {
		return nil, usageError{err}
	}
	if f.state != "" {
		opts = append(opts, simcard.WithState(f.state))
	}
	return simcard.New(s, opts...)
}

// options turns the flags that were given into options, in an order that does not matter.
func (f *cardFlags) options() ([]simcard.Option, error) {
	var opts []simcard.Option
	for _, flag := range []struct {
		name string
		make func() (simcard.Option, error)
	}{
		{"seed", func() (simcard.Option, error) { return simcard.WithSeed(f.seed), nil }},
		{"keys", f.withKeys},
		{"kvn", f.withKVN},
		{"kdd", f.withKDD},
		{"sequence-counter", hexOption(f.counter, simcard.WithSequenceCounter)},
		{"card-challenge", hexOption(f.challenge, simcard.WithCardChallenge)},
		{"nonce", hexOption(f.nonce, simcard.WithNonce)},
		{"atr", hexOption(f.atr, simcard.WithATR)},
		{"cplc", f.withCPLC},
		{"tries", func() (simcard.Option, error) { return simcard.WithMaxTries(f.tries), nil }},
	} {
		if !f.set.Changed(flag.name) {
			continue
		}
		o, err := flag.make()
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", flag.name, err)
		}
		opts = append(opts, o)
	}
	protocol, err := f.withProtocol()
	if err != nil {
		return nil, err
	}
	app, err := f.withApplet()
	return append(append(opts, protocol...), app...), err
}

func hexOption(s string, to func([]byte) simcard.Option) func() (simcard.Option, error) {
	return func() (simcard.Option, error) {
		b, err := hex.DecodeString(s)
		return to(b), err
	}
}

func hexByte(s string) (byte, error) {
	n, err := strconv.ParseUint(s, 16, 8)
	if err != nil {
		return 0, fmt.Errorf("%.10q is not a byte in hex", s)
	}
	return byte(n), nil
}

// withKeys says nothing about the values in its errors: they are keys.
func (f *cardFlags) withKeys() (simcard.Option, error) {
	parts := strings.Split(f.keys, ",")
	if len(parts) == 1 {
		parts = []string{parts[0], parts[0], parts[0]}
	}
	if len(parts) != 3 {
		return nil, fmt.Errorf("%d keys, want 1 or 3", len(parts))
	}
	var b [3][]byte
	for i, p := range parts {
		var err error
		if b[i], err = hex.DecodeString(p); err != nil {
			return nil, fmt.Errorf("key %d is not hex", i+1)
		}
	}
	return simcard.WithKeys(b[0], b[1], b[2]), nil
}

func (f *cardFlags) withKVN() (simcard.Option, error) {
	n, err := hexByte(f.kvn)
	return simcard.WithKVN(keys.KVN(n)), err
}

func (f *cardFlags) withKDD() (simcard.Option, error) {
	kdd, err := keys.ParseKDD(f.kdd)
	return simcard.WithKDD(kdd), err
}

func (f *cardFlags) withCPLC() (simcard.Option, error) {
	b, err := hex.DecodeString(f.cplc)
	if err != nil {
		return nil, err
	}
	if len(b) == stock.CPLCLen+3 {
		b = b[3:]
	}
	if len(b) != stock.CPLCLen {
		return nil, fmt.Errorf("%d bytes, want %d", len(b), stock.CPLCLen)
	}
	return simcard.WithCPLC([stock.CPLCLen]byte(b)), nil
}

// withProtocol: --i alone keeps the stock's protocol, --scp alone takes its plainest variant.
func (f *cardFlags) withProtocol() ([]simcard.Option, error) {
	if f.scp == "" && f.i == "" {
		return nil, nil
	}
	var protocol, i byte
	if f.scp != "" {
		var err error
		if protocol, err = hexByte(f.scp); err != nil {
			return nil, fmt.Errorf("--scp: %w", err)
		}
		i = map[byte]byte{1: 0x05, 2: 0x15, 3: 0x00}[protocol]
	} else {
		s, err := stock.ByName(f.stock)
		if err != nil {
			return nil, fmt.Errorf("--i without --scp: %w", err)
		}
		protocol = s.SCP
	}
	if f.i != "" {
		var err error
		if i, err = hexByte(f.i); err != nil {
			return nil, fmt.Errorf("--i: %w", err)
		}
	}
	return []simcard.Option{simcard.WithProtocol(protocol, i)}, nil
}

func (f *cardFlags) withApplet() ([]simcard.Option, error) {
	if f.applet == "" {
		if f.params != "" || f.build != "" {
			return nil, errors.New("--install-params and --build go with --applet")
		}
		return nil, nil
	}
	if f.applet != "coolkey" {
		return nil, fmt.Errorf("--applet: there is coolkey alone, not %q", f.applet)
	}
	version := coolkey.DefaultVersion
	if f.build != "" {
		n, err := strconv.ParseUint(f.build, 16, 32)
		if err != nil {
			return nil, fmt.Errorf("--build: %.20q is not 8 hex digits", f.build)
		}
		version = coolkey.VersionOf(uint32(n))
	}
	params, err := hex.DecodeString(f.params)
	if err != nil {
		return nil, fmt.Errorf("--install-params: %w", err)
	}
	return []simcard.Option{simcard.WithApplet(version, params)}, nil
}
