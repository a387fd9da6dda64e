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

// Actions of the record about itself.
const (
	ActionTrim    = "audit.trim"    // Detail: seq, hash of the last row removed
	ActionRestore = "restore"       // Detail: chain_cut_at, where rows after that place were lost
	ActionDropped = "audit.dropped" // Count rows could not be kept
)

// Names of personal fields that the record understands.
const (
	FieldSource = "source" // the address it came from
	FieldName   = "name"   // the name that was typed
)

// Event is one row. No field ever holds a secret.
type Event struct {
	ID      string    // "aud_…"; empty: given when it is prepared
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
	// [Protect] turns Personal into Sealed; a store takes nothing else.
	Person   string
	Personal map[string]string
	Sealed   []byte
}

// Row is an event as a store keeps it: with a place in the order of arrival
// and, once the sealer has been there, in the chain. Personal is empty.
type Row struct {
	Event
	Number int64  // order of arrival; gaps are normal
	Seq    int64  // place in the chain, from 1 without gaps; 0: not chained yet
	Hash   []byte // of this row and, through its predecessor's, of all before
}

// Link is a place in the chain: the last row it has, and the hash up to there.
// The zero Link is the beginning.
type Link struct {
	Seq  int64
	Hash []byte
}

// Seal puts one row into the chain.
type Seal struct {
	Number int64 // of the row
	Link
}

// Head is a signed Link. What was signed stays true: a chain that no longer
// passes through a head has been tampered with.
type Head struct {
	Link
	At        time.Time
	Node      string
	Key       string // names the key that signed
	Signature []byte
}
