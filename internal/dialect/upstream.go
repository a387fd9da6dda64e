package dialect

import (
	"context"
	"net/http"

	"gatehouse.dev/internal/identity"
)

// Upstream is what a dialect needs of the gateway: somewhere to send the
// requests that it has let in.
type Upstream interface {
	// Forward answers r with what the backend of the request's tenant answers.
	// It strips the caller's credential, adds the signed identity, and ends
	// the exchange when the identity's grounds go.
	Forward(w http.ResponseWriter, r *http.Request, f Forward)
}

// Forward is what the gateway must know to pass a request on.
type Forward struct {
	// Identity is who calls; nil where nobody was asked.
	Identity *identity.Identity
	// Recheck asks again who calls and whether they may, for exchanges that are
	// still running when rights change. Nil without an identity.
	Recheck func(ctx context.Context) (*identity.Identity, error)
	// Fail answers in the dialect's own words what the backend did not: it was
	// not reached (502), was too slow (504), the right was taken away (401),
	// the request cannot be read in one way only (400). Called at most once,
	// and only while nothing has been written. detail is for the caller.
	Fail func(status int, detail string)
}
