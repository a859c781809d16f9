package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"tokenwright/features/loopback"
	"tokenwright/tms/store/postgres"
)

const (
	postgresUser   = "tms"
	postgresSecret = "database secret"
)

// Postgres is a PostgreSQL server. Its databases sort text as people do, not by bytes, as those of
// an operator may.
type Postgres struct {
	*process
	made atomic.Int64
}

// StartPostgres starts one.
func StartPostgres(ctx context.Context) (_ *Postgres, err error) {
	var initdb, postgresProgram string
	var errs [2]error
	initdb, errs[0] = find("initdb", "/usr/lib/postgresql/*/bin")
	postgresProgram, errs[1] = find("postgres", "/usr/lib/postgresql/*/bin")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("PostgreSQL (Debian: postgresql): %w", err)
	}
	as, err := servant("postgres", "nobody")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	dir, err := folder(as)
	if err != nil {
		return nil, err
	}
	p := &Postgres{process: &process{dir: dir}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("PostgreSQL: %w", err), os.RemoveAll(dir))
		}
	}()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte(postgresSecret+"\n"), 0o600); err != nil {
		return nil, err
	}
	if as != nil {
		if err := os.Chown(secret, int(as.Uid), int(as.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	err = tool(ctx, dir, as, nil, initdb, "-D", data, "-U", postgresUser, "--pwfile", secret,
		"-A", "scram-sha-256", "-E", "UTF8", "--locale-provider=icu", "--icu-locale=en-US", "--no-sync")
	if err != nil {
		return nil, err
	}
	port, err := loopback.Port()
	if err != nil {
		return nil, err
	}
	p.process, err = run(dir, port, as, "INT", nil, postgresProgram, "-D", data,
		"-c", "listen_addresses=127.0.0.1", "-c", "port="+strconv.Itoa(port),
		"-c", "fsync=off", // nothing here pulls the plug
		"-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "shared_buffers=1GB")
	if err != nil {
		return nil, err
	}
	if err := p.await(ctx, p.ask); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

func (p *Postgres) ask(ctx context.Context) error {
	if err := p.listening(ctx); err != nil {
		return err
	}
	db, err := postgres.Open(ctx, p.Config("postgres"), postgres.Kind{Name: "nothing"})
	if err != nil {
		return err
	}
	return db.Close()
}

// Config says how to get at a database.
func (p *Postgres) Config(database string) postgres.Config {
	return postgres.Config{
		Host: "127.0.0.1", Port: p.port, Database: database, User: postgresUser,
		Password: postgresSecret,
	}
}

// NewDatabase makes an empty database.
func (p *Postgres) NewDatabase(ctx context.Context) (postgres.Config, error) {
	name := fmt.Sprintf("tokens%d", p.made.Add(1))
	db, err := postgres.Open(ctx, p.Config("postgres"), postgres.Kind{Name: "nothing"})
	if err != nil {
		return postgres.Config{}, err
	}
	_, err = db.Admin().ExecContext(ctx, "CREATE DATABASE "+name)
	return p.Config(name), errors.Join(err, db.Close())
}
