package app

import (
	"net/http"
	"net/url"
	"slices"

	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/feedapi"
	"gatehouse.dev/internal/gate"
	"gatehouse.dev/internal/gateway"
)

// Way is one place at the gate where a caller can put a secret.
type Way struct {
	Owner  string // "dialect ayyeka", "route files", "forward-auth", "feeds"
	Method string // empty: any
	Path   string
	In     dialect.WayIn
	Name   string // of the header or query parameter, where In leaves it open
	Socket bool   // it begins a WebSocket
}

// WaysIn lists every way in that this configuration has, from the table of
// dialects and routes themselves. The test that looks for secrets where they
// should not be goes through this list, so a new way in cannot be forgotten.
func (s *Server) WaysIn() []Way {
	var all []Way
	for _, d := range s.entrance.dialects {
		for _, r := range d.Routes {
			for _, in := range r.WaysIn {
				all = append(all, Way{Owner: "dialect " + d.Name, Method: r.Method, Path: r.Path, In: in})
			}
		}
	}
	for _, r := range feedapi.Routes() {
		for _, in := range r.WaysIn {
			all = append(all, Way{Owner: "feeds", Method: r.Method, Path: r.Path, In: in, Name: gateway.DefaultKeyHeader})
		}
	}
	for _, r := range s.entrance.routes {
		for _, w := range routeWays(r) {
			w.Owner, w.Path, w.Socket = "route "+r.Name, r.Path, r.WebSocket
			all = append(all, w)
			if w.In == dialect.Ticket || w.In == dialect.FirstMessage {
				continue // of the socket alone
			}
			if w.In != dialect.QueryKey && slices.Contains(r.Credentials, gateway.Ticket) {
				made := w
				made.Owner, made.Method, made.Path, made.Socket = "tickets", http.MethodPost, gate.PathTickets+"?path="+url.QueryEscape(r.Path), false
				all = append(all, made)
			}
			w.Owner, w.Path, w.Socket = "forward-auth", gate.PathForwardAuth, false
			all = append(all, w)
		}
	}
	return all
}

func routeWays(r gateway.Route) []Way {
	var all []Way
	for _, k := range r.Credentials {
		switch k {
		case gateway.Bearer:
			all = append(all, Way{In: dialect.BearerHeader})
		case gateway.Ticket:
			all = append(all, Way{In: dialect.Ticket})
		case gateway.Message:
			all = append(all, Way{In: dialect.FirstMessage, Name: r.FirstMessage.Member})
		case gateway.Basic:
			all = append(all, Way{In: dialect.BasicHeader}, Way{In: dialect.BasicName})
		case gateway.Key:
			all = append(all, Way{In: dialect.HeaderKey, Name: r.KeyHeader})
			if r.KeyQuery != "" {
				all = append(all, Way{In: dialect.QueryKey, Name: r.KeyQuery})
			}
		}
	}
	return all
}
