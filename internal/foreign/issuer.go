package foreign

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/token"
)

// leeway is for clocks that differ.
const leeway = 30 * time.Second

// Algorithms are those that an issuer may be pinned to: all asymmetric ones.
var Algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// Introspection is how an issuer is asked about tokens (RFC 7662).
type Introspection struct {
	URL      string
	ClientID string
	Secret   func() (secret.Text, error) // read when it is needed, so that it can be changed
}

// Config is one issuer of one tenant.
type Config struct {
	Tenant     string // id
	Issuer     string // iss, to the letter
	Audience   string // that must be among aud
	Keys       string // URL or file of its key set; empty: only Introspection
	Algorithms []string
	// Introspection, where set, is asked about tokens that are no JWTs, and about
	// all where Keys is empty.
	Introspection *Introspection
	// Principal is who its tokens stand for: kind and name, like "client/partner",
	// or with a claim, like "user/{email}".
	Principal string
	// Unscoped lets its tokens do all that the principal may. Otherwise they are
	// narrowed to their scopes, and a token without any may do nothing.
	Unscoped bool
}

// issuer is a Config at work.
type issuer struct {
	Config
	kind    principal.Kind
	name    template
	algs    []jose.SignatureAlgorithm
	keys    *keys
	answers *answers
	now     func() time.Time
}

func newIssuer(c Config, client *http.Client, logger *slog.Logger, now func() time.Time) (*issuer, error) {
	i := &issuer{Config: c, now: now}
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("issuer %s: "+format, append([]any{c.Issuer}, args...)...)
	}
	var err error
	if i.kind, i.name, err = parsePrincipal(c.Principal); err != nil {
		return nil, wrong("%w", err)
	}
	if c.Tenant == "" || c.Issuer == "" || c.Audience == "" {
		return nil, wrong("tenant, issuer or audience is missing")
	}
	if c.Keys == "" && c.Introspection == nil {
		return nil, wrong("neither keys nor introspection")
	}
	if c.Keys != "" {
		for _, a := range c.Algorithms {
			if !slices.Contains(Algorithms, a) {
				return nil, wrong("algorithm %q", a)
			}
			i.algs = append(i.algs, jose.SignatureAlgorithm(a))
		}
		if len(i.algs) == 0 {
			return nil, wrong("no algorithm")
		}
		i.keys = &keys{at: c.Keys, client: client, logger: logger, now: now}
	}
	if c.Introspection != nil {
		i.answers = newAnswers(*c.Introspection, client, now)
	}
	return i, nil
}

// said is what an issuer says of a token.
type said struct {
	claims  token.Claims
	issued  time.Time
	expires time.Time
	scopes  []string
}

// verify believes a token or says why not, as token.Verifier does. source is who
// waits when too many have to be asked about.
func (i *issuer) verify(ctx context.Context, tok secret.Text, parsed *token.Parsed, source string) (said, error) {
	if i.keys != nil && parsed != nil {
		return i.bySignature(ctx, tok, parsed)
	}
	if i.answers == nil {
		return said{}, token.ErrProfile
	}
	text, err := i.answers.about(ctx, hashOf(i.Issuer, tok), tok, source)
	if err != nil {
		return said{}, err
	}
	return i.byAnswer(text)
}

func (i *issuer) bySignature(ctx context.Context, tok secret.Text, parsed *token.Parsed) (said, error) {
	if !slices.Contains(i.Algorithms, string(parsed.Alg)) {
		return said{}, token.ErrProfile
	}
	if typ := strings.TrimPrefix(strings.ToLower(parsed.Type), "application/"); typ != "" && typ != "jwt" && typ != "at+jwt" {
		return said{}, token.ErrProfile
	}
	s, err := i.read(parsed.Claims) // before anything is computed
	if err != nil {
		return s, err
	}
	key, err := i.keys.find(ctx, parsed.KeyID)
	if err != nil {
		return s, err
	}
	if key.Algorithm != "" && key.Algorithm != string(parsed.Alg) {
		return s, token.ErrKey
	}
	jws, err := jose.ParseSignedCompact(tok.Reveal(), i.algs)
	if err != nil {
		return s, token.ErrMalformed
	}
	if _, err := jws.Verify(key.Key); err != nil {
		return s, token.ErrSignature
	}
	return s, nil
}

// read checks what the claims say for everybody: from whom, for whom, how long.
func (i *issuer) read(c token.Claims) (said, error) {
	s := said{claims: c}
	if iss, err := c.Text("iss"); err != nil || iss != i.Issuer {
		return s, fmt.Errorf("%w: another issuer", token.ErrClaims)
	}
	if aud, err := c.Audience(); err != nil || !slices.Contains(aud, i.Audience) {
		return s, fmt.Errorf("%w: another audience", token.ErrClaims)
	}
	return s, i.readRest(&s)
}

func (i *issuer) readRest(s *said) (err error) {
	now := i.now()
	if s.expires, err = s.claims.Time("exp"); err != nil {
		return err
	}
	// Without iat a token is older than any order to end all earlier ones.
	s.issued = time.Unix(1, 0)
	if s.claims.Has("iat") {
		if s.issued, err = s.claims.Time("iat"); err != nil {
			return err
		}
	}
	if s.claims.Has("nbf") {
		from, err := s.claims.Time("nbf")
		if err != nil {
			return err
		}
		if from.After(now.Add(leeway)) {
			return token.ErrNotYet
		}
	}
	switch {
	case s.issued.After(now.Add(leeway)):
		return token.ErrNotYet
	case !now.Before(s.expires.Add(leeway)):
		return token.ErrExpired
	}
	s.scopes, err = scopesOf(s.claims)
	return err
}

// scopesOf reads scope (RFC 9068 section 2.2.3) or, as some write it, scp. None
// is none, not all.
func scopesOf(c token.Claims) ([]string, error) {
	for _, name := range []string{"scope", "scp"} {
		if !c.Has(name) {
			continue
		}
		if list, err := c.Texts(name); err == nil {
			return append([]string{}, list...), nil
		}
		text, err := c.Text(name)
		return append([]string{}, strings.Fields(text)...), err
	}
	return []string{}, nil
}

// hashOf is what a token is revoked by. That of a JWT is the same as for ours,
// so that it does not depend on who is asked about it.
func hashOf(issuer string, tok secret.Text) string {
	if strings.Count(tok.Reveal(), ".") == 2 {
		return token.Hash(tok)
	}
	sum := sha256.Sum256([]byte("foreign " + issuer + " " + tok.Reveal()))
	return hex.EncodeToString(sum[:])
}
