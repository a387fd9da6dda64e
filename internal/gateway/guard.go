package gateway

import (
	"errors"
	"net/http"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/inbound"
)

// Guard reads credentials and refuses callers as a route does, for the gate's
// own paths that ask who calls.
type Guard struct{ m match }

// DefaultKeyHeader carries an API key where nothing else is said.
const DefaultKeyHeader = "X-API-Key"

// NewGuard makes a Guard that accepts these kinds, API keys in the default
// header.
func NewGuard(kinds ...Credential) (*Guard, error) {
	c := &route{Route: Route{Credentials: kinds}}
	if err := c.credentials(); err != nil {
		return nil, err
	}
	if c.accepts.none {
		return nil, errors.New("a guard that asks nobody")
	}
	return &Guard{match{route: c}}, nil
}

// Attempt reads what a request presents to a dialect. Its error is a refusal.
func (g *Guard) Attempt(r *http.Request, facts *inbound.Facts, dialect string) (authn.Attempt, error) {
	query, err := canonical.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return authn.Attempt{}, malformed("the query cannot be read in one way only")
	}
	a, refusal := g.m.attempt(r, query, facts)
	a.Dialect = dialect
	if refusal != nil {
		return a, refusal
	}
	return a, nil
}

// Refuse answers a caller whom authn has refused.
func (g *Guard) Refuse(w http.ResponseWriter, r *http.Request, facts *inbound.Facts, err error) {
	g.m.refuse(w, r, facts, err)
}

// Answer is the status and the detail that Refuse would answer with, for
// answers that have begun already.
func (g *Guard) Answer(err error) (status int, detail string) {
	a := answerTo(asRefusal(err).Kind)
	return a.status, a.detail
}

// WaysIn are the places where a caller can put a secret.
func (g *Guard) WaysIn() []dialect.WayIn { return g.m.WaysIn() }
