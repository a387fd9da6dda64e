package ops

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// A Check returns nil while something that requests need is there.
type Check func(context.Context) error

// checkTime bounds one check; a database that hangs is a database that is away.
const checkTime = 2 * time.Second

// Health holds the named checks of this node. The zero value is ready.
type Health struct {
	mu       sync.Mutex
	names    []string
	checks   map[string]Check
	notes    map[string]bool // checks that are only shown
	draining bool
}

// Add names a check. The name is shown to whoever asks /readyz.
func (h *Health) Add(name string, c Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checks == nil {
		h.checks = map[string]Check{}
	}
	if _, known := h.checks[name]; !known {
		h.names = append(h.names, name)
	}
	h.checks[name] = c
}

// Note names a check that is shown and never makes the node unready.
func (h *Health) Note(name string, c Check) {
	h.Add(name, c)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.notes == nil {
		h.notes = map[string]bool{}
	}
	h.notes[name] = true
}

// Drain makes the node not ready, for good.
func (h *Health) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

var errDraining = errors.New("stopping")

// Result is the outcome of one check.
type Result struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Note  bool   `json:"note,omitempty"` // shown only: the node is ready without it
	Error string `json:"error,omitempty"`
	Took  int64  `json:"ms"`
}

// Run does all checks at once and reports them in the order they were added.
func (h *Health) Run(ctx context.Context) (ready bool, results []Result) {
	h.mu.Lock()
	names, checks, draining := h.names, make([]Check, len(h.names)), h.draining
	notes := make([]bool, len(names))
	for i, n := range names {
		checks[i], notes[i] = h.checks[n], h.notes[n]
	}
	h.mu.Unlock()

	ctx, stop := context.WithTimeout(ctx, checkTime)
	defer stop()
	results = make([]Result, len(names))
	var all sync.WaitGroup
	for i := range names {
		all.Go(func() { results[i] = run(ctx, names[i], checks[i]) })
	}
	all.Wait()
	for i, note := range notes {
		results[i].Note = note
	}
	if draining {
		results = append(results, Result{Name: "draining", Error: errDraining.Error()})
	}
	ready = true
	for _, r := range results {
		ready = ready && (r.OK || r.Note)
	}
	return ready, results
}

// run does one check and leaves it behind when it does not come back in time.
func run(ctx context.Context, name string, c Check) Result {
	began := time.Now()
	answer := make(chan error, 1)
	go func() { answer <- c(ctx) }()
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = ctx.Err()
	}
	r := Result{Name: name, OK: err == nil, Took: time.Since(began).Milliseconds()}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// readyz answers 200 or 503 with one member per check.
func (h *Health) readyz(w http.ResponseWriter, r *http.Request) {
	ready, results := h.Run(r.Context())
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Ready  bool     `json:"ready"`
		Checks []Result `json:"checks"`
	}{ready, results})
}
