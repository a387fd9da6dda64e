package importer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/importer"
	"gatehouse.dev/internal/password"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/tenant"
)

type fixture struct {
	*importer.Importer
	store    *store.Store
	digester *secret.Digester
	home     tenant.Tenant
}

type roles []string

func (r roles) KnownRole(_ context.Context, _, role string) (bool, error) {
	return slices.Contains(r, role), nil
}

// setup makes an importer into an empty SQLite database.
func setup(t *testing.T) *fixture {
	t.Helper()
	engine, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "gatehouse.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	if err := engine.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := &fixture{store: store.New(engine)}
	if f.home, err = f.store.EnsureTenant(t.Context(), "default", audit.Event{Action: "tenant.create"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.EnsureTenant(t.Context(), "other", audit.Event{Action: "tenant.create"}); err != nil {
		t.Fatal(err)
	}
	f.digester, err = secret.NewDigester(
		secret.LookupKey{Version: 2, Key: bytes.Repeat([]byte{2}, 32)}, secret.LookupKey{Version: 1, Key: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	f.Importer = &importer.Importer{
		Store: f.store, Tenants: f.store, Roles: roles{"ayyeka/operator"}, Digester: f.digester,
		Hasher: password.NewHasher(password.Options{Params: password.Params{Memory: 64, Time: 1, Lanes: 1}}),
		Tenant: "default",
	}
	return f
}

// again is an importer for another run.
func (f *fixture) again() *importer.Importer {
	im := *f.Importer
	return &im
}

func (f *fixture) run(t *testing.T, format importer.Format, input string) importer.Report {
	t.Helper()
	r, err := importer.NewReader(strings.NewReader(input), format)
	if err != nil {
		t.Fatal(err)
	}
	report, err := f.Run(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

const (
	bcryptHash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
	pbkdf2Hash = "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHQ$C8E9bKXs42q6xRyKSoQB8kp8OkDPABp18rpdvhd2uGA"
)
