package fieldpine

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/socket"
)

// refuse answers over HTTP with the error packet.
func refuse(w http.ResponseWriter, p packet, status int, message string) {
	answer(w, status, p.failed(status, message))
}

// answer writes a packet as the whole HTTP answer.
func answer(w http.ResponseWriter, status int, r reply) {
	body, err := r.encode()
	if err != nil {
		status, body = http.StatusBadGateway, []byte(`{"error":{"Code":502,"Message":"the answer is not JSON","Severity":"Error"}}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// verdict is the code and words for a refusal, once somebody has logged in or
// over HTTP; before a login nothing is said.
func verdict(err error) (code int, message string, retry int) {
	var r *authn.Refusal
	if !errors.As(err, &r) {
		return http.StatusInternalServerError, "internal error", 0
	}
	wait := int(math.Ceil(r.RetryAfter.Seconds()))
	switch r.Kind {
	case authn.Denied:
		return http.StatusForbidden, "endpoint not permitted", 0
	case authn.Throttled:
		return http.StatusTooManyRequests, "too many requests", max(wait, 1)
	case authn.Unavailable:
		return http.StatusServiceUnavailable, "not available at the moment", max(wait, 1)
	}
	return http.StatusUnauthorized, "a valid key is needed", 0
}

// closing is the close frame when the last login of a socket goes.
func closing(c live.Cause) (code uint16, reason string) {
	switch c.Code {
	case live.NotFresh:
		return socket.CodeTryAgain, "cannot be checked at the moment"
	case live.Draining:
		return socket.CodeGoingAway, "server shutdown"
	case live.Closed:
		return socket.CodePolicy, "closed by an administrator"
	case live.Slow:
		return socket.CodePolicy, "too slow"
	}
	return socket.CodePolicy, "credential no longer valid"
}
