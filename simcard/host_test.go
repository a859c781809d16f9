package simcard_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err, s)
	return b
}

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

func stockOf(t testing.TB, name string) stock.Stock {
	t.Helper()
	s, err := stock.ByName(name)
	require.NoError(t, err)
	return s
}

// newCard makes a powered card with a fixed seed.
func newCard(t testing.TB, name string, opts ...simcard.Option) *simcard.Card {
	t.Helper()
	opts = append([]simcard.Option{simcard.WithSeed(1)}, opts...)
	c, err := simcard.New(stockOf(t, name), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.PowerOn())
	return c
}

// send transmits hex and gives hex.
func send(t testing.TB, c *simcard.Card, cmd string) string {
	t.Helper()
	resp, err := c.Transmit(context.Background(), unhex(t, cmd))
	require.NoError(t, err)
	return upper(resp)
}

// host is the other end of a session.
type host struct {
	t    testing.TB
	c    *simcard.Card
	via  transmitter // c itself, unless a test stands in between
	sk   keys.SessionKeys
	set  keys.KeySet
	scp  *scp.Host
	seq  []byte
	info keys.KeyInfo

	options scp.HostOptions
}

// transmitter carries commands to a card.
type transmitter interface {
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
}

func (h *host) transmit(cmd apdu.Command) apdu.Response {
	h.t.Helper()
	b, err := cmd.Bytes()
	require.NoError(h.t, err)
	r, err := h.via.Transmit(context.Background(), b)
	require.NoError(h.t, err)
	resp, err := apdu.ParseResponse(r)
	require.NoError(h.t, err)
	return resp
}

// keySet gives the keys that a card holds under kvn: the factory set of its stock, or the one that
// the tests put, which is 40..4F with its first byte changed to the version.
func keySet(t testing.TB, c *simcard.Card, kvn keys.KVN) keys.KeySet {
	t.Helper()
	s := c.Stock()
	if kvn == s.Keys.KVN {
		set, err := s.FactoryKeys(c.KDD())
		require.NoError(t, err)
		return set
	}
	set := keys.KeySet{KVN: kvn}
	for i, k := range []*keys.Key{&set.ENC, &set.MAC, &set.DEK} {
		b := bytes.Repeat([]byte{byte(kvn), byte(i + 1)}, 8)
		algorithm := keys.DES3
		if s.SCP == 3 {
			algorithm = keys.AES
		}
		var err error
		*k, err = keys.New(algorithm, b)
		require.NoError(t, err)
	}
	return set
}

// initialize sends INITIALIZE UPDATE and derives the session keys.
func initialize(t testing.TB, c *simcard.Card, set keys.KeySet) (*host, kdf.Challenges, [8]byte) {
	t.Helper()
	return initializeVia(t, c, c, set)
}

func initializeVia(
	t testing.TB, c *simcard.Card, via transmitter, set keys.KeySet,
) (*host, kdf.Challenges, [8]byte) {
	t.Helper()
	h := &host{t: t, c: c, via: via, set: set}
	challenge := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	resp := h.transmit(gp.InitializeUpdate{KVN: set.KVN, HostChallenge: challenge, Ne: 256}.Command())
	require.NoError(t, resp.Err(), "INITIALIZE UPDATE")
	iu, err := gp.ParseInitializeUpdateResponse(resp.Data)
	require.NoError(t, err)
	require.Equal(t, set.KVN, iu.Info.KVN)
	h.info, h.seq = iu.Info, iu.Seq
	ck, ch := kdf.FromKeySet(set), kdf.Challenges{Host: challenge, Card: iu.Challenge}
	switch iu.Info.SCP {
	case 1:
		h.sk, err = kdf.SessionSCP01(ck, challenge, [8]byte(iu.Challenge))
	case 2:
		ch.Seq = [2]byte(iu.Seq)
		h.sk, err = kdf.SessionSCP02(ck, ch.Seq)
	case 3:
		h.sk, err = kdf.SessionSCP03(ck, challenge, [8]byte(iu.Challenge))
	}
	require.NoError(t, err)
	_, card, err := kdf.Cryptograms(iu.Info.SCP, h.sk, ch)
	require.NoError(t, err)
	require.Equal(t, card, iu.Cryptogram, "card cryptogram")
	return h, ch, iu.Cryptogram
}

// authenticate sends EXTERNAL AUTHENTICATE for an initialized session; spoil changes the command.
func (h *host) authenticate(ch kdf.Challenges, level scp.Level, spoil func(*apdu.Command)) apdu.SW {
	h.t.Helper()
	s := h.c.Stock()
	var err error
	h.scp, err = scp.NewHost(scp.Variant{SCP: s.SCP, I: s.I}, level, h.sk, h.options)
	require.NoError(h.t, err)
	cryptogram, _, err := kdf.Cryptograms(h.info.SCP, h.sk, ch)
	require.NoError(h.t, err)
	ea, err := h.scp.ExternalAuthenticate(cryptogram)
	require.NoError(h.t, err)
	if spoil != nil {
		spoil(&ea)
	}
	resp := h.transmit(ea)
	_, _ = h.scp.Unwrap(resp)
	return resp.SW
}

// authenticateAs sends EXTERNAL AUTHENTICATE with a level that the protocol may lack, its MAC right.
func (h *host) authenticateAs(ch kdf.Challenges, level byte) apdu.SW {
	h.t.Helper()
	cryptogram, _, err := kdf.Cryptograms(h.info.SCP, h.sk, ch)
	require.NoError(h.t, err)
	msg := append([]byte{0x84, 0x82, level, 0, 16}, cryptogram[:]...)
	mac, err := h.sk.SMAC.FullMAC([8]byte{}, msg)
	require.NoError(h.t, err)
	return h.transmit(apdu.Command{
		CLA: 0x84, INS: 0x82, P1: level, Data: append(cryptogram[:], mac[:]...),
	}).SW
}

// channel opens a session with whatever is selected.
func channel(t testing.TB, c *simcard.Card, kvn keys.KVN, level scp.Level) *host {
	t.Helper()
	h, ch, _ := initialize(t, c, keySet(t, c, kvn))
	require.Equal(t, apdu.SW9000, h.authenticate(ch, level, nil), "EXTERNAL AUTHENTICATE")
	return h
}

// send protects a command and gives the answer without its protection.
func (h *host) send(cmd apdu.Command) apdu.Response {
	h.t.Helper()
	wrapped, err := h.scp.Wrap(cmd)
	require.NoError(h.t, err)
	resp, err := h.scp.Unwrap(h.transmit(wrapped))
	require.NoError(h.t, err)
	return resp
}

// hex protects a command given in hex and gives the answer in hex.
func (h *host) hex(cmd string) string {
	h.t.Helper()
	c, err := apdu.Parse(unhex(h.t, cmd))
	require.NoError(h.t, err)
	return upper(h.send(c).Bytes())
}

// putKeys makes the PUT KEY that brings the test key set kvn, in place of old (00: added).
func (h *host) putKeys(old, kvn keys.KVN) apdu.Command {
	h.t.Helper()
	p := gp.PutKey{OldKVN: old, FirstKeyID: 1, Multiple: true, Ne: 256}
	p.KVN = kvn
	set := keySet(h.t, h.c, kvn)
	for _, k := range []keys.Key{set.ENC, set.MAC, set.DEK} {
		kcv := k.KCV()
		d := gp.KeyData{Type: gp.KeyDES, KCV: kcv[:]}
		var err error
		switch h.info.SCP {
		case 1:
			d.Type = gp.KeyDESOld
			d.Value, err = h.set.DEK.EncryptECB(k.Bytes())
		case 2:
			d.Value, err = h.sk.SDEK.EncryptECB(k.Bytes())
		case 3:
			d.Type = gp.KeyAES
			d.Value, err = h.set.DEK.EncryptCBC(nil, k.Bytes())
		}
		require.NoError(h.t, err)
		p.Keys = append(p.Keys, d)
	}
	return p.Command()
}

// sw cuts the status word off a response in hex.
func sw(resp string) string { return resp[len(resp)-4:] }

func scpLevel(n int) scp.Level { return scp.Level(n) }
