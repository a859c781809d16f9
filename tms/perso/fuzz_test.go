package perso

import (
	"context"
	"testing"

	"tokenwright/tms/gp/scp"
)

// fuzzCard answers each command with the next piece of a fuzzer's bytes: one length
// byte, then so many bytes; the last answer is repeated for ever.
type fuzzCard struct {
	rest   []byte
	answer []byte
	asked  int
}

func (c *fuzzCard) Transmit(context.Context, []byte) ([]byte, error) {
	c.asked++
	if len(c.rest) > 0 {
		n := min(int(c.rest[0]), len(c.rest)-1)
		c.answer, c.rest = c.rest[1:1+n], c.rest[1+n:]
	}
	return c.answer, nil
}

// Whatever a card answers, reading its facts ends, within bounds, with facts that are
// whole or an error that names the step.
func FuzzReadFacts(f *testing.F) {
	ok := []byte{2, 0x90, 0x00}
	cplc := append([]byte{47}, make([]byte, 47)...)
	copy(cplc[1:], []byte{0x9F, 0x7F, 42})
	cplc[46] = 0x90
	f.Add(append(append(append([]byte{}, ok...), ok...), cplc...))
	f.Add([]byte{2, 0x61, 0x10, 2, 0x6C, 0x10})
	f.Add([]byte{2, 0x6C, 0x00})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		card := &fuzzCard{rest: b}
		facts, err := ReadFacts(t.Context(), card, factsOptions)
		// Twelve commands, each of which may be cut into pieces.
		if card.asked > 12*(2+2*maxPieces) {
			t.Errorf("%d commands", card.asked)
		}
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Step == "" {
				t.Errorf("no step in %v", err)
			}
			return
		}
		if len(facts.ISD) == 0 || len(facts.CPLC) == 0 {
			t.Error("facts without card manager or CPLC")
		}
	})
}

// Whatever a card answers to INITIALIZE UPDATE, what reaches the keyring has the
// lengths that its protocol says.
func FuzzOpenChannel(f *testing.F) {
	f.Add([]byte("\x1e" + "0123456789\x01\x01" + "CHALLENG" + "CRYPTOGR" + "\x90\x00"))
	f.Add([]byte("\x1e" + "0123456789\x01\x02" + "SQCHALLE" + "CRYPTOGR" + "\x90\x00"))
	f.Add([]byte("\x1f" + "0123456789\x01\x03\x70" + "CHALLENG" + "CRYPTOGR" + "\x90\x00"))
	f.Add([]byte("\x22" + "0123456789\x01\x03\x70" + "CHALLENG" + "CRYPTOGR" + "\x00\x00\x01\x90\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := OpenChannel(t.Context(), &fuzzCard{rest: b}, ChannelOptions{
			Variants: []scp.Variant{{SCP: 1, I: 5}, {SCP: 2, I: 0x15}, {SCP: 3, I: 0x70}},
			Keys: KeyringFunc(func(_ context.Context, h Handshake) (Session, error) {
				challenge, seq := 8, 0
				if h.Variant.SCP == 2 {
					challenge, seq = 6, 2
				}
				if len(h.CardChallenge) != challenge ||
					len(h.Seq) != seq && (h.Variant.SCP != 3 || len(h.Seq) != 3) {
					t.Errorf("%v: challenge %X, sequence %X", h.Variant, h.CardChallenge, h.Seq)
				}
				return Session{}, ErrCardCryptogram
			}),
		})
		if err == nil {
			t.Error("a channel without keys")
		}
	})
}
