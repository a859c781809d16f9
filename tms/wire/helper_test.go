package wire

import (
	"io"
	"log"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// quiet is a logger for servers that are meant to fail.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u
}
