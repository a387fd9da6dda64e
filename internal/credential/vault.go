package credential

import (
	"context"
	"fmt"

	"gatehouse.dev/internal/secret"
)

// Vault keeps keys that the server must be able to read: K0 of an encrypted
// session, which is as good as the secret it was made of.
type Vault interface {
	// Salt is that of a name, the same for ever and whether the name is known or
	// not.
	Salt(tenant, name string) [16]byte
	// Derive makes the key of a secret. It takes some tenths of a second.
	Derive(tenant, name string, t secret.Text) (secret.Key, error)
	// Seal encrypts the key of one secret of one tenant, Open decrypts it.
	Seal(ctx context.Context, tenant, secretID string, k secret.Key) ([]byte, error)
	Open(ctx context.Context, tenant, secretID string, sealed []byte) (secret.Key, error)
}

// drawEncryption makes a secret of 256 bits and what is kept of it: the key, sealed.
func (s *Service) drawEncryption(ctx context.Context, out Issued) (Issued, error) {
	if s.Vault == nil {
		return Issued{}, fmt.Errorf("make encryption secret: no vault")
	}
	out.Text = secret.Generate(EncryptionPrefix)
	sealed, err := SealedKey(ctx, s.Vault, out.Credential.Tenant, out.Credential.Lookup, out.Secret.ID, out.Text)
	if err != nil {
		return Issued{}, err
	}
	out.Secret.Scheme, out.Secret.Hash = Sealed, sealed
	return out, nil
}

// SealedKey is what is stored of an encryption secret.
func SealedKey(ctx context.Context, v Vault, tenant, name, secretID string, t secret.Text) ([]byte, error) {
	key, err := v.Derive(tenant, name, t)
	if err != nil {
		return nil, fmt.Errorf("derive encryption key: %w", err)
	}
	defer key.Wipe()
	sealed, err := v.Seal(ctx, tenant, secretID, key)
	if err != nil {
		return nil, fmt.Errorf("seal encryption key: %w", err)
	}
	return sealed, nil
}
