package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// crew is the work in the background. It is started in shifts and sent home in
// the reverse order: whoever writes what others produce stays until these are
// gone.
type crew struct {
	shifts []*shift
	failed chan error // the first task that ended although nobody asked it to
}

type shift struct {
	context context.Context
	stop    context.CancelFunc
	all     sync.WaitGroup
	mu      sync.Mutex
	errs    []error
}

// task is one piece of work; it returns when its context ends.
type task struct {
	name string
	run  func(ctx context.Context) error
}

func newCrew() *crew { return &crew{failed: make(chan error, 1)} }

// start begins a shift.
func (c *crew) start(tasks ...task) {
	s := new(shift)
	s.context, s.stop = context.WithCancel(context.Background())
	c.shifts = append(c.shifts, s)
	for _, t := range tasks {
		s.all.Go(func() { c.work(s, t) })
	}
}

func (c *crew) work(s *shift, t task) {
	err := t.run(s.context)
	if s.context.Err() == nil {
		err = fmt.Errorf("%s stopped by itself: %w", t.name, errors.Join(err, errEarly))
		select {
		case c.failed <- err:
		default:
		}
		return
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.errs = append(s.errs, fmt.Errorf("stop %s: %w", t.name, err))
	}
}

var errEarly = errors.New("it should run as long as the server does")

// home ends all shifts, the last one first, and waits for each.
func (c *crew) home() error {
	var errs []error
	for i := len(c.shifts); i > 0; i-- {
		s := c.shifts[i-1]
		s.stop()
		s.all.Wait()
		errs = append(errs, s.errs...)
	}
	return errors.Join(errs...)
}
