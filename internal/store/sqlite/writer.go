package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/guard"
)

// An operation is either still the caller's to withdraw, or the writer's.
const (
	queued int32 = iota
	taken
	withdrawn
)

// operation is one call of Write on its way through the queue.
type operation struct {
	fn    func(store.Querier) error
	state atomic.Int32
	done  chan error // buffered, so the writer never waits for a caller

	// Set by the writer while the operation is in a batch.
	q   *guard.Querier
	err error
}

// writer owns the only connection that writes.
type writer struct {
	db    *sql.DB
	cfg   Config
	queue chan *operation

	// mu is held for reading while sending to queue, and for writing to close it.
	mu     sync.RWMutex
	closed bool
	ended  chan struct{} // closed when the goroutine has finished

	operations, commits atomic.Int64

	// What follows belongs to the goroutine.

	c     *conn        // nil when it has to be opened (again)
	alone []*operation // from a batch that was lost, to be run one by one
	since int          // batches since the log was last looked at
}

func startWriter(db *sql.DB, cfg Config) *writer {
	w := &writer{db: db, cfg: cfg, queue: make(chan *operation, cfg.Queue), ended: make(chan struct{})}
	go w.loop()
	return w
}

// Write implements [store.Engine].
func (e *Engine) Write(ctx context.Context, fn func(store.Querier) error) error {
	return classify(e.writer.write(ctx, fn))
}

func (w *writer) write(ctx context.Context, fn func(store.Querier) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("begin write: %w", err)
	}
	op := &operation{fn: fn, done: make(chan error, 1)}
	if err := w.enqueue(ctx, op); err != nil {
		return err
	}
	select {
	case err := <-op.done:
		return err
	case <-ctx.Done():
		if op.state.CompareAndSwap(queued, withdrawn) {
			return fmt.Errorf("wait for the writer: %w", ctx.Err())
		}
		// It is being run or committed. Leaving now would leave the caller
		// without the truth, and fn running beside a caller that has gone on.
		return <-op.done
	}
}

func (w *writer) enqueue(ctx context.Context, op *operation) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return store.ErrClosed
	}
	select {
	case w.queue <- op:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a place in the write queue: %w", ctx.Err())
	}
}

// stop lets the writer finish what is queued, and waits for it.
func (w *writer) stop() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
}

// loop is the writer goroutine.
func (w *writer) loop() {
	for {
		batch := w.next()
		if batch == nil {
			break
		}
		if len(batch) > 0 { // not all withdrawn
			w.commit(batch)
			w.keepLogSmall()
		}
	}
	if w.c != nil {
		// Best effort: an incomplete checkpoint is finished by the next Open.
		w.c.run("PRAGMA wal_checkpoint(TRUNCATE)")
		w.c.close()
	}
	close(w.ended)
}

// next returns what to run in the next transaction, nil when it was the last.
func (w *writer) next() []*operation {
	if len(w.alone) > 0 {
		op := w.alone[0]
		w.alone = w.alone[1:]
		return []*operation{op}
	}
	op, ok := <-w.queue
	if !ok {
		return nil
	}
	return w.collect(op)
}

// collect takes first and whatever else is waiting, as far as a batch goes.
func (w *writer) collect(first *operation) []*operation {
	batch := take(make([]*operation, 0, 8), first)
	for len(batch) < w.cfg.Batch {
		select {
		case op, ok := <-w.queue:
			if !ok {
				return batch
			}
			batch = take(batch, op)
		default:
			return batch
		}
	}
	return batch
}

func take(batch []*operation, op *operation) []*operation {
	if op.state.CompareAndSwap(queued, taken) {
		return append(batch, op)
	}
	return batch
}
