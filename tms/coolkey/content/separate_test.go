package content_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
)

// two is a content with an RSA key for signing and one on a curve for encryption.
func two(t testing.TB) (c content.Content, rsaKey *rsa.PrivateKey) {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	c.Certificates = []content.Certificate{
		content.NewCertificate(1, "signing key for alice", certified(t, rsaKey)),
		content.NewCertificate(2, "encryption key for alice", certified(t, ecKey)),
	}
	one, err := content.NewPair(1, content.PairSlots(1), rsaKey.Public(), content.SigningPublic,
		content.SigningPrivate)
	require.NoError(t, err)
	other, err := content.NewPair(2, content.PairSlots(2), ecKey.Public(), content.EncryptionPublic,
		content.AgreementPrivate)
	require.NoError(t, err)
	c.Keys = append(one, other...)
	return c, rsaKey
}

func TestSeparate(t *testing.T) {
	c, key := two(t)
	stored, err := c.Separate()
	require.NoError(t, err)
	ids := ""
	for _, s := range stored {
		ids += fmt.Sprintf("%v ", s.ID)
	}
	require.Equal(t, "43310000 (C1) 63310000 (c1) 6B330000 (k3) 6B320000 (k2) "+
		"43320000 (C2) 63320000 (c2) 6B350000 (k5) 6B340000 (k4) ", ids)
	require.Equal(t, c.Certificates[0].DER, stored[0].Data)

	cert, err := x509.ParseCertificate(c.Certificates[0].DER)
	require.NoError(t, err)
	id := fmt.Sprintf("%x", sha1.Sum(cert.RawSubjectPublicKeyInfo))
	label := hex.EncodeToString([]byte("signing key for alice"))
	require.Equal(t, "00"+"63310000"+"0050"+"000000030015"+label+"000001020014"+id+
		"00000080000400000000"+"00000000000401000000"+"00000001000101",
		hex.EncodeToString(stored[1].Data))
	modulus := hex.EncodeToString(key.N.Bytes())
	booleans := func(set string) string {
		order := strings.Fields("104 108 109 105 10c 107 106 10b 10a 103 002 001")
		var out string
		for i, v := range strings.Split(set, "") {
			out += "00000" + order[i] + "00010" + v
		}
		return out
	}
	require.Equal(t, "00"+"6b320000"+"0108"+"000001200080"+modulus+"00000100000400000000"+
		"00000000000403000000"+"000001020014"+id+booleans("011000000111"),
		hex.EncodeToString(stored[3].Data), "as TPSs write private keys")
	require.Equal(t, "00"+"6b330000"+"0107"+"000001220003010001"+"000001200080"+modulus+
		"000001020014"+id+"00000000000402000000"+booleans("000000011001"),
		hex.EncodeToString(stored[2].Data))

	back, err := content.ParseSeparate(stored)
	require.NoError(t, err)
	require.Equal(t, c.Certificates, back.Certificates)
	require.Len(t, back.Keys, 4)
	for i, k := range back.Keys {
		require.Equal(t, c.Keys[i].Slot, k.Slot)
		require.Equal(t, c.Keys[i].Fixed, k.Fixed)
		require.Equal(t, c.Keys[i].Type, k.Type)
		require.Equal(t, c.Keys[i].ECParams, k.ECParams)
		require.Empty(t, k.Extra)
	}
	require.Equal(t, key.N.Bytes(), back.Keys[0].Modulus)
	require.Equal(t, c.Keys[2].ECPoint, back.Keys[2].ECPoint)
	require.Equal(t, c.Pairs(), back.Pairs())
	again, err := back.Separate()
	require.NoError(t, err)
	require.Equal(t, stored, again)
	_, err = back.Combined(content.Options{})
	require.NoError(t, err, "old tokens can be given the new form")
}

func TestParseSeparateReadsWhatOthersWrote(t *testing.T) {
	c, _ := two(t)
	stored, err := c.Separate()
	require.NoError(t, err)
	want, err := content.ParseSeparate(stored)
	require.NoError(t, err)

	t.Run("integers big endian", func(t *testing.T) {
		for _, le := range []string{"00000000000401000000", "00000000000402000000",
			"00000000000403000000", "00000100000403000000"} {
			be := le[:12] + "000000" + le[12:14]
			for i := range stored {
				stored[i].Data = bytes.Replace(stored[i].Data, unhex(t, le), unhex(t, be), 1)
			}
		}
		got, err := content.ParseSeparate(stored)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
	t.Run("records of version 1 and another order", func(t *testing.T) {
		combined, err := c.Combined(content.Options{Plain: true, Exact: true})
		require.NoError(t, err)
		// The certificate's object begins behind header and empty token name.
		first := combined[content.HeaderLen+5:]
		size := bytes.Index(first, []byte("k3\x00\x00"))
		got, err := content.ParseSeparate([]content.Stored{
			stored[3], {ID: 0x63310000, Data: append([]byte{1}, first[:size]...)}, stored[2],
			{ID: 0x7A300000, Data: []byte("not looked at")}, {ID: 0x43390000}, {ID: 0x12345678},
		})
		require.NoError(t, err)
		require.Equal(t, c.Certificates[:1], got.Certificates)
		require.Len(t, got.Keys, 2)
		require.Equal(t, 1, got.Keys[0].Fixed.ID(), "by slot, as the record has no CKA_ID")
	})
	t.Run("data objects", func(t *testing.T) {
		data := content.Stored{ID: 0x64310000, Data: unhex(t, "00 64310000 0007 00000011 0001 AA")}
		got, err := content.ParseSeparate([]content.Stored{data})
		require.NoError(t, err)
		require.Len(t, got.Others, 1)
		back, err := got.Separate()
		require.NoError(t, err)
		require.Equal(t, []content.Stored{data}, back)
	})
}

func TestParseSeparateRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		id   uint32
		data string
	}{
		"empty":                {0x63310000, ""},
		"record version 2":     {0x63310000, "02"},
		"head cut short":       {0x63310000, "00633100000"[:10]},
		"another object":       {0x63310000, "00 63320000 0000"},
		"too few bytes":        {0x63310000, "00 63310000 0001"},
		"too many bytes":       {0x63310000, "00 63310000 0000 00"},
		"attribute cut short":  {0x63310000, "00 63310000 0003 000000"},
		"length cut short":     {0x63310000, "00 63310000 0005 0000000300"},
		"value past the end":   {0x63310000, "00 63310000 0006 00000003 0001"},
		"no certificate":       {0x63310000, "00 63310000 0006 00000003 0000"},
		"certificate of a key": {0x63310000, "00 63310000 0011 00000000 0004 02000000 00000011 0001 30"},
		"key of data":          {0x6B310000, "00 6B310000 000A 00000000 0004 00000000"},
		"container 16":         {0x63470000, "00 63470000 0007 00000011 0001 30"},
		"slot 24":              {0x6B4F0000, "00 6B4F0000 000A 00000000 0004 02000000"},
		"object of another":    {0x63310000, "01 63320000 00000091 0000"},
		"bytes behind":         {0x63310000, "01 63310000 00000091 0000 00"},
	} {
		stored := content.Stored{ID: coolkey.ObjectID(tt.id), Data: unhex(t, tt.data)}
		_, err := content.ParseSeparate([]content.Stored{stored})
		require.Error(t, err, name)
	}
	_, err := content.ParseSeparate([]content.Stored{{ID: 1}, {ID: 1}})
	require.ErrorIs(t, err, content.ErrForm)
	_, err = content.ParseSeparate(make([]content.Stored, 101))
	require.ErrorIs(t, err, content.ErrTooLarge)

	c := alice()
	_, err = c.Separate()
	require.ErrorIs(t, err, content.ErrValue, "its certificate is none")
	c.Certificates = nil
	_, err = c.Separate()
	require.ErrorIs(t, err, content.ErrValue, "its keys have no certificate")
}

func FuzzSeparate(f *testing.F) {
	c, _ := two(f)
	stored, err := c.Separate()
	require.NoError(f, err)
	f.Add(uint32(stored[1].ID), stored[1].Data, stored[0].Data)
	f.Add(uint32(stored[3].ID), stored[3].Data, []byte{})
	f.Add(uint32(0x64310000), []byte{0, 0x64, 0x31, 0, 0, 0, 7, 0, 0, 0, 0x11, 0, 1, 0xAA}, []byte{})
	f.Add(uint32(0x63310000), []byte{1, 0x63, 0x31, 0, 0, 0, 0, 0, 0x91, 0, 0}, []byte{0x30})
	f.Fuzz(func(t *testing.T, id uint32, record, der []byte) {
		objects := []content.Stored{{ID: coolkey.ObjectID(id), Data: record}}
		if raw := coolkey.ObjectID('C')<<24 | coolkey.ObjectID(id&0x00FFFFFF); raw != objects[0].ID {
			objects = append(objects, content.Stored{ID: raw, Data: der})
		}
		c, err := content.ParseSeparate(objects)
		if err != nil {
			return
		}
		printed, err := c.Combined(content.Options{})
		if err != nil {
			require.ErrorIs(t, err, content.ErrTooLarge)
			return
		}
		back, err := content.ParseCombined(printed)
		require.NoError(t, err)
		again, err := back.Combined(content.Options{})
		require.NoError(t, err)
		require.Equal(t, printed, again)
	})
}
