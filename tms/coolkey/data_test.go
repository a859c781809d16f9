package coolkey_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey"
)

// Answers of the applet, build 58755637.
func TestStatus(t *testing.T) {
	b := unhex(t, "0101 0104 00001388 00001386 00 00 0000")
	s, err := coolkey.ParseStatus(b)
	require.NoError(t, err)
	require.Equal(t, coolkey.Status{
		ProtocolMajor: 1, ProtocolMinor: 1, AppletMajor: 1, AppletMinor: 4,
		TotalMemory: 5000, FreeMemory: 4998,
	}, s)
	require.Equal(t, b, s.Bytes())

	v, err := coolkey.ParseVersion(unhex(t, "58768072"))
	require.NoError(t, err)
	require.Equal(t, "1.4.58768072", s.VersionText(v))
	require.Equal(t, unhex(t, "58768072"), v.Bytes())
	require.Equal(t, "00000001", coolkey.Version(1).String())
	require.Equal(t, "1.5.65cbf5a6",
		coolkey.Status{AppletMajor: 1, AppletMinor: 5}.VersionText(0x65CBF5A6))

	_, err = coolkey.ParseStatus(b[:15])
	require.ErrorIs(t, err, coolkey.ErrLength)
	_, err = coolkey.ParseVersion(b[:5])
	require.ErrorIs(t, err, coolkey.ErrLength)
}

func TestLifeCycle(t *testing.T) {
	l, err := coolkey.ParseLifeCycle(unhex(t, "0F010101"))
	require.NoError(t, err)
	require.Equal(t, coolkey.StatePersonalized, l.State)
	require.Equal(t, byte(coolkey.FlagPIN), l.Flags)
	require.Equal(t, unhex(t, "0F010101"), l.Bytes())
	l, err = coolkey.ParseLifeCycle([]byte{0x07})
	require.NoError(t, err)
	require.False(t, l.Long)
	require.Equal(t, []byte{0x07}, l.Bytes())
	_, err = coolkey.ParseLifeCycle([]byte{7, 0})
	require.ErrorIs(t, err, coolkey.ErrLength)
}

func TestRecords(t *testing.T) {
	b := unhex(t, "0803 09 0400 0000 4000 0001")
	k, err := coolkey.ParseKeyRecord(b)
	require.NoError(t, err)
	require.Equal(t, coolkey.KeyRecord{
		Slot: 8, Type: coolkey.KeyRSAPrivateCRT, Mate: 9, Bits: 1024,
		ACL: coolkey.KeyACL{Write: coolkey.ACLRA, Use: coolkey.ACLPIN0},
	}, k)
	require.Equal(t, b, k.Bytes())

	b = unhex(t, "7A300000 00000400 FFFF 4000 4000")
	o, err := coolkey.ParseObjectInfo(b)
	require.NoError(t, err)
	require.Equal(t, coolkey.ObjectCombined, o.ID)
	require.EqualValues(t, 1024, o.Size)
	require.Equal(t, "read anyone; write RA; delete RA", o.ACL.String())
	require.Equal(t, b, o.Bytes())

	a, err := coolkey.ParseBuiltinACL(unhex(t, "40004000400000"))
	require.NoError(t, err)
	require.Equal(t, coolkey.DefaultBuiltinACL, a)
	require.Equal(t, unhex(t, "40004000400000"), a.Bytes())

	m, err := coolkey.ParsePINMask(unhex(t, "0081"))
	require.NoError(t, err)
	require.True(t, m.Has(0))
	require.True(t, m.Has(7))
	require.False(t, m.Has(1))
	require.False(t, m.Has(200))
	require.Equal(t, unhex(t, "0081"), m.Bytes())

	n, err := coolkey.ParseNonce(unhex(t, "0102030405060708"))
	require.NoError(t, err)
	require.False(t, n.IsZero())
	_, err = coolkey.ParseNonce(nil)
	require.ErrorIs(t, err, coolkey.ErrLength)
}

func TestACL(t *testing.T) {
	require.True(t, coolkey.ACLAnyone.Grants(coolkey.ACLAnonymous))
	require.False(t, coolkey.ACLNobody.Grants(coolkey.ACLAnyone))
	require.False(t, coolkey.ACLPIN0.Grants(coolkey.ACLRA))
	require.Equal(t, "PIN 0, PIN 7, RA, anonymous, 0100", coolkey.ACL(0xC181).String())
	require.Equal(t, "nobody", coolkey.ACLNobody.String())
}

func TestObjectID(t *testing.T) {
	require.True(t, coolkey.ObjectID(0xFFFFFFFE).IsIO())
	require.True(t, coolkey.ObjectIO.IsIO())
	require.False(t, coolkey.ObjectWrappedKey.IsIO())
	require.Equal(t, "7A300000 (z0)", coolkey.ObjectCombined.String())
	require.Equal(t, "63300000 (c0)", coolkey.ObjectID(0x63300000).String())
	require.Equal(t, "01020000", coolkey.ObjectID(0x01020000).String())
}

// What the applet does with each C9 value was observed on the real one.
func TestInstallParams(t *testing.T) {
	for _, tc := range []struct {
		hex    string
		heap   int
		issuer string
		change bool
	}{
		{"", 5000, "", false},
		{"00", 5000, "", false},
		{"00021000", 0x1000, "", false},
		{"0002100001", 0x1000, "", false},
		{"05687474703A0210000101", 0x1000, "http:", true},
		{"000213880101", 5000, "", true},
		{"0002138802FE01", 5000, "", false},
		{"0001FF", 5000, "", false},
		{"0004000010000101", 5000, "", true},
		{"00028000", 5000, "", false},
		{"00020000", 5000, "", false},
		{"0A0102", 5000, "", false},
		{"E1" + "00", 5000, "", false},
	} {
		b := unhex(t, tc.hex)
		p := coolkey.ParseInstallParams(b)
		require.Equal(t, tc.heap, p.Heap(), tc.hex)
		require.Equal(t, tc.issuer, coolkey.IssuerText(p.Issuer), tc.hex)
		require.Equal(t, tc.change, p.ACLChange(), tc.hex)
		require.True(t, bytes.Equal(b, p.Bytes()), "%s became %X", tc.hex, p.Bytes())
	}
	require.Equal(t, unhex(t, "00021388"), coolkey.InstallParams{Memory: 5000}.Bytes())
	require.Equal(t, unhex(t, "0161021388"+"0101"),
		coolkey.InstallParams{Issuer: []byte("a"), Memory: 5000, Options: []byte{1}}.Bytes())
}

func FuzzData(f *testing.F) {
	for _, s := range []string{
		"01010104000013880000138600000000", "0F010101", "0803090400000040000001",
		"7A30000000000400FFFF40004000", "40004000400000", "05687474703A0210000101", "0081",
	} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(name string, out []byte, err error) {
			if err == nil && !bytes.Equal(out, b) {
				t.Fatalf("%s: %X became %X", name, b, out)
			}
		}
		status, err := coolkey.ParseStatus(b)
		check("status", status.Bytes(), err)
		version, err := coolkey.ParseVersion(b)
		check("version", version.Bytes(), err)
		life, err := coolkey.ParseLifeCycle(b)
		check("life cycle", life.Bytes(), err)
		object, err := coolkey.ParseObjectInfo(b)
		check("object info", object.Bytes(), err)
		key, err := coolkey.ParseKeyRecord(b)
		check("key record", key.Bytes(), err)
		acl, err := coolkey.ParseBuiltinACL(b)
		check("built-in acl", acl.Bytes(), err)
		pins, err := coolkey.ParsePINMask(b)
		check("pin mask", pins.Bytes(), err)
		check("install parameters", coolkey.ParseInstallParams(b).Bytes(), nil)
	})
}
