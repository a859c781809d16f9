package keys_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/gp/keys"
)

func TestIdentifiers(t *testing.T) {
	c, err := keys.ParseCUID("a00192030405060708c9")
	require.NoError(t, err)
	assert.Equal(t, "A00192030405060708C9", c.String())
	k, err := keys.ParseKDD("A00192030405060708C9")
	require.NoError(t, err)
	assert.Equal(t, c.String(), k.String())
	assert.False(t, c.IsZero())
	assert.True(t, keys.KDD{}.IsZero())
	for _, bad := range []string{"", "A0", "A00192030405060708C", "A00192030405060708C9FF", "G00192030405060708C9"} {
		_, err = keys.ParseCUID(bad)
		require.Error(t, err, bad)
		_, err = keys.ParseKDD(bad)
		require.Error(t, err, bad)
	}
	assert.Equal(t, "FF", keys.KVN(0xFF).String())
	assert.Equal(t, "01", keys.KeyID(1).String())
}

func TestKeyInfo(t *testing.T) {
	for s, want := range map[string]keys.KeyInfo{
		"0101":   {KVN: 1, SCP: 1},
		"FF02":   {KVN: 0xFF, SCP: 2},
		"010370": {KVN: 1, SCP: 3, I: 0x70, HasI: true},
		"010300": {KVN: 1, SCP: 3, HasI: true},
	} {
		got, err := keys.ParseKeyInfo(s)
		require.NoError(t, err, s)
		assert.Equal(t, want, got)
		assert.Equal(t, s, got.String())
	}
	for _, bad := range []string{"", "01", "01010", "01037000", "zz01"} {
		_, err := keys.ParseKeyInfo(bad)
		require.Error(t, err, bad)
	}
	_, err := keys.KeyInfoFromBytes([]byte{1})
	require.Error(t, err)
}

func TestTextForms(t *testing.T) {
	type record struct {
		C keys.CUID
		K keys.KDD
		I keys.KeyInfo
	}
	in := record{keys.CUID{1}, keys.KDD{2}, keys.KeyInfo{KVN: 2, SCP: 3, I: 0x10, HasI: true}}
	b, err := json.Marshal(in)
	require.NoError(t, err)
	assert.JSONEq(t, `{"C":"01000000000000000000","K":"02000000000000000000","I":"020310"}`, string(b))
	var out record
	require.NoError(t, json.Unmarshal(b, &out))
	assert.Equal(t, in, out)
	require.Error(t, json.Unmarshal([]byte(`{"C":"01"}`), &out))
	require.Error(t, json.Unmarshal([]byte(`{"K":"01"}`), &out))
	require.Error(t, json.Unmarshal([]byte(`{"I":"01"}`), &out))
}
