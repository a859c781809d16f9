package nvm_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/nvm"
)

func put(t *testing.T, m *nvm.Memory, name string, value []byte) {
	t.Helper()
	require.NoError(t, m.Update(func(tx *nvm.Tx) error { tx.Put(name, value); return nil }))
}

func TestRecordsSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	dev, err := nvm.OpenFile(path)
	require.NoError(t, err)
	m, err := nvm.Open(dev, nvm.Options{})
	require.NoError(t, err)
	put(t, m, "a", []byte{1})
	put(t, m, "b", bytes.Repeat([]byte{2}, 1000))
	require.NoError(t, m.Update(func(tx *nvm.Tx) error {
		tx.Put("c", nil)
		tx.Delete("a")
		return nil
	}))
	require.NoError(t, m.Close())
	require.ErrorIs(t, m.Update(func(tx *nvm.Tx) error { tx.Put("x", nil); return nil }), nvm.ErrClosed)

	dev, err = nvm.OpenFile(path)
	require.NoError(t, err)
	m, err = nvm.Open(dev, nvm.Options{})
	require.NoError(t, err)
	defer m.Close()
	require.Equal(t, []string{"b", "c"}, m.Names(""))
	v, ok := m.Get("b")
	require.True(t, ok)
	require.Equal(t, bytes.Repeat([]byte{2}, 1000), v)
	require.EqualValues(t, 3, m.Commits())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestTwoCardsCannotShareAStateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	dev, err := nvm.OpenFile(path)
	require.NoError(t, err)
	_, err = nvm.OpenFile(path)
	require.ErrorIs(t, err, nvm.ErrLocked)
	require.NoError(t, dev.Close())
	dev, err = nvm.OpenFile(path)
	require.NoError(t, err)
	require.NoError(t, dev.Close())
}

// A commit that is cut at any of its writes leaves the state before it, or the state after it.
func TestCutLeavesOldOrNew(t *testing.T) {
	old, change := bytes.Repeat([]byte{1}, 700), bytes.Repeat([]byte{2}, 900)
	cuts := 0
	for _, cut := range []nvm.Cut{nvm.Before, nvm.Torn, nvm.After} {
		for n := uint64(1); ; n++ {
			chip := nvm.NewRAM(nil)
			m, err := nvm.Open(chip, nvm.Options{})
			require.NoError(t, err)
			put(t, m, "x", old)
			put(t, m, "gone", old)
			first := m.Writes()
			m.SetHook(func(w nvm.Write) nvm.Cut {
				if w.N == first+n {
					return cut
				}
				return nvm.Keep
			})
			err = m.Update(func(tx *nvm.Tx) error {
				tx.Put("x", change)
				tx.Delete("gone")
				return nil
			})
			if err == nil {
				require.Greater(t, n, uint64(4), "a commit of 900 bytes takes several writes")
				break
			}
			cuts++
			require.ErrorIs(t, err, nvm.ErrPowerLost)
			require.ErrorIs(t, m.Err(), nvm.ErrPowerLost)
			require.ErrorIs(t, m.Update(func(tx *nvm.Tx) error { tx.Put("y", nil); return nil }),
				nvm.ErrPowerLost)
			m.SetHook(nil)
			require.NoError(t, m.Restart())
			v, _ := m.Get("x")
			_, gone := m.Get("gone")
			switch {
			case bytes.Equal(v, old):
				require.True(t, gone)
			case bytes.Equal(v, change):
				require.False(t, gone)
			default:
				t.Fatalf("%s write %d left %d bytes of neither state", cut, n, len(v))
			}
			put(t, m, "again", []byte("works"))
		}
	}
	require.Equal(t, 12, cuts, "four writes, three ways to cut each")
}

func TestCompaction(t *testing.T) {
	for _, cut := range []nvm.Cut{nvm.Keep, nvm.Before, nvm.Torn, nvm.After} {
		t.Run(cut.String(), func(t *testing.T) {
			chip, swaps := nvm.NewRAM(nil), 0
			m, err := nvm.Open(chip, nvm.Options{Hook: func(w nvm.Write) nvm.Cut {
				if w.Swap {
					swaps++
					return cut
				}
				return nvm.Keep
			}})
			require.NoError(t, err)
			var last string
			for i := 0; swaps == 0; i++ {
				last = fmt.Sprintf("value %d", i)
				err = m.Update(func(tx *nvm.Tx) error {
					tx.Put("big", bytes.Repeat([]byte{byte(i)}, 4000))
					tx.Put("last", []byte(last))
					return nil
				})
				require.Less(t, i, 1000, "no compaction")
			}
			if cut == nvm.Keep {
				require.NoError(t, err)
				require.Less(t, len(chip.Image()), 8000)
			} else {
				require.ErrorIs(t, err, nvm.ErrPowerLost)
			}
			m.SetHook(nil)
			require.NoError(t, m.Restart())
			v, ok := m.Get("last")
			require.True(t, ok)
			require.Equal(t, last, string(v), "the commit before the swap stands")
			put(t, m, "next", nil)
			require.NoError(t, m.Restart())
		})
	}
}

// A file that is compacted keeps its name, its lock and its content.
func TestCompactionOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	dev, err := nvm.OpenFile(path)
	require.NoError(t, err)
	m, err := nvm.Open(dev, nvm.Options{})
	require.NoError(t, err)
	var last []byte
	for i := range 200 {
		last = bytes.Repeat([]byte{byte(i)}, 4000)
		put(t, m, "big", last)
		put(t, m, fmt.Sprint("small ", i%10), []byte{byte(i)})
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(400<<10), "200 commits of 4000 bytes, compacted")
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	_, err = nvm.OpenFile(path)
	require.ErrorIs(t, err, nvm.ErrLocked)
	require.NoError(t, m.Restart())
	require.NoError(t, m.Close())
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 2, "the state file and its lock")

	dev, err = nvm.OpenFile(path)
	require.NoError(t, err)
	m, err = nvm.Open(dev, nvm.Options{})
	require.NoError(t, err)
	defer m.Close()
	v, _ := m.Get("big")
	require.Equal(t, last, v)
	require.Len(t, m.Names("small "), 10)
	require.EqualValues(t, 400, m.Commits())
}

func TestOtherFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	_, err := nvm.OpenFile(dir)
	require.Error(t, err)
	_, err = nvm.OpenFile(filepath.Join(dir, "no", "such", "place"))
	require.Error(t, err)
	path := filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(path, []byte("a file of somebody else's, of some length\n"), 0o644))
	dev, err := nvm.OpenFile(path)
	require.NoError(t, err)
	_, err = nvm.Open(dev, nvm.Options{})
	require.ErrorIs(t, err, nvm.ErrCorrupt)
	require.NoError(t, dev.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "a file of somebody else's, of some length\n", string(b), "it stays as it was")
}

func TestLimit(t *testing.T) {
	m, err := nvm.Open(nvm.NewRAM(nil), nvm.Options{Limit: 100})
	require.NoError(t, err)
	put(t, m, "a", make([]byte, 60))
	err = m.Update(func(tx *nvm.Tx) error { tx.Put("b", make([]byte, 40)); return nil })
	require.ErrorIs(t, err, nvm.ErrFull)
	require.Equal(t, []string{"a"}, m.Names(""))
	put(t, m, "a", make([]byte, 90))
	require.Equal(t, 99, m.Used())
	errFn := errors.New("no")
	require.ErrorIs(t, m.Update(func(tx *nvm.Tx) error { tx.Delete("a"); return errFn }), errFn)
	require.Equal(t, 99, m.Used())
	require.ErrorIs(t, m.Update(func(tx *nvm.Tx) error { tx.Put("", nil); return nil }),
		nvm.ErrTooLarge)
}

func TestDamagedImages(t *testing.T) {
	chip := nvm.NewRAM(nil)
	m, err := nvm.Open(chip, nvm.Options{})
	require.NoError(t, err)
	for _, name := range []string{"one", "two", "three"} {
		put(t, m, name, bytes.Repeat([]byte{7}, 20))
	}
	good := chip.Image()
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	for name, image := range map[string][]byte{
		"another file":    []byte("#!/bin/sh\necho this is not a card at all\n"),
		"short":           []byte("hello"),
		"other version":   flip(9),
		"flipped in two":  flip(16 + 60),
		"frame magic":     flip(16),
		"a gap of frames": append(bytes.Clone(good[:16+53]), good[16+106:]...),
	} {
		_, err := nvm.Open(nvm.NewRAM(image), nvm.Options{})
		require.ErrorIs(t, err, nvm.ErrCorrupt, name)
	}
	m, err = nvm.Open(nvm.NewRAM(flip(len(good)-1)), nvm.Options{})
	require.NoError(t, err, "a wrong checksum at the very end is a cut write")
	require.Equal(t, []string{"one", "two"}, m.Names(""))
}

func TestHugeFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, nvm.MaxImage+1))
	dev, err := nvm.OpenFile(path)
	require.NoError(t, err)
	defer dev.Close()
	_, err = nvm.Open(dev, nvm.Options{})
	require.ErrorIs(t, err, nvm.ErrTooLarge)
}

func FuzzOpen(f *testing.F) {
	chip := nvm.NewRAM(nil)
	m, err := nvm.Open(chip, nvm.Options{})
	require.NoError(f, err)
	for i := range 3 {
		err := m.Update(func(tx *nvm.Tx) error {
			tx.Put(fmt.Sprint("name", i), bytes.Repeat([]byte{byte(i)}, 30))
			tx.Delete("name0")
			return nil
		})
		require.NoError(f, err)
	}
	f.Add(chip.Image())
	f.Add([]byte{})
	f.Add(chip.Image()[:40])
	f.Fuzz(func(t *testing.T, image []byte) {
		chip := nvm.NewRAM(image)
		m, err := nvm.Open(chip, nvm.Options{})
		if err != nil {
			return
		}
		// What opens works on, and opens again with the same content.
		names := m.Names("")
		if err := m.Restart(); err != nil {
			t.Fatal(err)
		}
		if got := m.Names(""); len(got) != len(names) {
			t.Fatalf("%d records, then %d", len(names), len(got))
		}
	})
}
