package perso

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// scripted answers commands by the longest hex prefix that its table has for them, and
// remembers what it was sent. What it has no answer for gets 6D00.
type scripted struct {
	answers map[string]string
	sent    []string
}

func (s *scripted) Transmit(_ context.Context, cmd []byte) ([]byte, error) {
	got := strings.ToUpper(hex.EncodeToString(cmd))
	s.sent = append(s.sent, got)
	best, answer := -1, "6D00"
	for prefix, a := range s.answers {
		if strings.HasPrefix(got, prefix) && len(prefix) > best {
			best, answer = len(prefix), a
		}
	}
	return hex.DecodeString(answer)
}

func (s *scripted) has(prefix string) bool {
	for _, c := range s.sent {
		if strings.HasPrefix(c, prefix) {
			return true
		}
	}
	return false
}

// testKeys are static keys with ENC, MAC and DEK all different.
func testKeys(t *testing.T, alg keys.Algorithm) keys.KeySet {
	t.Helper()
	set := keys.KeySet{KVN: 1}
	for i, k := range []*keys.Key{&set.ENC, &set.MAC, &set.DEK} {
		raw := make([]byte, 16)
		for j := range raw {
			raw[j] = byte(0x40 + 0x10*i + j)
		}
		var err error
		*k, err = keys.New(alg, raw)
		require.NoError(t, err)
	}
	return set
}

// channelCard is the card's end of a channel in as few lines as will do: it proves
// itself with its keys, unwraps what it is sent, and answers by a function.
type channelCard struct {
	t         *testing.T
	variant   scp.Variant
	set       keys.KeySet
	kvn       keys.KVN
	respond   func(plain apdu.Command) (string, error)
	lie       bool // answers a card cryptogram of other keys
	session   keys.SessionKeys
	host      [8]byte
	end       *scp.Card
	plain     []apdu.Command
	authTries int
	maxLc     int
}

func (c *channelCard) Transmit(_ context.Context, raw []byte) ([]byte, error) {
	cmd, err := apdu.Parse(raw)
	require.NoError(c.t, err)
	c.maxLc = max(c.maxLc, len(cmd.Data))
	switch {
	case cmd.INS == 0x50:
		return c.initializeUpdate(cmd), nil
	case cmd.INS == 0x82:
		c.authTries++
		if _, err := c.end.ExternalAuthenticate(cmd, c.host); err != nil {
			return []byte{0x63, 0x00}, nil
		}
		return []byte{0x90, 0x00}, nil // never protected
	}
	plain, err := c.end.Unwrap(cmd)
	if err != nil {
		return []byte{0x69, 0x82}, nil
	}
	c.plain = append(c.plain, plain)
	answer := "9000"
	if c.respond != nil {
		if answer, err = c.respond(plain); err != nil {
			return nil, err
		}
	}
	return c.seal(answer)
}

func (c *channelCard) seal(answer string) ([]byte, error) {
	raw, err := hex.DecodeString(answer)
	require.NoError(c.t, err)
	resp, err := apdu.ParseResponse(raw)
	require.NoError(c.t, err)
	if c.end != nil && c.end.Open() {
		resp, err = c.end.Wrap(resp)
		require.NoError(c.t, err)
	}
	return resp.Bytes(), nil
}

func (c *channelCard) initializeUpdate(cmd apdu.Command) []byte {
	host := [8]byte(cmd.Data)
	card := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	seq := [2]byte{0, 7}
	if c.variant.SCP == 2 {
		card = card[:6]
	}
	session, hostCryptogram, cardCryptogram := derive(c.t, c.variant, c.set, Handshake{
		HostChallenge: host, CardChallenge: card, Seq: seq[:],
	})
	c.session, c.host = session, hostCryptogram
	var err error
	c.end, err = scp.NewCard(c.variant, session)
	require.NoError(c.t, err)
	if c.lie {
		cardCryptogram[0] ^= 1
	}
	out := []byte{0x40, 0x90, 0x61, 0x45, 0xC7, 0x62, 0x24, 0x19, 0x2D, 0x2B} // KDD
	out = append(out, byte(c.kvn), c.variant.SCP)
	switch c.variant.SCP {
	case 2:
		out = append(append(out, seq[:]...), card...)
	case 3:
		out = append(append(out, c.variant.I), card...)
	default:
		out = append(out, card...)
	}
	return append(append(out, cardCryptogram[:]...), 0x90, 0x00)
}

// derive computes session keys and both cryptograms from static keys.
func derive(t *testing.T, v scp.Variant, set keys.KeySet, h Handshake) (
	sk keys.SessionKeys, host, card [8]byte,
) {
	t.Helper()
	ck := kdf.FromKeySet(set)
	c := kdf.Challenges{Host: h.HostChallenge, Card: h.CardChallenge}
	var err error
	switch v.SCP {
	case 1:
		sk, err = kdf.SessionSCP01(ck, h.HostChallenge, [8]byte(h.CardChallenge))
	case 2:
		c.Seq = [2]byte(h.Seq)
		sk, err = kdf.SessionSCP02(ck, c.Seq)
	case 3:
		sk, err = kdf.SessionSCP03(ck, h.HostChallenge, [8]byte(h.CardChallenge))
	}
	require.NoError(t, err)
	host, card, err = kdf.Cryptograms(v.SCP, sk, c)
	require.NoError(t, err)
	return sk, host, card
}

// testKeyring is a keyring that holds the card's keys and verifies the card.
func testKeyring(t *testing.T, set keys.KeySet) KeyringFunc {
	return func(_ context.Context, h Handshake) (Session, error) {
		sk, host, card := derive(t, h.Variant, set, h)
		if card != h.Cryptogram {
			return Session{}, ErrCardCryptogram
		}
		return Session{Keys: sk, HostCryptogram: host}, nil
	}
}

// protocols are the variants that every sequence is run under, with their keys.
var protocols = []struct {
	variant scp.Variant
	alg     keys.Algorithm
}{
	{scp.Variant{SCP: 1, I: 0x05}, keys.DES3},
	{scp.Variant{SCP: 1, I: 0x15}, keys.DES3},
	{scp.Variant{SCP: 2, I: 0x15}, keys.DES3},
	{scp.Variant{SCP: 2, I: 0x55}, keys.DES3},
	{scp.Variant{SCP: 3, I: 0x00}, keys.AES},
	{scp.Variant{SCP: 3, I: 0x70}, keys.AES},
}

var levels = []scp.Level{scp.CMAC, scp.CMAC | scp.CDEC}

// eachChannel runs a test over an open channel of every protocol and level.
func eachChannel(t *testing.T, test func(t *testing.T, card *channelCard, ch *Channel)) {
	for _, p := range protocols {
		for _, level := range levels {
			t.Run(fmt.Sprintf("%v level %v", p.variant, level), func(t *testing.T) {
				set := testKeys(t, p.alg)
				card := &channelCard{t: t, variant: p.variant, set: set, kvn: 1}
				ch, err := OpenChannel(t.Context(), card, ChannelOptions{
					Variants: []scp.Variant{p.variant}, Level: level, Keys: testKeyring(t, set),
				})
				require.NoError(t, err)
				test(t, card, ch)
			})
		}
	}
}

var errPulled = errors.New("card pulled")
