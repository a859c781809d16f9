package content_test

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/gp/keys"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// dogtag is a z0 that another implementation wrote.
func dogtag(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/z0-dogtag.hex")
	require.NoError(t, err)
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			digits.WriteString(strings.TrimSpace(line))
		}
	}
	b := unhex(t, digits.String())
	require.Equal(t, "fcc90e7ffb7994cd2e013e702e97bbe4be23d7ecc33bfa8121f4723f6fc45b0c", sum(b))
	return b
}

func sum(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

func inflated(t testing.TB, z0 []byte) []byte {
	t.Helper()
	r, err := zlib.NewReader(bytes.NewReader(z0[content.HeaderLen:]))
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return b
}

// synthetic is an uncompressed z0 as a TPS writes it; its certificate is no certificate.
const synthetic = "01000001a00192030405060708c9000000620014" +
	"000a000305616c69636563310000000000910002000000030000157369676e696e67206b657920666f7220616c696365" +
	"0000001100000530030201016b330000000c00a100010000010001000000006b320000001301b1000100000100010000" +
	"0000"

func TestForeignContent(t *testing.T) {
	z0 := dogtag(t)
	c, err := content.ParseCombined(z0)
	require.NoError(t, err)
	require.Equal(t, "534E0650000100000108", c.CUID.String())
	require.Equal(t, uint16(0x384C), c.Version)
	require.Equal(t, "jmagne ", c.TokenName)
	require.Empty(t, c.Others)

	require.Len(t, c.Certificates, 3)
	for i, want := range []struct {
		label string
		size  int
	}{
		{"signing key for jmagne", 508}, {"encryption key for jmagne", 507},
		{"encryption key for jmagne c3", 508},
	} {
		cert := c.Certificates[i]
		require.Equal(t, i+1, cert.Container)
		require.Equal(t, content.Fixed(0x91+i), cert.Fixed)
		require.Equal(t, want.label, cert.Label)
		require.Len(t, cert.DER, want.size)
		require.Empty(t, cert.Extra)
	}
	require.Len(t, c.Keys, 6)
	for i, want := range []struct {
		slot  int
		fixed content.Fixed
	}{{3, 0xC00A1}, {2, 0x1301B1}, {5, 0x50A2}, {4, 0x10A1B2}, {7, 0x50A3}, {6, 0x10A1B3}} {
		k := c.Keys[i]
		require.Equal(t, want.slot, k.Slot)
		require.Equal(t, want.fixed, k.Fixed)
		require.Equal(t, content.EC, k.Type)
		bits, ok := content.CurveBits(k.ECParams)
		require.True(t, ok)
		require.Equal(t, 256, bits)
		if k.Fixed.Class() == content.ClassPublicKey {
			_, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), k.ECPoint)
			require.NoError(t, err)
		} else {
			require.Empty(t, k.ECPoint)
		}
	}
	require.Equal(t, []coolkey.SlotPair{{Private: 2, Public: 3}, {Private: 4, Public: 5},
		{Private: 6, Public: 7}}, c.Pairs())

	// It prints back to the same data; a compressor is free in how it compresses them.
	again, err := c.Combined(content.Options{})
	require.NoError(t, err)
	require.Equal(t, z0[:16], again[:16])
	require.Equal(t, inflated(t, z0), inflated(t, again))
	require.Equal(t, "4d1c21c65c42b839d4d3f174b6afa2c66c1bb2577f13f2944cae6026ccdfd7e6",
		sum(inflated(t, again)))
	plain, err := c.Combined(content.Options{Plain: true})
	require.NoError(t, err)
	require.Equal(t, inflated(t, z0), plain[content.HeaderLen:])
}

func alice() content.Content {
	key := &rsa.PublicKey{N: big.NewInt(1), E: 65537} // a combined object says nothing of it
	pair, err := content.NewPair(1, content.PairSlots(1), key, content.SigningPublic,
		content.SigningPrivate)
	if err != nil {
		panic(err)
	}
	return content.Content{
		CUID: keys.CUID{0xA0, 1, 0x92, 3, 4, 5, 6, 7, 8, 0xC9}, Version: 1, TokenName: "alice",
		Certificates: []content.Certificate{
			content.NewCertificate(1, "signing key for alice", []byte{0x30, 3, 2, 1, 1}),
		},
		Keys: pair,
	}
}

func TestSyntheticContent(t *testing.T) {
	c := alice()
	b, err := c.Combined(content.Options{Plain: true, Exact: true})
	require.NoError(t, err)
	require.Equal(t, synthetic, hex.EncodeToString(b))

	back, err := content.ParseCombined(b)
	require.NoError(t, err)
	require.Equal(t, c, back)
	// Room behind the content is no part of it.
	back, err = content.ParseCombined(append(b, make([]byte, 100)...))
	require.NoError(t, err)
	require.Equal(t, c, back)

	b, err = c.Combined(content.Options{Exact: true})
	require.NoError(t, err)
	require.Equal(t, byte(content.CompressionZlib), b[15])
	require.Equal(t, unhex(t, synthetic)[content.HeaderLen:], inflated(t, b))
}

// What readers demand holds for the smallest of contents.
func TestSmallContentIsFilled(t *testing.T) {
	noise := make([]byte, 400)
	_, err := rand.Read(noise)
	require.NoError(t, err)
	for n := range 400 {
		c := content.Content{TokenName: "small"}
		if n > 0 {
			c.Certificates = []content.Certificate{content.NewCertificate(0, "", noise[:n])}
		}
		for _, plain := range []bool{true, false} {
			b, err := c.Combined(content.Options{Plain: plain})
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(b), content.MinCombined, n)
			data := b[content.HeaderLen:]
			if b[15] == content.CompressionZlib {
				require.False(t, plain)
				data = inflated(t, b)
			}
			require.GreaterOrEqual(t, len(data), content.MinData, n)
			back, err := content.ParseCombined(b)
			require.NoError(t, err)
			require.Equal(t, c, back, "no filler is seen")
		}
	}
}

// A filler that holds something is somebody's object.
func TestOthersAreKept(t *testing.T) {
	c := alice()
	c.Others = []content.Object{
		{ID: 0x64300000, Fixed: content.Token, Attributes: []content.Attribute{
			{Type: content.AttrValue, Value: []byte("data")},
			{Type: 1, Kind: content.KindTrue}, {Type: 2, Kind: content.KindFalse},
			{Type: 0x80000001, Kind: content.KindInteger, Integer: 0xDEADBEEF},
		}},
		{ID: 0x66300000, Fixed: content.Token, Attributes: []content.Attribute{
			{Type: content.AttrValue, Value: []byte("x")},
		}},
		{ID: 0x6B310001, Fixed: 0xA1},
		{ID: 0x6B7A0000, Fixed: 0xA1}, // slot 61
		{ID: 0x63300000, Fixed: 0x90}, // a certificate without a value
		{ID: 0x63320000, Fixed: 0xA2}, // a certificate's name on a key
	}
	for _, o := range []content.Options{{}, {Plain: true}, {Exact: true}} {
		b, err := c.Combined(o)
		require.NoError(t, err)
		back, err := content.ParseCombined(b)
		require.NoError(t, err)
		require.Equal(t, c, back)
	}
}

func TestContainersBeyondNine(t *testing.T) {
	c := content.Content{TokenName: "many"}
	for n := range content.MaxContainers {
		c.Certificates = append(c.Certificates, content.NewCertificate(n, "", []byte{byte(n)}))
		if slots := content.PairSlots(n); int(slots.Public) < coolkey.MaxKeys {
			pair, err := content.NewPair(n, slots, &rsa.PublicKey{}, content.EncryptionPublic,
				content.EncryptionPrivate)
			require.NoError(t, err)
			c.Keys = append(c.Keys, pair...)
		}
	}
	b, err := c.Combined(content.Options{Plain: true})
	require.NoError(t, err)
	for _, name := range []string{"c9", "cA", "cF", "kA", "kN", "k9"} {
		require.Contains(t, string(b), name+"\x00\x00")
	}
	back, err := content.ParseCombined(b)
	require.NoError(t, err)
	require.Equal(t, c, back)
	require.Len(t, c.Pairs(), coolkey.MaxKeys/2)
}

func TestRefusesToWrite(t *testing.T) {
	big := func(n int) content.Certificate { return content.NewCertificate(n, "", make([]byte, 0xFFFF)) }
	for name, tt := range map[string]struct {
		change func(*content.Content)
		want   error
	}{
		"token name":      {func(c *content.Content) { c.TokenName = strings.Repeat("a", 256) }, content.ErrTooLarge},
		"container 16":    {func(c *content.Content) { c.Certificates[0].Container = 16 }, content.ErrValue},
		"container -1":    {func(c *content.Content) { c.Certificates[0].Container = -1 }, content.ErrValue},
		"slot 24":         {func(c *content.Content) { c.Keys[0].Slot = 24 }, content.ErrValue},
		"slot -1":         {func(c *content.Content) { c.Keys[0].Slot = -1 }, content.ErrValue},
		"key's class":     {func(c *content.Content) { c.Keys[0].Fixed = 0x91 }, content.ErrValue},
		"cert's class":    {func(c *content.Content) { c.Certificates[0].Fixed = 0xA1 }, content.ErrValue},
		"slot twice":      {func(c *content.Content) { c.Keys[0].Slot = 2 }, content.ErrValue},
		"large data":      {func(c *content.Content) { c.Certificates[0] = big(1) }, content.ErrTooLarge},
		"large attribute": {func(c *content.Content) { c.Certificates[0].DER = make([]byte, 0x10000) }, content.ErrTooLarge},
		"kind 4": {func(c *content.Content) {
			c.Keys[0].Extra = []content.Attribute{{Kind: 4}}
		}, content.ErrValue},
		"101 objects": {func(c *content.Content) {
			c.Others = nil
			for i := range 98 {
				c.Others = append(c.Others, content.Object{ID: coolkey.ObjectID(i)})
			}
		}, content.ErrTooLarge},
	} {
		c := alice()
		tt.change(&c)
		_, err := c.Combined(content.Options{})
		require.ErrorIs(t, err, tt.want, name)
	}
	c := alice()
	for i := range 97 {
		c.Others = append(c.Others, content.Object{ID: coolkey.ObjectID(i)})
	}
	_, err := c.Combined(content.Options{})
	require.NoError(t, err, "100 objects are allowed")
	_, err = content.NewPair(16, content.PairSlots(1), &rsa.PublicKey{}, 0, 0)
	require.ErrorIs(t, err, content.ErrValue)
	_, err = content.NewPair(1, content.PairSlots(1), "no key", 0, 0)
	require.ErrorIs(t, err, content.ErrValue)
}

// certified makes a certificate for a new key.
func certified(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "alice"},
		NotBefore: time.Unix(1700000000, 0), NotAfter: time.Unix(1800000000, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return der
}
