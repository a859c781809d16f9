package scp_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// triple is one exchange of the oracle's conversation.
type triple struct {
	head, data, le, answer, sw []byte
}

func conversation() []triple {
	count := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i*7 + n)
		}
		return b
	}
	ok, le := []byte{0x90, 0x00}, []byte{0x00}
	return []triple{
		{[]byte{0x80, 0xF2, 0x40, 0x02}, []byte{0x4F, 0x00}, le, count(31), ok},
		{[]byte{0x80, 0xCA, 0x00, 0x66}, nil, le, count(16), ok},
		{[]byte{0x80, 0xE8, 0x00, 0x01}, count(7), nil, nil, ok},
		{[]byte{0x80, 0xE8, 0x00, 0x02}, count(8), nil, nil, ok},
		{[]byte{0x80, 0xE6, 0x02, 0x00}, count(15), nil, nil, []byte{0x6A, 0x80}},
		{[]byte{0x80, 0xE8, 0x80, 0x03}, count(200), le, count(1), []byte{0x63, 0x10}},
		{[]byte{0x80, 0xF0, 0x80, 0x0F}, nil, nil, nil, ok},
		{[]byte{0x00, 0xA4, 0x04, 0x00}, count(16), le, count(200), ok},
	}
}

type handshakeData struct {
	enc, mac, dek, host, card, seq []byte
}

// handshakeFor gives three different static keys of n bytes and challenges.
func handshakeFor(v scp.Variant, n int) handshakeData {
	fill := func(first byte) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = first + byte(5*i)
		}
		return b
	}
	h := handshakeData{
		enc: fill(0x11), mac: fill(0x52), dek: fill(0x93),
		host: []byte("HOSTchal"), card: []byte("cardCHAL"), seq: []byte{0x01, 0x2C},
	}
	if v.SCP == 2 {
		h.card = h.card[:6]
		if !v.ThreeKeys() {
			h.mac, h.dek = h.enc, h.enc
		}
	}
	return h
}

// ends opens both ends of a session with keys from package kdf and checks them against the oracle.
func ends(t *testing.T, v scp.Variant, level scp.Level, hs handshakeData, o *channel,
) (*scp.Host, *scp.Card) {
	t.Helper()
	alg := keys.DES3
	if v.SCP == 3 {
		alg = keys.AES
	}
	var ck kdf.CardKeys
	for _, k := range []struct {
		b   []byte
		dst *kdf.Secret
	}{{hs.enc, &ck.ENC}, {hs.mac, &ck.MAC}, {hs.dek, &ck.DEK}} {
		key, err := keys.New(alg, k.b)
		require.NoError(t, err)
		*k.dst = key
	}
	ch := kdf.Challenges{Host: [8]byte(hs.host), Card: hs.card, Seq: [2]byte(hs.seq)}
	var sk keys.SessionKeys
	var err error
	switch v.SCP {
	case 1:
		sk, err = kdf.SessionSCP01(ck, ch.Host, [8]byte(hs.card))
	case 2:
		sk, err = kdf.SessionSCP02(ck, ch.Seq)
	case 3:
		sk, err = kdf.SessionSCP03(ck, ch.Host, [8]byte(hs.card))
	}
	require.NoError(t, err)
	require.Equal(t, o.senc, sk.SENC.Bytes())
	require.Equal(t, o.smac, sk.SMAC.Bytes())
	if v.SCP != 1 {
		require.Equal(t, o.srmac, sk.SRMAC.Bytes())
	}
	hostC, cardC, err := kdf.Cryptograms(v.SCP, sk, ch)
	require.NoError(t, err)
	require.Equal(t, o.hostC, hostC[:])
	require.Equal(t, o.cardC, cardC[:])

	h, err := scp.NewHost(v, level, sk, scp.HostOptions{})
	require.NoError(t, err)
	c, err := scp.NewCard(v, sk)
	require.NoError(t, err)
	ea, err := h.ExternalAuthenticate(hostC)
	require.NoError(t, err)
	wire := o.externalAuthenticate()
	require.Equal(t, wire, encode(t, ea))
	got, err := c.ExternalAuthenticate(parse(t, wire), hostC)
	require.NoError(t, err)
	require.Equal(t, level, got)
	_, err = h.Unwrap(apdu.Response{SW: apdu.SW9000})
	require.NoError(t, err)
	return h, c
}

func encode(t *testing.T, c apdu.Command) []byte {
	t.Helper()
	b, err := c.Bytes()
	require.NoError(t, err)
	return b
}

func parse(t *testing.T, b []byte) apdu.Command {
	t.Helper()
	c, err := apdu.Parse(b)
	require.NoError(t, err)
	return c
}

func command(x triple) apdu.Command {
	c := apdu.Command{CLA: x.head[0], INS: x.head[1], P1: x.head[2], P2: x.head[3], Data: x.data}
	if x.le != nil {
		c.Ne = 256
	}
	return c
}

// exchangeWithOracle sends one command through both ends and holds each against the oracle: the
// host against what the oracle sends, the card against the oracle's bytes, and back.
func exchangeWithOracle(t *testing.T, name string, h *scp.Host, c *scp.Card, o *channel, x triple) {
	t.Helper()
	wrapped, err := h.Wrap(command(x))
	require.NoError(t, err, name)
	wire := o.wrap(x.head, x.data, x.le)
	require.Equal(t, wire, encode(t, wrapped), name)
	plain, err := c.Unwrap(parse(t, wire))
	require.NoError(t, err, name)
	require.Equal(t, encode(t, command(x)), encode(t, plain), name)

	sw := apdu.SW(x.sw[0])<<8 | apdu.SW(x.sw[1])
	resp, err := c.Wrap(apdu.Response{Data: x.answer, SW: sw})
	require.NoError(t, err, name)
	back := o.respond(x.answer, x.sw)
	require.Equal(t, back, resp.Bytes(), name)
	r, err := apdu.ParseResponse(back)
	require.NoError(t, err)
	got, err := h.Unwrap(r)
	require.NoError(t, err, name)
	require.Equal(t, sw, got.SW, name)
	require.True(t, bytes.Equal(x.answer, got.Data), name)
}

func levelsOf(v scp.Variant) []scp.Level {
	var out []scp.Level
	for l := range 256 {
		if v.CheckLevel(scp.Level(l)) == nil {
			out = append(out, scp.Level(l))
		}
	}
	return out
}

// explicitVariants are all variants that open a session by EXTERNAL AUTHENTICATE.
func explicitVariants() []scp.Variant {
	var out []scp.Variant
	for s := byte(1); s <= 3; s++ {
		for i := range 256 {
			if v := (scp.Variant{SCP: s, I: byte(i)}); v.Validate() == nil {
				out = append(out, v)
			}
		}
	}
	return out
}

// TestOpenSSLOracle runs a conversation in every variant at every level and key size.
func TestOpenSSLOracle(t *testing.T) {
	o := newOpenSSL(t)
	variants := explicitVariants()
	assert.Len(t, variants, 2+64+6)
	for _, v := range variants {
		sizes := []int{16}
		if v.SCP == 3 {
			sizes = []int{16, 24, 32}
		}
		for _, n := range sizes {
			for _, level := range levelsOf(v) {
				hs := handshakeFor(v, n)
				oc := o.open(v.SCP, v.I, byte(level), hs.enc, hs.mac, hs.host, hs.card, hs.seq)
				h, c := ends(t, v, level, hs, oc)
				talk := conversation()
				if !v.ThreeKeys() {
					talk = talk[:3] // other keys, the same messages
				}
				for i, x := range talk {
					if len(x.data) > v.MaxData(level) || len(x.answer) > c.MaxResponse() {
						continue
					}
					name := fmt.Sprintf("%v, %d-byte keys, level %v, command %d", v, n, level, i)
					exchangeWithOracle(t, name, h, c, oc, x)
				}
			}
		}
	}
}

// TestOpenSSLOracleRMACSessionSCP02 holds BEGIN and END R-MAC SESSION against the oracle, with an
// R-MAC in every response and with one at the end alone (GPCS 2.3.1 §E.5.3, §E.5.4).
func TestOpenSSLOracleRMACSessionSCP02(t *testing.T) {
	o := newOpenSSL(t)
	v := scp.Variant{SCP: 2, I: 0x35}
	for _, level := range []scp.Level{0, scp.CMAC, scp.CMAC | scp.CDEC} {
		for _, every := range []scp.Level{0, scp.RMAC} {
			name := fmt.Sprintf("level %v, responses %v", level, every)
			hs := handshakeFor(v, 16)
			oc := o.open(2, v.I, byte(level), hs.enc, hs.mac, hs.host, hs.card, hs.seq)
			h, c := ends(t, v, level, hs, oc)
			exchangeWithOracle(t, name, h, c, oc, conversation()[0])

			begin, err := h.BeginRMAC(every, []byte("nonce"))
			require.NoError(t, err, name)
			wire := oc.wrap([]byte{0x80, 0x7A, byte(every), 0x01}, []byte("\x05nonce"), nil)
			require.Equal(t, wire, encode(t, begin), name)
			plain, err := c.Unwrap(parse(t, wire))
			require.NoError(t, err)
			resp, err := c.Wrap(c.BeginRMAC(plain))
			require.NoError(t, err)
			require.Equal(t, []byte{0x90, 0x00}, resp.Bytes(), "no R-MAC on BEGIN's own response")
			oc.countRMAC(nil, []byte{0x90, 0x00})
			_, err = h.Unwrap(resp)
			require.NoError(t, err)
			assert.Equal(t, level|every, h.Level())
			assert.Equal(t, level|every, c.Level())

			oc.level |= byte(every)
			for _, x := range conversation()[:5] {
				exchangeWithOracle(t, name, h, c, oc, x)
				if every == 0 { // counted though not sent
					data := x.answer
					if x.sw[0] == 0x6A {
						data = nil
					}
					oc.countRMAC(data, x.sw)
				}
			}
			for _, final := range []bool{false, true} {
				end, err := h.EndRMAC(final)
				require.NoError(t, err)
				p2 := map[bool]byte{false: 0x01, true: 0x03}[final]
				wire = oc.wrap([]byte{0x80, 0x78, 0x00, p2}, nil, []byte{0x00})
				require.Equal(t, wire, encode(t, end), name)
				plain, err = c.Unwrap(parse(t, wire))
				require.NoError(t, err)
				resp, err = c.Wrap(c.EndRMAC(plain))
				require.NoError(t, err)
				require.Equal(t, join(oc.ricv, []byte{0x90, 0x00}), resp.Bytes(), name)
				got, err := h.Unwrap(resp)
				require.NoError(t, err)
				assert.Equal(t, oc.ricv, got.Data)
			}
			assert.Equal(t, level, h.Level())
			assert.Equal(t, level, c.Level())
			oc.level = byte(level)
			exchangeWithOracle(t, name, h, c, oc, conversation()[3])
		}
	}
}

// TestOpenSSLOracleRMACSessionSCP03 raises the response level in the middle of a session and
// returns (AMD-D §7.1.3, §7.1.4).
func TestOpenSSLOracleRMACSessionSCP03(t *testing.T) {
	o := newOpenSSL(t)
	v := scp.Variant{SCP: 3, I: 0x60}
	for _, c := range []struct{ base, raise scp.Level }{
		{scp.CMAC, scp.RMAC}, {scp.CMAC | scp.CDEC, scp.RMAC},
		{scp.CMAC | scp.CDEC, scp.RMAC | scp.RENC}, {scp.RMAC | scp.CMAC | scp.CDEC, scp.RMAC | scp.RENC},
	} {
		name := fmt.Sprintf("level %v raised by %v", c.base, c.raise)
		hs := handshakeFor(v, 16)
		oc := o.open(3, v.I, byte(c.base), hs.enc, hs.mac, hs.host, hs.card, hs.seq)
		h, card := ends(t, v, c.base, hs, oc)
		exchangeWithOracle(t, name, h, card, oc, conversation()[0])

		begin, err := h.BeginRMAC(c.raise, nil)
		require.NoError(t, err, name)
		wire := oc.wrap([]byte{0x80, 0x7A, byte(c.raise), 0x01}, []byte{0x00}, nil)
		require.Equal(t, wire, encode(t, begin), name)
		plain, err := card.Unwrap(parse(t, wire))
		require.NoError(t, err)
		resp, err := card.Wrap(card.BeginRMAC(plain))
		require.NoError(t, err)
		require.Equal(t, oc.respond(nil, []byte{0x90, 0x00}), resp.Bytes(), name)
		_, err = h.Unwrap(resp)
		require.NoError(t, err)

		oc.level |= byte(c.raise)
		for _, x := range conversation()[:5] {
			exchangeWithOracle(t, name, h, card, oc, x)
		}
		end, err := h.EndRMAC(true)
		require.NoError(t, err)
		wire = oc.wrap([]byte{0x80, 0x78, 0x00, 0x03}, nil, []byte{0x00})
		require.Equal(t, wire, encode(t, end), name)
		plain, err = card.Unwrap(parse(t, wire))
		require.NoError(t, err)
		resp, err = card.Wrap(card.EndRMAC(plain))
		require.NoError(t, err)
		require.Equal(t, oc.respond(nil, []byte{0x90, 0x00}), resp.Bytes(), name)
		_, err = h.Unwrap(resp)
		require.NoError(t, err)
		assert.Equal(t, c.base, h.Level())
		assert.Equal(t, c.base, card.Level())
		oc.level = byte(c.base)
		exchangeWithOracle(t, name, h, card, oc, conversation()[0])
	}
}
