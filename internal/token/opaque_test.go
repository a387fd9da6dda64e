package token_test

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/token"
)

func TestOpaque(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := h.newNode(t, token.KeysOptions{})
	text, o, err := n.opaque.Issue(t.Context(), token.Opaque{
		Tenant: n.tenant.ID, Principal: "cli_1", Credential: "cre_1", Secret: "sec_1", Grant: "grt_1",
		Scopes: []string{"read"}, ProofKey: "thumb",
	}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(o.Digest, []byte(text.Reveal())) {
		t.Error("the digest holds the token")
	}
	got, err := n.opaque.VerifyOpaque(t.Context(), n.tenant, text, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Principal != "cli_1" || got.Secret != "sec_1" || got.Grant != "grt_1" || got.ProofKey != "thumb" ||
		len(got.Scopes) != 1 || got.Hash != o.ID || got.Expires.Sub(got.Issued) != time.Hour {
		t.Errorf("verified as %+v", got)
	}
	for name, tt := range map[string]struct {
		text secret.Text
		want error
	}{
		"garbage":         {secret.New("garbage"), token.ErrMalformed},
		"wrong checksum":  {secret.New(text.Reveal()[:len(text.Reveal())-1] + "!"), token.ErrMalformed},
		"never issued":    {secret.Generate(token.OpaquePrefix), token.ErrUnknown},
		"another purpose": {secret.Generate("ghk_"), token.ErrMalformed},
	} {
		if _, err := n.opaque.VerifyOpaque(t.Context(), n.tenant, tt.text, netip.Addr{}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if _, err := n.opaque.VerifyOpaque(t.Context(), n.other, text, netip.Addr{}); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("another tenant: %v", err)
	}
}

func TestOpaqueEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := h.newNode(t, token.KeysOptions{})
	owner := token.Opaque{Tenant: n.tenant.ID, Principal: "cli_1"}
	revoked, o, err := n.opaque.Issue(t.Context(), owner, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if change, err := h.store.RevokeOpaque(t.Context(), o.ID, n.now(), event("token.revoke")); err != nil || change == 0 {
		t.Fatal(change, err)
	}
	if _, err := n.opaque.VerifyOpaque(t.Context(), n.tenant, revoked, netip.Addr{}); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
	short, _, err := n.opaque.Issue(t.Context(), owner, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	h.pass(time.Minute)
	if _, err := n.opaque.VerifyOpaque(t.Context(), n.tenant, short, netip.Addr{}); !errors.Is(err, token.ErrExpired) {
		t.Errorf("expired: %v", err)
	}
	for name, bad := range map[string]token.Opaque{"no tenant": {Principal: "p"}, "no principal": {Tenant: "t"}} {
		if _, _, err := n.opaque.Issue(t.Context(), bad, time.Hour); err == nil {
			t.Errorf("%s: issued", name)
		}
	}
}
