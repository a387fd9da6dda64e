package storetest

import (
	"errors"
	"testing"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/grant"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/tenant"
	tok "gatehouse.dev/internal/token"
)

// holdings is one of everything that can be taken away.
type holdings struct {
	revoked, disabled, narrowed credential.Credential
	secret                      credential.Secret
	opaque                      tok.Opaque
	grant                       grant.Grant
	key                         tok.SigningKey
}

func (w *world) holdings(t *testing.T) (h holdings) {
	h.revoked, _ = w.pair(t, "revoked")
	h.disabled, _ = w.pair(t, "disabled")
	h.narrowed, h.secret = w.pair(t, "narrowed")
	_, err := w.GrantRole(t.Context(), w.user.ID, "ops", event("x"))
	ok(t, err)
	h.opaque = w.opaque(t, "opaque", time.Now().Add(time.Hour))
	h.grant = w.family(t, time.Time{})
	h.key = w.signingKey(t, whole)
	return h
}

// renewCarries: a database as it was at the backup gets the log of what came
// after, and in everything that matters becomes as if it had lived through it.
func renewCarries(t *testing.T, w *world) {
	ctx := t.Context()
	h := w.holdings(t)
	at := time.Now().Truncate(time.Microsecond).UTC()
	first := w.head(t) + 1
	entry := func(effect revocation.Effect, reason string, k revocation.Kind, id string) revocation.Entry {
		first++
		return revocation.Entry{N: first, Effect: effect, Reason: reason, At: at, Grounds: []revocation.Ground{{Kind: k, ID: id}}}
	}
	carry := []revocation.Entry{
		entry(revocation.End, "credential revoked", revocation.Credential, h.revoked.ID),
		entry(revocation.End, "credential disabled", revocation.Credential, h.disabled.ID),
		entry(revocation.End, "secret revoked", revocation.Secret, h.secret.ID),
		entry(revocation.Recheck, "role removed", revocation.Role, w.user.ID+"/ops"),
		entry(revocation.End, "x", revocation.Grant, h.grant.ID),
		entry(revocation.End, "x", revocation.SigningKey, h.key.ID),
		entry(revocation.End, "x", revocation.Token, h.opaque.ID),
		entry(revocation.End, "x", revocation.Token, "hash of a jwt"),
		entry(revocation.End, "x", revocation.TokensOf, w.user.ID),
		entry(revocation.End, "x", revocation.Method, w.tenant.ID+"/gateway/password"),
		entry(revocation.End, "x", revocation.Principal, w.user.ID),
		entry(revocation.End, "x", revocation.Tenant, w.tenant.ID),
		entry(revocation.Recheck, "role granted", revocation.Principal, w.user.ID),
		entry(revocation.End, "x", revocation.Credential, "cre_made_after_the_backup"),
	}
	unsure := []revocation.Entry{
		entry(revocation.Recheck, "constraints changed", revocation.Credential, h.narrowed.ID),
		entry(revocation.Recheck, "policies changed", revocation.Policy, w.tenant.ID),
	}
	out, err := w.Renew(ctx, store.Renewal{Carry: append(carry, unsure...), KeepTokens: true}, event("restore"))
	ok(t, err)
	same(t, "renewed", out, store.Renewed{Position: revocation.Position{Incarnation: 2, N: first}, Applied: len(carry), Unsure: unsure})

	revoked, err := w.Credential(ctx, h.revoked.ID)
	ok(t, err)
	same(t, "revoked at", revoked.Revoked, at)
	disabled, err := w.Credential(ctx, h.disabled.ID)
	ok(t, err)
	narrowed, err := w.RecordByCredential(ctx, h.narrowed.ID)
	ok(t, err)
	if disabled.Enabled || !disabled.Revoked.IsZero() || narrowed.Secrets[0].Revoked.IsZero() || !narrowed.Credential.Enabled {
		t.Errorf("credentials: %+v %+v", disabled, narrowed)
	}
	if p := narrowed.Principal; p.Enabled || len(p.Roles) != 0 || !p.NotBefore.Equal(at) || narrowed.TenantEnabled {
		t.Errorf("principal: %+v, tenant enabled: %v", p, narrowed.TenantEnabled)
	}
	if r, g := w.refresh(t, 1); g.Ended.IsZero() || len(r.Salt) != 0 {
		t.Errorf("grant: %+v %+v", g, r)
	}
	same(t, "signing key", w.states(t), map[string]tok.State{h.key.ID: tok.Distrusted})
	if o, err := w.OpaqueByDigest(ctx, w.tenant.ID, [][]byte{h.opaque.Digest}); err != nil || o.Revoked.IsZero() {
		t.Errorf("opaque token: %+v, %v", o, err)
	}
	if there, err := w.TokenRevoked(ctx, "hash of a jwt"); err != nil || !there {
		t.Errorf("jwt: %v, %v", there, err)
	}
	if off, err := w.MethodsOff(ctx, w.tenant.ID); err != nil || len(off) != 1 || off[0].Method != (tenant.Method{Dialect: "gateway", Method: "password"}) {
		t.Errorf("methods off: %+v, %v", off, err)
	}
	b, err := w.RevocationsSince(ctx, carry[0].N-1, 0)
	ok(t, err)
	same(t, "log", b, revocation.Batch{Incarnation: 2, Head: first, Entries: append(carry, unsure...)})
	n, err := w.Revoke(ctx, revocation.Entry{Effect: revocation.End, Grounds: []revocation.Ground{conn("x")}})
	if err != nil || n != first+1 {
		t.Errorf("the log goes on with %d after %d, %v", n, first, err)
	}
}

// renewEnds: without other orders, nothing issued before the restore lives on,
// and no number is given a second time.
func renewEnds(t *testing.T, w *world) {
	ctx := t.Context()
	h := w.holdings(t)
	before := time.Now()
	out, err := w.Renew(ctx, store.Renewal{After: revocation.Position{Incarnation: 7, N: 5000}}, event("restore"))
	ok(t, err)
	same(t, "position", out.Position, revocation.Position{Incarnation: 8, N: 5000})
	rows, err := w.Events(ctx, eventsOf("restore"))
	if err != nil || len(rows) != 1 {
		t.Errorf("audit: %+v, %v", rows, err)
	}
	p, err := w.Principal(ctx, w.user.ID)
	ok(t, err)
	if p.NotBefore.Before(before.Add(-time.Second)) || !p.Enabled {
		t.Errorf("principal = %+v", p)
	}
	if o, err := w.OpaqueByDigest(ctx, w.tenant.ID, [][]byte{h.opaque.Digest}); err != nil || o.Revoked.IsZero() {
		t.Errorf("opaque token lives on: %v", err)
	}
	if r, g := w.refresh(t, 1); g.Ended.IsZero() || len(r.Salt) != 0 {
		t.Error("grant lives on")
	}
	if _, err := w.RotateRefresh(ctx, rotationOf(1), event("x")); !errors.Is(err, grant.ErrEnded) {
		t.Errorf("rotation after the restore: %v", err)
	}
	if c, err := w.Credential(ctx, h.revoked.ID); err != nil || !c.Revoked.IsZero() || !c.Enabled {
		t.Errorf("a credential that nobody revoked: %+v, %v", c, err)
	}
	made := w.principal(t, "user", "later")
	if made.Number < w.user.Number+1_000_000 {
		t.Errorf("number %d may have been given after the backup of %d", made.Number, w.user.Number)
	}
	if tn, err := w.CreateTenant(ctx, tenant.Tenant{ID: id.New("ten"), Name: "later"}, event("x")); err != nil || tn.Number < 1_000_000 {
		t.Errorf("tenant %+v, %v", tn, err)
	}
	b, err := w.RevocationsSince(ctx, 5000, 0)
	ok(t, err)
	same(t, "log", b, revocation.Batch{Incarnation: 8, Head: 5000})
}
