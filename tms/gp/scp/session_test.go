package scp_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// sessionKeys gives three or four different session keys that suit the protocol.
func sessionKeys(t testing.TB, v scp.Variant) keys.SessionKeys {
	t.Helper()
	alg := keys.DES3
	if v.SCP == 3 {
		alg = keys.AES
	}
	key := func(s string) keys.Key {
		k, err := keys.New(alg, []byte(s))
		require.NoError(t, err)
		return k
	}
	sk := keys.SessionKeys{SENC: key("encENCencENCencE"), SMAC: key("macMACmacMACmacM")}
	if v.SCP != 1 {
		sk.SRMAC = key("rmaRMArmaRMArmaR")
	}
	return sk
}

var hostCryptogram = [8]byte{1, 2, 3, 4, 5, 6, 7, 8}

// pair opens both ends of a session.
func pair(t testing.TB, v scp.Variant, level scp.Level, o scp.HostOptions) (*scp.Host, *scp.Card) {
	t.Helper()
	sk := sessionKeys(t, v)
	h, err := scp.NewHost(v, level, sk, o)
	require.NoError(t, err)
	c, err := scp.NewCard(v, sk)
	require.NoError(t, err)
	ea, err := h.ExternalAuthenticate(hostCryptogram)
	require.NoError(t, err)
	got, err := c.ExternalAuthenticate(ea, hostCryptogram)
	require.NoError(t, err)
	require.Equal(t, level, got)
	_, err = h.Unwrap(apdu.Response{SW: apdu.SW9000})
	require.NoError(t, err)
	return h, c
}

// exchange sends one command and a response through both ends.
func exchange(t testing.TB, h *scp.Host, c *scp.Card, cmd apdu.Command, resp apdu.Response) {
	t.Helper()
	w, err := h.Wrap(cmd)
	require.NoError(t, err)
	plain, err := c.Unwrap(w)
	require.NoError(t, err)
	assert.Equal(t, cmd.Header(), plain.Header())
	assert.Len(t, plain.Data, len(cmd.Data))
	assert.Equal(t, append([]byte{}, cmd.Data...), append([]byte{}, plain.Data...))
	r, err := c.Wrap(resp)
	require.NoError(t, err)
	got, err := h.Unwrap(r)
	require.NoError(t, err)
	assert.Equal(t, resp.SW, got.SW)
	assert.Equal(t, append([]byte{}, resp.Data...), append([]byte{}, got.Data...))
}

var (
	getStatus = apdu.Command{CLA: 0x80, INS: 0xF2, P1: 0x40, Data: []byte{0x4F, 0x00}, Ne: 256}
	setStatus = apdu.Command{CLA: 0x80, INS: 0xF0, P1: 0x80, P2: 0x0F}
	success   = apdu.Response{SW: apdu.SW9000}
)

func v1(i byte) scp.Variant { return scp.Variant{SCP: 1, I: i} }
func v2(i byte) scp.Variant { return scp.Variant{SCP: 2, I: i} }
func v3(i byte) scp.Variant { return scp.Variant{SCP: 3, I: i} }

// oneOf gives a variant of each protocol that can do most.
func oneOf() []scp.Variant {
	return []scp.Variant{{SCP: 1, I: 0x15}, {SCP: 2, I: 0x75}, {SCP: 2, I: 0x26}, {SCP: 3, I: 0x70}}
}

func requireEnded(t *testing.T, h *scp.Host, c *scp.Card) {
	t.Helper()
	if h != nil {
		assert.True(t, h.Ended())
		assert.Zero(t, h.Level())
		for name, f := range map[string]func() error{
			"wrap":         func() error { _, err := h.Wrap(getStatus); return err },
			"unwrap":       func() error { _, err := h.Unwrap(success); return err },
			"authenticate": func() error { _, err := h.ExternalAuthenticate(hostCryptogram); return err },
			"begin":        func() error { _, err := h.BeginRMAC(scp.RMAC, nil); return err },
			"end":          func() error { _, err := h.EndRMAC(true); return err },
			"r-mac key":    func() error { return h.SetRMACKey(keys.Key{}) },
		} {
			require.ErrorIs(t, f(), scp.ErrSessionEnded, name)
		}
	}
	if c != nil {
		assert.True(t, c.Ended())
		assert.False(t, c.Open())
		assert.Zero(t, c.Level())
		for name, f := range map[string]func() error{
			"unwrap": func() error { _, err := c.Unwrap(getStatus); return err },
			"wrap":   func() error { _, err := c.Wrap(success); return err },
			"authenticate": func() error {
				_, err := c.ExternalAuthenticate(apdu.Command{}, hostCryptogram)
				return err
			},
			"r-mac key": func() error { return c.SetRMACKey(keys.Key{}) },
		} {
			require.ErrorIs(t, f(), scp.ErrSessionEnded, name)
		}
		assert.Equal(t, apdu.SW6985, c.BeginRMAC(apdu.Command{INS: 0x7A}).SW)
		assert.Equal(t, apdu.SW6985, c.EndRMAC(apdu.Command{INS: 0x78}).SW)
	}
}

func TestVariants(t *testing.T) {
	for _, v := range []scp.Variant{
		{1, 0x00}, {1, 0x04}, {1, 0x14}, {1, 0x55}, {0, 0x05}, {4, 0x05},
		{2, 0x0A}, {2, 0x0B}, {2, 0x1A}, {2, 0x1B}, {2, 0x95}, {2, 0xFF},
		{3, 0x01}, {3, 0x40}, {3, 0x50}, {3, 0x80}, {3, 0x71},
	} {
		require.ErrorIs(t, v.Validate(), scp.ErrVariant, v)
		_, err := scp.NewHost(v, 0, keys.SessionKeys{}, scp.HostOptions{})
		require.ErrorIs(t, err, scp.ErrVariant, v)
		_, err = scp.NewCard(v, keys.SessionKeys{})
		require.ErrorIs(t, err, scp.ErrVariant, v)
	}
	assert.ErrorContains(t, scp.Variant{SCP: 2, I: 0x1A}.Validate(), "implicit initiation")
	assert.Equal(t, "scp02 i=55", scp.Variant{SCP: 2, I: 0x55}.String())
	assert.True(t, scp.Variant{SCP: 2, I: 0x55}.PseudoRandom())
	assert.True(t, scp.Variant{SCP: 3, I: 0x10}.PseudoRandom())
	assert.False(t, scp.Variant{SCP: 1, I: 0x15}.PseudoRandom())
	assert.False(t, scp.Variant{SCP: 2, I: 0x14}.ThreeKeys())
	assert.True(t, scp.Variant{SCP: 2, I: 0x15}.ThreeKeys())
	assert.True(t, scp.Variant{SCP: 1, I: 0x05}.ThreeKeys())
}

func TestLevelsOfEachVariant(t *testing.T) {
	for v, want := range map[scp.Variant]string{
		{1, 0x05}: "[00 01 03]", {2, 0x15}: "[00 01 03]", {2, 0x35}: "[00 01 03 10 11 13]",
		{3, 0x00}: "[00 01 03]", {3, 0x20}: "[00 01 03 11 13]", {3, 0x70}: "[00 01 03 11 13 33]",
	} {
		assert.Equal(t, want, fmt.Sprint(levelsOf(v)), v)
	}
	_, err := scp.NewHost(scp.Variant{SCP: 3, I: 0}, scp.RMAC|scp.CMAC,
		sessionKeys(t, scp.Variant{SCP: 3}), scp.HostOptions{})
	require.ErrorIs(t, err, scp.ErrLevel)
}

func TestKeysMustSuitTheProtocol(t *testing.T) {
	des, aes := sessionKeys(t, scp.Variant{SCP: 2}), sessionKeys(t, scp.Variant{SCP: 3})
	for name, c := range map[string]struct {
		v  scp.Variant
		sk keys.SessionKeys
	}{
		"aes for scp01": {v1(5), aes},
		"des for scp03": {scp.Variant{SCP: 3}, des},
		"no keys":       {v2(0x15), keys.SessionKeys{}},
		"no r-mac key":  {v3(0x20), keys.SessionKeys{SENC: aes.SENC, SMAC: aes.SMAC}},
		"r-mac key of another": {
			v2(0x35), keys.SessionKeys{SENC: des.SENC, SMAC: des.SMAC, SRMAC: aes.SRMAC},
		},
	} {
		_, err := scp.NewHost(c.v, 0, c.sk, scp.HostOptions{})
		require.ErrorIs(t, err, scp.ErrKeys, name)
		_, err = scp.NewCard(c.v, c.sk)
		require.ErrorIs(t, err, scp.ErrKeys, name)
	}
	two := keys.SessionKeys{SENC: aes.SENC, SMAC: aes.SMAC}
	_, err := scp.NewHost(v3(0), 0, two, scp.HostOptions{})
	require.NoError(t, err, "no R-MAC key is needed where there is no R-MAC")
}

func TestZeroValuesAreEnded(t *testing.T) {
	requireEnded(t, new(scp.Host), new(scp.Card))
}

func TestCallsOutOfSequence(t *testing.T) {
	for _, v := range oneOf() {
		sk := sessionKeys(t, v)
		h, err := scp.NewHost(v, scp.CMAC, sk, scp.HostOptions{})
		require.NoError(t, err)
		_, err = h.Wrap(getStatus)
		require.ErrorIs(t, err, scp.ErrSequence, "before external authenticate")
		_, err = h.Unwrap(success)
		require.ErrorIs(t, err, scp.ErrSequence)
		c, err := scp.NewCard(v, sk)
		require.NoError(t, err)
		_, err = c.Unwrap(getStatus)
		require.ErrorIs(t, err, scp.ErrSequence)
		_, err = c.Wrap(success)
		require.ErrorIs(t, err, scp.ErrSequence)

		ea, err := h.ExternalAuthenticate(hostCryptogram)
		require.NoError(t, err)
		_, err = c.ExternalAuthenticate(ea, hostCryptogram)
		require.NoError(t, err)
		_, err = h.ExternalAuthenticate(hostCryptogram)
		require.ErrorIs(t, err, scp.ErrSequence, "twice")
		_, err = h.Unwrap(success)
		require.NoError(t, err)
		_, err = h.Unwrap(success)
		require.ErrorIs(t, err, scp.ErrSequence, "two responses")
		exchange(t, h, c, getStatus, success)
		_, err = c.Wrap(success)
		require.ErrorIs(t, err, scp.ErrSequence, "two responses")
		exchange(t, h, c, getStatus, success)

		_, err = c.ExternalAuthenticate(ea, hostCryptogram)
		require.ErrorIs(t, err, scp.ErrSequence, "a second external authenticate ends the session")
		requireEnded(t, nil, c)
	}
}

func TestExternalAuthenticateRefused(t *testing.T) {
	for _, v := range oneOf() {
		for name, c := range map[string]struct {
			spoil func(*apdu.Command)
			want  error
		}{
			"cryptogram":       {func(c *apdu.Command) { c.Data[0] ^= 1 }, scp.ErrCryptogram},
			"mac first byte":   {func(c *apdu.Command) { c.Data[8] ^= 1 }, scp.ErrMAC},
			"mac last byte":    {func(c *apdu.Command) { c.Data[15] ^= 0x80 }, scp.ErrMAC},
			"level raised":     {func(c *apdu.Command) { c.P1 = 0x03 }, scp.ErrMAC},
			"level of no kind": {func(c *apdu.Command) { c.P1 = 0x02 }, scp.ErrLevel},
			"level ff":         {func(c *apdu.Command) { c.P1 = 0xFF }, scp.ErrLevel},
			"p2":               {func(c *apdu.Command) { c.P2 = 1 }, scp.ErrFormat},
			"plain class":      {func(c *apdu.Command) { c.CLA = 0x80 }, scp.ErrFormat},
			"instruction":      {func(c *apdu.Command) { c.INS = 0x84 }, scp.ErrFormat},
			"short":            {func(c *apdu.Command) { c.Data = c.Data[:15] }, scp.ErrFormat},
			"long":             {func(c *apdu.Command) { c.Data = append(c.Data, 0) }, scp.ErrFormat},
			"empty":            {func(c *apdu.Command) { c.Data = nil }, scp.ErrFormat},
			"extended":         {func(c *apdu.Command) { c.Extended = true }, scp.ErrFormat},
		} {
			sk := sessionKeys(t, v)
			h, err := scp.NewHost(v, scp.CMAC, sk, scp.HostOptions{})
			require.NoError(t, err)
			ea, err := h.ExternalAuthenticate(hostCryptogram)
			require.NoError(t, err)
			good := ea
			good.Data = append([]byte(nil), ea.Data...)
			c.spoil(&ea)
			card, err := scp.NewCard(v, sk)
			require.NoError(t, err)
			_, err = card.ExternalAuthenticate(ea, hostCryptogram)
			require.ErrorIs(t, err, c.want, "%v %s", v, name)
			_, err = card.ExternalAuthenticate(good, hostCryptogram)
			require.ErrorIs(t, err, scp.ErrSessionEnded, "%v: the right one comes too late", v)
			requireEnded(t, nil, card)
			_, err = h.Unwrap(apdu.Response{SW: apdu.SW6300})
			require.NoError(t, err, "the status word passes")
			requireEnded(t, h, nil)
		}
	}
}

func TestWrongCommandsEndTheCardsSession(t *testing.T) {
	for _, v := range oneOf() {
		for _, level := range []scp.Level{scp.CMAC, scp.CMAC | scp.CDEC} {
			for name, c := range map[string]struct {
				spoil func(*apdu.Command)
				want  error
			}{
				"no secure messaging": {func(c *apdu.Command) { *c = getStatus }, scp.ErrLevel},
				"secure bit cleared":  {func(c *apdu.Command) { c.CLA &^= 0x04 }, scp.ErrLevel},
				"mac":                 {func(c *apdu.Command) { c.Data[len(c.Data)-1] ^= 1 }, scp.ErrMAC},
				"data":                {func(c *apdu.Command) { c.Data[0] ^= 1 }, scp.ErrMAC},
				"instruction":         {func(c *apdu.Command) { c.INS ^= 1 }, scp.ErrMAC},
				"p1":                  {func(c *apdu.Command) { c.P1 ^= 1 }, scp.ErrMAC},
				"p2":                  {func(c *apdu.Command) { c.P2 ^= 1 }, scp.ErrMAC},
				"mac cut":             {func(c *apdu.Command) { c.Data = c.Data[:len(c.Data)-1] }, scp.ErrMAC},
				"nothing but 7 bytes": {func(c *apdu.Command) { c.Data = c.Data[:7] }, scp.ErrMAC},
				"no data":             {func(c *apdu.Command) { c.Data = nil }, scp.ErrMAC},
				"only the mac":        {func(c *apdu.Command) { c.Data = c.Data[len(c.Data)-8:] }, scp.ErrMAC},
				"extended":            {func(c *apdu.Command) { c.Extended = true }, scp.ErrFormat},
			} {
				h, card := pair(t, v, level, scp.HostOptions{})
				exchange(t, h, card, getStatus, success)
				w, err := h.Wrap(getStatus)
				require.NoError(t, err)
				good := w
				good.Data = append([]byte(nil), w.Data...)
				c.spoil(&w)
				_, err = card.Unwrap(w)
				require.ErrorIs(t, err, c.want, "%v level %v: %s", v, level, name)
				_, err = card.Unwrap(good)
				require.ErrorIs(t, err, scp.ErrSessionEnded, "%v: the right one comes too late", v)
				requireEnded(t, nil, card)
			}
		}
	}
}

func TestReplayAndSwapAreNoticed(t *testing.T) {
	for _, v := range oneOf() {
		h, c := pair(t, v, scp.CMAC, scp.HostOptions{})
		first, err := h.Wrap(setStatus)
		require.NoError(t, err)
		_, err = c.Unwrap(first)
		require.NoError(t, err)
		_, err = c.Unwrap(first)
		require.ErrorIs(t, err, scp.ErrMAC, "%v replayed", v)

		h, c = pair(t, v, scp.CMAC, scp.HostOptions{})
		_, err = h.Wrap(setStatus)
		require.NoError(t, err)
		second, err := h.Wrap(setStatus)
		require.NoError(t, err)
		_, err = c.Unwrap(second)
		require.ErrorIs(t, err, scp.ErrMAC, "%v swapped", v)
	}
}

func TestCommandsAboveTheLevelAreRefused(t *testing.T) {
	for _, v := range oneOf() {
		h, c := pair(t, v, 0, scp.HostOptions{})
		exchange(t, h, c, getStatus, apdu.Response{Data: []byte{1, 2}, SW: apdu.SW9000})
		w, err := h.Wrap(getStatus)
		require.NoError(t, err)
		assert.Equal(t, getStatus, w, "level 00 changes nothing")
		w.CLA |= 0x04
		_, err = c.Unwrap(w)
		require.ErrorIs(t, err, scp.ErrLevel)
		requireEnded(t, nil, c)
	}
}

func TestEmptyDataAtLevelThree(t *testing.T) {
	for v, wire := range map[scp.Variant][2]int{ // bytes of data as sent: bare, encrypted
		{1, 0x05}: {8, 16}, {2, 0x15}: {8, 16}, {3, 0x00}: {8, 8},
	} {
		for i, encrypt := range []bool{false, true} {
			h, c := pair(t, v, scp.CMAC|scp.CDEC, scp.HostOptions{EncryptEmpty: encrypt})
			w, err := h.Wrap(setStatus)
			require.NoError(t, err)
			assert.Len(t, w.Data, wire[i], "%v encrypt %v", v, encrypt)
			plain, err := c.Unwrap(w)
			require.NoError(t, err)
			assert.Empty(t, plain.Data)
			_, err = c.Wrap(success)
			require.NoError(t, err)
			_, err = h.Unwrap(success)
			require.NoError(t, err)
			exchange(t, h, c, getStatus, success)
		}
	}
}

func TestBoundsOfData(t *testing.T) {
	for _, v := range explicitVariants() {
		for _, level := range levelsOf(v) {
			h, c := pair(t, v, level, scp.HostOptions{})
			n := h.MaxData()
			want := 255
			switch {
			case level.Has(scp.CDEC):
				want = 239
			case level.Has(scp.CMAC):
				want = 247
			}
			assert.Equal(t, want, n, "%v level %v", v, level)
			full := apdu.Command{CLA: 0x80, INS: 0xE2, Data: make([]byte, n), Ne: 256}
			exchange(t, h, c, full, success)
			if level == 0 {
				continue
			}
			over := full
			over.Data = make([]byte, n+1)
			_, err := h.Wrap(over)
			require.ErrorIs(t, err, scp.ErrTooLong, "%v level %v", v, level)
			assert.ErrorContains(t, err, fmt.Sprintf("at most %d", n))
			over = full
			over.Extended = true
			_, err = h.Wrap(over)
			require.ErrorIs(t, err, scp.ErrTooLong)
			exchange(t, h, c, full, success) // the session goes on
		}
	}
}

func TestBoundsOfResponses(t *testing.T) {
	for level, n := range map[scp.Level]int{
		scp.RMAC | scp.CMAC: 248, scp.RENC | scp.RMAC | scp.CMAC | scp.CDEC: 239, scp.CMAC: 256,
	} {
		h, c := pair(t, scp.Variant{SCP: 3, I: 0x60}, level, scp.HostOptions{})
		assert.Equal(t, n, c.MaxResponse())
		exchange(t, h, c, getStatus, apdu.Response{Data: make([]byte, n), SW: apdu.SW9000})
		if level == scp.CMAC {
			continue
		}
		w, err := h.Wrap(getStatus)
		require.NoError(t, err)
		_, err = c.Unwrap(w)
		require.NoError(t, err)
		_, err = c.Wrap(apdu.Response{Data: make([]byte, n+1), SW: apdu.SW9000})
		require.ErrorIs(t, err, scp.ErrTooLong)
		r, err := c.Wrap(apdu.Response{SW: apdu.SW6A80})
		require.NoError(t, err, "something shorter goes")
		_, err = h.Unwrap(r)
		require.NoError(t, err)
	}
}

func TestLogicalChannelsStayOutOfTheMAC(t *testing.T) {
	for _, v := range oneOf() {
		for _, cla := range []byte{0x80, 0x81, 0x83, 0xC0, 0xCF, 0x00, 0x02, 0x40} {
			h, c := pair(t, v, scp.CMAC, scp.HostOptions{})
			cmd := getStatus
			cmd.CLA = cla
			w, err := h.Wrap(cmd)
			require.NoError(t, err)
			assert.Equal(t, apdu.WithSecure(cla, true), w.CLA)
			moved, ok := apdu.WithChannel(w.CLA, 2)
			require.True(t, ok)
			w.CLA = moved
			plain, err := c.Unwrap(w)
			require.NoError(t, err, "%v class %02X", v, cla)
			assert.Equal(t, 2, apdu.Channel(plain.CLA))
			assert.False(t, apdu.Secure(plain.CLA))
		}
	}
}

func TestDropLe(t *testing.T) {
	h, c := pair(t, scp.Variant{SCP: 1, I: 5}, scp.CMAC, scp.HostOptions{DropLe: true})
	w, err := h.Wrap(getStatus)
	require.NoError(t, err)
	assert.Zero(t, w.Ne)
	plain, err := c.Unwrap(w)
	require.NoError(t, err)
	assert.Equal(t, getStatus.Data, plain.Data)
}

func TestCallersSlicesAreNotTouched(t *testing.T) {
	for _, v := range oneOf() {
		h, c := pair(t, v, scp.CMAC|scp.CDEC, scp.HostOptions{})
		backing := []byte("datadataXXXXXXXXXXXXXXXXXXXXXXXX")
		cmd := apdu.Command{CLA: 0x80, INS: 0xE2, Data: backing[:8]}
		w, err := h.Wrap(cmd)
		require.NoError(t, err)
		sent := append([]byte(nil), w.Data...)
		plain, err := c.Unwrap(w)
		require.NoError(t, err)
		assert.Equal(t, "datadataXXXXXXXXXXXXXXXXXXXXXXXX", string(backing))
		assert.Equal(t, sent, w.Data)
		clear(w.Data)
		assert.Equal(t, "datadata", string(plain.Data), "plain data does not alias the message")
	}
}
