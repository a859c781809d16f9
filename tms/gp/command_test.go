package gp_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
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
	as("Select", gp.ParseSelect),
	as("GetData", gp.ParseGetData),
	as("InitializeUpdate", gp.ParseInitializeUpdate),
	as("ExternalAuthenticate", gp.ParseExternalAuthenticate),
	as("Delete", gp.ParseDelete),
	as("InstallForLoad", gp.ParseInstallForLoad),
	as("InstallForInstall", gp.ParseInstallForInstall),
	as("InstallFor", gp.ParseInstallFor),
	as("Load", gp.ParseLoad),
	as("PutKey", gp.ParsePutKey),
	as("GetStatus", gp.ParseGetStatus),
	as("SetStatus", gp.ParseSetStatus),
	as("StoreData", gp.ParseStoreData),
}

const (
	des16 = "11111111111111112222222222222222"
	aes24 = "333333333333333333333333333333333333333333333333" + "0000000000000000"
	aes32 = "4444444444444444444444444444444444444444444444444444444444444444"
)

// foreign are commands as other programs send them (GPShell, GlobalPlatformPro, a TPS), and the
// type that reads each.
var foreign = []struct{ want, hex string }{
	{"Select", "00A4040000"},
	{"Select", "00A40400"},
	{"Select", "00A4040007627601FF000000"},
	{"Select", "00A4040007627601FF00000000"},
	{"Select", "00A4040C07A0000000030000"},
	{"Select", "00A4040205A000000003" + "00"},
	{"Select", "01A4040008A00000015100000000"},
	{"GetData", "80CA9F7F2D"},
	{"GetData", "80CA006600"},
	{"GetData", "00CA006600"},
	{"GetData", "84CA00E008F9709BFBF1F41A9700"},
	{"GetData", "00CB2F00025C0000"},
	{"InitializeUpdate", "8050000008B7357AACC7FF2D9C"},
	{"InitializeUpdate", "8050000008DE66F8F606FC6B4B00"},
	{"InitializeUpdate", "80500102080011223344556677"},
	{"ExternalAuthenticate", "8482030010589FAB21AF5F09FBF53D9E3D7453592F00"},
	{"ExternalAuthenticate", "84820100106C986A1F7F85A1EB95A99BE39BC17B52"},
	{"Delete", "80E40080094F07D0D1D2D3D4D50100"},
	{"Delete", "84E40000094F07627601FF000000"},
	{"Delete", "80E4000003D2010100"},
	{"Delete", "80E4000006D00101D2010100"},
	{"InstallForLoad", "80E602001E07D0D1D2D3D4D50108A000000003000000000AEF08C6020160C80207D00000"},
	{"InstallForLoad", "84E602001106627601FF00000000 06EF04C6023C49 00"},
	{"InstallForInstall", "80E60C002E" +
		"06627601FF0000 07627601FF000000 07627601FF000000 0100 10 EF04C8024650C90800021388010101FF 00"},
	{"InstallForInstall", "80E60C0028 06627601FF0000 07627601FF000000 07627601FF000000" +
		"0100 0A EF04C8024650C9020000 00"},
	{"InstallForInstall", "80E6040022 06627601FF0000 07627601FF000000 07627601FF000000" +
		"03800000 02 C900 00"},
	{"InstallFor", "80E608000F 00 00 08D0D1D2D3D4D50101 0100 00 00"},
	{"InstallFor", "80E620000D 00 00 07627601FF000000 00 00 00"},
	{"InstallFor", "80E610001608A000000003000000 00 08D0D1D2D3D4D50101 00 00 00"},
	{"Load", "84E800000AC482303901001F1F1F"},
	{"Load", "80E880050411223344" + "00"},
	{"PutKey", "84D8008143 01" + strings.Repeat("8010"+des16+"038BAF47", 3)},
	{"PutKey", "84D8018143 02" + strings.Repeat("8110"+des16+"038BAF47", 3) + "00"},
	{"PutKey", "80D8008143 30" + strings.Repeat("8810"+des16+"03504A77", 3) + "00"},
	{"PutKey", "80D8008146 30" + strings.Repeat("881110"+des16+"03504A77", 3) + "00"},
	{"PutKey", "80D8018176 30" + strings.Repeat("882118"+aes24+"03504A77", 3)},
	{"PutKey", "80D8018176 30" + strings.Repeat("882120"+aes32+"03504A77", 3)},
	{"PutKey", "80D8000117 02 8010" + des16 + "038BAF47"},
	{"PutKey", "80D8000114 02 8010" + des16 + "00"},
	{"GetStatus", "80F28002024F00"},
	{"GetStatus", "80F24002024F0000"},
	{"GetStatus", "84F220020A4F008666B1EACC80C78300"},
	{"GetStatus", "80F24000074F05A00000000300"},
	{"GetStatus", "80F24002084F005C044F9F70C5"},
	{"GetStatus", "80F24003024F0000"},
	{"SetStatus", "80F0800F00"},
	{"SetStatus", "80F0408007627601FF000000"},
	{"StoreData", "80E29000044202AABB"},
	{"StoreData", "80E2880107007004112233440000"},
}

func TestForeignCommandsPrintBack(t *testing.T) {
	for _, tc := range foreign {
		s := strings.ToUpper(strings.ReplaceAll(tc.hex, " ", ""))
		c := command(t, fixLc(t, s))
		var read []string
		for _, p := range parsers {
			x, err := p.parse(c)
			if err != nil {
				continue
			}
			read = append(read, p.name)
			require.Equal(t, encoded(t, c), encoded(t, x.Command()), "%s %s", p.name, s)
		}
		require.Contains(t, read, tc.want, s)
		if tc.want != "GetStatus" || !strings.HasPrefix(s, "84") {
			require.Len(t, read, 1, "%v read %s", read, s)
		}
	}
}

// fixLc lets the table above be written without counting: an Lc that does not agree with the rest
// is set to the length of the rest.
func fixLc(t testing.TB, s string) string {
	t.Helper()
	if _, err := apdu.Parse(unhex(t, s)); err == nil || len(s) < 10 {
		return s
	}
	return s[:8] + fmt.Sprintf("%02X", len(s)/2-5) + s[10:]
}

func TestCommandsRefused(t *testing.T) {
	for _, tc := range []struct {
		name, hex string
		parse     parser
		want      error
	}{
		{"select by file id", "00A40000023F00", parsers[0], gp.ErrParameter},
		{"aid of 4 bytes", "00A4040004A0000000", parsers[0], gp.ErrData},
		{"aid of 17 bytes", "00A4040011" + strings.Repeat("A0", 17), parsers[0], gp.ErrData},
		{"select in class 80", "80A4040000", parsers[0], gp.ErrClass},
		{"chained class", "90CA006600", parsers[1], gp.ErrClass},
		{"applet class", "B0CA006600", parsers[1], gp.ErrClass},
		{"challenge of 7 bytes", "805000000711223344556677", parsers[2], gp.ErrLength},
		{"another instruction", "80510000081122334455667788", parsers[2], gp.ErrInstruction},
		{"authenticate with P2", "84820101106C986A1F7F85A1EB95A99BE39BC17B52", parsers[3],
			gp.ErrParameter},
		{"delete without a name", "80E4000002B600", parsers[4], gp.ErrData},
		{"delete aid cut", "80E40000044F07D0D1", parsers[4], gp.ErrData},
		{"delete long key id", "80E4000004D0020101", parsers[4], gp.ErrData},
		{"install lengths overrun", "80E602000707D0D1D2D3D4D5", parsers[5], gp.ErrData},
		{"install with too much", "80E602000B05D0D1D2D3D40000000000", parsers[5], gp.ErrData},
		{"install without file", "80E60200050000000000", parsers[5], gp.ErrData},
		{"install length too long", "80E602000B8105D0D1D2D3D400000000", parsers[5], gp.ErrData},
		{"privileges of 2 bytes", "80E60C000800000002" + "00000000", parsers[6], gp.ErrData},
		{"load without data", "80E80000", parsers[8], gp.ErrLength},
		{"put key cut", "80D800810401801011", parsers[9], gp.ErrData},
		{"put key of 15 bytes", "80D8008113 01 800F" + des16[2:] + "00", parsers[9], gp.ErrData},
		{"put key rsa", "80D800810601A1020102" + "00", parsers[9], gp.ErrData},
		{"put key inner too long", "80D80081 15 01881111" + des16 + "00", parsers[9], gp.ErrData},
		{"two keys for one", "80D800012701" + strings.Repeat("8010"+des16+"00", 2), parsers[9],
			gp.ErrData},
		{"get status without data", "80F2400200", parsers[10], gp.ErrData},
		{"get status P1 00", "80F20002024F00", parsers[10], gp.ErrParameter},
		{"get status P2 04", "80F24004024F00", parsers[10], gp.ErrParameter},
		{"set status without aid", "80F04080", parsers[11], gp.ErrData},
		{"set status scope", "80F0100700", parsers[11], gp.ErrParameter},
	} {
		s := strings.ReplaceAll(tc.hex, " ", "")
		c := command(t, fixLc(t, s))
		_, err := tc.parse.parse(c)
		require.ErrorIs(t, err, tc.want, tc.name)
	}
}

func TestCommandsPrint(t *testing.T) {
	kvn := keys.KVN(2)
	isd := gp.AIDISDVisa
	pkg, app := gp.AID(unhex(t, "627601FF0000")), gp.AID(unhex(t, "627601FF000000"))
	for _, tc := range []struct {
		c    commander
		want string
	}{
		{gp.Select{}, "00A40400"},
		{gp.Select{Ne: 256}, "00A4040000"},
		{gp.Select{AID: app, Ne: 256}, "00A4040007627601FF00000000"},
		{gp.GetData{Tag: gp.TagCPLC, Ne: 45}, "80CA9F7F2D"},
		{gp.GetData{Tag: gp.TagRecognitionData, ISO: true, Ne: 256}, "00CA006600"},
		{gp.InitializeUpdate{KVN: 1, KeyID: 2, HostChallenge: [8]byte{0, 17}},
			"80500102080011000000000000"},
		{gp.Delete{AID: app}, "80E40000094F07627601FF000000"},
		{gp.Delete{AID: app, Related: true, Ne: 256}, "80E40080094F07627601FF00000000"},
		{gp.DeleteKeys(kvn), "80E4000003D20102"},
		{gp.InstallForLoad{File: pkg, Params: gp.LoadParams(0x3C49)},
			"80E602001106627601FF0000000006EF04C6023C4900"},
		{gp.InstallForLoad{File: pkg, SD: isd, Params: gp.LoadParams(0x3C49), Ne: 256},
			"80E602001906627601FF000008A0000000030000000006EF04C6023C490000"},
		{gp.InstallForInstall{
			MakeSelectable: true, File: pkg, Module: app, Instance: app,
			Privileges: gp.Privileges{0}, Params: gp.InstanceParams(18000, unhex(t, "00021388")),
		}, "80E60C002706627601FF000007627601FF00000007627601FF00000001000CEF04C8024650C9040002138800"},
		{gp.MakeSelectable(app, nil), "80E608000D000007627601FF000000000000"},
		{gp.PutKey{
			OldKVN: 1, FirstKeyID: 1, Multiple: true,
			KeySetData: gp.KeySetData{KVN: 2, Keys: []gp.KeyData{
				{Type: gp.KeyAES, Length: 16, Value: unhex(t, des16), KCV: []byte{1, 2, 3}},
			}},
		}, "80D801811802881110" + des16 + "03010203"},
		{gp.GetStatus{Scope: gp.ScopeISD, Tagged: true}, "80F28002024F00"},
		{gp.SetStatus{Scope: gp.ScopeISD, State: byte(gp.CardSecured)}, "80F0800F"},
		{gp.GetStatus{Scope: gp.ScopeISD, Form: gp.Form{CLA: 0x84}}, "84F28000024F00"},
	} {
		require.Equal(t, tc.want, encoded(t, tc.c.Command()))
	}
}

func TestInitializeUpdateResponse(t *testing.T) {
	for _, tc := range []struct {
		hex, challenge, seq string
		info                keys.KeyInfo
	}{
		{"409061557601020304050101 7BC11AE2CF591F8D FD309BB98FDD8170", "7BC11AE2CF591F8D", "",
			keys.KeyInfo{KVN: 1, SCP: 1}},
		{"409061557601020304050102 0001 8C3068A8F647 8962EE339126798F", "8C3068A8F647", "0001",
			keys.KeyInfo{KVN: 1, SCP: 2}},
		{"40906155760102030405010300 451737D90DB8EAF3 F2C18AD7BA7715E4", "451737D90DB8EAF3", "",
			keys.KeyInfo{KVN: 1, SCP: 3, HasI: true}},
		{"40906155760102030405FF0370 451737D90DB8EAF3 F2C18AD7BA7715E4 00002A", "451737D90DB8EAF3",
			"00002A", keys.KeyInfo{KVN: 0xFF, SCP: 3, I: 0x70, HasI: true}},
	} {
		b := unhex(t, tc.hex)
		r, err := gp.ParseInitializeUpdateResponse(b)
		require.NoError(t, err)
		require.Equal(t, b, r.Bytes())
		require.Equal(t, "40906155760102030405", r.KDD.String())
		require.Equal(t, tc.info, r.Info)
		require.Equal(t, unhex(t, tc.challenge), r.Challenge)
		require.True(t, bytes.Equal(unhex(t, tc.seq), r.Seq))
	}
	for _, s := range []string{
		"", "409061557601020304050101",
		"409061557601020304050101 7BC11AE2CF591F8D FD309BB98FDD8170 00",
		"409061557601020304050103 7BC11AE2CF591F8D FD309BB98FDD8170",
		"409061557601020304050107 7BC11AE2CF591F8D FD309BB98FDD8170",
		"40906155760102030405010300 451737D90DB8EAF3 F2C18AD7BA7715E4 0000",
	} {
		_, err := gp.ParseInitializeUpdateResponse(unhex(t, s))
		require.ErrorIs(t, err, gp.ErrData, s)
	}
}

func TestWrappedKeysAreNotPrinted(t *testing.T) {
	c := command(t, "80D8008118 01 881110"+des16+"03504A77")
	p, err := gp.ParsePutKey(c)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		out := fmt.Sprintf(verb, p)
		require.NotContains(t, out, des16[:8], verb)
		require.NotContains(t, out, "17 17", verb)
	}
	require.Equal(t, 16, p.Keys[0].PlainLen())
}

func TestInstallParams(t *testing.T) {
	p := gp.InstanceParams(18000, unhex(t, "00021388"))
	require.Equal(t, "EF04C8024650C90400021388", strings.ToUpper(hex.EncodeToString(p)))
	app, ok := p.App()
	require.True(t, ok)
	require.Equal(t, unhex(t, "00021388"), app)
	n, ok := p.Size(gp.TagDataSize)
	require.True(t, ok)
	require.EqualValues(t, 18000, n)
	_, ok = p.Size(gp.TagCodeSize)
	require.False(t, ok)

	standard := gp.InstallParams(unhex(t, "C90400021388EF0AC70200FFC80400011170"))
	n, ok = standard.Size(gp.TagDataSize)
	require.True(t, ok)
	require.EqualValues(t, 70000, n)
	_, ok = gp.InstallParams{0xC9}.App()
	require.False(t, ok, "malformed parameters have no applet data")
	require.Equal(t, "EF06C60400011170", strings.ToUpper(hex.EncodeToString(gp.LoadParams(70000))))
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
