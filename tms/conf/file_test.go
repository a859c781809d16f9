package conf

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseReadsWhatOperatorsWrite(t *testing.T) {
	text := "# a comment\r\n" +
		"! another\n" +
		"\n" +
		"tks.defKeySet.auth_key=#40#41#42\n" +
		"tks.defKeySet.mk_mappings.#02#01=internal:new_master\n" +
		"  indented.key  =  blanks around go, inside stay  \t\n" +
		"empty=\n" +
		"policy=RE_ENROLL=YES;RENEW=NO\n" +
		"back.slash=C:\\dir\\\n" +
		"last=no line end"
	f, err := Parse("CS.cfg", []byte(text))
	require.NoError(t, err)

	for key, want := range map[string]string{
		"tks.defKeySet.auth_key":           "#40#41#42",
		"tks.defKeySet.mk_mappings.#02#01": "internal:new_master",
		"indented.key":                     "blanks around go, inside stay",
		"empty":                            "",
		"policy":                           "RE_ENROLL=YES;RENEW=NO",
		"back.slash":                       `C:\dir\`,
		"last":                             "no line end",
	} {
		v, _, ok := f.Get(key)
		assert.True(t, ok, key)
		assert.Equal(t, want, v, key)
	}
	_, line, _ := f.Get("policy")
	assert.Equal(t, 8, line)
	assert.Equal(t, text, string(f.Bytes()), "writing back changes nothing")
	assert.Equal(t, "tks.defKeySet.auth_key", f.Keys()[0])
	assert.Len(t, f.Keys(), 7)
}

func TestParseErrorsNameFileAndLine(t *testing.T) {
	tests := []struct {
		name, text, want string
		is               error
	}{
		{"no equals sign", "a=1\nwhat is this\n", "CS.cfg:2: not a comment", ErrSyntax},
		{"no key", "=1\n", "CS.cfg:1: not a comment", ErrSyntax},
		{"blank in the key", "a b=1\n", "CS.cfg:1: not a comment", ErrSyntax},
		{"duplicate", "a=1\n#\nb=2\na=3\n", "CS.cfg:4: a: key is set twice: first on line 1",
			ErrDuplicate},
		{"duplicate but for blanks", "a=1\n a =1\n", "CS.cfg:2: a: key is set twice", ErrDuplicate},
		{"nul", "a=1\nb=\x00\n", "CS.cfg:2: not plain text", ErrBadText},
		{"escape sequence", "a=\x1b[2J\n", "CS.cfg:1: not plain text", ErrBadText},
		{"not UTF-8", "a=\xff\n", "CS.cfg:1: not plain text", ErrBadText},
		{"carriage return inside", "a=1\rb=2\n", "CS.cfg:1: not plain text", ErrBadText},
		{"long line", "a=" + strings.Repeat("x", MaxLineLength), "CS.cfg:1: too large", ErrTooLarge},
		{"long key", strings.Repeat("k", maxKeyLength+1) + "=", "CS.cfg:1: too large", ErrTooLarge},
		{"long file", strings.Repeat("\n", MaxFileSize+1), "CS.cfg: too large", ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("CS.cfg", []byte(tt.text))
			require.ErrorIs(t, err, tt.is)
			assert.True(t, strings.HasPrefix(err.Error(), tt.want), err.Error())
		})
	}
}

func TestSyntaxErrorDoesNotRepeatTheLine(t *testing.T) {
	_, err := Parse("CS.cfg", []byte("bindPassword hunter2\n"))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestSetKeepsEverythingElse(t *testing.T) {
	text := "# head\nb = 1  \nunknown.key=stays\n\na=2"
	f, err := Parse("x", []byte(text))
	require.NoError(t, err)

	require.NoError(t, f.Set("b", "one two"))
	require.NoError(t, f.Set("new", "n"))
	require.NoError(t, f.Set("newer", ""))
	assert.Equal(t, "# head\nb = one two  \nunknown.key=stays\n\na=2\nnew=n\nnewer=\n",
		string(f.Bytes()))

	require.NoError(t, f.Set("newer", "v"))
	assert.True(t, f.Unset("unknown.key"))
	assert.False(t, f.Unset("unknown.key"))
	assert.Equal(t, "# head\nb = one two  \n\na=2\nnew=n\nnewer=v\n", string(f.Bytes()))
	v, line, _ := f.Get("newer")
	assert.Equal(t, "v", v)
	assert.Equal(t, 6, line, "lines are counted anew after a removal")
}

func TestSetKeepsTheFilesLineEnds(t *testing.T) {
	f, err := Parse("x", []byte("a=1\r\nb=2"))
	require.NoError(t, err)
	require.NoError(t, f.Set("a", ""))
	require.NoError(t, f.Set("c", "3"))
	assert.Equal(t, "a=\r\nb=2\r\nc=3\r\n", string(f.Bytes()))
}

func TestSetRefusesWhatCannotBeReadBack(t *testing.T) {
	f, err := Parse("x", []byte("a=1\n"))
	require.NoError(t, err)
	for key, value := range map[string]string{
		"a": "1\nb=2", "": "v", "x y": "v", "x=y": "v", "#x": "v", "b": " v", "c": "v\t",
		"d": "\xff", "e": strings.Repeat("x", MaxLineLength), "f\n": "v",
	} {
		assert.Error(t, f.Set(key, value), "%q=%q", key, value)
	}
	assert.Equal(t, "a=1\n", string(f.Bytes()))
}

func TestWriteFileReplacesWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "CS.cfg")
	f, err := Parse(path, []byte("a=1\n"))
	require.NoError(t, err)
	require.NoError(t, f.WriteFile(path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), "a new file is its owner's alone")

	require.NoError(t, os.Chmod(path, 0o640))
	link := filepath.Join(dir, "link.cfg")
	require.NoError(t, os.Symlink(path, link))
	require.NoError(t, f.Set("a", "2"))
	require.NoError(t, f.WriteFile(link))
	got, err := ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "a=2\n", string(got.Bytes()))
	info, err = os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o640), info.Mode().Perm(), "the mode is kept")
	target, err := os.Readlink(link)
	require.NoError(t, err)
	assert.Equal(t, path, target, "the link is still one")

	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 2, "no temporary file is left")
}

func TestWriteFileLeavesTheOldFileWhenItCannotReplaceIt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "CS.cfg")
	require.NoError(t, os.MkdirAll(filepath.Join(path, "in the way"), 0o700))
	f, err := Parse(path, []byte("a=1\n"))
	require.NoError(t, err)
	require.Error(t, f.WriteFile(path), "a directory stands at the path")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 1, "no temporary file is left")
}

func TestReadFileSaysThatItIsMissing(t *testing.T) {
	_, err := ReadFile(filepath.Join(t.TempDir(), "none.cfg"))
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "a=1", "a=1\n", "# c\n\n a = b \r\n", "k.#02#01=t:n\nk=#40#41", "a=1\na=2", "=\n",
		"\uFEFFa=1\n", "a==\n", "!x\n\tq\t=\t\n",
	} {
		f.Add([]byte(s), "new.key", "value")
	}
	f.Fuzz(func(t *testing.T, text []byte, key, value string) {
		file, err := Parse("f", text)
		if err != nil {
			return
		}
		if string(file.Bytes()) != string(text) {
			t.Fatalf("wrote back %q", file.Bytes())
		}
		if file.Set(key, value) != nil {
			return
		}
		again, err := Parse("f", file.Bytes())
		if err != nil {
			t.Fatalf("after setting %q to %q: %v in %q", key, value, err, file.Bytes())
		}
		got, _, ok := again.Get(key)
		if !ok || got != value {
			t.Fatalf("%q is %q, %v, want %q", key, got, ok, value)
		}
		for _, k := range file.Keys() {
			a, _, _ := file.Get(k)
			b, _, _ := again.Get(k)
			if a != b {
				t.Fatalf("%q changed from %q to %q", k, a, b)
			}
		}
	})
}
