package decode_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/decode"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func TestCommandLines(t *testing.T) {
	const mac = "95A99BE39BC17B52"
	stars := func(n int) string { return strings.Repeat("**", n) }
	key := strings.Repeat("AB", 16)
	for _, tc := range []struct {
		hex, line, shown string
		o                decode.Options
	}{
		{hex: "00A4040007627601FF000000", line: "SELECT: AID 627601FF000000 (CoolKey applet)"},
		{hex: "00A4040000", line: "SELECT: issuer security domain"},
		{hex: "00A40000023F00", line: "SELECT: P1 00, file 3F00"},
		{hex: "80CA9F7F2D", line: "GET DATA CPLC: tag 9F7F"},
		{hex: "80CA123400", line: "GET DATA: tag 1234"},
		{hex: "80500102080011223344556677",
			line: "INITIALIZE UPDATE: key version 01, key identifier 02, " +
				"host challenge 0011223344556677"},
		{hex: "84820100106C986A1F7F85A1EB" + mac,
			line: "EXTERNAL AUTHENTICATE: level 01, host cryptogram 6C986A1F7F85A1EB, MAC " + mac},
		{hex: "84F280020A4F00" + mac,
			line: "GET STATUS: scope issuer security domain, MAC " + mac},
		{hex: "84F2800210CDA18B342F9D6AB0" + mac, o: decode.Options{Level: 3},
			line: "GET STATUS: encrypted data (8 bytes), MAC " + mac},
		{hex: "84F0800F00", line: "SET STATUS: scope issuer security domain, state SECURED"},
		{hex: "84F00F0008" + mac, line: "SET LIFECYCLE: state PERSONALIZED, MAC " + mac},
		{hex: "84E40000114F07627601FF000000" + mac,
			line: "DELETE: AID 627601FF000000 (CoolKey applet), MAC " + mac},
		{hex: "80E4000003D20101", line: "DELETE: key version 01"},
		{hex: "80E8800303C401AA", line: "LOAD: block 03, data (3 bytes), last"},
		{hex: "80E602001106627601FF0000000006EF04C6023C4900",
			line: "INSTALL [for load]: load file 627601FF0000 (CoolKey package), code size 15433"},
		{hex: "80E60C002706627601FF000007627601FF00000007627601FF00000001000CEF04C8024650" +
			"C9040002138800",
			line: "INSTALL [for install and make selectable]: load file 627601FF0000 " +
				"(CoolKey package), module 627601FF000000 (CoolKey applet), " +
				"instance 627601FF000000 (CoolKey applet), privileges none, data size 18000, " +
				`applet parameters issuer "", heap 5000, ACL change false`},
		{hex: "80E60C001906A0000000010106A0000000010106A000000001010004C9021234" + "00",
			line: "INSTALL [for install and make selectable]: load file A00000000101, " +
				"module A00000000101, instance A00000000101, privileges none, " +
				"applet parameters (2 bytes hidden)",
			shown: "80E60C001C06A0000000010106A0000000010106A000000001010004C902****00"},
		{hex: "80D80181180288" + "1110" + key + "03504A77",
			line: "PUT KEY: replace version 01, new version 02, key 1 type AES (88), 16 bytes, " +
				"key 1 (16 bytes hidden), key 1 KCV 504A77",
			shown: "80D80181180288" + "1110" + stars(16) + "03504A77"},
		{hex: "84040000103132333435363738" + mac,
			line:  "SET PIN: number 0, PIN (8 bytes hidden), MAC (8 bytes hidden)",
			shown: "8404000010" + stars(16)},
		{hex: "B0420000043132333408", line: "VERIFY PIN: number 0, PIN (4 bytes hidden)",
			shown: "B042000004" + stars(4) + "08"},
		{hex: "B0560000117A30000000000000FF0000000000000000",
			line: "READ OBJECT: object 7A300000 (z0), offset 0, count 255, identity anonymous"},
		{hex: "B054000013FFFFFFFF000000000280810102030405060708",
			line: "WRITE OBJECT: object FFFFFFFF (buffer), offset 0, data (2 bytes hidden), " +
				"nonce (8 bytes hidden)",
			shown: "B054000013FFFFFFFF0000000002" + stars(10)},
		{hex: "80E2900004" + "4202AABB", line: "STORE DATA: block 00, last, 42 AABB"},
		{hex: "80E2900005" + "C10311" + "2233", line: "STORE DATA: block 00, last, C1 (3 bytes hidden)",
			shown: "80E2900005C103******"},
		{hex: "80E2E00003112233", line: "STORE DATA: block 00, last, data (3 bytes hidden)",
			shown: "80E2E00003******"},
		{hex: "002000810431323334", line: "VERIFY: data (4 bytes hidden)",
			shown: "0020008104********"},
		{hex: "A0FE000002AABB", line: "unknown command A0 FE 00 00: data (2 bytes hidden)",
			shown: "A0FE000002****"},
		{hex: "80D80000", line: "PUT KEY: unreadable key set data: gp: malformed data field: " +
			"key version of 1 bytes, 0 left"},
		{hex: "8055", line: "malformed command: reason apdu: truncated: 2 bytes, " +
			"a command has at least 4", shown: "****"},
	} {
		b := fixLc(unhex(t, tc.hex))
		l := decode.Command(b, tc.o)
		require.Equal(t, tc.line, l.String(), tc.hex)
		want := tc.shown
		if want == "" {
			want = strings.ToUpper(hex.EncodeToString(b))
		}
		require.Equal(t, want, l.Hex, tc.hex)
	}
}

// fixLc sets an Lc that does not agree with the rest to the length of the rest.
func fixLc(b []byte) []byte {
	if _, err := apdu.Parse(b); err != nil && len(b) > 5 {
		b[4] = byte(len(b) - 5)
	}
	return b
}

func TestResponseLines(t *testing.T) {
	for _, tc := range []struct {
		cmd, resp, line, shown string
		o                      decode.Options
	}{
		{cmd: "00A4040000", resp: "6F108408A000000003000000A5049F6501FF9000",
			line: "9000 success: AID A000000003000000 (issuer security domain), " +
				"maximum data length FF"},
		{cmd: "80CA006600", resp: "6A88", line: "6A88 referenced data not found"},
		{cmd: "80CA00E000", resp: "E006C00401FF80109000",
			line: "9000 success: key version FF identifier 01 DES (80) 16 bytes"},
		{cmd: "80CA00C100", resp: "C10200019000", line: "9000 success: value 0001"},
		{cmd: "80CA123400", resp: "12349000", line: "9000 success: data (2 bytes hidden)",
			shown: "****9000"},
		{cmd: "8050000008B7357AACC7FF2D9C",
			resp: "409061557601020304050102" + "00018C3068A8F6478962EE339126798F9000",
			line: "9000 success: KDD 40906155760102030405, key version 01, protocol SCP02, " +
				"sequence counter 0001, card challenge 8C3068A8F647, " +
				"card cryptogram 8962EE339126798F"},
		{cmd: "84F220020A4F00BBB245506234BB12", resp: "E30C4F06627601FF00009F7001019000",
			line: "9000 success: entry 627601FF0000 (CoolKey package) LOADED"},
		{cmd: "84F240020A4F00BBB245506234BB12", resp: "E3124F07627601FF0000009F700107C5030000009000",
			line: "9000 success: entry 627601FF000000 (CoolKey applet) SELECTABLE"},
		{cmd: "84F240000A4F00BBB245506234BB12", resp: "07627601FF00000007009000",
			line: "9000 success: entry 627601FF000000 (CoolKey applet) SELECTABLE"},
		{cmd: "80D800810102", resp: "028BAF479000", line: "9000 success: version 02, KCV 8BAF47"},
		{cmd: "80E60C0000", resp: "009000", line: "9000 success: no receipt"},
		{cmd: "B042000004", resp: "01020304050607089000", line: "9000 success: data (8 bytes hidden)",
			shown: strings.Repeat("**", 8) + "9000"},
		{cmd: "B03C000010", resp: "010101040000138800001386000000009000",
			line: "9000 success: protocol 1.1, applet 1.4, memory 4998 of 5000 free, PINs 0, " +
				"keys 0, logged in 0000"},
		{cmd: "B0F60000E0", resp: "687474703A1B5B324A009000",
			line: `9000 success: issuer "http:\x1b[2J"`},
		{cmd: "B072000004", resp: "010203049000", line: "9000 success: data (4 bytes hidden)",
			shown: "********9000"},
		{cmd: "84F220020A4F00BBB245506234BB12", o: decode.Options{Level: 0x33},
			resp: "0011223344556677" + "8899AABBCCDDEEFF" + "9000",
			line: "9000 success: encrypted data (8 bytes), MAC 8899AABBCCDDEEFF"},
		{cmd: "84F220020A4F00BBB245506234BB12", o: decode.Options{Level: 0x11},
			resp: "E30C4F06627601FF00009F700101" + "8899AABBCCDDEEFF" + "9000",
			line: "9000 success: entry 627601FF0000 (CoolKey package) LOADED, MAC 8899AABBCCDDEEFF"},
		{cmd: "80CA00", resp: "AABB9000", line: "9000 success: data (2 bytes hidden)",
			shown: "****9000"},
		{cmd: "80CA9F7F2D", resp: "90", line: "malformed response: reason apdu: truncated: " +
			"response of 1 bytes, at least 2", shown: "**"},
	} {
		l := decode.Response(fixLc(unhex(t, tc.cmd)), unhex(t, tc.resp), tc.o)
		require.Equal(t, tc.line, l.String(), tc.cmd)
		want := tc.shown
		if want == "" {
			want = tc.resp
		}
		require.Equal(t, want, l.Hex, tc.cmd)
	}
	cplc := decode.Response(unhex(t, "80CA9F7F2D"), append(gp.CPLC{ICSerial: [4]byte{1, 2, 3, 4}}.Bytes(),
		0x90, 0x00), decode.Options{})
	id, ok := cplc.Field("CUID")
	require.True(t, ok)
	require.Equal(t, "00000000000001020304", id)
	require.Len(t, cplc.Fields, 19)
}

// secret is in every command and answer below that carries one; it must not come out, however much
// or little the decoder knows.
const secret = "S3CR3T-MATERIAL!"

type commander interface{ Command() apdu.Command }

func secretCommands() []commander {
	s := []byte(secret)
	session := coolkey.Nonce(s[:8])
	user := coolkey.Auth{Nonce: session}
	keySet := gp.KeySetData{KVN: 2, Keys: []gp.KeyData{
		{Type: gp.KeyDES, Value: s, KCV: []byte{1, 2, 3}},
		{Type: gp.KeyAES, Length: 16, Value: s},
		{Type: gp.KeyDESOld, Value: s, KCV: []byte{1, 2, 3}},
	}}
	return []commander{
		gp.PutKey{FirstKeyID: 1, Multiple: true, KeySetData: keySet, Ne: 256},
		gp.StoreData{Last: true, Flags: gp.StoreDGI, Data: append([]byte{0x80, 0x10, 16}, s...)},
		gp.StoreData{Flags: gp.StoreBERTLV, Data: append([]byte{0xC9, 16}, s...)},
		gp.InstallForInstall{Module: gp.AID("A0000"), Params: gp.InstanceParams(1, s)},
		gp.InstallForInstall{Module: gp.AID("A0000"), Params: gp.InstallParams(s)},
		coolkey.CreatePIN{PIN: s, Auth: user}, coolkey.SetPIN{PIN: s}, coolkey.VerifyPIN{PIN: s},
		coolkey.CreatePIN{PIN: s, Auth: coolkey.Auth{Class: coolkey.ClassSecure}},
		coolkey.SetPIN{PIN: s, Form: coolkey.Form{Class: coolkey.ClassUnwrapped}},
		coolkey.ChangePIN{Old: s, New: s},
		coolkey.Logout{Nonce: session, HasNonce: true},
		coolkey.ReadObject{ID: 1, Auth: user}, coolkey.DeleteObject{ID: 1, Auth: user},
		coolkey.CreateObject{ID: 1, Auth: user},
		coolkey.WriteObject{ID: coolkey.ObjectIO, Data: s},
		coolkey.WriteObject{ID: coolkey.ObjectWrappedKey, Data: s, Auth: user},
		coolkey.ComputeCrypt{Op: coolkey.CryptOneStep, Location: 1, Data: s, Auth: user},
		coolkey.ComputeCrypt{Op: coolkey.CryptFinal, Location: 1, Data: s},
		coolkey.ImportKey{Auth: user},
		coolkey.StartEnrollment{Challenge: s},
		coolkey.ImportEncryptedKey{WrappedKey: s, Check: []byte{1, 2, 3}, IV: make([]byte, 8)},
		coolkey.SeedRandom{Seed: s},
	}
}

func TestSecretsStayHidden(t *testing.T) {
	const half = 8
	for _, x := range secretCommands() {
		c := x.Command()
		for _, variant := range variants(t, c) {
			for _, o := range everyOption() {
				l := decode.Command(variant, o)
				text := l.String() + " " + l.Hex
				for i := 0; i+half <= len(secret); i += half {
					part := secret[i : i+half]
					require.NotContains(t, text, part, "%T", x)
					require.NotContains(t, text, strings.ToUpper(hex.EncodeToString([]byte(part))),
						"%T as %X with %+v", x, variant, o)
				}
			}
		}
	}
}

// variants are the command as it is, with a MAC behind, with its end cut off, and in class 84.
func variants(t *testing.T, c apdu.Command) [][]byte {
	t.Helper()
	var out [][]byte
	add := func(c apdu.Command) {
		b, err := c.Bytes()
		require.NoError(t, err)
		out = append(out, b)
	}
	for _, cla := range []byte{c.CLA, apdu.WithSecure(c.CLA, true)} {
		c.CLA = cla
		add(c)
		wrapped := c
		wrapped.Data = append(append([]byte(nil), c.Data...), make([]byte, 8)...)
		add(wrapped)
		cut := c
		cut.Data = c.Data[:len(c.Data)-1]
		add(cut)
		b, err := c.Bytes()
		require.NoError(t, err)
		out = append(out, append(b, 0xAA, 0xBB)) // lengths that do not add up
	}
	return out
}

func everyOption() []decode.Options {
	var out []decode.Options
	for _, target := range []decode.Target{
		decode.TargetUnknown, decode.TargetISD, decode.TargetCoolKey,
	} {
		for _, level := range []byte{0, 1, 3, 0x33} {
			for _, unwrapped := range []bool{false, true} {
				out = append(out, decode.Options{Target: target, Level: level, Unwrapped: unwrapped})
			}
		}
	}
	return out
}

func TestSecretAnswersStayHidden(t *testing.T) {
	read := func(id coolkey.ObjectID) commander { return coolkey.ReadObject{ID: id} }
	for _, x := range []commander{
		coolkey.VerifyPIN{PIN: []byte("1234")}, coolkey.GetRandom{Ne: 16},
		read(coolkey.ObjectIO), read(coolkey.ObjectWrappedKey),
		coolkey.ComputeCrypt{Op: coolkey.CryptOneStep, Location: 1}, coolkey.ReadBuffer{},
		gp.GetData{Tag: 0x5FC1},
	} {
		cmd, err := x.Command().Bytes()
		require.NoError(t, err)
		for _, sw := range []string{"\x90\x00", "\x61\x10", "\x63\x10", "\x6A\x80"} {
			for _, o := range everyOption() {
				if o.Target == decode.TargetISD && x.Command().CLA != coolkey.CLAUser {
					continue // an applet's command that is not the applet's
				}
				l := decode.Response(cmd, []byte(secret+sw), o)
				require.NotContains(t, l.String(), secret[:8])
				require.NotContains(t, l.Hex, strings.ToUpper(hex.EncodeToString([]byte(secret[:8]))),
					"%T %X", x, sw)
			}
		}
	}
}

func TestTracker(t *testing.T) {
	var tr decode.Tracker
	say := func(cmd, resp string) (string, string) {
		return tr.Command(fixLc(unhex(t, cmd))).String(), tr.Response(unhex(t, resp)).String()
	}
	say("00A4040007627601FF000000", "9000")
	require.Equal(t, decode.TargetCoolKey, tr.Options().Target)
	cmd, _ := say("84F00F00", "9000")
	require.Equal(t, "SET LIFECYCLE: state PERSONALIZED", cmd)

	say("00A4040008A000000003000000", "6A82")
	require.Equal(t, decode.TargetCoolKey, tr.Options().Target, "a failed SELECT selects nothing")
	say("00A4040000", "6110")
	require.Equal(t, decode.TargetISD, tr.Options().Target)
	_, resp := say("00C0000010", "6F0A8408A0000000030000009000")
	require.Equal(t, "9000 success: AID A000000003000000 (issuer security domain)", resp)

	say("8050000008DE66F8F606FC6B4B",
		"40906155760102030405010200018C3068A8F6478962EE339126798F9000")
	say("8482030010589FAB21AF5F09FBF53D9E3D7453592F", "9000")
	require.Equal(t, byte(3), tr.Options().Level)
	cmd, resp = say("84F2400210CDA18B342F9D6AB0BADF2B60588ECB8D00",
		"E3124F07627601FF0000009F700107C5030000009000")
	require.Equal(t, "GET STATUS: encrypted data (8 bytes), MAC BADF2B60588ECB8D", cmd)
	require.Equal(t, "9000 success: entry 627601FF000000 (CoolKey applet) SELECTABLE", resp)

	say("8050000008DE66F8F606FC6B4B",
		"40906155760102030405010200018C3068A8F6478962EE339126798F9000")
	require.Zero(t, tr.Options().Level, "a new handshake ends the channel")
	tr.Reset()
	require.Equal(t, decode.Options{}, tr.Options())
}

func FuzzDecode(f *testing.F) {
	for _, x := range secretCommands() {
		b, err := x.Command().Bytes()
		require.NoError(f, err)
		f.Add(b, []byte{0x01, 0x02, 0x90, 0x00}, byte(0))
	}
	f.Add(unhex(f, "80CA9F7F2D"), append(gp.CPLC{}.Bytes(), 0x90, 0x00), byte(0))
	f.Fuzz(func(t *testing.T, cmd, resp []byte, level byte) {
		for target := decode.TargetUnknown; target <= decode.TargetCoolKey; target++ {
			o := decode.Options{Target: target, Level: level, Unwrapped: level&0x80 != 0}
			for _, l := range []struct {
				line decode.Line
				b    []byte
			}{
				{decode.Command(cmd, o), cmd}, {decode.Response(cmd, resp, o), resp},
			} {
				checkLine(t, l.line, l.b)
			}
		}
		var tr decode.Tracker
		tr.Command(cmd)
		tr.Response(resp)
	})
}

// checkLine checks that the hex has two characters for each byte, its own or asterisks, and that
// the text is printable.
func checkLine(t *testing.T, l decode.Line, b []byte) {
	t.Helper()
	if len(l.Hex) != 2*len(b) {
		t.Fatalf("%d characters for %d bytes", len(l.Hex), len(b))
	}
	for i, x := range b {
		if two := l.Hex[2*i : 2*i+2]; two != "**" && two != fmt.Sprintf("%02X", x) {
			t.Fatalf("byte %d is %02X, shown as %s", i, x, two)
		}
	}
	for _, r := range l.String() {
		if r < ' ' || r > '~' {
			t.Fatalf("unprintable text %q", l.String())
		}
	}
}
