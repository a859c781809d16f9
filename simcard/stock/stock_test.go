package stock_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard/stock"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

func TestStocksAreWhole(t *testing.T) {
	names := map[string]bool{}
	for _, s := range stock.All() {
		require.False(t, names[s.Name], s.Name)
		names[s.Name] = true
		require.NotEmpty(t, s.Title)
		require.NoError(t, scp.Variant{SCP: s.SCP, I: s.I}.Validate(), s.Name)
		require.True(t, s.ISD.Valid(), s.Name)
		require.True(t, gp.CardState(s.LifeCycle).Valid(), s.Name)
		require.Equal(t, s.SCP == 3, s.Keys.Algorithm == keys.AES, s.Name)
		require.GreaterOrEqual(t, s.Memory.Persistent, 40<<10, "%s holds the applet", s.Name)

		atr := s.ATR
		require.LessOrEqual(t, len(atr), 33)
		var check byte
		for _, b := range atr[1:] {
			check ^= b
		}
		require.Zero(t, check, "%s: check character of the ATR", s.Name)
		require.Equal(t, len(atr), 7+int(atr[1]&0x0F)+1, "%s: historical bytes", s.Name)
	}
	for _, name := range []string{"gp211-scp01", "gp211-scp02", "sce6-scp03", "sce7-scp03"} {
		require.True(t, names[name], name)
	}
	_, err := stock.ByName("nope")
	require.ErrorContains(t, err, "gp211-scp01")
}

func TestByNameGivesACopy(t *testing.T) {
	a, err := stock.ByName("gp211-scp01")
	require.NoError(t, err)
	a.ATR[0], a.Keys.Master[0], a.ISD[0] = 0, 0, 0
	b, err := stock.ByName("gp211-scp01")
	require.NoError(t, err)
	require.EqualValues(t, 0x3B, b.ATR[0])
	require.EqualValues(t, 0x40, b.Keys.Master[0])
	require.EqualValues(t, 0xA0, b.ISD[0])
	js, err := json.Marshal(b)
	require.NoError(t, err)
	var back stock.Stock
	require.NoError(t, json.Unmarshal(js, &back))
	require.Equal(t, b, back, "a state file holds the stock")
}

// The identity has CUID and KDD where hosts look for them, and the EMV keys of a published example.
func TestIdentity(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	for _, s := range stock.All() {
		one, err := s.Make(random)
		require.NoError(t, err)
		two, err := s.Make(random)
		require.NoError(t, err)
		require.NotEqual(t, one.CUID(), two.CUID())
		require.NotEqual(t, one.KDD, two.KDD)
		c, err := gp.ParseCPLC(one.CPLC[:])
		require.NoError(t, err)
		require.Equal(t, c.CUID(), one.CUID())
		require.Equal(t, s.DistinctKDD, one.KDD != keys.KDD(one.CUID()))
		require.Equal(t, s.Keys.KVN, one.Keys.KVN)
		require.Equal(t, s.Keys.Algorithm, one.Keys.DEK.Algorithm())
		same := one.Keys.ENC.Equal(two.Keys.ENC)
		require.Equal(t, s.Name != "sce6-scp03", same, "%s: keys diversified", s.Name)
	}
	_, err := stock.All()[0].Make(bytes.NewReader([]byte{1, 2}))
	require.Error(t, err)

	sce6, err := stock.ByName("sce6-scp03")
	require.NoError(t, err)
	set, err := sce6.FactoryKeys(keys.KDD{0xA0, 0x01, 0x92, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0xC9})
	require.NoError(t, err)
	for want, k := range map[string]keys.Key{
		"DEDC3D2E73A5680D903C2042160798E5": set.ENC,
		"80FDECA24FAF3264744DA071C4B0FB0F": set.MAC,
		"13CE26867AC00ED10CC1D2922A0385CD": set.DEK,
	} {
		require.Equal(t, want, hexOf(k.Bytes()))
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789ABCDEF"
	var out []byte
	for _, v := range b {
		out = append(out, digits[v>>4], digits[v&15])
	}
	return string(out)
}
