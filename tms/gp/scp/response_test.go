package scp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

var answer = apdu.Response{Data: []byte("response data of 25 bytes"), SW: apdu.SW9000}

// answered opens a session, sends a command and gives the protected response to it.
func answered(t *testing.T, v scp.Variant, level scp.Level, resp apdu.Response,
) (*scp.Host, *scp.Card, apdu.Response) {
	t.Helper()
	h, c := pair(t, v, level, scp.HostOptions{})
	w, err := h.Wrap(getStatus)
	require.NoError(t, err)
	_, err = c.Unwrap(w)
	require.NoError(t, err)
	r, err := c.Wrap(resp)
	require.NoError(t, err)
	r.Data = append([]byte(nil), r.Data...)
	return h, c, r
}

func TestWrongResponsesEndTheHostsSession(t *testing.T) {
	for _, c := range []struct {
		v     scp.Variant
		level scp.Level
	}{
		{v2(0x35), scp.RMAC}, {v2(0x35), scp.RMAC | scp.CMAC},
		{v3(0x60), scp.RMAC | scp.CMAC},
		{v3(0x60), scp.RENC | scp.RMAC | scp.CMAC | scp.CDEC},
	} {
		for name, spoil := range map[string]func(*apdu.Response){
			"first byte":      func(r *apdu.Response) { r.Data[0] ^= 1 },
			"last byte":       func(r *apdu.Response) { r.Data[len(r.Data)-1] ^= 1 },
			"status word":     func(r *apdu.Response) { r.SW = apdu.SW6310 },
			"cut":             func(r *apdu.Response) { r.Data = r.Data[1:] },
			"mac alone":       func(r *apdu.Response) { r.Data = r.Data[len(r.Data)-8:] },
			"seven bytes":     func(r *apdu.Response) { r.Data = r.Data[:7] },
			"nothing":         func(r *apdu.Response) { r.Data = nil },
			"error with data": func(r *apdu.Response) { r.SW = apdu.SW6A80 },
		} {
			h, _, r := answered(t, c.v, c.level, answer)
			spoil(&r)
			_, err := h.Unwrap(r)
			require.ErrorIs(t, err, scp.ErrMAC, "%v level %v: %s", c.v, c.level, name)
			requireEnded(t, h, nil)
		}
	}
}

func TestErrorResponses(t *testing.T) {
	failed := apdu.Response{Data: []byte{1, 2, 3}, SW: apdu.SW6A88}

	h, c, r := answered(t, v3(0x70), scp.RMAC|scp.CMAC, failed)
	assert.Empty(t, r.Data, "SCP03 sends an error status word alone")
	got, err := h.Unwrap(r)
	require.NoError(t, err)
	require.ErrorIs(t, got.Err(), apdu.SW6A88)
	exchange(t, h, c, getStatus, answer)

	v := v2(0x35)
	h, c, r = answered(t, v, scp.RMAC|scp.CMAC, failed)
	assert.Len(t, r.Data, 8, "SCP02 sends an R-MAC and no data")
	got, err = h.Unwrap(r)
	require.NoError(t, err)
	assert.Empty(t, got.Data)
	exchange(t, h, c, getStatus, answer)

	h, c, r = answered(t, v, scp.RMAC|scp.CMAC, failed)
	r.Data = nil // a card that sends errors bare still counts them
	_, err = h.Unwrap(r)
	require.NoError(t, err)
	exchange(t, h, c, getStatus, answer)

	h, _, r = answered(t, v, scp.RMAC|scp.CMAC, failed)
	r.Data = join([]byte{0xBA, 0xD0}, r.Data) // data that the R-MAC of an error does not cover
	_, err = h.Unwrap(r)
	require.ErrorIs(t, err, scp.ErrMAC)

	h, _, r = answered(t, v, scp.RMAC|scp.CMAC, failed)
	r.Data[3] ^= 1
	_, err = h.Unwrap(r)
	require.ErrorIs(t, err, scp.ErrMAC)
}

// TestWrongPaddingUnderARightMAC makes what only a holder of the keys can: SCP03 data that
// decrypts to no padding.
func TestWrongPaddingUnderARightMAC(t *testing.T) {
	v := v3(0x60)
	full := scp.RENC | scp.RMAC | scp.CMAC | scp.CDEC
	sk := sessionKeys(t, v)
	for _, n := range []int{1, 15, 16, 32} {
		c := cardAt(t, v, sk, full)
		forged := forge(t, sk, full, apdu.Command{CLA: 0x80, INS: 0xE2, Data: make([]byte, n)})
		_, err := c.Unwrap(forged)
		require.ErrorIs(t, err, scp.ErrPadding, "%d bytes", n)
		requireEnded(t, nil, c)
	}
}

// cardAt opens a card's session at a level.
func cardAt(t *testing.T, v scp.Variant, sk keys.SessionKeys, level scp.Level) *scp.Card {
	t.Helper()
	h, err := scp.NewHost(v, level, sk, scp.HostOptions{})
	require.NoError(t, err)
	ea, err := h.ExternalAuthenticate(hostCryptogram)
	require.NoError(t, err)
	c, err := scp.NewCard(v, sk)
	require.NoError(t, err)
	_, err = c.ExternalAuthenticate(ea, hostCryptogram)
	require.NoError(t, err)
	return c
}

// forge MACs a command as SCP03 does after EXTERNAL AUTHENTICATE, without encrypting its data.
func forge(t *testing.T, sk keys.SessionKeys, level scp.Level, cmd apdu.Command) apdu.Command {
	t.Helper()
	ea := join(make([]byte, 16), []byte{0x84, 0x82, byte(level), 0x00, 0x10}, hostCryptogram[:])
	chain, err := sk.SMAC.CMAC(ea)
	require.NoError(t, err)
	mac, err := sk.SMAC.CMAC(join(chain,
		[]byte{0x84, cmd.INS, cmd.P1, cmd.P2, byte(len(cmd.Data) + 8)}, cmd.Data))
	require.NoError(t, err)
	cmd.CLA = 0x84
	cmd.Data = join(cmd.Data, mac[:8])
	return cmd
}

func TestWrongResponsePaddingUnderARightMAC(t *testing.T) {
	v := v3(0x60)
	full := scp.RENC | scp.RMAC | scp.CMAC | scp.CDEC
	sk := sessionKeys(t, v)
	for _, n := range []int{5, 16} {
		h, _, _ := answered(t, v, full, answer)
		// The chaining value after EXTERNAL AUTHENTICATE and the command, recomputed.
		h2, err := scp.NewHost(v, full, sk, scp.HostOptions{})
		require.NoError(t, err)
		ea, err := h2.ExternalAuthenticate(hostCryptogram)
		require.NoError(t, err)
		cmd, err := h2.Wrap(getStatus)
		require.NoError(t, err)
		chain := make([]byte, 16)
		for _, c := range []apdu.Command{ea, cmd} {
			body := c.Data[:len(c.Data)-8]
			chain, err = sk.SMAC.CMAC(join(chain, []byte{0x84, c.INS, c.P1, c.P2, byte(len(c.Data))}, body))
			require.NoError(t, err)
		}
		data := make([]byte, n)
		mac, err := sk.SRMAC.CMAC(join(chain, data, []byte{0x90, 0x00}))
		require.NoError(t, err)
		_, err = h.Unwrap(apdu.Response{Data: join(data, mac[:8]), SW: apdu.SW9000})
		require.ErrorIs(t, err, scp.ErrPadding)
		requireEnded(t, h, nil)
	}
}

// TestPaddingTellsNothingBeforeTheMAC spoils ciphertext of SCP01 and SCP02 in every byte: padding
// and MAC errors are one error.
func TestPaddingTellsNothingBeforeTheMAC(t *testing.T) {
	for _, v := range []scp.Variant{{SCP: 1, I: 5}, {SCP: 2, I: 0x15}} {
		for n := range 17 {
			h, _ := pair(t, v, scp.CMAC|scp.CDEC, scp.HostOptions{EncryptEmpty: true})
			w, err := h.Wrap(apdu.Command{CLA: 0x80, INS: 0xE2, Data: make([]byte, n)})
			require.NoError(t, err)
			for at := range w.Data {
				_, c := pair(t, v, scp.CMAC|scp.CDEC, scp.HostOptions{})
				bad := w
				bad.Data = append([]byte(nil), w.Data...)
				bad.Data[at] ^= 0x41
				_, err := c.Unwrap(bad)
				require.ErrorIs(t, err, scp.ErrMAC)
				require.EqualError(t, err, "unwrapping command: message authentication code is wrong")
			}
		}
	}
}

// TestBrokenBlocksUnderARightMAC makes what only a holder of the keys can: SCP01 and SCP02 data that
// decrypts to something no host would have padded so, with the MAC that the card computes over it.
func TestBrokenBlocksUnderARightMAC(t *testing.T) {
	for name, c := range map[string]struct {
		scp           byte
		blocks, plain []byte // as encrypted, and what the MAC covers
		good          bool
	}{
		"scp02 padded":         {2, []byte{1, 2, 3, 4, 5, 6, 7, 0x80}, []byte{1, 2, 3, 4, 5, 6, 7}, true},
		"scp02 no padding":     {2, []byte{1, 2, 3, 4, 5, 6, 7, 8}, []byte{1, 2, 3, 4, 5, 6, 7, 8}, false},
		"scp02 zeros":          {2, make([]byte, 8), make([]byte, 8), false},
		"scp02 two pad blocks": {2, join([]byte{0x80}, make([]byte, 15)), nil, false},
		"scp01 full block":     {1, []byte{7, 1, 2, 3, 4, 5, 6, 7}, []byte{1, 2, 3, 4, 5, 6, 7}, true},
		"scp01 padded":         {1, []byte{2, 1, 2, 0x80, 0, 0, 0, 0}, []byte{1, 2}, true},
		"scp01 needless block": {
			1, join([]byte{7, 1, 2, 3, 4, 5, 6, 7, 0x80}, make([]byte, 7)), []byte{1, 2, 3, 4, 5, 6, 7}, false,
		},
		"scp01 length too long":  {1, []byte{8, 1, 2, 3, 4, 5, 6, 7}, []byte{8, 1, 2, 3, 4, 5, 6, 7}, false},
		"scp01 length disagrees": {1, []byte{1, 1, 2, 0x80, 0, 0, 0, 0}, []byte{1}, false},
		"scp01 no 80":            {1, []byte{2, 1, 2, 0, 0, 0, 0, 0}, []byte{1, 2}, false},
	} {
		v := scp.Variant{SCP: c.scp, I: 0x05} // no ICV encryption
		sk := sessionKeys(t, v)
		card := cardAt(t, v, sk, scp.CMAC|scp.CDEC)
		mac := sk.SMAC.RetailMAC
		if c.scp == 1 {
			mac = sk.SMAC.FullMAC
		}
		icv, err := mac([8]byte{}, join([]byte{0x84, 0x82, 0x03, 0x00, 0x10}, hostCryptogram[:]))
		require.NoError(t, err)
		tag, err := mac(icv, join([]byte{0x84, 0xE2, 0, 0, byte(len(c.plain) + 8)}, c.plain))
		require.NoError(t, err)
		sent, err := sk.SENC.EncryptCBC(nil, c.blocks)
		require.NoError(t, err)
		got, err := card.Unwrap(apdu.Command{CLA: 0x84, INS: 0xE2, Data: join(sent, tag[:])})
		if c.good {
			require.NoError(t, err, name)
			assert.Equal(t, c.plain, got.Data, name)
			continue
		}
		require.ErrorIs(t, err, scp.ErrMAC, name)
		requireEnded(t, nil, card)
	}
}

// TestBytesBetweenDataAndMACAreNoticed puts bytes that fill no block behind the ciphertext.
func TestBytesBetweenDataAndMACAreNoticed(t *testing.T) {
	for _, v := range []scp.Variant{{SCP: 1, I: 0x15}, {SCP: 2, I: 0x55}, {SCP: 3, I: 0}} {
		for n := 1; n < 16; n++ {
			h, c := pair(t, v, scp.CMAC|scp.CDEC, scp.HostOptions{})
			w, err := h.Wrap(getStatus)
			require.NoError(t, err)
			at := len(w.Data) - 8
			w.Data = join(w.Data[:at], make([]byte, n), w.Data[at:])
			_, err = c.Unwrap(w)
			require.ErrorIs(t, err, scp.ErrMAC, "%v, %d bytes", v, n)
		}
	}
}

func TestRMACSessionRefused(t *testing.T) {
	begin := func(p1 byte, data ...byte) apdu.Command {
		return apdu.Command{CLA: 0x80, INS: 0x7A, P1: p1, P2: 1, Data: data}
	}
	ending := func(p1, p2 byte, data ...byte) apdu.Command {
		return apdu.Command{CLA: 0x80, INS: 0x78, P1: p1, P2: p2, Data: data}
	}
	end := ending(0, 3)
	long := append([]byte{25}, make([]byte, 25)...)
	for name, c := range map[string]struct {
		v     scp.Variant
		level scp.Level
		cmd   apdu.Command
		want  apdu.SW
	}{
		"scp01 begin":         {v1(5), 1, begin(0x10, 0), apdu.SW6D00},
		"scp01 end":           {v1(5), 1, end, apdu.SW6D00},
		"scp02 without r-mac": {v2(0x15), 1, begin(0x10, 0), apdu.SW6D00},
		"scp03 without r-mac": {v3(0), 1, begin(0x10, 0), apdu.SW6D00},
		"scp02 with r-enc":    {v2(0x35), 1, begin(0x30, 0), apdu.SW6985},
		"scp02 twice":         {v2(0x35), 0x11, begin(0x10, 0), apdu.SW6985},
		"scp02 end unbegun":   {v2(0x35), 1, end, apdu.SW6985},
		"scp03 end unbegun":   {v3(0x70), 1, end, apdu.SW6985},
		"scp03 no c-mac":      {v3(0x70), 0, begin(0x10, 0), apdu.SW6985},
		"scp03 no c-dec":      {v3(0x70), 1, begin(0x30, 0), apdu.SW6985},
		"scp03 r-mac there":   {v3(0x70), 0x11, begin(0x10, 0), apdu.SW6985},
		"scp03 r-enc there":   {v3(0x70), 0x33, begin(0x30, 0), apdu.SW6985},
		"scp03 no r-enc":      {v3(0x30), 3, begin(0x30, 0), apdu.SW6985},
		"scp03 level 00":      {v3(0x70), 1, begin(0x00, 0), apdu.SW6985},
		"p1 of c-mac":         {v3(0x70), 1, begin(0x11, 0), apdu.SW6A86},
		"p1 r-enc alone":      {v3(0x70), 3, begin(0x20, 0), apdu.SW6A86},
		"no length byte":      {v3(0x70), 1, begin(0x10), apdu.SW6A80},
		"length too great":    {v3(0x70), 1, begin(0x10, 2, 0), apdu.SW6A80},
		"length over 24":      {v3(0x70), 1, begin(0x10, long...), apdu.SW6A80},
		"end p1":              {v3(0x70), 1, ending(1, 3), apdu.SW6A86},
		"end p2 of scp02":     {v3(0x70), 1, ending(0, 1), apdu.SW6A86},
		"end with data":       {v3(0x70), 1, ending(0, 3, 1), apdu.SW6A80},
	} {
		h, card := pair(t, c.v, c.level, scp.HostOptions{})
		w, err := h.Wrap(c.cmd) // past the host's own checks
		require.NoError(t, err, name)
		plain, err := card.Unwrap(w)
		require.NoError(t, err, name)
		var resp apdu.Response
		if c.cmd.INS == 0x7A {
			resp = card.BeginRMAC(plain)
		} else {
			resp = card.EndRMAC(plain)
		}
		assert.Equal(t, c.want, resp.SW, name)
		assert.Equal(t, c.level, card.Level(), name)
		_, err = card.Wrap(resp)
		require.NoError(t, err, name)
		assert.True(t, card.Open(), "a refusal leaves the session open: %s", name)
	}
}

func TestHostRefusesRMACSessionsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		v        scp.Variant
		level    scp.Level
		response scp.Level
	}{
		{v1(5), 1, scp.RMAC}, {v2(0x15), 1, scp.RMAC},
		{v2(0x35), 1, scp.RMAC | scp.RENC}, {v2(0x35), 0x11, scp.RMAC},
		{v3(0x70), 1, 0}, {v3(0x70), 0, scp.RMAC},
		{v3(0x70), 1, scp.RMAC | scp.RENC}, {v3(0x70), 0x11, scp.RMAC},
		{v3(0x30), 3, scp.RMAC | scp.RENC}, {v3(0x70), 0x33, scp.RMAC | scp.RENC},
	} {
		h, _ := pair(t, c.v, c.level, scp.HostOptions{})
		_, err := h.BeginRMAC(c.response, nil)
		require.ErrorIs(t, err, scp.ErrLevel, "%v %v %v", c.v, c.level, c.response)
		_, err = h.EndRMAC(true)
		require.ErrorIs(t, err, scp.ErrLevel)
		assert.False(t, h.Ended())
	}
	h, _ := pair(t, v2(0x35), 1, scp.HostOptions{})
	_, err := h.BeginRMAC(scp.RMAC, make([]byte, scp.MaxRMACData+1))
	require.ErrorIs(t, err, scp.ErrTooLong)
}

func TestEndRMACWithAWrongRMACEndsTheSession(t *testing.T) {
	v := v2(0x35)
	for _, data := range [][]byte{nil, make([]byte, 8)} {
		h, c := pair(t, v, scp.CMAC, scp.HostOptions{})
		begun(t, h, c, 0)
		end, err := h.EndRMAC(true)
		require.NoError(t, err)
		_, err = c.Unwrap(end)
		require.NoError(t, err)
		_, err = h.Unwrap(apdu.Response{Data: data, SW: apdu.SW9000})
		require.ErrorIs(t, err, scp.ErrMAC)
		requireEnded(t, h, nil)
	}
	// A refused END leaves the R-MAC session as it was, at both ends.
	h, c := pair(t, v, scp.CMAC, scp.HostOptions{})
	begun(t, h, c, scp.RMAC)
	end, err := h.EndRMAC(true)
	require.NoError(t, err)
	plain, err := c.Unwrap(end)
	require.NoError(t, err)
	plain.P1 = 1
	r, err := c.Wrap(c.EndRMAC(plain))
	require.NoError(t, err)
	_, err = h.Unwrap(r)
	require.NoError(t, err)
	assert.Equal(t, scp.RMAC|scp.CMAC, h.Level())
	exchange(t, h, c, getStatus, answer)
}

// begun opens an R-MAC session at both ends.
func begun(t *testing.T, h *scp.Host, c *scp.Card, response scp.Level) {
	t.Helper()
	begin, err := h.BeginRMAC(response, []byte{1, 2, 3})
	require.NoError(t, err)
	plain, err := c.Unwrap(begin)
	require.NoError(t, err)
	r, err := c.Wrap(c.BeginRMAC(plain))
	require.NoError(t, err)
	got, err := h.Unwrap(r)
	require.NoError(t, err)
	require.NoError(t, got.Err())
}

func TestRMACKeyOfTheNextCounter(t *testing.T) {
	v := v2(0x35)
	h, c := pair(t, v, scp.CMAC, scp.HostOptions{})
	other, err := keys.New(keys.DES3, []byte("other r-mac key!"))
	require.NoError(t, err)
	require.NoError(t, h.SetRMACKey(other))
	require.NoError(t, c.SetRMACKey(other))
	begun(t, h, c, scp.RMAC)
	exchange(t, h, c, getStatus, answer)
	require.ErrorIs(t, h.SetRMACKey(other), scp.ErrSequence)
	require.ErrorIs(t, c.SetRMACKey(other), scp.ErrSequence)

	h, c = pair(t, v, scp.CMAC, scp.HostOptions{})
	require.NoError(t, h.SetRMACKey(other))
	begun(t, h, c, scp.RMAC)
	w, err := h.Wrap(getStatus)
	require.NoError(t, err)
	_, err = c.Unwrap(w)
	require.NoError(t, err)
	r, err := c.Wrap(answer)
	require.NoError(t, err)
	_, err = h.Unwrap(r)
	require.ErrorIs(t, err, scp.ErrMAC, "one end with another key")

	h, c = pair(t, v3(0x70), scp.CMAC, scp.HostOptions{})
	require.ErrorIs(t, h.SetRMACKey(other), scp.ErrKeys)
	require.ErrorIs(t, c.SetRMACKey(other), scp.ErrKeys)
}
