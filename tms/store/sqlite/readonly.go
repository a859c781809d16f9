package sqlite

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// OpenReadOnly opens the file at path, which another process may be changing, for questions only. It
// makes no file and no schema: a file that is not there, or has another schema than the kind's, is an
// error. The caller closes the database.
func OpenReadOnly(ctx context.Context, path string, k Kind) (*stdsql.DB, error) {
	db, err := openReadOnly(ctx, path, k)
	if err != nil {
		return nil, fmt.Errorf("opening database %s for reading: %w", path, err)
	}
	return db, nil
}

func openReadOnly(ctx context.Context, path string, k Kind) (_ *stdsql.DB, err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	u, err := url.Parse(dsn(path, k.busy(), "query_only(1)"))
	if err != nil {
		return nil, err
	}
	q := u.Query()
	q.Set("mode", "ro")
	u.RawQuery = q.Encode()
	db, err := stdsql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	version, err := k.version(ctx, conn)
	if err = errors.Join(err, conn.Close()); err != nil {
		return nil, err
	}
	switch {
	case version > len(k.Schema):
		return nil, ErrNewer
	case version < len(k.Schema):
		return nil, fmt.Errorf("it has schema version %d, this program wants %d: whoever writes it has "+
			"to be started first", version, len(k.Schema))
	}
	return db, nil
}
