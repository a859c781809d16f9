package ldap_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/features/servers"
	"tokenwright/tms/store/ldap"
	"tokenwright/tms/store/storetest"
)

// start starts a server for one test. Where there is none the test is skipped, except in CI.
func start(t *testing.T, starter func(context.Context) (*servers.Directory, error)) *servers.Directory {
	t.Helper()
	d, err := starter(context.WithoutCancel(t.Context()))
	if errors.Is(err, servers.ErrMissing) && !servers.Required() {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Stop()) })
	return d
}

func slapd(ctx context.Context) (*servers.Directory, error) {
	return servers.StartSlapd(ctx, servers.SlapdOptions{NoSync: true})
}

// directories are the servers that every test runs on.
var directories = map[string]func(context.Context) (*servers.Directory, error){
	"slapd": slapd, "389-ds": servers.Start389,
}

func open(t *testing.T, d *servers.Directory) *ldap.Store {
	t.Helper()
	c, err := d.Fresh()
	require.NoError(t, err)
	s, err := ldap.Open(t.Context(), c)
	require.NoError(t, err)
	return s
}

func TestContract(t *testing.T) {
	for name, starter := range directories {
		t.Run(name, func(t *testing.T) {
			d := start(t, starter)
			storetest.Run(t, func(t *testing.T) storetest.Home { return open(t, d) })
		})
	}
}

func TestConcurrentClients(t *testing.T) {
	for name, starter := range directories {
		t.Run(name, func(t *testing.T) {
			c, err := start(t, starter).Fresh()
			require.NoError(t, err)
			storetest.Concurrent(t, func(t *testing.T) storetest.Home {
				s, err := ldap.Open(t.Context(), c)
				require.NoError(t, err)
				return s
			})
		})
	}
}
