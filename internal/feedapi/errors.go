package feedapi

import (
	"errors"
	"net/http"
	"os"
	"time"

	"gatehouse.dev/internal/feed"
	"gatehouse.dev/internal/gateway"
	"gatehouse.dev/internal/gateway/problem"
	"gatehouse.dev/internal/logging"
)

// What can be wrong with a request, apart from what it publishes. The texts are
// for the caller.
var (
	errQuery     = errors.New("the query cannot be read in one way only")
	errGoneAfter = errors.New("goneAfter is a whole number of milliseconds, at least 1")
	errNotJSON   = errors.New("the content type must be application/json")
	errNotLines  = errors.New("the content type must be application/x-ndjson")
	errBody      = errors.New("the body ended early")
	errLine      = errors.New("the line is not an update: a JSON object with report, kind, and what the kind needs")
	errLongLine  = errors.New("the line is too long")
	errBusy      = errors.New("too many streams are open")
)

// verdict is what a caller is told about an error.
type verdict struct {
	status int
	detail string
}

// verdicts on what callers do wrong. Their errors speak for themselves.
var verdicts = []struct {
	err    error
	status int
}{
	{errQuery, http.StatusBadRequest},
	{errGoneAfter, http.StatusBadRequest},
	{errNotJSON, http.StatusUnsupportedMediaType},
	{errNotLines, http.StatusUnsupportedMediaType},
	{errLine, http.StatusBadRequest},
	{errLongLine, http.StatusRequestEntityTooLarge},
	{feed.ErrJSON, http.StatusBadRequest},
	{feed.ErrTooLarge, http.StatusRequestEntityTooLarge},
	{feed.ErrName, http.StatusUnprocessableEntity},
	{feed.ErrRows, http.StatusUnprocessableEntity},
	{feed.ErrKey, http.StatusUnprocessableEntity},
	{feed.ErrMany, http.StatusUnprocessableEntity},
	{errBusy, http.StatusServiceUnavailable},
}

func verdictOn(err error) verdict {
	var ended *endedError
	if errors.As(err, &ended) {
		status, detail := gateway.EndedStatus(ended.code)
		return verdict{status, detail}
	}
	if errors.Is(err, errBody) {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return verdict{http.StatusRequestTimeout, "the body did not come in time"}
		}
		return verdict{http.StatusBadRequest, errBody.Error()}
	}
	for _, v := range verdicts {
		if errors.Is(err, v.err) {
			return verdict{v.status, v.err.Error()}
		}
	}
	return verdict{http.StatusServiceUnavailable, "the update cannot be made now"}
}

// answer answers a request that could not be fulfilled.
func (a *API) answer(w http.ResponseWriter, r *http.Request, p *publisher, err error) {
	v := verdictOn(err)
	logging.From(r.Context()).Refused(v.detail)
	if v.status == http.StatusServiceUnavailable {
		a.Logger.WarnContext(r.Context(), "cannot publish", "feed", p.at.feed, "error", err)
		problem.RetryAfter(w.Header(), 2*time.Second)
	}
	problem.Write(w, v.status, v.detail, p.facts.RequestID)
}
