//go:build pcsc && cgo

package pcsc

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// noService makes the test's own copy of this program look for a service that isn't there: the
// library reads the variable when it is first used.
const noService = "PCSC_TEST_NO_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(noService) == "" {
		os.Exit(m.Run())
	}
	_, err := Open(context.Background(), "")
	_, readers := Readers()
	if available := Available(); available == nil || err == nil || readers == nil {
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString(err.Error())
}

func TestWithoutService(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), noService+"=1",
		"PCSCLITE_CSOCK_NAME="+filepath.Join(t.TempDir(), "pcscd.comm"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), ErrNoService.Error())
}
