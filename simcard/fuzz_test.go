package simcard_test

import (
	"context"
	"testing"

	"tokenwright/fixtures/applets"
	"tokenwright/simcard"
	"tokenwright/simcard/coolkey"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// split cuts fuzz input into commands: a length byte, then as many bytes. Length 00 is a reset.
func split(b []byte) [][]byte {
	var out [][]byte
	for len(b) > 0 {
		n := min(int(b[0]), len(b)-1)
		out = append(out, b[1:1+n])
		b = b[1+n:]
	}
	return out
}

func join(cmds ...[]byte) []byte {
	var out []byte
	for _, c := range cmds {
		out = append(append(out, byte(len(c))), c...)
	}
	return out
}

// FuzzTransmit sends a card hostile sequences. Inside a session at level 00 commands reach the
// security domain without protection, so that its parsers are in reach. Whatever comes, each
// command has an answer of at least a status word, and the card starts again afterwards.
func FuzzTransmit(f *testing.F) {
	seeds := [][]string{
		{"00A4040000", "80CA9F7F2D", "80CA006600", "80CA00E000"},
		{"80E602000F06627601FF000000000006EF04C6023C31", "80E80000 05C482010001"},
		{"80E60C002006627601FF000007627601FF00000007627601FF000000010002C90000"},
		{"80D8000001020304", "80E40000074F05A000000001", "80E4000003D20101"},
		{"80F24002024F0000", "80F24003024F0000", "80F0800700", "80E290000342010100"},
		{selectCoolKey, "B03C000010", "B0F2000004", "B04200000431323334"},
		{selectCoolKey, "B056000011FFFFFFFF0000000005" + zeroNonce, "B05800000E"},
		{selectCoolKey, "B05A0000167A30000000000010FFFFFFFFFFFF" + zeroNonce, ""},
		{selectCoolKey, "B0540000160000000100000000 0568656C6C6F" + zeroNonce},
	}
	for i, s := range seeds {
		var cmds [][]byte
		for _, c := range s {
			cmds = append(cmds, unhex(f, c))
		}
		f.Add(byte(i), join(cmds...))
	}
	stocks := stock.All()
	f.Fuzz(func(t *testing.T, which byte, input []byte) {
		s := stocks[int(which)%len(stocks)]
		c, err := simcard.New(s, simcard.WithSeed(1), simcard.WithApplet(coolkey.DefaultVersion, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.PowerOn(); err != nil {
			t.Fatal(err)
		}
		if which&0x80 != 0 {
			channel(t, c, s.Keys.KVN, 0)
		}
		for _, cmd := range split(input) {
			if len(cmd) == 0 {
				if err := c.PowerOn(); err != nil {
					t.Fatal(err)
				}
				continue
			}
			resp, err := c.Transmit(context.Background(), cmd)
			if err != nil {
				t.Fatalf("%X: %v", cmd, err)
			}
			if _, err := apdu.ParseResponse(resp); err != nil || len(resp) > 258 {
				t.Fatalf("%X: %X: %v", cmd, resp, err)
			}
		}
		if err := c.PowerOn(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzApplet sends the applet commands as the registration authority.
func FuzzApplet(f *testing.F) {
	for _, c := range []string{
		"845A00000E7A30000000000010FFFFFFFFFFFF", "84540000100000000100000000 0568656C6C6F",
		"8456000009FFFFFFFF0000000005", "8452000004FFFFFFFF", "844000030431323334",
		"84040000 0431323334", "84F800000701020304050601", "84550000020001", "84F00F0000",
	} {
		f.Add(join(unhex(f, c), unhex(f, "B05800000E")))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		s, err := stock.ByName("sce7-scp03")
		if err != nil {
			t.Fatal(err)
		}
		chip := nvm.NewRAM(nil)
		c, err := simcard.New(s, simcard.WithSeed(1), simcard.WithDevice(chip),
			simcard.WithApplet(coolkey.DefaultVersion, []byte{0, 2, 1, 0, 1, 1}))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.PowerOn(); err != nil {
			t.Fatal(err)
		}
		send(t, c, selectCoolKey)
		h := channel(t, c, 1, 1)
		for _, raw := range split(input) {
			cmd, err := apdu.Parse(raw)
			if err != nil || cmd.Extended || len(cmd.Data) > 240 {
				continue
			}
			if cmd.CLA != 0x84 {
				if _, err := c.Transmit(context.Background(), raw); err != nil {
					t.Fatalf("%X: %v", raw, err)
				}
				continue
			}
			if cmd.INS == gp.INSExternalAuthenticate {
				continue
			}
			w, err := h.scp.Wrap(cmd)
			if err != nil {
				continue
			}
			if _, err := h.scp.Unwrap(h.transmit(w)); err != nil {
				return // A selection among the plain commands ended the session.
			}
		}
		// What the applet wrote can be read again.
		again, err := simcard.New(s, simcard.WithDevice(nvm.NewRAM(chip.Image())))
		if err != nil {
			t.Fatal(err)
		}
		if err := again.PowerOn(); err != nil {
			t.Fatal(err)
		}
		_, err = again.Transmit(context.Background(), unhex(t, selectCoolKey))
		if err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzLoadFile loads hostile load files: each is taken or refused, and the card works on.
func FuzzLoadFile(f *testing.F) {
	file, err := applets.File("1.4.58768072")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file[:400])
	f.Add(append([]byte{0xC4, 0x20}, file[:32]...))
	f.Add(unhex(f, "C41A010013DECAFFED01020400010662 7601FF0000 0300010000"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) == 0 || len(stream) > 200*200 {
			return
		}
		c := newCard(t, "sce7-scp03")
		h := channel(t, c, 1, 0)
		if err := h.send(gp.InstallForLoad{File: packageAID}.Command()).Err(); err != nil {
			t.Fatal(err)
		}
		got := load(h, stream)
		want := map[bool]string{true: "9000", false: "6A88"}[got == apdu.SW9000]
		if s := sw(h.hex("80F22002024F0000")); s != want {
			t.Fatalf("load %v, then %s", got, s)
		}
		if err := c.PowerOn(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzState opens hostile state files: each is refused, or makes a card that answers.
func FuzzState(f *testing.F) {
	chip := nvm.NewRAM(nil)
	s, err := stock.ByName("gp211-scp01")
	if err != nil {
		f.Fatal(err)
	}
	if _, err := simcard.New(s, simcard.WithDevice(chip), simcard.WithSeed(1),
		simcard.WithApplet(coolkey.DefaultVersion, nil)); err != nil {
		f.Fatal(err)
	}
	mem, err := nvm.Open(chip, nvm.Options{})
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range mem.Names("") {
		v, _ := mem.Get(name)
		f.Add(name, v)
	}
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		copied := nvm.NewRAM(chip.Image())
		mem, err := nvm.Open(copied, nvm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if mem.Update(func(tx *nvm.Tx) error { tx.Put(name, value); return nil }) != nil {
			return
		}
		c, err := simcard.New(s, simcard.WithDevice(copied))
		if err != nil {
			return
		}
		if c.PowerOn() != nil {
			return
		}
		for _, cmd := range []string{
			"00A4040000", "80CA00E000", "80CA006600", initUpdate, selectCoolKey, "B03C000010",
			"B05800000E", "B05801000E", "B04200000431323334",
		} {
			if _, err := c.Transmit(context.Background(), unhex(t, cmd)); err != nil {
				return // Damage that shows only when the applet starts.
			}
		}
	})
}
