package token_test

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/seal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// house is one installation: a real store, and as many nodes as a test wants.
type house struct {
	store   *store.Store
	masters *seal.Masters
	tenant  tenant.Tenant
	other   tenant.Tenant
	clock   atomic.Int64 // offset from the real clock
}

// node is one node of a house.
type node struct {
	*house
	store    *switched
	tail     *revocation.Tail
	keys     *token.Keys
	verifier *token.Verifier
	issuer   *token.Issuer
	opaque   *token.OpaqueTokens
}

func newHouse(t testing.TB) *house {
	t.Helper()
	engine, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "gatehouse.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	if err := engine.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := &house{store: store.New(engine)}
	if h.masters, err = seal.ParseMasters([]byte(seal.NewMasterKey())); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*tenant.Tenant{"default": &h.tenant, "other": &h.other} {
		if *p, err = h.store.EnsureTenant(t.Context(), name, audit.Event{Actor: "test", Action: "tenant.create"}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *house) now() time.Time       { return time.Now().Add(time.Duration(h.clock.Load())) }
func (h *house) pass(d time.Duration) { h.clock.Add(int64(d)) }

// newNode makes a node. The options' store, sealer, log and clock are filled in.
func (h *house) newNode(t testing.TB, o token.KeysOptions) *node {
	t.Helper()
	n := &node{house: h, store: &switched{Store: h.store}}
	n.tail = revocation.NewTail(revocation.Options{Store: h.store, Node: t.Name(), Interval: 5 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = n.tail.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	<-n.tail.Ready()

	keeper := seal.NewKeeper(h.store, h.masters, h.now)
	o.Store, o.Sealer, o.Log, o.Now = n.store, keeper, n.tail, h.now
	n.keys = token.NewKeys(o)
	n.verifier = &token.Verifier{Keys: n.keys, Revoked: n.store, Turns: fair.NewQueue(2, 20), Now: h.now}
	n.issuer = &token.Issuer{Keys: n.keys, Revoked: n.store, Log: n.tail, Now: h.now}
	digester, err := keeper.Digester(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n.opaque, err = token.NewOpaqueTokens(n.store, digester, h.now); err != nil {
		t.Fatal(err)
	}
	return n
}

// switched is a store that can be taken down and counts looks at the keys.
type switched struct {
	token.Store
	down  atomic.Bool
	looks atomic.Int64
}

var errDown = errors.New("store is down")

func (s *switched) SigningKeys(ctx context.Context, tenant string) ([]token.SigningKey, error) {
	s.looks.Add(1)
	if s.down.Load() {
		return nil, errDown
	}
	return s.Store.SigningKeys(ctx, tenant)
}

func (s *switched) TokenRevoked(ctx context.Context, hash string) (bool, error) {
	if s.down.Load() {
		return false, errDown
	}
	return s.Store.TokenRevoked(ctx, hash)
}

// plain is a kind of token without kid, like the oldest protocol has it, but
// under an algorithm whose keys are quickly made.
func plain(n *node) *token.Profile {
	return &token.Profile{
		Name: "plain", Use: "plain", Alg: token.ES256, Lifetime: time.Hour,
		Read: func(c token.Claims) (token.Subject, error) {
			number, err1 := c.Int("aud")
			iat, err2 := c.Time("iat")
			exp, err3 := c.Time("exp")
			return token.Subject{TenantNumber: number, Issued: iat, Expires: exp}, errors.Join(err1, err2, err3)
		},
	}
}

func access(n *node) *token.Profile {
	return token.AccessProfile(n.tenant.ID, "https://gate.example", "https://api.example", time.Hour)
}

// ask is a request for a plain token.
func ask(n *node) token.Request {
	return token.Request{
		Ask:     token.Ask{Tenant: n.tenant.ID, Client: "cli_1", Secret: "sec_1"},
		Profile: plain(n),
		Claims: func(issued, expires time.Time) []token.Claim {
			return []token.Claim{{Name: "aud", Value: n.tenant.Number}, {Name: "exp", Value: expires}, {Name: "iat", Value: issued}}
		},
		AsOf: n.tail.Position(),
	}
}

func (n *node) issue(t testing.TB, r token.Request) token.Issued {
	t.Helper()
	out, err := n.issuer.Issue(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var somewhere = netip.MustParseAddr("192.0.2.7")

func (n *node) verify(t testing.TB, p *token.Profile, tok secret.Text) error {
	t.Helper()
	_, err := n.verifier.VerifyJWT(t.Context(), n.tenant, p, tok, somewhere)
	return err
}

// applied waits until the node has applied that change.
func (n *node) applied(t testing.TB, change int64) {
	t.Helper()
	n.tail.Nudge()
	for deadline := time.Now().Add(5 * time.Second); n.tail.Position().N < change; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("change %d was not applied", change)
		}
	}
}

// active is the id of the one key of that use that signs.
func (n *node) states(t testing.TB, use string) map[token.State][]string {
	t.Helper()
	list, err := n.keys.List(t.Context(), n.tenant.ID)
	if err != nil {
		t.Fatal(err)
	}
	out := map[token.State][]string{}
	for _, k := range list {
		if k.Use == use {
			out[k.State] = append(out[k.State], k.ID)
		}
	}
	return out
}

func event(action string) audit.Event { return audit.Event{Actor: "usr_admin", Action: action} }
