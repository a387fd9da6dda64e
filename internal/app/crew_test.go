package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestCrewGoesHomeInOrder: a later shift has ended before an earlier one is told.
func TestCrewGoesHomeInOrder(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var ended []string
	until := func(name string, err error) task {
		return task{name, func(ctx context.Context) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			ended = append(ended, name)
			return err
		}}
	}
	c := newCrew()
	c.start(until("log", nil))
	c.start(until("recorder", errors.New("disk full")))
	c.start(until("producer", context.Canceled))
	err := c.home()
	if !slices.Equal(ended, []string{"producer", "recorder", "log"}) {
		t.Errorf("ended in the order %v", ended)
	}
	if err == nil || err.Error() != "stop recorder: disk full" {
		t.Errorf("home = %v", err)
	}
}

func TestCrewTellsOfWhoLeavesEarly(t *testing.T) {
	t.Parallel()
	c := newCrew()
	c.start(task{"tail", func(context.Context) error { return errors.New("broken") }})
	err := <-c.failed
	if !errors.Is(err, errEarly) || !strings.Contains(err.Error(), "tail stopped by itself: broken") {
		t.Errorf("failed = %v", err)
	}
	if err := c.home(); err != nil {
		t.Errorf("home = %v", err)
	}
}
