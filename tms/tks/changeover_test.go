package tks

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

const (
	aes256  = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
	aes192  = "000102030405060708090A0B0C0D0E0F1011121314151617"
	someDEK = "11223344556677889900AABBCCDDEEFF"
)

// aesSet has AES developer keys of one length, all different, and a master used as it is.
func aesSet(t testing.TB, name string, n int) KeySetConfig {
	fill := func(b byte) Bytes {
		out := make(Bytes, n)
		for i := range out {
			out[i] = b + byte(i)
		}
		return out
	}
	return KeySetConfig{
		Name: name, Auth: fill(0x10), MAC: fill(0x40), KEK: fill(0x80),
		SCP03:    SCP03Config{kdf.None, kdf.None, keys.AES, keys.AES},
		Mappings: map[Slot]Mapping{{2, 1}: {Name: name + "-master"}},
	}
}

// TestChangeoverDataOpensUnderTheOldKeys takes the data apart with the old DEK and compares each
// key with the one that a later channel will be opened with.
func TestChangeoverDataOpensUnderTheOldKeys(t *testing.T) {
	sdek := key(t, keys.DES3, someDEK)
	des := distinct(t)
	des.Mappings = map[Slot]Mapping{{2, 1}: {Name: "des"}}
	emv := des
	emv.Name = "sce6"
	m := memory{
		"des":        key(t, keys.DES3, "0123456789ABCDEFFEDCBA9876543210"),
		"a16-master": key(t, keys.AES, someDEK),
		"a24-master": key(t, keys.AES, aes192), "a32-master": key(t, keys.AES, aes256),
	}
	s := newService(t, m, des, emv, aesSet(t, "a16", 16), aesSet(t, "a24", 24), aesSet(t, "a32", 32))
	tests := map[string]struct {
		set      string
		scp      byte
		old, new keys.KVN
	}{
		"scp01 to master":          {"jForte", 1, 0xFF, 2},
		"scp01 back to developer":  {"jForte", 1, 2, 1},
		"scp02 to master":          {"jForte", 2, 1, 2},
		"scp02 back to developer":  {"jForte", 2, 2, 1},
		"scp03 emv to master":      {"sce6", 3, 1, 2},
		"scp03 emv back":           {"sce6", 3, 2, 1},
		"scp03 aes-128 to master":  {"a16", 3, 1, 2},
		"scp03 aes-128 back":       {"a16", 3, 2, 1},
		"scp03 aes-192 to master":  {"a24", 3, 0xFF, 2},
		"scp03 aes-256 to master":  {"a32", 3, 0xFF, 2},
		"scp03 aes-256 back to it": {"a32", 3, 2, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id := connector.CardID{SCP: tt.scp, KDD: keys.KDD{1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
				CUID: keys.CUID{0xAA}, KeySet: tt.set,
				Info: keys.KeyInfo{KVN: tt.old, SCP: tt.scp, I: 0x70, HasI: tt.scp == 3}}
			req := connector.KeySetDataRequest{SCP: tt.scp, KDD: id.KDD, CUID: id.CUID,
				KeySet: tt.set, Info: id.Info, NewInfo: id.Info}
			req.NewInfo.KVN = tt.new
			if tt.scp == 2 {
				req.SDEK = sdek
			}
			res, err := s.CreateKeySetData(context.Background(), req)
			require.NoError(t, err)
			present, err := s.cardKeys(id)
			require.NoError(t, err)
			id.Info.KVN = tt.new
			want, err := s.cardKeys(id)
			require.NoError(t, err)
			kek := present.DEK.(keys.Key)
			if tt.scp == 2 {
				kek = sdek
			}
			got := openKeySetData(t, res.KeySetData, tt.scp, tt.new, kek)
			for i, k := range []kdf.Secret{want.ENC, want.MAC, want.DEK} {
				assert.True(t, k.(keys.Key).Equal(got[i]), "key %d", i+1)
			}
		})
	}
}

// openKeySetData reads a PUT KEY body by hand and checks every check value.
func openKeySetData(t *testing.T, b []byte, scp byte, kvn keys.KVN, kek keys.Key) (out []keys.Key) {
	t.Helper()
	_, err := gp.ParsePutKey(apdu.Command{CLA: 0x80, INS: 0xD8, P2: 0x81, Data: b, Ne: 256})
	require.NoError(t, err, "the data is no PUT KEY body to package gp")
	require.Equal(t, byte(kvn), b[0])
	b = b[1:]
	for range 3 {
		typ, n := b[0], int(b[1])
		body, rest := b[2:2+n], b[2+n:]
		keyLen, alg := 16, keys.DES3
		var plain []byte
		var err error
		switch scp {
		case 1:
			require.Equal(t, byte(0x81), typ)
			plain, err = kek.DecryptECB(body)
		case 2:
			require.Equal(t, byte(0x80), typ)
			plain, err = kek.DecryptECB(body)
		default:
			require.Equal(t, byte(0x88), typ)
			keyLen, alg = int(body[0]), keys.AES
			plain, err = kek.DecryptCBC(make([]byte, 16), body[1:])
		}
		require.NoError(t, err)
		k, err := keys.New(alg, plain[:keyLen])
		require.NoError(t, err)
		require.Equal(t, byte(3), rest[0])
		kcv := k.KCV()
		require.Equal(t, kcv[:], rest[1:4])
		out, b = append(out, k), rest[4:]
	}
	require.Empty(t, b)
	return out
}

func TestChangeoverInSCP02NeedsTheSessionDEK(t *testing.T) {
	s := newService(t, memory{}, distinct(t))
	_, err := s.CreateKeySetData(context.Background(), connector.KeySetDataRequest{
		KeySet: "jForte", Info: keys.KeyInfo{KVN: 0xFF, SCP: 2}, NewInfo: keys.KeyInfo{KVN: 1, SCP: 2},
	})
	require.ErrorIs(t, err, connector.ErrParameter)
}

func TestChangeoverFromAnotherKeySet(t *testing.T) {
	m := memory{"a16-master": key(t, keys.AES, someDEK), "a32-master": key(t, keys.AES, aes256)}
	s := newService(t, m, aesSet(t, "a16", 16), aesSet(t, "a32", 32))
	res, err := s.CreateKeySetData(context.Background(), connector.KeySetDataRequest{
		KeySet: "a32", OldKeySet: "a16", Info: keys.KeyInfo{KVN: 2, SCP: 3},
		NewInfo: keys.KeyInfo{KVN: 2, SCP: 3},
	})
	require.NoError(t, err)
	got := openKeySetData(t, res.KeySetData, 3, 2, key(t, keys.AES, someDEK))
	assert.True(t, key(t, keys.AES, aes256).Equal(got[0]))
}
