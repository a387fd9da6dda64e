package ayyeka

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Kinds of refusal, for errors.Is. Each stands for the HTTP status of the same
// name.
var (
	ErrBadRequest      = errors.New("ayyeka: bad request")
	ErrUnauthorized    = errors.New("ayyeka: unauthorized")
	ErrForbidden       = errors.New("ayyeka: forbidden")
	ErrNotFound        = errors.New("ayyeka: not found")
	ErrTooManyRequests = errors.New("ayyeka: too many requests")
	ErrInternal        = errors.New("ayyeka: internal server error")
	ErrUnavailable     = errors.New("ayyeka: not available")
)

var kinds = map[int]error{
	http.StatusBadRequest:          ErrBadRequest,
	http.StatusUnauthorized:        ErrUnauthorized,
	http.StatusForbidden:           ErrForbidden,
	http.StatusNotFound:            ErrNotFound,
	http.StatusTooManyRequests:     ErrTooManyRequests,
	http.StatusInternalServerError: ErrInternal,
	http.StatusServiceUnavailable:  ErrUnavailable,
}

// Error is a refusal that the server itself stated.
type Error struct {
	// Op is what was being done: "token", or the method and path of a call.
	Op string
	// Status is the HTTP status.
	Status int
	// Code is the RFC 6749 error of a token request, "" for API calls.
	Code string
	// Message is the server's own wording, or the name of the status when it
	// sent none.
	Message string
	// RequestID names the request in the server's records; quote it when
	// asking for help.
	RequestID string
	// RetryAfter is how long the server asked to wait; 0 when it did not say.
	RetryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "ayyeka: %s: %d %s", e.Op, e.Status, e.Message)
	if e.Code != "" {
		fmt.Fprintf(&b, " (%s)", e.Code)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, ", request %s", e.RequestID)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, ", retry after %s", e.RetryAfter)
	}
	return b.String()
}

// Is makes errors.Is work with the kinds above.
func (e *Error) Is(target error) bool {
	kind, ok := kinds[e.Status]
	return ok && kind == target
}

// passing reports whether the same request may succeed later without anybody
// changing anything.
func (e *Error) passing() bool {
	return e.Status == http.StatusTooManyRequests || e.Status >= 500
}

// errorLimit is plenty for two short members.
const errorLimit = 16 << 10

// readError makes an Error of an answer that is not a success. A body that is
// not the documented JSON (a proxy's page, say) is not repeated to the caller.
func readError(op string, res *http.Response, now time.Time) *Error {
	e := &Error{Op: op, Status: res.StatusCode, RetryAfter: retryAfter(res.Header.Get("Retry-After"), now)}
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Message     string `json:"message"`
		RequestID   string `json:"request_id"`
	}
	if data, err := readLimited(res.Body, errorLimit); err == nil && json.Unmarshal(data, &body) == nil {
		e.Code, e.Message, e.RequestID = body.Error, body.Message, body.RequestID
		if e.Message == "" {
			e.Message = body.Description
		}
	}
	if e.Message == "" {
		e.Message = http.StatusText(res.StatusCode)
	}
	return e
}

// maxWait bounds what one header can make a program wait.
const maxWait = time.Hour

// retryAfter reads both forms of RFC 9110 section 10.2.3.
func retryAfter(value string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxWait)
}
