package fair

import "sync"

// Line is a waiting line without end in which sources are served in turn. Every
// second time a source goes first that has had nobody in it, or else the one that
// has fewest: who comes now and then hardly notices others that send ten thousand
// at once. It is safe for concurrent use; make it with [NewLine].
type Line[T any] struct {
	mu     sync.Mutex
	some   *sync.Cond
	closed bool

	queues map[string]*queueOf[T]
	fresh  []*queueOf[T] // of sources that were not in the line
	known  []*queueOf[T] // of the others; may be empty until their turn comes
	strict bool          // the next turn is that of the first known
	length int
}

type queueOf[T any] struct {
	source string
	items  []T
}

// NewLine makes an empty line.
func NewLine[T any]() *Line[T] {
	l := &Line[T]{queues: make(map[string]*queueOf[T])}
	l.some = sync.NewCond(&l.mu)
	return l
}

// Join puts x at the end of its source's part. It reports whether the line is
// still open.
func (l *Line[T]) Join(source string, x T) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	q := l.queues[source]
	if q == nil {
		q = &queueOf[T]{source: source}
		l.queues[source] = q
		l.fresh = append(l.fresh, q)
	}
	q.items = append(q.items, x)
	l.length++
	l.some.Signal()
	return true
}

// Next waits for somebody whose turn it is. It reports false once the line is
// closed.
func (l *Line[T]) Next() (x T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.length == 0 && !l.closed {
		l.some.Wait()
	}
	if l.closed {
		return x, false
	}
	q := l.take()
	x = q.items[0]
	var none T
	q.items[0] = none
	if q.items = q.items[1:]; len(q.items) == 0 {
		q.items = nil
	}
	l.known = append(l.known, q)
	l.length--
	return x, true
}

// take takes out the source whose turn it is. Call with length above 0.
func (l *Line[T]) take() (q *queueOf[T]) {
	l.forget()
	from := &l.fresh
	if len(l.fresh) == 0 || l.strict && len(l.known) > 0 {
		from = &l.known
		if !l.strict {
			l.shortestFirst()
		}
	}
	l.strict = !l.strict
	q = (*from)[0]
	(*from)[0] = nil
	*from = (*from)[1:]
	return q
}

// forget takes out those first of the known of whom nobody has come since their
// turn: they are strangers again.
func (l *Line[T]) forget() {
	for len(l.known) > 0 && len(l.known[0].items) == 0 {
		delete(l.queues, l.known[0].source)
		l.known[0] = nil
		l.known = l.known[1:]
	}
}

// compared is among how many sources the one with fewest is looked for.
const compared = 256

func (l *Line[T]) shortestFirst() {
	best := 0
	for i, q := range l.known[:min(len(l.known), compared)] {
		if n := len(l.known[best].items); len(q.items) > 0 && (n == 0 || len(q.items) < n) {
			best = i
		}
	}
	l.known[0], l.known[best] = l.known[best], l.known[0]
}

// Waiting is how many are in the line.
func (l *Line[T]) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.length
}

// Close ends the line and returns those who were in it.
func (l *Line[T]) Close() (left []T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, q := range l.queues {
		left = append(left, q.items...)
	}
	l.queues, l.fresh, l.known, l.length = nil, nil, nil, 0
	l.some.Broadcast()
	return left
}
