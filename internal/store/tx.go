package store

import (
	"context"
	"errors"
)

// get runs fn in a Read and returns what it found in its last run.
func get[T any](ctx context.Context, s *Store, fn func(Querier) (T, error)) (T, error) {
	return run(ctx, s.engine.Read, fn)
}

// put runs fn in a Write and returns what it made in its last run.
func put[T any](ctx context.Context, s *Store, fn func(Querier) (T, error)) (T, error) {
	return run(ctx, s.engine.Write, fn)
}

func run[T any](ctx context.Context, with func(context.Context, func(Querier) error) error, fn func(Querier) (T, error)) (T, error) {
	var out T
	err := with(ctx, func(q Querier) (err error) {
		out, err = fn(q)
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return out, nil
}

// exec runs one statement and returns how many rows it touched.
func exec(ctx context.Context, q Querier, query string, args ...any) (int64, error) {
	res, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// must runs one statement that has to touch a row, else it is ErrNotFound.
func must(ctx context.Context, q Querier, query string, args ...any) error {
	n, err := exec(ctx, q, query, args...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// known is an error under the name its noun has for it, with our own kind and
// the cause still to be found in it.
type known struct{ noun, cause error }

func (k known) Error() string   { return k.noun.Error() }
func (k known) Unwrap() []error { return []error{k.noun, k.cause} }

// rename gives err the noun's name for a kind, from pairs of kind and name.
func rename(err error, pairs ...error) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if errors.Is(err, pairs[i]) && !errors.Is(err, pairs[i+1]) {
			return known{pairs[i+1], err}
		}
	}
	return err
}
