package tlv_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/tlv"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func TestParseFCI(t *testing.T) {
	nodes, err := tlv.Parse(unhex(t, "6F10 8408A000000003000000 A504 9F6501FF"))
	require.NoError(t, err)
	require.Len(t, nodes, 1)
	aid, ok := tlv.Find(nodes, 0x6F, 0x84)
	require.True(t, ok)
	require.Equal(t, unhex(t, "A000000003000000"), aid.Value)
	size, ok := tlv.Find(nodes, 0x6F, 0xA5, 0x9F65)
	require.True(t, ok)
	require.Equal(t, []byte{0xFF}, size.Value)
	_, ok = tlv.Find(nodes, 0x6F, 0x85)
	require.False(t, ok)
	_, ok = tlv.Find(nodes)
	require.False(t, ok)
}

func TestExact(t *testing.T) {
	long := strings.Repeat("00", 0x100)
	for _, s := range []string{
		"",
		"C900",
		"C90400021388",
		"EF04C8024650C90400021388",
		"9F7F00",
		"DF810100",
		"C48180" + strings.Repeat("AB", 0x80),
		"C4820100" + long,
		"C483000100" + long, // three length bytes where two do
		"4F8105A000000003",  // two where one does
		"E3134F08A0000000030000009F70010FC5039EFE80",
		"E381134F08A0000000030000009F70010FC5039EFE80",
	} {
		b := unhex(t, s)
		nodes, err := tlv.Parse(b)
		require.NoError(t, err, s)
		require.Equal(t, hex.EncodeToString(b), hex.EncodeToString(tlv.Encode(nodes...)))
	}
}

func TestRefuses(t *testing.T) {
	nested := []byte{}
	for range tlv.MaxDepth + 2 {
		nested = tlv.Append(nil, 0xE0, nested)
	}
	many := bytes.Repeat([]byte{0x80, 0x00}, tlv.MaxNodes+1)
	for _, tc := range []struct {
		name string
		b    []byte
		want error
	}{
		{"no length", unhex(t, "C9"), tlv.ErrTruncated},
		{"value cut", unhex(t, "C90400"), tlv.ErrTruncated},
		{"length cut", unhex(t, "C98201"), tlv.ErrTruncated},
		{"tag cut", unhex(t, "9F"), tlv.ErrTruncated},
		{"tag cut after two", unhex(t, "DF81"), tlv.ErrTruncated},
		{"indefinite", unhex(t, "E0800000"), tlv.ErrLength},
		{"four length bytes", unhex(t, "C98400000001AA"), tlv.ErrLength},
		{"tag 00", unhex(t, "0000"), tlv.ErrTag},
		{"leading zero in tag", unhex(t, "9F800100"), tlv.ErrTag},
		{"tag of four bytes", unhex(t, "DF81810100"), tlv.ErrTag},
		{"child cut", unhex(t, "E003C90500"), tlv.ErrTruncated},
		{"too deep", nested, tlv.ErrDepth},
		{"too many", many, tlv.ErrTooMany},
	} {
		_, err := tlv.Parse(tc.b)
		require.ErrorIs(t, err, tc.want, tc.name)
	}
}

func TestReadLeavesRest(t *testing.T) {
	n, rest, err := tlv.Read(unhex(t, "C90100 AABB"))
	require.NoError(t, err)
	require.EqualValues(t, 0xC9, n.Tag)
	require.Equal(t, []byte{0xAA, 0xBB}, rest)

	n, rest, err = tlv.Split(unhex(t, "E002FFFF 90"))
	require.NoError(t, err, "Split does not look inside")
	require.Empty(t, n.Children)
	require.Equal(t, []byte{0x90}, rest)
}

func TestBuild(t *testing.T) {
	got := tlv.Encode(tlv.Group(0xE3, tlv.New(0x4F, unhex(t, "627601FF0000")),
		tlv.New(0x9F70, []byte{1})))
	require.Equal(t, "e30c4f06627601ff00009f700101", hex.EncodeToString(got))
	require.Panics(t, func() { tlv.AppendLength(nil, tlv.MaxLength) })
	require.Len(t, tlv.All([]tlv.Node{{Tag: 0x84}, {Tag: 0x4F}, {Tag: 0x84}}, 0x84), 2)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"6F108408A000000003000000A5049F6501FF", "C483000001AA", "E00480029F7F",
		"66437341" + "06072A864886FC6B01600B06092A864886FC6B020202630906072A864886FC6B03",
	} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		nodes, err := tlv.Parse(b)
		if err != nil {
			return
		}
		if out := tlv.Encode(nodes...); !bytes.Equal(out, b) {
			t.Fatalf("%X became %X", b, out)
		}
	})
}
