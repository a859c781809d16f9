package registry_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/nvm"
	"tokenwright/simcard/registry"
	"tokenwright/tms/gp"
)

var (
	file   = gp.AID{0xA0, 0, 0, 0, 1}
	module = gp.AID{0xA0, 0, 0, 0, 1, 1}
	app    = gp.AID{0xA0, 0, 0, 0, 1, 2}
)

func open(t *testing.T, chip *nvm.RAM, limit int) (*registry.Registry, *nvm.Memory) {
	t.Helper()
	mem, err := nvm.Open(chip, nvm.Options{})
	require.NoError(t, err)
	r, err := registry.Open(mem, limit)
	require.NoError(t, err)
	return r, mem
}

func TestEntriesPersist(t *testing.T) {
	chip := nvm.NewRAM(nil)
	r, _ := open(t, chip, 1000)
	f := registry.File{AID: file, Major: 1, Minor: 2, Modules: []gp.AID{module}, Build: []byte("b")}
	require.NoError(t, r.LoadBlock(0, make([]byte, 300)))
	require.Equal(t, 700, r.Free())
	require.NoError(t, r.AddFile(f, make([]byte, 400)))
	require.Equal(t, 600, r.Free(), "the blocks have become the file")
	require.ErrorIs(t, r.AddFile(f, nil), registry.ErrExists)
	a := registry.App{AID: app, File: file, Module: module, State: gp.AppSelectable, Size: 100}
	require.NoError(t, r.AddApp(a, func(tx *nvm.Tx) error {
		tx.Put(registry.AppMemory(app)+"x", []byte{1})
		return nil
	}))
	require.ErrorIs(t, r.AddApp(a, nil), registry.ErrExists)
	require.ErrorIs(t, r.RemoveFile(file, false), registry.ErrInUse)
	require.NoError(t, r.SetState(app, gp.AppPersonalized))

	r, mem := open(t, chip, 1000)
	require.Equal(t, 500, r.Free())
	got, ok := r.App(app)
	require.True(t, ok)
	require.Equal(t, gp.AppPersonalized, got.State)
	require.Len(t, r.Content(file), 400)
	require.Equal(t, []string{registry.AppMemory(app) + "x"}, mem.Names("app/"))
	first := got.Serial
	require.NoError(t, r.RemoveApp(app))
	require.Empty(t, mem.Names("app/"))
	require.NoError(t, r.AddApp(a, nil))
	got, _ = r.App(app)
	require.Greater(t, got.Serial, first, "another instance of the same AID")
	require.NoError(t, r.RemoveFile(file, true))
	require.Equal(t, 1000, r.Free())
	require.ErrorIs(t, r.RemoveFile(file, true), registry.ErrNotFound)
	require.ErrorIs(t, r.RemoveApp(app), registry.ErrNotFound)
	require.ErrorIs(t, r.SetState(app, 7), registry.ErrNotFound)
}

func TestRefusals(t *testing.T) {
	r, mem := open(t, nvm.NewRAM(nil), 100)
	f := registry.File{AID: file, Modules: []gp.AID{module}}
	require.ErrorIs(t, r.AddFile(f, make([]byte, 101)), registry.ErrNoMemory)
	require.ErrorIs(t, r.LoadBlock(0, make([]byte, 101)), registry.ErrNoMemory)
	require.NoError(t, r.AddFile(f, make([]byte, 50)))
	a := registry.App{AID: app, File: file, Module: module, Size: 51}
	require.ErrorIs(t, r.AddApp(a, nil), registry.ErrNoMemory)
	a.Size, a.Module = 10, app
	require.ErrorIs(t, r.AddApp(a, nil), registry.ErrNotFound)
	a.Module, a.AID = module, file
	require.ErrorIs(t, r.AddApp(a, nil), registry.ErrExists)
	a.AID = app
	broken := errors.New("the constructor throws")
	require.ErrorIs(t, r.AddApp(a, func(*nvm.Tx) error { return broken }), broken)
	require.Empty(t, r.Apps())
	require.Equal(t, 50, r.Free())

	// A load that lost power is gone at the next start.
	require.NoError(t, r.LoadBlock(0, make([]byte, 20)))
	require.Equal(t, 30, r.Free())
	r, err := registry.Open(mem, 100)
	require.NoError(t, err)
	require.Equal(t, 50, r.Free())
}

func TestMatch(t *testing.T) {
	r, _ := open(t, nvm.NewRAM(nil), 1000)
	require.NoError(t, r.AddFile(registry.File{AID: file, Modules: []gp.AID{module}}, nil))
	for _, aid := range []gp.AID{{0xA0, 0, 0, 0, 2, 9}, {0xA0, 0, 0, 0, 2}, {0xA0, 0, 0, 0, 2, 1}} {
		require.NoError(t, r.AddApp(registry.App{AID: aid, File: file, Module: module}, nil))
	}
	var got []string
	for _, a := range r.Match(gp.AID{0xA0, 0, 0, 0, 2}) {
		got = append(got, a.AID.String())
	}
	require.Equal(t, []string{"A000000002", "A00000000209", "A00000000201"}, got)
	require.Empty(t, r.Match(gp.AID{0xA0, 0, 0, 0, 3}))
}

func TestDamagedRecords(t *testing.T) {
	for _, bad := range []string{
		`{`, `[]`, `{"Files":[{"AID":"00"}]}`, `{"Apps":[{"AID":"A000000001","Size":-1}]}`,
		`{"Apps":[{"AID":"A000000001","Serial":5}],"Serial":1}`,
		`{"Files":[{"AID":"A000000001","Modules":["A0"]}]}`,
	} {
		mem, err := nvm.Open(nvm.NewRAM(nil), nvm.Options{})
		require.NoError(t, err)
		require.NoError(t, mem.Update(func(tx *nvm.Tx) error {
			tx.Put("registry", []byte(bad))
			return nil
		}))
		_, err = registry.Open(mem, 100)
		require.ErrorIs(t, err, nvm.ErrCorrupt, bad)
	}
}
