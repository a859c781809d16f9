package gp_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
)

const cplcHex = "9F7F2A" + "4090" + "6155" + "0001" + "0002" + "0003" + "0004" + "2419302B" +
	"C762" + "0005" + "0006" + "0007" + "0008" + "0009" + "000A" + "0000000B" + "000C" + "000D" +
	"01020304"

func TestCPLC(t *testing.T) {
	b := unhex(t, cplcHex)
	c, err := gp.ParseCPLC(b)
	require.NoError(t, err)
	require.Equal(t, "40906155C7622419302B", c.CUID().String())
	require.Equal(t, [4]byte{1, 2, 3, 4}, c.MSN())
	require.Equal(t, b, c.Bytes())

	// The identifiers are cut from fixed places, whatever the fields are called.
	var want keys.CUID
	copy(want[:], b[3:7])
	copy(want[4:], b[19:21])
	copy(want[6:], b[15:19])
	require.Equal(t, want, c.CUID())
	msn := c.MSN()
	require.Equal(t, b[41:45], msn[:])

	var total int
	for _, f := range c.Fields() {
		require.NotEmpty(t, f.Name)
		total += len(f.Value)
	}
	require.Equal(t, 42, total)
	require.Len(t, c.Fields(), 18)

	bare, err := gp.ParseCPLC(b[3:])
	require.NoError(t, err)
	require.Equal(t, b[3:], bare.Bytes())

	var made gp.CPLC
	made.SetCUID(want)
	require.Equal(t, want, made.CUID())

	for _, bad := range [][]byte{nil, b[:44], append(bytes.Clone(b), 0), unhex(t, "9F7E"+cplcHex[4:]),
		unhex(t, "9F7F2B"+cplcHex[6:])} {
		_, err := gp.ParseCPLC(bad)
		require.ErrorIs(t, err, gp.ErrData)
	}
}

func TestCardRecognitionData(t *testing.T) {
	const (
		marker = "06072A864886FC6B01"
		v211   = "600C060A2A864886FC6B02020101"
		scheme = "630906072A864886FC6B03"
		scp02  = "640B06092A864886FC6B040215"
		scp03  = "640B06092A864886FC6B040370"
	)
	wrap := func(body string) string { return nest("66", nest("73", body)) }
	for _, tc := range []struct {
		name, hex string
		version   string
		protocols []gp.Protocol
	}{
		{"usual", wrap(marker + v211 + scheme + scp02), "2.1.1", []gp.Protocol{{SCP: 2, I: 0x15}}},
		{"two protocols", wrap(marker + v211 + scheme + scp02 + scp03), "2.1.1",
			[]gp.Protocol{{SCP: 2, I: 0x15}, {SCP: 3, I: 0x70}}},
		{"two in one", wrap(marker + "6416" + scp02[4:] + scp03[4:]), "unknown",
			[]gp.Protocol{{SCP: 2, I: 0x15}, {SCP: 3, I: 0x70}}},
		{"value alone", wrap(marker + v211 + scheme + scp03)[4:], "2.1.1",
			[]gp.Protocol{{SCP: 3, I: 0x70}}},
		{"nested in itself", nest("66", wrap(marker+v211+scheme+scp02)), "2.1.1",
			[]gp.Protocol{{SCP: 2, I: 0x15}}},
		{"i over 7F", wrap(marker + "640C060A2A864886FC6B04028155"), "unknown",
			[]gp.Protocol{{SCP: 2, I: 0xD5}}},
		{"bytes behind", wrap(marker+scp02) + "0000", "unknown", []gp.Protocol{{SCP: 2, I: 0x15}}},
		{"no protocol", wrap(marker), "unknown", nil},
	} {
		b := unhex(t, tc.hex)
		d, err := gp.ParseCardRecognitionData(b)
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.version, d.VersionString(), tc.name)
		require.Equal(t, tc.protocols, d.Protocols, tc.name)
		require.Equal(t, b, d.Bytes(), tc.name)
	}
	for _, s := range []string{"", "66", "6600", "6602C900", "660906072A864886FC7B01", "66207300"} {
		_, err := gp.ParseCardRecognitionData(unhex(t, s))
		require.ErrorIs(t, err, gp.ErrData, s)
	}
}

func TestCardRecognitionDataMade(t *testing.T) {
	d := gp.CardRecognitionData{
		Version: []byte{2, 1, 1}, Protocols: []gp.Protocol{{SCP: 2, I: 0x15}, {SCP: 3, I: 0x90}},
		Chip: []byte{0x06, 0x01, 0x2A},
	}
	back, err := gp.ParseCardRecognitionData(d.Bytes())
	require.NoError(t, err)
	require.Equal(t, d, back)
	p, ok := back.Protocol(3)
	require.True(t, ok)
	require.Equal(t, "SCP03 i=90", p.String())
	_, ok = back.Protocol(1)
	require.False(t, ok)
}

// nest puts a tag and a length in front of hex digits.
func nest(tag, body string) string { return fmt.Sprintf("%s%02X%s", tag, len(body)/2, body) }

func TestKeyInformation(t *testing.T) {
	for _, tc := range []struct {
		name, hex string
		want      []gp.KeyElement
	}{
		{"des", "E012 C00401FF8010 C00402FF8010 C00403FF8010", []gp.KeyElement{
			{KeyID: 1, KVN: 0xFF, Components: []gp.KeyComponent{{Type: gp.KeyDES, Len: 16}}},
			{KeyID: 2, KVN: 0xFF, Components: []gp.KeyComponent{{Type: gp.KeyDES, Len: 16}}},
			{KeyID: 3, KVN: 0xFF, Components: []gp.KeyComponent{{Type: gp.KeyDES, Len: 16}}},
		}},
		{"extended", "E00C C00A 0101 FF880020 0118 0114",
			[]gp.KeyElement{{
				KeyID: 1, KVN: 1, Extended: true, Usage: []byte{0x18}, Access: []byte{0x14},
				Components: []gp.KeyComponent{{Type: gp.KeyAES, Len: 32}},
			}}},
		{"mixed", "E010 C00401018810 C008 0201 FF880020 0000",
			[]gp.KeyElement{
				{KeyID: 1, KVN: 1, Components: []gp.KeyComponent{{Type: gp.KeyAES, Len: 16}}},
				{KeyID: 2, KVN: 1, Extended: true,
					Components: []gp.KeyComponent{{Type: gp.KeyAES, Len: 32}}},
			}},
		{"rsa", "E008 C006 7001 A180 A003", []gp.KeyElement{{
			KeyID: 0x70, KVN: 1,
			Components: []gp.KeyComponent{{Type: 0xA1, Len: 0x80}, {Type: 0xA0, Len: 3}},
		}}},
		{"without outer tag", "C00401018010", []gp.KeyElement{
			{KeyID: 1, KVN: 1, Components: []gp.KeyComponent{{Type: gp.KeyDES, Len: 16}}},
		}},
		{"odd elements", "E00B C000 C00101 C00401018010", []gp.KeyElement{
			{KeyID: 1, KVN: 1, Components: []gp.KeyComponent{{Type: gp.KeyDES, Len: 16}}},
		}},
		{"no keys", "E000", nil},
	} {
		b := unhex(t, tc.hex)
		k, err := gp.ParseKeyInformationTemplate(b)
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.want, k.Keys, tc.name)
		require.Equal(t, b, k.Bytes(), tc.name)
	}
	_, err := gp.ParseKeyInformationTemplate(unhex(t, "E005C0040101"))
	require.ErrorIs(t, err, gp.ErrData)
}

func TestKeyInformationVersion(t *testing.T) {
	k := gp.KeyInformationTemplate{Keys: []gp.KeyElement{
		{KeyID: 1, KVN: 1, Components: []gp.KeyComponent{{Type: gp.KeyAES, Len: 16}}},
		{KeyID: 1, KVN: 2, Components: []gp.KeyComponent{{Type: gp.KeyDES, Len: 16}}},
	}}
	require.Len(t, k.Version(2), 1)
	require.True(t, k.Keys[0].IsAES())
	require.False(t, k.Keys[1].IsAES())
	require.Equal(t, "E00CC00401018810C00401028010", strings.ToUpper(hex.EncodeToString(k.Bytes())))
}

// Answers recorded from a card manager under GPShell and GlobalPlatformPro.
func TestRegistry(t *testing.T) {
	for _, tc := range []struct {
		hex, aid string
		state    byte
		priv     gp.Privilege
		modules  int
	}{
		{"E3134F08A0000000030000009F70010FC5039EFE80", "A000000003000000", 0x0F, 0x9EFE80, 0},
		{"E3124F07627601FF0000009F700107C503000000", "627601FF000000", 0x07, 0, 0},
		{"E30C4F06627601FF00009F700101", "627601FF0000", 0x01, 0, 0},
		{"E3154F06627601FF00009F7001018407627601FF000000", "627601FF0000", 0x01, 0, 1},
		{"E3159F7001014F06627601FF00008407627601FF000000", "627601FF0000", 0x01, 0, 1},
		{"E3164F08A0000000030000009F70020F00C50180CE020102", "A000000003000000", 0x0F, 0x800000, 0},
	} {
		b := unhex(t, tc.hex)
		r, err := gp.ParseRegistry(b)
		require.NoError(t, err, tc.hex)
		require.Len(t, r, 1)
		require.Equal(t, tc.aid, r[0].AID.String())
		require.Equal(t, tc.state, r[0].LifeCycle)
		require.Equal(t, tc.priv, r[0].Privileges.Mask())
		require.Len(t, r[0].Modules, tc.modules)
		require.Equal(t, b, r.Bytes())
	}
	for _, s := range []string{"E300", "4F00", "E3074F0512345678", "E3044F02A000"} {
		_, err := gp.ParseRegistry(unhex(t, s))
		require.ErrorIs(t, err, gp.ErrData, s)
	}
}

func TestRegistryOld(t *testing.T) {
	b := unhex(t, "07627601FF0000000700"+"08A0000000030000000F9E")
	r, err := gp.ParseRegistryOld(b, false)
	require.NoError(t, err)
	require.Len(t, r, 2)
	require.Equal(t, b, r.BytesOld(false))
	e, ok := r.Find(gp.AIDISDVisa)
	require.True(t, ok)
	require.True(t, e.Privileges.Has(gp.PrivSecurityDomain))
	require.False(t, e.Privileges.Has(gp.PrivDelegatedManagement))

	b = unhex(t, "06627601FF000001000107627601FF000000")
	r, err = gp.ParseRegistryOld(b, true)
	require.NoError(t, err)
	require.Equal(t, "627601FF000000", r[0].Modules[0].String())
	require.Equal(t, b, r.BytesOld(true))
	_, err = gp.ParseRegistryOld(b[:len(b)-1], true)
	require.ErrorIs(t, err, gp.ErrData)
	_, err = gp.ParseRegistryOld(unhex(t, "04627601FF0100"), false)
	require.ErrorIs(t, err, gp.ErrData)
}

func TestFCI(t *testing.T) {
	b := unhex(t, "6F108408A000000003000000A5049F6501FF")
	f, err := gp.ParseFCI(b)
	require.NoError(t, err)
	require.True(t, f.AID.Equal(gp.AIDISDVisa))
	require.Equal(t, []byte{0xFF}, f.MaxData)
	require.Equal(t, b, f.Bytes())

	made := gp.FCI{AID: gp.AIDISDGlobal, MaxData: []byte{0x00, 0xFF}, Production: []byte{1, 2}}
	back, err := gp.ParseFCI(made.Bytes())
	require.NoError(t, err)
	require.Equal(t, made, back)

	odd := unhex(t, "6F81128408A0000000030000008701AAA5039F6500")
	f, err = gp.ParseFCI(odd)
	require.NoError(t, err)
	require.Equal(t, odd, f.Bytes())

	for _, s := range []string{"", "6F028403", "8400", "6F0484020102", "6F0000"} {
		_, err := gp.ParseFCI(unhex(t, s))
		require.ErrorIs(t, err, gp.ErrData, s)
	}
}

func TestPutKeyResponse(t *testing.T) {
	b := unhex(t, "028BAF478BAF478BAF47")
	r, err := gp.ParsePutKeyResponse(b)
	require.NoError(t, err)
	require.Equal(t, keys.KVN(2), r.KVN)
	require.Equal(t, []keys.KCV{{0x8B, 0xAF, 0x47}, {0x8B, 0xAF, 0x47}, {0x8B, 0xAF, 0x47}}, r.KCVs)
	require.Equal(t, b, r.Bytes())
	for _, s := range []string{"", "0201", "02010203" + "04"} {
		_, err := gp.ParsePutKeyResponse(unhex(t, s))
		require.ErrorIs(t, err, gp.ErrData)
	}
}

func FuzzData(f *testing.F) {
	for _, s := range []string{
		cplcHex, "E012C00401FF8010C00402FF8010C00403FF8010", "E00CC00A0101FF88002001180114",
		"663F733D06072A864886FC6B01600C060A2A864886FC6B02020101630906072A864886FC6B03" +
			"640B06092A864886FC6B040215640B06092A864886FC6B040370",
		"E3154F06627601FF00009F7001018407627601FF000000", "07627601FF0000000700",
		"06627601FF000001000107627601FF000000", "6F108408A000000003000000A5049F6501FF",
		"028BAF478BAF478BAF47", "40906155760102030405010200018C3068A8F6478962EE339126798F",
	} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(name string, out []byte, err error) {
			if err == nil && !bytes.Equal(out, b) {
				t.Fatalf("%s: %X became %X", name, b, out)
			}
		}
		cplc, err := gp.ParseCPLC(b)
		check("cplc", cplc.Bytes(), err)
		crd, err := gp.ParseCardRecognitionData(b)
		check("card recognition data", crd.Bytes(), err)
		kit, err := gp.ParseKeyInformationTemplate(b)
		check("key information", kit.Bytes(), err)
		reg, err := gp.ParseRegistry(b)
		check("registry", reg.Bytes(), err)
		old, err := gp.ParseRegistryOld(b, false)
		check("old registry", old.BytesOld(false), err)
		old, err = gp.ParseRegistryOld(b, true)
		check("old registry with modules", old.BytesOld(true), err)
		fci, err := gp.ParseFCI(b)
		check("fci", fci.Bytes(), err)
		put, err := gp.ParsePutKeyResponse(b)
		check("put key answer", put.Bytes(), err)
		init, err := gp.ParseInitializeUpdateResponse(b)
		check("initialize update answer", init.Bytes(), err)
		set, err := gp.ParseKeySetData(b)
		check("key set data", set.Bytes(), err)
		_, _ = gp.InstallParams(b).App()
	})
}
