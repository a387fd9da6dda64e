package demo

import (
	"context"
	"fmt"
	"time"
)

// step is one thing that is proven: what, by which request, and how. do returns
// what is worth telling.
type step struct {
	what string
	how  string
	do   func(ctx context.Context) (note string, err error)
	// took, where set, is the time to show; otherwise it is how long do took.
	took *time.Duration
}

// chapter is steps that belong together. When one fails, those after it in the
// chapter are not tried, because they build on it.
type chapter struct {
	name  string
	steps []step
}

// prove does all steps, shows each with its time, and says how many failed.
func (s *screen) prove(ctx context.Context, chapters []chapter) (passed, failed int) {
	for _, c := range chapters {
		s.section(c.name)
		for i, st := range c.steps {
			began := time.Now()
			note, err := st.do(ctx)
			took := time.Since(began)
			if st.took != nil && err == nil {
				took = *st.took
			}
			if err != nil {
				s.step(false, st.what, st.how, err.Error(), took)
				if left := len(c.steps) - i - 1; left > 0 {
					s.printf("    %s\n", s.in(dim, fmt.Sprintf("%d more not tried", left)))
				}
				failed += len(c.steps) - i
				break
			}
			s.step(true, st.what, st.how, note, took)
			passed++
		}
	}
	return passed, failed
}
