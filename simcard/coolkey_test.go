package simcard_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/simcard/coolkey"
	"tokenwright/simcard/fault"
	"tokenwright/simcard/nvm"
	lang "tokenwright/tms/coolkey"
)

const (
	zeroNonce = "0000000000000000"
	z0        = "7A300000"
)

// ra selects the applet of a fresh card and opens a channel to it.
func ra(t testing.TB, opts ...simcard.Option) *host {
	t.Helper()
	c := newCard(t, "op201-scp01", append([]simcard.Option{withCoolKey()}, opts...)...)
	require.Equal(t, "9000", send(t, c, selectCoolKey))
	return channel(t, c, 1, 1)
}

func (h *host) plain(steps ...exchange) {
	h.t.Helper()
	for i, s := range steps {
		got := send(h.t, h.c, s.cmd)
		if len(s.want) == 4 {
			got = sw(got)
		}
		require.Equal(h.t, s.want, got, "step %d: %s", i+1, s.cmd)
	}
}

func create(id string, size int, acl string) string {
	return fmt.Sprintf("845A00000E%s%08X%s", id, size, acl)
}

// login verifies PIN 0 "1234" and gives the nonce.
func (h *host) login() string {
	h.t.Helper()
	r := send(h.t, h.c, "B04200000431323334")
	require.Equal(h.t, "9000", sw(r))
	return r[:16]
}

func TestObjects(t *testing.T) {
	h := ra(t)
	read := func(off string, n int, nonce string) string {
		return fmt.Sprintf("B056000011%s%s%02X%s", z0, off, n, nonce)
	}
	h.each(
		exchange{"845A00000D" + z0 + "00000010FFFF400040", "9C0F"},
		exchange{"845A00000F" + z0 + "00000010FFFF4000400000", "9C0F"},
		exchange{"845A01000E" + z0 + "00000010FFFF40004000", "9C10"},
		exchange{"845A00FF0E" + z0 + "00000010FFFF40004000", "9000"}, // P2 is not looked at
		exchange{create("11111111", 0, "FFFFFFFFFFFF"), "9C0F"},
		exchange{create("11111111", 0x8000, "FFFFFFFFFFFF"), "9C01"},
		exchange{create("11111111", 0x10000, "FFFFFFFFFFFF"), "9C01"},
		exchange{create("11111111", 0x7FF1, "FFFFFFFFFFFF"), "9C01"},
		exchange{create("11111111", 4984, "FFFFFFFFFFFF"), "9C01"},
		exchange{"845400000D" + z0 + "0000000C04CAFEBABE", "9000"},
		exchange{"845400000A" + z0 + "0000001001AA", "9C0F"},
		exchange{"8454000009" + z0 + "0000001000", "9000"},
		exchange{"8454000009" + z0 + "0000001100", "9C0F"},
		exchange{"8454000009" + z0 + "0000800000", "9C0F"},
		exchange{"845400000A" + z0 + "0001000001AA", "9000"}, // the high word is not looked at
		exchange{"8454000009" + "22222222" + "0000000000", "9C07"},
	)
	h.plain(
		exchange{"B05600000" + "9" + z0 + "0000000001", "9C06"}, // no nonce
		exchange{"B056010011" + z0 + "0000000001" + "0102030405060708", "9C06"},
		exchange{"B056010011" + z0 + "0000000001" + zeroNonce, "9C10"},
		exchange{"B056000111" + z0 + "0000000001" + zeroNonce, "9C11"},
		exchange{"B056000010" + z0 + "00000000" + zeroNonce, "9C0F"},
		exchange{"B056000012" + z0 + "000000000100" + zeroNonce, "9C0F"},
		exchange{"B056000011", "6700"},
		exchange{read("0000000C", 4, zeroNonce), "CAFEBABE9000"},
		exchange{read("00000000", 1, zeroNonce), "AA9000"},
		exchange{read("00010000", 1, zeroNonce), "AA9000"},
		exchange{read("00000010", 0, zeroNonce), "9000"},
		exchange{read("00000011", 0, zeroNonce), "9C0F"},
		exchange{read("00008000", 0, zeroNonce), "9C0F"},
		exchange{read("0000000D", 4, zeroNonce), "9C0F"},
		exchange{"B05600001122222222000000000100000000 00000000", "9C07"},
		// ACLs: writing is the registration authority's
		exchange{"B054000012" + z0 + "0000000001BB" + zeroNonce, "9C06"},
		exchange{"B05200000C" + z0 + zeroNonce, "9C06"},
		exchange{"B05A000016" + z0 + "00000010FFFF40004000" + zeroNonce, "9C06"},
	)
	h.each(exchange{"8440000504" + "31323334", "9000"})
	nonce := h.login()
	h.each(
		exchange{create("00000001", 4, "800080008000"), "9000"}, // anonymous alone
		exchange{create("00000002", 4, "000100010001"), "9000"}, // PIN 0 alone
		exchange{create("00000003", 4, "000000000000"), "9000"}, // nobody
		exchange{"8456000009000000020000000004", "9C06"},        // not even the authority
		exchange{"8452000004" + "00000003", "9C06"},
		exchange{create("00000003", 8, "FFFFFFFFFFFF"), "9000"}, // but it can create anew
	)
	h.plain(
		exchange{"B056000011000000010000000001" + zeroNonce, "9000"},
		exchange{"B056000011000000010000000001" + nonce, "9C06"},
		exchange{"B056000011000000020000000001" + zeroNonce, "9C06"},
		exchange{"B056000011000000020000000001" + nonce, "9000"},
		exchange{"B05400001500000002000000000401020304" + nonce, "9000"},
		exchange{"B05A00001600000002000000" + "08FFFFFFFFFFFF" + nonce, "9C06"},
		exchange{"B05200010C00000002" + nonce, "9000"},
		exchange{"B05200000C00000002" + nonce, "9C07"},
		exchange{"B05201000C00000002" + nonce, "9C10"}, exchange{"B05200020C00000002" + nonce, "9C11"},
		exchange{"B05200000D0000000200" + nonce, "9C0F"},
		// the list: newest first, a re-created object moves to the front
		exchange{"B05800000E", "0000000300000008FFFFFFFFFFFF9000"},
		exchange{"B05801000E", "00000001000000048000800080009000"},
		exchange{"B05801000E", z0 + "00000010FFFF400040009000"},
		exchange{"B05801000E", "9C12"}, exchange{"B05801000E", "9C12"},
		exchange{"B05800000E", "0000000300000008FFFFFFFFFFFF9000"},
	)
	h.plain(exchange{"B05801000E", "00000001000000048000800080009000"})
}

// The nonce outlives selections and ends with a reset or the last login.
func TestNonce(t *testing.T) {
	h := ra(t)
	h.each(exchange{"844000030431323334", "9000"}, exchange{"844001030435363738", "9000"},
		exchange{create("00000001", 4, "000100010001"), "9000"},
		exchange{create("00000002", 4, "000200020002"), "9000"})
	one := func(id, nonce, want string) exchange {
		return exchange{"B056000011" + id + "0000000001" + nonce, want}
	}
	nonce := h.login()
	require.Equal(t, nonce, h.login(), "another login, the same nonce")
	h.plain(
		exchange{"00A4040000", "9000"}, exchange{selectCoolKey, "9000"},
		one("00000001", nonce, "9000"),
		one("00000002", nonce, "9C06"),
		exchange{"B04201000435363738", nonce + "9000"},
		one("00000002", nonce, "9000"),
		exchange{"B04201000435363739", "9C02"}, // logs PIN 1 out
		one("00000002", nonce, "9C06"), one("00000001", nonce, "9000"),
		exchange{"B042000003313233", "9C02"}, // takes no try, but logs out
		exchange{"B04A000001", "039000"},
		one("00000001", nonce, "9C06"),
	)
	nonce2 := h.login()
	require.NotEqual(t, nonce, nonce2)
	require.NoError(t, h.c.Reset())
	h.plain(exchange{selectCoolKey, "9000"}, one("00000001", nonce2, "9C06"))
	nonce3 := h.login()
	h.plain(exchange{"B06100000" + "8" + nonce3, "9000"}, one("00000001", nonce3, "9C06"))

	pinned := ra(t, simcard.WithNonce(unhex(t, "1122334455667788")))
	pinned.each(exchange{"844000030431323334", "9000"})
	require.Equal(t, "1122334455667788", pinned.login())
}

func TestAppletClasses(t *testing.T) {
	h := ra(t)
	h.plain(
		exchange{"10710000", "6E00"}, exchange{"90710000", "6E00"}, exchange{"B1710000", "6E00"},
		exchange{"C0710000", "6E00"}, exchange{"A0710000", "6E00"}, exchange{"B4710000", "6E00"},
		exchange{"A4000000", "9000"}, exchange{"00CB3FFF055C035FC10700", "9000"},
		exchange{"00A40000023F00", "9000"}, exchange{"00200000", "9000"},
		exchange{"80CA9F7F2D", "6D00"}, exchange{"80510000", "6D00"},
		exchange{"B0FF0000", "6D00"}, exchange{"B0380000", "6D00"}, exchange{"B0370000", "6D00"},
		exchange{"B02A0000", "6D00"}, exchange{"B0F40000", "6D00"}, exchange{"B0040000", "6D00"},
		exchange{"B0710000000000", "6700"}, // extended
	)
	h.each(exchange{"84710000", "6D00"}, exchange{"843C0000", "6D00"}, exchange{"840D000000", "6700"},
		exchange{"8436000003010203", "9C10"},
		exchange{"8455000000", "9C0F"}, exchange{"845500000101", "9C0F"},
		exchange{"845501000101", "9C10"}, exchange{"845500010101", "9C11"},
		exchange{"8455000002FE19", "6F00"}, exchange{"84550000021901", "9C0F"},
		exchange{"84550000020018", "6F00"}, exchange{"84550000020001", "9000"})
	send(t, h.c, "00A4040000")
	send(t, h.c, selectCoolKey)
	h.plain(exchange{"84710000", "6982"}, exchange{"8440000504313233 34", "6982"},
		exchange{"848201001000000000000000000000000000000000", "6985"})
}

// 1.4 takes the levels 01 and 03 alone, after the platform has judged the command.
func TestAppletLevels(t *testing.T) {
	for _, level := range []int{0, 1, 3} {
		c := newCard(t, "sce7-scp03", withCoolKey())
		send(t, c, selectCoolKey)
		h, ch, _ := initialize(t, c, keySet(t, c, 1))
		want := map[int]string{0: "6985", 1: "9000", 3: "9000"}[level]
		require.Equal(t, want, upper(swBytes(h.authenticate(ch, scpLevel(level), nil))))
	}
	c := newCard(t, "sce7-scp03", simcard.WithApplet(coolkey.VersionOf(0x65CBF5A6), nil))
	send(t, c, selectCoolKey)
	h, ch, _ := initialize(t, c, keySet(t, c, 1))
	require.EqualValues(t, 0x9000, h.authenticate(ch, 0x33, nil), "1.5 takes what the platform takes")
	require.Equal(t, "9000", h.hex("84F4"+"0000E0"+strings.Repeat("41", 224)))
	h.each(exchange{create("FFFFFFFF", 255, "FFFFFFFFFFFF"), "9000"},
		exchange{"8456000009FFFFFFFF00000000FF", "6F00"}, // no room beside the protection
		exchange{"8456000009FFFFFFFF00000000C8", "9000"})
	h, ch, _ = initialize(t, c, keySet(t, c, 1))
	require.EqualValues(t, 0x9000, h.authenticate(ch, 0, nil))
	require.Equal(t, "6982", send(t, c, "84F00F0000"), "but nothing without a MAC")
}

func TestBuilds(t *testing.T) {
	for build, want := range map[uint32]struct{ tries, clear, status string }{
		0x54DE790F: {"6D00", "6D00", "0104"}, 0x58768072: {"9000", "9C0F", "0104"},
		0x558CDCFF: {"9000", "6D00", "0105"}, 0x64260792: {"9000", "9C0F", "0105"},
	} {
		c := newCard(t, "op201-scp01", simcard.WithApplet(coolkey.VersionOf(build), nil))
		send(t, c, selectCoolKey)
		h := channel(t, c, 1, 1)
		h.each(exchange{"844000030431323334", "9000"})
		require.Equal(t, want.tries, sw(send(t, c, "B04A000001")), "%X", build)
		require.Equal(t, want.clear, h.hex("8455000000"), "%X", build)
		require.Equal(t, want.status, send(t, c, "B03C000010")[4:8])
		io := 900
		if build >= 0x64260792 {
			io = 1200
		}
		h.each(exchange{create("FFFFFFFF", io, "FFFFFFFFFFFF"), "9000"},
			exchange{create("FFFFFFFF", io+1, "FFFFFFFFFFFF"), "9C01"})
	}
}

func TestInstallParameters(t *testing.T) {
	for params, want := range map[string]string{
		"":                       "0000138800001386",
		"00021000":               "0000100000000FFE",
		"0002100001":             "0000100000000FFE",
		"05687474703A0210000101": "0000100000000FFE",
		"000213880101":           "0000138800001386",
		"0003001000":             "0000138800001386",
		"0002FFFF":               "0000138800001386",
		"FF":                     "0000138800001386",
	} {
		c := newCard(t, "op201-scp01", simcard.WithApplet(coolkey.DefaultVersion, unhex(t, params)))
		send(t, c, selectCoolKey)
		require.Equal(t, want, send(t, c, "B03C000010")[8:24], params)
	}
	h := ra(t, simcard.WithApplet(coolkey.DefaultVersion, unhex(t, "05687474703A021000 0101")))
	require.Equal(t, "687474703A00", send(t, h.c, "B0F60000E0")[:12])
	h.plain(exchange{"B0FA000007", "400040004000019000"})
	h.each(exchange{"84F800000700010001000101", "9000"}, // the authority has shut itself out
		exchange{create(z0, 1, "FFFFFFFFFFFF"), "9C06"},
		exchange{"844000030431323334", "9C06"})
	h.plain(exchange{"B0F2000004", "070201019000"})
	h.each(exchange{"84F800000740004000400000", "9000"}, exchange{"84F800000700010001000101", "9C03"})
	h.plain(exchange{"B0F2000004", "070001019000"})
}

// A wrong PIN leaves traces in the I/O buffer, as the applet does.
func TestWrongPINScribbles(t *testing.T) {
	h := ra(t)
	h.each(exchange{"844000030431323334", "9000"}, exchange{create("FFFFFFFF", 900, "FFFFFFFFFFFF"), "9000"})
	at := "B056000011FFFFFFFF000002DE04" + zeroNonce // 734
	h.plain(exchange{at, "000000009000"}, exchange{"B04200000431323335", "9C02"})
	require.NotEqual(t, "000000009000", send(t, h.c, at))
}

// Random object traffic against a plain map: content, list and free memory agree at every step.
func TestHeapAgainstAModel(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 1))
		h := ra(t, simcard.WithApplet(coolkey.DefaultVersion, []byte{0, 2, 0x08, 0x00}))
		type obj struct {
			id   uint32
			data []byte
		}
		var objs []obj // newest first
		remove := func(id uint32) {
			for i, o := range objs {
				if o.id == id {
					objs = append(objs[:i:i], objs[i+1:]...)
					return
				}
			}
		}
		for step := range 400 {
			id := uint32(r.IntN(12) + 1)
			if r.IntN(3) == 0 {
				got := h.hex(fmt.Sprintf("84520001%02X%08X", 4, id))
				before := len(objs)
				remove(id)
				require.Equal(t, map[bool]string{true: "9000", false: "9C07"}[len(objs) < before], got)
			} else {
				size := r.IntN(200) + 1
				got := h.hex(create(fmt.Sprintf("%08X", id), size, "FFFFFFFFFFFF"))
				remove(id)
				if got == "9000" {
					data := make([]byte, size)
					for i := range data {
						data[i] = byte(r.Uint32())
					}
					require.Equal(t, "9000", h.hex(fmt.Sprintf("84540000%02X%08X00000000%02X%X",
						9+size, id, size, data)))
					objs = append([]obj{{id, data}}, objs...)
				} else {
					require.Equal(t, "9C01", got)
				}
			}
			used, list := 0, ""
			for _, o := range objs {
				used += len(o.data) + 16
				require.Equal(t, fmt.Sprintf("%X9000", o.data), h.hex(fmt.Sprintf(
					"8456000009%08X00000000%02X", o.id, len(o.data))), "step %d", step)
				list += fmt.Sprintf("%08X", o.id)
			}
			st, err := lang.ParseStatus(unhex(t, send(t, h.c, "B03C000010"))[:16])
			require.NoError(t, err)
			free := int(st.FreeMemory)
			// Each free block but the first counts two bytes less, and a block may be up to three
			// bytes larger than asked for.
			require.LessOrEqual(t, free, 0x800-2-used)
			require.Greater(t, free, 0x800-2-used-6*(len(objs)+1)-1)
			got, cmd := "", "B05800000E"
			for {
				rec := send(t, h.c, cmd)
				if rec == "9C12" {
					break
				}
				got, cmd = got+rec[:8], "B05801000E"
			}
			require.Equal(t, list, got)
			if step%50 == 0 {
				require.NoError(t, h.c.PowerOn())
				send(t, h.c, selectCoolKey)
				h = channel(t, h.c, 1, 1)
			}
		}
		for _, o := range objs {
			require.Equal(t, "9000", h.hex(fmt.Sprintf("8452000004%08X", o.id)))
		}
		require.Equal(t, "00000800000007FE", send(t, h.c, "B03C000010")[8:24], "all memory is back")
	}
}

// Power that goes in a VERIFY PIN never gives a try back that the card has answered for.
func TestPINTriesCannotBeTornBack(t *testing.T) {
	for _, pin := range []string{"31323334", "31323335"} {
		for _, cut := range []nvm.Cut{nvm.Before, nvm.Torn, nvm.After} {
			for at, hit := uint64(1), true; hit; at++ {
				h := ra(t)
				h.each(exchange{"844000030431323334", "9000"})
				w := fault.AtWrite(at, cut)
				h.c.SetTear(w.Hook)
				resp, err := h.c.Transmit(t.Context(), unhex(t, "B042000004"+pin))
				if hit = w.Hit(); hit {
					require.ErrorIs(t, err, nvm.ErrPowerLost)
				} else {
					require.NoError(t, err)
				}
				require.NoError(t, h.c.PowerOn())
				send(t, h.c, selectCoolKey)
				left := send(t, h.c, "B04A000001")[:2]
				switch {
				case hit:
					require.Contains(t, []string{"02", "03"}, left)
				case upper(resp) == "9C02":
					require.Equal(t, "02", left)
				default:
					require.Equal(t, "03", left, "the right PIN gives the try back")
				}
			}
		}
	}
}

// An object write that loses power leaves the old content or the new one.
func TestObjectWritesAreAtomic(t *testing.T) {
	old, fresh := strings.Repeat("11", 200), strings.Repeat("22", 200)
	for _, cut := range []nvm.Cut{nvm.Before, nvm.Torn, nvm.After} {
		for at := uint64(1); ; at++ {
			h := ra(t)
			h.each(exchange{create(z0, 200, "FFFFFFFFFFFF"), "9000"},
				exchange{"84540000D1" + z0 + "00000000C8" + old, "9000"})
			w := fault.AtWrite(at, cut)
			h.c.SetTear(w.Hook)
			_, _ = h.c.Transmit(t.Context(), unhex(t,
				"B0540000D9"+z0+"00000000C8"+fresh+zeroNonce))
			if !w.Hit() {
				break
			}
			require.NoError(t, h.c.PowerOn())
			send(t, h.c, selectCoolKey)
			got := send(t, h.c, "B056000011"+z0+"00000000C8"+zeroNonce)
			require.Contains(t, []string{old + "9000", fresh + "9000"}, got)
		}
	}
}

func swBytes[T ~uint16](s T) []byte { return []byte{byte(s >> 8), byte(s)} }
