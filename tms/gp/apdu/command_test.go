package apdu_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/apdu"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func TestParseCases(t *testing.T) {
	long := strings.Repeat("AB", 300)
	for _, tc := range []struct {
		name, hex string
		kind      int
		lc, ne    int
		extended  bool
	}{
		{"case 1", "00A40400", 1, 0, 0, false},
		{"case 2", "80CA9F7F2D", 2, 0, 45, false},
		{"case 2, Le 00", "00A4040000", 2, 0, 256, false},
		{"case 3", "80F28002024F00", 3, 2, 0, false},
		{"case 4", "80F28002024F0000", 4, 2, 256, false},
		{"case 4, Le 0E", "80F28002024F000E", 4, 2, 14, false},
		{"case 2 extended", "80CA9F7F000100", 2, 0, 256, true},
		{"case 2 extended, Le 0000", "80CA9F7F000000", 2, 0, 65536, true},
		{"case 3 extended, short data", "80F280020000024F00", 3, 2, 0, true},
		{"case 3 extended", "80E8000000012C" + long, 3, 300, 0, true},
		{"case 4 extended", "80E8000000012C" + long + "0000", 4, 300, 65536, true},
		{"case 4 extended, Le 1", "80E8000000012C" + long + "0001", 4, 300, 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := unhex(t, tc.hex)
			c, err := apdu.Parse(b)
			require.NoError(t, err)
			require.Equal(t, tc.kind, c.Case())
			require.Len(t, c.Data, tc.lc)
			require.Equal(t, tc.ne, c.Ne)
			require.Equal(t, tc.extended, c.Extended)
			require.Equal(t, [4]byte(b), c.Header())
			out, err := c.Bytes()
			require.NoError(t, err)
			require.Equal(t, b, out)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct {
		hex  string
		want error
	}{
		{"", apdu.ErrTruncated},
		{"00A404", apdu.ErrTruncated},
		{"00A4040007627601FF0000", apdu.ErrTruncated},
		{"00A4040005627601FF000000", apdu.ErrLength},
		{"00A404000000", apdu.ErrTruncated},
		{"00A40400000000AA", apdu.ErrLength},
		{"00A404000000AA", nil}, // extended case 2
		{"00A4040000000362", apdu.ErrTruncated},
		{"00A404000000016200", apdu.ErrLength},
		{"00A40400000001620000FF", apdu.ErrLength},
	} {
		_, err := apdu.Parse(unhex(t, tc.hex))
		require.ErrorIs(t, err, tc.want, tc.hex)
		if tc.want == nil {
			require.NoError(t, err, tc.hex)
		}
	}
}

func TestBytesRefuses(t *testing.T) {
	for _, tc := range []struct {
		c    apdu.Command
		want error
	}{
		{apdu.Command{Data: make([]byte, 256)}, apdu.ErrTooLong},
		{apdu.Command{Ne: 257}, apdu.ErrTooLong},
		{apdu.Command{Ne: -1}, apdu.ErrLength},
		{apdu.Command{Extended: true, Data: make([]byte, 65536)}, apdu.ErrTooLong},
		{apdu.Command{Extended: true, Ne: 65537}, apdu.ErrTooLong},
	} {
		_, err := tc.c.Bytes()
		require.ErrorIs(t, err, tc.want)
	}
}

func TestLargest(t *testing.T) {
	c := apdu.Command{Extended: true, Data: make([]byte, 65535), Ne: 65536}
	b, err := c.Bytes()
	require.NoError(t, err)
	got, err := apdu.Parse(b)
	require.NoError(t, err)
	require.Equal(t, c, got)
}

func TestDataIsNeverPrinted(t *testing.T) {
	secret := []byte("31415926")
	c := apdu.Command{CLA: 0xB0, INS: 0x42, Data: secret}
	r := apdu.Response{Data: secret, SW: apdu.SW9000}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		for _, v := range []any{c, r, &c, &r} {
			out := fmt.Sprintf(verb, v)
			require.NotContains(t, out, string(secret), verb)
			require.NotContains(t, out, hex.EncodeToString(secret), verb)
			require.NotContains(t, out, "51 52", verb)
		}
	}
	require.Equal(t, "B0 42 00 00 data 8 bytes", c.String())
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"00A40400", "80CA9F7F2D", "80F28002024F0000", "80CA9F7F000000"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := apdu.Parse(b)
		if err != nil {
			return
		}
		out, err := c.Bytes()
		if err != nil || !bytes.Equal(out, b) {
			t.Fatalf("%X became %X, %v", b, out, err)
		}
		if kind := c.Case(); kind < 1 || kind > 4 {
			t.Fatalf("case %d", kind)
		}
	})
}
