package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"tokenwright/features/servers"
	"tokenwright/tms/store/ldap"
	"tokenwright/tms/store/postgres"
)

// homeServer is a server that token databases of laboratories are kept in. It lives as long as the
// process: the server's own guard ends it.
type homeServer struct {
	start func(context.Context) (fresh func(context.Context) (map[string]string, error), err error)
	once  sync.Once
	fresh func(context.Context) (map[string]string, error)
	err   error
}

var homeServers = map[string]*homeServer{
	"PostgreSQL": {start: startPostgres},
	"OpenLDAP": {start: func(ctx context.Context) (func(context.Context) (map[string]string, error),
		error) {
		d, err := servers.StartSlapd(ctx, servers.SlapdOptions{NoSync: true})
		return inDirectory(d), err
	}},
	"389 Directory Server": {start: func(ctx context.Context) (
		func(context.Context) (map[string]string, error), error) {
		d, err := servers.Start389(ctx)
		return inDirectory(d), err
	}},
}

// HomeConfig gives the keys of the TPS that put its token database into an empty place on a server,
// by the server's name. The first call for a server starts it.
func HomeConfig(ctx context.Context, home string) (map[string]string, error) {
	h := homeServers[home]
	if h == nil {
		return nil, fmt.Errorf("no server %q for token databases", home)
	}
	h.once.Do(func() { h.fresh, h.err = h.start(context.WithoutCancel(ctx)) })
	if h.err != nil {
		return nil, h.err
	}
	return h.fresh(ctx)
}

func startPostgres(ctx context.Context) (func(context.Context) (map[string]string, error), error) {
	p, err := servers.StartPostgres(ctx)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (map[string]string, error) {
		c, err := p.NewDatabase(ctx)
		if err != nil {
			return nil, err
		}
		return postgresKeys(p.Dir(), c)
	}, nil
}

func postgresKeys(dir string, c postgres.Config) (map[string]string, error) {
	file, err := passwordFile(dir, c.Password)
	key := "tokendb.postgresql."
	return map[string]string{
		"tokendb.home": "postgresql",
		key + "host":   c.Host, key + "port": strconv.Itoa(c.Port), key + "database": c.Database,
		key + "user": c.User, key + "passwordFile": file, key + "secureConn": "false",
	}, err
}

func inDirectory(d *servers.Directory) func(context.Context) (map[string]string, error) {
	return func(context.Context) (map[string]string, error) {
		c, err := d.Fresh()
		if err != nil {
			return nil, err
		}
		return directoryKeys(d.Dir(), c)
	}
}

func directoryKeys(dir string, c ldap.Config) (map[string]string, error) {
	file, err := passwordFile(dir, c.Password)
	key := "internaldb."
	return map[string]string{
		"tokendb.home": "ldap", "tokendb.hostport": c.Addrs[0], key + "basedn": c.BaseDN,
		key + "ldapconn.secureConn": "false", key + "ldapauth.bindDN": c.BindDN,
		key + "passwordFile": file,
	}, err
}

// passwordFile writes a password where the TPS reads it.
func passwordFile(dir, password string) (string, error) {
	path := filepath.Join(dir, "tps-password")
	return path, os.WriteFile(path, []byte(password+"\n"), 0o600)
}
