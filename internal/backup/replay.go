package backup

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse.dev/internal/journal"
	"gatehouse.dev/internal/revocation"
)

// found is what the journals have to say about the time after a backup.
type found struct {
	entries []journal.Revocation // after the backup, by number
	last    int64                // the last number known to have been given
	until   time.Time            // up to when nothing is missing
	holes   []string             // why something may be missing
}

// readJournals puts the journals of one or more nodes together. What one node
// missed another may have.
func readJournals(dirs []string, f facts) (found, error) {
	var out found
	byNumber := map[int64]journal.Revocation{}
	foreign := false
	for _, dir := range dirs {
		damages, err := journal.Read(dir, func(r journal.Record) error {
			switch {
			case r.Mark != nil && r.Mark.Installation != f.installation:
				foreign = true
			case r.Mark != nil:
				out.last = max(out.last, r.Mark.N)
				if at := time.UnixMicro(r.Mark.At).UTC(); at.After(out.until) {
					out.until = at
				}
			case r.Revocation != nil:
				out.last = max(out.last, r.Revocation.N)
				if r.Revocation.At.After(out.until) {
					out.until = r.Revocation.At
				}
				if r.Revocation.N > f.logHead {
					byNumber[r.Revocation.N] = *r.Revocation
				}
			}
			return nil
		})
		if err != nil {
			return out, err
		}
		for _, d := range damages {
			out.holes = append(out.holes, "the journal is damaged: "+d.String())
		}
	}
	if foreign {
		return found{holes: []string{"the journal belongs to another installation"}}, nil
	}
	if out.until.IsZero() {
		return found{holes: []string{"there is no journal"}}, nil
	}
	for _, r := range byNumber {
		out.entries = append(out.entries, r)
	}
	slices.SortFunc(out.entries, func(a, b journal.Revocation) int { return int(a.N - b.N) })
	out.holes = append(out.holes, holes(out.entries, f.logHead, out.last)...)
	return out, nil
}

// holes looks for numbers that are missing: the log has no gaps, so the journal
// must not have any.
func holes(entries []journal.Revocation, head, last int64) []string {
	var out []string
	next := head + 1
	for _, e := range entries {
		if e.N != next {
			out = append(out, fmt.Sprintf("the journal lacks revocations %d to %d", next, e.N-1))
		}
		next = e.N + 1
	}
	switch {
	case last < head:
		out = append(out, fmt.Sprintf("the journal ends at revocation %d, before the backup, which has %d", last, head))
	case next <= last:
		out = append(out, fmt.Sprintf("the journal lacks revocations %d to %d", next, last))
	}
	return out
}

// replayer does to the restored state what entries of the log say.
type replayer struct {
	tx      *sql.Tx
	changes []Change
	unknown []string // what an entry changed that the log does not describe
}

// replay applies the journal's entries and writes them into the log.
func replay(ctx context.Context, db *sql.DB, entries []journal.Revocation) ([]Change, []string, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	defer tx.Rollback()
	r := &replayer{tx: tx}
	for _, e := range entries {
		if err := r.entry(ctx, e); err != nil {
			return nil, nil, fmt.Errorf("replay revocation %d: %w", e.N, err)
		}
	}
	return r.changes, r.unknown, tx.Commit()
}

func (r *replayer) entry(ctx context.Context, e journal.Revocation) error {
	for _, g := range e.Grounds {
		if err := r.ground(ctx, e, g); err != nil {
			return err
		}
	}
	_, err := r.tx.ExecContext(ctx, `INSERT INTO revocation (n, effect, reason, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		e.N, int64(e.Effect), e.Reason, e.At.UnixMicro())
	for _, g := range e.Grounds {
		if err == nil {
			_, err = r.tx.ExecContext(ctx, `INSERT INTO revocation_ground (n, kind, id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
				e.N, int64(g.Kind), g.ID)
		}
	}
	return err
}

// ground ends one ground in the tables. The log says what was taken away, not
// always how: where it could have been a little or all, it is all. An
// administrator can give back what was too much, and nobody can take back what
// was used in the meantime.
func (r *replayer) ground(ctx context.Context, e journal.Revocation, g revocation.Ground) error {
	at, end := e.At.UnixMicro(), e.Effect == revocation.End
	switch g.Kind {
	case revocation.Tenant:
		return r.do(ctx, "tenants disabled", `UPDATE tenant SET enabled = 0 WHERE id = $1 AND enabled = 1 RETURNING name`, g.ID)
	case revocation.Principal:
		if !end {
			return nil // a role was given
		}
		return r.do(ctx, "principals disabled", `UPDATE principal SET enabled = 0 WHERE id = $1 AND enabled = 1 RETURNING id`, g.ID)
	case revocation.TokensOf:
		return r.do(ctx, "tokens ended, by principal", `UPDATE principal SET not_before = $2 WHERE id = $1 AND not_before < $2 RETURNING id`, g.ID, at)
	case revocation.Credential:
		return r.credential(ctx, e, g.ID)
	case revocation.Secret:
		if end {
			return r.do(ctx, "secrets revoked", `UPDATE secret SET revoked = $2 WHERE id = $1 AND revoked = 0 RETURNING id`, g.ID, at)
		}
		return r.do(ctx, "secrets that end now, because they were to end sooner",
			`UPDATE secret SET expires = $2 WHERE id = $1 AND (expires = 0 OR expires > $2) RETURNING id`, g.ID, at)
	case revocation.Role:
		principal, role, _ := strings.Cut(g.ID, "/")
		return r.do(ctx, "roles removed",
			`DELETE FROM principal_role WHERE principal = $1 AND role = $2 RETURNING principal || '/' || role`, principal, role)
	case revocation.Grant:
		return r.do(ctx, "grants ended",
			`UPDATE grant_family SET ended = $2, end_reason = $3, change = $4 WHERE id = $1 AND ended = 0 RETURNING id`, g.ID, at, e.Reason, e.N)
	case revocation.SigningKey:
		return r.do(ctx, "signing keys ended", `UPDATE signing_key SET state = 'distrusted', ended = $2
			WHERE id = $1 AND state IN ('next', 'active', 'retiring') RETURNING id`, g.ID, at)
	case revocation.Token:
		return r.token(ctx, e, g.ID)
	case revocation.Method:
		return r.method(ctx, at, g.ID)
	case revocation.Policy:
		r.unknown = append(r.unknown, fmt.Sprintf("the policies of tenant %s were changed; the older ones are in force", g.ID))
	}
	return nil // conns and routes are nothing that a database keeps
}

func (r *replayer) credential(ctx context.Context, e journal.Revocation, id string) error {
	switch {
	case e.Effect != revocation.End:
		return r.do(ctx, "credentials disabled, because their constraints were changed",
			`UPDATE credential SET enabled = 0 WHERE id = $1 AND enabled = 1 RETURNING id`, id)
	case e.Reason == "credential disabled":
		return r.do(ctx, "credentials disabled", `UPDATE credential SET enabled = 0 WHERE id = $1 AND enabled = 1 RETURNING id`, id)
	}
	return r.do(ctx, "credentials revoked", `UPDATE credential SET revoked = $2 WHERE id = $1 AND revoked = 0 RETURNING id`, id, e.At.UnixMicro())
}

// tokenLife is longer than any token lives; how long this one would have lived
// the log does not say.
const tokenLife = 366 * 24 * time.Hour

func (r *replayer) token(ctx context.Context, e journal.Revocation, id string) error {
	if strings.HasPrefix(id, "tok_") {
		return r.do(ctx, "opaque tokens revoked", `UPDATE opaque_token SET revoked = $2, change = $3 WHERE id = $1 AND revoked = 0 RETURNING id`,
			id, e.At.UnixMicro(), e.N)
	}
	return r.do(ctx, "tokens revoked", `INSERT INTO revoked_token (hash, tenant, principal, expires, change) VALUES ($1, '', '', $2, $3)
		ON CONFLICT DO NOTHING RETURNING hash`, id, e.At.Add(tokenLife).UnixMicro(), e.N)
}

func (r *replayer) method(ctx context.Context, at int64, id string) error {
	p := strings.SplitN(id, "/", 3)
	if len(p) != 3 {
		return nil
	}
	return r.do(ctx, "methods switched off", `INSERT INTO method_off (tenant, dialect, method, since)
		SELECT id, $2, $3, $4 FROM tenant WHERE id = $1 ON CONFLICT DO NOTHING RETURNING tenant || '/' || dialect || '/' || method`, p[0], p[1], p[2], at)
}

// do runs a statement and notes what it changed.
func (r *replayer) do(ctx context.Context, what, query string, args ...any) error {
	ids, err := texts(ctx, r.tx, query, args...)
	if err != nil || len(ids) == 0 {
		return err
	}
	for i := range r.changes {
		if r.changes[i].What == what {
			r.changes[i].IDs = append(r.changes[i].IDs, ids...)
			return nil
		}
	}
	r.changes = append(r.changes, Change{what, ids})
	return nil
}
