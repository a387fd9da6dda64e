package live

import "iter"

// set is a set of pointers that needs no memory of its own for one element,
// which is what most grounds and most identities have.
type set[T any] struct {
	one  *T
	more map[*T]struct{} // when there are several; then one is nil
}

func (s *set[T]) add(x *T) {
	switch {
	case s.more != nil:
		s.more[x] = struct{}{}
	case s.one == nil || s.one == x:
		s.one = x
	default:
		s.more = map[*T]struct{}{s.one: {}, x: {}}
		s.one = nil
	}
}

func (s *set[T]) remove(x *T) {
	if s.one == x {
		s.one = nil
	}
	delete(s.more, x)
	if len(s.more) == 0 {
		s.more = nil
	}
}

func (s *set[T]) empty() bool { return s.one == nil && s.more == nil }

func (s *set[T]) all() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		if s.one != nil {
			yield(s.one)
			return
		}
		for x := range s.more {
			if !yield(x) {
				return
			}
		}
	}
}
