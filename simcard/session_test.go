package simcard_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/scp"
)

const (
	initUpdate = "805000000801020304050607 0800"
	getStatus  = "80F28002024F0000"
)

func TestInitializeUpdate(t *testing.T) {
	for _, s := range stock.All() {
		t.Run(s.Name, func(t *testing.T) {
			c := newCard(t, s.Name)
			want := map[byte]int{1: 30, 2: 30, 3: 34}[s.SCP]
			first := send(t, c, initUpdate)
			require.Len(t, first, 2*want)
			require.Equal(t, c.KDD().String(), first[:20])
			require.Equal(t, s.Keys.KVN.String(), first[20:22])
			second := send(t, c, initUpdate)
			require.NotEqual(t, first[24:], second[24:], "challenges differ")
			for cmd, sw := range map[string]string{
				"80500900080102030405060708":     "6A88", // no such version
				"8050000007010203040506 07":      "6700",
				"805000000901020304050607 0809":  "6700",
				"84500000080102030405060708":     "6E00",
				"00500000080102030405060708":     "6E00",
				"80500001080102030405060708 00":  "9000", // a key index
				"848200001000000000000000000000": "6700",
			} {
				require.Equal(t, sw, send(t, c, cmd)[len(send(t, c, cmd))-4:], cmd)
			}
		})
	}
	c := newCard(t, "gp211-scp01")
	require.Equal(t, "6A88", send(t, c, "80500002080102030405060708"), "no key 2 to start with")
	strict := stockOf(t, "sce7-scp03")
	strict.Quirks.StrictKeyIndex = true
	sc, err := simcard.New(strict)
	require.NoError(t, err)
	require.NoError(t, sc.PowerOn())
	require.Equal(t, "6A86", send(t, sc, "80500001080102030405060708"))
}

func TestExternalAuthenticate(t *testing.T) {
	for _, s := range stock.All() {
		t.Run(s.Name, func(t *testing.T) {
			c := newCard(t, s.Name, simcard.WithMaxTries(0))
			set := keySet(t, c, s.Keys.KVN)
			for name, try := range map[string]struct {
				spoil func(*apdu.Command)
				want  apdu.SW
			}{
				"cryptogram":   {func(c *apdu.Command) { c.Data[3] ^= 8 }, apdu.SW6300},
				"mac":          {func(c *apdu.Command) { c.Data[12] ^= 8 }, apdu.SW6982},
				"level":        {func(c *apdu.Command) { c.P1 = 2 }, apdu.SW6A86},
				"P2":           {func(c *apdu.Command) { c.P2 = 1 }, apdu.SW6A86},
				"short":        {func(c *apdu.Command) { c.Data = c.Data[:15] }, apdu.SW6700},
				"long":         {func(c *apdu.Command) { c.Data = append(c.Data, 0) }, apdu.SW6700},
				"other level":  {func(c *apdu.Command) { c.P1 = 0 }, apdu.SW6982},
				"plain class":  {func(c *apdu.Command) { c.CLA = 0x80 }, apdu.SW6E00},
				"le after mac": {func(c *apdu.Command) { c.Ne = 256 }, apdu.SW9000},
			} {
				h, ch, _ := initialize(t, c, set)
				require.Equal(t, try.want, h.authenticate(ch, 1, try.spoil), name)
				if try.want != apdu.SW9000 && name != "plain class" {
					require.Equal(t, apdu.SW6985, h.authenticate(ch, 1, nil), "%s: start again", name)
				}
			}
			require.NoError(t, c.PowerOn())
			h, ch, _ := initialize(t, c, set)
			require.NoError(t, c.Reset())
			require.Equal(t, apdu.SW6985, h.authenticate(ch, 1, nil), "a reset ends it")

			h, ch, _ = initialize(t, c, set)
			require.Equal(t, apdu.SW9000, h.authenticate(ch, 1, nil))
			require.Equal(t, apdu.SW6985, h.authenticate(ch, 1, nil), "twice")

			h, ch, _ = initialize(t, c, set)
			initialize(t, c, set)
			require.NotEqual(t, apdu.SW9000, h.authenticate(ch, 1, nil), "an older challenge")
		})
	}
}

func TestSecurityLevels(t *testing.T) {
	for _, try := range []struct {
		scp, i byte
		level  scp.Level
		want   apdu.SW
	}{
		{1, 0x05, 0x11, apdu.SW6A86}, {1, 0x15, 0x03, apdu.SW9000},
		{2, 0x15, 0x11, apdu.SW6A86}, {2, 0x35, 0x11, apdu.SW9000}, {2, 0x55, 0x03, apdu.SW9000},
		{3, 0x00, 0x33, apdu.SW6A86}, {3, 0x20, 0x13, apdu.SW9000}, {3, 0x20, 0x33, apdu.SW6A86},
		{3, 0x60, 0x33, apdu.SW9000}, {3, 0x70, 0x11, apdu.SW9000}, {3, 0x30, 0x03, apdu.SW9000},
	} {
		name := map[byte]string{1: "gp211-scp01", 2: "gp211-scp02", 3: "sce7-scp03"}[try.scp]
		c := newCard(t, name, simcard.WithProtocol(try.scp, try.i))
		h, ch, _ := initialize(t, c, keySet(t, c, c.Stock().Keys.KVN))
		if try.want == apdu.SW9000 {
			require.Equal(t, try.want, h.authenticate(ch, try.level, nil), "%v", try)
			require.Equal(t, "9000", sw(h.hex(getStatus)), "%v", try)
			require.Equal(t, "6A88", h.hex("80CA123400"), "%v: an error goes out plain", try)
			require.Equal(t, "9000", sw(h.hex("80CA006600")), "%v", try)
			continue
		}
		got := h.authenticate(ch, 1, func(cmd *apdu.Command) { cmd.P1 = byte(try.level) })
		require.Equal(t, try.want, got, "%v", try)
	}
}

// What a session protects it protects for good: any command that fails its check ends it, and
// nothing but a new start, or a selection, is answered until then.
func TestSessionsEnd(t *testing.T) {
	for _, s := range stock.All() {
		c := newCard(t, s.Name)
		for name, offend := range map[string]func(h *host) string{
			"plain command": func(*host) string { return send(t, c, getStatus) },
			"plain get data": func(*host) string {
				return send(t, c, "80CA006600")
			},
			"wrong MAC": func(h *host) string {
				w, err := h.scp.Wrap(apdu.Command{CLA: 0x80, INS: 0xCA, P2: 0x66})
				require.NoError(t, err)
				w.Data[len(w.Data)-1] ^= 1
				return upper(h.transmit(w).Bytes())
			},
			"replay": func(h *host) string {
				w, err := h.scp.Wrap(apdu.Command{CLA: 0x80, INS: 0xCA, P2: 0x42})
				require.NoError(t, err)
				require.Equal(t, apdu.SW6A88, h.transmit(w).SW)
				return upper(h.transmit(w).Bytes())
			},
			"swapped": func(h *host) string {
				_, err := h.scp.Wrap(apdu.Command{CLA: 0x80, INS: 0xCA, P2: 0x42})
				require.NoError(t, err)
				w, err := h.scp.Wrap(apdu.Command{CLA: 0x80, INS: 0xCA, P2: 0x42})
				require.NoError(t, err)
				return upper(h.transmit(w).Bytes())
			},
			"truncated MAC": func(*host) string { return send(t, c, "84CA00420701020304050607") },
			"no MAC":        func(*host) string { return send(t, c, "84CA004200") },
		} {
			h := channel(t, c, s.Keys.KVN, 3)
			require.Equal(t, "6982", offend(h), "%s: %s", s.Name, name)
			require.Equal(t, "6982", send(t, c, "80CA006600"), "%s: %s", s.Name, name)
			w, err := h.scp.Wrap(apdu.Command{CLA: 0x80, INS: 0xF2, P1: 0x80, P2: 2, Data: []byte{0x4F, 0}})
			require.NoError(t, err)
			require.Equal(t, apdu.SW6982, h.transmit(w).SW, "%s: %s", s.Name, name)
			require.Equal(t, "9000", sw(send(t, c, "00A4040000")))
			require.Equal(t, "9000", sw(send(t, c, "80CA9F7F00")), "terminated, not aborted")
		}
		// A selection ends a session, also one of the same application, and so does a reset.
		for _, end := range []func(){
			func() { send(t, c, "00A4040000") },
			func() { require.NoError(t, c.Reset()) },
			func() { require.NoError(t, c.PowerOn()) },
		} {
			h := channel(t, c, s.Keys.KVN, 1)
			end()
			require.Equal(t, "6982", sw(upper(h.transmit(wrapped(h, getStatus)).Bytes())))
		}
	}
}

func wrapped(h *host, cmd string) apdu.Command {
	h.t.Helper()
	c, err := apdu.Parse(unhex(h.t, cmd))
	require.NoError(h.t, err)
	w, err := h.scp.Wrap(c)
	require.NoError(h.t, err)
	return w
}

// A command that fails for its content goes on the chain as any other.
func TestFailedCommandsStayInTheChain(t *testing.T) {
	for _, s := range stock.All() {
		for _, level := range []scp.Level{1, 3} {
			c := newCard(t, s.Name)
			h := channel(t, c, s.Keys.KVN, level)
			for _, x := range []exchange{
				{"80CA123400", "6A88"}, {"80FE000000", "6D00"}, {getStatus, "9000"},
				{"80E40000074F05A000000001", "6A88"}, {"80CA006600", map[bool]string{
					true: "6A88", false: "9000"}[s.Quirks.NoRecognition]}, {getStatus, "9000"},
			} {
				require.Equal(t, x.want, sw(h.hex(x.cmd)), "%s %s", s.Name, x.cmd)
			}
		}
	}
}

// Old hosts encrypt empty data, and leave Le away behind the MAC; the card takes both.
func TestOldHosts(t *testing.T) {
	for _, name := range []string{"op201-scp01", "gp211-scp01", "gp211-scp02"} {
		for _, o := range []scp.HostOptions{
			{EncryptEmpty: true}, {DropLe: true}, {EncryptEmpty: true, DropLe: true},
		} {
			c := newCard(t, name)
			h, ch, _ := initialize(t, c, keySet(t, c, c.Stock().Keys.KVN))
			h.options = o
			require.Equal(t, apdu.SW9000, h.authenticate(ch, 3, nil))
			for range 3 {
				require.NoError(t, h.transmit(wrapped(h, "80CA9F7F00")).Err(), "%s %+v", name, o)
				require.NoError(t, h.transmit(wrapped(h, getStatus)).Err(), "%s %+v", name, o)
			}
		}
	}
}

func TestSequenceCounters(t *testing.T) {
	c := newCard(t, "gp211-scp02")
	require.Equal(t, "C10200009000", send(t, c, "80CA00C100"))
	for range 3 { // INITIALIZE UPDATE alone, or a refused host, count nothing.
		h, ch, _ := initialize(t, c, keySet(t, c, 0xFF))
		require.Equal(t, []byte{0, 0}, h.seq)
		h.authenticate(ch, 1, func(cmd *apdu.Command) { cmd.Data[9] ^= 1 })
	}
	h := channel(t, c, 0xFF, 1)
	require.Equal(t, []byte{0, 0}, h.seq)
	require.NoError(t, c.PowerOn())
	require.Equal(t, "C10200019000", send(t, c, "80CA00C100"))
	h = channel(t, c, 0xFF, 1)
	require.Equal(t, []byte{0, 1}, h.seq)
	require.NoError(t, h.send(h.putKeys(0, 5)).Err())
	h = channel(t, c, 5, 1)
	require.Equal(t, []byte{0, 0}, h.seq, "new keys start anew")

	c = newCard(t, "sce7-scp03")
	require.Equal(t, "C1030000009000", send(t, c, "80CA00C100"))
	for i := range 3 {
		h, _, _ := initialize(t, c, keySet(t, c, 1))
		require.Equal(t, []byte{0, 0, byte(i + 1)}, h.seq, "each INITIALIZE UPDATE counts")
	}
	h = channel(t, c, 1, 1)
	require.NoError(t, h.send(h.putKeys(1, 1+1)).Err())
	h = channel(t, c, 2, 1)
	require.Equal(t, []byte{0, 0, 1}, h.seq)

	require.Equal(t, "6A88", send(t, newCard(t, "gp211-scp01"), "80CA00C100"))
	c = newCard(t, "gp211-scp02", simcard.WithSequenceCounter([]byte{0xFF, 0xFF}))
	require.Equal(t, "6985", send(t, c, initUpdate), "the counter does not wrap")
	c = newCard(t, "sce7-scp03", simcard.WithSequenceCounter([]byte{0xFF, 0xFF, 0xFF}))
	require.Equal(t, "9000", sw(send(t, c, initUpdate)))
	require.Equal(t, "6985", send(t, c, initUpdate))
}

func TestTriesBlockTheKeys(t *testing.T) {
	c := newCard(t, "gp211-scp02", simcard.WithMaxTries(3))
	set := keySet(t, c, 0xFF)
	wrong := func() {
		h, ch, _ := initialize(t, c, set)
		require.Equal(t, apdu.SW6300, h.authenticate(ch, 1, func(c *apdu.Command) { c.Data[0] ^= 1 }))
	}
	wrong()
	wrong()
	channel(t, c, 0xFF, 1)
	wrong()
	wrong()
	require.NoError(t, c.PowerOn())
	for range 5 {
		send(t, c, initUpdate) // is no attempt
	}
	wrong()
	require.Equal(t, "6983", send(t, c, initUpdate))
	require.NoError(t, c.PowerOn())
	require.Equal(t, "6983", send(t, c, initUpdate), "for good")
	require.Equal(t, "9000", sw(send(t, c, "80CA9F7F00")))
}

func TestPinnedChallenge(t *testing.T) {
	for name, n := range map[string]int{"gp211-scp01": 8, "gp211-scp02": 6, "sce7-scp03": 8} {
		pin := bytes.Repeat([]byte{0xA5}, n)
		c := newCard(t, name, simcard.WithCardChallenge(pin))
		h, ch, _ := initialize(t, c, keySet(t, c, c.Stock().Keys.KVN))
		require.Equal(t, pin, ch.Card)
		require.Equal(t, apdu.SW9000, h.authenticate(ch, 1, nil))
		_, err := simcard.New(stockOf(t, name), simcard.WithCardChallenge(pin[1:]))
		require.Error(t, err)
	}
}

// The R-MAC session commands of SCP03 (AMD-D §7.1.3, §7.1.4).
func TestRMACSession(t *testing.T) {
	c := newCard(t, "sce7-scp03")
	h := channel(t, c, 1, 1)
	begin, err := h.scp.BeginRMAC(scp.RMAC, nil)
	require.NoError(t, err)
	_, err = h.scp.Unwrap(h.transmit(begin))
	require.NoError(t, err)
	require.Equal(t, "9000", sw(h.hex(getStatus)))
	require.EqualValues(t, 0x11, h.scp.Level())
	end, err := h.scp.EndRMAC(true)
	require.NoError(t, err)
	_, err = h.scp.Unwrap(h.transmit(end))
	require.NoError(t, err)
	require.EqualValues(t, 0x01, h.scp.Level())
	require.Equal(t, "9000", sw(h.hex(getStatus)))

	old := newCard(t, "gp211-scp02")
	h = channel(t, old, 0xFF, 1)
	require.Equal(t, "6D00", h.hex("807A100000"))
}

// Some cards answer a plain GET DATA inside a session, which goes on.
func TestPlainGetDataQuirk(t *testing.T) {
	s := stockOf(t, "gp211-scp01")
	s.Quirks.PlainGetData = true
	c, err := simcard.New(s)
	require.NoError(t, err)
	require.NoError(t, c.PowerOn())
	h := channel(t, c, 0xFF, 1)
	require.Equal(t, "9000", sw(send(t, c, "80CA006600")))
	require.Equal(t, "9000", sw(h.hex("80CA006600")), "the protected form works too")
	require.Equal(t, "9000", sw(h.hex(getStatus)))
	require.Equal(t, "6982", send(t, c, getStatus))
	require.Equal(t, "6982", send(t, c, "80CA006600"), "not once the session was aborted")
}
