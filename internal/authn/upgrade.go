package authn

import (
	"context"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/password"
	"gatehouse.dev/internal/secret"
)

var (
	errUnreadable = password.ErrFormat
	noSecret      secret.Text
)

// strongLength is from how many characters on an imported secret counts as
// generated, so that a keyed digest may replace its slow hash.
const strongLength = 24

// upgrade replaces a stored hash that is of an older kind, now that the secret
// is known. When that fails the old one simply stays; the next use tries again.
func (s *Service) upgrade(ctx context.Context, a *Attempt, rec *credential.Record, m matched, shown secret.Text) {
	scheme, hash := s.better(ctx, a, m.secret, shown)
	if hash == nil {
		return
	}
	if err := s.Store.ReplaceHash(ctx, m.secret.ID, m.secret.Hash, scheme, hash); err != nil {
		s.Logger.Warn("cannot replace an old hash", "credential", rec.Credential.ID, "error", err)
	}
}

// better is what should be stored in place of sec's hash; nil: nothing else.
func (s *Service) better(ctx context.Context, a *Attempt, sec *credential.Secret, shown secret.Text) (credential.Scheme, []byte) {
	if sec.Scheme == credential.Digest {
		if s.Digests.Current(sec.Hash) {
			return "", nil
		}
		return credential.Digest, s.Digests.Digest(shown)
	}
	if a.Method == identity.APIKey || a.Method == identity.KeyPair && shown.Len() >= strongLength {
		return credential.Digest, s.Digests.Digest(shown)
	}
	if !s.Passwords.NeedsRehash(string(sec.Hash)) {
		return "", nil
	}
	encoded, err := s.Passwords.Hash(ctx, sourceOf(a.Remote), shown)
	if err != nil {
		return "", nil // busy: another time
	}
	return credential.Hashed, []byte(encoded)
}
