package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/grant"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/token"
)

// BenchmarkRawFull is what the others are compared with: one transaction after
// the other on the same kind of file, at synchronous=FULL, by the driver alone.
func BenchmarkRawFull(b *testing.B) {
	path := filepath.Join(b.TempDir(), "raw.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE thing (id TEXT PRIMARY KEY, n INTEGER NOT NULL, pad BLOB) STRICT`); err != nil {
		b.Fatal(err)
	}
	insert, err := db.Prepare(insertThing)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := range b.N {
		tx, err := db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Stmt(insert).Exec(fmt.Sprint("key ", i), i); err != nil {
			b.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

// callers runs fn b.N times in all, from that many goroutines.
func callers(b *testing.B, n int, fn func(caller, i int) error) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for c := range n {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				if err := fn(c, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprint("Callers", n), func(b *testing.B) {
			e := withThings(b, sqlite.Config{})
			callers(b, n, func(_, i int) error { return execute(context.Background(), e, insertThing, fmt.Sprint("key ", i), i) })
			s := e.Stats()
			b.ReportMetric(float64(s.Operations)/float64(s.Commits), "op/commit")
		})
	}
}

// bench is a store with somebody in it.
func bench(b *testing.B) (*store.Store, credential.Credential) {
	b.Helper()
	s := store.New(open(b, sqlite.Config{}))
	ctx := b.Context()
	e := audit.Event{Actor: "system", Action: "bench"}
	t, err := s.EnsureTenant(ctx, "bench", e)
	if err != nil {
		b.Fatal(err)
	}
	p, err := s.CreatePrincipal(ctx, principal.Principal{ID: id.New("cli"), Tenant: t.ID, Kind: principal.Client, Name: "c", Enabled: true, Roles: []string{"a", "b"}}, e)
	if err != nil {
		b.Fatal(err)
	}
	c, _, err := s.CreateCredential(ctx, credential.Credential{ID: id.New("cre"), Tenant: t.ID, Principal: p.ID, Kind: credential.KeyPair, Lookup: "KEY", Enabled: true},
		[]credential.Secret{{ID: id.New("sec"), Scheme: credential.Digest, Hash: []byte("hash")}}, e)
	if err != nil {
		b.Fatal(err)
	}
	return s, c
}

func BenchmarkAddOpaque(b *testing.B) {
	s, c := bench(b)
	callers(b, 64, func(_, i int) error {
		return s.AddOpaque(context.Background(), token.Opaque{ID: fmt.Sprint("tok_", i), Digest: fmt.Append(nil, "digest", i), Tenant: c.Tenant,
			Principal: c.Principal, Credential: c.ID, Scopes: []string{"read"}, Expires: time.Now().Add(time.Hour)})
	})
}

func BenchmarkRotateRefresh(b *testing.B) {
	s, c := bench(b)
	const n = 64
	for caller := range n {
		err := s.CreateGrant(b.Context(), grant.Grant{ID: fmt.Sprint("grt_", caller), Tenant: c.Tenant, Principal: c.Principal},
			grant.Refresh{Digest: fmt.Append(nil, caller, " ", 0), Salt: []byte("salt")}, audit.Event{Action: "bench"})
		if err != nil {
			b.Fatal(err)
		}
	}
	at := make([]int, n)
	callers(b, n, func(caller, _ int) error {
		at[caller]++
		_, err := s.RotateRefresh(context.Background(), grant.Rotation{
			Presented: fmt.Append(nil, caller, " ", at[caller]-1),
			Next:      grant.Refresh{Digest: fmt.Append(nil, caller, " ", at[caller]), Salt: []byte("salt")},
			Window:    10 * time.Second,
		}, audit.Event{Action: "reuse"})
		return err
	})
}

// BenchmarkAppendEvents is what a login costs in the record, written with others.
func BenchmarkAppendEvents(b *testing.B) {
	s, _ := bench(b)
	const together = 256
	events := make([]audit.Event, 0, together)
	for i := range b.N {
		events = append(events, audit.Event{
			ID: id.Dated("aud", time.Now()), Tenant: "ten_1", Actor: "usr_1", Action: "login", Target: fmt.Sprint("crd_", i%100),
			Dialect: "acqueon", Method: "key_pair", Request: id.New("req"),
		})
		if len(events) == together || i == b.N-1 {
			if err := s.AppendEvents(b.Context(), events); err != nil {
				b.Fatal(err)
			}
			events = events[:0]
		}
	}
}

// BenchmarkRecordByLookup is what a verification costs that is not remembered.
func BenchmarkRecordByLookup(b *testing.B) {
	s, c := bench(b)
	callers(b, 8, func(int, int) error {
		_, err := s.RecordByLookup(context.Background(), c.Tenant, credential.KeyPair, "KEY")
		return err
	})
}
