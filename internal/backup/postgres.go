package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store/postgres"
)

// Postgres is a database on a server.
type Postgres struct{ URL secret.Text }

// Engine implements [Source].
func (Postgres) Engine() string { return "postgres" }

// Copy implements [Source]: it reads all tables in one snapshot.
func (p Postgres) Copy(ctx context.Context, path string) error {
	if err := p.current(ctx); err != nil {
		return err
	}
	conn, err := p.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("begin snapshot: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	return dump(ctx, tx, path)
}

// connect opens one session without the time-outs of serving: tables can be
// large.
func (p Postgres) connect(ctx context.Context) (*pgx.Conn, error) {
	c, err := pgx.ParseConfig(p.URL.Reveal())
	if err != nil { // whose text repeats the URL
		return nil, errors.New("the database URL is not a connection string that PostgreSQL knows")
	}
	delete(c.RuntimeParams, "pool_max_conns")
	c.RuntimeParams["application_name"] = "gatehouse backup"
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return conn, nil
}

func (p Postgres) open(ctx context.Context) (*postgres.Engine, error) {
	return postgres.Open(ctx, postgres.Config{URL: p.URL, MaxConns: 2, Logger: slog.New(slog.DiscardHandler)})
}

// current refuses a database at another schema than this program's, whose
// tables would not be the ones that we know.
func (p Postgres) current(ctx context.Context) (err error) {
	e, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	v, err := e.Version(ctx)
	if err != nil {
		return err
	}
	if v.Database != v.Program {
		return fmt.Errorf("the database has schema %d and this program schema %d; use the program that serves it, or gatehouse migrate",
			v.Database, v.Program)
	}
	return nil
}

// dump writes what a transaction sees into a new SQLite file.
func dump(ctx context.Context, tx pgx.Tx, path string) error {
	work, err := workFolder(path, "dump") // the migrator wants a folder of its own
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	file := filepath.Join(work, databaseName)
	if err := emptyFile(file); err != nil {
		return err
	}
	if err := upgrade(ctx, file); err != nil {
		return fmt.Errorf("make tables: %w", err)
	}
	db, err := openFile(file, "journal_mode(OFF)", "synchronous(OFF)", "foreign_keys(0)")
	if err != nil {
		return err
	}
	defer db.Close()
	all, err := tables(ctx, db)
	if err != nil {
		return err
	}
	out, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer out.Rollback()
	for _, t := range all {
		if err := dumpTable(ctx, tx, out, t); err != nil {
			return fmt.Errorf("copy table %s: %w", t.name, err)
		}
	}
	if err := out.Commit(); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, path); err != nil {
		return err
	}
	return db.Close()
}

func dumpTable(ctx context.Context, tx pgx.Tx, out *sql.Tx, t table) error {
	if _, err := out.ExecContext(ctx, `DELETE FROM `+t.name); err != nil { // what the migration put there
		return err
	}
	rows, err := tx.Query(ctx, `SELECT `+strings.Join(t.columns, ", ")+` FROM `+t.name)
	if err != nil {
		return err
	}
	defer rows.Close()
	insert, err := out.PrepareContext(ctx, insertInto(t))
	if err != nil {
		return err
	}
	defer insert.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		for i, v := range values {
			values[i] = forSQLite(v)
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return rows.Err()
}

func insertInto(t table) string {
	places := make([]string, len(t.columns))
	for i := range places {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	return `INSERT INTO ` + t.name + ` (` + strings.Join(t.columns, ", ") + `) VALUES (` + strings.Join(places, ", ") + `)`
}

func forSQLite(v any) any {
	switch v := v.(type) {
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	}
	return v
}

// replace puts the content of an SQLite file, at this program's schema, in the
// place of all that the database has. The caller holds the tables locked in tx.
func replace(ctx context.Context, tx pgx.Tx, db *sql.DB) error {
	all, err := tables(ctx, db)
	if err != nil {
		return err
	}
	for _, t := range slices.Backward(all) {
		if _, err := tx.Exec(ctx, `DELETE FROM `+t.name); err != nil {
			return fmt.Errorf("empty table %s: %w", t.name, err)
		}
	}
	for _, t := range all {
		if err := loadTable(ctx, tx, db, t); err != nil {
			return fmt.Errorf("fill table %s: %w", t.name, err)
		}
	}
	// The next row gets the number after the highest.
	_, err = tx.Exec(ctx, `SELECT setval(pg_get_serial_sequence('audit_event', 'number'), (SELECT MAX(number) FROM audit_event))`)
	return err
}

func loadTable(ctx context.Context, tx pgx.Tx, db *sql.DB, t table) error {
	types, err := columnTypes(ctx, tx, t)
	if err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, `SELECT `+strings.Join(t.columns, ", ")+` FROM `+t.name)
	if err != nil {
		return err
	}
	defer rows.Close()
	_, err = tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromFunc(func() ([]any, error) {
		if !rows.Next() {
			return nil, rows.Err()
		}
		values, places := make([]any, len(t.columns)), make([]any, len(t.columns))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			return nil, err
		}
		for i, c := range t.columns {
			values[i] = forPostgres(types[c], values[i])
		}
		return values, nil
	}))
	return err
}

// forPostgres turns around what SQLite has no type for: a truth value is a
// number there, and its driver reads empty bytes as a nil slice.
func forPostgres(kind string, v any) any {
	switch v := v.(type) {
	case int64:
		if kind == "boolean" {
			return v != 0
		}
	case []byte:
		if v == nil {
			return []byte{}
		}
	}
	return v
}

// columnTypes also shows when a column is missing: both engines must have the
// same.
func columnTypes(ctx context.Context, tx pgx.Tx, t table) (map[string]string, error) {
	rows, err := tx.Query(ctx, `
		SELECT column_name, data_type FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name = $1`, t.name)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	var name, kind string
	if _, err := pgx.ForEachRow(rows, []any{&name, &kind}, func() error { out[name] = kind; return nil }); err != nil {
		return nil, err
	}
	for _, c := range t.columns {
		if _, ok := out[c]; !ok {
			return nil, fmt.Errorf("column %s does not exist", c)
		}
	}
	if len(out) != len(t.columns) {
		return nil, fmt.Errorf("it has %d columns, want %d", len(out), len(t.columns))
	}
	return out, nil
}
