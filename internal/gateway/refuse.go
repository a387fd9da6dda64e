package gateway

import (
	"errors"
	"net/http"
	"strings"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/gateway/problem"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/logging"
)

// answer is how a refusal looks to a caller.
type answer struct {
	status int
	detail string
}

// answers by kind. Whoever could not be believed learns nothing more.
func answerTo(k authn.Kind) answer {
	switch k {
	case authn.Missing:
		return answer{http.StatusUnauthorized, "a credential is required"}
	case authn.Malformed, authn.Invalid, authn.Expired:
		return answer{http.StatusUnauthorized, "the credential is not accepted"}
	case authn.Throttled:
		return answer{http.StatusTooManyRequests, "too many requests"}
	case authn.Denied:
		return answer{http.StatusForbidden, "not allowed"}
	}
	return answer{http.StatusServiceUnavailable, "the request cannot be decided now"}
}

// refuse answers with a problem, the challenge that goes with 401 and the wait
// that goes with 429 and 503.
func (m *match) refuse(w http.ResponseWriter, r *http.Request, facts *inbound.Facts, err error) {
	refusal := asRefusal(err)
	logging.From(r.Context()).Refused(refusal.Reason)
	a := answerTo(refusal.Kind)
	m.challenge(w.Header(), a.status, refusal)
	if a.status == http.StatusUnauthorized && m.accepts.proof && showsProof(r) {
		w.Header()["Www-Authenticate"] = []string{proofChallenge}
	}
	problem.Write(w, a.status, a.detail, facts.RequestID)
}

func asRefusal(err error) *authn.Refusal {
	var refusal *authn.Refusal
	if !errors.As(err, &refusal) {
		refusal = &authn.Refusal{Kind: authn.Unavailable, Reason: "internal error", Err: err}
	}
	return refusal
}

// challenge sets WWW-Authenticate (RFC 9110, section 11.6.1; RFC 6750, section
// 3) and Retry-After.
func (m *match) challenge(h http.Header, status int, refusal *authn.Refusal) {
	if refusal.RetryAfter > 0 {
		problem.RetryAfter(h, refusal.RetryAfter)
	}
	if status != http.StatusUnauthorized {
		return
	}
	var schemes []string
	if m.accepts.bearer {
		c := `Bearer realm="gatehouse"`
		if refusal.Kind != authn.Missing {
			c += `, error="invalid_token"`
		}
		schemes = append(schemes, c)
	}
	if m.accepts.basic {
		schemes = append(schemes, `Basic realm="gatehouse", charset="UTF-8"`)
	}
	if m.accepts.key {
		schemes = append(schemes, `ApiKey realm="gatehouse", header="`+m.KeyHeader+`"`)
	}
	h["Www-Authenticate"] = schemes
}

// reject answers what no credential can mend.
func reject(w http.ResponseWriter, r *http.Request, facts *inbound.Facts, status int, detail string) {
	logging.From(r.Context()).Refused(detail)
	problem.Write(w, status, detail, facts.RequestID)
}

// notAllowed answers 405 with what is.
func notAllowed(w http.ResponseWriter, r *http.Request, facts *inbound.Facts, methods []string) {
	w.Header().Set("Allow", strings.Join(methods, ", "))
	reject(w, r, facts, http.StatusMethodNotAllowed, "the method is not allowed here")
}
