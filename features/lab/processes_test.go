package lab

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
)

func TestMain(m *testing.M) {
	if IsChild() {
		os.Exit(ChildMain())
	}
	os.Exit(m.Run())
}

func TestProcessesDieAndComeBack(t *testing.T) {
	pool := NewPool()
	defer func() { require.NoError(t, pool.Close()) }()
	s, err := pool.Processes(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for _, name := range []string{ProcessTPS, ProcessCA, ProcessKRA} {
		require.NoError(t, s.Arm(name, 1))
		_, died, passed, err := s.Died(name)
		require.NoError(t, err)
		require.False(t, died, "nobody has asked it for anything")
		require.Empty(t, passed)
		require.NoError(t, s.Kill(name))
		_, err = s.parts[name].ask(askPassed)
		require.ErrorIs(t, err, errDied)
		require.NoError(t, s.Restart(name))
		require.NoError(t, s.Arm(name, 0), "it answers again")
	}
	require.NoError(t, s.Quiet())
	require.NoError(t, s.Reconcile())
	unknown := keys.CUID{1}
	require.Error(t, s.ChangeState(unknown, token.Damaged))
	_, err = s.KRA().FindKey(t.Context(), connector.KeyQuery{RequestID: "none"})
	require.ErrorIs(t, err, connector.ErrKeyNotFound)
}

func TestKeyStockGivesNoKeyTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "primes")
	require.NoError(t, keyStock{path}.make())
	seen := map[string]bool{}
	for range 50 {
		k, err := keyStock{path}.next(stockBits) // each time as by another process
		require.NoError(t, err)
		require.Equal(t, stockBits, k.N.BitLen())
		require.False(t, seen[k.N.String()])
		seen[k.N.String()] = true
		clear(k.Primes[0].Bits()) // whoever gets one may wipe it
	}
}
