package revocation

import "fmt"

// Kind says what sort of thing an identity rests on.
type Kind uint8

// The kinds of grounds. Their numbers are stored; never renumber.
const (
	Tenant     Kind = 1  // ID: tenant id
	Principal  Kind = 2  // ID: principal id
	Credential Kind = 3  // ID: credential id
	Secret     Kind = 4  // ID: secret id
	Role       Kind = 5  // ID: "<principal id>/<role>", one assignment
	Grant      Kind = 6  // ID: grant id, a refresh family
	SigningKey Kind = 7  // ID: signing key id
	Token      Kind = 8  // ID: hex SHA-256 of the token
	Method     Kind = 9  // ID: "<tenant id>/<dialect>/<method>"
	Session    Kind = 10 // ID: session id
	Policy     Kind = 11 // ID: tenant id: its policies and role hierarchy
	TokensOf   Kind = 12 // ID: principal id: every token issued to it so far
	Conn       Kind = 13 // ID: conn id: this one conn only
	Route      Kind = 14 // ID: route name, for what the configuration takes away
)

var kindNames = [...]string{
	Tenant: "tenant", Principal: "principal", Credential: "credential", Secret: "secret", Role: "role", Grant: "grant",
	SigningKey: "signing key", Token: "token", Method: "method", Session: "session", Policy: "policy",
	TokensOf: "tokens of", Conn: "conn", Route: "route",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Ground is one thing that an identity rests on. When it goes, what rested on
// it goes.
type Ground struct {
	Kind Kind
	ID   string
}

// Effect says what a revocation does to what rests on its grounds.
type Effect uint8

// The effects. Their numbers are stored; never renumber.
const (
	// End closes conns and forgets identities.
	End Effect = 1
	// Recheck forgets identities and asks again whether each conn is still
	// allowed, ending only those that are not.
	Recheck Effect = 2
)
