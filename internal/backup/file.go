package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"gatehouse.dev/internal/store/sqlite"
)

// openFile opens an SQLite file with one connection, which is all that a copy
// needs, and which ATTACH and transactions stay on.
func openFile(path string, pragmas ...string) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err // the driver would make an empty one
	}
	q := url.Values{"_pragma": append([]string{"busy_timeout(10000)"}, pragmas...), "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// upgrade brings a copy up to this program's schema. It must be alone in its
// folder.
func upgrade(ctx context.Context, path string) (err error) {
	e, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return e.Migrate(ctx)
}

// facts are what must be known of a database before anything is done with it.
type facts struct {
	installation string
	incarnation  int64
	logHead      int64
	auditSeq     int64
	auditHash    []byte
	schema       int64
}

// readFacts reads them from an SQLite file, whose schema may be another
// release's.
func readFacts(ctx context.Context, db *sql.DB) (f facts, err error) {
	err = db.QueryRowContext(ctx, `
		SELECT (SELECT incarnation FROM installation),
			(SELECT n FROM counter WHERE name = 'revocation'),
			COALESCE((SELECT id FROM tenant WHERE name = 'default'), ''),
			(SELECT seq FROM audit_tip), (SELECT hash FROM audit_tip),
			(SELECT MAX(version_id) FROM schema_version)`).
		Scan(&f.incarnation, &f.logHead, &f.installation, &f.auditSeq, &f.auditHash, &f.schema)
	if err != nil {
		return f, fmt.Errorf("this is no Gatehouse database: %w", err)
	}
	return f, nil
}

// sound asks SQLite whether the file is whole.
func sound(ctx context.Context, db *sql.DB) error {
	var answer string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&answer); err != nil {
		return fmt.Errorf("check database: %w", err)
	}
	if answer != "ok" {
		return fmt.Errorf("the database is damaged: %s", answer)
	}
	return nil
}

// tables returns the names of all tables, each after those that it refers to,
// with their columns; but not those that say which migrations an engine has had.
func tables(ctx context.Context, db *sql.DB) ([]table, error) {
	names, err := texts(ctx, db, `
		SELECT name FROM sqlite_master
		WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'schema_%' ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	var out []table
	done := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		if done[name] {
			return nil
		}
		done[name] = true
		parents, err := texts(ctx, db, `SELECT DISTINCT "table" FROM pragma_foreign_key_list($1)`, name)
		if err != nil {
			return err
		}
		for _, p := range parents {
			if err := add(p); err != nil {
				return err
			}
		}
		columns, err := texts(ctx, db, `SELECT name FROM pragma_table_info($1) ORDER BY cid`, name)
		out = append(out, table{name, columns})
		return err
	}
	for _, n := range names {
		if err := add(n); err != nil {
			return nil, fmt.Errorf("list tables: %w", err)
		}
	}
	return out, nil
}

type table struct {
	name    string
	columns []string
}

// querier is a *sql.DB or a *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// texts runs a query of one column.
func texts(ctx context.Context, q querier, query string, args ...any) ([]string, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// emptyFile makes the file that SQLite is to fill, so that nobody else can read
// it at any time.
func emptyFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// workFolder makes a folder on the disk where the result is going to be.
func workFolder(beside, what string) (string, error) {
	dir, err := os.MkdirTemp(filepath.Dir(beside), ".gatehouse-"+what+"-")
	if err != nil {
		return "", fmt.Errorf("make a folder to work in: %w", err)
	}
	return dir, nil
}
