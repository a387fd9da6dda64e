package storetest

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/tenant"
)

// Run runs the suite for stores. Each call of open returns an empty store that
// is closed when the test ends.
func Run(t *testing.T, open func(testing.TB) *store.Store) {
	for name, test := range map[string]func(*testing.T, *world){
		"Tenants":              tenants,
		"TenantsRace":          tenantsRace,
		"Methods":              methods,
		"Principals":           principals,
		"PrincipalsRace":       principalsRace,
		"PrincipalsListed":     principalsListed,
		"PrincipalEnds":        principalEnds,
		"PrincipalDeleted":     principalDeleted,
		"Roles":                roles,
		"Credentials":          credentials,
		"CredentialNames":      credentialNames,
		"CredentialChanges":    credentialChanges,
		"CredentialNumbers":    credentialNumbers,
		"Secrets":              secrets,
		"SecretsRace":          secretsRace,
		"Replaced":             credentialReplaced,
		"Records":              records,
		"Imports":              imports,
		"ScopedTokens":         scopedTokens,
		"ScopedRevoked":        scopedRevoked,
		"UsesRace":             usesRace,
		"Policies":             policies,
		"PoliciesRace":         policiesRace,
		"RevocationLog":        revocationLog,
		"RevocationOrder":      revocationOrder,
		"RevocationNotified":   revocationNotified,
		"Nodes":                nodes,
		"AuditWithChange":      auditWithChange,
		"AuditRows":            auditRows,
		"AuditMany":            auditMany,
		"AuditFilter":          auditFilter,
		"AuditChain":           auditChain,
		"AuditChainRace":       auditChainRace,
		"AuditTrim":            auditTrim,
		"Leases":               leases,
		"LeasesRace":           leasesRace,
		"SigningKeys":          signingKeys,
		"SigningKeysRace":      signingKeysRace,
		"RevokedTokens":        revokedTokens,
		"RevokedTokensRace":    revokedTokensRace,
		"OpaqueTokens":         opaqueTokens,
		"TokensSwept":          tokensSwept,
		"Tickets":              tickets,
		"TicketsMadeUp":        ticketsMadeUp,
		"TicketsRace":          ticketsRace,
		"Grants":               grants,
		"Rotation":             rotation,
		"RotationRefused":      rotationRefused,
		"RotationReuse":        rotationReuse,
		"RotationWindow":       rotationWindow,
		"RotationRace":         rotationRace,
		"RotationAgainstEnd":   rotationAgainstEnd,
		"GrantsSwept":          grantsSwept,
		"SealKeys":             sealKeys,
		"SealKeysErased":       sealKeysErased,
		"SealKeysRace":         sealKeysRace,
		"Swept":                swept,
		"ZeroTimesStayZero":    zeroTimesStayZero,
		"NothingFoundHasKinds": nothingFoundHasKinds,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, open(t)))
		})
	}
}

// world is a store with somebody in it.
type world struct {
	*store.Store
	tenant tenant.Tenant
	user   principal.Principal
}

func newWorld(t *testing.T, s *store.Store) *world {
	t.Helper()
	w := &world{Store: s}
	var err error
	if w.tenant, err = s.EnsureTenant(t.Context(), "acme", event("tenant.create")); err != nil {
		t.Fatal(err)
	}
	w.user = w.principal(t, principal.User, "ann")
	return w
}

func (w *world) principal(t *testing.T, k principal.Kind, name string) principal.Principal {
	t.Helper()
	p, err := w.CreatePrincipal(t.Context(), principal.Principal{
		ID: id.New("usr"), Tenant: w.tenant.ID, Kind: k, Name: name, Enabled: true,
	}, event("principal.create"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pair stores a key pair of the user with one secret.
func (w *world) pair(t *testing.T, lookup string) (credential.Credential, credential.Secret) {
	t.Helper()
	c, s, err := w.CreateCredential(t.Context(), w.newCredential(credential.KeyPair, lookup),
		[]credential.Secret{newSecret("hash of " + lookup)}, event("credential.create"))
	if err != nil {
		t.Fatal(err)
	}
	return c, s[0]
}

func (w *world) newCredential(k credential.Kind, lookup string) credential.Credential {
	return credential.Credential{ID: id.New("cre"), Tenant: w.tenant.ID, Principal: w.user.ID, Kind: k,
		Dialect: "gatehouse", Lookup: lookup, Enabled: true}
}

func newSecret(hash string) credential.Secret {
	return credential.Secret{ID: id.New("sec"), Scheme: credential.Digest, Hash: []byte(hash)}
}

func event(action string) audit.Event {
	return audit.Event{Actor: "system", Action: action, Outcome: audit.OK, Node: "nod_1"}
}

// same compares what went in with what came out. Times are whole microseconds,
// and an empty list is as good as none.
func same(t testing.TB, what string, got, want any, opts ...cmp.Option) {
	t.Helper()
	opts = append(opts, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}))
	if d := cmp.Diff(want, got, opts...); d != "" {
		t.Errorf("%s: -want +got:\n%s", what, d)
	}
}

func fails(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: err = %v, want %v", what, got, want)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// head is the last number of the revocation log.
func (w *world) head(t testing.TB) int64 {
	t.Helper()
	b, err := w.RevocationsSince(t.Context(), 0, 1)
	ok(t, err)
	return b.Head
}

// revokes runs a change and expects it to write one entry: the next number,
// that effect, those grounds, and an audit event of that action and target.
func (w *world) revokes(t testing.TB, action, target string, effect revocation.Effect, change func() (int64, error), g ...revocation.Ground) int64 {
	t.Helper()
	before := w.head(t)
	n, err := change()
	if err != nil {
		t.Fatalf("%s: %v", action, err)
	}
	b, err := w.RevocationsSince(t.Context(), before, 0)
	ok(t, err)
	if n != before+1 || len(b.Entries) != 1 || b.Head != n {
		t.Fatalf("%s: change %d after %d, log has %+v", action, n, before, b)
	}
	e := b.Entries[0]
	same(t, action+": grounds", e.Grounds, g)
	if e.N != n || e.Effect != effect || e.Reason == "" || time.Since(e.At).Abs() > time.Minute {
		t.Errorf("%s: entry = %+v", action, e)
	}
	w.recorded(t, action, target)
	return n
}

// recorded expects the newest audit row to be of that action and target.
func (w *world) recorded(t testing.TB, action, target string) {
	t.Helper()
	rows, err := w.Events(t.Context(), audit.Filter{Newest: true, Limit: 1})
	ok(t, err)
	if len(rows) != 1 || rows[0].Action != action || rows[0].Target != target || rows[0].Tenant != w.tenant.ID {
		t.Errorf("newest audit row = %+v, want %s of %s", rows, action, target)
	}
}

// unrecorded runs a change that is refused, and expects it to leave neither an
// audit row nor a number.
func (w *world) unrecorded(t testing.TB, what string, want error, change func() error) {
	t.Helper()
	count := func() int {
		rows, err := w.Events(t.Context(), audit.Filter{Limit: 1000})
		ok(t, err)
		return len(rows)
	}
	rows, n := count(), w.head(t)
	fails(t, what, change(), want)
	if got := count(); got != rows {
		t.Errorf("%s: a refused change left %d audit rows", what, got-rows)
	}
	if got := w.head(t); got != n {
		t.Errorf("%s: a refused change took number %d", what, got)
	}
}

// together runs fn that many times at once and returns the results in order.
func together[T any](n int, fn func(i int) T) []T {
	out := make([]T, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			out[i] = fn(i)
		})
	}
	done.Wait()
	return out
}

// sql runs a statement behind the store's back, to let time pass.
func (w *world) sql(t testing.TB, query string, args ...any) {
	t.Helper()
	exec(t, w.Engine(), query, args...)
}
