package sql

import (
	"context"
	stdsql "database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

// applicationID marks the file as a token database (the four letters "tmsT").
const applicationID = 0x746d7354

//go:embed migrations/*.sql
var migrations embed.FS

// Errors of a file that this program must leave alone.
var (
	// ErrForeign: the file is a SQLite database of something else.
	ErrForeign = errors.New("not a token database")
	// ErrNewer: a newer program has changed the schema.
	ErrNewer = errors.New("database was migrated by a newer program")
)

// migrate brings the schema up to date, each version in a transaction of its
// own. Another process that opens the same new file waits and finds it done.
func migrate(ctx context.Context, conn *stdsql.Conn) error {
	steps, err := fs.Glob(migrations, "migrations/*.sql") // sorted by name
	if err != nil {
		return err
	}
	for {
		version, err := schemaVersion(ctx, conn)
		switch {
		case err != nil:
			return err
		case version == len(steps):
			return nil
		case version > len(steps):
			return fmt.Errorf("%w: it has schema version %d, this one knows %d",
				ErrNewer, version, len(steps))
		}
		if err := migrateOne(ctx, conn, version, steps[version]); err != nil {
			return fmt.Errorf("migrating to schema version %d: %w", version+1, err)
		}
	}
}

// schemaVersion reads the version of a file that is ours or empty.
func schemaVersion(ctx context.Context, conn *stdsql.Conn) (int, error) {
	var app, version, objects int
	err := conn.QueryRowContext(ctx, `SELECT application_id, user_version,
		(SELECT count(*) FROM sqlite_schema) FROM pragma_application_id, pragma_user_version`).
		Scan(&app, &version, &objects)
	switch {
	case err != nil:
		return 0, err
	case app == applicationID:
		return version, nil
	case app == 0 && version == 0 && objects == 0:
		return 0, nil
	}
	return 0, ErrForeign
}

// migrateOne makes one step, unless another process has just made it.
func migrateOne(ctx context.Context, conn *stdsql.Conn, from int, file string) (err error) {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, undo := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			err = errors.Join(err, undo)
		}
	}()
	now, err := schemaVersion(ctx, conn)
	if err != nil {
		return err
	}
	if now == from {
		text = fmt.Appendf(text, "\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;\n",
			applicationID, from+1)
		if _, err = conn.ExecContext(ctx, string(text)); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}
