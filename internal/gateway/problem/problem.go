// Package problem answers a request that the gate itself refuses, in the words
// of RFC 9457. What it says is for the caller: causes belong in the log.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Details is the body. Detail must not carry anything that the caller did not
// already know.
type Details struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// Write answers with status. Headers that the caller set before stay, except
// those that describe another body.
func Write(w http.ResponseWriter, status int, detail, requestID string) {
	body, err := json.Marshal(Details{"about:blank", http.StatusText(status), status, detail, requestID})
	if err != nil {
		panic(err) // five plain fields
	}
	body = append(body, '\n')
	h := w.Header()
	for _, name := range []string{"Content-Encoding", "Etag", "Last-Modified", "Trailer"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(body) // net/http leaves the body out of answers to HEAD
}

// RetryAfter sets the header in whole seconds, at least one.
func RetryAfter(h http.Header, d time.Duration) {
	h.Set("Retry-After", strconv.Itoa(max(1, int((d+time.Second-1)/time.Second))))
}
