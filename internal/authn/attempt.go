package authn

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// Attempt is what arrived, before it is believed.
type Attempt struct {
	Tenant  tenant.Tenant
	Dialect string          // "ayyeka", "gateway", "adminapi", …
	Method  identity.Method // Password, KeyPair, APIKey, JWT, Opaque, ScopedToken or Encryption
	Name    string          // normalised user name or public key; empty for the others
	Secret  secret.Text     // what was presented
	// Prove is the proof of method Encryption, where nothing is presented that
	// could be compared: it reports whether what has arrived was made with that
	// key. It is called with several keys, must not keep any of them, and must
	// take the same time for each that is wrong.
	Prove func(secret.Key) bool
	// Alternatives are further readings of the same presentation, tried only
	// when the first fails, such as a form-decoded one. Together they are one
	// attempt for the throttle. At most two count.
	Alternatives []Pair
	// ProofKey is the thumbprint of the key that this request proves to hold.
	// Methods JWT and Opaque: a token that is bound to a key needs that one, and
	// one that is not must come without.
	ProofKey string
	// Profile is how a JWT is read; nil: as any of the kinds that the tenant has.
	Profile *token.Profile
	// Rationed asks that refused logins of one source are answered with
	// Throttled from a certain number on, although the secrets are strong: for
	// protocols that say so.
	Rationed bool
	// User is who the caller says it is, beside the name and the secret, in
	// protocols that have such a thing. It is believed of nobody: the credential
	// may be bound to it.
	User      string
	Remote    netip.Addr
	Country   string // from the operator's database or a trusted proxy only
	RequestID string
	// Recent lets a login do with what the store said less than a second ago. It
	// is for clients that come back by the thousand.
	Recent bool
}

// Pair is one reading of a name and a secret.
type Pair struct {
	Name   string
	Secret secret.Text
}

const (
	maxName         = 256
	maxSecret       = 16 << 10
	maxAlternatives = 2
)

// weak reports whether the method's secrets can be guessed whatever they are.
func (a *Attempt) weak() bool { return a.Method == identity.Password }

// check refuses what cannot be right, before anything is looked up.
func (a *Attempt) check() *Refusal {
	named := a.Method == identity.Password || a.Method == identity.KeyPair || a.Method == identity.Encryption
	switch {
	case a.Secret.Empty() && a.Name == "":
		return &Refusal{Kind: Missing, Reason: "nothing presented"}
	case named && a.Name == "":
		return &Refusal{Kind: Malformed, Reason: "no name"}
	case !text(a.Name, maxName):
		return &Refusal{Kind: Malformed, Reason: "name is too long or not text"}
	case !text(a.Secret.Reveal(), maxSecret):
		return &Refusal{Kind: Malformed, Reason: "secret is too long or not text"}
	}
	return nil
}

// text reports whether s is what stores take: UTF-8 without NUL, not too long.
func text(s string, longest int) bool {
	return len(s) <= longest && utf8.ValidString(s) && !strings.Contains(s, "\x00")
}

// readings are the ways to read the attempt, the first one first.
func (a *Attempt) readings() []Pair {
	all := []Pair{{a.Name, a.Secret}}
	for _, p := range a.Alternatives[:min(len(a.Alternatives), maxAlternatives)] {
		if p.Name != "" && text(p.Name, maxName) && text(p.Secret.Reveal(), maxSecret) {
			all = append(all, p)
		}
	}
	return all
}
