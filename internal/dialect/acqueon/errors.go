package acqueon

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/socket"
)

// refusal is how a handshake is refused: with a status before the upgrade, or
// with a close frame after it.
type refusal struct {
	status int // before the upgrade
	code   uint16
	reason string // of the close frame, and the body before the upgrade
	retry  time.Duration
	early  bool // always before the upgrade
}

// Error implements error.
func (r *refusal) Error() string { return r.reason }

// failed is the one look of an unknown key, a wrong secret, a name that does
// not fit and everything else that was presented wrongly.
var failed = &refusal{status: http.StatusUnauthorized, code: socket.CodePolicy, reason: "authentication failed"}

var (
	challenge = &refusal{status: http.StatusUnauthorized, reason: "a name and a credential are needed", early: true}
	plainText = &refusal{status: http.StatusForbidden, reason: "use wss: this server takes no credentials in clear", early: true}
	badOrigin = &refusal{status: http.StatusForbidden, reason: "this origin may not connect", early: true}
	tooBusy   = &refusal{status: http.StatusServiceUnavailable, reason: "too many connections are being opened", retry: 2 * time.Second, early: true}
	tooMany   = &refusal{status: http.StatusTooManyRequests, reason: "too many refused connections", retry: 5 * time.Second, early: true}
	duplicate = &refusal{status: http.StatusConflict, code: socket.CodePolicy, reason: "duplicate connection name"}
	forbidden = &refusal{status: http.StatusForbidden, code: socket.CodePolicy, reason: "not permitted"}
)

// refusalOf puts an error of the handshake into the words of this dialect.
func refusalOf(err error) *refusal {
	var own *refusal
	if errors.As(err, &own) {
		return own
	}
	if errors.Is(err, ErrNoCredential) {
		return challenge // browsers send the userinfo of a URL only when asked
	}
	var verdict *authn.Refusal
	if !errors.As(err, &verdict) {
		return failed // every other error of ParseHandshake
	}
	switch verdict.Kind {
	case authn.Throttled:
		return &refusal{status: http.StatusTooManyRequests, reason: "too many failures", retry: verdict.RetryAfter, early: true}
	case authn.Unavailable:
		return &refusal{status: http.StatusServiceUnavailable, reason: "not available", retry: verdict.RetryAfter, early: true}
	case authn.Denied:
		return forbidden
	}
	return failed
}

// write answers before the upgrade.
func (r *refusal) write(w http.ResponseWriter) {
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="PerformanceMetrics"`)
	}
	if r.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.retry.Seconds()))))
	}
	http.Error(w, r.reason, r.status)
}

// closing is the close frame for a conn that was fine until now.
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
