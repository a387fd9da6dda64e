// Package admintest puts an installation together for tests of administration:
// a real store, the services, policy, the revocation log and the live index,
// and the admin API over them. Nothing in it stands for something else.
package admintest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/bus/inproc"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/live"
	"gatehouse.dev/internal/password"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/push"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/seal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
	"gatehouse.dev/internal/vault"
)

// Installation is one node with everything that administration touches.
type Installation struct {
	adminapi.Config
	Store   *store.Store
	Engine  *policy.Engine
	Tail    *revocation.Tail
	Index   *live.Index
	Hub     *push.Hub
	Signing *token.Keys
	Handler http.Handler
	Default tenant.Tenant
	Data    string // the data folder

	t testing.TB
}

// New makes an installation that ends with the test. Parts are rules beside the
// program's own.
func New(t testing.TB, parts ...policy.Part) *Installation {
	t.Helper()
	in := &Installation{t: t, Data: t.TempDir()}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	engine, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(in.Data, "gatehouse.db"), Logger: log})
	in.must(err)
	t.Cleanup(func() { engine.Close() })
	in.must(engine.Migrate(t.Context()))
	in.Store = store.New(engine)
	masters, err := seal.ParseMasters([]byte(seal.NewMasterKey()))
	in.must(err)
	keeper := seal.NewKeeper(in.Store, masters, nil)
	keys, err := vault.New(t.Context(), keeper)
	if err != nil {
		t.Fatal(err)
	}
	digester, err := keeper.Digester(t.Context())
	in.must(err)

	in.Index = live.New(live.Options{Log: log})
	in.Tail = revocation.NewTail(revocation.Options{Store: in.Store, Node: "node-1", Conns: in.Index, Log: log})
	in.run(func(ctx context.Context) { _ = in.Tail.Run(ctx) })
	in.Index.Attach(in.Tail)
	in.run(func(ctx context.Context) { _ = in.Index.Run(ctx) })
	<-in.Tail.Ready()
	in.Engine, err = policy.New(in.Store, in.Tail, parts...)
	in.must(err)
	in.Signing = token.NewKeys(token.KeysOptions{Store: in.Store, Sealer: keeper, Log: in.Tail, Logger: log})
	opaques, err := token.NewOpaqueTokens(in.Store, digester, nil)
	in.must(err)

	scribe := audit.Scribe{Node: "node-1", Protector: keeper}
	sealer := &audit.Sealer{Store: in.Store, Signer: keeper, Node: "node-1", Log: log}
	in.run(func(ctx context.Context) { _ = sealer.Run(ctx) })
	in.Config = adminapi.Config{
		Tenants:    &tenant.Service{Store: in.Store, Scribe: scribe},
		Methods:    &tenant.Switches{Store: in.Store, Scribe: scribe},
		Principals: &principal.Service{Store: in.Store, Roles: in.Engine, Scribe: scribe},
		Credentials: &credential.Service{
			Vault: keys,
			Store: in.Store, Digester: digester, Hasher: password.NewHasher(password.Options{}), Scribe: scribe,
		},
		Rules: in.Engine, Policies: in.Store,
		Keys: in.Signing,
		JWTs: &token.Verifier{
			Keys: in.Signing, Revoked: in.Store, Turns: fair.NewQueue(2, 20),
			Profiles: func(t tenant.Tenant) []*token.Profile { return []*token.Profile{accessOf(t)} },
		},
		Opaques: opaques, Tokens: in.Store,
		Conns: in.Index, Pushes: in.pushes(log), Changes: in.Tail, Revocations: in.Store,
		Audit: in.Store, Signer: keeper, Scribe: scribe,
		Unavailable: func(err error) bool { return errors.Is(err, store.ErrUnavailable) },
		Log:         log,
	}
	recorder := audit.NewRecorder(in.Store, keeper, "node-1", log)
	in.run(func(ctx context.Context) { _ = recorder.Run(ctx) })
	door, err := authn.New(authn.Options{
		Store: in.Store, Log: in.Tail, Passwords: password.NewHasher(password.Options{}), Digests: digester,
		JWTs: in.Config.JWTs.(*token.Verifier), Opaques: opaques, Policy: in.Engine, Audit: recorder, Live: in.Index, Logger: log,
	})
	in.must(err)
	in.run(func(ctx context.Context) { _ = door.Run(ctx) })
	in.Door = door
	in.Default, err = in.Store.EnsureTenant(t.Context(), tenant.Default, audit.Event{Actor: "system", Action: "tenant.create"})
	in.must(err)
	in.Recorder = recorder
	in.Handler = adminapi.New(in.Config)
	return in
}

// run keeps something running until the test ends.
func (in *Installation) run(f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { f(ctx) })
	in.t.Cleanup(func() { cancel(); wg.Wait() })
}

func (in *Installation) must(err error) {
	in.t.Helper()
	if err != nil {
		in.t.Fatal(err)
	}
}

// pushes is the hub of the one node.
func (in *Installation) pushes(log *slog.Logger) *push.Hub {
	lines := inproc.New(0)
	in.t.Cleanup(lines.Close)
	in.Hub = push.New(push.Options{Bus: lines, Node: "node-1", Log: log})
	return in.Hub
}

// Serve serves the API over TCP and returns its base URL, "http://…/api".
func (in *Installation) Serve() string {
	s := httptest.NewServer(in.Handler)
	in.t.Cleanup(s.Close)
	return s.URL + adminapi.Base
}

// ServeSocket serves the API on the Unix socket of a data folder.
func (in *Installation) ServeSocket(data string) {
	l, err := adminapi.ListenSocket(filepath.Join(data, adminapi.SocketName))
	in.must(err)
	in.run(func(ctx context.Context) { _ = adminapi.ServeSocket(ctx, l, in.Handler, in.Log) })
}

// Tenant makes a tenant.
func (in *Installation) Tenant(name string) tenant.Tenant {
	in.t.Helper()
	t, err := in.Tenants.Create(in.t.Context(), audit.By{}, name)
	in.must(err)
	return t
}

// User makes a user with roles.
func (in *Installation) User(t tenant.Tenant, name string, roles ...string) principal.Principal {
	in.t.Helper()
	p, err := in.Principals.Create(in.t.Context(), audit.By{}, principal.Principal{
		Tenant: t.ID, Kind: principal.User, Name: name, Roles: roles,
	})
	in.must(err)
	return p
}

// Key makes an API key.
func (in *Installation) Key(p principal.Principal) credential.Issued {
	in.t.Helper()
	out, err := in.Credentials.Create(in.t.Context(), audit.By{}, p, credential.Spec{Kind: credential.APIKey})
	in.must(err)
	return out
}

// Admin makes an administrator of a tenant and returns the key.
func (in *Installation) Admin(t tenant.Tenant, name string, roles ...string) secret.Text {
	in.t.Helper()
	if len(roles) == 0 {
		roles = []string{principal.AdminRole}
	}
	return in.Key(in.User(t, name, roles...)).Text
}

// issuer of the tokens of tests.
const issuer = "https://gate.example"

func accessOf(t tenant.Tenant) *token.Profile {
	return token.AccessProfile(t.ID, issuer, issuer, time.Hour)
}

// JWT issues an access token that rests on a credential.
func (in *Installation) JWT(t tenant.Tenant, c credential.Issued) secret.Text {
	in.t.Helper()
	i := &token.Issuer{Keys: in.Signing, Revoked: in.Store, Log: in.Tail}
	out, err := i.Issue(in.t.Context(), token.Request{
		Ask:     token.Ask{Tenant: t.ID, Profile: "access", Client: c.Credential.Principal, Secret: c.Secret.ID},
		Profile: accessOf(t),
		Claims: func(issued, expires time.Time) []token.Claim {
			return token.AccessClaims(issuer, issuer, token.Subject{
				Principal: c.Credential.Principal, Credential: c.Credential.ID, Secret: c.Secret.ID, ID: id.New("tok"),
				Issued: issued, Expires: expires,
			})
		},
	})
	in.must(err)
	return out.Token
}

// Open opens a conn that rests on a credential, and reports whether it has been
// ended.
func (in *Installation) Open(t tenant.Tenant, p principal.Principal, credentialID string) (id string, ended *atomic.Bool) {
	in.t.Helper()
	ended = new(atomic.Bool)
	var h atomic.Pointer[live.Handle]
	handle := in.Index.Open(live.Conn{
		Kind: live.WebSocket, Dialect: "gateway", Route: "feed",
		Identity: &identity.Identity{
			Tenant: t.ID, TenantName: t.Name, Principal: p.ID, Kind: p.Kind, Name: p.Name, Credential: credentialID,
			Method: identity.APIKey, AsOf: in.Tail.Position(),
			Grounds: []revocation.Ground{
				{Kind: revocation.Tenant, ID: t.ID}, {Kind: revocation.Principal, ID: p.ID},
				{Kind: revocation.Credential, ID: credentialID},
			},
		},
		End: func(live.Cause) {
			ended.Store(true)
			go func() {
				for h.Load() == nil {
					time.Sleep(time.Millisecond)
				}
				h.Load().Close()
			}()
		},
	})
	h.Store(handle)
	in.t.Cleanup(handle.Close)
	return handle.ID(), ended
}

// Context ends with the test.
func (in *Installation) Context() context.Context { return in.t.Context() }
