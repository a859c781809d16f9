package loopback

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortsAreFreeAndGivenOnce(t *testing.T) {
	seen := map[int]bool{}
	for range 100 {
		port, err := Port()
		require.NoError(t, err)
		require.False(t, seen[port], "given twice")
		seen[port] = true
		l, err := net.Listen("tcp", Addr(port))
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
}

func TestAPortInUseIsNotFree(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	require.False(t, free(l.Addr().(*net.TCPAddr).Port))
}
