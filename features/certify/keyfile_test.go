package certify_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/certify"
	"tokenwright/simcard/stock"
	"tokenwright/tms/gp/keys"
)

const testMaster = "404142434445464748494A4B4C4D4E4F"

func TestKeyFile(t *testing.T) {
	src, err := certify.ReadKeys(strings.NewReader(
		"# of a test card\nkvn FF\nalgorithm aes\ndiversify emv\nmaster " + testMaster + "\n"))
	require.NoError(t, err)
	st, err := stock.ByName("sce6-scp03")
	require.NoError(t, err)
	kdd := keys.KDD{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	want, err := st.FactoryKeys(kdd)
	require.NoError(t, err)
	got, err := src.Set(kdd)
	require.NoError(t, err)
	require.Equal(t, keys.KVN(0xFF), src.KVN)
	require.True(t, want.ENC.Equal(got.ENC))
	require.True(t, want.DEK.Equal(got.DEK))
}

func TestUnusableKeyFiles(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":           "",
		"no dek":            "enc " + testMaster + "\nmac " + testMaster,
		"unknown name":      "master " + testMaster + "\ncolour blue",
		"short":             "master 4041",
		"no hex":            "master " + strings.Repeat("secret--", 4),
		"other check value": "master " + testMaster + "\nkcv 000000",
		"unknown method":    "master " + testMaster + "\ndiversify moon",
	} {
		_, err := certify.ReadKeys(strings.NewReader(text))
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "secret", name)
		require.NotContains(t, err.Error(), "4041", name)
	}
}
