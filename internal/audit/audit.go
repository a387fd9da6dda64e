// Package audit has the record of who did what. Rows are appended with the
// change they describe, in its transaction; a sealer chains them afterwards, so
// that a row that was altered or removed is found.
package audit

import (
	"time"
)

// Outcome says how it ended.
type Outcome string

// The outcomes.
const (
	OK      Outcome = "ok"
	Refused Outcome = "refused"
	Failed  Outcome = "failed"
)

// Event is one row. No field ever holds a secret.
type Event struct {
	At      time.Time // zero: the time of the write
	Node    string
	Tenant  string // tenant id, empty for the installation itself
	Actor   string // principal id, "local" for the Unix socket, "system"
	Action  string // "credential.revoke", "login", "policy.error"
	Target  string // id of what it was done to
	Outcome Outcome
	Reason  string // for people and alerts: "wrong secret", "throttled"
	Dialect string
	Method  string
	Request string // request id
	Count   int64  // how many alike this row stands for; 0 means 1
	Detail  map[string]string

	// Person is the principal whose key seals Personal (source address, typed
	// name); erasing the key erases the person. Empty: the tenant's key.
	Person   string
	Personal map[string]string
}
