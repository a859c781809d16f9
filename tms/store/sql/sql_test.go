package sql_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/store/sql"
	"tokenwright/tms/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Home {
		// The name holds what a data source name could trip over.
		s, err := sql.Open(t.Context(), filepath.Join(t.TempDir(), "token db?50%#1.sqlite"))
		require.NoError(t, err)
		return s
	})
}

func TestConcurrentClients(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	storetest.Concurrent(t, func(t *testing.T) storetest.Home {
		s, err := sql.Open(t.Context(), path)
		require.NoError(t, err)
		return s
	})
}
