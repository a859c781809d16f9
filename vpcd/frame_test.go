package vpcd

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAppendFrame(t *testing.T) {
	got, err := appendFrame([]byte{0xFF}, []byte{0x04})
	require.NoError(t, err)
	assert.Equal(t, []byte{0xFF, 0x00, 0x01, 0x04}, got, "length big-endian, after what was there")

	got, err = appendFrame(nil, make([]byte, MaxMessage))
	require.NoError(t, err)
	assert.Equal(t, []byte{0xFF, 0xFF}, got[:2])
	assert.Len(t, got, MaxMessage+2)

	_, err = appendFrame(nil, make([]byte, MaxMessage+1))
	require.ErrorIs(t, err, ErrTooLong)
}

func TestFrameReader(t *testing.T) {
	long := bytes.Repeat([]byte{0xA5}, MaxMessage)
	longFrame := append([]byte{0xFF, 0xFF}, long...)
	tests := []struct {
		name   string
		stream []byte
		want   [][]byte
		err    error
	}{
		{"nothing", nil, nil, io.EOF},
		{"control", []byte{0, 1, 4}, [][]byte{{4}}, io.EOF},
		{"two in one segment", []byte{0, 1, 1, 0, 2, 0x90, 0}, [][]byte{{1}, {0x90, 0}}, io.EOF},
		{"longest", longFrame, [][]byte{long}, io.EOF},
		{"half a length", []byte{0}, nil, io.ErrUnexpectedEOF},
		{"length alone", []byte{0, 5}, nil, io.ErrUnexpectedEOF},
		{"message cut short", []byte{0, 5, 1, 2, 3, 4}, nil, io.ErrUnexpectedEOF},
		{"longest, one byte missing", longFrame[:MaxMessage+1], nil, io.ErrUnexpectedEOF},
		{"empty message", []byte{0, 1, 4, 0, 0}, [][]byte{{4}}, ErrProtocol},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{
				"whole":        bytes.NewReader(tt.stream),
				"byte by byte": iotest.OneByteReader(bytes.NewReader(tt.stream)),
			} {
				got, err := readAll(r)
				assert.Equal(t, tt.want, got, name)
				assert.ErrorIs(t, err, tt.err, name)
			}
		})
	}
}

func TestFrameReaderReportsTheStreamsError(t *testing.T) {
	broken := errors.New("cable cut")
	_, err := readAll(io.MultiReader(bytes.NewReader([]byte{0, 3, 1}), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	assert.ErrorContains(t, err, "after 1 of 3 bytes")
}

func readAll(r io.Reader) (all [][]byte, err error) {
	in := newFrameReader(r)
	for {
		m, err := in.next()
		if err != nil {
			return all, err
		}
		all = append(all, bytes.Clone(m))
	}
}

// Whatever is accepted prints back to the bytes it was read from.
func FuzzFrameReader(f *testing.F) {
	f.Add([]byte{0, 1, 4, 0, 5, 0x80, 0xCA, 0x9F, 0x7F, 0})
	f.Add([]byte{0, 0})
	f.Add([]byte{0xFF, 0xFF, 1})
	f.Fuzz(func(t *testing.T, stream []byte) {
		all, err := readAll(bytes.NewReader(stream))
		require.Error(t, err)
		var back []byte
		for _, m := range all {
			require.NotEmpty(t, m)
			var appendErr error
			back, appendErr = appendFrame(back, m)
			require.NoError(t, appendErr)
		}
		require.True(t, bytes.HasPrefix(stream, back))
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			require.Len(t, back, len(stream), "a clean end leaves nothing over")
		}
	})
}

// pipe is a stream that a hostile reader has written already.
type pipe struct {
	io.Reader
	bytes.Buffer
}

func (p *pipe) Read(b []byte) (int, error) { return p.Reader.Read(b) }

// However hostile the reader, serving ends with an error and what was answered is whole messages.
func FuzzServe(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 1, 4, 0, 5, 0x80, 0xCA, 0x9F, 0x7F, 0, 0, 1, 2, 0, 1, 0})
	f.Add([]byte{0, 4, 1, 2, 3, 4})
	f.Add([]byte{0, 1, 3})
	f.Fuzz(func(t *testing.T, stream []byte) {
		p := &pipe{Reader: bytes.NewReader(stream)}
		require.Error(t, serve(t.Context(), p, new(Echo)))
		_, err := readAll(&p.Buffer)
		require.ErrorIs(t, err, io.EOF)
		require.NotErrorIs(t, err, io.ErrUnexpectedEOF)
	})
}
