package sqlite

import (
	"context"
	"errors"
	"fmt"

	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/guard"
)

// errLost means that the transaction is gone, and all of the batch with it.
var errLost = errors.New("transaction lost")

// commit runs the batch and answers each operation exactly once, now or, when
// the batch was lost, after running it again from w.alone.
func (w *writer) commit(batch []*operation) {
	err := w.transact(batch)
	switch {
	case err == nil:
		for _, op := range batch {
			w.answer(op, op.err)
		}
	case len(batch) == 1:
		w.answer(batch[0], err)
	default:
		w.cfg.Logger.Warn("write batch lost, running its operations one by one", "operations", len(batch), "error", err)
		w.alone = append(w.alone, batch...)
	}
}

func (w *writer) answer(op *operation, err error) {
	if err == nil {
		op.q.Committed()
	}
	op.q = nil
	op.done <- err
}

// transact runs all of batch in one transaction. When it returns nil, what
// succeeded is durable and each operation has its own result in err; otherwise
// nothing was kept.
func (w *writer) transact(batch []*operation) (err error) {
	if err := w.open(); err != nil {
		return fmt.Errorf("open writer: %w", err)
	}
	// Also runs when a function ends the goroutine (runtime.Goexit).
	finished := false
	defer func() {
		if err != nil || !finished {
			w.reset()
		}
		if !finished {
			w.replace(batch)
		}
	}()
	err = w.statements(batch)
	finished = true
	return err
}

func (w *writer) statements(batch []*operation) error {
	if err := w.c.run("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	run := w.runOne
	if len(batch) == 1 {
		run = w.runAlone
	}
	kept := 0
	for _, op := range batch {
		if err := run(op); err != nil {
			return err
		}
		if op.err == nil {
			kept++
		}
	}
	if kept == 0 { // nothing to make durable, so no fsync
		if w.c.run("ROLLBACK") != nil { // SQLite has done it by itself
			return fmt.Errorf("%w: %w", errLost, batch[0].err)
		}
		return nil
	}
	if err := w.c.run("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	w.commits.Add(1)
	w.operations.Add(int64(kept))
	return nil
}

// runAlone runs the only operation of a transaction, which the transaction itself
// can undo: for a savepoint SQLite copies each page before it is changed.
func (w *writer) runAlone(op *operation) error {
	op.q = guard.New(w.c, context.WithoutCancel)
	op.err = op.q.Run(op.fn)
	return nil
}

// runOne runs one operation inside a savepoint and sets its err. What it
// returns itself means that the whole transaction is lost.
func (w *writer) runOne(op *operation) error {
	if err := w.c.run("SAVEPOINT op"); err != nil {
		return fmt.Errorf("%w: savepoint: %w", errLost, err)
	}
	op.q = guard.New(w.c, context.WithoutCancel)
	op.err = op.q.Run(op.fn)
	if op.err == nil {
		if err := w.c.run("RELEASE op"); err != nil {
			return fmt.Errorf("%w: release: %w", errLost, err)
		}
		return nil
	}
	// Fails when SQLite has rolled everything back by itself, for then there is
	// no savepoint any more.
	if w.c.run("ROLLBACK TO op") != nil || w.c.run("RELEASE op") != nil {
		return fmt.Errorf("%w: %w", errLost, op.err)
	}
	return nil
}

func (w *writer) open() (err error) {
	if w.c == nil {
		w.c, err = openConn(context.Background(), w.db)
	}
	return err
}

// reset ends whatever transaction is open. When even that fails, the
// connection is given up; the next batch opens a new one.
func (w *writer) reset() {
	if w.c == nil {
		return
	}
	w.c.run("ROLLBACK") // refused when SQLite has already done it
	if w.c.run("BEGIN") != nil || w.c.run("ROLLBACK") != nil {
		w.c.close()
		w.c = nil
	}
}

// replace continues after a function has ended the writer goroutine: its own
// operation and the others of the batch fail, and a new goroutine goes on.
func (w *writer) replace(batch []*operation) {
	for _, op := range batch {
		op.done <- &store.PanicError{Value: "a function in the batch ended its goroutine"}
	}
	go w.loop()
}
