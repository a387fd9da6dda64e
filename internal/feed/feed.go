package feed

import (
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Subscriber is told each change of a feed, in order. It is called with the
// feed locked: it must not block and must not call the feed.
type Subscriber interface {
	Publish(p *Publication)
}

// Feed is the state of one feed on this node, and who has subscribed to it.
type Feed struct {
	now func() time.Time

	mu          sync.Mutex
	reports     map[string]*report
	subscribers map[Subscriber]struct{}
	current     map[string]*Publication // of whole reports, until they change
}

func newFeed(now func() time.Time) *Feed {
	return &Feed{
		now:         now,
		reports:     make(map[string]*report),
		subscribers: make(map[Subscriber]struct{}),
		current:     make(map[string]*Publication),
	}
}

// Subscribe adds s and calls first with the present state of the named reports,
// in one step: no change is missed, none comes twice, and none overtakes the
// state. first is bound by the same rules as Publish.
func (f *Feed) Subscribe(s Subscriber, reports []string, first func(state []*Publication)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribers[s] = struct{}{}
	first(f.state(reports))
}

// State calls fn with the present state of the named reports, in that order;
// no change is published until it returns. A report that nobody has published
// is an empty array. fn is bound by the same rules as Publish.
func (f *Feed) State(reports []string, fn func(state []*Publication)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn(f.state(reports))
}

func (f *Feed) state(reports []string) []*Publication {
	state := make([]*Publication, len(reports))
	for i, name := range reports {
		state[i] = f.whole(name)
	}
	return state
}

// Unsubscribe removes s. When it returns, s is not called any more.
func (f *Feed) Unsubscribe(s Subscriber) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.subscribers, s)
}

var emptyArray = jsontext.Value("[]")

func (f *Feed) whole(name string) *Publication {
	if p := f.current[name]; p != nil {
		return p
	}
	p := &Publication{Report: name, Content: emptyArray, At: f.now()}
	if r := f.reports[name]; r != nil {
		p.Content = r.content()
		f.current[name] = p
	}
	return p
}

// apply makes a change that was checked, and tells the subscribers.
func (f *Feed) apply(u Update) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.reports[u.Report]
	if r == nil {
		if len(f.reports) >= MaxReports {
			return ErrTooLarge
		}
		r = &report{document: emptyArray}
	}
	p, err := r.take(u, f.now())
	if err != nil || p == nil {
		return err
	}
	f.reports[u.Report] = r
	delete(f.current, u.Report)
	f.tell(p)
	return nil
}

// take changes the report. There is nothing to tell when nothing changed.
func (r *report) take(u Update, now time.Time) (*Publication, error) {
	switch u.Kind {
	case Whole:
		fresh, err := parseReport(u.Content, u.KeyMember)
		if err != nil {
			return nil, err
		}
		*r = fresh
		return &Publication{Report: u.Report, Content: r.content(), At: now}, nil
	case Row:
		if !r.keyed && len(r.document) > len(emptyArray) {
			return nil, ErrRows
		}
		r.keyed = true
		var gone time.Time
		if u.GoneAfter > 0 {
			gone = now.Add(time.Duration(u.GoneAfter) * time.Millisecond)
		}
		if err := r.setRow(u.Key, u.Content, gone); err != nil {
			return nil, err
		}
		return &Publication{Report: u.Report, Key: u.Key, Content: u.Content, At: now}, nil
	default:
		if !r.removeRow(u.Key) {
			return nil, nil
		}
		return &Publication{Report: u.Report, Key: u.Key, Removed: true, At: now}, nil
	}
}

func (f *Feed) tell(p *Publication) {
	for s := range f.subscribers {
		s.Publish(p)
	}
}

// expire removes the rows whose time has come, and tells the subscribers.
func (f *Feed) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for name, r := range f.reports {
		for _, key := range r.expire(now) {
			delete(f.current, name)
			f.tell(&Publication{Report: name, Key: key, Removed: true, At: now})
		}
	}
}

// validName reports whether s can name a feed, a report or a row.
func validName(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for _, c := range s {
		if c == utf8.RuneError || c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
