package seal

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
)

// headScope has the seeds of the Ed25519 keys that sign heads of the audit
// record. A data key has 32 random bytes, which is what a seed is. Because the
// master key wraps it, whoever can only write to the database cannot put a key
// of his own in its place, as he could with a table of public keys.
var headScope = Scope{Purpose: "audit head"}

// SignHead signs a head of the audit record and names the key.
func (k *Keeper) SignHead(ctx context.Context, message []byte) (key string, signature []byte, err error) {
	ks, err := k.withKey(ctx, headScope)
	if err != nil {
		return "", nil, fmt.Errorf("audit head key: %w", err)
	}
	private, err := k.headKey(ctx, ks.newest)
	if err != nil {
		return "", nil, err
	}
	return ks.newest, ed25519.Sign(private, message), nil
}

// errForged is returned for a signature that none of our keys made.
var errForged = errors.New("the signature is not ours")

// VerifyHead returns nil when the key of that name made the signature.
func (k *Keeper) VerifyHead(ctx context.Context, key string, message, signature []byte) error {
	private, err := k.headKey(ctx, key)
	if err != nil {
		return err
	}
	if !ed25519.Verify(private.Public().(ed25519.PublicKey), message, signature) {
		return errForged
	}
	return nil
}

// headKey finds a key by its name.
func (k *Keeper) headKey(ctx context.Context, id string) (ed25519.PrivateKey, error) {
	k.mu.Lock()
	private := k.heads[id]
	k.mu.Unlock()
	if private != nil {
		return private, nil
	}
	rows, err := k.store.SealKeys(ctx, headScope)
	if err != nil {
		return nil, fmt.Errorf("audit head key: %w", err)
	}
	for _, w := range rows {
		if w.ID != id || !w.Erased.IsZero() {
			continue
		}
		raw, err := k.unwrap(w)
		if err != nil {
			return nil, fmt.Errorf("audit head key: %w", err)
		}
		private = ed25519.NewKeyFromSeed(raw)
		k.mu.Lock()
		k.heads[id] = private
		k.mu.Unlock()
		return private, nil
	}
	return nil, errForged
}
