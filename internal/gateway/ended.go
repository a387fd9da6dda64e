package gateway

import (
	"net/http"

	"gatehouse.dev/internal/live"
)

// EndedStatus is what a caller learns whose exchange the gate has ended.
func EndedStatus(code live.Code) (status int, detail string) {
	switch code {
	case live.Revoked, live.Expired, live.Closed:
		return http.StatusUnauthorized, "the credential is not accepted"
	case live.NotFresh, live.Draining:
		return http.StatusServiceUnavailable, "the request cannot be decided now"
	}
	return http.StatusServiceUnavailable, "the request was ended"
}
