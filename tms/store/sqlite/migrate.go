package sqlite

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
)

// migrate brings the schema up to date, each step in a transaction of its own. Another process that
// opens the same new file waits and finds it done.
func (k Kind) migrate(ctx context.Context, conn *stdsql.Conn) error {
	for {
		version, err := k.version(ctx, conn)
		switch {
		case err != nil:
			return err
		case version == len(k.Schema):
			return nil
		case version > len(k.Schema):
			return fmt.Errorf("%w: it has schema version %d, this one knows %d", ErrNewer, version,
				len(k.Schema))
		}
		if err := k.step(ctx, conn, version); err != nil {
			return fmt.Errorf("migrating to schema version %d: %w", version+1, err)
		}
	}
}

// version reads the schema's version of a file that is of this kind, or empty.
func (k Kind) version(ctx context.Context, conn *stdsql.Conn) (int, error) {
	var app int32
	var version, objects int
	err := conn.QueryRowContext(ctx, `SELECT application_id, user_version,
		(SELECT count(*) FROM sqlite_schema) FROM pragma_application_id, pragma_user_version`).
		Scan(&app, &version, &objects)
	switch {
	case err != nil:
		return 0, err
	case app == k.ApplicationID:
		return version, nil
	case app == 0 && version == 0 && objects == 0:
		return 0, nil
	}
	return 0, ErrForeign
}

// step makes one step, unless another process has just made it.
func (k Kind) step(ctx context.Context, conn *stdsql.Conn, from int) (err error) {
	if _, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, undo := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			err = errors.Join(err, undo)
		}
	}()
	now, err := k.version(ctx, conn)
	if err != nil {
		return err
	}
	if now == from {
		_, err = conn.ExecContext(ctx, fmt.Sprintf("%s\nPRAGMA application_id = %d;"+
			"\nPRAGMA user_version = %d;\n", k.Schema[from], k.ApplicationID, from+1))
		if err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}
