package backup

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"
	"time"
)

// Change is what a restore did again because it had been done after the backup.
type Change struct {
	What string   `json:"what"`
	IDs  []string `json:"ids"`
}

// Report says what a restore did.
type Report struct {
	Backup      Manifest  `json:"backup"`
	Incarnation int64     `json:"incarnation"`
	From        string    `json:"revocations_from"` // "database", "journal" or "nowhere"
	Until       time.Time `json:"revocations_until,omitzero"`
	Carried     []Change  `json:"carried"`
	Ended       []Change  `json:"ended"`          // grants and tokens from before
	Lost        []string  `json:"lost,omitempty"` // what may be missing, accepted
	Alive       *Alive    `json:"may_be_alive,omitempty"`
	Replaced    string    `json:"replaced,omitempty"` // where the former database is now
}

// Alive is what works in the restored state although it may have been revoked
// after the backup.
type Alive struct {
	Principals  []AlivePrincipal  `json:"principals"`
	Credentials []AliveCredential `json:"credentials"`
	SigningKeys []string          `json:"signing_keys"`
	Policies    []string          `json:"policies"` // tenants with their own
}

// AlivePrincipal is a principal that may come in.
type AlivePrincipal struct {
	ID    string   `json:"id"`
	Kind  string   `json:"kind"`
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
}

// AliveCredential is a credential that may be used.
type AliveCredential struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Lookup    string `json:"lookup"` // public key or user name
	Principal string `json:"principal"`
}

// LostError is a refusal: revocations made after the backup cannot be found.
type LostError struct {
	Why   []string
	Alive Alive
}

func (e *LostError) Error() string {
	return fmt.Sprintf("revocations made after the backup may be lost (%s); %d principals and %d credentials may be alive again",
		strings.Join(e.Why, "; "), len(e.Alive.Principals), len(e.Alive.Credentials))
}

// alive reads it from the restored state, as it is after what could be carried
// over.
func alive(ctx context.Context, db *sql.DB, now time.Time) (a Alive, err error) {
	a = Alive{Principals: []AlivePrincipal{}, Credentials: []AliveCredential{}}
	err = each(ctx, db, func(scan func(...any) error) error {
		var p AlivePrincipal
		var roles string
		err := scan(&p.ID, &p.Kind, &p.Name, &roles)
		p.Roles = strings.Fields(roles)
		a.Principals = append(a.Principals, p)
		return err
	}, `SELECT p.id, p.kind, p.name, COALESCE((SELECT GROUP_CONCAT(role, ' ') FROM principal_role r WHERE r.principal = p.id), '')
		FROM principal p JOIN tenant t ON t.id = p.tenant AND t.enabled = 1 WHERE p.enabled = 1 ORDER BY p.number`)
	if err != nil {
		return a, fmt.Errorf("list principals: %w", err)
	}
	err = each(ctx, db, func(scan func(...any) error) error {
		var c AliveCredential
		err := scan(&c.ID, &c.Kind, &c.Lookup, &c.Principal)
		a.Credentials = append(a.Credentials, c)
		return err
	}, `SELECT c.id, c.kind, c.lookup, p.name
		FROM credential c JOIN principal p ON p.id = c.principal AND p.enabled = 1 JOIN tenant t ON t.id = c.tenant AND t.enabled = 1
		WHERE c.enabled = 1 AND c.revoked = 0 AND (c.expires = 0 OR c.expires > $1)
			AND EXISTS (SELECT 1 FROM secret s WHERE s.credential = c.id AND s.revoked = 0 AND (s.expires = 0 OR s.expires > $1))
		ORDER BY c.number`, now.UnixMicro())
	if err != nil {
		return a, fmt.Errorf("list credentials: %w", err)
	}
	if a.SigningKeys, err = texts(ctx, db, `SELECT id FROM signing_key WHERE state IN ('next', 'active', 'retiring') ORDER BY created, id`); err != nil {
		return a, fmt.Errorf("list signing keys: %w", err)
	}
	if a.Policies, err = texts(ctx, db, `SELECT t.name FROM policy_set s JOIN tenant t ON t.id = s.tenant ORDER BY t.name`); err != nil {
		return a, fmt.Errorf("list policies: %w", err)
	}
	return a, nil
}

func each(ctx context.Context, q querier, fn func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Write shows the list to people, with at most limit lines of each sort (0:
// all).
func (a Alive) Write(w io.Writer, limit int) {
	fmt.Fprintf(w, "%d principals:\n", len(a.Principals))
	for i, p := range a.Principals {
		if limit > 0 && i == limit {
			fmt.Fprintf(w, "  … and %d more\n", len(a.Principals)-i)
			break
		}
		fmt.Fprintf(w, "  %s  %s %s  %s\n", p.ID, p.Kind, p.Name, strings.Join(p.Roles, " "))
	}
	fmt.Fprintf(w, "%d credentials:\n", len(a.Credentials))
	for i, c := range a.Credentials {
		if limit > 0 && i == limit {
			fmt.Fprintf(w, "  … and %d more\n", len(a.Credentials)-i)
			break
		}
		fmt.Fprintf(w, "  %s  %s %s  of %s\n", c.ID, c.Kind, c.Lookup, c.Principal)
	}
	fmt.Fprintf(w, "%d signing keys: %s\n", len(a.SigningKeys), strings.Join(a.SigningKeys, " "))
	fmt.Fprintf(w, "%d tenants with policies of their own: %s\n", len(a.Policies), strings.Join(a.Policies, " "))
}
