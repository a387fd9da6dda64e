package backup

import (
	"context"
	"database/sql"
	"fmt"
)

// step is one statement that takes over what happened after the backup, from
// the database that is replaced (attached as old) to the restored one. It
// returns one text per row that it changed.
type step struct {
	what string // what the rows are, for the report: "credentials revoked"
	sql  string
}

// gone is true of what the replaced database does not have any more. Only
// deleting it there can have made it so, because it is not older.
func gone(t, key string) string {
	return `NOT EXISTS (SELECT 1 FROM old.` + t + ` o WHERE o.` + key + ` = ` + t + `.` + key + `)`
}

// there is true of rows that the replaced database has too, with a condition
// on its row, o.
func there(t, key, condition string) string {
	return `EXISTS (SELECT 1 FROM old.` + t + ` o WHERE o.` + key + ` = ` + t + `.` + key + ` AND ` + condition + `)`
}

// theirs reads columns of the replaced database's row.
func theirs(t, key, columns string) string {
	return `(SELECT ` + columns + ` FROM old.` + t + ` o WHERE o.` + key + ` = ` + t + `.` + key + `)`
}

// rank orders the states of a signing key; it only ever goes up.
const rank = `CASE %s.state WHEN 'next' THEN 0 WHEN 'active' THEN 1 WHEN 'retiring' THEN 2 WHEN 'distrusted' THEN 3 ELSE 4 END`

func signingKeys(state string) string {
	return `UPDATE signing_key SET (state, private_key, activated, retired, ended) = ` +
		theirs("signing_key", "id", "o.state, o.private_key, o.activated, o.retired, o.ended") + ` WHERE ` +
		there("signing_key", "id", state+` AND `+fmt.Sprintf(rank, "o")+` > `+fmt.Sprintf(rank, "signing_key")) + ` RETURNING id`
}

// rights are the steps for what was taken away. Order matters where one frees a
// name that the next needs.
var rights = []step{
	{"tenants disabled", `UPDATE tenant SET enabled = 0 WHERE enabled = 1 AND NOT ` + there("tenant", "id", "o.enabled = 1") + ` RETURNING name`},
	{"methods switched off", `INSERT INTO method_off SELECT * FROM old.method_off o WHERE EXISTS (SELECT 1 FROM tenant t WHERE t.id = o.tenant)
		ON CONFLICT DO NOTHING RETURNING tenant || '/' || dialect || '/' || method`},
	{"principals deleted", `DELETE FROM principal WHERE ` + gone("principal", "id") + ` RETURNING id`},
	{"principals disabled", `UPDATE principal SET enabled = 0 WHERE enabled = 1 AND ` + there("principal", "id", "o.enabled = 0") + ` RETURNING id`},
	{"tokens ended, by principal", `UPDATE principal SET not_before = ` + theirs("principal", "id", "o.not_before") +
		` WHERE ` + there("principal", "id", "o.not_before > principal.not_before") + ` RETURNING id`},
	{"roles removed", `DELETE FROM principal_role WHERE NOT EXISTS
		(SELECT 1 FROM old.principal_role o WHERE o.principal = principal_role.principal AND o.role = principal_role.role)
		RETURNING principal || '/' || role`},
	{"credentials deleted", `DELETE FROM credential WHERE ` + gone("credential", "id") + ` RETURNING id`},
	{"credentials revoked", `UPDATE credential SET revoked = ` + theirs("credential", "id", "o.revoked") +
		` WHERE revoked = 0 AND ` + there("credential", "id", "o.revoked > 0") + ` RETURNING id`},
	{"credentials disabled", `UPDATE credential SET enabled = 0 WHERE enabled = 1 AND ` + there("credential", "id", "o.enabled = 0") + ` RETURNING id`},
	{"constraints changed", `UPDATE credential SET (networks, not_before, expires, countries, users) = ` +
		theirs("credential", "id", "o.networks, o.not_before, o.expires, o.countries, o.users") + ` WHERE ` + there("credential", "id",
		"(o.networks, o.not_before, o.expires, o.countries, o.users) <> "+
			"(credential.networks, credential.not_before, credential.expires, credential.countries, credential.users)") + ` RETURNING id`},
	{"uses of tokens", `UPDATE credential SET uses = ` + theirs("credential", "id", "o.uses") +
		` WHERE ` + there("credential", "id", "o.uses > credential.uses") + ` RETURNING id`},
	{"secrets deleted", `DELETE FROM secret WHERE ` + gone("secret", "id") + ` RETURNING id`},
	{"secrets revoked", `UPDATE secret SET revoked = ` + theirs("secret", "id", "o.revoked") +
		` WHERE revoked = 0 AND ` + there("secret", "id", "o.revoked > 0") + ` RETURNING id`},
	{"secrets that end sooner", `UPDATE secret SET expires = ` + theirs("secret", "id", "o.expires") + ` WHERE ` +
		there("secret", "id", "o.expires > 0 AND (secret.expires = 0 OR o.expires < secret.expires)") + ` RETURNING id`},
	{"policies changed", `INSERT INTO policy_set SELECT * FROM old.policy_set o WHERE EXISTS (SELECT 1 FROM tenant t WHERE t.id = o.tenant)
		ON CONFLICT (tenant) DO UPDATE SET version = excluded.version, cedar = excluded.cedar, roles = excluded.roles
		WHERE excluded.version > policy_set.version RETURNING tenant`},
	{"persons erased", `UPDATE seal_key SET box = x'', erased = ` + theirs("seal_key", "id", "o.erased") +
		` WHERE erased = 0 AND ` + there("seal_key", "id", "o.erased > 0") + ` RETURNING person`},
	{"signing keys ended", signingKeys(`o.state IN ('retiring', 'distrusted', 'sealed')`)},
	{"signing keys begun", signingKeys(`o.state = 'active'`)},
	{"tokens revoked", `INSERT INTO revoked_token SELECT * FROM old.revoked_token WHERE TRUE ON CONFLICT (hash) DO NOTHING RETURNING hash`},
	{"opaque tokens revoked", `UPDATE opaque_token SET revoked = ` + theirs("opaque_token", "id", "o.revoked") +
		` WHERE revoked = 0 AND ` + there("opaque_token", "id", "o.revoked > 0") + ` RETURNING id`},
	{"opaque tokens deleted", `DELETE FROM opaque_token WHERE ` + gone("opaque_token", "id") + ` RETURNING id`},
	{"grants deleted", `DELETE FROM grant_family WHERE ` + gone("grant_family", "id") + ` RETURNING id`},
	{"grants ended", `UPDATE grant_family SET (ended, end_reason, change) = ` + theirs("grant_family", "id", "o.ended, o.end_reason, o.change") +
		` WHERE ended = 0 AND ` + there("grant_family", "id", "o.ended > 0") + ` RETURNING id`},
}

// rest are the steps for what must stay consistent with the world outside, and
// is nobody's right: keys that clients may know already, where each refresh
// family stands (else a spent token would be good again), numbers that were
// given, and the log itself.
var rest = []string{
	// A newer master key may have wrapped what the backup has under an older.
	`UPDATE seal_key SET (box, master_key) = ` + theirs("seal_key", "id", "o.box, o.master_key") + ` WHERE erased = 0 AND ` +
		there("seal_key", "id", "o.erased = 0 AND o.master_key <> seal_key.master_key"),
	`INSERT INTO seal_key SELECT * FROM old.seal_key o WHERE o.tenant = '' OR EXISTS (SELECT 1 FROM tenant t WHERE t.id = o.tenant)
		ON CONFLICT DO NOTHING`,
	`INSERT INTO signing_key SELECT * FROM old.signing_key o WHERE o.tenant = '' OR EXISTS (SELECT 1 FROM tenant t WHERE t.id = o.tenant)
		ON CONFLICT DO NOTHING`,
	`DELETE FROM refresh_token`,
	`INSERT INTO refresh_token SELECT * FROM old.refresh_token o WHERE EXISTS (SELECT 1 FROM grant_family f WHERE f.id = o.family)`,
	`UPDATE counter SET n = (SELECT MAX(o.n, counter.n) FROM old.counter o WHERE o.name = counter.name)
		WHERE EXISTS (SELECT 1 FROM old.counter o WHERE o.name = counter.name)`,
	`INSERT INTO revocation SELECT * FROM old.revocation WHERE TRUE ON CONFLICT DO NOTHING`,
	`INSERT INTO revocation_ground SELECT o.* FROM old.revocation_ground o WHERE TRUE ON CONFLICT DO NOTHING`,
}

// carryOver takes over from the database at path what happened after the
// backup. Both are at this program's schema, so their columns are the same and
// in the same order. It also tells whether the audit chain could be taken over.
func carryOver(ctx context.Context, db *sql.DB, path string) (_ []Change, chained bool, _ error) {
	if _, err := db.ExecContext(ctx, `ATTACH DATABASE $1 AS old`, path); err != nil {
		return nil, false, fmt.Errorf("open the database that is replaced: %w", err)
	}
	defer db.ExecContext(context.WithoutCancel(ctx), `DETACH DATABASE old`)
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, false, err
	}
	defer tx.Rollback()
	var out []Change
	for _, s := range rights {
		ids, err := texts(ctx, tx, s.sql)
		if err != nil {
			return nil, false, fmt.Errorf("carry over %s: %w", s.what, err)
		}
		if len(ids) > 0 {
			out = append(out, Change{s.what, ids})
		}
	}
	for _, q := range rest {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return nil, false, fmt.Errorf("carry over (%.40s…): %w", q, err)
		}
	}
	if chained, err = carryAudit(ctx, tx); err != nil {
		return nil, false, fmt.Errorf("carry over audit rows: %w", err)
	}
	return out, chained, tx.Commit()
}

// carryAudit goes on with the audit chain of the replaced database, if the
// chain of the backup is its beginning. Else there has been another restore in
// between, and two chains cannot become one.
func carryAudit(ctx context.Context, tx *sql.Tx) (same bool, err error) {
	err = tx.QueryRowContext(ctx, `
		SELECT t.seq = 0 OR EXISTS (SELECT 1 FROM old.audit_event o WHERE o.seq = t.seq AND o.hash = t.hash)
			OR EXISTS (SELECT 1 FROM old.audit_head o WHERE o.seq = t.seq AND o.hash = t.hash)
		FROM audit_tip t`).Scan(&same)
	if err != nil || !same {
		return false, err
	}
	for _, q := range []string{
		`DELETE FROM audit_event`,
		`DELETE FROM audit_head`,
		`INSERT INTO audit_event SELECT * FROM old.audit_event`,
		`INSERT INTO audit_head SELECT * FROM old.audit_head`,
		`UPDATE audit_tip SET (seq, hash) = (SELECT seq, hash FROM old.audit_tip)`,
	} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return false, err
		}
	}
	return true, nil
}
