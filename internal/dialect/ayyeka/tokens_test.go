package ayyeka_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/dialect/ayyeka"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// statusOf calls the API with a token.
func statusOf(t testing.TB, s site, bearer string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/v2.0/site", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// nextSecond waits until claims look different: they have whole seconds.
func nextSecond() { time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) }

func TestTokens(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.open(t, "192.0.2.1", ayyeka.Config{})
	ctx := t.Context()
	setup := func(t *testing.T) caller { return h.newCaller(t, tenant.Default, credential.Spec{}, ayyeka.Operator) }

	t.Run("group", func(t *testing.T) {
		// The window in which the same request gets the same token.
		t.Run("ReuseWindow", func(t *testing.T) {
			t.Parallel()
			c := setup(t)
			first := h.ask(t, s, c)
			nextSecond()
			if second := h.ask(t, s, c); second == first {
				t.Error("the same token without a window")
			}
			window := 5 * time.Minute
			if err := h.principals.Update(ctx, audit.By{}, c.Principal, principal.Update{ReuseWindow: &window}); err != nil {
				t.Fatal(err)
			}
			nextSecond()
			first = h.ask(t, s, c)
			nextSecond()
			res := post(t, s, c.key(), c.secret())
			defer res.Body.Close()
			var again tokenBody
			if err := json.NewDecoder(res.Body).Decode(&again); err != nil {
				t.Fatal(err)
			}
			if again.AccessToken != first || again.ExpiresIn >= 3600 || again.ExpiresIn < 3590 {
				t.Errorf("again: the same = %v, expires_in %d, want what remains", again.AccessToken == first, again.ExpiresIn)
			}
			// What was taken away is not given again.
			change, err := h.store.RevokeToken(ctx, token.RevokedToken{
				Hash: token.Hash(secret.New(first)), Tenant: c.Tenant, Expires: time.Now().Add(time.Hour),
			}, audit.Event{Actor: "test", Action: "token.revoke"})
			if err := h.settled(ctx, change, err); err != nil {
				t.Fatal(err)
			}
			if next := h.ask(t, s, c); next == first || statusOf(t, s, next) != 200 {
				t.Error("a revoked token is given again")
			}
		})

		// Two secrets at once; tokens end with the one that bought them.
		t.Run("Rotation", func(t *testing.T) {
			t.Parallel()
			c := setup(t)
			byOld := h.ask(t, s, c)
			issued, err := h.creds.Rotate(ctx, audit.By{}, c.Credential, time.Hour, secret.Text{})
			if err != nil {
				t.Fatal(err)
			}
			rotated := caller{c.Principal, issued}
			byNew := h.ask(t, s, rotated)
			if h.ask(t, s, c) == "" || statusOf(t, s, byOld) != 200 || statusOf(t, s, byNew) != 200 {
				t.Fatal("both secrets and their tokens should work")
			}
			change, err := h.creds.RevokeSecret(ctx, audit.By{}, c.Credential, c.Secret.ID)
			if err := h.settled(ctx, change, err); err != nil {
				t.Fatal(err)
			}
			if got := statusOf(t, s, byOld); got != 401 {
				t.Errorf("token of the old secret = %d, want 401", got)
			}
			if got := statusOf(t, s, byNew); got != 200 {
				t.Errorf("token of the new secret = %d, want 200", got)
			}
			if res := post(t, s, c.key(), c.secret()); res.StatusCode != 401 {
				t.Errorf("the old secret = %d, want 401", res.StatusCode)
			}
		})

		t.Run("KeyID", func(t *testing.T) {
			t.Parallel()
			c := setup(t)
			with := h.open(t, "192.0.2.2", ayyeka.Config{KeyID: true, Issuer: "OnPremises", Lifetime: 2 * time.Minute})
			text := h.ask(t, with, c)
			p, err := token.Parse(secret.New(text))
			if err != nil {
				t.Fatal(err)
			}
			if p.KeyID == "" {
				t.Error("no kid")
			}
			if iss, err := p.Claims.Text("iss"); err != nil || iss != "OnPremises" {
				t.Errorf("iss = %q, %v", iss, err)
			}
			// First where it must not be believed: a tenant has one such dialect,
			// and what was believed once is remembered for it.
			if got := statusOf(t, s, text); got != 401 {
				t.Errorf("where no kid is written and another issuer = %d, want 401", got)
			}
			if got := statusOf(t, with, text); got != 200 {
				t.Errorf("with kid = %d", got)
			}
			if got := statusOf(t, with, h.ask(t, s, c)); got != 401 {
				t.Errorf("without kid where one is wanted = %d, want 401", got)
			}
		})

		// A token may also be shown to a tenant that its numbers do not name.
		t.Run("OtherTenant", func(t *testing.T) {
			t.Parallel()
			text := h.ask(t, s, setup(t))
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/v2.0/site", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = "other.example"
			req.Header.Set("Authorization", "Bearer "+text)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != 401 {
				t.Errorf("status = %d, want 401", res.StatusCode)
			}
		})
	})

	t.Run("BackendSeesWhoButNotTheToken", func(t *testing.T) {
		c := setup(t)
		text := h.ask(t, s, c)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/v2.0/user/uiPreferences", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+text)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("status = %d, %v", res.StatusCode, err)
		}
		if !strings.Contains(string(body), c.ID) || !strings.Contains(string(body), c.Credential.ID) {
			t.Errorf("the backend does not know who calls: %s", body)
		}
		if strings.Contains(string(body), text) {
			t.Errorf("the backend got the token: %s", body)
		}
	})

	// Last, because it ends everybody's tokens.
	t.Run("SigningKeyDistrusted", func(t *testing.T) {
		c := setup(t)
		before := h.ask(t, s, c)
		keys, err := h.keys.List(ctx, c.Tenant)
		i := slices.IndexFunc(keys, func(k token.SigningKey) bool { return k.Use == ayyeka.Name && k.State == token.Active })
		if err != nil || i < 0 {
			t.Fatalf("no active key: %v", err)
		}
		change, err := h.keys.Distrust(ctx, c.Tenant, keys[i].ID, audit.Event{Actor: "test", Action: "signing-key.distrust"})
		if err := h.settled(ctx, change, err); err != nil {
			t.Fatal(err)
		}
		if got := statusOf(t, s, before); got != 401 {
			t.Errorf("token of the distrusted key = %d, want 401", got)
		}
		after := h.ask(t, s, c)
		if strings.Split(after, ".")[2] == strings.Split(before, ".")[2] || statusOf(t, s, after) != 200 {
			t.Error("no good token under a new key")
		}
	})
}
