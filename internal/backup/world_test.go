package backup_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/backup"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/grant"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/journal"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/seal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/pgtest"
	"gatehouse.dev/internal/store/postgres"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// place is a database that can be opened, backed up and replaced.
type place interface {
	backup.Source
	backup.Target
}

func open(t *testing.T, p place) *store.Store {
	t.Helper()
	var e store.Engine
	var err error
	switch p := p.(type) {
	case backup.SQLite:
		e, err = sqlite.Open(t.Context(), sqlite.Config{Path: p.Path})
	case backup.Postgres:
		e, err = postgres.Open(t.Context(), postgres.Config{URL: p.URL})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store.New(e)
}

// places makes an empty one of each engine.
var places = map[string]func(t *testing.T) place{
	"SQLite":   func(t *testing.T) place { return backup.SQLite{Path: filepath.Join(t.TempDir(), "gatehouse.db")} },
	"Postgres": func(t *testing.T) place { return backup.Postgres{URL: secret.New(pgtest.URL(t))} },
}

// world is an installation with one of everything that can be taken away, each
// on a principal of its own.
type world struct {
	t          *testing.T
	place      place
	store      *store.Store
	masters    *seal.Masters
	journalDir string
	home       tenant.Tenant
	other      tenant.Tenant // disabled later
	who        map[string]principal.Principal
	cred       map[string]credential.Credential
	sec        map[string]credential.Secret
	key        token.SigningKey
	opaque     token.Opaque
	family     grant.Grant
	protected  audit.Event // of the person who is erased later
	file       string      // the backup
}

// names of the principals; each says what happens to it after the backup.
var names = []string{
	"untouched", "disabled", "deleted", "loses role", "loses tokens", "loses credential", "has credential disabled",
	"loses secret", "rotates", "is narrowed", "is erased", "ends grant",
}

func event(action string) audit.Event { return audit.Event{Actor: "local", Action: action} }

func build(t *testing.T, p place) *world {
	t.Helper()
	w := &world{
		t: t, place: p, store: open(t, p), journalDir: filepath.Join(t.TempDir(), "journal"),
		who: map[string]principal.Principal{}, cred: map[string]credential.Credential{}, sec: map[string]credential.Secret{},
	}
	var err error
	if w.masters, err = seal.ParseMasters([]byte(seal.NewMasterKey() + "\n")); err != nil {
		t.Fatal(err)
	}
	if w.home, err = w.store.EnsureTenant(t.Context(), "default", event("tenant.create")); err != nil {
		t.Fatal(err)
	}
	if w.other, err = w.store.EnsureTenant(t.Context(), "other", event("tenant.create")); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		w.add(n)
	}
	w.addTokens()
	w.protected, err = audit.Protect(t.Context(), w.keeper(), audit.Event{
		Action: "login", Tenant: w.home.ID, Person: w.who["is erased"].ID, Personal: map[string]string{"name": "Erna"},
	})
	w.must(err)
	w.must(w.store.AppendEvents(t.Context(), []audit.Event{w.protected}))
	w.seal()
	return w
}

func (w *world) keeper() *seal.Keeper { return seal.NewKeeper(w.store, w.masters, nil) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// took is for changes that return their number.
func (w *world) took(_ int64, err error) {
	w.t.Helper()
	w.must(err)
}

func (w *world) add(name string) {
	w.t.Helper()
	ctx := w.t.Context()
	p, err := w.store.CreatePrincipal(ctx, principal.Principal{
		ID: id.New("cli"), Tenant: w.home.ID, Kind: principal.Client, Name: name, Enabled: true, Roles: []string{"ayyeka/operator"},
	}, event("principal.create"))
	w.must(err)
	c := credential.Credential{
		ID: id.New("cre"), Tenant: w.home.ID, Principal: p.ID, Kind: credential.KeyPair, Dialect: "ayyeka", Lookup: "key of " + name, Enabled: true,
	}
	c, secrets, err := w.store.CreateCredential(ctx, c, []credential.Secret{
		{ID: id.New("sec"), Credential: c.ID, Scheme: credential.Digest, Hash: []byte(name)},
	}, event("credential.create"))
	w.must(err)
	w.who[name], w.cred[name], w.sec[name] = p, c, secrets[0]
}

func (w *world) addTokens() {
	ctx := w.t.Context()
	w.key = w.addNextKey()
	w.must(w.store.ActivateKey(ctx, w.key.ID, time.Now(), event("key.activate")))
	owner := w.who["ends grant"].ID
	w.opaque = token.Opaque{
		ID: id.New("tok"), Digest: []byte("opaque digest"), Tenant: w.home.ID, Principal: owner,
		Issued: time.Now(), Expires: time.Now().Add(time.Hour),
	}
	w.must(w.store.AddOpaque(ctx, w.opaque))
	w.family = grant.Grant{ID: id.New("grt"), Tenant: w.home.ID, Principal: owner, Client: owner, Created: time.Now(), Expires: time.Now().Add(time.Hour)}
	w.must(w.store.CreateGrant(ctx, w.family, grant.Refresh{
		Digest: []byte("refresh 1"), Grant: w.family.ID, Generation: 1, Salt: []byte("salt"), Issued: time.Now(), Expires: time.Now().Add(time.Hour),
	}, event("grant.create")))
}

func (w *world) addNextKey() token.SigningKey {
	w.t.Helper()
	k, err := w.store.AddNextKey(w.t.Context(), token.SigningKey{
		ID: id.New("key"), Tenant: w.home.ID, Use: "ayyeka", Alg: token.RS384, State: token.Next,
		Public: []byte("public"), Private: []byte("sealed"), Life: time.Hour, Created: time.Now(),
	}, event("key.add"))
	w.must(err)
	return k
}

func stateOf(keys []token.SigningKey, id string) token.State {
	for _, k := range keys {
		if k.ID == id {
			return k.State
		}
	}
	return ""
}

// raw runs a statement on the SQLite file, past the store.
func (w *world) raw(query string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", w.place.(backup.SQLite).Path)
	w.must(err)
	defer db.Close()
	_, err = db.Exec(query)
	w.must(err)
}

// seal lets the sealer and the journal's follower catch up, as they do within a
// second.
func (w *world) seal() {
	w.t.Helper()
	j, err := journal.Open(journal.Options{Dir: w.journalDir})
	w.must(err)
	defer j.Close()
	ctx, stop := context.WithCancel(w.t.Context())
	stop()
	quiet := slog.New(slog.DiscardHandler)
	w.must((&audit.Sealer{Store: w.store, Signer: w.keeper(), Node: "nod_a", Log: quiet, OnHead: j.AppendHead}).Run(ctx))
	w.must((&journal.Follower{Journal: j, Source: w.store, Installation: w.home.ID, Log: quiet}).Run(ctx))
}

func (w *world) backUp() {
	w.t.Helper()
	w.file = filepath.Join(w.t.TempDir(), "backup.tar")
	m, err := backup.Create(w.t.Context(), w.place, w.file, "v1")
	w.must(err)
	if m.Installation != w.home.ID || m.Engine != w.place.Engine() || m.AuditSeq == 0 {
		w.t.Errorf("manifest = %+v", m)
	}
}

// revokeAll takes one of everything away.
func (w *world) revokeAll() {
	w.t.Helper()
	ctx := w.t.Context()
	w.took(w.store.DisableTenant(ctx, w.other.ID, event("a")))
	w.took(w.store.DisablePrincipal(ctx, w.who["disabled"].ID, event("a")))
	w.took(w.store.DeletePrincipal(ctx, w.who["deleted"].ID, event("a")))
	w.took(w.store.RemoveRole(ctx, w.who["loses role"].ID, "ayyeka/operator", event("a")))
	w.took(w.store.EndTokensBefore(ctx, w.who["loses tokens"].ID, time.Now(), event("a")))
	w.took(w.store.RevokeCredential(ctx, w.cred["loses credential"].ID, event("a")))
	w.took(w.store.DisableCredential(ctx, w.cred["has credential disabled"].ID, event("a")))
	w.took(w.store.RevokeSecret(ctx, w.sec["loses secret"].ID, event("a")))
	_, n, err := w.store.AddSecret(ctx, credential.Secret{
		ID: id.New("sec"), Credential: w.cred["rotates"].ID, Scheme: credential.Digest, Hash: []byte("rotated"),
	}, time.Now().Add(time.Hour), event("a"))
	w.took(n, err)
	w.took(w.store.SetConstraints(ctx, w.cred["is narrowed"].ID, credential.Constraints{
		Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Users: []string{"wallboard"},
	}, event("a")))
	w.must(w.keeper().ErasePerson(ctx, w.home.ID, w.who["is erased"].ID))
	w.took(w.store.DistrustKey(ctx, w.key.ID, time.Now(), event("a")))
	w.took(w.store.RevokeToken(ctx, token.RevokedToken{Hash: "abcd", Tenant: w.home.ID, Expires: time.Now().Add(time.Hour)}, event("a")))
	w.took(w.store.RevokeOpaque(ctx, w.opaque.ID, time.Now(), event("a")))
	w.took(w.store.EndGrant(ctx, w.family.ID, "logout", event("a")))
	w.took(w.store.SwitchMethodOff(ctx, w.home.ID, tenant.Method{Dialect: "gateway", Method: "api_key"}, event("a")))
	w.seal()
}

// changePolicy is apart, because the journal cannot carry it over.
func (w *world) changePolicy() {
	w.t.Helper()
	w.took(w.store.PutPolicySet(w.t.Context(), policy.Set{Tenant: w.home.ID, Cedar: "// nothing"}, event("a")))
	w.seal()
}

func (w *world) close() { w.must(w.store.Close()) }

// restore puts the backup into p, and opens what came out.
func (w *world) restore(p place, change func(*backup.Restore)) (backup.Report, error) {
	w.t.Helper()
	r := backup.Restore{Backup: w.file, Target: p, Node: "nod_a"}
	if change != nil {
		change(&r)
	}
	report, err := r.Run(w.t.Context())
	if err == nil {
		w.place, w.store = p, open(w.t, p)
	}
	return report, err
}

func withJournal(dirs ...string) func(*backup.Restore) {
	return func(r *backup.Restore) { r.Journals = dirs }
}

// checkRevoked looks whether anything that revokeAll took away is back.
func (w *world) checkRevoked() {
	w.t.Helper()
	ctx := w.t.Context()
	now := time.Now()
	record := func(name string) credential.Record {
		w.t.Helper()
		r, err := w.store.RecordByCredential(ctx, w.cred[name].ID)
		if err != nil {
			w.t.Errorf("%s: %v", name, err)
		}
		return r
	}
	if r := record("untouched"); !r.Principal.Enabled || !r.Credential.Enabled || !r.Credential.Revoked.IsZero() ||
		len(r.Secrets) != 1 || !r.Secrets[0].Live(now) || len(r.Principal.Roles) != 1 {
		w.t.Errorf("the untouched one was touched: %+v", r)
	}
	if record("disabled").Principal.Enabled {
		w.t.Error("the disabled principal is enabled")
	}
	if p, err := w.store.Principal(ctx, w.who["deleted"].ID); err == nil && p.Enabled {
		w.t.Error("the deleted principal is enabled")
	}
	if other, err := w.store.TenantByName(ctx, "other"); err != nil || other.Enabled {
		w.t.Errorf("the disabled tenant is %+v, %v", other, err)
	}
	if r := record("loses role"); len(r.Principal.Roles) != 0 {
		w.t.Errorf("roles = %v", r.Principal.Roles)
	}
	if record("loses tokens").Principal.NotBefore.IsZero() {
		w.t.Error("tokens live again")
	}
	if record("loses credential").Credential.Revoked.IsZero() {
		w.t.Error("the revoked credential lives again")
	}
	if record("has credential disabled").Credential.Enabled {
		w.t.Error("the disabled credential is enabled")
	}
	if r := record("loses secret"); len(r.Secrets) != 1 || r.Secrets[0].Live(now) {
		w.t.Error("the revoked secret lives again")
	}
	for _, s := range record("rotates").Secrets {
		if string(s.Hash) == "rotates" && s.Live(now.Add(2*time.Hour)) {
			w.t.Error("the rotated secret has no end any more")
		}
	}
	if c := record("is narrowed").Credential; c.Enabled && (len(c.Networks) == 0 || len(c.Users) == 0) {
		w.t.Errorf("the narrowed credential works from %v as %v", c.Networks, c.Users)
	}
	w.checkTokensRevoked()
}

func (w *world) checkTokensRevoked() {
	w.t.Helper()
	ctx := w.t.Context()
	keys, err := w.store.SigningKeys(ctx, w.home.ID)
	if err != nil || stateOf(keys, w.key.ID) != token.Distrusted {
		w.t.Errorf("signing keys = %+v, %v", keys, err)
	}
	if revoked, err := w.store.TokenRevoked(ctx, "abcd"); !revoked || err != nil {
		w.t.Errorf("the revoked token lives again: %v", err)
	}
	if o, err := w.store.OpaqueByDigest(ctx, w.home.ID, [][]byte{w.opaque.Digest}); err == nil && o.Revoked.IsZero() {
		w.t.Error("the opaque token lives again")
	}
	if _, g, err := w.store.RefreshByDigest(ctx, w.home.ID, [][]byte{[]byte("refresh 1")}); err == nil && g.Ended.IsZero() {
		w.t.Error("the grant lives again")
	}
	off, err := w.store.MethodsOff(ctx, w.home.ID)
	if err != nil || len(off) != 1 {
		w.t.Errorf("methods off = %v, %v", off, err)
	}
}

// checkErased is for restores that know about erasures.
func (w *world) checkErased() {
	w.t.Helper()
	if _, err := audit.Reveal(w.t.Context(), w.keeper(), w.protected); !errors.Is(err, audit.ErrErased) {
		w.t.Errorf("the erased person can be read: %v", err)
	}
}

// checkChain verifies the audit record, also against the journal's heads.
func (w *world) checkChain() audit.Report {
	w.t.Helper()
	w.seal()
	heads, err := journal.Heads(w.journalDir)
	w.must(err)
	r, err := audit.Verify(w.t.Context(), w.store, w.keeper(), heads)
	w.must(err)
	if !r.OK() || r.Unsealed != 0 || len(heads) == 0 {
		w.t.Errorf("audit chain: %+v", r)
	}
	return r
}
