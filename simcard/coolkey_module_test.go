package simcard_test

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/cards"
	"tokenwright/simcard"
	"tokenwright/simcard/coolkey"
	"tokenwright/simcard/nvm"
)

// moduleKey gives the key behind the module's conversation as PKCS#8.
func moduleKey(t *testing.T, n cards.Numbers) []byte {
	t.Helper()
	num := func(s string) *big.Int {
		v, ok := new(big.Int).SetString(s, 16)
		require.True(t, ok)
		return v
	}
	p, q, one := num(n.Prime1), num(n.Prime2), big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: num(n.Modulus), E: n.PublicExponent},
		D:         new(big.Int).ModInverse(big.NewInt(int64(n.PublicExponent)), phi),
		Primes:    []*big.Int{p, q},
	}
	require.NoError(t, k.Validate())
	k.Precompute()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(t, err)
	return der
}

// store makes an object and fills it.
func (h *host) store(id, acl string, content []byte) {
	h.t.Helper()
	const chunk = 200
	h.each(exchange{create(id, len(content), acl), "9000"})
	for at := 0; at < len(content); at += chunk {
		part := content[at:min(at+chunk, len(content))]
		h.each(exchange{fmt.Sprintf("84540000%02X%s%08X%02X%s", 9+len(part), id, at, len(part),
			upper(part)), "9000"})
	}
}

// combined gives the z0 object as it was read in the first listing.
func combined(t *testing.T, events []cards.Event) []byte {
	t.Helper()
	var out []byte
	for _, e := range events {
		if !strings.HasPrefix(e.Cmd, "B056000011"+z0) {
			continue
		}
		part := unhex(t, strings.TrimSuffix(e.Resp, "9000"))
		if out = append(out, part...); len(part) < 0xFF {
			break
		}
	}
	return out
}

// personalized makes the card that the module talked to, on a chip.
func personalized(t *testing.T, events []cards.Event, n cards.Numbers) *nvm.RAM {
	t.Helper()
	chip := nvm.NewRAM(nil)
	c, err := simcard.New(stockOf(t, "op201-scp01"), simcard.WithSeed(1), simcard.WithDevice(chip),
		simcard.WithApplet(coolkey.DefaultVersion, nil))
	require.NoError(t, err)
	require.NoError(t, c.PowerOn())
	require.Equal(t, "9000", send(t, c, selectCoolKey))
	h := channel(t, c, 1, 1)
	h.store("FF00FFF3", "400040004000", append(unhex(t, "00090800"), moduleKey(t, n)...))
	h.each(
		exchange{"8440007F08" + upper([]byte("password")), "9000"},
		exchange{"8432000110FF00FFF3000040000001FFFF4000FFFF", "9000"},
		exchange{"8452000004FF00FFF3", "9000"},
	)
	h.store(z0, "FFFF40004000", combined(t, events))
	h.each(exchange{"84F00F0000", "9000"})
	require.NoError(t, c.Close())
	return chip
}

// What a PKCS#11 module asked an applet is asked again: every answer is the applet's, signatures and
// decryptions included. Nonces are those of the recording.
func TestCoolKeyModuleConversation(t *testing.T) {
	events, n, err := cards.Module()
	require.NoError(t, err)
	chip := personalized(t, events, n)
	var c *simcard.Card
	exchanges := 0
	for i, e := range events {
		switch e.Power {
		case "on":
			opts := []simcard.Option{simcard.WithSeed(1), simcard.WithDevice(chip)}
			if nonce := nextNonce(events[i:]); nonce != "" {
				opts = append(opts, simcard.WithNonce(unhex(t, nonce)))
			}
			c, err = simcard.New(stockOf(t, "op201-scp01"), opts...)
			require.NoError(t, err)
			require.NoError(t, c.PowerOn())
		case "off":
			require.NoError(t, c.Close())
		default:
			require.Equal(t, e.Resp, send(t, c, e.Cmd), "event %d: %s", i+1, e.Cmd)
			exchanges++
		}
	}
	require.NoError(t, c.Close())
	require.Equal(t, 63, exchanges)
}

// nextNonce is what the first successful VERIFY PIN of a conversation answered.
func nextNonce(events []cards.Event) string {
	for _, e := range events {
		if strings.HasPrefix(e.Cmd, "B042") && strings.HasSuffix(e.Resp, "9000") {
			return e.Resp[:16]
		}
	}
	return ""
}
