package coolkey_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func command(t testing.TB, s string) apdu.Command {
	t.Helper()
	c, err := apdu.Parse(unhex(t, s))
	require.NoError(t, err)
	return c
}

func encoded(t testing.TB, c apdu.Command) string {
	t.Helper()
	b, err := c.Bytes()
	require.NoError(t, err)
	return strings.ToUpper(hex.EncodeToString(b))
}

// commander is what every command type is.
type commander interface{ Command() apdu.Command }

type parser struct {
	name  string
	parse func(apdu.Command) (commander, error)
}

func as[T commander](name string, parse func(apdu.Command) (T, error)) parser {
	return parser{name, func(c apdu.Command) (commander, error) { return parse(c) }}
}

var parsers = []parser{
	as("GetStatus", coolkey.ParseGetStatus),
	as("GetVersion", coolkey.ParseGetVersion),
	as("GetLifeCycle", coolkey.ParseGetLifeCycle),
	as("SetLifeCycle", coolkey.ParseSetLifeCycle),
	as("Nop", coolkey.ParseNop),
	as("GetIssuerInfo", coolkey.ParseGetIssuerInfo),
	as("SetIssuerInfo", coolkey.ParseSetIssuerInfo),
	as("GetBuiltinACL", coolkey.ParseGetBuiltinACL),
	as("SetBuiltinACL", coolkey.ParseSetBuiltinACL),
	as("CreatePIN", coolkey.ParseCreatePIN),
	as("SetPIN", coolkey.ParseSetPIN),
	as("VerifyPIN", coolkey.ParseVerifyPIN),
	as("ChangePIN", coolkey.ParseChangePIN),
	as("ListPINs", coolkey.ParseListPINs),
	as("GetPINTries", coolkey.ParseGetPINTries),
	as("Logout", coolkey.ParseLogout),
	as("CreateObject", coolkey.ParseCreateObject),
	as("DeleteObject", coolkey.ParseDeleteObject),
	as("ReadObject", coolkey.ParseReadObject),
	as("WriteObject", coolkey.ParseWriteObject),
	as("ListObjects", coolkey.ParseListObjects),
	as("ReadBuffer", coolkey.ParseReadBuffer),
	as("ListKeys", coolkey.ParseListKeys),
	as("ComputeCrypt", coolkey.ParseComputeCrypt),
	as("ImportKey", coolkey.ParseImportKey),
	as("ClearKeySlots", coolkey.ParseClearKeySlots),
	as("StartEnrollment", coolkey.ParseStartEnrollment),
	as("ImportEncryptedKey", coolkey.ParseImportEncryptedKey),
	as("GetRandom", coolkey.ParseGetRandom),
	as("SeedRandom", coolkey.ParseSeedRandom),
}

const (
	anonymous = "0000000000000000"
	nonce     = "0102030405060708"
	key16     = "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF"
)

// foreign are commands as the CoolKey PKCS#11 module, OpenSC and a TPS send them, and what is left
// of the TPS's when secure messaging is removed.
var foreign = []struct{ want, hex string }{
	{"GetStatus", "B03C000010"},
	{"GetStatus", "B03C0000"},
	{"GetStatus", "B03C000000"},
	{"GetVersion", "B070000004"},
	{"GetLifeCycle", "B0F2000001"},
	{"GetLifeCycle", "B0F2000004"},
	{"GetLifeCycle", "B0F20000"},
	{"SetLifeCycle", "84F00F00"},
	{"SetLifeCycle", "80F00F00"},
	{"Nop", "B0710000"},
	{"GetIssuerInfo", "B0F60000E0"},
	{"GetIssuerInfo", "84F60000E0"},
	{"SetIssuerInfo", "84F40000E0" + strings.Repeat("68", 224)},
	{"GetBuiltinACL", "B0FA000007"},
	{"SetBuiltinACL", "84F80000074000400040" + "0001"},
	{"CreatePIN", "8440007F0870617373776F7264"},
	{"CreatePIN", "B0400005103132333435363738" + anonymous},
	{"SetPIN", "84040000083132333435363738"},
	{"VerifyPIN", "B04200000431323334"},
	{"VerifyPIN", "B0420000043132333408"},
	{"ChangePIN", "B04400000A0431323334043536373" + "8"},
	{"ListPINs", "B048000002"},
	{"GetPINTries", "B04A030001"},
	{"Logout", "B0610000"},
	{"Logout", "B061000008" + nonce},
	{"CreateObject", "845A00000E7A300000000000 40FFFF40004000"},
	{"CreateObject", "B05A0000167A30000000000040FFFF40004000" + anonymous},
	{"DeleteObject", "B05200010C7A300000" + nonce},
	{"DeleteObject", "84520000047A300000"},
	{"ReadObject", "B0560000117A30000000000000FF" + anonymous},
	{"ReadObject", "B0560000117A30000000000000FF" + anonymous + "FF"},
	{"ReadObject", "8456000009FFFFFFFF0000000080"},
	{"WriteObject", "B054000013FFFFFFFF00000000020080" + anonymous},
	{"WriteObject", "8454000009FFFFFFFF0000000000"},
	{"ListObjects", "B05800000E"},
	{"ListObjects", "B05801000E"},
	{"ReadBuffer", "84081000020000"},
	{"ListKeys", "B03A00000B"},
	{"ListKeys", "B03A01000B"},
	{"ComputeCrypt", "B03600040D00030200" + "00" + nonce},
	{"ComputeCrypt", "B03600040B000302" + nonce},
	{"ComputeCrypt", "B03600040F0003010002AABB" + nonce},
	{"ComputeCrypt", "B03600030D010002AABB" + nonce},
	{"ComputeCrypt", "84360001050003010000"},
	{"ImportKey", "B032000012FFFFFFFF000040000001" + nonce},
	{"ImportKey", "84320E0F10FFFFFFFF000040000001FFFF4000FFFF"},
	{"ClearKeySlots", "8455000004" + "00010203"},
	{"ClearKeySlots", "84550000"},
	{"StartEnrollment", "840C0213171F04000001" + "10" + key16 + "00"},
	{"StartEnrollment", "840C0000178004000000" + "10" + key16 + "0000"},
	{"StartEnrollment", "840D0213170401000000" + "10" + key16 + "00"},
	{"ImportEncryptedKey", "840A000123FFFFFFFF0110" + key16 + "0308D7B4080101010101010101"},
	{"ImportEncryptedKey", "840A000120FF00FFF38010" + key16 + "00080101010101010101"},
	{"GetRandom", "B072000008"},
	{"GetRandom", "B0720000"},
	{"SeedRandom", "B0730000080102030405060708"},
}

func TestForeignCommandsPrintBack(t *testing.T) {
	seen := make(map[string]bool)
	for _, tc := range foreign {
		s := fixLc(t, strings.ReplaceAll(tc.hex, " ", ""))
		c := command(t, s)
		var read []string
		for _, p := range parsers {
			x, err := p.parse(c)
			if err != nil {
				continue
			}
			read = append(read, p.name)
			require.Equal(t, s, encoded(t, x.Command()), p.name)
		}
		require.Equal(t, []string{tc.want}, read, s)
		seen[tc.want] = true
	}
	for _, p := range parsers {
		require.True(t, seen[p.name], "no example of %s", p.name)
	}
}

// fixLc sets an Lc that does not agree with the rest to the length of the rest.
func fixLc(t testing.TB, s string) string {
	t.Helper()
	if _, err := apdu.Parse(unhex(t, s)); err == nil || len(s) < 10 {
		return s
	}
	return s[:8] + fmt.Sprintf("%02X", len(s)/2-5) + s[10:]
}

func TestUsualForms(t *testing.T) {
	var info [coolkey.IssuerInfoLen]byte
	copy(info[:], "http://tps.example.com")
	ra := coolkey.Auth{Class: coolkey.ClassSecure}
	for _, tc := range []struct {
		c    commander
		want string
	}{
		{coolkey.GetStatus{}, "B03C000010"},
		{coolkey.GetStatus{Ne: coolkey.NoLe}, "B03C0000"},
		{coolkey.GetVersion{}, "B070000004"},
		{coolkey.GetLifeCycle{}, "B0F2000001"},
		{coolkey.GetLifeCycle{Ne: coolkey.LifeCycleLong}, "B0F2000004"},
		{coolkey.SetLifeCycle{State: coolkey.StatePersonalized}, "84F00F00"},
		{coolkey.GetIssuerInfo{}, "B0F60000E0"},
		{coolkey.SetIssuerInfo{Info: info},
			"84F40000E0" + strings.ToUpper(hex.EncodeToString(info[:]))},
		{coolkey.CreatePIN{Tries: 0x7F, PIN: coolkey.PIN("password"), Auth: ra},
			"8440007F0870617373776F7264"},
		{coolkey.SetPIN{PIN: coolkey.PIN("1234")}, "840400000431323334"},
		{coolkey.CreateObject{
			ID: coolkey.ObjectWrappedKey, Size: 0x200, ACL: coolkey.RAOnly, Auth: ra,
		}, "845A00000EFF00FFF300000200400040004000"},
		{coolkey.ReadObject{ID: coolkey.ObjectCombined, Count: 255},
			"B0560000117A30000000000000FF0000000000000000"},
		{coolkey.ClearKeySlots{Keep: []coolkey.SlotPair{{Private: 2, Public: 3}}}, "84550000020203"},
		{coolkey.ListObjects{Next: true}, "B05801000E"},
		{coolkey.GetBuiltinACL{}, "B0FA000007"},
	} {
		require.Equal(t, tc.want, encoded(t, tc.c.Command()))
	}
}

func TestRefused(t *testing.T) {
	find := func(name string) parser {
		for _, p := range parsers {
			if p.name == name {
				return p
			}
		}
		t.Fatalf("no parser %s", name)
		return parser{}
	}
	for _, tc := range []struct {
		name, hex string
		want      error
	}{
		{"GetStatus", "B03C010010", coolkey.ErrParameter},
		{"GetStatus", "B03C00000101", coolkey.ErrLength},
		{"GetStatus", "B03C000000" + "0010", coolkey.ErrLength},
		{"GetStatus", "B13C000010", coolkey.ErrClass},
		{"GetStatus", "B070000004", coolkey.ErrInstruction},
		{"SetPIN", "B04000000431323334", coolkey.ErrInstruction},
		{"SetPIN", "B00400000431323334", coolkey.ErrClass},
		{"SetPIN", "840400010431323334", coolkey.ErrParameter},
		{"SetIssuerInfo", "84F4000001AA", coolkey.ErrLength},
		{"CreatePIN", "B04000050431323334", coolkey.ErrLength},
		{"ChangePIN", "B04400000404313233", coolkey.ErrData},
		{"ChangePIN", "B044000005043132333401", coolkey.ErrData},
		{"ChangePIN", "B044000008043132333401350000", coolkey.ErrLength},
		{"Logout", "B061000003010203", coolkey.ErrLength},
		{"CreateObject", "845A00000D7A3000000000004040004000", coolkey.ErrLength},
		{"DeleteObject", "84520002047A300000", coolkey.ErrParameter},
		{"ReadObject", "84560000087A30000000000000", coolkey.ErrLength},
		{"WriteObject", "845400000A7A3000000000000002AA", coolkey.ErrLength},
		{"WriteObject", "845400000A7A3000000000000000AA", coolkey.ErrLength},
		{"ListObjects", "B05802000E", coolkey.ErrParameter},
		{"ComputeCrypt", "8436000503000301", coolkey.ErrParameter},
		{"ComputeCrypt", "84360004020003", coolkey.ErrLength},
		{"ComputeCrypt", "843600040400030100", coolkey.ErrLength},
		{"ComputeCrypt", "8436000406000301000300", coolkey.ErrLength},
		{"ImportKey", "843200000BFFFFFFFF00004000000100", coolkey.ErrLength},
		{"ClearKeySlots", "8455000003000102", coolkey.ErrLength},
		{"StartEnrollment", "840C00000480040000", coolkey.ErrLength},
		{"StartEnrollment", "840C000006800400000010", coolkey.ErrData},
		{"StartEnrollment", "840C0000088004000000" + "0000FF", coolkey.ErrLength},
		{"ImportEncryptedKey", "840A000104FFFFFFFF", coolkey.ErrLength},
		{"ImportEncryptedKey", "840A000106FFFFFFFF8010", coolkey.ErrData},
		{"ImportEncryptedKey", "840A000109FFFFFFFF80000000" + "AA", coolkey.ErrLength},
	} {
		_, err := find(tc.name).parse(command(t, fixLc(t, tc.hex)))
		require.ErrorIs(t, err, tc.want, "%s %s", tc.name, tc.hex)
	}
}

func TestP3(t *testing.T) {
	require.Equal(t, byte(0x10), coolkey.P3(command(t, "B03C000010")))
	require.Equal(t, byte(0), coolkey.P3(command(t, "B03C000000")))
	require.Equal(t, byte(0), coolkey.P3(command(t, "B03C0000")))
	require.Equal(t, byte(4), coolkey.P3(command(t, "B0420000043132333408")))
}

func TestSecretsAreNotPrinted(t *testing.T) {
	pin := coolkey.PIN("31415926")
	session := coolkey.Nonce{0x27, 0x18, 0x28, 0x18, 0x28, 0x45, 0x90, 0x45}
	c := coolkey.CreatePIN{PIN: pin, Auth: coolkey.Auth{Nonce: session}}
	k, err := coolkey.ParseImportEncryptedKey(command(t,
		"840A000123FFFFFFFF0110"+key16+"0308D7B4080101010101010101"))
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		for _, v := range []any{c, &c, pin, session, k, c.Command()} {
			out := strings.ToUpper(fmt.Sprintf(verb, v))
			for _, secret := range []string{"31415926", "3331343135", "51 49", "27182818", "39, 24",
				"39 24", "A0A1A2A3", "160 161"} {
				require.NotContains(t, out, secret, verb)
			}
		}
	}
	text, err := pin.MarshalText()
	require.NoError(t, err)
	require.Equal(t, "PIN of 8 bytes", string(text))
	require.Equal(t, "no nonce", coolkey.Nonce{}.String())
	require.True(t, pin.Equal(coolkey.PIN("31415926")))
	require.False(t, pin.Equal(coolkey.PIN("3141592")))
	require.True(t, session.Equal(session))
}

func FuzzCommand(f *testing.F) {
	for _, tc := range foreign {
		f.Add(unhex(f, fixLc(f, strings.ReplaceAll(tc.hex, " ", ""))))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := apdu.Parse(b)
		if err != nil {
			return
		}
		for _, p := range parsers {
			x, err := p.parse(c)
			if err != nil {
				continue
			}
			out, err := x.Command().Bytes()
			if err != nil || !bytes.Equal(out, b) {
				t.Fatalf("%s: %X became %X, %v", p.name, b, out, err)
			}
		}
	})
}
