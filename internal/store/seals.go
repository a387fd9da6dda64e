package store

import (
	"context"

	"gatehouse.dev/internal/seal"
)

var _ seal.Store = (*Store)(nil)

// sealNumber is only taken as a lock: adding to a scope and erasing it must not
// miss each other.
const sealNumber = "seal"

const (
	sealColumns = `id, tenant, purpose, person, version, master_key, box, created, erased`
	ofScope     = ` WHERE tenant = $1 AND purpose = $2 AND person = $3`
)

func scanSealKey(r Row, k *seal.WrappedKey) error {
	return r.Scan(&k.ID, &k.Tenant, &k.Purpose, &k.Person, &k.Version, &k.Master, &k.Box, moment{&k.Created}, moment{&k.Erased})
}

// AddSealKey implements [seal.Store].
func (s *Store) AddSealKey(ctx context.Context, k seal.WrappedKey) (seal.WrappedKey, error) {
	return put(ctx, s, func(q Querier) (seal.WrappedKey, error) {
		if _, err := take(ctx, q, sealNumber); err != nil {
			return k, err
		}
		all, err := sealKeys(ctx, q, k.Scope)
		if err != nil {
			return k, err
		}
		for _, have := range all {
			if have.Version == k.Version || !have.Erased.IsZero() {
				return have, nil
			}
		}
		return insertSealKey(ctx, q, k)
	})
}

func insertSealKey(ctx context.Context, q Querier, k seal.WrappedKey) (seal.WrappedKey, error) {
	return one(q.QueryRowContext(ctx, `
		INSERT INTO seal_key (`+sealColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		RETURNING `+sealColumns,
		k.ID, k.Tenant, k.Purpose, k.Person, k.Version, k.Master, blob(k.Box), us(k.Created), us(k.Erased)), scanSealKey)
}

// SealKeys implements [seal.Store].
func (s *Store) SealKeys(ctx context.Context, scope seal.Scope) ([]seal.WrappedKey, error) {
	return get(ctx, s, func(q Querier) ([]seal.WrappedKey, error) { return sealKeys(ctx, q, scope) })
}

func sealKeys(ctx context.Context, q Querier, scope seal.Scope) ([]seal.WrappedKey, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+sealColumns+` FROM seal_key`+ofScope+` ORDER BY version DESC`,
		scope.Tenant, scope.Purpose, scope.Person)
	return Collect(rows, err, scanSealKey)
}

// EraseSealKeys implements [seal.Store].
func (s *Store) EraseSealKeys(ctx context.Context, k seal.WrappedKey) error {
	return s.engine.Write(ctx, func(q Querier) error {
		if _, err := take(ctx, q, sealNumber); err != nil {
			return err
		}
		n, err := exec(ctx, q, `
			UPDATE seal_key SET box = $4, erased = CASE WHEN erased = 0 THEN db_now() ELSE erased END`+ofScope,
			k.Tenant, k.Purpose, k.Person, []byte{})
		if err != nil || n > 0 {
			return err
		}
		k.Box = nil
		if _, err := insertSealKey(ctx, q, k); err != nil {
			return err
		}
		return must(ctx, q, `UPDATE seal_key SET erased = db_now() WHERE id = $1`, k.ID)
	})
}

// SealKeysNotUnder implements [seal.Store].
func (s *Store) SealKeysNotUnder(ctx context.Context, master, after string, atMost int) ([]seal.WrappedKey, error) {
	return get(ctx, s, func(q Querier) ([]seal.WrappedKey, error) {
		rows, err := q.QueryContext(ctx, `
			SELECT `+sealColumns+` FROM seal_key
			WHERE master_key <> $1 AND LENGTH(box) > 0 AND id > $2 ORDER BY id LIMIT $3`, master, after, limit(atMost))
		return Collect(rows, err, scanSealKey)
	})
}

// RewrapSealKey implements [seal.Store].
func (s *Store) RewrapSealKey(ctx context.Context, id, from string, box []byte, master string) error {
	return s.engine.Write(ctx, func(q Querier) error {
		_, err := exec(ctx, q, `UPDATE seal_key SET box = $3, master_key = $4 WHERE id = $1 AND master_key = $2 AND LENGTH(box) > 0`,
			id, from, box, master)
		return err
	})
}
