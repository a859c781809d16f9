package slots_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/coolkey/slots"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/pubkey"
	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

func memory(t *testing.T) applet.Memory {
	t.Helper()
	mem, err := nvm.Open(nvm.NewRAM(nil), nvm.Options{})
	require.NoError(t, err)
	return applet.NewMemory(mem, "app/")
}

func numbers(t *testing.T) pubkey.RSANumbers {
	t.Helper()
	n, err := pubkey.GenerateRSA(rand.NewChaCha8([32]byte{1}), 512)
	require.NoError(t, err)
	return n
}

// pair makes slots 2 and 3 an RSA pair.
func pair(t *testing.T, tb *slots.Table) {
	t.Helper()
	n := numbers(t)
	require.NoError(t, tb.Build(2, lang.KeyRSAPrivateCRT, 512, true, true))
	require.NoError(t, tb.Build(3, lang.KeyRSAPublic, 512, true, true))
	bits, err := tb.Join(2, 3, false)
	require.NoError(t, err)
	require.EqualValues(t, 512, bits)
	require.NoError(t, tb.SetPrivate(2, n))
	require.NoError(t, tb.SetPublic(3, n.Modulus, n.Exponent))
	tb.Slots[2].Mate, tb.Slots[3].Mate = 3, 2
}

func TestBuild(t *testing.T) {
	tb := slots.New()
	build := func(n byte, kind lang.KeyType, bits uint16, may, legal bool) error {
		return tb.Build(n, kind, bits, may, legal)
	}
	require.ErrorIs(t, build(0, lang.KeyRSAPublic, 0, true, true), apdu.SW9C03)
	require.ErrorIs(t, build(0, lang.KeyRSAPublic, 512, false, true), apdu.SW9C06)
	require.ErrorIs(t, build(0, lang.KeyRSAPublic, 512, true, false), apdu.SW6F00)
	require.False(t, tb.Has(0))
	require.NoError(t, build(0, lang.KeyRSAPublic, 512, true, true))
	require.True(t, tb.Has(0))
	require.False(t, tb.IsReady(0))
	require.NoError(t, build(0, lang.KeyRSAPublic, 1024, true, true), "not ready: built anew")
	require.NoError(t, tb.SetPublic(0, []byte{15}, []byte{3}))
	require.True(t, tb.IsReady(0))
	require.NoError(t, build(0, lang.KeyRSAPublic, 1024, false, false), "ready: taken as it is")
	require.ErrorIs(t, build(0, lang.KeyRSAPublic, 512, true, true), apdu.SW9C03)
	require.ErrorIs(t, build(0, lang.KeyRSAPrivateCRT, 1024, true, true), apdu.SW9C03)
	require.Equal(t, 1, tb.Built())
	for _, n := range []byte{slots.Count, 0x80, lang.NoMate} {
		require.False(t, tb.Has(n))
		require.False(t, tb.IsReady(n))
	}
}

func TestMatesAndPairs(t *testing.T) {
	tb := slots.New()
	require.ErrorIs(t, tb.Mates(1, 1), apdu.SW9C1E)
	require.NoError(t, tb.Mates(2, 3))
	pair(t, tb)
	require.NoError(t, tb.Mates(2, 3))
	require.NoError(t, tb.Mates(3, 2))
	require.NoError(t, tb.Mates(4, 5))
	for _, p := range [][2]byte{{2, 4}, {4, 2}, {3, 4}, {4, 3}} {
		require.ErrorIs(t, tb.Mates(p[0], p[1]), apdu.SW9C1E)
	}
	tb.Clear(2)
	tb.Clear(3)
	require.NoError(t, tb.Mates(2, 4), "mates go with the key")
	require.False(t, tb.IsReady(2))
	require.True(t, tb.Has(2))

	// The key-pair object stays, with roles, kind and size.
	for _, c := range []struct {
		private, public byte
		ec              bool
	}{{3, 2, false}, {2, 4, false}, {4, 3, false}, {2, 3, true}} {
		_, err := tb.Join(c.private, c.public, c.ec)
		require.ErrorIs(t, err, apdu.SW9C03)
	}
	require.NoError(t, tb.Build(2, lang.KeyRSAPrivateCRT, 1024, true, true))
	bits, err := tb.Join(2, 3, false)
	require.NoError(t, err)
	require.EqualValues(t, 512, bits)
	require.EqualValues(t, 512, tb.Slots[2].Bits)
}

func TestEnumeration(t *testing.T) {
	tb := slots.New()
	_, _, ok := tb.Step()
	require.False(t, ok)
	pair(t, tb)
	require.NoError(t, tb.Build(slots.Count-1, lang.KeyRSAPublic, 512, true, true))
	require.NoError(t, tb.SetPublic(slots.Count-1, []byte{15}, []byte{3}))
	require.NoError(t, tb.Build(5, lang.KeyRSAPublic, 512, true, true), "not ready, not listed")
	tb.Rewind()
	for _, want := range []byte{2, 3, slots.Count - 1} {
		n, s, ok := tb.Step()
		require.True(t, ok)
		require.Equal(t, want, n)
		require.Equal(t, tb.Slots[n], s)
	}
	_, _, ok = tb.Step()
	require.False(t, ok)
}

// What is saved comes back; what is cleared is gone from memory too.
func TestSaveAndLoad(t *testing.T) {
	m := memory(t)
	save := func(tb *slots.Table) {
		require.NoError(t, m.Update(func(tx applet.Tx) error { tb.Save(tx); return nil }))
		tb.Settle()
		require.False(t, tb.Changed())
	}
	tb, err := slots.Load(m)
	require.NoError(t, err)
	require.False(t, tb.Changed())
	pair(t, tb)
	d, err := pubkey.GenerateEC(rand.NewChaCha8([32]byte{2}), 256)
	require.NoError(t, err)
	require.NoError(t, tb.Build(6, slots.KeyECCPrivate, 256, true, true))
	require.NoError(t, tb.SetECPrivate(6, d))
	ec, ok := tb.EC(6)
	require.True(t, ok)
	require.NoError(t, tb.Build(7, lang.KeyECCPublic, 256, true, true))
	require.NoError(t, tb.SetECPublic(7, ec.Point()))
	tb.Rewind()
	tb.Step()
	require.True(t, tb.Changed())
	save(tb)

	back, err := slots.Load(m)
	require.NoError(t, err)
	require.Equal(t, tb.Slots, back.Slots)
	require.Equal(t, tb.Next, back.Next)
	require.True(t, back.HasEC())
	var one, two [64]byte
	for n := range byte(4) {
		a, ok := tb.RSA(n)
		b, ok2 := back.RSA(n)
		require.Equal(t, ok, ok2)
		require.Equal(t, n == 2 || n == 3, ok)
		if ok {
			require.NoError(t, a.Apply(one[:], []byte{7}))
			require.NoError(t, b.Apply(two[:], []byte{7}))
			require.Equal(t, one, two)
		}
	}
	back.Clear(2)
	back.Clear(7)
	save(back)
	_, ok = m.Get("key/02")
	require.False(t, ok)
	_, ok = m.Get("key/03")
	require.True(t, ok)
	_, err = slots.Load(m)
	require.NoError(t, err)
}

func TestUnusableNumbersChangeNothing(t *testing.T) {
	tb := slots.New()
	require.NoError(t, tb.Build(0, lang.KeyRSAPublic, 512, true, true))
	require.ErrorIs(t, tb.SetPublic(0, nil, []byte{3}), pubkey.ErrNumber)
	require.False(t, tb.IsReady(0))
	require.NoError(t, tb.SetPublic(0, []byte{15}, []byte{3}))
	require.Error(t, tb.SetPublic(0, bytes.Repeat([]byte{0xFF}, 600), []byte{3}))
	k, ok := tb.RSA(0)
	require.True(t, ok)
	var out [1]byte
	require.NoError(t, k.Apply(out[:], []byte{2}))
	require.EqualValues(t, 8, out[0], "the old key is still there")
	require.NoError(t, tb.Build(1, lang.KeyECCPublic, 256, true, true))
	require.ErrorIs(t, tb.SetECPublic(1, make([]byte, 65)), pubkey.ErrPoint)
	require.NoError(t, tb.Build(2, slots.KeyECCPrivate, 256, true, true))
	require.ErrorIs(t, tb.SetECPrivate(2, make([]byte, 32)), pubkey.ErrNumber)
	require.ErrorIs(t, tb.SetPrivate(1, pubkey.RSANumbers{}), pubkey.ErrNumber)
}

// A record that no table writes is refused, whatever is wrong with it.
func TestCorruptRecords(t *testing.T) {
	m := memory(t)
	tb := slots.New()
	pair(t, tb)
	require.NoError(t, m.Update(func(tx applet.Tx) error { tb.Save(tx); return nil }))
	slotsRecord, _ := m.Get("slots")
	keyRecord, _ := m.Get("key/02")
	const slotLen = 17 // bytes of a slot in the record, behind layout and position
	for name, spoil := range map[string]func(s, k []byte) ([]byte, []byte){
		"layout":      func(s, k []byte) ([]byte, []byte) { s[0] = 2; return s, k },
		"position":    func(s, k []byte) ([]byte, []byte) { s[1] = 25; return s, k },
		"built":       func(s, k []byte) ([]byte, []byte) { s[2] = 2; return s, k },
		"ready":       func(s, k []byte) ([]byte, []byte) { s[3] = 1; return s, k },
		"cipher":      func(s, k []byte) ([]byte, []byte) { s[4] = 2; return s, k },
		"type":        func(s, k []byte) ([]byte, []byte) { s[2+2*slotLen+3] = 7; return s, k },
		"mate":        func(s, k []byte) ([]byte, []byte) { s[2+6] = 24; return s, k },
		"pair":        func(s, k []byte) ([]byte, []byte) { s[2+13] = 24; return s, k },
		"short":       func(s, k []byte) ([]byte, []byte) { return s[:len(s)-1], k },
		"empty":       func(s, k []byte) ([]byte, []byte) { return s, nil },
		"key cut":     func(s, k []byte) ([]byte, []byte) { return s, k[:len(k)-1] },
		"key longer":  func(s, k []byte) ([]byte, []byte) { return s, append(k, 0) },
		"number zero": func(s, k []byte) ([]byte, []byte) { clear(k[2:34]); return s, k },
	} {
		t.Run(name, func(t *testing.T) {
			bad := memory(t)
			s, k := spoil(bytes.Clone(slotsRecord), bytes.Clone(keyRecord))
			key3, _ := m.Get("key/03")
			require.NoError(t, bad.Update(func(tx applet.Tx) error {
				tx.Put("slots", s)
				tx.Put("key/03", key3)
				if k != nil {
					tx.Put("key/02", k)
				}
				return nil
			}))
			_, err := slots.Load(bad)
			require.ErrorIs(t, err, nvm.ErrCorrupt)
		})
	}
}
