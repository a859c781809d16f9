package der_test

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/ca/der"
)

func encode(t testing.TB, text string) []byte {
	t.Helper()
	n, err := der.ParseName(text)
	require.NoError(t, err)
	raw, err := n.Encode()
	require.NoError(t, err)
	return raw
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func parseIP(s string) []net.IP { return []net.IP{net.ParseIP(s)} }

func parseURI(t testing.TB, s string) []*url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return []*url.URL{u}
}

func TestNamesAreReadAndWritten(t *testing.T) {
	tests := map[string]struct {
		text, want string
		attrs      der.Name
	}{
		"usual":  {"UID=anna, O=Token Key User", "UID=anna,O=Token Key User", der.Name{{"UID", "anna"}, {"O", "Token Key User"}}},
		"case":   {"uid=a,o=b,c=DE", "UID=a,O=b,C=DE", der.Name{{"UID", "a"}, {"O", "b"}, {"C", "DE"}}},
		"mail":   {"emailAddress=a@b", "E=a@b", nil},
		"escape": {`CN=a\, b\+\"\2B\C3\A4\\`, `CN=a\, b\+\"\+ä\\`, der.Name{{"CN", `a, b+"+ä\`}}},
		"blanks": {`CN=  a b  ,O=\ x\ `, `CN=a b,O=\ x\ `, der.Name{{"CN", "a b"}, {"O", " x "}}},
		"equals": {"CN=uid\\=a,OU=u", "CN=uid\\=a,OU=u", der.Name{{"CN", "uid=a"}, {"OU", "u"}}},
		"hash":   {`CN=\#1`, `CN=\#1`, der.Name{{"CN", "#1"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n, err := der.ParseName(tt.text)
			require.NoError(t, err)
			if tt.attrs != nil {
				assert.Equal(t, tt.attrs, n)
			}
			assert.Equal(t, tt.want, n.String())
			raw, err := n.Encode()
			require.NoError(t, err)
			back, err := der.DecodeName(raw)
			require.NoError(t, err)
			assert.Equal(t, n, back)
		})
	}
}

// The standard library reads the same name, least specific attribute first.
func TestEncodedNameIsX501(t *testing.T) {
	var seq pkix.RDNSequence
	rest, err := asn1.Unmarshal(encode(t, "UID=anna,OU=x,O=Example,C=DE"), &seq)
	require.NoError(t, err)
	assert.Empty(t, rest)
	require.Len(t, seq, 4)
	assert.Equal(t, "DE", seq[0][0].Value)
	assert.Equal(t, "anna", seq[3][0].Value)
	assert.Equal(t, "0.9.2342.19200300.100.1.1", seq[3][0].Type.String())
}

func TestBadNames(t *testing.T) {
	for _, text := range []string{"", "anna", "CN", "CN=", "CN=a,", ",CN=a", "XX=a", "CN=a+O=b", "CN=#0C0161",
		`CN=a\`, `CN=a\zz`, "CN=\"a\"", "CN=a;O=b", `CN=\FF`, "CN=a<b",
		strings.Repeat("OU=a,", 32) + "OU=b"} {
		_, err := der.ParseName(text)
		assert.ErrorIs(t, err, der.ErrName, text)
	}
	for _, n := range []der.Name{{{"CN", strings.Repeat("a", 65)}}, {{"C", "DEU"}}, {{"C", "Dä"}},
		{{"E", "ä@b"}}, {{"CN", "a\x00"}}, {{"CN", "\xFF"}}, {{"CN", ""}}, {{"ZZ", "a"}}, {{"serialNumber", "_"}}} {
		_, err := n.Encode()
		assert.ErrorIs(t, err, der.ErrName, n)
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"UID=anna, O=Token Key User", `CN=a\, b\2B`, "E=a@b,C=DE", `O=\ x\ `} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := der.ParseName(text)
		if err != nil {
			return
		}
		again, err := der.ParseName(n.String())
		require.NoError(t, err, n.String())
		require.Equal(t, n, again)
		if raw, err := n.Encode(); err == nil {
			back, err := der.DecodeName(raw)
			require.NoError(t, err)
			require.Equal(t, n, back)
		}
	})
}

func FuzzDecodeName(f *testing.F) {
	n, err := der.ParseName("UID=anna,O=x,E=a@b,C=DE")
	require.NoError(f, err)
	raw, err := n.Encode()
	require.NoError(f, err)
	f.Add(raw)
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, err := der.DecodeName(raw)
		if err != nil || len(n) == 0 {
			return
		}
		again, err := n.Encode()
		if err != nil || len(again) != len(raw) {
			return // another string type
		}
		back, err := der.DecodeName(again)
		require.NoError(t, err)
		require.Equal(t, n, back)
		require.False(t, bytes.Equal(again, nil))
	})
}
