package token

import "context"

// HeadSigner signs the heads of the audit chain with a key of the installation.
type HeadSigner struct{ Keys *Keys }

// SignHead returns the signature and the id of the key that made it.
func (s HeadSigner) SignHead(ctx context.Context, message []byte) (key string, signature []byte, err error) {
	return s.Keys.SignMessage(ctx, "", UseAudit, EdDSA, message)
}

// VerifyHead returns nil when that key made the signature, however long ago.
func (s HeadSigner) VerifyHead(ctx context.Context, key string, message, signature []byte) error {
	return s.Keys.VerifyMessage(ctx, "", UseAudit, key, message, signature)
}
