package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/grant"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// durable is a store of its own, in this process: grants have no edge of their
// own in this release.
type durable struct {
	store    *store.Store
	digester *secret.Digester
	home     tenant.Tenant
	owner    principal.Principal
	path     string
}

func (l *lab) openDurable(ctx context.Context) (*durable, error) {
	d := &durable{path: filepath.Join(l.dir, id.New("dir"), "gatehouse.db")}
	engine, err := openEngine(ctx, d.path)
	if err != nil {
		return nil, err
	}
	l.later(func() { engine.Close() })
	d.store = store.New(engine)
	if d.digester, err = secret.NewDigester(secret.LookupKey{Version: 1, Key: make([]byte, 32)}); err != nil {
		return nil, err
	}
	if d.home, err = d.store.EnsureTenant(ctx, tenant.Default, audit.Event{Action: "tenant.create"}); err != nil {
		return nil, err
	}
	d.owner, err = d.store.CreatePrincipal(ctx, principal.Principal{
		ID: id.New("cli"), Tenant: d.home.ID, Kind: principal.Client, Name: "client", Enabled: true,
	}, audit.Event{Action: "principal.create"})
	return d, err
}

func openEngine(ctx context.Context, path string) (*sqlite.Engine, error) {
	if err := makeFolder(path); err != nil {
		return nil, err
	}
	e, err := sqlite.Open(ctx, sqlite.Config{Path: path, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return e, e.Migrate(ctx)
}

// prepareGrants rotates refresh tokens, each caller its own family. Nothing is
// answered before it is on the disk; callers that come together share a commit,
// which a raw transaction has nobody to share with.
func prepareGrants(ctx context.Context, l *lab) (ours, bare side, err error) {
	d, err := l.openDurable(ctx)
	if err != nil {
		return nil, nil, err
	}
	grants, err := grant.New(grant.Options{Store: d.store, Digester: d.digester})
	if err != nil {
		return nil, nil, err
	}
	e := audit.Event{Action: "grant.create"}
	texts := make(chan secret.Text, l.options.conns)
	for range l.options.conns {
		text, _, err := grants.Open(ctx, grant.Grant{
			Tenant: d.home.ID, Principal: d.owner.ID, Client: d.owner.ID, Expires: time.Now().Add(24 * time.Hour),
		}, e)
		if err != nil {
			return nil, nil, err
		}
		texts <- text
	}
	ours = func(ctx context.Context, span time.Duration) (measure, error) {
		return parallel(ctx, span, l.options.conns, func() error {
			r, err := grants.Rotate(context.WithoutCancel(ctx), d.home.ID, <-texts, grant.Presenter{Client: d.owner.ID}, e)
			if err == nil && r.Repeat {
				err = errors.New("a token was rotated twice")
			}
			texts <- r.Token
			return err
		})
	}
	bare, err = l.rawTransactions(d.path)
	return ours, bare, err
}

func prepareOpaque(ctx context.Context, l *lab) (ours, bare side, err error) {
	d, err := l.openDurable(ctx)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := token.NewOpaqueTokens(d.store, d.digester, nil)
	if err != nil {
		return nil, nil, err
	}
	var once sync.Once
	ours = func(ctx context.Context, span time.Duration) (measure, error) {
		return parallel(ctx, span, l.options.conns, func() error {
			text, _, err := tokens.Issue(context.WithoutCancel(ctx), token.Opaque{Tenant: d.home.ID, Principal: d.owner.ID}, time.Hour)
			if err != nil {
				return err
			}
			once.Do(func() { _, err = tokens.VerifyOpaque(ctx, d.home, text, netip.Addr{}) })
			return err
		})
	}
	bare, err = l.rawTransactions(d.path)
	if err != nil {
		return nil, nil, fmt.Errorf("raw: %w", err)
	}
	return ours, bare, nil
}
