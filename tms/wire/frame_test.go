package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFrameReader(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
		end      error
	}{
		{"nothing", "", nil, io.EOF},
		{"two messages", "s=3&abcs=2&de", []string{"abc", "de"}, io.EOF},
		{"leading zeros", "s=0003&abc", []string{"abc"}, io.EOF},
		{"holds the separators", "s=5&a&s=1", []string{"a&s=1"}, io.EOF},
		{"ends after s", "s", nil, io.ErrUnexpectedEOF},
		{"ends in the length", "s=1", nil, io.ErrUnexpectedEOF},
		{"ends in the message", "s=3&ab", nil, io.ErrUnexpectedEOF},
		{"ends before the message", "s=3&", nil, io.ErrUnexpectedEOF},
		{"not s", "x=3&abc", nil, ErrFraming},
		{"not =", "s:3&abc", nil, ErrFraming},
		{"line end between", "s=1&a\r\ns=1&b", []string{"a"}, ErrFraming},
		{"no digits", "s=&abc", nil, ErrFraming},
		{"negative", "s=-3&abc", nil, ErrFraming},
		{"signed", "s=+3&abc", nil, ErrFraming},
		{"hex", "s=a&abc", nil, ErrFraming},
		{"empty message", "s=0&", nil, ErrFraming},
		{"too long", "s=101&abc", nil, ErrTooLong},
		{"just fits", "s=100&" + strings.Repeat("x", 100), []string{strings.Repeat("x", 100)}, io.EOF},
		{"far too long", "s=99999999999999999999&", nil, ErrTooLong},
		{"zeros without end", "s=" + strings.Repeat("0", 1000), nil, ErrTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.in), oneByte{strings.NewReader(tt.in)}} {
				f := NewFrameReader(r, 100)
				for _, want := range tt.want {
					got, err := f.Next()
					require.NoError(t, err)
					assert.Equal(t, want, string(got))
				}
				_, err := f.Next()
				assert.ErrorIs(t, err, tt.end)
			}
		})
	}
}

func TestFrameReaderBounds(t *testing.T) {
	big := fmt.Sprintf("s=%d&%s", DefaultMaxMessage+1, strings.Repeat("x", DefaultMaxMessage+1))
	_, err := NewFrameReader(strings.NewReader(big), 0).Next()
	assert.ErrorIs(t, err, ErrTooLong)
	_, err = NewFrameReader(strings.NewReader("s=9999999&"), 1<<30).Next()
	assert.ErrorIs(t, err, ErrTooLong, "a configured limit is bounded itself")
}

// FuzzFrames: whatever the stream, and however it is cut, the reader ends with an error, keeps
// to its limit, and finds the same messages.
func FuzzFrames(f *testing.F) {
	for _, s := range []string{"", "s=3&abcs=2&de", "s=5&a&s=1", "s=0&", "s=9999999&", "s=7&x"} {
		f.Add([]byte(s), 100)
	}
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		read := func(r io.Reader) (out []string, end error) {
			fr := NewFrameReader(r, limit)
			for {
				p, err := fr.Next()
				if err != nil {
					return out, err
				}
				if len(p) == 0 || len(p) > fr.largest {
					t.Fatalf("message of %d bytes", len(p))
				}
				out = append(out, string(p))
			}
		}
		whole, end1 := read(bytes.NewReader(in))
		cut, end2 := read(oneByte{bytes.NewReader(in)})
		if strings.Join(whole, "\x00") != strings.Join(cut, "\x00") || len(whole) != len(cut) {
			t.Fatalf("%q and %q", whole, cut)
		}
		if errors.Is(end1, io.EOF) != errors.Is(end2, io.EOF) {
			t.Fatalf("%v and %v", end1, end2)
		}
	})
}
