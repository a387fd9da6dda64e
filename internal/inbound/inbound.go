// Package inbound has the facts of a request that were settled at the door, by
// the listener, before anybody reads credentials: which tenant's host it came
// to, from where, over what.
package inbound

import (
	"context"
	"io"
	"net/netip"

	"gatehouse.dev/internal/tenant"
)

// Facts are what the listener settled. Only trusted proxies can have changed
// Remote, Scheme and Host.
type Facts struct {
	Tenant    tenant.Tenant
	Remote    netip.Addr // the client, unmapped
	Peer      netip.Addr // who is at the other end of the TCP connection
	Scheme    string     // "https" or "http"
	Host      string     // lower case, without port
	Authority string     // the same as the caller wrote it, maybe with a port
	RequestID string
}

type key struct{}

// With returns a context that carries f.
func With(ctx context.Context, f *Facts) context.Context { return context.WithValue(ctx, key{}, f) }

// From returns the facts, or nil where no listener put any.
func From(ctx context.Context) *Facts {
	f, _ := ctx.Value(key{}).(*Facts)
	return f
}

// Unguarded takes off what a listener has put around a request's body to guard
// it against callers who pause. For readers who set deadlines of their own: two
// guards would move each other's.
func Unguarded(body io.Reader) io.Reader {
	for {
		u, ok := body.(interface{ Unwrap() io.ReadCloser })
		if !ok {
			return body
		}
		body = u.Unwrap()
	}
}
