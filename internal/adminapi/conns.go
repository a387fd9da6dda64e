package adminapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/revocation"
)

func (a *api) conns() {
	const tag, what = "Conns", "conns"
	add(a, op{
		id: "list-conns", method: http.MethodGet, path: "/v1/conns", tag: tag, what: what,
		summary: "List open sockets and long requests", detail: "Those of the node that answers.",
	}, a.listConns)
	add(a, op{
		id: "get-conn", method: http.MethodGet, path: "/v1/conns/{id}", tag: tag, what: what,
		summary: "Show an open conn", detail: "Those of the node that answers.",
	}, a.getConn)
	add(a, op{
		id: "close-conn", method: http.MethodPost, path: "/v1/conns/{id}/close", tag: tag, what: what,
		summary: "Close a conn", detail: "Its caller may come back; revoke or disable something to prevent that.",
	}, a.closeConn)
	add(a, op{
		id: "get-change", method: http.MethodGet, path: "/v1/changes/{change}", tag: "Changes", what: "changes",
		summary: "Ask for the rest of a receipt",
	}, a.getChange)
}

// Conn is a socket or long request that is open now.
type Conn struct {
	ID         string     `json:"id"`
	Kind       string     `json:"kind" enum:"websocket,request"`
	Tenant     string     `json:"tenant"`
	Principal  string     `json:"principal"`
	Name       string     `json:"name" doc:"Of the principal"`
	Credential string     `json:"credential,omitempty"`
	Dialect    string     `json:"dialect"`
	Method     string     `json:"method"`
	Route      string     `json:"route,omitempty"`
	Remote     string     `json:"remote"`
	Opened     time.Time  `json:"opened"`
	Expires    *time.Time `json:"expires,omitempty" doc:"When what it rests on comes to its end"`
	Ending     string     `json:"ending,omitempty" doc:"Why it is being ended"`
	Received   Traffic    `json:"received"`
	Sent       Traffic    `json:"sent"`
	Queued     int        `json:"queued" doc:"Bytes that wait to be sent"`
	Grounds    []Ground   `json:"grounds" doc:"What it rests on: when one of them goes, it ends or is asked again"`
}

// Ground is one thing that a conn rests on. That of a token is its digest.
type Ground struct {
	Kind string `json:"kind" example:"credential"`
	ID   string `json:"id"`
}

// Traffic is what has passed in one direction.
type Traffic struct {
	Messages int64 `json:"messages"`
	Bytes    int64 `json:"bytes"`
}

func viewConn(i live.Info) Conn {
	v := Conn{
		ID: i.ID, Kind: i.Kind, Dialect: i.Dialect, Route: i.Route, Remote: showAddr(i.Remote), Opened: i.Opened.UTC(),
		Received: Traffic{i.MessagesIn, i.BytesIn}, Sent: Traffic{i.MessagesOut, i.BytesOut}, Queued: i.Queued,
		Grounds: []Ground{},
	}
	if id := i.Identity; id != nil {
		v.Tenant, v.Principal, v.Name, v.Credential = id.Tenant, id.Principal, id.Name, id.Credential
		v.Method, v.Expires = string(id.Method), when(id.Expires)
		for _, g := range id.Grounds {
			v.Grounds = append(v.Grounds, Ground{g.Kind.String(), g.ID})
		}
	}
	if i.Ended != 0 {
		v.Ending = i.Ended.String()
	}
	return v
}

type listConnsIn struct {
	InTenant
	Paging
	Kind       string `query:"kind" enum:"websocket,request"`
	Dialect    string `query:"dialect" maxLength:"32"`
	Route      string `query:"route" maxLength:"128"`
	Principal  string `query:"principal" maxLength:"64"`
	Credential string `query:"credential" maxLength:"64"`
}

func (a *api) listConns(_ context.Context, c *call, in listConnsIn) (*pageOut[Conn], error) {
	list := a.Conns.List(live.Filter{
		Tenant: c.tenant.ID, Kind: in.Kind, Dialect: in.Dialect, Route: in.Route,
		Principal: in.Principal, Credential: in.Credential, After: in.After, Limit: in.Limit + 1,
	})
	return pageOf(list, in.Limit, viewConn, func(i live.Info) string { return i.ID }), nil
}

type connIn struct {
	InTenant
	ID string `path:"id" maxLength:"64"`
}

type connOut struct{ Body Conn }

func (a *api) getConn(ctx context.Context, c *call, in connIn) (*connOut, error) {
	info, err := c.conn(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &connOut{Body: viewConn(info)}, nil
}

// conn finds an open conn that the call may be about.
func (c *call) conn(ctx context.Context, id string) (live.Info, error) {
	list := c.api.Conns.List(live.Filter{ID: id, Limit: 1})
	if id == "" || len(list) == 0 || list[0].Identity == nil {
		return live.Info{}, errNotFound
	}
	return list[0], c.reach(ctx, list[0].Identity.Tenant)
}

// closeConn writes to the log, as everything that ends something does: the
// receipt is the same, and so is the way to the node that holds the conn.
func (a *api) closeConn(ctx context.Context, c *call, in connIn) (*receiptOut, error) {
	info, err := c.conn(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	e, err := a.Scribe.Event(ctx, c.by, audit.Event{
		Action: "conn.close", Tenant: c.tenant.ID, Target: info.ID, Detail: map[string]string{"principal": info.Identity.Principal},
	})
	if err != nil {
		return nil, err
	}
	if err := a.Audit.AppendEvents(ctx, []audit.Event{e}); err != nil {
		return nil, err
	}
	change, err := a.Revocations.Revoke(ctx, revocation.Entry{
		Effect: revocation.End, Reason: "closed by an administrator",
		Grounds: []revocation.Ground{{Kind: revocation.Conn, ID: info.ID}},
	})
	if err != nil {
		return nil, err
	}
	return &receiptOut{Body: c.receipt(ctx, change)}, nil
}

type changeIn struct {
	InTenant
	Change int64 `path:"change" minimum:"1"`
}

func (a *api) getChange(ctx context.Context, c *call, in changeIn) (*receiptOut, error) {
	if !c.installation() && a.changes.of(in.Change) != c.tenant.ID {
		return nil, errNotFound
	}
	switch known, err := a.Changes.Known(ctx, in.Change); {
	case err != nil:
		return nil, err
	case !known:
		return nil, huma.Error404NotFound(fmt.Sprintf("there has been no change %d", in.Change))
	}
	o, err := a.Changes.Outcome(ctx, in.Change)
	if err != nil {
		return nil, err
	}
	return &receiptOut{Body: receiptOf(o)}, nil
}
