package store

import (
	"context"
	"strings"
	"time"

	"gatehouse.dev/internal/audit"
)

var _ audit.Store = (*Store)(nil)

const auditColumns = `number, id, at, node, tenant, actor, action, target, outcome, reason,
	dialect, method, request, count, detail, person, sealed, COALESCE(seq, 0), hash`

func scanEvent(r Row, v *audit.Row) error {
	return r.Scan(&v.Number, &v.ID, moment{&v.At}, &v.Node, &v.Tenant, &v.Actor, &v.Action, &v.Target, &v.Outcome, &v.Reason,
		&v.Dialect, &v.Method, &v.Request, &v.Count, jsonObject{&v.Detail}, &v.Person, &v.Sealed, &v.Seq, &v.Hash)
}

// record writes the event of a change in the transaction of the change, naming
// tenant and target where the caller could not yet know them.
func (s *Store) record(ctx context.Context, q Querier, e audit.Event, tenant, target string) error {
	if e.Tenant == "" {
		e.Tenant = tenant
	}
	if e.Target == "" {
		e.Target = target
	}
	return appendEvent(ctx, q, e, time.Now())
}

func appendEvent(ctx context.Context, q Querier, e audit.Event, now time.Time) error {
	e, err := audit.Prepare(e, now)
	if err != nil {
		return err
	}
	_, err = exec(ctx, q, `
		INSERT INTO audit_event (id, at, node, tenant, actor, action, target, outcome, reason,
			dialect, method, request, count, detail, person, sealed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (id) DO NOTHING`,
		e.ID, us(e.At), e.Node, e.Tenant, e.Actor, e.Action, e.Target, string(e.Outcome), e.Reason,
		e.Dialect, e.Method, e.Request, e.Count, objectText(e.Detail), e.Person, e.Sealed)
	return err
}

// AppendEvents implements [audit.Store].
func (s *Store) AppendEvents(ctx context.Context, events []audit.Event) error {
	now := time.Now()
	return s.engine.Write(ctx, func(q Querier) error {
		for _, e := range events {
			if err := appendEvent(ctx, q, e, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// Events implements [audit.Store].
func (s *Store) Events(ctx context.Context, f audit.Filter) ([]audit.Row, error) {
	query, args := eventsQuery(f)
	return get(ctx, s, func(q Querier) ([]audit.Row, error) {
		rows, err := q.QueryContext(ctx, query, args...)
		return Collect(rows, err, scanEvent)
	})
}

func eventsQuery(f audit.Filter) (string, []any) {
	var w where
	for _, c := range []struct{ column, value string }{
		{"tenant", f.Tenant}, {"actor", f.Actor}, {"target", f.Target}, {"person", f.Person}, {"outcome", string(f.Outcome)},
	} {
		if c.value != "" {
			w.and(c.column+" = ", c.value)
		}
	}
	if prefix, cut := strings.CutSuffix(f.Action, "*"); cut {
		w.and("SUBSTR(action, 1, LENGTH("+w.arg(prefix)+")) = ", prefix)
	} else if f.Action != "" {
		w.and("action = ", f.Action)
	}
	if !f.Since.IsZero() {
		w.and("at >= ", us(f.Since))
	}
	if !f.Until.IsZero() {
		w.and("at < ", us(f.Until))
	}
	order, beyond := "number", "number > "
	if f.Newest {
		order, beyond = "number DESC", "number < "
	}
	if f.After != 0 {
		w.and(beyond, f.After)
	}
	return `SELECT ` + auditColumns + ` FROM audit_event` + w.String() +
		` ORDER BY ` + order + ` LIMIT ` + w.arg(limit(f.Limit)), w.args
}
