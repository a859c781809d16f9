package gp_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp"
)

func component(tag byte, body []byte) []byte {
	return append([]byte{tag, byte(len(body) >> 8), byte(len(body))}, body...)
}

// header is a header component of CAP format 2.1 for CoolKey's package, version 1.4.
func header(t testing.TB) []byte {
	return component(gp.ComponentHeader, unhex(t, "DECAFFED 0102 04 0401 06 627601FF0000"))
}

func applets(t testing.TB) []byte {
	return component(gp.ComponentApplet, unhex(t, "01 07 627601FF000000 0010"))
}

// file is a small load file in the order of CoolKey's.
func file(t testing.TB) []byte {
	var b []byte
	b = append(b, header(t)...)
	b = append(b, component(gp.ComponentDirectory, make([]byte, 31))...)
	b = append(b, component(gp.ComponentImport, []byte{0})...)
	b = append(b, applets(t)...)
	b = append(b, component(gp.ComponentMethod, bytes.Repeat([]byte{0x7A}, 4000))...)
	return append(b, component(gp.ComponentCustom, []byte("build"))...)
}

func TestLoadFile(t *testing.T) {
	b := file(t)
	f, err := gp.ParseLoadFile(b)
	require.NoError(t, err)
	require.Equal(t, "627601FF0000", f.Package.String())
	require.Equal(t, []byte{1, 4}, []byte{f.Major, f.Minor})
	require.Equal(t, []byte{2, 1}, []byte{f.CAPMajor, f.CAPMinor})
	require.Equal(t, []gp.Applet{{AID: unhex(t, "627601FF000000"), InstallOffset: 0x10}}, f.Applets)
	require.True(t, f.HasApplet(unhex(t, "627601FF000000")))
	require.False(t, f.HasApplet(f.Package))
	require.Len(t, f.Components, 6)
	custom, ok := f.Component(gp.ComponentCustom)
	require.True(t, ok)
	require.Equal(t, "build", string(custom))
	_, ok = f.Component(gp.ComponentDebug)
	require.False(t, ok)
	require.Equal(t, b, f.Bytes())
}

func TestLoadFileRefused(t *testing.T) {
	head := header(t)
	many := bytes.Clone(head)
	for tag := range 40 {
		many = append(many, component(byte(gp.ComponentCustom+tag), nil)...)
	}
	crowd := append([]byte{33}, bytes.Repeat(unhex(t, "05A0000000010000"), 33)...)
	for _, tc := range []struct {
		name string
		b    []byte
		want error
	}{
		{"empty", nil, gp.ErrLoadFile},
		{"cut header", head[:10], gp.ErrLoadFile},
		{"two bytes left", append(bytes.Clone(head), 2, 0), gp.ErrLoadFile},
		{"no header first", applets(t), gp.ErrLoadFile},
		{"header twice", append(bytes.Clone(head), head...), gp.ErrLoadFile},
		{"tag 0", append(bytes.Clone(head), 0, 0, 0), gp.ErrLoadFile},
		{"tag 14", append(bytes.Clone(head), 14, 0, 0), gp.ErrLoadFile},
		{"wrong magic", component(1, unhex(t, "CAFEBABE0102040401 06 627601FF0000")), gp.ErrLoadFile},
		{"package aid of 4", component(1, unhex(t, "DECAFFED0102040401 04 627601FF")), gp.ErrLoadFile},
		{"package aid cut", component(1, unhex(t, "DECAFFED0102040401 07 627601FF")), gp.ErrLoadFile},
		{"applets cut", append(bytes.Clone(head), component(3, unhex(t, "0107627601FF"))...),
			gp.ErrLoadFile},
		{"bytes behind applets", append(bytes.Clone(head), component(3, unhex(t, "00AA"))...),
			gp.ErrLoadFile},
		{"too many applets", append(bytes.Clone(head), component(3, crowd)...), gp.ErrLoadFile},
		{"too many components", many, gp.ErrLoadFile},
		{"too large", make([]byte, gp.MaxLoadFile+1), gp.ErrLoadTooLarge},
		{"not a zip after all", []byte("PK\x03\x04 and nothing"), gp.ErrLoadFile},
	} {
		_, err := gp.ParseLoadFile(tc.b)
		require.ErrorIs(t, err, tc.want, tc.name)
	}
}

// archive packs entries of name and content.
func archive(t testing.TB, entries ...[2]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	for _, e := range entries {
		w, err := z.Create(e[0])
		require.NoError(t, err)
		_, err = w.Write([]byte(e[1]))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

func TestCAP(t *testing.T) {
	const dir = "com/example/javacard/"
	method := component(gp.ComponentMethod, []byte{1, 2, 3})
	b := archive(t,
		[2]string{"META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n"},
		[2]string{dir + "Method.cap", string(method)},
		[2]string{dir + "Debug.cap", string(component(gp.ComponentDebug, []byte("for hosts")))},
		[2]string{dir + "Applet.cap", string(applets(t))},
		[2]string{dir + "Header.cap", string(header(t))},
		[2]string{"com/example/Header.cap", "not in a javacard directory"},
	)
	f, err := gp.ParseLoadFile(b)
	require.NoError(t, err)
	require.Equal(t, "627601FF0000", f.Package.String())
	want := append(append(header(t), applets(t)...), method...)
	require.Equal(t, want, f.Bytes(), "components in the order in which a card takes them")
}

func TestCAPRefused(t *testing.T) {
	const dir = "p/javacard/"
	head := string(header(t))
	bomb := string(make([]byte, 1<<20))
	full := string(component(gp.ComponentMethod, make([]byte, 0xFFFF)))
	crowd := make([][2]string, 600)
	for i := range crowd {
		crowd[i] = [2]string{fmt.Sprint(i), ""}
	}
	for _, tc := range []struct {
		name string
		b    []byte
		want error
	}{
		{"no components", archive(t, [2]string{"a", "b"}), gp.ErrLoadFile},
		{"two packages", archive(t, [2]string{dir + "Header.cap", head},
			[2]string{"q/javacard/Header.cap", head}), gp.ErrLoadFile},
		{"decompression bomb", archive(t, [2]string{dir + "Header.cap", bomb}), gp.ErrLoadTooLarge},
		{"component cut", archive(t, [2]string{dir + "Header.cap", head[:8]}), gp.ErrLoadFile},
		{"two in one entry", archive(t, [2]string{dir + "Header.cap", head + head}), gp.ErrLoadFile},
		{"too many entries", archive(t, crowd...), gp.ErrLoadFile},
		{"too much in all", archive(t, [2]string{dir + "Header.cap", head},
			[2]string{dir + "Method.cap", full}, [2]string{dir + "Class.cap", full},
			[2]string{dir + "Import.cap", full}, [2]string{dir + "Export.cap", full},
			[2]string{dir + "Directory.cap", full}), gp.ErrLoadTooLarge},
	} {
		_, err := gp.ParseLoadFile(tc.b)
		require.ErrorIs(t, err, tc.want, tc.name)
	}
}

func TestLoadBlocks(t *testing.T) {
	b := file(t)
	for _, size := range []int{16, 127, 128, 200, 224, 239, 247, 255} {
		blocks, err := gp.LoadBlocks(b, size)
		if (len(b)+4+size-1)/size > gp.MaxLoadBlocks {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		var s gp.LoadStream
		for i, l := range blocks {
			require.Equal(t, byte(i), l.Block)
			require.Equal(t, i == len(blocks)-1, l.Last)
			require.LessOrEqual(t, len(l.Data), size)
			parsed, err := gp.ParseLoad(l.Command())
			require.NoError(t, err)
			done, err := s.Add(parsed)
			require.NoError(t, err)
			require.Equal(t, l.Last, done)
		}
		got, dap, err := s.File()
		require.NoError(t, err)
		require.Empty(t, dap)
		require.Equal(t, b, got)
		require.Equal(t, len(blocks), s.Next())
	}
	blocks, err := gp.LoadBlocks([]byte{1, 2, 3}, 255)
	require.NoError(t, err)
	require.Equal(t, []byte{0xC4, 3, 1, 2, 3}, blocks[0].Data)
	require.True(t, blocks[0].Last)

	for _, tc := range []struct {
		n, size int
	}{{0, 224}, {10, 0}, {10, 256}, {10, -1}, {gp.MaxLoadFile + 1, 255}, {257, 1}} {
		_, err := gp.LoadBlocks(make([]byte, tc.n), tc.size)
		require.Error(t, err, "%d bytes in blocks of %d", tc.n, tc.size)
	}
}

func TestLoadStreamRefuses(t *testing.T) {
	add := func(s *gp.LoadStream, block byte, last bool, hex string) error {
		_, err := s.Add(gp.Load{Block: block, Last: last, Data: unhex(t, hex)})
		return err
	}
	t.Run("skipped block", func(t *testing.T) {
		var s gp.LoadStream
		require.NoError(t, add(&s, 0, false, "C404"))
		require.ErrorIs(t, add(&s, 2, false, "AA"), gp.ErrLoadSequence)
		require.ErrorIs(t, add(&s, 1, true, "01020304"), gp.ErrLoadSequence, "it stays ended")
		_, _, err := s.File()
		require.ErrorIs(t, err, gp.ErrLoadSequence)
	})
	t.Run("repeated block", func(t *testing.T) {
		var s gp.LoadStream
		require.NoError(t, add(&s, 0, false, "C404"))
		require.ErrorIs(t, add(&s, 0, false, "C404"), gp.ErrLoadSequence)
	})
	t.Run("after the last", func(t *testing.T) {
		var s gp.LoadStream
		require.NoError(t, add(&s, 0, true, "C401AA"))
		require.ErrorIs(t, add(&s, 1, true, "AA"), gp.ErrLoadSequence)
	})
	t.Run("limit", func(t *testing.T) {
		s := gp.LoadStream{Limit: 4}
		require.NoError(t, add(&s, 0, false, "C40801"))
		require.ErrorIs(t, add(&s, 1, false, "0203"), gp.ErrLoadTooLarge)
	})
	t.Run("257th block", func(t *testing.T) {
		var s gp.LoadStream
		for i := range 256 {
			require.NoError(t, add(&s, byte(i), false, "AA"))
		}
		require.ErrorIs(t, add(&s, 0, false, "AA"), gp.ErrLoadSequence)
	})
	for name, hex := range map[string]string{
		"length cut": "C40500", "unknown tag": "C50100", "bytes behind": "C40100AA",
		"ciphered": "D40100", "only dap": "E20100",
	} {
		t.Run(name, func(t *testing.T) {
			var s gp.LoadStream
			require.NoError(t, add(&s, 0, true, hex))
			_, _, err := s.File()
			require.ErrorIs(t, err, gp.ErrLoadStream)
		})
	}
	t.Run("dap", func(t *testing.T) {
		var s gp.LoadStream
		require.NoError(t, add(&s, 0, true, "E203010203C401AA"))
		got, dap, err := s.File()
		require.NoError(t, err)
		require.Equal(t, []byte{0xAA}, got)
		require.Equal(t, [][]byte{{1, 2, 3}}, dap)
	})
	t.Run("not done", func(t *testing.T) {
		var s gp.LoadStream
		_, _, err := s.File()
		require.ErrorIs(t, err, gp.ErrLoadStream)
	})
}

func FuzzLoadFile(f *testing.F) {
	f.Add(file(f))
	f.Add(header(f))
	f.Add(archive(f, [2]string{"p/javacard/Header.cap", string(header(f))},
		[2]string{"p/javacard/Applet.cap", string(applets(f))}))
	f.Fuzz(func(t *testing.T, b []byte) {
		lf, err := gp.ParseLoadFile(b)
		if err != nil {
			return
		}
		if len(lf.Bytes()) > gp.MaxLoadFile || !lf.Package.Valid() {
			t.Fatalf("accepted %d bytes, package %v", len(lf.Bytes()), lf.Package)
		}
		again, err := gp.ParseComponents(lf.Bytes())
		if err != nil || !bytes.Equal(again.Bytes(), lf.Bytes()) {
			t.Fatalf("does not parse again: %v", err)
		}
	})
}

func FuzzLoadStream(f *testing.F) {
	f.Add([]byte{0xC4, 0x03, 1, 2, 3}, byte(2))
	f.Add([]byte{0xE2, 0x01, 0xFF, 0xC4, 0x81, 0x01, 0xAA}, byte(1))
	f.Fuzz(func(t *testing.T, stream []byte, size byte) {
		if size == 0 {
			return
		}
		s := gp.LoadStream{Limit: 4096}
		for block := 0; len(stream) > 0; block++ {
			n := min(int(size), len(stream))
			l := gp.Load{Block: byte(block), Last: n == len(stream), Data: stream[:n]}
			if _, err := s.Add(l); err != nil {
				return
			}
			stream = stream[n:]
		}
		if file, _, err := s.File(); err == nil && len(file) > s.Len() {
			t.Fatalf("file of %d bytes from %d", len(file), s.Len())
		}
	})
}
