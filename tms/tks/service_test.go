package tks

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
)

// unhex reads hex with blanks.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func key(t testing.TB, alg keys.Algorithm, s string) keys.Key {
	t.Helper()
	k, err := keys.New(alg, unhex(t, s))
	require.NoError(t, err)
	return k
}

// memory is a home of master keys in memory.
type memory map[string]kdf.Secret

func (m memory) MasterKey(_ context.Context, name string) (kdf.Secret, error) {
	if k, ok := m[name]; ok {
		return k, nil
	}
	return nil, errors.New("not there")
}

func (m memory) Names(context.Context) ([]string, error) {
	var out []string
	for n := range m {
		out = append(out, n)
	}
	return out, nil
}

const (
	gpKey  = "404142434445464748494A4B4C4D4E4F"
	cuidA0 = "A00192030405060708C9"
)

// published is the key set of the published vectors: one key everywhere, as master too.
func published(t testing.TB) (KeySetConfig, memory) {
	k := unhex(t, gpKey)
	return KeySetConfig{
		Name: "defKeySet", Auth: k, MAC: k, KEK: k, SCP03: DefaultSCP03(),
		Mappings: map[Slot]Mapping{{2, 1}: {Name: "master"}},
	}, memory{"master": key(t, keys.DES3, gpKey)}
}

// distinct is a key set whose developer keys all differ.
func distinct(t testing.TB) KeySetConfig {
	return KeySetConfig{
		Name:  "jForte",
		Auth:  unhex(t, "303132333435363738393A3B3C3D3E3F"),
		MAC:   unhex(t, gpKey),
		KEK:   unhex(t, "505152535455565758595A5B5C5D5E5F"),
		SCP03: DefaultSCP03(),
	}
}

func newService(t testing.TB, m memory, sets ...KeySetConfig) *Service {
	t.Helper()
	s, err := New(context.Background(), Config{KeySets: sets},
		Options{Stores: map[string]MasterKeys{"": m}})
	require.NoError(t, err)
	return s
}

func TestKeySetDataMatchesTheReferenceVectors(t *testing.T) {
	set, m := published(t)
	s := newService(t, m, set)
	id := [10]byte(unhex(t, cuidA0))
	res, err := s.CreateKeySetData(context.Background(), connector.KeySetDataRequest{
		SCP: 1, CUID: id, KDD: id, Info: keys.KeyInfo{KVN: 1, SCP: 1},
		NewInfo: keys.KeyInfo{KVN: 2, SCP: 1},
	})
	require.NoError(t, err)
	want := "02 81107A50C7F6E3A4FF2C6499FC6E1161155A030A412B" +
		"81101794034479B302B382ADB0A8857C5FCC034EA834" +
		"811020E0495A67AE24803F19B593D74FE80A03AEF732"
	assert.Equal(t, unhex(t, want), res.KeySetData)
}

func TestKeySetDataWithOddParityMatchesTheReferenceVector(t *testing.T) {
	kek := key(t, keys.DES3, gpKey)
	set, m := published(t)
	s := newService(t, m, set)
	id := [10]byte(unhex(t, cuidA0))
	ck, err := s.cardKeys(connector.CardID{KDD: id, Info: keys.KeyInfo{KVN: 2, SCP: 1}})
	require.NoError(t, err)
	odd := func(k kdf.Secret) kdf.Secret {
		b := k.(keys.Key).Bytes()
		for i, v := range b {
			ones := 0
			for bit := 1; bit < 8; bit++ {
				ones += int(v>>bit) & 1
			}
			b[i] = v&0xFE | byte(1-ones%2)
		}
		out, err := keys.New(keys.DES3, b)
		require.NoError(t, err)
		return out
	}
	ck = kdf.CardKeys{ENC: odd(ck.ENC), MAC: odd(ck.MAC), DEK: odd(ck.DEK)}
	got, err := keySetData(1, 2, ck, wrapping{kek, keystore.ECB})
	require.NoError(t, err)
	want := "02 8110D4F6FA593A6D40688229F48E37DE49D7030A412B" +
		"8110FDD845D4D8A00D722FCF0ABD44E64A34034EA834" +
		"8110C5EB06255E0913BB215920A7936A1A5603AEF732"
	assert.Equal(t, unhex(t, want), got)
}

// scp01Request is the published exchange of SCP01 with the developer keys.
func scp01Request(t testing.TB) connector.SessionKeyRequest {
	id := [10]byte(unhex(t, cuidA0))
	return connector.SessionKeyRequest{
		SCP: 1, CUID: id, KDD: id, Info: keys.KeyInfo{KVN: 1, SCP: 1}, KeySet: "defKeySet",
		HostChallenge:  [8]byte(unhex(t, "775762E45E23667D")),
		CardChallenge:  unhex(t, "BD6D19856E540FCD"),
		CardCryptogram: [8]byte(unhex(t, "A3BA811B31D3337D")),
	}
}

func TestSessionKeysMatchTheReferenceVectors(t *testing.T) {
	set, m := published(t)
	plain := set // SCP03 with the GP key itself: an AES set without diversification
	plain.Name, plain.Mappings = "aes", nil
	plain.SCP03 = SCP03Config{kdf.None, kdf.None, keys.AES, keys.AES}
	s := newService(t, m, set, plain)
	host := [8]byte(unhex(t, "0102030405060708"))
	tests := map[string]struct {
		req                   connector.SessionKeyRequest
		senc, smac, rmac, dek string
		hostCryptogram        string
	}{
		"scp01": {
			req: scp01Request(t), senc: "D1BEB826DC5620258C93E7DEF0AB4F5B",
			smac: "D1BEB826DC5620258C93E7DEF0AB4F5B", hostCryptogram: "40A14AD953A5B545",
		},
		"scp02": {
			req: connector.SessionKeyRequest{
				Info: keys.KeyInfo{KVN: 1, SCP: 2}, HostChallenge: host, Seq: unhex(t, "0001"),
				CardChallenge:  unhex(t, "111213141516"),
				CardCryptogram: [8]byte(unhex(t, "DF0A998DB1B9F731")),
			},
			senc: "25C9794A1205FF244F5FA0378D2F8D59", smac: "9BED98891580C3B245FE9EC58BFA8D2A",
			rmac: "8EB6CF25BA4DECD820BF4E9FA616C50A", dek: "0E51FDF196141F227A57BD154012FD39",
			hostCryptogram: "7486DE8CAF43DB4E",
		},
		"scp03": {
			req: connector.SessionKeyRequest{
				Info: keys.KeyInfo{KVN: 1, SCP: 3, I: 0x70, HasI: true}, KeySet: "aes",
				HostChallenge: host, CardChallenge: unhex(t, "1112131415161718"),
				CardCryptogram: [8]byte(unhex(t, "D7C86A7D0A2D0DDC")),
			},
			senc: "D99675D4A95C58DE629225730CDDB758", smac: "7D7006054D2DC0675E2B3025983030A3",
			rmac: "F38608FB223A8C030383824AFF8BE48B", hostCryptogram: "00B11D00F75C456B",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			res, err := s.ComputeSessionKey(context.Background(), tt.req)
			require.NoError(t, err)
			assert.Equal(t, unhex(t, tt.senc), res.Keys.SENC.Bytes())
			assert.Equal(t, unhex(t, tt.smac), res.Keys.SMAC.Bytes())
			assert.Equal(t, unhex(t, tt.hostCryptogram), res.HostCryptogram[:])
			assert.Equal(t, unhex(t, tt.rmac), append([]byte{}, res.Keys.SRMAC.Bytes()...))
			assert.Equal(t, unhex(t, tt.dek), append([]byte{}, res.Keys.SDEK.Bytes()...))

			tt.req.CardCryptogram[3] ^= 0x10
			res, err = s.ComputeSessionKey(context.Background(), tt.req)
			require.ErrorIs(t, err, connector.ErrCardCryptogram)
			assert.Equal(t, connector.SessionKeyResponse{}, res)
		})
	}
}

func TestENCAndMACAreNotSwapped(t *testing.T) {
	s := newService(t, memory{}, distinct(t))
	for _, info := range []keys.KeyInfo{{KVN: 0xFF, SCP: 1}, {KVN: 1, SCP: 2}} {
		ck, err := s.cardKeys(connector.CardID{KeySet: "jForte", Info: info})
		require.NoError(t, err)
		assert.True(t, key(t, keys.DES3, "303132333435363738393A3B3C3D3E3F").
			Equal(ck.ENC.(keys.Key)))
		assert.True(t, key(t, keys.DES3, gpKey).Equal(ck.MAC.(keys.Key)))
		assert.True(t, key(t, keys.DES3, "505152535455565758595A5B5C5D5E5F").
			Equal(ck.DEK.(keys.Key)))
	}
}

func TestMasterKeySelection(t *testing.T) {
	base := distinct(t)
	base.Mappings = map[Slot]Mapping{
		{2, 1}: {Name: "two"}, {2, 3}: {Name: "two-aes"}, {3, 1}: {Name: "three"},
		{0x21, 1}: {Name: "#01#01"}, {0xFF, 1}: {Name: "factory"},
	}
	base.SCP03.MasterType, base.SCP03.Master = keys.AES, kdf.None
	m := memory{
		"two": key(t, keys.DES3, gpKey), "three": key(t, keys.DES3, gpKey),
		"two-aes": key(t, keys.AES, gpKey), "factory": key(t, keys.DES3, gpKey),
		"#05#01": key(t, keys.DES3, gpKey), "sharedSecret": key(t, keys.AES, gpKey),
	}
	s := newService(t, m, base)
	tests := []struct {
		info keys.KeyInfo
		want string
	}{
		{keys.KeyInfo{KVN: 1, SCP: 1}, "developer set"},
		{keys.KeyInfo{KVN: 1, SCP: 3}, "developer set"},
		{keys.KeyInfo{KVN: 0x21, SCP: 2}, "developer set"},
		{keys.KeyInfo{KVN: 0xFF, SCP: 2}, "master key #FF#01"},
		{keys.KeyInfo{KVN: 2, SCP: 1}, "master key #02#01"},
		{keys.KeyInfo{KVN: 2, SCP: 2}, "master key #02#01"},
		{keys.KeyInfo{KVN: 2, SCP: 3}, "master key #02#03"},
		{keys.KeyInfo{KVN: 3, SCP: 3}, "master key #03#01"},
		{keys.KeyInfo{KVN: 5, SCP: 1}, "master key #05#01"},
	}
	for _, tt := range tests {
		src, err := s.sets["jForte"].find(tt.info)
		require.NoError(t, err, tt.info)
		assert.Equal(t, tt.want, src.String(), tt.info)
	}
	_, err := s.sets["jForte"].find(keys.KeyInfo{KVN: 4, SCP: 1})
	require.ErrorIs(t, err, connector.ErrConfig)
	assert.ErrorContains(t, err, "tks.jForte.mk_mappings.#04#01")
}

// TestSCP02NamesMasterKeysAsTheWireFormDoes: a mapping means the same in both forms.
func TestSCP02NamesMasterKeysAsTheWireFormDoes(t *testing.T) {
	set := distinct(t)
	set.Mappings = map[Slot]Mapping{{2, 1}: {Name: "one"}, {2, 2}: {Name: "two"}}
	s := newService(t, memory{"one": key(t, keys.DES3, gpKey), "two": key(t, keys.DES3, someDEK)}, set)
	id := connector.CardID{SCP: 2, KeySet: set.Name, Info: keys.KeyInfo{KVN: 2, SCP: 2}}
	inProcess, err := s.cardKeys(id)
	require.NoError(t, err)
	id.Info.SCP = 1 // as it travels
	remote, err := s.cardKeys(id)
	require.NoError(t, err)
	assert.True(t, inProcess.ENC.(keys.Key).Equal(remote.ENC.(keys.Key)))
}

func TestNISTThreshold(t *testing.T) {
	id := [10]byte(unhex(t, cuidA0))
	card := connector.CardID{CUID: keys.CUID{9}, KDD: id, Info: keys.KeyInfo{KVN: 2, SCP: 1}}
	const (
		visa2 = "AFC3CF5A5076D51098B5962ED7DDF32A"
		nist  = "948A3E621CCB1A5D80ABEF041C578A6D"
	)
	tests := map[string]struct {
		nist NISTConfig
		want string
	}{
		"not stated": {NISTConfig{}, visa2},
		"from 00":    {NISTConfig{Enabled: true, From: 0}, nist},
		"equal":      {NISTConfig{Enabled: true, From: 2}, nist},
		"above":      {NISTConfig{Enabled: true, From: 3}, visa2},
		"unsigned":   {NISTConfig{Enabled: true, From: 0x99}, visa2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			set, m := published(t)
			set.NIST = tt.nist
			ck, err := newService(t, m, set).cardKeys(card)
			require.NoError(t, err)
			assert.Equal(t, unhex(t, tt.want), ck.ENC.(keys.Key).Bytes())
		})
	}
	set, m := published(t)
	set.NIST = NISTConfig{Enabled: true, UsesCUID: true}
	byCUID := card
	byCUID.CUID, byCUID.KDD = id, keys.KDD{9}
	ck, err := newService(t, m, set).cardKeys(byCUID)
	require.NoError(t, err)
	assert.Equal(t, unhex(t, nist), ck.ENC.(keys.Key).Bytes())
}

func TestEncryptDataUsesTheCallersData(t *testing.T) {
	set, m := published(t)
	s := newService(t, m, set)
	data := unhex(t, "00112233445566778899AABBCCDDEEFF")
	req := connector.EncryptDataRequest{Info: keys.KeyInfo{KVN: 1, SCP: 1}, Data: data}
	res, err := s.EncryptData(context.Background(), req)
	require.NoError(t, err)
	assert.Equal(t, data, res.Data)
	back, err := key(t, keys.DES3, gpKey).DecryptECB(res.Encrypted)
	require.NoError(t, err)
	assert.Equal(t, data, back)
	req.Data = data[:15]
	_, err = s.EncryptData(context.Background(), req)
	require.ErrorIs(t, err, connector.ErrParameter)
}

func TestRequestsOutOfBoundsGetAStatus(t *testing.T) {
	set, m := published(t)
	s := newService(t, m, set)
	ctx := context.Background()
	type request = connector.SessionKeyRequest
	tests := map[string]struct {
		change func(*request)
		want   error
	}{
		"protocol":       {func(r *request) { r.SCP = 4 }, connector.ErrParameter},
		"version":        {func(r *request) { r.Info.KVN = 0 }, connector.ErrParameter},
		"challenge":      {func(r *request) { r.CardChallenge = nil }, connector.ErrParameter},
		"counter":        {func(r *request) { r.SCP = 2 }, connector.ErrParameter},
		"key set":        {func(r *request) { r.KeySet = "no" }, connector.ErrConfig},
		"no master":      {func(r *request) { r.Info.KVN = 9 }, connector.ErrConfig},
		"transport keys": {func(r *request) { r.ServerSideKeygen = true }, connector.ErrConfig},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := scp01Request(t)
			tt.change(&r)
			_, err := s.ComputeSessionKey(ctx, r)
			require.ErrorIs(t, err, tt.want)
		})
	}
	for _, n := range []int{-1, 0, 1025} {
		_, err := s.ComputeRandomData(ctx, n)
		require.ErrorIs(t, err, connector.ErrParameter)
	}
	for _, kvn := range []keys.KVN{0, 0x80, 0xFF} {
		_, err := s.CreateKeySetData(ctx, connector.KeySetDataRequest{
			Info: keys.KeyInfo{KVN: 1, SCP: 1}, NewInfo: keys.KeyInfo{KVN: kvn, SCP: 1},
		})
		require.ErrorIs(t, err, connector.ErrParameter)
	}
}

func TestLogSaysWhoAndWhichButNoKeys(t *testing.T) {
	set, m := published(t)
	var out bytes.Buffer
	s, err := New(context.Background(), Config{KeySets: []KeySetConfig{set}},
		Options{Stores: map[string]MasterKeys{"": m},
			Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	ctx := connector.WithCaller(connector.WithSession(context.Background(), "s-17"), "tps1")
	res, err := s.ComputeSessionKey(ctx, scp01Request(t))
	require.NoError(t, err)
	bad := scp01Request(t)
	bad.CardCryptogram = [8]byte{}
	_, err = s.ComputeSessionKey(ctx, bad)
	require.Error(t, err)
	for _, want := range []string{
		"caller=tps1", "session=s-17", "cuid=" + cuidA0,
		"keySet=defKeySet", "keyInfo=0101", "outcome=ok", "outcome=refused", "status=5",
	} {
		assert.Contains(t, out.String(), want)
	}
	upper := strings.ToUpper(out.String())
	assert.NotContains(t, upper, gpKey)
	assert.NotContains(t, upper, strings.ToUpper(hex.EncodeToString(res.Keys.SENC.Bytes())))
}

func TestSelfTestPasses(t *testing.T) { require.NoError(t, SelfTest()) }
