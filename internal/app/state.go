package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/password"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/seal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/postgres"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/vault"
)

// State is what outlives a process, opened: the database, and the keys to read
// it. The server stands on it, and so do the commands that work on a stopped
// installation (init, reset, restore).
type State struct {
	Node     string
	Store    *store.Store
	Keeper   *seal.Keeper
	Digester *secret.Digester
	Hasher   *password.Hasher
	Scribe   audit.Scribe
	Vault    *vault.Vault
}

// DatabaseFile is where the embedded database of a data folder is.
func DatabaseFile(dataDir config.Path) string { return filepath.Join(string(dataDir), "gatehouse.db") }

// AdminSocket is where the command line reaches the server of a data folder.
func AdminSocket(dataDir config.Path) string {
	return filepath.Join(string(dataDir), adminapi.SocketName)
}

// JournalDir is where a node keeps revocations and audit heads outside the
// database.
func JournalDir(dataDir config.Path) string { return filepath.Join(string(dataDir), "journal") }

// OpenState opens the database that the configuration names, brings its schema
// up to this program's, and unlocks the keys. Close it in the end.
func OpenState(ctx context.Context, c *config.Config, logger *slog.Logger) (_ *State, err error) {
	masters, err := loadMasters(c)
	if err != nil {
		return nil, err
	}
	node, err := nodeName(c)
	if err != nil {
		return nil, err
	}
	engine, err := OpenEngine(ctx, c, logger)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, engine.Close())
		}
	}()
	if err := engine.Migrate(ctx); err != nil {
		return nil, fmt.Errorf("migrate the database: %w", err)
	}

	s := &State{Node: node, Store: store.New(engine)}
	s.Keeper = seal.NewKeeper(s.Store, masters, nil)
	s.Hasher = password.NewHasher(password.Options{})
	s.Scribe = audit.Scribe{Node: node, Protector: s.Keeper}
	if s.Digester, err = s.Keeper.Digester(ctx); err != nil {
		return nil, fmt.Errorf("unlock the keys of the database with %s: %w", c.MasterKeyFile, err)
	}
	if s.Vault, err = vault.New(ctx, s.Keeper); err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the database, after what was accepted is written.
func (s *State) Close() error { return s.Store.Close() }

// OpenEngine opens the database alone, without keys and without migrating it.
func OpenEngine(ctx context.Context, c *config.Config, logger *slog.Logger) (store.Engine, error) {
	if err := os.MkdirAll(string(c.DataDir), 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if url, ok := c.Database.Postgres(); ok {
		e, err := postgres.Open(ctx, postgres.Config{URL: url, Logger: logger})
		if err != nil {
			return nil, fmt.Errorf("open %v: %w", c.Database, err)
		}
		return e, nil
	}
	e, err := sqlite.Open(ctx, sqlite.Config{Path: DatabaseFile(c.DataDir), Logger: logger})
	if errors.Is(err, sqlite.ErrLocked) {
		return nil, err // says all there is to say
	}
	if err != nil {
		return nil, fmt.Errorf("open the database in %s: %w", c.DataDir, err)
	}
	return e, nil
}

// loadMasters reads the master key, from a plain file or from where systemd puts
// credentials.
func loadMasters(c *config.Config) (*seal.Masters, error) {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" && filepath.Dir(string(c.MasterKeyFile)) == filepath.Clean(dir) {
		return seal.LoadCredential(dir, filepath.Base(string(c.MasterKeyFile)))
	}
	return seal.LoadMasters(string(c.MasterKeyFile))
}

func nodeName(c *config.Config) (string, error) {
	if c.Node != "" {
		return c.Node, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("find this host's name; set node: in the configuration: %w", err)
	}
	return name, nil
}

// Tenants administers tenants.
func (s *State) Tenants() *tenant.Service {
	return &tenant.Service{Store: s.Store, Scribe: s.Scribe}
}

// Methods switches ways of proving oneself off and on.
func (s *State) Methods() *tenant.Switches {
	return &tenant.Switches{Store: s.Store, Scribe: s.Scribe}
}

// Principals administers users, clients and the like. Roles are those that
// come with the program and those of each tenant.
func (s *State) Principals(roles *policy.Engine) *principal.Service {
	return &principal.Service{Store: s.Store, Roles: roles, Scribe: s.Scribe}
}

// Credentials administers what principals can show.
func (s *State) Credentials() *credential.Service {
	return &credential.Service{Store: s.Store, Digester: s.Digester, Hasher: s.Hasher, Vault: s.Vault, Scribe: s.Scribe}
}

// EnsureTenants makes the tenants of the configuration that do not exist yet,
// and returns all of them by name.
func (s *State) EnsureTenants(ctx context.Context, c *config.Config) (map[string]tenant.Tenant, error) {
	names := []string{tenant.Default}
	for name := range c.Tenants {
		names = append(names, name)
	}
	found := map[string]tenant.Tenant{}
	for _, name := range names {
		t, err := s.ensureTenant(ctx, name)
		if err != nil {
			return nil, err
		}
		found[name] = t
	}
	return found, nil
}

func (s *State) ensureTenant(ctx context.Context, name string) (tenant.Tenant, error) {
	e, err := s.Scribe.Event(ctx, audit.By{}, audit.Event{Action: "tenant.create", Reason: "the configuration names it"})
	if err != nil {
		return tenant.Tenant{}, fmt.Errorf("prepare audit event: %w", err)
	}
	t, err := s.Store.EnsureTenant(ctx, name, e)
	if err != nil {
		return tenant.Tenant{}, fmt.Errorf("make tenant %s: %w", name, err)
	}
	return t, nil
}

// unavailable reports errors of a store that cannot serve now.
func unavailable(err error) bool { return errors.Is(err, store.ErrUnavailable) }
