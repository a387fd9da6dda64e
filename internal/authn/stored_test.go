package authn_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// stored is a house on a real database, with what administrators use.
type stored struct {
	*house
	db      *store.Store
	tenant  tenant.Tenant
	service *credential.Service
	made    atomic.Int64
}

func buildStored(t *testing.T) *stored {
	t.Helper()
	engine, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "gatehouse.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	if err := engine.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &stored{db: store.New(engine)}
	if s.tenant, err = s.db.EnsureTenant(t.Context(), tenant.Default, audit.Event{Action: "tenant.create"}); err != nil {
		t.Fatal(err)
	}
	s.house = buildOn(t, s.db, lenient)
	s.service = &credential.Service{Store: s.db, Digester: s.digest, Hasher: s.hasher}
	return s
}

// caller makes a credential as an administrator does, and a token got with it.
func (s *stored) caller(t *testing.T) *caller {
	t.Helper()
	ctx, n := t.Context(), s.made.Add(1)
	spec := []credential.Spec{{Kind: credential.KeyPair}, {Kind: credential.APIKey}, {Kind: credential.Password}}[n%3]
	kind := principal.Client
	if spec.Kind == credential.Password {
		kind = principal.User
	}
	p, err := s.db.CreatePrincipal(ctx, principal.Principal{
		ID: id.New("cli"), Tenant: s.tenant.ID, Kind: kind, Name: fmt.Sprint("caller", n), Enabled: true,
	}, audit.Event{Action: "principal.create"})
	if err != nil {
		t.Fatal(err)
	}
	issued, err := s.service.Create(ctx, audit.By{}, p, spec)
	if err != nil {
		t.Fatal(err)
	}
	a := authn.Attempt{Tenant: s.tenant, Dialect: "gateway", Method: identity.Method(spec.Kind), Name: issued.Credential.Lookup, Secret: issued.Text, Remote: home}
	if spec.Kind == credential.APIKey {
		a.Name = ""
	}
	rec := &credential.Record{Credential: issued.Credential, Principal: p, Secrets: []credential.Secret{issued.Secret}}
	jwt := s.token(rec, time.Hour)
	jwt.Tenant = s.tenant
	s.jwts.mu.Lock()
	v := s.jwts.known[jwt.Secret.Reveal()]
	v.Subject = token.Subject{Tenant: s.tenant.ID, SecretNumber: issued.Secret.Number, Issued: v.Issued, Expires: v.Expires}
	s.jwts.known[jwt.Secret.Reveal()] = v
	s.jwts.mu.Unlock()
	return &caller{rec: rec, shown: []authn.Attempt{a, jwt}}
}

// end takes the right away as an administrator does and waits for the receipt.
func (s *stored) end(t *testing.T, c *caller, way int) {
	t.Helper()
	var n int64
	var err error
	e := audit.Event{Action: "test"}
	switch way % 5 {
	case 0:
		n, err = s.db.RevokeCredential(t.Context(), c.rec.Credential.ID, e)
	case 1:
		n, err = s.db.DisableCredential(t.Context(), c.rec.Credential.ID, e)
	case 2:
		n, err = s.db.DisablePrincipal(t.Context(), c.rec.Principal.ID, e)
	case 3:
		n, err = s.db.RevokeSecret(t.Context(), c.rec.Secrets[0].ID, e)
	case 4:
		n, err = s.db.DeletePrincipal(t.Context(), c.rec.Principal.ID, e)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := s.tail.Await(t.Context(), n)
	if len(out.Unreached) > 0 || len(out.Nodes) != 1 {
		t.Errorf("receipt of %d: %+v", n, out)
		return
	}
	c.ended.Store(n)
	for _, h := range c.socks.all() {
		if h.Ended() == 0 {
			t.Errorf("a socket passes after the receipt of %d", n)
		}
	}
}

// On a real database: what is revoked by an administrator is never believed
// after the receipt, while callers knock without a pause.
func TestNeverBelievedAfterReceiptStored(t *testing.T) {
	t.Parallel()
	s := buildStored(t)
	var current [4]atomic.Pointer[caller]
	for i := range current {
		current[i].Store(s.caller(t))
	}
	for i := range current {
		for what := range 2 {
			if _, err := s.Check(t.Context(), current[i].Load().shown[what]); err != nil {
				t.Fatalf("before anything is revoked: %v", err)
			}
		}
	}
	stop := make(chan struct{})
	var knockers, enders sync.WaitGroup
	for range 4 {
		knockers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					s.knock(t, current[rand.IntN(len(current))].Load(), rand.IntN(2), rand.IntN(3), 0)
				}
			}
		})
	}
	for i := range current {
		enders.Go(func() {
			for round := range 10 {
				old := current[i].Load()
				s.end(t, old, i+round)
				s.knock(t, old, 0, 0, 0)
				s.knock(t, old, 1, 2, 0)
				current[i].Store(s.caller(t))
			}
		})
	}
	enders.Wait()
	close(stop)
	knockers.Wait()
}

// The old secret of a rotation works until its end and not a moment longer,
// also where it is remembered, and so do tokens that rest on it.
func TestRotationStored(t *testing.T) {
	t.Parallel()
	s := buildStored(t)
	s.made.Store(2) // a key pair
	c := s.caller(t)
	for _, a := range c.shown {
		if _, err := s.Check(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	const overlap = 1500 * time.Millisecond
	began := time.Now()
	issued, err := s.service.Rotate(t.Context(), audit.By{}, c.rec.Credential, overlap, secret.Text{})
	if err != nil {
		t.Fatal(err)
	}
	s.tail.Await(t.Context(), issued.Change)
	next := c.shown[0]
	next.Secret = issued.Text
	for name, a := range map[string]authn.Attempt{"old secret": c.shown[0], "its token": c.shown[1], "new secret": next} {
		if _, err := s.Check(t.Context(), a); err != nil && time.Since(began) < overlap/2 {
			t.Errorf("%s within the overlap: %v", name, err)
		}
	}
	time.Sleep(time.Until(began.Add(overlap + 100*time.Millisecond)))
	for name, a := range map[string]authn.Attempt{"old secret": c.shown[0], "its token": c.shown[1]} {
		if _, err := s.Check(t.Context(), a); kindOf(err) != authn.Invalid {
			t.Errorf("%s after the overlap: %v, want invalid", name, err)
		}
	}
	if _, err := s.Check(t.Context(), next); err != nil {
		t.Errorf("new secret: %v", err)
	}
}
