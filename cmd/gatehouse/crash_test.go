package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/journal"
)

// promised is a credential with what the server acknowledged about it.
type promised struct {
	id      string
	current string   // the secret that must work
	dead    []string // secrets that must not
	revoked bool
	// unsure is set when the last change got no answer: it may have happened
	// or not, and either is right.
	unsure bool
}

// load changes credentials as fast as it gets answers.
type load struct {
	c     *child
	owner string

	mu   sync.Mutex
	kept []*promised
	acks map[string]int // what was acknowledged, by kind
}

func (l *load) note(what string) {
	l.mu.Lock()
	l.acks[what]++
	l.mu.Unlock()
}

// run makes keys, and rotates and revokes its own, until ctx ends.
func (l *load) run(ctx context.Context) {
	var mine []*promised
	for ctx.Err() == nil {
		if p := l.create(ctx); p != nil {
			mine = append(mine, p)
		} else {
			time.Sleep(10 * time.Millisecond) // the server is away
			continue
		}
		p := mine[rand.IntN(len(mine))]
		if p.revoked || p.unsure {
			continue
		}
		if rand.IntN(2) == 0 {
			l.rotate(ctx, p)
		} else {
			l.revoke(ctx, p)
		}
	}
}

func (l *load) create(ctx context.Context) *promised {
	var out adminapi.Issued
	err := l.c.api.Post(ctx, "/v1/credentials", map[string]any{"principal": l.owner, "kind": "api_key"}, &out)
	if err != nil {
		return nil
	}
	p := &promised{id: out.Credential.ID, current: out.Secret}
	l.mu.Lock()
	l.kept = append(l.kept, p)
	l.acks["key"]++
	l.mu.Unlock()
	return p
}

func (l *load) rotate(ctx context.Context, p *promised) {
	p.unsure = true
	var out adminapi.Rotated
	if l.c.api.Post(ctx, "/v1/credentials/"+p.id+"/rotate", map[string]any{"overlap": "0s"}, &out) == nil {
		p.dead, p.current, p.unsure = append(p.dead, p.current), out.Secret, false
		l.note("rotation")
	}
}

func (l *load) revoke(ctx context.Context, p *promised) {
	p.unsure = true
	var out adminapi.Receipt
	if l.c.api.Post(ctx, "/v1/credentials/"+p.id+"/revoke", nil, &out) == nil {
		p.revoked, p.unsure = true, false
		l.note("revocation")
	}
}

// crashTime is how long the server is killed over and over.
func crashTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("GATEHOUSE_CRASH_SECONDS")
	if text == "" {
		return 8 * time.Second
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		t.Fatalf("GATEHOUSE_CRASH_SECONDS=%q is no number of seconds", text)
	}
	return time.Duration(n) * time.Second
}

// TestKillUnderLoad kills the server in a loop while it makes, rotates and
// revokes keys. Afterwards everything it acknowledged is there: keys work,
// rotated-out and revoked ones do not, the audit chain is whole, the journal has
// every revocation.
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	c := newChild(t)
	c.start()
	var owner adminapi.Principal
	if err := c.api.Post(t.Context(), "/v1/clients", map[string]any{"name": "crash", "roles": []string{"ayyeka/operator"}}, &owner); err != nil {
		t.Fatal(err)
	}
	l := &load{c: c, owner: owner.ID, acks: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for range 6 {
		workers.Go(func() { l.run(ctx) })
	}
	kills := 0
	for end := time.Now().Add(crashTime(t)); time.Now().Before(end); kills++ {
		time.Sleep(time.Duration(100+rand.IntN(900)) * time.Millisecond)
		c.kill()
		c.start()
	}
	stop()
	workers.Wait()
	c.kill()
	c.start()
	t.Logf("killed %d times; acknowledged %v", kills, l.acks)
	if l.acks["key"] == 0 || l.acks["rotation"] == 0 || l.acks["revocation"] == 0 {
		t.Fatal("nothing was acknowledged, so nothing was tested")
	}
	l.check(t)
	c.checkAudit(t)
	c.stop()
	c.checkFiles(t)
}

// check holds everything acknowledged against what the server does now.
func (l *load) check(t *testing.T) {
	t.Helper()
	lost := 0
	for _, p := range l.kept {
		if p.unsure {
			continue
		}
		want := http.StatusOK
		if p.revoked {
			want = http.StatusUnauthorized
		}
		if got, err := l.c.use(t.Context(), p.current); err != nil || got != want {
			t.Errorf("%s (revoked: %v): its secret gives %d, %v; want %d", p.id, p.revoked, got, err, want)
			lost++
		}
		for _, s := range p.dead {
			if got, err := l.c.use(t.Context(), s); err != nil || got != http.StatusUnauthorized {
				t.Errorf("%s: a secret that was rotated out gives %d, %v", p.id, got, err)
				lost++
			}
		}
		if lost > 10 {
			t.Fatal("and so on")
		}
	}
}

func (c *child) checkAudit(t *testing.T) {
	t.Helper()
	// The sealer catches up within a second, and later on a busy machine.
	var v adminapi.Verification
	for range 20 {
		time.Sleep(500 * time.Millisecond)
		if err := c.api.Get(t.Context(), "/v1/audit/verify", nil, &v); err != nil {
			t.Fatal(err)
		}
		if v.Unsealed == 0 {
			break
		}
	}
	if !v.OK || v.Rows == 0 || v.Heads == 0 || v.Unsealed != 0 {
		t.Errorf("audit record: %+v", v)
	}
}

// checkFiles looks at what is on the disk: the database is sound, and the
// journal has every number of the log once.
func (c *child) checkFiles(t *testing.T) {
	t.Helper()
	data := filepath.Join(c.dir, "data")
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "gatehouse.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var sound string
	var head int64
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&sound); err != nil || sound != "ok" {
		t.Errorf("database: %s, %v", sound, err)
	}
	if err := db.QueryRow(`SELECT n FROM counter WHERE name = 'revocation'`).Scan(&head); err != nil {
		t.Fatal(err)
	}
	var next int64 = 1
	damages, err := journal.Read(filepath.Join(data, "journal"), func(r journal.Record) error {
		if r.Revocation == nil {
			return nil
		}
		if r.Revocation.N != next {
			return fmt.Errorf("revocation %d stands where %d should be", r.Revocation.N, next)
		}
		next++
		return nil
	})
	if err != nil || len(damages) > 0 || next != head+1 {
		t.Errorf("journal up to %d of %d: %v, %v", next-1, head, err, damages)
	}
}
