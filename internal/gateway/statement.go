package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
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
	// maxStatements bounds what is kept in each half of the memory.
	maxStatements = 1 << 15
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
// caller and audience at a time.
type statements struct {
	signer Signer
	log    Log
	issuer string
	house  string // tenant whose keys sign; there is one set for all
	now    func() time.Time

	mu         sync.RWMutex
	turned     time.Time
	young, old map[about]*statement
}

// about is what a statement is about. Identities are shared between the
// requests of one verification, so the pointer stands for it, and a caller who
// is verified anew gets a new statement.
type about struct {
	identity *identity.Identity
	audience string
}

type statement struct {
	text []string // as it stands in the header
	made time.Time
	key  [1]revocation.Ground
	asOf revocation.Position
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

// about returns the value of the header for a caller and an audience.
func (s *statements) about(ctx context.Context, id *identity.Identity, audience string) ([]string, error) {
	k := about{id, audience}
	now := s.now()
	s.mu.RLock()
	st, ok := s.young[k]
	if !ok {
		st, ok = s.old[k]
	}
	s.mu.RUnlock()
	if ok && now.Sub(st.made) < reuse && s.log.Intact(st.key[:], st.asOf) {
		return st.text, nil
	}
	st, err := s.make(ctx, id, audience, now)
	if err != nil {
		return nil, err
	}
	s.keep(k, st, now)
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
		text: []string{text.Reveal()}, made: now, asOf: asOf,
		key: [1]revocation.Ground{{Kind: revocation.SigningKey, ID: key}},
	}, nil
}

// keep remembers a statement. When the young half is full or as old as a
// statement may be, it becomes the old half, so nothing is kept for long.
func (s *statements) keep(k about, st *statement, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young == nil || len(s.young) >= maxStatements || now.Sub(s.turned) >= reuse {
		s.old, s.young, s.turned = s.young, make(map[about]*statement), now
	}
	s.young[k] = st
}
