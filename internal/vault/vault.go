// Package vault keeps the long-term keys of encrypted sessions. Such a key is as
// good as the secret it was made of, and the server must be able to read it; so
// it is sealed under the tenant's data key and bound to its row, opened for one
// proof, and wiped.
//
// The salts that the keys are made with come from the user's name by a keyed
// hash, for names that nobody has too. The key of that hash never changes, so
// asking twice, today or in a year, tells nobody whether a name is known.
package vault

import (
	"context"
	"fmt"

	"gatehouse.dev/client/fieldpine/enc"
	"gatehouse.dev/internal/seal"
	"gatehouse.dev/internal/secret"
)

// Vault implements credential.Vault. Make it with [New].
type Vault struct {
	keeper *seal.Keeper
	salts  secret.Key
}

// New makes a vault, and its salt key when there is none yet.
func New(ctx context.Context, k *seal.Keeper) (*Vault, error) {
	salts, err := k.SaltKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	return &Vault{keeper: k, salts: salts}, nil
}

// Salt is that of a name, known or not.
func (v *Vault) Salt(tenant, name string) [16]byte { return enc.Salt(v.salts.Bytes(), tenant, name) }

// Derive makes the key of a secret. It takes some tenths of a second.
func (v *Vault) Derive(tenant, name string, t secret.Text) (secret.Key, error) {
	k, err := enc.K0(t.Reveal(), v.Salt(tenant, name))
	return secret.NewKey(k), err
}

// Seal encrypts the key of one secret.
func (v *Vault) Seal(ctx context.Context, tenant, secretID string, k secret.Key) ([]byte, error) {
	return v.keeper.Seal(ctx, scope(tenant), row(secretID), k.Bytes())
}

// Open decrypts it. Whoever asked wipes it.
func (v *Vault) Open(ctx context.Context, tenant, secretID string, sealed []byte) (secret.Key, error) {
	k, err := v.keeper.Open(ctx, scope(tenant), row(secretID), sealed)
	return secret.NewKey(k), err
}

func scope(tenant string) seal.Scope { return seal.Scope{Tenant: tenant, Purpose: seal.Data} }

func row(secretID string) seal.Row {
	return seal.Row{Table: "secret", Key: secretID, Column: "hash"}
}
