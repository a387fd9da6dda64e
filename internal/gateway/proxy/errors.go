package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"

	"gatehouse.dev/internal/gateway/upstream"
)

// Error is an exchange that failed before anything was answered. Detail may be
// shown to the caller; Err is for the log.
type Error struct {
	Status int
	Detail string
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// explain finds out whose fault it was. The order matters: trouble on the
// caller's connection makes the server end the context, and then everything
// else fails, too.
func explain(ctx context.Context, b *body, err error) error {
	var netErr net.Error
	trouble := b.trouble(errors.Is(context.Cause(ctx), context.Canceled))
	switch {
	case errors.Is(trouble, errBodyTooLarge):
		return &Error{http.StatusRequestEntityTooLarge, "the request body is too large", trouble}
	case errors.Is(trouble, os.ErrDeadlineExceeded):
		return &Error{http.StatusRequestTimeout, "the request body did not arrive in time", trouble}
	case ctx.Err() != nil:
		// The answer, if anybody is left to read it, is chosen by whoever knows
		// the cause.
		return &Error{http.StatusServiceUnavailable, "the request was ended", context.Cause(ctx)}
	case trouble != nil:
		return &Error{http.StatusBadRequest, "the request body is malformed", trouble}
	case errors.As(err, &netErr) && netErr.Timeout():
		return &Error{http.StatusGatewayTimeout, "the upstream did not answer in time", err}
	case errors.As(err, new(*upstream.DialError)):
		return &Error{http.StatusBadGateway, "the upstream cannot be reached", err}
	}
	return &Error{http.StatusBadGateway, "the upstream did not give a usable answer", err}
}
