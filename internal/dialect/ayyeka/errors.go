package ayyeka

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/id"
)

// refusal is an answer other than success, before it is written. code is the
// RFC 6749 error, which only the token service shows. Values are shared and
// must not be changed.
type refusal struct {
	status int
	code   string
	text   string
	retry  time.Duration
}

// Error implements error.
func (r *refusal) Error() string { return r.text }

// wrongCredentials is the one look of no credentials, an unknown key, a wrong
// secret and a disabled client. The wording is the protocol description's.
var wrongCredentials = &refusal{status: http.StatusUnauthorized, code: "invalid_client", text: "incorrect credentials"}

// What can be wrong with what was sent, whoever sent it.
var (
	noCredentials    = wrongCredentials
	malformedBasic   = &refusal{status: http.StatusUnauthorized, code: "invalid_client", text: "the Authorization header is not Basic base64(key:secret)"}
	unsupportedGrant = &refusal{status: http.StatusBadRequest, code: "unsupported_grant_type", text: "only client_credentials is supported"}
	notPost          = &refusal{status: http.StatusMethodNotAllowed, code: "invalid_request", text: "a token is asked for with POST"}
	tooLarge         = &refusal{status: http.StatusRequestEntityTooLarge, code: "invalid_request", text: "the body is too large"}

	noToken       = &refusal{status: http.StatusUnauthorized, text: "an access token is needed"}
	badToken      = &refusal{status: http.StatusUnauthorized, text: "the access token is unknown or has expired"}
	forbidden     = &refusal{status: http.StatusForbidden, text: "the permissions of this client do not cover this call"}
	notFound      = &refusal{status: http.StatusNotFound, text: "not found"}
	internalError = &refusal{status: http.StatusInternalServerError, code: "internal_server_error", text: "internal server error"}
)

func badRequest(text string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_request", text: text}
}

// refusalOf puts what authn or a reader said into the words of this dialect.
// unbelieved is how it says that somebody is not who they claim, which has one
// look whatever the cause.
func refusalOf(err error, unbelieved *refusal) *refusal {
	var own *refusal
	if errors.As(err, &own) {
		return own
	}
	var verdict *authn.Refusal
	if !errors.As(err, &verdict) {
		return internalError
	}
	switch verdict.Kind {
	case authn.Missing, authn.Malformed, authn.Invalid, authn.Expired:
		return unbelieved
	case authn.Denied:
		if unbelieved.code != "" {
			return unbelieved // who may not have a token is not told from who is unknown
		}
		return forbidden
	case authn.Throttled:
		return later(http.StatusTooManyRequests, "too_many_requests", "too many failures", verdict.RetryAfter)
	case authn.Unavailable:
		return later(http.StatusServiceUnavailable, "not_available", "not available", verdict.RetryAfter)
	}
	return internalError
}

// later is a refusal that passes. RFC 6749 has no names for these; the API's
// specification has.
func later(status int, code, text string, wait time.Duration) *refusal {
	return &refusal{status: status, code: code, text: text, retry: max(wait, time.Second)}
}

// failed is an answer that the backend did not give.
func failed(status int, detail string) *refusal {
	if status == http.StatusUnauthorized {
		return badToken
	}
	if status == http.StatusServiceUnavailable {
		return later(status, "", detail, 0)
	}
	return &refusal{status: status, text: detail}
}

// tokenError is the body of the token service's refusals: RFC 6749 section 5.2
// and the API's two members, so that both kinds of reader are served.
type tokenError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	apiError
}

// apiError is the body of the API's refusals; both members are required.
type apiError struct {
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
}

// writeToken answers a token request with r.
func (r *refusal) writeToken(w http.ResponseWriter, requestID string) {
	if r.status == http.StatusUnauthorized {
		challenge(w, `Basic realm="auth"`)
	}
	if r.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	r.write(w, tokenError{r.code, r.text, apiError{r.text, shortID(requestID)}})
}

// writeAPI answers an API call with r.
func (r *refusal) writeAPI(w http.ResponseWriter, requestID string) {
	if r.status == http.StatusUnauthorized {
		challenge(w, "Bearer")
	}
	r.write(w, apiError{r.text, shortID(requestID)})
}

// challengeHeader is spelled as in RFC 9110. Names have no case, but old clients
// that read lines themselves know this spelling, not net/http's own.
const challengeHeader = "WWW-Authenticate"

func challenge(w http.ResponseWriter, value string) {
	w.Header()[challengeHeader] = []string{value}
}

func (r *refusal) write(w http.ResponseWriter, body any) {
	if r.retry > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(r.retry.Seconds())), 10))
	}
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings
	}
	writeJSON(w, r.status, data)
}

// writeJSON sends body with the headers that every answer of the dialect's own
// has: RFC 6749 section 5.1 forbids caches to keep it.
func writeJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// shortID is the end of the request's id, as many characters as the vendor's
// request_id has: people read it out to each other, and a search for it in the
// log finds the whole.
func shortID(requestID string) string {
	const length = 8
	if len(requestID) >= length {
		short := requestID[len(requestID)-length:]
		if strings.Trim(short, "0123456789abcdefghijklmnopqrstuvwxyz") == "" {
			return short
		}
	}
	return shortID(id.Request())
}
