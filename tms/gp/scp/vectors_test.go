package scp_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/vectors"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// replay runs a recorded session through derivation, host end and card end, and compares every
// byte that the recording holds.
func replay(v vectors.Session) error {
	sk, hostC, cardC, err := begin(v)
	if err != nil {
		return err
	}
	if err := compare("card cryptogram", cardC[:], v.CardCryptogram); err != nil {
		return err
	}
	if err := compare("host cryptogram", hostC[:], v.HostCryptogram); err != nil {
		return err
	}
	variant := scp.Variant{SCP: byte(v.SCP), I: byte(v.I)}
	if err := replayHost(v, variant, sk, hostC); err != nil {
		return fmt.Errorf("host end: %w", err)
	}
	if err := replayCard(v, variant, sk, hostC); err != nil {
		return fmt.Errorf("card end: %w", err)
	}
	return nil
}

// begin reads INITIALIZE UPDATE and its answer with the project's own parser, derives the session
// keys and compares them with the recorded ones.
func begin(v vectors.Session) (sk keys.SessionKeys, host, card [8]byte, err error) {
	cmd, err := apdu.Parse(v.InitUpdate)
	if err != nil {
		return sk, host, card, err
	}
	iu, err := gp.ParseInitializeUpdate(cmd)
	if err != nil {
		return sk, host, card, err
	}
	answer, err := gp.ParseInitializeUpdateResponse(v.InitUpdateResponse)
	if err != nil {
		return sk, host, card, err
	}
	if answer.Info.SCP != byte(v.SCP) || answer.Info.HasI && answer.Info.I != byte(v.I) {
		return sk, host, card, fmt.Errorf("key information %v", answer.Info)
	}
	if err := compare("cryptogram in answer", answer.Cryptogram[:], v.CardCryptogram); err != nil {
		return sk, host, card, err
	}
	alg := keys.DES3
	if v.SCP == 3 {
		alg = keys.AES
	}
	var set keys.KeySet
	for _, k := range []struct {
		b   []byte
		dst *keys.Key
	}{{v.ENC, &set.ENC}, {v.MAC, &set.MAC}, {v.DEK, &set.DEK}} {
		if *k.dst, err = keys.New(alg, k.b); err != nil {
			return sk, host, card, err
		}
	}
	ck := kdf.FromKeySet(set)
	c := kdf.Challenges{Host: iu.HostChallenge, Card: answer.Challenge}
	switch v.SCP {
	case 1:
		sk, err = kdf.SessionSCP01(ck, c.Host, [8]byte(c.Card))
	case 2:
		c.Seq = [2]byte(answer.Seq)
		sk, err = kdf.SessionSCP02(ck, c.Seq)
	case 3:
		sk, err = kdf.SessionSCP03(ck, c.Host, [8]byte(c.Card))
	}
	if err != nil {
		return sk, host, card, err
	}
	for _, k := range []struct {
		name string
		got  keys.Key
		want []byte
	}{
		{"S-ENC", sk.SENC, v.SENC}, {"S-MAC", sk.SMAC, v.SMAC},
		{"S-RMAC", sk.SRMAC, v.SRMAC}, {"S-DEK", sk.SDEK, v.SDEK},
	} {
		if len(k.want) > 0 {
			if err := compare(k.name, k.got.Bytes(), k.want); err != nil {
				return sk, host, card, err
			}
		}
	}
	host, card, err = kdf.Cryptograms(byte(v.SCP), sk, c)
	return sk, host, card, err
}

func replayHost(v vectors.Session, variant scp.Variant, sk keys.SessionKeys, hostC [8]byte) error {
	h, err := scp.NewHost(variant, scp.Level(v.Level), sk,
		scp.HostOptions{EncryptEmpty: v.EncryptEmpty})
	if err != nil {
		return err
	}
	ea, err := h.ExternalAuthenticate(hostC)
	if err != nil {
		return err
	}
	if len(v.ExternalAuthenticate) == 22 {
		ea.Ne = 256 // some hosts send an Le
	}
	if err := compareCommand("external authenticate", ea, v.ExternalAuthenticate); err != nil {
		return err
	}
	if _, err := h.Unwrap(apdu.Response{SW: apdu.SW9000}); err != nil {
		return err
	}
	for i, x := range v.Commands {
		plain, err := apdu.Parse(x.Plain)
		if err != nil {
			return fmt.Errorf("command %d: %w", i, err)
		}
		wrapped, err := h.Wrap(plain)
		if err != nil {
			return fmt.Errorf("command %d: %w", i, err)
		}
		if err := compareCommand(fmt.Sprintf("command %d", i), wrapped, x.Wrapped); err != nil {
			return err
		}
		if x.SW == nil {
			continue
		}
		got, err := h.Unwrap(sent(x))
		if err != nil {
			return fmt.Errorf("response %d: %w", i, err)
		}
		if err := compare(fmt.Sprintf("response %d", i), got.Data, x.Data); err != nil {
			return err
		}
	}
	return nil
}

func replayCard(v vectors.Session, variant scp.Variant, sk keys.SessionKeys, hostC [8]byte) error {
	c, err := scp.NewCard(variant, sk)
	if err != nil {
		return err
	}
	ea, err := apdu.Parse(v.ExternalAuthenticate)
	if err != nil {
		return err
	}
	level, err := c.ExternalAuthenticate(ea, hostC)
	if err != nil {
		return err
	}
	if level != scp.Level(v.Level) {
		return fmt.Errorf("level %v, want %v", level, scp.Level(v.Level))
	}
	for i, x := range v.Commands {
		wrapped, err := apdu.Parse(x.Wrapped)
		if err != nil {
			return fmt.Errorf("command %d: %w", i, err)
		}
		plain, err := c.Unwrap(wrapped)
		if err != nil {
			return fmt.Errorf("command %d: %w", i, err)
		}
		if err := compareCommand(fmt.Sprintf("command %d", i), plain, x.Plain); err != nil {
			return err
		}
		if x.SW == nil {
			continue
		}
		resp, err := c.Wrap(apdu.Response{Data: x.Data, SW: status(x)})
		if err != nil {
			return fmt.Errorf("response %d: %w", i, err)
		}
		if err := compare(fmt.Sprintf("response %d", i), resp.Data, sent(x).Data); err != nil {
			return err
		}
	}
	return nil
}

func status(x vectors.Exchange) apdu.SW { return apdu.SW(x.SW[0])<<8 | apdu.SW(x.SW[1]) }

// sent is the response as it went over the wire.
func sent(x vectors.Exchange) apdu.Response {
	data := x.Data
	if x.Protected != nil {
		data = x.Protected
	}
	return apdu.Response{Data: data, SW: status(x)}
}

func compare(name string, got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s: got %X, want %X", name, got, want)
	}
	return nil
}

func compareCommand(name string, got apdu.Command, want []byte) error {
	b, err := got.Bytes()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return compare(name, b, want)
}

func sessions(t testing.TB) []vectors.Session {
	t.Helper()
	all, err := vectors.Sessions()
	require.NoError(t, err)
	return all
}

func TestForeignSessions(t *testing.T) {
	for _, v := range sessions(t) {
		t.Run(v.Name, func(t *testing.T) { require.NoError(t, replay(v)) })
	}
}

// TestForeignSessionsWithOneByteFlipped spoils one byte of each field in turn, at its start, its
// end and a place chosen by a fixed seed, and demands that the replay notices.
func TestForeignSessionsWithOneByteFlipped(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1415))
	for _, v := range sessions(t) {
		t.Run(v.Name, func(t *testing.T) {
			fields := map[string]vectors.Bytes{
				"ENC": v.ENC, "MAC": v.MAC, "S-ENC": v.SENC, "S-MAC": v.SMAC, "S-RMAC": v.SRMAC,
				"S-DEK": v.SDEK, "card cryptogram": v.CardCryptogram,
				"host cryptogram": v.HostCryptogram, "host challenge": v.InitUpdate[5:13],
				"external authenticate": v.ExternalAuthenticate,
				// The protocol and all that follows; diversification data and key version are
				// names that no cryptogram covers.
				"initialize update answer": v.InitUpdateResponse[11:],
			}
			if v.SCP == 3 && len(v.Sequence()) == 3 {
				// SCP03's counter matters to the card challenge alone, which package kdf holds.
				fields["initialize update answer"] = v.InitUpdateResponse[11:29]
			}
			if v.SCP == 2 {
				fields["DEK"] = v.DEK
			}
			for i, x := range v.Commands {
				fields[fmt.Sprintf("plain %d", i)] = x.Plain
				fields[fmt.Sprintf("wrapped %d", i)] = x.Wrapped
				if x.Protected != nil {
					fields[fmt.Sprintf("data %d", i)] = x.Data
					fields[fmt.Sprintf("protected %d", i)] = x.Protected
					fields[fmt.Sprintf("sw %d", i)] = x.SW
				}
			}
			for name, b := range fields {
				if len(b) == 0 {
					continue
				}
				for _, at := range []int{0, len(b) - 1, rng.IntN(len(b))} {
					b[at] ^= 0x12
					assert.Error(t, replay(v), "%s, byte %d", name, at)
					b[at] ^= 0x12
				}
			}
			require.NoError(t, replay(v), "restored")
		})
	}
}
