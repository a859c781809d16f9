package servers

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNothingIsLeftOutInCI(t *testing.T) {
	t.Setenv("CI", "true")
	require.Empty(t, LeftOut())
	t.Setenv("CI", "")
	for tag, why := range LeftOut() {
		require.Contains(t, []string{TagPostgres, TagSlapd, Tag389}, tag)
		require.Contains(t, why, "Debian")
	}
}

// A server whose starter is gone ends by itself and leaves no files.
func TestServerEndsWithItsStarter(t *testing.T) {
	for name, starter := range map[string]func(context.Context) (*process, error){
		"slapd": func(ctx context.Context) (*process, error) {
			d, err := StartSlapd(ctx, SlapdOptions{})
			if err != nil {
				return nil, err
			}
			return d.process, nil
		},
		"postgres": func(ctx context.Context) (*process, error) {
			p, err := StartPostgres(ctx)
			if err != nil {
				return nil, err
			}
			return p.process, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := starter(t.Context())
			if errors.Is(err, ErrMissing) && !Required() {
				t.Skip(err)
			}
			require.NoError(t, err)
			require.NoError(t, p.listening(t.Context()))
			require.NoError(t, p.hold.Close()) // as the system does when a process dies
			require.Eventually(t, func() bool {
				_, err := os.Stat(p.dir)
				return errors.Is(err, os.ErrNotExist)
			}, stopLimit, 20*time.Millisecond)
			require.Error(t, p.listening(t.Context()))
		})
	}
}
