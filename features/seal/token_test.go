//go:build pkcs11 && cgo

package seal

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// softHSM finds the module that plays the hardware. CI has it.
func softHSM(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/libsofthsm2.so"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no SoftHSM: install softhsm2")
	}
	t.Skip("no SoftHSM: install softhsm2")
	return ""
}

func TestKeysOnATokenSign(t *testing.T) {
	module := softHSM(t)
	dir := t.TempDir()
	conf := put(t, filepath.Join(dir, "softhsm2.conf"), "directories.tokendir = "+dir+"\n")
	t.Setenv("SOFTHSM2_CONF", conf)
	run := func(program string, args ...string) {
		t.Helper()
		out, err := exec.Command(program, args...).CombinedOutput()
		require.NoError(t, err, "%s: %s", program, out)
	}
	run("softhsm2-util", "--init-token", "--free", "--label", "reports", "--so-pin", "12345678", "--pin", "2468")
	for object, kind := range map[string]string{"curve": "EC:prime256v1", "rsa": "rsa:2048"} {
		run("pkcs11-tool", "--module", module, "--login", "--pin", "2468", "--keypairgen",
			"--key-type", kind, "--label", object, "--id", "0"+map[string]string{"curve": "1", "rsa": "2"}[object])
	}
	pin := put(t, filepath.Join(dir, "pin"), "2468\n")
	for _, where := range []string{"object=curve", "id=%02;type=private"} {
		reportDir, files := report(t)
		key, closeKey, err := Signer("pkcs11:token=reports;" + where + "?module-path=" + module +
			"&pin-source=file:" + pin)
		require.NoError(t, err, where)
		require.NoError(t, Sign(reportDir, files, key))
		_, err = Verify(reportDir, key.Public())
		require.NoError(t, err)
		require.NoError(t, closeKey())
	}
	wrong := put(t, filepath.Join(dir, "wrong"), "1111")
	_, _, err := Signer("pkcs11:object=curve?module-path=" + module + "&pin-source=" + wrong)
	require.Error(t, err)
	_, _, err = Signer("pkcs11:object=nobody;token=reports?module-path=" + module + "&pin-source=" + pin)
	require.ErrorContains(t, err, "0 objects")
	_, _, err = Signer("pkcs11:object=curve;token=other?module-path=" + module + "&pin-source=" + pin)
	require.ErrorContains(t, err, "0 tokens")
}
