package instance

import (
	"context"
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/admin"
	"tokenwright/tms/admin/tpsadmin"
)

func TestMistakesOfAdministrationAreFoundWhenOpening(t *testing.T) {
	dir, _ := newInstance(t)
	for key, values := range map[string][]string{
		"admin.listen":                      {"nowhere"},
		"admin.socketMode":                  {"0777"},
		"admin.socketGroup":                 {"no-such-group"},
		"admin.users.list":                  {"a"},
		"admin.users.b.roles":               {"king"},
		"admin.users.b.account":             {"no-such-account"},
		"tokendb.allowedTransitions":        {"0:1,0:7", "4:7", "nonsense", "2:0"},
		"tps.operations.allowedTransitions": {"0:6", "7:4", "0:0,1:0"},
	} {
		for _, value := range values {
			config := map[string]string{
				"admin.users.list": "b", "admin.users.b.subject": "CN=b", "admin.users.b.roles": "agent",
			}
			config[key] = value
			_, err := Open(context.Background(), dir, Options{Subsystems: []string{TPS},
				Override: map[string]map[string]string{TPS: config}})
			require.ErrorContains(t, err, key, value)
		}
	}
}

func TestAdministrationOverSocketAndHTTPS(t *testing.T) {
	dir, _ := newInstance(t)
	base, err := AddAdmin(dir, TPS, "olga", []admin.Role{admin.Operator, admin.Agent}, time.Now())
	require.NoError(t, err)
	_, err = AddAdmin(dir, TPS, "olga", []admin.Role{admin.Operator}, time.Now())
	require.ErrorIs(t, err, ErrExists)
	for _, bad := range []string{"", "a.b", "a/b", "list"} {
		_, err = AddAdmin(dir, TPS, bad, []admin.Role{admin.Operator}, time.Now())
		require.Error(t, err, bad)
	}
	i, _ := open(t, dir, Options{Override: map[string]map[string]string{
		TPS: {"admin.listen": "127.0.0.1:0"},
	}})
	stop := serve(t, i)
	addresses := i.AdminAddresses()
	require.Len(t, addresses, 2)
	path, err := SocketOf(dir, TPS)
	require.NoError(t, err)
	assert.Equal(t, path, addresses[0].URL())
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	local := tpsadmin.Client{Client: admin.NewSocketClient(path)}
	made, err := local.Add(t.Context(), tpsadmin.Token{TokenID: "40906145C76224192D2B", UserID: "alice"},
		"delivery 7")
	require.NoError(t, err)
	assert.Equal(t, "UNFORMATTED", made.Status.Name)

	pool, err := loadPool(filepath.Join(dir, TPS))
	require.NoError(t, err)
	pair, err := tls.LoadX509KeyPair(base+".crt", base+".key")
	require.NoError(t, err)
	remote := func(certs ...tls.Certificate) (tpsadmin.Client, error) {
		c, err := admin.NewClient(addresses[1].URL(), &tls.Config{RootCAs: pool, Certificates: certs})
		require.NoError(t, err)
		_, err = admin.Ask[tpsadmin.Account](t.Context(), c, http.MethodGet, "/tps/rest/account/login", nil, nil)
		return tpsadmin.Client{Client: c}, err
	}
	c, err := remote(pair)
	require.NoError(t, err)
	got, err := c.Token(t.Context(), "40906145C76224192D2B")
	require.NoError(t, err)
	assert.Equal(t, made, got)
	_, err = c.SetState(t.Context(), "40906145C76224192D2B", "ACTIVE", "")
	assert.Equal(t, http.StatusBadRequest, admin.StatusOf(err))
	require.ErrorContains(t, err, "UNFORMATTED to ACTIVE (7:4)")
	err = c.Delete(t.Context(), "40906145C76224192D2B", "")
	assert.Equal(t, http.StatusForbidden, admin.StatusOf(err))
	_, err = remote()
	require.ErrorContains(t, err, "certificate required")
	subsystem, err := loadPair(filepath.Join(dir, TPS), clientNickname)
	require.NoError(t, err)
	_, err = remote(subsystem)
	assert.Equal(t, http.StatusUnauthorized, admin.StatusOf(err), "trusted, but not listed")

	require.NoError(t, local.Delete(t.Context(), "40906145C76224192D2B", "sent back"))
	log, err := local.Activities(t.Context(), tpsadmin.List{User: "alice"})
	require.NoError(t, err)
	require.Len(t, log.Entries, 2)
	assert.Equal(t, "token deleted, UNFORMATTED: sent back", log.Entries[0].Message)
	require.NoError(t, local.Close())
	require.NoError(t, c.Close())
	require.NoError(t, stop())
	assert.NoFileExists(t, path)
}

func TestAdministrationCanDoWithoutASocket(t *testing.T) {
	dir, _ := newInstance(t)
	i, _ := open(t, dir, Options{Override: map[string]map[string]string{TPS: {"admin.socket": "none"}}})
	serve(t, i)
	assert.Empty(t, i.AdminAddresses())
}
