package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/schema"
)

// Config says where the database is. Only URL is required.
type Config struct {
	// URL is a connection string as libpq reads it; it may hold a password.
	URL      secret.Text
	MaxConns int32 // 0: what the URL says (pool_max_conns), else 16
	// CommitLimit bounds a commit, which does not end with its caller; 0: 15 s.
	CommitLimit time.Duration
	Logger      *slog.Logger // nil: slog.Default
}

// Engine is a [store.Engine] on one PostgreSQL database.
type Engine struct {
	cfg     Config
	pool    *pgxpool.Pool
	db      *sql.DB
	migrate *schema.Migrator
	closed  atomic.Bool
}

var _ store.Engine = (*Engine)(nil)

// Open connects and makes sure that the server answers and uses UTF-8.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if cfg.CommitLimit == 0 {
		cfg.CommitLimit = 15 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	pc, err := pgxpool.ParseConfig(cfg.URL.Reveal())
	if err != nil {
		// The driver's own message repeats the string, less its password, as
		// far as it could make sense of it; that is not far enough.
		return nil, fmt.Errorf("read database URL: it is not a connection string that PostgreSQL knows")
	}
	limits(pc, cfg)
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, classify(fmt.Errorf("open database: %w", err))
	}
	e := &Engine{cfg: cfg, pool: pool, db: stdlib.OpenDBFromPool(pool)}
	if e.migrate, err = newMigrator(e.db); err == nil {
		err = e.check(ctx)
	}
	if err != nil {
		e.Close()
		return nil, classify(err)
	}
	return e, nil
}

// limits sets the time-outs of every session, leaving what the URL says.
func limits(pc *pgxpool.Config, cfg Config) {
	if cfg.MaxConns > 0 {
		pc.MaxConns = cfg.MaxConns
	} else if !hasPoolSize(cfg.URL) {
		pc.MaxConns = 16
	}
	pc.MaxConnLifetime = time.Hour
	pc.MaxConnLifetimeJitter = 10 * time.Minute
	pc.HealthCheckPeriod = 15 * time.Second
	c := pc.ConnConfig
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	for name, value := range map[string]string{
		"application_name":                    "gatehouse",
		"statement_timeout":                   "15s",
		"lock_timeout":                        "5s",
		"idle_in_transaction_session_timeout": "15s",
		"tcp_keepalives_idle":                 "15",
		"tcp_keepalives_interval":             "5",
		"tcp_keepalives_count":                "3",
		"client_encoding":                     "UTF8",
		"default_transaction_isolation":       "read committed",
	} {
		if _, set := c.RuntimeParams[name]; !set {
			c.RuntimeParams[name] = value
		}
	}
}

func hasPoolSize(url secret.Text) bool {
	c, err := pgx.ParseConfig(url.Reveal())
	return err == nil && c.RuntimeParams["pool_max_conns"] != ""
}

// check refuses a server whose texts are not ours.
func (e *Engine) check(ctx context.Context) error {
	var encoding string
	if err := e.db.QueryRowContext(ctx, `SHOW server_encoding`).Scan(&encoding); err != nil {
		return fmt.Errorf("ask the database for its encoding: %w", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database is encoded in %s; create one with ENCODING 'UTF8'", encoding)
	}
	return nil
}

// Name implements [store.Engine].
func (e *Engine) Name() string { return "postgres" }

// Now implements [store.Engine].
func (e *Engine) Now(ctx context.Context) (time.Time, error) {
	var us int64
	err := e.Read(ctx, func(q store.Querier) error {
		// db_now() would do, but a database may not have been migrated yet.
		return q.QueryRowContext(ctx, `SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint`).Scan(&us)
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the database for the time: %w", err)
	}
	return time.UnixMicro(us), nil
}

// Close ends all sessions, after the transactions that are under way.
func (e *Engine) Close() error {
	e.closed.Store(true)
	err := e.db.Close()
	e.pool.Close()
	return err
}
