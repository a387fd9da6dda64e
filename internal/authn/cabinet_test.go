package authn_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/tenant"
)

// cabinet is a store in memory: records, and the log beside them. Every change
// happens in one step together with its entry, as in a transaction.
type cabinet struct {
	mu       sync.Mutex
	records  map[string]*credential.Record // by credential id
	log      revocation.Batch
	off      []tenant.MethodOff
	uses     []credential.Use
	replaced int
	reads    int
	receipts []revocation.Receipt
	down     error
	// slow is called after a read has been made and before it is returned.
	slow func()
}

func (c *cabinet) read(match func(*credential.Record) bool) (credential.Record, error) {
	c.mu.Lock()
	c.reads++
	err, found := c.down, credential.Record{}
	if err == nil {
		err = credential.ErrNotFound
		for _, r := range c.records {
			if match(r) {
				found, err = *r, nil
				found.Secrets = slices.Clone(r.Secrets)
				found.Principal.Roles = slices.Clone(r.Principal.Roles)
				break
			}
		}
	}
	slow := c.slow
	c.mu.Unlock()
	if slow != nil {
		slow()
	}
	return found, err
}

func (c *cabinet) RecordByLookup(_ context.Context, tenant string, k credential.Kind, lookup string) (credential.Record, error) {
	return c.read(func(r *credential.Record) bool {
		return r.Credential.Tenant == tenant && r.Credential.Kind == k && r.Credential.Lookup == lookup
	})
}

func (c *cabinet) RecordByDigest(_ context.Context, tenant string, k credential.Kind, digests [][]byte) (credential.Record, error) {
	return c.read(func(r *credential.Record) bool {
		return r.Credential.Tenant == tenant && r.Credential.Kind == k &&
			slices.ContainsFunc(r.Secrets, func(s credential.Secret) bool {
				return slices.ContainsFunc(digests, func(d []byte) bool { return string(d) == string(s.Hash) })
			})
	})
}

func (c *cabinet) RecordBySecretNumber(_ context.Context, n int64) (credential.Record, error) {
	return c.read(func(r *credential.Record) bool {
		return slices.ContainsFunc(r.Secrets, func(s credential.Secret) bool { return s.Number == n })
	})
}

func (c *cabinet) RecordByCredential(_ context.Context, id string) (credential.Record, error) {
	return c.read(func(r *credential.Record) bool { return r.Credential.ID == id })
}

func (c *cabinet) Principal(_ context.Context, id string) (principal.Principal, error) {
	r, err := c.read(func(r *credential.Record) bool { return r.Principal.ID == id })
	if errors.Is(err, credential.ErrNotFound) {
		err = principal.ErrNotFound
	}
	return r.Principal, err
}

func (c *cabinet) Tenant(_ context.Context, id string) (tenant.Tenant, error) {
	r, err := c.read(func(r *credential.Record) bool { return r.Principal.Tenant == id })
	return tenant.Tenant{ID: id, Number: r.TenantNumber, Name: r.TenantName, Enabled: r.TenantEnabled}, err
}

func (c *cabinet) ReplaceHash(_ context.Context, id string, old []byte, scheme credential.Scheme, hash []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.records {
		for i := range r.Secrets {
			if s := &r.Secrets[i]; s.ID == id && string(s.Hash) == string(old) {
				s.Scheme, s.Hash = scheme, hash
				c.replaced++
			}
		}
	}
	return nil
}

func (c *cabinet) NoteUses(_ context.Context, uses []credential.Use) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uses = append(c.uses, uses...)
	return nil
}

func (c *cabinet) TakeUse(_ context.Context, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.records[id]
	if r.Credential.Scope.MaxUses > 0 && r.Credential.Uses >= r.Credential.Scope.MaxUses {
		return credential.ErrUsedUp
	}
	r.Credential.Uses++
	return nil
}

func (c *cabinet) MethodsOff(context.Context, string) ([]tenant.MethodOff, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.off), c.down
}

func (c *cabinet) RevocationsSince(_ context.Context, n int64, _ int) (revocation.Batch, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.log
	b.Entries = nil
	for _, e := range c.log.Entries {
		if e.N > n {
			b.Entries = append(b.Entries, e)
		}
	}
	return b, c.down
}

func (c *cabinet) Revoke(_ context.Context, e revocation.Entry) (int64, error) {
	return c.change(e.Effect, func() {}, e.Grounds...), nil
}

func (c *cabinet) Heartbeat(_ context.Context, _ string, _ revocation.Position, r []revocation.Receipt) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receipts = append(c.receipts, r...)
	return c.down
}

func (c *cabinet) LiveNodes(context.Context, time.Duration) ([]string, error) {
	return []string{"one"}, nil
}

func (c *cabinet) Receipts(context.Context, int64) ([]revocation.Receipt, error) { return nil, nil }

// change makes a change and its entry in one step, and returns the number.
func (c *cabinet) change(effect revocation.Effect, f func(), g ...revocation.Ground) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	c.log.Head++
	c.log.Entries = append(c.log.Entries, revocation.Entry{N: c.log.Head, Effect: effect, Grounds: g})
	return c.log.Head
}

// edit changes something that takes no right away.
func (c *cabinet) edit(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *cabinet) readings() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads
}
