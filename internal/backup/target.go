package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gatehouse.dev/internal/store/sqlite"
)

func detailText(m map[string]string) (string, error) {
	b, err := json.Marshal(m)
	return string(b), err
}

func (s SQLite) folder() string { return filepath.Dir(s.Path) }

// hold takes the lock that a server holds on its data folder.
func (s SQLite) hold(context.Context) (held, error) {
	if err := os.MkdirAll(s.folder(), 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	lock, err := sqlite.Lock(s.folder())
	if err != nil {
		return nil, err
	}
	return &heldFile{s, lock}, nil
}

type heldFile struct {
	SQLite
	lock io.Closer
}

func (h *heldFile) release() { h.lock.Close() }

func (h *heldFile) copy(ctx context.Context, path string) error { return h.Copy(ctx, path) }

// install renames the new file over the old, which a second name keeps. Before
// that the old one's log must be gone, or SQLite would play it into the new.
func (h *heldFile) install(ctx context.Context, path string) (kept string, err error) {
	if err := syncFile(path); err != nil {
		return "", err
	}
	if _, err := os.Lstat(h.Path); err == nil {
		if kept, err = h.keep(ctx); err != nil {
			return "", fmt.Errorf("keep the former database: %w", err)
		}
	}
	if err := os.Rename(path, h.Path); err != nil {
		return "", err
	}
	return kept, syncFolder(h.folder())
}

// keep gives the former database another name beside its own.
func (h *heldFile) keep(ctx context.Context) (string, error) {
	kept := fmt.Sprintf("%s.replaced-%s", h.Path, time.Now().UTC().Format("20060102T150405.000Z"))
	h.completeFile(ctx)
	for _, suffix := range []string{"-wal", "-shm"} {
		// Still there only if the database is too damaged to be completed. The
		// log belongs to it, so it goes where it goes.
		if err := os.Rename(h.Path+suffix, kept+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if err := os.Link(h.Path, kept); err != nil {
		return "", err
	}
	return kept, syncFolder(h.folder())
}

// completeFile lets SQLite put the log into the database and remove it.
func (h *heldFile) completeFile(ctx context.Context) {
	db, err := openFile(h.Path)
	if err != nil {
		return
	}
	_, _ = db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	db.Close()
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func (p Postgres) folder() string { return os.TempDir() }

// serving is how long ago a node must have been seen to count as at work: the
// lease, after which it would no longer trust its own memory.
const serving = 30 * time.Second

// hold locks all tables until release, and refuses while a node is at work.
func (p Postgres) hold(ctx context.Context) (_ held, err error) {
	if err := p.prepare(ctx); err != nil {
		return nil, err
	}
	conn, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	h := &heldServer{conn: conn}
	defer func() {
		if err != nil {
			h.release()
		}
	}()
	if h.tx, err = conn.Begin(ctx); err != nil {
		return nil, fmt.Errorf("begin restore: %w", err)
	}
	if err := lockTables(ctx, h.tx); err != nil {
		return nil, err
	}
	rows, err := h.tx.Query(ctx, `SELECT id FROM node WHERE seen > db_now() - $1 ORDER BY id`, serving.Microseconds())
	if err != nil {
		return nil, fmt.Errorf("look for nodes: %w", err)
	}
	nodes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look for nodes: %w", err)
	}
	if len(nodes) > 0 {
		return nil, fmt.Errorf("%w: seen within %s: %s; stop every node, wait as long, and try again", ErrServing, serving, strings.Join(nodes, ", "))
	}
	return h, nil
}

// ErrServing says that servers are at work on the database.
var ErrServing = errors.New("the database is in use")

// prepare makes the tables, in a database that is new.
func (p Postgres) prepare(ctx context.Context) error {
	e, err := p.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(e.Migrate(ctx), e.Close())
}

// lockTables keeps everybody out. A server that is at work keeps it waiting for
// ten seconds at most.
func lockTables(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename`)
	if err != nil {
		return fmt.Errorf("list tables: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list tables: %w", err)
	}
	if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '10s'`); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `LOCK TABLE `+strings.Join(names, ", ")+` IN ACCESS EXCLUSIVE MODE`); err != nil {
		return fmt.Errorf("%w: its tables cannot be locked: %w", ErrServing, err)
	}
	return nil
}

type heldServer struct {
	conn *pgx.Conn
	tx   pgx.Tx
}

func (h *heldServer) release() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if h.tx != nil {
		h.tx.Rollback(ctx) // does nothing after the commit
	}
	h.conn.Close(ctx)
}

func (h *heldServer) copy(ctx context.Context, path string) error { return dump(ctx, h.tx, path) }

// install replaces all rows in the transaction that holds the tables.
func (h *heldServer) install(ctx context.Context, path string) (string, error) {
	db, err := openFile(path)
	if err != nil {
		return "", err
	}
	defer db.Close()
	if err := replace(ctx, h.tx, db); err != nil {
		return "", err
	}
	return "", h.tx.Commit(ctx)
}
