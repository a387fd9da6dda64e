package importer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/password"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
)

// minSecret is the shortest key or secret that is taken over. Shorter ones can
// be guessed; who has them needs new ones, not a new place to keep them.
const minSecret = 12

const maxDialect = 32

// judged is what the store takes, and the forms in which an API key may be
// there already.
type judged struct {
	credential.Import
	forms [][]byte
}

// judge turns a record into what the store takes, or says what is wrong.
func (im *Importer) judge(ctx context.Context, r Record, now time.Time) (out judged, err error) {
	t, err := im.tenant(ctx, r.Tenant)
	if err != nil {
		return out, err
	}
	if out.Principal, err = im.judgePrincipal(ctx, t, r); err != nil {
		return out, err
	}
	if im.MayAdd != nil {
		if err := im.MayAdd(ctx, out.Principal); err != nil {
			return out, err
		}
	}
	out.Credential, err = judgeCredential(t, r, now)
	if err != nil {
		return out, err
	}
	out.Secret = credential.Secret{ID: id.New("sec"), Credential: out.Credential.ID, Created: now}
	if r.Secret.Empty() == r.Hash.Empty() {
		return out, problem("one of secret and hash is needed, and not both")
	}
	switch out.Credential.Kind {
	case credential.Password:
		out.Credential.Lookup = out.Principal.Name
		err = im.judgePassword(ctx, r, &out.Secret)
	case credential.KeyPair:
		out.Credential.Lookup = r.Key
		err = im.judgePair(r, &out.Secret)
	case credential.APIKey:
		err = im.judgeKey(r, &out)
	}
	return out, err
}

// tenant finds a tenant by its name, and remembers it for the run.
func (im *Importer) tenant(ctx context.Context, name string) (tenant.Tenant, error) {
	if name == "" {
		name = im.Tenant
	}
	if t, ok := im.tenants[name]; ok {
		return t, nil
	}
	t, err := im.Tenants.TenantByName(ctx, name)
	switch {
	case errors.Is(err, tenant.ErrNotFound):
		return t, problem("there is no such tenant")
	case err != nil:
		return t, fmt.Errorf("look up tenant: %w", err)
	}
	if im.tenants == nil {
		im.tenants = map[string]tenant.Tenant{}
	}
	im.tenants[name] = t
	return t, nil
}

// ownerKind is what the owner of a line's credential is.
func ownerKind(r Record) principal.Kind {
	switch {
	case r.PrincipalKind != "":
		return principal.Kind(r.PrincipalKind)
	case r.Kind == string(credential.Password):
		return principal.User
	}
	return principal.Client
}

func (im *Importer) judgePrincipal(ctx context.Context, t tenant.Tenant, r Record) (principal.Principal, error) {
	p := principal.Principal{Tenant: t.ID, Kind: ownerKind(r), Enabled: true}
	if !p.Kind.Known() {
		return p, problem("principal_kind is not a kind of principal")
	}
	var err error
	if p.Name, err = principal.NormaliseName(p.Kind, r.Name); err != nil {
		return p, asProblem(err)
	}
	if p.DisplayName, err = field.Line("display_name", r.DisplayName, principal.MaxDisplayName); err != nil {
		return p, asProblem(err)
	}
	for _, role := range r.Roles {
		known, err := im.Roles.KnownRole(ctx, t.ID, role)
		if fault := new(field.Error); errors.As(err, &fault) {
			return p, asProblem(err)
		} else if err != nil {
			return p, fmt.Errorf("look up role: %w", err)
		}
		if !known {
			return p, problem("roles has one that the tenant's policy does not know")
		}
	}
	p.ID, p.Roles = id.New(p.Kind.Prefix()), r.Roles
	return p, nil
}

func judgeCredential(t tenant.Tenant, r Record, now time.Time) (credential.Credential, error) {
	c := credential.Credential{
		ID: id.New("cre"), Tenant: t.ID, Kind: credential.Kind(r.Kind), Dialect: r.Dialect,
		Enabled: !r.Disabled, Created: now,
	}
	switch c.Kind {
	case credential.Password, credential.KeyPair, credential.APIKey:
	case "":
		return c, problem("kind is missing")
	default:
		return c, problem("kind is none of api_key, key_pair and password")
	}
	if c.Dialect == "" {
		c.Dialect = "gatehouse"
	}
	var err error
	if c.Dialect, err = field.Name("dialect", c.Dialect, maxDialect); err != nil {
		return c, asProblem(err)
	}
	if c.Comment, err = field.Line("comment", r.Comment, principal.MaxComment); err != nil {
		return c, asProblem(err)
	}
	c.Constraints, err = credential.CheckConstraints(credential.Constraints{
		Networks: r.Networks, Users: r.Users, NotBefore: r.NotBefore, Expires: r.Expires,
	}, now)
	return c, asProblem(err)
}

// judgePassword keeps a hash as it came, and hashes a password that did not
// come as one. It may be shorter than what we let people choose: they have it.
func (im *Importer) judgePassword(ctx context.Context, r Record, s *credential.Secret) error {
	s.Scheme = credential.Hashed
	if r.Key != "" {
		return problem("key is not for passwords")
	}
	if !r.Hash.Empty() {
		return keepHash(r.Hash, s)
	}
	if r.Secret.Len() > 4*credential.MaxPassword {
		return problem("secret is too long for a password")
	}
	if im.DryRun {
		return nil // hashing is the slow part, and shows nothing
	}
	hash, err := im.Hasher.Hash(ctx, "import", r.Secret)
	if err != nil {
		return fmt.Errorf("hash password: %w", err)
	}
	s.Hash = []byte(hash)
	return nil
}

func (im *Importer) judgePair(r Record, s *credential.Secret) error {
	key, err := field.Name("key", r.Key, principal.MaxName)
	switch {
	case err != nil:
		return asProblem(err)
	case key != r.Key:
		return problem("key begins or ends with a blank") // it is found exactly as it is
	case strings.Contains(key, ":"):
		return problem("key contains a colon, which HTTP Basic cannot carry")
	case !r.Hash.Empty():
		s.Scheme = credential.Hashed
		return keepHash(r.Hash, s)
	}
	if err := checkSecret(r.Secret); err != nil {
		return err
	}
	s.Scheme, s.Hash = credential.Digest, im.Digester.Digest(r.Secret)
	return nil
}

// judgeKey keeps of the key what the line says people may see of it.
func (im *Importer) judgeKey(r Record, out *judged) (err error) {
	out.Credential.Lookup, err = field.Line("key", r.Key, principal.MaxName)
	if err != nil {
		return asProblem(err)
	}
	if !r.Hash.Empty() {
		h, err := password.Parse(r.Hash.Reveal())
		if err != nil || h.Kind() != password.SHA256 || strings.HasPrefix(r.Hash.Reveal(), "$") {
			return problem("hash of an api_key is not 64 hexadecimal digits of SHA-256; by any other hash a key cannot be found")
		}
		out.Secret.Scheme, out.Secret.Hash = credential.Hashed, []byte(strings.ToLower(r.Hash.Reveal()))
		out.forms = [][]byte{out.Secret.Hash}
		return nil
	}
	if err := checkSecret(r.Secret); err != nil {
		return err
	}
	if shown := out.Credential.Lookup; 2*len(shown) > r.Secret.Len() && strings.HasPrefix(r.Secret.Reveal(), shown) {
		return problem("key shows more than half of the secret")
	}
	out.Secret.Scheme, out.Secret.Hash = credential.Digest, im.Digester.Digest(r.Secret)
	out.forms = append(im.Digester.Candidates(r.Secret), credential.PlainDigest(r.Secret))
	return nil
}

func checkSecret(t secret.Text) error {
	switch n := t.Len(); {
	case n < minSecret:
		return problemf("secret has fewer than %d bytes and could be guessed", minSecret)
	case n > 1024:
		return problem("secret has more than 1024 bytes")
	}
	return nil
}

func keepHash(h secret.Text, s *credential.Secret) error {
	if _, err := password.Parse(h.Reveal()); err != nil {
		return problemf("hash: %v", err)
	}
	s.Hash = []byte(h.Reveal())
	return nil
}

// asProblem takes over what an edge may be shown; it repeats no value either.
func asProblem(err error) error {
	if err == nil {
		return nil
	}
	return problem(err.Error())
}
