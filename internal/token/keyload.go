package token

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"
)

// set returns the tenant's keys as this node knows them: from memory when that
// is young; with a look at the store in the background when it is older; after
// one when it is too old to sign by, or when the log says that one of the keys
// has lost our trust.
func (k *Keys) set(ctx context.Context, tenant string) (*keySet, error) {
	k.mu.Lock()
	have := k.sets[tenant]
	k.mu.Unlock()
	if have == nil || !k.intact(have) {
		return k.reload(ctx, tenant)
	}
	switch age := k.o.Now().Sub(have.loaded); {
	case age < stale:
		return have, nil
	case age < tooOld:
		k.startLoad(ctx, tenant)
		return have, nil
	case age < usable:
		s, err := k.await(ctx, tenant)
		if err != nil && ctx.Err() == nil {
			return have, nil
		}
		return s, err
	}
	return k.reload(ctx, tenant)
}

// intact reports whether no trust in any of the keys has been taken away since
// they were read.
func (k *Keys) intact(s *keySet) bool { return k.o.Log == nil || k.o.Log.Intact(s.grounds, s.asOf) }

// reload looks at the store again, beginning now.
func (k *Keys) reload(ctx context.Context, tenant string) (*keySet, error) {
	k.flights.Forget("load/" + tenant) // one under way may have read too early
	return k.await(ctx, tenant)
}

// reloadOlder is reload, unless that was done within the last second: who shows
// bad tokens must not make us read the store for each.
func (k *Keys) reloadOlder(ctx context.Context, tenant string, s *keySet) (*keySet, error) {
	if k.o.Now().Sub(s.loaded) < time.Second {
		return s, nil
	}
	return k.await(ctx, tenant)
}

func (k *Keys) await(ctx context.Context, tenant string) (*keySet, error) {
	select {
	case r := <-k.startLoad(ctx, tenant):
		if r.Err != nil {
			return nil, fmt.Errorf("load signing keys: %w", r.Err)
		}
		return r.Val.(*keySet), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (k *Keys) load(ctx context.Context, tenant string) (*keySet, error) {
	s := &keySet{loaded: k.o.Now()}
	k.mu.Lock()
	k.loadNo++
	s.loadNo = k.loadNo
	k.mu.Unlock()
	if k.o.Log != nil {
		s.asOf = k.o.Log.Position() // before reading: see package revocation
	}
	rows, err := k.o.Store.SigningKeys(ctx, tenant)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		h, err := hold(row)
		if err != nil {
			// One damaged row must not take the others with it.
			k.o.Logger.ErrorContext(ctx, "signing key cannot be read", "key", row.ID, "error", err)
			continue
		}
		s.add(h)
	}
	k.remember(tenant, s)
	return s, nil
}

// remember keeps a set, unless a later one is there, and forgets the private
// halves of keys that sign no more.
func (k *Keys) remember(tenant string, s *keySet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if have := k.sets[tenant]; have != nil && have.loadNo > s.loadNo {
		return
	}
	k.sets[tenant] = s
	for _, h := range s.keys {
		if h.State != Active && h.State != Next {
			delete(k.privates, h.ID)
		}
	}
}

// startLoad joins a look at the store that is under way or begins one. It does
// not end with the caller's context: others wait for it too.
func (k *Keys) startLoad(ctx context.Context, tenant string) <-chan singleflight.Result {
	return k.flights.DoChan("load/"+tenant, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return k.load(ctx, tenant)
	})
}
