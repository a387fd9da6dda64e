package store

import (
	"context"
	"strings"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/revocation"
)

// numbersSkipped is how far the sequences of numbers jump when a backup is
// restored, past every number that may have been given since it was made.
const numbersSkipped = 1_000_000

// Renewal turns a database that was restored or promoted into one that may
// serve: nothing that was believed before is believed any more.
type Renewal struct {
	// Carry are revocations newer than the database, in the order of their
	// numbers, from the one it replaces or from a journal.
	Carry []revocation.Entry
	// After is the position that the new incarnation must lie behind: the
	// highest that was ever seen of the old one. What the database itself
	// knows is respected in any case.
	After revocation.Position
	// KeepTokens leaves grants and tokens from before alive, except for those
	// that Carry ends.
	KeepTokens bool
}

// Renewed says what a Renewal did.
type Renewed struct {
	Position revocation.Position // where the log goes on
	Applied  int                 // entries whose loss of rights is in force again
	// Unsure are entries that say that something was narrowed, but not how:
	// constraints, policies, the end of a secret. Somebody has to look.
	Unsure []revocation.Entry
}

// Renew raises the incarnation, puts newer revocations into force, skips
// numbers that may have been given, and ends grants and tokens from before, all
// in one transaction.
func (s *Store) Renew(ctx context.Context, r Renewal, e audit.Event) (Renewed, error) {
	return put(ctx, s, func(q Querier) (Renewed, error) {
		var out Renewed
		for _, entry := range r.Carry {
			sure, err := s.carry(ctx, q, entry)
			if err != nil {
				return out, err
			}
			if sure {
				out.Applied++
			} else {
				out.Unsure = append(out.Unsure, entry)
			}
		}
		if !r.KeepTokens {
			if err := endAllTokens(ctx, q); err != nil {
				return out, err
			}
		}
		if err := s.record(ctx, q, e, "", ""); err != nil {
			return out, err
		}
		var err error
		out.Position, err = advance(ctx, q, r.After)
		if err != nil {
			return out, err
		}
		return out, s.engine.Notify(ctx, q, revocationChannel)
	})
}

// advance raises the incarnation and moves every sequence beyond what may have
// been given.
func advance(ctx context.Context, q Querier, after revocation.Position) (p revocation.Position, err error) {
	err = q.QueryRowContext(ctx, `
		UPDATE installation SET raised = db_now(),
			incarnation = 1 + CASE WHEN incarnation > $1 THEN incarnation ELSE $1 END
		RETURNING incarnation`, after.Incarnation).Scan(&p.Incarnation)
	if err != nil {
		return p, err
	}
	_, err = exec(ctx, q, `UPDATE counter SET n = n + $1 WHERE name <> 'revocation'`, numbersSkipped)
	if err != nil {
		return p, err
	}
	err = q.QueryRowContext(ctx, `
		UPDATE counter SET n = CASE WHEN n > $1 THEN n ELSE $1 END WHERE name = 'revocation' RETURNING n`, after.N).Scan(&p.N)
	return p, err
}

// endAllTokens ends every grant and every token issued so far.
func endAllTokens(ctx context.Context, q Querier) error {
	for _, query := range []string{
		`UPDATE principal SET not_before = db_now()`,
		`UPDATE opaque_token SET revoked = db_now() WHERE revoked = 0`,
		`UPDATE grant_family SET ended = db_now(), end_reason = 'database restored' WHERE ended = 0`,
	} {
		if _, err := exec(ctx, q, query); err != nil {
			return err
		}
	}
	_, err := exec(ctx, q, `UPDATE refresh_token SET salt = $1`, []byte{})
	return err
}

// carry writes an entry of another database's log into this one, and puts it
// into force. It is not sure about entries that only say that something became
// narrower.
func (s *Store) carry(ctx context.Context, q Querier, e revocation.Entry) (sure bool, err error) {
	n, err := exec(ctx, q, `INSERT INTO revocation (n, effect, reason, at) VALUES ($1, $2, $3, $4) ON CONFLICT (n) DO NOTHING`,
		e.N, int64(e.Effect), e.Reason, us(e.At))
	if err != nil {
		return false, err
	}
	sure = true
	for _, g := range e.Grounds {
		if n > 0 {
			_, err := exec(ctx, q, `INSERT INTO revocation_ground (n, kind, id) VALUES ($1, $2, $3) ON CONFLICT (n, kind, id) DO NOTHING`,
				e.N, int64(g.Kind), g.ID)
			if err != nil {
				return false, err
			}
		}
		done, err := s.enforce(ctx, q, e, g)
		if err != nil {
			return false, err
		}
		sure = sure && done
	}
	_, err = exec(ctx, q, `UPDATE counter SET n = $1 WHERE name = 'revocation' AND n < $1`, e.N)
	return sure, err
}

// enforce takes away what a ground stood for. Where the log does not say how
// far a change went, it goes the whole way: a credential that may only have
// been disabled is disabled, and one that was not certainly that is revoked.
func (s *Store) enforce(ctx context.Context, q Querier, e revocation.Entry, g revocation.Ground) (sure bool, err error) {
	run := func(query string, args ...any) (bool, error) {
		_, err := exec(ctx, q, query, args...)
		return err == nil, err
	}
	if e.Effect == revocation.Recheck && g.Kind != revocation.Role {
		// Roles given are no loss; constraints, policies and shortened lives are.
		return g.Kind == revocation.Principal, nil
	}
	switch g.Kind {
	case revocation.Tenant:
		return run(`UPDATE tenant SET enabled = FALSE WHERE id = $1`, g.ID)
	case revocation.Principal:
		return run(`UPDATE principal SET enabled = FALSE WHERE id = $1`, g.ID)
	case revocation.Credential:
		if e.Reason == reasonDisabled {
			return run(`UPDATE credential SET enabled = FALSE WHERE id = $1`, g.ID)
		}
		return run(`UPDATE credential SET revoked = $2 WHERE id = $1 AND revoked = 0`, g.ID, us(e.At))
	case revocation.Secret:
		return run(`UPDATE secret SET revoked = $2 WHERE id = $1 AND revoked = 0`, g.ID, us(e.At))
	case revocation.Role:
		principal, role, _ := strings.Cut(g.ID, "/")
		return run(`DELETE FROM principal_role WHERE principal = $1 AND role = $2`, principal, role)
	case revocation.Grant:
		if _, err := run(`UPDATE refresh_token SET salt = $2 WHERE family = $1`, g.ID, []byte{}); err != nil {
			return false, err
		}
		return run(`UPDATE grant_family SET ended = $2, end_reason = $3, change = $4 WHERE id = $1 AND ended = 0`,
			g.ID, us(e.At), e.Reason, e.N)
	case revocation.SigningKey:
		return run(`UPDATE signing_key SET state = 'distrusted', ended = $2 WHERE id = $1 AND state IN ('next', 'active', 'retiring')`,
			g.ID, us(e.At))
	case revocation.Token:
		return s.enforceToken(ctx, q, e, g.ID)
	case revocation.TokensOf:
		return run(`UPDATE principal SET not_before = $2 WHERE id = $1 AND not_before < $2`, g.ID, us(e.At))
	case revocation.Method:
		return enforceMethod(ctx, q, e, g.ID)
	case revocation.Conn, revocation.Route:
		return true, nil // gone with the process, or in the configuration
	}
	return false, nil
}

// keepUnknown is how long the hash of a token is kept whose expiry is not known.
const keepUnknown = 400 * 24 * time.Hour

func (s *Store) enforceToken(ctx context.Context, q Querier, e revocation.Entry, id string) (bool, error) {
	n, err := exec(ctx, q, `UPDATE opaque_token SET revoked = $2, change = $3 WHERE id = $1 AND revoked = 0`, id, us(e.At), e.N)
	if err != nil || n > 0 {
		return err == nil, err
	}
	_, err = exec(ctx, q, `
		INSERT INTO revoked_token (hash, tenant, principal, expires, change) VALUES ($1, '', '', $2, $3)
		ON CONFLICT (hash) DO NOTHING`, id, us(e.At.Add(keepUnknown)), e.N)
	return err == nil, err
}

func enforceMethod(ctx context.Context, q Querier, e revocation.Entry, id string) (bool, error) {
	part := strings.SplitN(id, "/", 3)
	if len(part) != 3 {
		return false, nil
	}
	_, err := exec(ctx, q, `
		INSERT INTO method_off (tenant, dialect, method, since) SELECT t.id, $2, $3, $4 FROM tenant t WHERE t.id = $1
		ON CONFLICT (tenant, dialect, method) DO NOTHING`, part[0], part[1], part[2], us(e.At))
	return err == nil, err
}
