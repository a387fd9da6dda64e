package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"database/sql"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// rawSigning signs with RS384 and a 3072-bit key on all cores, and does
// nothing else.
func rawSigning() (side, error) {
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		return nil, fmt.Errorf("make RSA key: %w", err)
	}
	digest := sha512.Sum384([]byte("header.payload"))
	return func(ctx context.Context, d time.Duration) (measure, error) {
		return parallel(ctx, d, runtime.GOMAXPROCS(0), func() error {
			_, err := rsa.SignPKCS1v15(nil, key, crypto.SHA384, digest[:])
			return err
		})
	}, nil
}

// rawTransactions commits one row at a time to the SQLite file, on one
// connection, which is all the writers that SQLite has.
func (l *lab) rawTransactions(path string) (side, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	l.later(func() { db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS bench_raw (id INTEGER PRIMARY KEY, v BLOB NOT NULL)`); err != nil {
		return nil, fmt.Errorf("make table: %w", err)
	}
	v := make([]byte, 64)
	return func(ctx context.Context, d time.Duration) (measure, error) {
		return parallel(ctx, d, 1, func() error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.ExecContext(ctx, `INSERT INTO bench_raw (v) VALUES ($1)`, v); err != nil {
				return err
			}
			return tx.Commit()
		})
	}, nil
}

// parallel runs f over and over on n goroutines and returns how often it went
// through per second.
func parallel(ctx context.Context, d time.Duration, n int, f func() error) (measure, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var count atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	begin := time.Now()
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := f(); err != nil {
					if ctx.Err() == nil {
						failed.Store(&err)
					}
					return
				}
				count.Add(1)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return measure{}, *err
	}
	return measure{value: float64(count.Load()) / time.Since(begin).Seconds()}, nil
}
