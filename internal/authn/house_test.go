package authn_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/password"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/throttle"
	"gatehouse.dev/internal/token"
)

var (
	acme = tenant.Tenant{ID: "ten_acme", Number: 1001, Name: "acme", Enabled: true}
	home = netip.MustParseAddr("192.0.2.10")
)

// jwts believes the texts it was given.
type jwts struct {
	mu    sync.Mutex
	known map[string]token.Verified
	err   error
	asked int
}

func (j *jwts) VerifyJWT(_ context.Context, t tenant.Tenant, _ *token.Profile, tok secret.Text, _ netip.Addr) (token.Verified, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked++
	if j.err != nil {
		return token.Verified{}, j.err
	}
	v, ok := j.known[tok.Reveal()]
	switch {
	case !ok || v.Tenant != t.ID:
		return token.Verified{}, token.ErrSignature
	case !time.Now().Before(v.Expires):
		return token.Verified{}, token.ErrExpired
	}
	return v, nil
}

// rules allows what a role is named after.
type rules struct{ err error }

func (r rules) Decide(_ context.Context, q policy.Request) (policy.Decision, error) {
	if q.Action == "broken" {
		return policy.Decision{Allowed: true, Errors: []string{"no such attribute"}}, nil
	}
	return policy.Decision{Allowed: slices.Contains(q.Identity.Roles, q.Action)}, r.err
}

// diary keeps audit events.
type diary struct {
	mu     sync.Mutex
	events []audit.Event
}

func (d *diary) Record(_ context.Context, e audit.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
}

func (d *diary) last() audit.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.events) == 0 {
		return audit.Event{}
	}
	return d.events[len(d.events)-1]
}

// counting counts how often hashes are computed.
type counting struct {
	*password.Hasher
	mu       sync.Mutex
	computed int
}

func (c *counting) Verify(ctx context.Context, source, encoded string, pw secret.Text) (bool, error) {
	c.add()
	return c.Hasher.Verify(ctx, source, encoded, pw)
}

func (c *counting) Nobody(ctx context.Context, source string, pw secret.Text) error {
	c.add()
	return c.Hasher.Nobody(ctx, source, pw)
}

func (c *counting) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.computed++
}

func (c *counting) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.computed
}

// house is a Service with everything around it, its log running.
type house struct {
	*authn.Service
	store  *cabinet // nil on another store
	tail   *revocation.Tail
	live   *live.Index
	jwts   *jwts
	diary  *diary
	hasher *counting
	digest *secret.Digester
}

func build(t testing.TB, adjust ...func(*authn.Options)) *house {
	t.Helper()
	c := &cabinet{records: make(map[string]*credential.Record), log: revocation.Batch{Incarnation: 1}}
	h := buildOn(t, c, adjust...)
	h.store = c
	return h
}

// buildOn builds a house on any store.
func buildOn(t testing.TB, store interface {
	authn.Store
	revocation.Store
}, adjust ...func(*authn.Options)) *house {
	t.Helper()
	h := &house{
		live:   live.New(live.Options{}),
		jwts:   &jwts{known: make(map[string]token.Verified)},
		diary:  &diary{},
		hasher: &counting{Hasher: password.NewHasher(password.Options{Params: password.Params{Memory: 64, Time: 1, Lanes: 1}, Running: 8, Places: 1000})},
	}
	var err error
	if h.digest, err = secret.NewDigester(secret.LookupKey{Version: 1, Key: make([]byte, 32)}); err != nil {
		t.Fatal(err)
	}
	h.tail = revocation.NewTail(revocation.Options{Store: store, Node: "one", Conns: h.live})
	h.live.Attach(h.tail)
	o := authn.Options{
		Store: store, Log: h.tail, Passwords: h.hasher, Digests: h.digest, JWTs: h.jwts,
		Policy: rules{}, Audit: h.diary, Live: h.live,
	}
	for _, f := range adjust {
		f(&o)
	}
	if h.Service, err = authn.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.tail.Run(ctx) })
	running.Go(func() { h.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	<-h.tail.Ready()
	return h
}

// add stores a credential of a new principal with one secret.
func (h *house) add(kind credential.Kind, lookup string, scheme credential.Scheme, hash []byte) *credential.Record {
	r := &credential.Record{TenantNumber: acme.Number, TenantName: acme.Name, TenantEnabled: true}
	r.Principal = principal.Principal{ID: id.New("cli"), Number: 1001, Tenant: acme.ID, Kind: principal.Client, Name: lookup, Enabled: true, Roles: []string{"reader"}}
	r.Credential = credential.Credential{ID: id.New("cre"), Number: 1001, Tenant: acme.ID, Principal: r.Principal.ID, Kind: kind, Lookup: lookup, Enabled: true}
	h.store.edit(func() {
		n := int64(len(h.store.records) + 2001)
		r.Secrets = []credential.Secret{{ID: id.New("sec"), Number: n, Credential: r.Credential.ID, Scheme: scheme, Hash: hash}}
		h.store.records[r.Credential.ID] = r
	})
	return r
}

// pair adds a key pair and returns what shows it.
func (h *house) pair() (*credential.Record, authn.Attempt) {
	key, text := secret.UpperHex(16), secret.Base64(32)
	return h.add(credential.KeyPair, key, credential.Digest, h.digest.Digest(text)),
		authn.Attempt{Tenant: acme, Dialect: "gateway", Method: identity.KeyPair, Name: key, Secret: text, Remote: home}
}

// apiKey adds an API key and returns what shows it.
func (h *house) apiKey() (*credential.Record, authn.Attempt) {
	text := secret.Generate(credential.KeyPrefix)
	return h.add(credential.APIKey, text.Reveal()[:10], credential.Digest, h.digest.Digest(text)),
		authn.Attempt{Tenant: acme, Dialect: "gateway", Method: identity.APIKey, Secret: text, Remote: home}
}

// user adds a user with a password and returns what shows it.
func (h *house) user(t testing.TB, name string) (*credential.Record, authn.Attempt) {
	t.Helper()
	text := secret.New("the password of " + name)
	hash, err := h.hasher.Hash(t.Context(), "", text)
	if err != nil {
		t.Fatal(err)
	}
	return h.add(credential.Password, name, credential.Hashed, []byte(hash)),
		authn.Attempt{Tenant: acme, Dialect: "gateway", Method: identity.Password, Name: name, Secret: text, Remote: home}
}

// token gives rec a JWT and returns what shows it.
func (h *house) token(rec *credential.Record, life time.Duration) authn.Attempt {
	text := id.New("jwt")
	h.jwts.mu.Lock()
	defer h.jwts.mu.Unlock()
	h.jwts.known[text] = token.Verified{
		Subject: token.Subject{
			Tenant: acme.ID, SecretNumber: rec.Secrets[0].Number, PrincipalNumber: rec.Principal.Number,
			Issued: time.Now(), Expires: time.Now().Add(life),
		},
		Hash: "hash of " + text, SigningKey: "key_1",
	}
	return authn.Attempt{Tenant: acme, Dialect: "ayyeka", Method: identity.JWT, Secret: secret.New(text), Remote: home}
}

func kindOf(err error) authn.Kind {
	var r *authn.Refusal
	if errors.As(err, &r) {
		return r.Kind
	}
	return 0
}

func ground(k revocation.Kind, id string) revocation.Ground {
	return revocation.Ground{Kind: k, ID: id}
}

// lenient gives a throttle with room for what a test does.
func lenient(o *authn.Options) {
	o.Throttle = throttle.New(time.Now(), throttle.Options{
		Pair:     throttle.Limit{Failures: 1e6, Per: time.Minute},
		Source:   throttle.Limit{Failures: 1e6, Per: time.Minute},
		Identity: throttle.Limit{Failures: 1e6, Per: time.Minute},
	})
}
