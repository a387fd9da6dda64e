package gateidentity

import (
	"encoding/json"
	"errors"
	"net/http"
)

// Middleware serves next only to requests with a good identity, which next
// finds by [FromContext]. Others get 401, or 503 while the keys cannot be
// fetched, with a problem body (RFC 9457). Why a token was refused is not told
// to the caller.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := v.Request(r)
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), id)))
		case errors.Is(err, ErrUnavailable):
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusServiceUnavailable, "identity keys are not available")
		default:
			w.Header().Set("WWW-Authenticate", Header) // RFC 9110, section 15.5.2
			refuse(w, http.StatusUnauthorized, "the request carries no valid identity")
		}
	})
}

// Request verifies the identity that r carries. A request with two headers of
// that name has none: it did not come through the gate.
func (v *Verifier) Request(r *http.Request) (Identity, error) {
	values := r.Header.Values(Header)
	if len(values) != 1 {
		return Identity{}, ErrMissing
	}
	return v.Verify(r.Context(), values[0])
}

func refuse(w http.ResponseWriter, status int, detail string) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail,
	})
}
