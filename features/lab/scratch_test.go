package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScratchOfTheDeadIsRemoved(t *testing.T) {
	if _, err := os.Stat(memory); err != nil {
		t.Skip("there is no " + memory)
	}
	cmd := exec.CommandContext(t.Context(), "true")
	require.NoError(t, cmd.Run())
	dead := filepath.Join(memory, fmt.Sprintf("%s%d-test", scratchName, cmd.ProcessState.Pid()))
	require.NoError(t, os.Mkdir(dead, 0o700))
	own, err := makeScratch()
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(own)) }()
	sweep()
	require.NoDirExists(t, dead)
	require.DirExists(t, own)
}
