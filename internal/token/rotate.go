package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse.dev/internal/audit"
)

// NotPublishedError says from when on the next key may sign.
type NotPublishedError struct {
	Key SigningKey
	At  time.Time
}

func (e *NotPublishedError) Error() string {
	return fmt.Sprintf("signing key %s is not published long enough; it may sign from %s", e.Key.ID, e.At.UTC().Format(time.RFC3339))
}

// List returns the tenant's keys as the store has them now, without their
// private halves, the youngest first.
func (k *Keys) List(ctx context.Context, tenant string) ([]SigningKey, error) {
	s, err := k.reload(ctx, tenant)
	if err != nil {
		return nil, err
	}
	out := make([]SigningKey, len(s.keys))
	for i, h := range s.keys {
		out[i] = h.SigningKey
		out[i].Private = nil
	}
	return out, nil
}

// Rotate makes the row's next key active and its active key retiring. No token
// is refused for it: both verify. Where the next key has not been published for
// long enough, which means that others who verify offline may not know it yet,
// a [*NotPublishedError] comes back, unless at once is set.
func (k *Keys) Rotate(ctx context.Context, tenant, use string, alg Alg, atOnce bool, e audit.Event) (SigningKey, error) {
	r := keyRow{tenant, use, alg}
	s, err := k.reload(ctx, tenant)
	if err != nil {
		return SigningKey{}, fmt.Errorf("rotate signing key: %w", err)
	}
	next, err := k.ensureNext(ctx, r, s, e.Actor)
	if err != nil {
		return SigningKey{}, fmt.Errorf("rotate signing key: %w", err)
	}
	if at := next.Created.Add(k.o.PublishLead); !atOnce && s.in(r, Active) != nil && k.o.Now().Before(at) {
		k.forgetSet(ctx, tenant)
		next.Private = nil
		return next, &NotPublishedError{Key: next, At: at}
	}
	e.Target = next.ID
	if err := k.o.Store.ActivateKey(ctx, next.ID, k.o.Now(), e); err != nil {
		return SigningKey{}, fmt.Errorf("rotate signing key: %w", err)
	}
	if s, err = k.reload(ctx, tenant); err != nil {
		return SigningKey{}, fmt.Errorf("rotate signing key: %w", err)
	}
	if h := s.in(r, Active); h != nil {
		next = h.SigningKey
	}
	next.Private = nil
	return next, nil
}

// Distrust ends at once all that a key has signed, on every node, and returns
// the number of that change. A next key, if there is one, takes over.
func (k *Keys) Distrust(ctx context.Context, tenant, id string, e audit.Event) (change int64, err error) {
	return k.end(ctx, tenant, id, e, k.o.Store.DistrustKey)
}

// Seal erases the private half of a key that signs no more. Tokens signed with
// it are refused from now on; for a retiring key, that means early.
func (k *Keys) Seal(ctx context.Context, tenant, id string, e audit.Event) (change int64, err error) {
	return k.end(ctx, tenant, id, e, k.o.Store.SealKey)
}

type endKey func(ctx context.Context, id string, at time.Time, e audit.Event) (int64, error)

func (k *Keys) end(ctx context.Context, tenant, id string, e audit.Event, end endKey) (int64, error) {
	s, err := k.reload(ctx, tenant)
	if err != nil {
		return 0, err
	}
	found := false
	for _, h := range s.keys {
		found = found || h.ID == id
	}
	if !found {
		return 0, ErrNotFound // or another tenant's
	}
	e.Target = id
	change, err := end(ctx, id, k.o.Now(), e)
	if err != nil {
		return 0, fmt.Errorf("end signing key: %w", err)
	}
	// The change stands. This node's memory must follow, but failing to read
	// it again only means that it will be read later.
	k.forgetSet(ctx, tenant)
	return change, nil
}

// forgetSet makes the next use look at the store.
func (k *Keys) forgetSet(ctx context.Context, tenant string) {
	if _, err := k.reload(ctx, tenant); err != nil {
		k.mu.Lock()
		delete(k.sets, tenant)
		k.mu.Unlock()
	}
}

// Run keeps the keys in order until ctx ends: every active key has a next one,
// old keys hand over to it, and retiring keys are sealed when their last token
// has expired. Nodes may do this side by side.
func (k *Keys) Run(ctx context.Context) {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.Maintain(ctx)
		}
	}
}

// Maintain does once what Run does.
func (k *Keys) Maintain(ctx context.Context) {
	k.mu.Lock()
	tenants := make([]string, 0, len(k.sets))
	for t := range k.sets {
		tenants = append(tenants, t)
	}
	k.mu.Unlock()
	for _, t := range tenants {
		if err := k.maintain(ctx, t); err != nil && ctx.Err() == nil {
			k.o.Logger.WarnContext(ctx, "signing keys not kept in order", "tenant", t, "error", err)
		}
	}
}

func (k *Keys) maintain(ctx context.Context, tenant string) error {
	s, err := k.reload(ctx, tenant)
	if err != nil {
		return err
	}
	now := k.o.Now()
	var errs []error
	for _, h := range s.keys {
		var err error
		switch r := h.row(); h.State {
		case Active:
			err = k.succession(ctx, s, h, now)
		case Retiring:
			if h.over(now, Leeway) {
				_, err = k.o.Store.SealKey(ctx, h.ID, now, keyEvent(r, "system", "signing_key.seal", h.ID))
			}
		}
		if err != nil && !errors.Is(err, ErrKeyState) { // then another node was first
			errs = append(errs, err)
		}
	}
	if _, err := k.reload(ctx, tenant); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// succession sees to it that an active key has a next one, and hands over when
// the time has come.
func (k *Keys) succession(ctx context.Context, s *keySet, active *heldKey, now time.Time) error {
	r := active.row()
	next, err := k.ensureNext(ctx, r, s, "system")
	if err != nil {
		return err
	}
	if now.Before(active.Activated.Add(k.o.RotateEvery)) || now.Before(next.Created.Add(k.o.PublishLead)) {
		return nil
	}
	return k.o.Store.ActivateKey(ctx, next.ID, now, keyEvent(r, "system", "signing_key.rotate", next.ID))
}
