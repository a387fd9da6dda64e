package adminapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"gatehouse.dev/internal/audit"
)

func (a *api) audit() {
	const tag = "Audit"
	add(a, op{
		id: "list-audit", method: http.MethodGet, path: "/v1/audit", tag: tag, what: "audit",
		summary: "Read the audit record", detail: "The latest first, unless told otherwise.",
	}, a.listAudit)
	add(a, op{
		id: "verify-audit", method: http.MethodGet, path: "/v1/audit/verify", tag: tag, what: "audit", installation: true,
		summary: "Check that nobody has rewritten the audit record", detail: "Walks the chain of all tenants; takes a while.",
	}, a.verifyAudit)
}

type listAuditIn struct {
	InTenant
	Actor  string    `query:"actor" maxLength:"64" doc:"Who did it: id of a principal, local, or system"`
	Action string    `query:"action" maxLength:"64" doc:"What was done, such as credential.revoke, or credential.*"`
	Target string    `query:"target" maxLength:"256" doc:"Id of what it was done to"`
	Result string    `query:"outcome" enum:"ok,refused,failed"`
	Since  time.Time `query:"since"`
	Until  time.Time `query:"until"`
	After  int64     `query:"after" minimum:"0" doc:"Go on after this number"`
	Order  string    `query:"order" enum:"newest,oldest" default:"newest"`
	Limit  int       `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Reveal bool      `query:"reveal" doc:"Show personal fields: addresses and typed names"`
}

// Event is one row of the audit record.
type Event struct {
	Number   int64             `json:"number" doc:"Order of arrival"`
	Seq      int64             `json:"seq,omitempty" doc:"Place in the chain; absent for the second before it has one"`
	ID       string            `json:"id"`
	At       time.Time         `json:"at"`
	Node     string            `json:"node,omitempty"`
	Tenant   string            `json:"tenant,omitempty"`
	Actor    string            `json:"actor"`
	Action   string            `json:"action"`
	Target   string            `json:"target,omitempty"`
	Outcome  string            `json:"outcome" enum:"ok,refused,failed"`
	Reason   string            `json:"reason,omitempty"`
	Dialect  string            `json:"dialect,omitempty"`
	Method   string            `json:"method,omitempty"`
	Request  string            `json:"request,omitempty"`
	Count    int64             `json:"count" doc:"How many alike this row stands for"`
	Detail   map[string]string `json:"detail,omitempty"`
	Personal map[string]string `json:"personal,omitempty" doc:"When asked for, and not erased"`
	Erased   bool              `json:"erased,omitempty" doc:"The person of the personal fields has been erased"`
}

// EventPage is one page of the record. Next, when there, goes into ?after=.
type EventPage struct {
	Items []Event `json:"items" nullable:"false"`
	Next  int64   `json:"next,omitempty"`
}

type eventsOut struct{ Body EventPage }

func (a *api) listAudit(ctx context.Context, c *call, in listAuditIn) (*eventsOut, error) {
	rows, err := a.Audit.Events(ctx, audit.Filter{
		Tenant: c.tenant.ID, Actor: in.Actor, Action: in.Action, Target: in.Target, Outcome: audit.Outcome(in.Result),
		Since: in.Since, Until: in.Until, After: in.After, Newest: in.Order == "newest", Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	out := &eventsOut{Body: EventPage{Items: []Event{}}}
	for i, r := range rows {
		if i == in.Limit {
			out.Body.Next = rows[i-1].Number
			break
		}
		e, err := a.viewEvent(ctx, r, in.Reveal)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, e)
	}
	return out, nil
}

func (a *api) viewEvent(ctx context.Context, r audit.Row, reveal bool) (Event, error) {
	v := Event{
		Number: r.Number, Seq: r.Seq, ID: r.ID, At: r.At.UTC(), Node: r.Node, Tenant: r.Tenant, Actor: r.Actor,
		Action: r.Action, Target: r.Target, Outcome: string(r.Outcome), Reason: r.Reason, Dialect: r.Dialect,
		Method: r.Method, Request: r.Request, Count: max(1, r.Count), Detail: r.Detail,
	}
	if !reveal || len(r.Sealed) == 0 || a.Scribe.Protector == nil {
		return v, nil
	}
	personal, err := audit.Reveal(ctx, a.Scribe.Protector, r.Event)
	if errors.Is(err, audit.ErrErased) {
		v.Erased = true
		return v, nil
	}
	v.Personal = personal
	return v, err
}

// Verification is what walking the audit chain found.
type Verification struct {
	OK       bool       `json:"ok"`
	Rows     int64      `json:"rows" doc:"Walked"`
	First    int64      `json:"first" doc:"Place in the chain of the first of them"`
	Last     int64      `json:"last"`
	Heads    int        `json:"heads" doc:"Signed heads that the chain was compared with"`
	Unsealed int        `json:"unsealed" doc:"Rows that are not chained yet"`
	Findings []Finding  `json:"findings" nullable:"false"`
	Restores []Restored `json:"restores" nullable:"false" doc:"Restores from a backup that cost rows"`
}

// Restored is a restore after which the chain went on from an earlier place.
type Restored struct {
	At    time.Time `json:"at"`
	Event string    `json:"event"`
	Cut   int64     `json:"cut" doc:"The last place that was in the backup"`
}

// Finding is one thing that is wrong with the record.
type Finding struct {
	Kind  string `json:"kind"`
	Seq   int64  `json:"seq"`
	Event string `json:"event,omitempty"`
	Text  string `json:"text"`
}

type verificationOut struct{ Body Verification }

func (a *api) verifyAudit(ctx context.Context, _ *call, _ none) (*verificationOut, error) {
	var known []audit.Head
	if a.KnownHeads != nil {
		var err error
		if known, err = a.KnownHeads(); err != nil {
			return nil, err
		}
	}
	r, err := audit.Verify(ctx, a.Audit, a.Signer, known)
	if err != nil {
		return nil, err
	}
	v := Verification{
		OK: r.OK(), Rows: r.Rows, First: r.First.Seq, Last: r.Last.Seq, Heads: r.Heads, Unsealed: r.Unsealed,
		Findings: []Finding{}, Restores: []Restored{},
	}
	for _, r := range r.Restores {
		v.Restores = append(v.Restores, Restored{At: r.At.UTC(), Event: r.Event, Cut: r.Cut})
	}
	for _, f := range r.Findings {
		v.Findings = append(v.Findings, Finding{Kind: string(f.Kind), Seq: f.Seq, Event: f.Event, Text: f.Text})
	}
	return &verificationOut{Body: v}, nil
}
