package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gatehouse.dev/internal/ticket"
)

var _ ticket.Store = (*Store)(nil)

// AddTicket implements [ticket.Store].
func (s *Store) AddTicket(ctx context.Context, t ticket.Ticket, life time.Duration) (time.Time, error) {
	maker, err := json.Marshal(t.Maker)
	if err != nil {
		return time.Time{}, fmt.Errorf("encode the maker of a ticket: %w", err)
	}
	return put(ctx, s, func(q Querier) (expires time.Time, err error) {
		err = q.QueryRowContext(ctx, `
			INSERT INTO ticket (digest, tenant, opens, origin, maker, expires, used)
			VALUES ($1, $2, $3, $4, $5, db_now() + $6, 0) RETURNING expires`,
			t.Digest, t.Tenant, t.Opens, t.Origin, string(maker), life.Microseconds()).Scan(moment{&expires})
		return expires, err
	})
}

// UseTicket implements [ticket.Store]. Of several who come at once the first
// changes the row, and the others find it changed. It reads first: what anybody
// can make up must not cost a write.
func (s *Store) UseTicket(ctx context.Context, tenant string, digests [][]byte) (ticket.Ticket, error) {
	digest, err := s.ticketThere(ctx, tenant, digests)
	if err != nil {
		return ticket.Ticket{}, rename(err, ErrNotFound, ticket.ErrUnknown)
	}
	t, err := put(ctx, s, func(q Querier) (t ticket.Ticket, err error) {
		return one(q.QueryRowContext(ctx, `
			UPDATE ticket SET used = db_now()
			WHERE digest = $1 AND tenant = $2 AND used = 0 AND expires > db_now()
			RETURNING digest, tenant, opens, origin, maker, expires`, digest, tenant), scanTicket)
	})
	return t, rename(err, ErrNotFound, ticket.ErrUnknown)
}

// ticketThere returns the first of the digests that is that of a ticket.
func (s *Store) ticketThere(ctx context.Context, tenant string, digests [][]byte) ([]byte, error) {
	return get(ctx, s, func(q Querier) (found []byte, err error) {
		err = ErrNotFound
		for _, d := range digests {
			err = q.QueryRowContext(ctx, `
				SELECT digest FROM ticket
				WHERE digest = $1 AND tenant = $2 AND used = 0 AND expires > db_now()`, d, tenant).Scan(&found)
			if !notFound(err) {
				break
			}
		}
		return found, err
	})
}

func scanTicket(r Row, t *ticket.Ticket) error {
	return r.Scan(&t.Digest, &t.Tenant, &t.Opens, &t.Origin, jsonInto{&t.Maker}, moment{&t.Expires})
}

// SweepTickets implements [ticket.Store].
func (s *Store) SweepTickets(ctx context.Context, before time.Time) (int64, error) {
	return s.sweep(ctx, chunk{
		query: `DELETE FROM ticket WHERE digest IN (SELECT digest FROM ticket WHERE expires < $1 LIMIT $2)`, before: us(before),
	})
}
