package revocation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// log is a Store in memory.
type log struct {
	mu       sync.Mutex
	batch    Batch // the whole log
	broken   error
	hang     bool
	page     int
	reads    int
	nodes    map[string]time.Time
	receipts []Receipt
}

var errDown = errors.New("database is down")

func (l *log) RevocationsSince(ctx context.Context, n int64, _ int) (Batch, error) {
	l.mu.Lock()
	if l.hang {
		l.mu.Unlock()
		<-ctx.Done()
		return Batch{}, ctx.Err()
	}
	defer l.mu.Unlock()
	l.reads++
	if l.broken != nil {
		return Batch{}, l.broken
	}
	b := Batch{Incarnation: l.batch.Incarnation, Head: l.batch.Head}
	for _, e := range l.batch.Entries {
		if e.N > n && (l.page == 0 || len(b.Entries) < l.page) {
			b.Entries = append(b.Entries, e)
		}
	}
	return b, nil
}

func (l *log) Revoke(_ context.Context, e Entry) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return 0, l.broken
	}
	l.batch.Head++
	e.N = l.batch.Head
	l.batch.Entries = append(l.batch.Entries, e)
	return e.N, nil
}

func (l *log) Heartbeat(_ context.Context, node string, _ Position, r []Receipt) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	if l.nodes == nil {
		l.nodes = make(map[string]time.Time)
	}
	l.nodes[node] = time.Now()
	l.receipts = append(l.receipts, r...)
	return nil
}

func (l *log) LiveNodes(_ context.Context, within time.Duration) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return nil, l.broken
	}
	var live []string
	for node, seen := range l.nodes {
		if time.Since(seen) <= within {
			live = append(live, node)
		}
	}
	slices.Sort(live)
	return live, nil
}

func (l *log) Receipts(_ context.Context, change int64) ([]Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return nil, l.broken
	}
	var rs []Receipt
	for _, r := range l.receipts {
		if r.Change == change {
			rs = append(rs, r)
		}
	}
	return rs, nil
}

// with changes the log under its lock.
func (l *log) with(f func(*log)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l)
}

func (l *log) revoke(t *testing.T, g ...Ground) int64 {
	t.Helper()
	n, err := l.Revoke(t.Context(), Entry{Effect: End, Grounds: g})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// conns counts what a Tail asks of it. Entries take as long as slow says.
type conns struct {
	mu      sync.Mutex
	applied []int64
	resets  int
	closed  int
	slow    time.Duration
}

func (c *conns) Apply(e Entry, report func(int)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applied = append(c.applied, e.N)
	n := c.closed
	if c.slow == 0 {
		report(n)
		return
	}
	time.AfterFunc(c.slow, func() { report(n) })
}

func (c *conns) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resets++
}

// run starts a Tail that ends with the test.
func run(t *testing.T, o Options) *Tail {
	t.Helper()
	if o.Node == "" {
		o.Node = "one"
	}
	tail := NewTail(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { tail.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return tail
}

func key(id string) Ground  { return Ground{Credential, id} }
func user(id string) Ground { return Ground{Principal, id} }

func (l *slowLog) RevocationsSince(ctx context.Context, n int64, limit int) (Batch, error) {
	b, err := l.log.RevocationsSince(ctx, n, limit)
	time.Sleep(l.takes)
	return b, err
}
