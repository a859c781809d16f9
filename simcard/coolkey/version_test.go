package coolkey_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/fixtures/applets"
	"tokenwright/simcard/coolkey"
	"tokenwright/tms/gp"
)

func TestVersions(t *testing.T) {
	for _, s := range []string{"1.4.58768072", "1.5.65cbf5a6", "1.4.00000000", "0.0.ffffffff"} {
		v, err := coolkey.ParseVersion(s)
		require.NoError(t, err)
		require.Equal(t, s, v.String())
	}
	for _, s := range []string{
		"", "1.4", "1.4.5876807", "1.4.587680722", "256.4.58768072", "1.999.58768072", "1.4.5876807g",
		"1.4.58768072\n", "x1.4.58768072",
	} {
		_, err := coolkey.ParseVersion(s)
		require.Error(t, err, s)
	}
	require.Equal(t, "1.5.65cbf5a6", coolkey.VersionOf(0x65CBF5A6).String())
	require.Equal(t, "1.4.58755637", coolkey.VersionOf(0x58755637).String())
}

func TestIdentify(t *testing.T) {
	for _, name := range applets.Versions() {
		b, err := applets.File(name)
		require.NoError(t, err)
		f, err := gp.ParseLoadFile(b)
		require.NoError(t, err)
		require.True(t, coolkey.IsPackage(f))
		require.Equal(t, name, coolkey.Identify(f, len(b), "").String())

		// Without the component, the size of a published file tells; then the package version.
		f.Components = f.Components[:len(f.Components)-1]
		require.Equal(t, name, coolkey.Identify(f, len(b), "").String())
		require.Equal(t, name[:4]+"00000000", coolkey.Identify(f, 4711, "").String())
		f.Components = append(f.Components, gp.Component{Tag: coolkey.BuildComponent, Data: []byte("?")})
		require.Equal(t, name[:4]+"00000000", coolkey.Identify(f, 4711, "").String())
		f.Applets = nil
		require.False(t, coolkey.IsPackage(f))
	}
}
