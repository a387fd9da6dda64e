package token

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/seal"
)

// makeTimeout bounds the making of a key, which needs luck and a processor.
const makeTimeout = time.Minute

// Prepare begins to make the first key of a row, if it has none, and does not
// wait for it.
func (k *Keys) Prepare(ctx context.Context, tenant, use string, alg Alg) {
	go func() {
		if _, _, err := k.signer(context.WithoutCancel(ctx), keyRow{tenant, use, alg}); err != nil && !errors.Is(err, ErrNoKey) {
			k.o.Logger.WarnContext(ctx, "signing key not prepared", "tenant", tenant, "use", use, "error", err)
		}
	}()
}

// awaitFirst makes the first key of a row in the background and waits for it,
// but not for ever.
func (k *Keys) awaitFirst(ctx context.Context, r keyRow) (*heldKey, error) {
	made := k.flights.DoChan("first/"+r.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeTimeout)
		defer cancel()
		return k.makeFirst(ctx, r)
	})
	timer := time.NewTimer(k.o.Wait)
	defer timer.Stop()
	select {
	case res := <-made:
		if res.Err != nil {
			return nil, res.Err
		}
		return res.Val.(*heldKey), nil
	case <-timer.C:
		return nil, ErrNoKey
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrNoKey, ctx.Err())
	}
}

// makeFirst brings a row without an active key to one. The key needs no time
// to become known: no token can be older than it.
//
// Nodes may race here. Having a next key, each looks again: if another node's
// key has become active meanwhile, its own stays next. Without that look the
// slower node would activate its own and retire the first after an instant.
func (k *Keys) makeFirst(ctx context.Context, r keyRow) (*heldKey, error) {
	var next SigningKey
	for range 4 {
		s, err := k.reload(ctx, r.tenant)
		if err != nil {
			return nil, err
		}
		if h := s.in(r, Active); h != nil {
			return h, nil
		}
		if next.ID == "" {
			if next, err = k.ensureNext(ctx, r, s, "system"); err != nil {
				return nil, err
			}
			continue
		}
		err = k.o.Store.ActivateKey(ctx, next.ID, k.o.Now(), keyEvent(r, "system", "signing_key.activate", next.ID))
		if err != nil && !errors.Is(err, ErrKeyState) {
			return nil, fmt.Errorf("activate signing key: %w", err)
		}
		next = SigningKey{}
	}
	return nil, ErrNoKey
}

// ensureNext returns the row's next key, making it when there is none.
func (k *Keys) ensureNext(ctx context.Context, r keyRow, s *keySet, actor string) (SigningKey, error) {
	if h := s.in(r, Next); h != nil {
		return h.SigningKey, nil
	}
	row, err := k.generate(ctx, r)
	if err != nil {
		return SigningKey{}, err
	}
	row, err = k.o.Store.AddNextKey(ctx, row, keyEvent(r, actor, "signing_key.create", row.ID))
	if err != nil {
		return SigningKey{}, fmt.Errorf("store signing key: %w", err)
	}
	return row, nil
}

// generate makes a key and seals its private half.
func (k *Keys) generate(ctx context.Context, r keyRow) (SigningKey, error) {
	row := SigningKey{
		ID: id.New("key"), Tenant: r.tenant, Use: r.use, Alg: r.alg,
		State: Next, Life: k.o.Life, Created: k.o.Now(),
	}
	key, err := GenerateKey(row.ID, r.alg)
	if err != nil {
		return SigningKey{}, err
	}
	if row.Public, err = x509.MarshalPKIXPublicKey(key.Key()); err != nil {
		return SigningKey{}, fmt.Errorf("encode signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key.signer)
	if err != nil {
		return SigningKey{}, fmt.Errorf("encode signing key: %w", err)
	}
	row.Private, err = k.o.Sealer.Seal(ctx, seal.Scope{Tenant: r.tenant, Purpose: seal.Data}, privateRow(row.ID), der)
	if err != nil {
		return SigningKey{}, fmt.Errorf("seal signing key: %w", err)
	}
	return row, nil
}

func keyEvent(r keyRow, actor, action, target string) audit.Event {
	return audit.Event{
		Tenant: r.tenant, Actor: actor, Action: action, Target: target, Outcome: audit.OK,
		Detail: map[string]string{"use": r.use, "alg": string(r.alg)},
	}
}
