package credential

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
)

// Hasher makes the stored form of a password.
type Hasher interface {
	Hash(ctx context.Context, source string, pw secret.Text) (string, error)
}

// Service is how administrators change credentials: it makes secrets, hands
// each out once, and says in the audit record who asked.
type Service struct {
	Store    Store
	Digester *secret.Digester // the one that verification uses
	Hasher   Hasher
	Shapes   map[string]Shape // by dialect; nil: DefaultShapes
	Vault    Vault            // nil: no encryption credentials
	Scribe   audit.Scribe
	Now      func() time.Time // nil: time.Now
}

// Spec says what to make.
type Spec struct {
	Kind    Kind
	Dialect string // whose shape; empty: "gatehouse"
	Comment string
	Constraints
	Scope Scope // of a ScopedToken
	// SecretExpires ends the first secret, not the credential; zero: never.
	SecretExpires time.Time
	// Password is the text to take for a password; empty: one is made.
	Password secret.Text
}

// Issued is a credential with a fresh secret. Text is not kept anywhere: who
// does not show it now never will.
type Issued struct {
	Credential Credential
	Secret     Secret
	Text       secret.Text
	// Given reports that Text is what the caller brought along.
	Given bool
	// Change is the number of the revocation when older secrets end sooner.
	Change int64
}

// Limits of what a credential can carry.
const (
	maxNetworks  = 64
	maxCountries = 64
	maxUsers     = 64
	maxUser      = 128 // characters
	maxDialect   = 32
	// MaxOverlap bounds how long rotated secrets live on.
	MaxOverlap = 90 * 24 * time.Hour
)

// Create makes a credential of p with its first secret.
func (s *Service) Create(ctx context.Context, by audit.By, p principal.Principal, spec Spec) (Issued, error) {
	c, err := s.plan(by, p, spec)
	if err != nil {
		return Issued{}, err
	}
	c.Lookup = p.Name // stays for passwords
	out, err := s.draw(ctx, by, c, spec.Password)
	if err != nil {
		return Issued{}, err
	}
	out.Secret.Expires = spec.SecretExpires
	e, err := s.event(ctx, by, "credential.create", out.Credential, map[string]string{
		"kind": string(c.Kind), "dialect": c.Dialect, "principal": p.ID,
	})
	if err != nil {
		return Issued{}, err
	}
	stored, secrets, err := s.Store.CreateCredential(ctx, out.Credential, []Secret{out.Secret}, e)
	if err != nil {
		return Issued{}, fmt.Errorf("create credential: %w", err)
	}
	out.Credential, out.Secret = stored, secrets[0]
	return out, nil
}

// plan checks a spec and makes everything but the secret.
func (s *Service) plan(by audit.By, p principal.Principal, spec Spec) (Credential, error) {
	now := s.now()
	c := Credential{
		ID: id.New("cre"), Tenant: p.Tenant, Principal: p.ID,
		Kind: spec.Kind, Dialect: spec.Dialect, Enabled: true, Created: now,
		CreatedBy: by.Actor,
	}
	if c.Dialect == "" {
		c.Dialect = "gatehouse"
	}
	comment, errComment := field.Line("comment", spec.Comment, principal.MaxComment)
	c.Comment = comment
	constraints, errConstraints := CheckConstraints(spec.Constraints, now)
	c.Constraints = constraints
	scope, errScope := checkScope(spec.Kind, spec.Scope, constraints)
	c.Scope = scope
	err := errors.Join(errComment, errConstraints, errScope, s.checkKind(p, spec))
	if !spec.SecretExpires.IsZero() && !spec.SecretExpires.After(now) {
		err = errors.Join(err, field.Errorf("secret_expires", "is in the past"))
	}
	return c, err
}

func (s *Service) checkKind(p principal.Principal, spec Spec) error {
	if _, err := field.Line("dialect", spec.Dialect, maxDialect); err != nil {
		return err
	}
	switch spec.Kind {
	case Password:
		if p.Kind != principal.User {
			return field.Errorf("kind", "password is for users only")
		}
		if !spec.Password.Empty() {
			return checkPassword(spec.Password, p.Name)
		}
		return nil
	case Encryption:
		if p.Kind != principal.User {
			return field.Errorf("kind", "encryption is for users only; their name is part of the key")
		}
	case KeyPair, APIKey, ScopedToken:
	default:
		return field.Errorf("kind", "is not a kind of credential")
	}
	if !spec.Password.Empty() {
		return field.Errorf("password", "can be chosen for kind password only; all other secrets are made here")
	}
	return nil
}

// draw makes a secret of the credential's kind, and says how it is found.
func (s *Service) draw(ctx context.Context, by audit.By, c Credential, given secret.Text) (Issued, error) {
	out := Issued{
		Credential: c, Text: given, Given: !given.Empty(),
		Secret: Secret{ID: id.New("sec"), Credential: c.ID, Scheme: Digest, Created: s.now()},
	}
	switch c.Kind {
	case APIKey:
		out.Text = secret.Generate(KeyPrefix)
		out.Credential.Lookup = out.Text.Reveal()[:shownOfKey]
	case KeyPair:
		shape, ok := s.shapes()[c.Dialect]
		if !ok {
			return Issued{}, field.Errorf("dialect", "has no key pairs of its own; these have: %s, and those of gatehouse are for everything else", strings.Join(slices.Sorted(maps.Keys(s.shapes())), ", "))
		}
		out.Credential.Lookup, out.Text = shape()
	case Password:
		return s.drawPassword(ctx, by, out)
	case Encryption:
		return s.drawEncryption(ctx, out)
	case ScopedToken:
		out.Text = secret.Generate(TokenPrefix)
		out.Credential.Lookup = out.Text.Reveal()[:len(TokenPrefix)+6]
	}
	out.Secret.Hash = s.Digester.Digest(out.Text)
	return out, nil
}

func (s *Service) drawPassword(ctx context.Context, by audit.By, out Issued) (Issued, error) {
	if !out.Given {
		out.Text = secret.Base64(15) // 20 characters that can be typed
	}
	hash, err := s.Hasher.Hash(ctx, by.Source.String(), out.Text)
	if err != nil {
		return Issued{}, fmt.Errorf("hash password: %w", err)
	}
	out.Secret.Scheme, out.Secret.Hash = Hashed, []byte(hash)
	return out, nil
}

// CheckConstraints normalises networks and refuses times that can never be.
func CheckConstraints(c Constraints, now time.Time) (Constraints, error) {
	if len(c.Networks) > maxNetworks {
		return c, field.Errorf("networks", "are more than %d", maxNetworks)
	}
	networks := make([]netip.Prefix, 0, len(c.Networks))
	for _, n := range c.Networks {
		if !n.IsValid() || n.Addr().Is4In6() {
			return c, field.Errorf("networks", "has an entry that is not a network such as 10.0.0.0/8 or 2001:db8::/32")
		}
		networks = append(networks, n.Masked())
	}
	slices.SortFunc(networks, netip.Prefix.Compare)
	c.Networks = slices.Compact(networks)
	countries, err := checkCountries(c.Countries)
	if err != nil {
		return c, err
	}
	c.Countries = countries
	if c.Users, err = checkUsers(c.Users); err != nil {
		return c, err
	}
	switch {
	case !c.Expires.IsZero() && !c.Expires.After(now):
		return c, field.Errorf("expires", "is in the past")
	case !c.Expires.IsZero() && !c.Expires.After(c.NotBefore):
		return c, field.Errorf("expires", "is not after not_before")
	}
	return c, nil
}

func (s *Service) shapes() map[string]Shape {
	if s.Shapes == nil {
		return DefaultShapes
	}
	return s.Shapes
}

func (s *Service) event(ctx context.Context, by audit.By, action string, c Credential, detail map[string]string) (audit.Event, error) {
	e, err := s.Scribe.Event(ctx, by, audit.Event{Action: action, Tenant: c.Tenant, Target: c.ID, Detail: detail})
	if err != nil {
		return e, fmt.Errorf("prepare audit event: %w", err)
	}
	return e, nil
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
