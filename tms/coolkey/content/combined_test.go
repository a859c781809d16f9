package content_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey/content"
)

// z0 puts a header before data.
func z0(compression uint16, data []byte) []byte {
	return append(content.Header{
		Format: content.FormatVersion, Compression: compression, Size: uint16(len(data)),
		Offset: content.HeaderLen,
	}.Bytes(), data...)
}

func deflated(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestParseCombinedRefuses(t *testing.T) {
	good := unhex(t, synthetic)
	change := func(at int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], v)
		return b
	}
	stream := deflated(t, good[content.HeaderLen:])
	flipped := bytes.Clone(stream)
	flipped[len(flipped)-1] ^= 1
	var many []byte
	for i := range 101 {
		many = append(binary.BigEndian.AppendUint32(many, uint32(i)), 0, 0, 0, 0, 0, 0)
	}
	list := func(objects []byte) []byte { return z0(0, append([]byte{0, 5, 0, 1, 0}, objects...)) }
	for name, tt := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing":                 {nil, content.ErrForm},
		"half a header":           {good[:19], content.ErrForm},
		"header alone":            {good[:20], content.ErrForm},
		"a byte short":            {good[:len(good)-1], content.ErrForm},
		"size FFFF":               {change(16, 0xFF, 0xFF), content.ErrForm},
		"offset in the header":    {change(18, 0, 19), content.ErrForm},
		"offset FFFF":             {change(18, 0xFF, 0xFF), content.ErrForm},
		"compression 2":           {change(15, 2), content.ErrForm},
		"plain taken for zlib":    {change(15, 1), content.ErrForm},
		"no data":                 {z0(0, nil), content.ErrForm},
		"objects in the name":     {change(20, 0, 4), content.ErrForm},
		"objects past the end":    {change(20, 0xFF, 0xFF), content.ErrForm},
		"name past the end":       {change(24, 0xFF), content.ErrForm},
		"kind 4":                  {list([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 4}), content.ErrForm},
		"65,535 attributes":       {list([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0}), content.ErrForm},
		"string past the end":     {list([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0xFF, 0xFF}), content.ErrForm},
		"length cut short":        {list([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0}), content.ErrForm},
		"integer cut short":       {list([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 1, 0, 0, 0}), content.ErrForm},
		"attribute cut short":     {list([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 2, 0, 0, 0, 0, 0}[:19]), content.ErrForm},
		"an object twice":         {list(make([]byte, 20)), content.ErrForm},
		"101 objects":             {list(many), content.ErrTooLarge},
		"an object cut short":     {list(make([]byte, 9)), content.ErrForm},
		"no stream":               {z0(1, nil), content.ErrForm},
		"stream cut short":        {z0(1, stream[:len(stream)-5]), content.ErrForm},
		"wrong checksum":          {z0(1, flipped), content.ErrForm},
		"bytes behind the stream": {z0(1, append(stream, 0)), content.ErrForm},
		"a bomb":                  {z0(1, deflated(t, make([]byte, 1<<22))), content.ErrTooLarge},
	} {
		_, err := content.ParseCombined(tt.b)
		require.ErrorIs(t, err, tt.want, name)
	}
	_, err := content.ParseCombined(list(many[:1000]))
	require.NoError(t, err, "100 objects are read")
}

// Writers count wrongly; what is there is read.
func TestCountIsNotBelieved(t *testing.T) {
	want, err := content.ParseCombined(unhex(t, synthetic))
	require.NoError(t, err)
	for _, count := range []byte{0, 1, 2, 4, 99} {
		b := unhex(t, synthetic)
		b[23] = count
		c, err := content.ParseCombined(b)
		require.NoError(t, err)
		require.Equal(t, want, c)
	}
}

func TestFixed(t *testing.T) {
	for want, f := range map[content.Fixed]content.Fixed{
		0x000C00A5: content.NewFixed(content.ClassPublicKey, 5, content.SigningPublic),
		0x001301B5: content.NewFixed(content.ClassPrivateKey, 5, content.SigningPrivate),
		0x000050AF: content.NewFixed(content.ClassPublicKey, 15, content.EncryptionPublic),
		0x0010A1BF: content.NewFixed(content.ClassPrivateKey, 15, content.EncryptionPrivate),
		0x00000090: content.NewFixed(content.ClassCertificate, 0, content.Token),
	} {
		require.Equal(t, want, f)
	}
	f := content.Fixed(0x001301B1)
	require.Equal(t, content.ClassPrivateKey, f.Class())
	require.Equal(t, 1, f.ID())
	require.True(t, f.Has(content.Sign|content.Sensitive|content.Private|content.Token))
	require.False(t, f.Has(content.Sign|content.Decrypt))
	require.Equal(t, "private key 1: sign, sign recover, sensitive, private, token", f.String())
	// Bits of attributes that the class does not have mean nothing.
	require.False(t, content.NewFixed(content.ClassPublicKey, 0, content.Sensitive).
		Has(content.Sensitive))
	require.True(t, content.NewFixed(content.ClassSecretKey, 0, content.Sensitive|content.Encrypt).
		Has(content.Sensitive|content.Encrypt))
	require.False(t, content.NewFixed(content.ClassData, 0, content.Sign).Has(content.Sign))
	require.Equal(t, "class 7", content.Class(7).String())
	require.Equal(t, "RSA EC key type 9",
		content.RSA.String()+" "+content.EC.String()+" "+content.KeyType(9).String())
}

func FuzzCombined(f *testing.F) {
	f.Add(unhex(f, synthetic))
	f.Add(dogtag(f))
	f.Add(z0(1, deflated(f, make([]byte, 300))))
	f.Add(z0(0, append([]byte{0, 5, 0, 1, 0}, make([]byte, 10)...)))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := content.ParseCombined(b)
		if err != nil {
			return
		}
		printed, err := c.Combined(content.Options{Plain: true, Exact: true})
		if err != nil {
			require.ErrorIs(t, err, content.ErrTooLarge, "what was read can be printed if it is small")
			return
		}
		once, err := content.ParseCombined(printed)
		require.NoError(t, err)
		again, err := once.Combined(content.Options{Plain: true, Exact: true})
		require.NoError(t, err)
		require.Equal(t, printed, again)
		filled, err := once.Combined(content.Options{Plain: true}) // compressing would take all the time
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(filled), content.MinCombined)
		twice, err := content.ParseCombined(filled)
		require.NoError(t, err)
		require.Equal(t, once, twice)
	})
}
