package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gatehouse.dev/gateidentity"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/token"
)

const (
	// life is how long a statement is good, reuse how long the same one is sent
	// again: so what a backend gets is good for half a minute at least.
	life  = 60 * time.Second
	reuse = 30 * time.Second
	// maxAudiences is how many statements about one caller are kept.
	maxAudiences = 4
)

// Signer signs statements; token.Keys does.
type Signer interface {
	Sign(ctx context.Context, tenant string, s token.Signing) (tok secret.Text, keyID string, err error)
}

// Log is what this node knows of rights taken away.
type Log interface {
	Position() revocation.Position
	Intact(g []revocation.Ground, asOf revocation.Position) bool
}

// statements makes the signed identities that backends get, one for each
// caller and audience at a time. They are noted on the identity: it is shared
// between the requests of one verification, and a caller who is verified anew
// gets a new statement.
type statements struct {
	signer Signer
	log    Log
	issuer string
	house  string // tenant whose keys sign; there is one set for all
	now    func() time.Time
}

// statement is the newest about its identity; next are those for other
// audiences. It never changes.
type statement struct {
	identity *identity.Identity
	audience string
	text     []string // as it stands in the header
	made     time.Time
	key      [1]revocation.Ground
	asOf     revocation.Position
	next     *statement
}

// find returns the statement for an audience, or nil.
func (s *statement) find(audience string) *statement {
	for s != nil && s.audience != audience {
		s = s.next
	}
	return s
}

// without returns a list that keeps its order and is not longer than most, and
// in which nothing is for that audience or was made by then.
func (s *statement) without(audience string, by time.Time, most int) *statement {
	switch {
	case s == nil || most == 0:
		return nil
	case s.audience == audience || !s.made.After(by):
		return s.next.without(audience, by, most)
	}
	kept := *s
	kept.next = s.next.without(audience, by, most-1)
	return &kept
}

// claims are those of package gateidentity, from the side that signs.
type claims struct {
	Issuer     string   `json:"iss"`
	Audience   string   `json:"aud"`
	IssuedAt   int64    `json:"iat"`
	Expires    int64    `json:"exp"`
	Subject    string   `json:"sub"`
	Tenant     string   `json:"tenant"`
	TenantName string   `json:"tenant_name,omitempty"`
	Name       string   `json:"name"`
	Kind       string   `json:"kind"`
	Roles      []string `json:"roles,omitempty"`
	Scopes     []string `json:"scopes,omitzero"` // nil is left out, empty is not
	Credential string   `json:"credential,omitempty"`
	Secret     string   `json:"secret,omitempty"`
	Dialect    string   `json:"dialect"`
	Method     string   `json:"method"`
}

// about returns the value of the header for a caller and an audience. When two
// requests make it at once, the later one is kept.
func (s *statements) about(ctx context.Context, id *identity.Identity, audience string) ([]string, error) {
	now := s.now()
	known, _ := id.StatementNote().Load().(*statement)
	if known != nil && known.identity != id {
		known = nil
	}
	if st := known.find(audience); st != nil && now.Sub(st.made) < reuse && s.log.Intact(st.key[:], st.asOf) {
		return st.text, nil
	}
	st, err := s.make(ctx, id, audience, now)
	if err != nil {
		return nil, err
	}
	st.next = known.without(audience, now.Add(-reuse), maxAudiences-1)
	id.StatementNote().Keep(st)
	return st.text, nil
}

func (s *statements) make(ctx context.Context, id *identity.Identity, audience string, now time.Time) (*statement, error) {
	asOf := s.log.Position() // before the key is chosen
	body, err := json.Marshal(claims{
		Issuer: s.issuer, Audience: audience, IssuedAt: now.Unix(), Expires: now.Add(life).Unix(),
		Subject: id.Principal, Tenant: id.Tenant, TenantName: id.TenantName, Name: id.Name, Kind: string(id.Kind),
		Roles: id.Roles, Scopes: id.Scopes, Credential: id.Credential, Secret: id.Secret,
		Dialect: id.Dialect, Method: string(id.Method),
	})
	if err != nil {
		return nil, fmt.Errorf("encode identity: %w", err)
	}
	text, key, err := s.signer.Sign(ctx, s.house, token.Signing{
		Use: token.UseIdentity, Alg: token.ES256, Type: gateidentity.Type, KeyID: true, Claims: body, Expires: now.Add(life),
	})
	if err != nil {
		return nil, fmt.Errorf("state identity: %w", err)
	}
	if text.Empty() {
		return nil, errors.New("state identity: empty token")
	}
	return &statement{
		identity: id, audience: audience,
		text: []string{text.Reveal()}, made: now, asOf: asOf,
		key: [1]revocation.Ground{{Kind: revocation.SigningKey, ID: key}},
	}, nil
}
