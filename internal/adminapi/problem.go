package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/password"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// errNotFound is what looks absent, whether it is or belongs to somebody else.
var errNotFound error = huma.Error404NotFound("there is no such thing here")

// problem turns an error into problem details. What it does not know becomes
// 500 without a word about the cause, which goes to the log.
func (a *api) problem(ctx context.Context, err error) error {
	var known huma.StatusError
	if errors.As(err, &known) {
		return err
	}
	if fields := field.Errors(err); len(fields) > 0 {
		return fieldProblem(fields)
	}
	var syntax *policy.SyntaxError
	var early *token.NotPublishedError
	switch {
	case errors.As(err, &early):
		return huma.Error409Conflict(early.Error() + "; at_once does it all the same")
	case errors.As(err, &syntax):
		return huma.Error422UnprocessableEntity("the policy text is not understood",
			&huma.ErrorDetail{Location: "body.cedar", Message: syntax.Error()})
	case is(err, tenant.ErrNotFound, principal.ErrNotFound, credential.ErrNotFound, token.ErrNotFound):
		return errNotFound
	case errors.Is(err, credential.ErrExists):
		return huma.Error409Conflict("there is such a credential already: rotate that one, or revoke it first")
	case is(err, tenant.ErrExists, principal.ErrExists):
		return huma.Error409Conflict("one of that name exists already")
	case errors.Is(err, policy.ErrChanged):
		return huma.Error409Conflict("the policy has been changed meanwhile; read it again and repeat the change on that version")
	case is(err, credential.ErrTooMany, credential.ErrRevoked, token.ErrKeyState):
		return huma.Error409Conflict(innermost(err).Error())
	case errors.Is(err, password.ErrBusy), a.Unavailable != nil && a.Unavailable(err),
		errors.Is(err, context.DeadlineExceeded):
		a.Log.WarnContext(ctx, "admin request could not be served now", "error", err)
		return retryLater(huma.Error503ServiceUnavailable("not now; try again shortly"), time.Second)
	}
	a.Log.ErrorContext(ctx, "admin request failed", "error", err)
	return huma.Error500InternalServerError("something went wrong here; the log knows more")
}

func is(err error, any ...error) bool {
	return slices.ContainsFunc(any, func(target error) bool { return errors.Is(err, target) })
}

func innermost(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}

func fieldProblem(fields []*field.Error) error {
	details := make([]error, len(fields))
	for i, f := range fields {
		details[i] = &huma.ErrorDetail{Location: "body." + f.Field, Message: f.Problem}
	}
	return huma.Error422UnprocessableEntity(fields[0].Error(), details...)
}

func retryLater(err error, after time.Duration) error {
	seconds := max(1, int64((after+time.Second-1)/time.Second))
	return huma.ErrorWithHeaders(err, http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}})
}

// withoutValues takes what the caller sent out of the details: it may be a
// secret in the wrong place.
func withoutValues(_ huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*huma.ErrorModel); ok {
		for _, d := range p.Errors {
			if d != nil {
				d.Value = nil
			}
		}
	}
	return v, nil
}

// writeProblem answers where no operation has been reached.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(&huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail})
}
