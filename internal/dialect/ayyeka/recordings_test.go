package ayyeka_test

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/dialect/ayyeka"
	"gatehouse.dev/internal/dialect/dialecttest"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
	"gatehouse.dev/internal/token"
)

// TestRecordings replays testdata against the whole house. Each recording has
// callers and an address of its own, since some of them use theirs up.
func TestRecordings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	last := 0
	// A group, so that the house stands until all recordings have ended.
	t.Run("replay", func(t *testing.T) {
		dialecttest.Run(t, "testdata/*.txt", func(t *testing.T) dialecttest.Target {
			last++
			return h.target(t, fmt.Sprintf("192.0.2.%d", last))
		})
	})
}

// target opens an address for one recording and makes what it names.
func (h *house) target(t *testing.T, source string) dialecttest.Target {
	t.Helper()
	s := h.open(t, source, ayyeka.Config{})
	admin := h.newCaller(t, tenant.Default, credential.Spec{}, ayyeka.Administrator)
	vars := map[string]string{
		"host": "restapi.example", "key": admin.key(), "secret": admin.secret(),
		"tenant_number":    strconv.FormatInt(h.tenants[tenant.Default].Number, 10),
		"principal_number": strconv.FormatInt(admin.Number, 10),
		"secret_number":    strconv.FormatInt(admin.Secret.Number, 10),
	}
	pair := func(name string, c caller) {
		vars[name+"_key"], vars[name+"_secret"] = c.key(), c.secret()
	}
	pair("plus", h.withSecret(t, "abc+def/ghi+jkl=", ayyeka.Operator))
	pair("percent", h.withSecret(t, "100%25+percent%", ayyeka.Operator))
	pair("expired", h.expiredCaller(t))
	disabled := h.newCaller(t, tenant.Default, credential.Spec{}, ayyeka.Operator)
	pair("disabled", disabled)
	change, err := h.creds.Disable(t.Context(), audit.By{}, disabled.Credential)
	if err := h.settled(t.Context(), change, err); err != nil {
		t.Fatal(err)
	}

	callers := map[string]caller{}
	for name, roles := range map[string][]string{
		"no_access": {ayyeka.NoAccess}, "operator": {ayyeka.Operator}, "analyst": {ayyeka.Analyst}, "engineer": {ayyeka.Engineer},
		"administrator": {ayyeka.Administrator}, "owner": {ayyeka.Owner}, "nobody": nil,
		"organization_12": {ayyeka.Operator + "@Organization:12"},
	} {
		callers[name] = h.newCaller(t, tenant.Default, credential.Spec{}, roles...)
		vars[name] = h.tokenFor(t, callers[name], tenant.Default)
	}
	vars["operator_2"] = h.mint(t, callers["operator"], tenant.Default, time.Now().Add(-5*time.Second)).Reveal()
	vars["foreign"] = h.tokenFor(t, h.newCaller(t, "other", credential.Spec{}, ayyeka.Owner), "other")
	h.badTokens(t, vars, callers["owner"])
	return dialecttest.Target{Addr: s.addr, Vars: vars, Do: h.deeds(s, vars, callers)}
}

// withSecret makes a caller whose secret is what somebody brought along from
// elsewhere.
func (h *house) withSecret(t *testing.T, text string, roles ...string) caller {
	t.Helper()
	c := h.newCaller(t, tenant.Default, credential.Spec{}, roles...)
	next := credential.Secret{ID: c.Secret.ID + "0", Credential: c.Credential.ID, Scheme: credential.Digest,
		Hash: h.creds.Digester.Digest(secret.New(text)), Created: time.Now()}
	if _, _, err := h.store.AddSecret(t.Context(), next, time.Time{}, audit.Event{Actor: "test", Action: "credential.rotate"}); err != nil {
		t.Fatal(err)
	}
	c.Text = secret.New(text)
	return c
}

// expiredCaller makes one whose secret had its last day.
func (h *house) expiredCaller(t *testing.T) caller {
	t.Helper()
	earlier := *h.creds
	earlier.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	c := h.newCaller(t, tenant.Default, credential.Spec{}, ayyeka.Operator)
	issued, err := earlier.Create(t.Context(), audit.By{}, c.Principal, credential.Spec{
		Kind: credential.KeyPair, Dialect: ayyeka.Name, SecretExpires: time.Now().Add(-time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	return caller{c.Principal, issued}
}

// tokenFor gets a token past the wire.
func (h *house) tokenFor(t testing.TB, c caller, tenantName string) string {
	t.Helper()
	return h.mint(t, c, tenantName, time.Now()).Reveal()
}

// mint signs a token for c as the dialect does, at any time.
func (h *house) mint(t testing.TB, c caller, tenantName string, at time.Time) secret.Text {
	t.Helper()
	at = at.Truncate(time.Second)
	claims := fmt.Sprintf(`{"aud":"%d","exp":%d,"iat":%d,"iss":"Cloud","sub":"%d:%d"}`,
		h.tenants[tenantName].Number, at.Add(time.Hour).Unix(), at.Unix(), c.Number, c.Secret.Number)
	text, _, err := h.keys.Sign(t.Context(), h.tenants[tenantName].ID,
		token.Signing{Use: ayyeka.Name, Alg: token.RS384, Claims: []byte(claims), Expires: at.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// badTokens adds tokens of c that must not be believed, each with the claims of
// a good one.
func (h *house) badTokens(t *testing.T, vars map[string]string, c caller) {
	t.Helper()
	vars["expired"] = h.mint(t, c, tenant.Default, time.Now().Add(-2*time.Hour)).Reveal()
	header, rest, _ := strings.Cut(vars["owner"], ".")
	payload, signature, _ := strings.Cut(rest, ".")
	enc := base64.RawURLEncoding

	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha512.Sum384([]byte(header + "." + payload))
	forged, err := rsa.SignPKCS1v15(nil, other, crypto.SHA384, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	vars["forged"] = header + "." + payload + "." + enc.EncodeToString(forged)

	none := enc.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	vars["unsigned"] = none + "." + payload + "." + signature

	// The public key, as it is published, taken for the secret of an HMAC.
	document, err := h.keys.JWKS(t.Context(), h.tenants[tenant.Default].ID)
	if err != nil {
		t.Fatal(err)
	}
	symmetric := enc.EncodeToString([]byte(`{"alg":"HS384","typ":"JWT"}`))
	mac := hmac.New(sha512.New384, document)
	mac.Write([]byte(symmetric + "." + payload))
	vars["confused"] = symmetric + "." + payload + "." + enc.EncodeToString(mac.Sum(nil))

	injected := enc.EncodeToString([]byte(`{"alg":"RS384","typ":"JWT","kid":"../../../../dev/null"}`))
	vars["injected"] = injected + "." + payload + "." + signature
}

// deeds are what recordings may do.
func (h *house) deeds(s site, vars map[string]string, callers map[string]caller) map[string]func(context.Context, ...string) error {
	onCaller := func(f func(context.Context, caller) (int64, error)) func(context.Context, ...string) error {
		return func(ctx context.Context, args ...string) error {
			c, known := callers[args[0]]
			if !known {
				return fmt.Errorf("no caller %q", args[0])
			}
			change, err := f(ctx, c)
			return h.settled(ctx, change, err)
		}
	}
	return map[string]func(context.Context, ...string) error{
		"claims": func(_ context.Context, args ...string) error { return checkClaims(args) },
		"differ": func(_ context.Context, args ...string) error {
			if args[0] == args[1] {
				return errors.New("they are the same")
			}
			return nil
		},
		// The claims have whole seconds and nothing random, so two tokens of one
		// second are one.
		"tick": func(context.Context, ...string) error {
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
			return nil
		},
		"fail-often": func(ctx context.Context, args ...string) error { return failOften(ctx, s, args[0]) },
		"revoke-token": func(ctx context.Context, args ...string) error {
			change, err := h.store.RevokeToken(ctx, token.RevokedToken{
				Hash: token.Hash(secret.New(args[0])), Tenant: h.tenants[tenant.Default].ID, Expires: time.Now().Add(time.Hour),
			}, audit.Event{Actor: "test", Action: "token.revoke"})
			return h.settled(ctx, change, err)
		},
		"end-tokens": func(ctx context.Context, args ...string) error { return h.endTokens(ctx, callers[args[0]]) },
		"revoke-secret": onCaller(func(ctx context.Context, c caller) (int64, error) {
			return h.creds.RevokeSecret(ctx, audit.By{}, c.Credential, c.Secret.ID)
		}),
		"revoke-credential": onCaller(func(ctx context.Context, c caller) (int64, error) {
			return h.creds.Revoke(ctx, audit.By{}, c.Credential)
		}),
		"disable": onCaller(func(ctx context.Context, c caller) (int64, error) {
			return h.principals.Disable(ctx, audit.By{}, c.Principal)
		}),
		"remove-role": onCaller(func(ctx context.Context, c caller) (int64, error) {
			return h.principals.RemoveRole(ctx, audit.By{}, c.Principal, c.Roles[0])
		}),
	}
}

// endTokens ends all tokens of c so far.
func (h *house) endTokens(ctx context.Context, c caller) error {
	change, err := h.principals.EndTokens(ctx, audit.By{}, c.Principal)
	return h.settled(ctx, change, err)
}

// checkClaims looks into a token: token, aud, iss, sub, lifetime. It compares
// text, so that the order and the types of the claims count.
func checkClaims(args []string) error {
	parts := strings.Split(args[0], ".")
	header, err1 := base64.RawURLEncoding.DecodeString(parts[0])
	payload, err2 := base64.RawURLEncoding.DecodeString(parts[1])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if want := `{"alg":"RS384","typ":"JWT"}`; string(header) != want {
		return fmt.Errorf("header is %s, want %s", header, want)
	}
	var times struct{ Exp, Iat int64 }
	if err := json.Unmarshal(payload, &times); err != nil {
		return err
	}
	if life := strconv.FormatInt(times.Exp-times.Iat, 10); life != args[4] {
		return fmt.Errorf("it lives %s seconds, want %s", life, args[4])
	}
	if age := time.Since(time.Unix(times.Iat, 0)); age < 0 || age > time.Minute {
		return fmt.Errorf("it was issued %v ago", age)
	}
	want := fmt.Sprintf(`{"aud":"%s","exp":%d,"iat":%d,"iss":"%s","sub":"%s"}`, args[1], times.Exp, times.Iat, args[2], args[3])
	if string(payload) != want {
		return fmt.Errorf("claims are %s, want %s", payload, want)
	}
	return nil
}

// failOften shows a wrong secret until the token service has enough of it.
func failOften(ctx context.Context, s site, key string) error {
	for range 100 {
		r, err := http.NewRequestWithContext(ctx, "POST", s.base+"/auth/token", strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			return err
		}
		r.SetBasicAuth(key, "wrong")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		res.Body.Close()
		if res.StatusCode == 429 {
			return nil
		}
	}
	return fmt.Errorf("a hundred failures are not too many")
}
