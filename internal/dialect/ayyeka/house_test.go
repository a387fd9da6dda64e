package ayyeka_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/dialect/ayyeka"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/password"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/seal"
	"gatehouse.dev/internal/socket"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// house is everything behind the dialect, for real, on one node: store, keys,
// policy, the revocation log, and the one way in.
type house struct {
	store      *store.Store
	tail       *revocation.Tail
	live       *live.Index
	keys       *token.Keys
	issuer     *token.Issuer
	door       *authn.Service
	principals *principal.Service
	creds      *credential.Service
	tenants    map[string]tenant.Tenant
	wheel      *socket.Wheel
	logger     *slog.Logger
}

// must ends the test on an error; it keeps the wiring readable.
func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newHouse(t testing.TB) *house {
	t.Helper()
	ctx := t.Context()
	engine := must[*sqlite.Engine](t)(sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(t.TempDir(), "gatehouse.db")}))
	t.Cleanup(func() { engine.Close() })
	if err := engine.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	h := &house{store: store.New(engine), tenants: map[string]tenant.Tenant{}}
	for _, name := range []string{"default", "other"} {
		h.tenants[name] = must[tenant.Tenant](t)(h.store.EnsureTenant(ctx, name, audit.Event{Actor: "test", Action: "tenant.create"}))
	}
	keeper := seal.NewKeeper(h.store, must[*seal.Masters](t)(seal.ParseMasters([]byte(seal.NewMasterKey()))), nil)
	digester, err := keeper.Digester(ctx)
	if err != nil {
		t.Fatal(err)
	}
	h.logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	h.live = live.New(live.Options{Log: h.logger})
	h.tail = revocation.NewTail(revocation.Options{Store: h.store, Node: "test", Conns: h.live, Interval: 10 * time.Millisecond, Log: h.logger})
	h.live.Attach(h.tail)
	h.keys = token.NewKeys(token.KeysOptions{Store: h.store, Sealer: keeper, Log: h.tail, Logger: h.logger, Wait: time.Minute})
	h.issuer = &token.Issuer{Keys: h.keys, Revoked: h.store, Log: h.tail}
	rules := must[*policy.Engine](t)(policy.New(h.store, h.tail, ayyeka.Rules))
	recorder := audit.NewRecorder(h.store, keeper, "test", h.logger)
	hasher := password.NewHasher(password.Options{})
	h.door = must[*authn.Service](t)(authn.New(authn.Options{
		Store: h.store, Log: h.tail, Passwords: hasher, Digests: digester, Policy: rules, Audit: recorder, Live: h.live, Logger: h.logger,
		JWTs: &token.Verifier{Keys: h.keys, Revoked: h.store, Turns: fair.NewQueue(2, 100)},
	}))
	scribe := audit.Scribe{Node: "test", Protector: keeper}
	h.principals = &principal.Service{Store: h.store, Roles: rules, Scribe: scribe}
	h.creds = &credential.Service{Store: h.store, Digester: digester, Hasher: hasher, Scribe: scribe}
	h.wheel = socket.NewWheel()
	h.run(t, func(ctx context.Context) error { h.wheel.Run(ctx); return ctx.Err() }, h.tail.Run, h.live.Run, recorder.Run, h.door.Run)
	<-h.tail.Ready()
	return h
}

// run keeps the parts going until the test ends.
func (h *house) run(t testing.TB, parts ...func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, part := range parts {
		all.Go(func() {
			if err := part(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("a part of the house ended: %v", err)
			}
		})
	}
	t.Cleanup(func() { cancel(); all.Wait() })
}

// caller is an API client with its key and secret.
type caller struct {
	principal.Principal
	credential.Issued
}

// newCaller makes an API client that holds roles.
func (h *house) newCaller(t testing.TB, tenantName string, spec credential.Spec, roles ...string) caller {
	t.Helper()
	p := must[principal.Principal](t)(h.principals.Create(t.Context(), audit.By{}, principal.Principal{
		Tenant: h.tenants[tenantName].ID, Kind: principal.Client, Name: id.New("client"), Roles: roles,
	}))
	spec.Kind, spec.Dialect = credential.KeyPair, ayyeka.Name
	return caller{p, must[credential.Issued](t)(h.creds.Create(t.Context(), audit.By{}, p, spec))}
}

func (c caller) key() string    { return c.Credential.Lookup }
func (c caller) secret() string { return c.Text.Reveal() }

// settled waits until this node has applied a change.
func (h *house) settled(ctx context.Context, change int64, err error) error {
	if err != nil {
		return err
	}
	if out := h.tail.Await(ctx, change); len(out.Unreached) > 0 {
		return fmt.Errorf("change %d did not reach %q", change, out.Unreached)
	}
	return nil
}
