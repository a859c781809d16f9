package postgres

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
)

// versions holds how many steps of each kind's schema were made.
const versions = `CREATE TABLE IF NOT EXISTS schema_versions (
	kind text PRIMARY KEY, version integer NOT NULL)`

// migrate brings the schema up to date, all steps in one transaction. Processes that start at the
// same time wait for each other.
func (k Kind) migrate(ctx context.Context, db *stdsql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := k.steps(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (k Kind) steps(ctx context.Context, tx *stdsql.Tx) error {
	// A big index takes longer to make than a change may take.
	if _, err := tx.ExecContext(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "SET LOCAL lock_timeout = 0"); err != nil {
		return err
	}
	if err := (&Tx{tx}).Lock(ctx, "schema of "+k.Name); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, versions); err != nil {
		return err
	}
	version := 0
	err := tx.QueryRowContext(ctx, "SELECT version FROM schema_versions WHERE kind = $1", k.Name).
		Scan(&version)
	if err != nil && !errors.Is(err, stdsql.ErrNoRows) {
		return err
	}
	if version > len(k.Schema) {
		return fmt.Errorf("%w: it has schema version %d, this one knows %d", ErrNewer, version,
			len(k.Schema))
	}
	for ; version < len(k.Schema); version++ {
		if _, err := tx.ExecContext(ctx, k.Schema[version]); err != nil {
			return fmt.Errorf("migrating to schema version %d: %w", version+1, err)
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO schema_versions (kind, version) VALUES ($1, $2)
		ON CONFLICT (kind) DO UPDATE SET version = excluded.version`, k.Name, version)
	return err
}
