package apdu_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/apdu"
)

func TestResponse(t *testing.T) {
	r, err := apdu.ParseResponse([]byte{0x01, 0x02, 0x90, 0x00})
	require.NoError(t, err)
	require.Equal(t, apdu.Response{Data: []byte{1, 2}, SW: apdu.SW9000}, r)
	require.NoError(t, r.Err())
	require.Equal(t, []byte{0x01, 0x02, 0x90, 0x00}, r.Bytes())

	r, err = apdu.ParseResponse([]byte{0x6A, 0x88})
	require.NoError(t, err)
	require.Empty(t, r.Data)
	wrapped := fmt.Errorf("get data: %w", r.Err())
	require.ErrorIs(t, wrapped, apdu.SW6A88)
	require.NotErrorIs(t, wrapped, apdu.SW6A82)
	require.EqualError(t, wrapped, "get data: 6A88 referenced data not found")
	var sw apdu.SW
	require.ErrorAs(t, wrapped, &sw)
	require.Equal(t, apdu.SW(0x6A88), sw)

	_, err = apdu.ParseResponse([]byte{0x90})
	require.ErrorIs(t, err, apdu.ErrTruncated)
	_, err = apdu.ParseResponse(make([]byte, apdu.MaxResponse+1))
	require.ErrorIs(t, err, apdu.ErrTooLong)
	_, err = apdu.ParseResponse(make([]byte, apdu.MaxResponse))
	require.NoError(t, err)
}

func TestSW(t *testing.T) {
	n, ok := apdu.SW(0x6100).More()
	require.True(t, ok)
	require.Equal(t, 256, n)
	ne, ok := apdu.SW(0x6C2D).WrongLe()
	require.True(t, ok)
	require.Equal(t, 45, ne)
	tries, ok := apdu.SW(0x63C2).TriesLeft()
	require.True(t, ok)
	require.Equal(t, 2, tries)
	_, ok = apdu.SW9000.More()
	require.False(t, ok)
	require.True(t, apdu.SW6283.Warning())
	require.False(t, apdu.SW6982.Warning())

	for sw, want := range map[apdu.SW]string{
		apdu.SW6982: "6982 security status not satisfied",
		apdu.SW9C0C: "9C0C identity blocked",
		0x6C2D:      "6C2D wrong Le, 45 bytes available",
		0x6110:      "6110 16 response bytes available",
		0x63C1:      "63C1 verification failed, 1 tries left",
		0x6A42:      "6A42 wrong parameters",
		0x9C7F:      "9C7F applet error",
		0x1234:      "1234 unknown status",
	} {
		require.EqualError(t, sw, want)
	}
}

// Every status word of the applet has a text of its own.
func TestAppletStatusWordsAreNamed(t *testing.T) {
	named := []int{
		0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0F, 0x10, 0x11, 0x12,
		0x13, 0x14, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F, 0x20, 0x21, 0x22,
		0xD0, 0xFF,
	}
	seen := make(map[string]int)
	for _, n := range named {
		text := apdu.SW(0x9C00 + n).Text()
		require.NotEqual(t, "applet error", text, "9C%02X", n)
		require.NotContains(t, seen, text)
		seen[text] = n
	}
}

func TestCLA(t *testing.T) {
	for _, tc := range []struct {
		cla     byte
		channel int
		secure  bool
	}{
		{0x00, 0, false}, {0x80, 0, false}, {0x84, 0, true}, {0x87, 3, true}, {0xC0, 4, false},
		{0xCF, 19, false}, {0xE5, 9, true},
	} {
		require.Equal(t, tc.channel, apdu.Channel(tc.cla), "%02X", tc.cla)
		require.Equal(t, tc.secure, apdu.Secure(tc.cla), "%02X", tc.cla)
		back, ok := apdu.WithChannel(tc.cla, tc.channel)
		require.True(t, ok)
		require.Equal(t, tc.cla, back, "%02X", tc.cla)
		require.Equal(t, tc.cla, apdu.WithSecure(apdu.WithSecure(tc.cla, !tc.secure), tc.secure))
	}
	_, ok := apdu.WithChannel(0x80, 20)
	require.False(t, ok)
	moved, _ := apdu.WithChannel(0x84, 4)
	require.Equal(t, byte(0xE0), moved)
	require.True(t, apdu.Chaining(apdu.WithChaining(0x80, true)))
	require.False(t, apdu.Chaining(apdu.WithChaining(0x90, false)))
}

func FuzzParseResponse(f *testing.F) {
	f.Add([]byte{0x90, 0x00})
	f.Add([]byte{0x01, 0x6C, 0x2D})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := apdu.ParseResponse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Bytes(), b) {
			t.Fatalf("%X became %X", b, r.Bytes())
		}
		if (r.Err() == nil) != r.SW.OK() || r.SW.Text() == "" {
			t.Fatalf("status %v", r.SW)
		}
	})
}
