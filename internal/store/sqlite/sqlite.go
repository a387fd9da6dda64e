package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/schema"
)

// Config says where the database is and how much may happen at once. Only Path
// is required.
type Config struct {
	Path    string // the database file; its folder must exist
	Readers int    // connections for reading; 0: twice the processors, at least 4
	Queue   int    // writes that may wait; 0: 4096
	Batch   int    // writes that may share a commit; 0: 128
	// ReadLimit ends a read that takes longer, since it keeps the log from
	// being checkpointed; 0: 30 s.
	ReadLimit time.Duration
	// MaxPages limits the size of the database (pages of 4 KiB); 0: no limit.
	MaxPages int64

	Logger *slog.Logger // nil: slog.Default
}

func (c *Config) defaults() {
	if c.Readers == 0 {
		c.Readers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if c.Queue == 0 {
		c.Queue = 4096
	}
	if c.Batch == 0 {
		c.Batch = 128
	}
	if c.ReadLimit == 0 {
		c.ReadLimit = 30 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

// Engine is a [store.Engine] on one SQLite file.
type Engine struct {
	cfg     Config
	lock    *os.File
	writing *sql.DB
	reading *sql.DB
	writer  *writer
	readers *readers
	bell    bell
	migrate *schema.Migrator

	closing sync.Once
	closed  error
}

var _ store.Engine = (*Engine)(nil)

// Open opens or creates the database and locks its folder. It fails with
// [ErrLocked] when another process has it.
func Open(ctx context.Context, cfg Config) (_ *Engine, err error) {
	cfg.defaults()
	e := &Engine{cfg: cfg}
	if e.lock, err = lockFolder(filepath.Dir(cfg.Path)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			e.release()
			err = classify(err)
		}
	}()
	// The file is made here so that nobody else can read it; SQLite gives the
	// log and its index the mode of the database.
	f, err := os.OpenFile(cfg.Path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	f.Close()
	if e.writing, err = sql.Open("sqlite", dsn(cfg.Path, writerPragmas(cfg))); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if e.reading, err = sql.Open("sqlite", dsn(cfg.Path, readerPragmas())); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	// Migrations use the writing pool beside the writer goroutine, so there are
	// two connections; SQLite's own lock keeps them apart.
	e.writing.SetMaxOpenConns(2)
	e.writing.SetMaxIdleConns(1)
	e.reading.SetMaxOpenConns(cfg.Readers)
	if e.migrate, err = newMigrator(e.writing); err != nil {
		return nil, err
	}
	// The first to open makes the log file, which readers must find.
	if err = e.writing.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("open database %s: %w", cfg.Path, err)
	}
	e.readers = newReaders(e.reading, cfg.Readers)
	e.writer = startWriter(e.writing, cfg)
	return e, nil
}

// writerPragmas explains each setting of the connection that writes.
func writerPragmas(c Config) []string {
	p := []string{
		"busy_timeout(5000)", // only migrations and backups can be in the way
		"journal_mode(WAL)",  // readers and the writer do not wait for each other
		"synchronous(FULL)",  // a COMMIT has reached the disk when it returns
		"foreign_keys(1)",
		"secure_delete(ON)",           // what is erased (keys, salts) is overwritten
		"temp_store(MEMORY)",          // savepoints cost no files
		"cache_size(-16384)",          // 16 MiB
		"wal_autocheckpoint(1000)",    // 4 MiB, then a share of it at each commit
		"journal_size_limit(8388608)", // what the log shrinks to after a burst
	}
	if c.MaxPages > 0 {
		p = append(p, fmt.Sprintf("max_page_count(%d)", c.MaxPages))
	}
	return p
}

func readerPragmas() []string {
	return []string{
		"busy_timeout(1000)",
		"query_only(1)", // a write by mistake fails instead of racing the writer
		"temp_store(MEMORY)",
		"cache_size(-4096)",
	}
}

func dsn(path string, pragmas []string) string {
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// Name implements [store.Engine].
func (e *Engine) Name() string { return "sqlite" }

// Now implements [store.Engine]. The database has no clock but this machine's.
func (e *Engine) Now(context.Context) (time.Time, error) { return time.Now(), nil }

// Stats says how busy the writer is and how well its commits are shared.
type Stats struct {
	Queued     int   // operations that wait now
	Operations int64 // that were made durable
	Commits    int64 // that it took
}

// Stats returns the figures since Open.
func (e *Engine) Stats() Stats {
	return Stats{Queued: len(e.writer.queue), Operations: e.writer.operations.Load(), Commits: e.writer.commits.Load()}
}

// Close waits for the writes that were accepted, then puts the log into the
// database file, so that the file alone is the whole.
func (e *Engine) Close() error {
	e.closing.Do(func() {
		e.writer.stop()
		e.readers.close()
		e.closed = e.release()
	})
	return e.closed
}

// release undoes what Open has done so far.
func (e *Engine) release() error {
	var errs []error
	for _, db := range []*sql.DB{e.reading, e.writing} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if e.lock != nil {
		errs = append(errs, e.lock.Close())
	}
	return errors.Join(errs...)
}
