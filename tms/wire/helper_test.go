package wire

import (
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// quiet has a server that is meant to fail do so without a word.
func quiet(s *http.Server) {
	s.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u
}
