package credential_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/password"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/secret"
)

// shelf keeps what the service stores and the events that came along. Methods
// that no test reaches are missing, and panic.
type shelf struct {
	credential.Store
	credential credential.Credential
	secrets    []credential.Secret
	oldExpires time.Time
	events     []audit.Event
}

func (s *shelf) CreateCredential(_ context.Context, c credential.Credential, l []credential.Secret, e audit.Event) (credential.Credential, []credential.Secret, error) {
	s.credential, s.secrets, s.events = c, l, append(s.events, e)
	s.credential.Number = 1001
	return s.credential, l, nil
}

func (s *shelf) AddSecret(_ context.Context, next credential.Secret, oldExpires time.Time, e audit.Event) (credential.Secret, int64, error) {
	s.secrets, s.oldExpires, s.events = append(s.secrets, next), oldExpires, append(s.events, e)
	return next, 7, nil
}

func (s *shelf) SetConstraints(_ context.Context, _ string, c credential.Constraints, e audit.Event) (int64, error) {
	s.credential.Constraints, s.events = c, append(s.events, e)
	return 8, nil
}

func (s *shelf) RevokeCredential(_ context.Context, _ string, e audit.Event) (int64, error) {
	s.events = append(s.events, e)
	return 9, nil
}

func (s *shelf) ReplaceCredential(_ context.Context, old string, ends time.Time, next credential.Credential, sec credential.Secret, e audit.Event) (credential.Credential, credential.Secret, int64, error) {
	s.credential, s.secrets, s.oldExpires, s.events = next, append(s.secrets, sec), ends, append(s.events, e)
	return next, sec, 10, nil
}

var (
	now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	ada = principal.Principal{ID: "usr_1", Tenant: "ten_1", Kind: principal.User, Name: "ada"}
	job = principal.Principal{ID: "cli_1", Tenant: "ten_1", Kind: principal.Client, Name: "job"}
	by  = audit.By{Actor: "usr_admin", Request: "req_1"}
)

func setup(t *testing.T) (*credential.Service, *shelf, *secret.Digester) {
	t.Helper()
	d, err := secret.NewDigester(secret.LookupKey{Version: 1, Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{}
	return &credential.Service{
		Store: s, Digester: d, Hasher: password.NewHasher(password.Options{}),
		Scribe: audit.Scribe{Node: "n1"}, Now: func() time.Time { return now },
	}, s, d
}

func TestCreateAPIKey(t *testing.T) {
	t.Parallel()
	svc, shelf, d := setup(t)
	out, err := svc.Create(t.Context(), by, job, credential.Spec{Kind: credential.APIKey, Comment: " nightly "})
	if err != nil {
		t.Fatal(err)
	}
	if !secret.WellFormed("ghk_", out.Text) || !d.Match(shelf.secrets[0].Hash, out.Text) {
		t.Error("the stored digest is not that of a well-formed key")
	}
	c := shelf.credential
	if c.Lookup != out.Text.Reveal()[:10] || c.Dialect != "gatehouse" || c.Comment != "nightly" || !c.Enabled || c.Principal != job.ID || c.CreatedBy != "usr_admin" || c.Tenant != job.Tenant {
		t.Errorf("stored %+v", c)
	}
	e := shelf.events[0]
	if e.Action != "credential.create" || e.Actor != "usr_admin" || e.Node != "n1" || e.Request != "req_1" || e.Target != c.ID || e.Tenant != "ten_1" {
		t.Errorf("event %+v", e)
	}
	for _, v := range e.Detail {
		if strings.Contains(out.Text.Reveal(), v) {
			t.Errorf("the event holds part of the secret: %q", v)
		}
	}
}

func TestCreatePair(t *testing.T) {
	t.Parallel()
	svc, shelf, d := setup(t)
	out, err := svc.Create(t.Context(), by, job, credential.Spec{Kind: credential.KeyPair, Dialect: "ayyeka"})
	if err != nil {
		t.Fatal(err)
	}
	if !secret.IsUpperHex(16, out.Credential.Lookup) || !secret.IsBase64(32, out.Text) {
		t.Errorf("key %q or its secret has another shape", out.Credential.Lookup)
	}
	if !d.Match(shelf.secrets[0].Hash, out.Text) || out.Credential.Number != 1001 {
		t.Error("not stored as issued")
	}
}

func TestCreatePassword(t *testing.T) {
	t.Parallel()
	svc, shelf, _ := setup(t)
	for name, given := range map[string]secret.Text{"made": {}, "chosen": secret.New("correct horse battery")} {
		out, err := svc.Create(t.Context(), by, ada, credential.Spec{Kind: credential.Password, Password: given})
		if err != nil {
			t.Fatal(err)
		}
		if shelf.credential.Lookup != "ada" || shelf.secrets[0].Scheme != credential.Hashed || out.Given != !given.Empty() {
			t.Errorf("%s: stored %+v", name, shelf.credential)
		}
		ok, err := password.NewHasher(password.Options{}).Verify(t.Context(), "", string(shelf.secrets[0].Hash), out.Text)
		if !ok || err != nil {
			t.Errorf("%s: the hash is not of the password: %v", name, err)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	pw := func(s string) credential.Spec {
		return credential.Spec{Kind: credential.Password, Password: secret.New(s)}
	}
	with := func(c credential.Constraints) credential.Spec {
		return credential.Spec{Kind: credential.APIKey, Constraints: c}
	}
	for name, c := range map[string]struct {
		spec  credential.Spec
		owner principal.Principal
		field string
	}{
		"no kind":              {credential.Spec{}, job, "kind"},
		"password of a client": {pw("correct horse battery"), job, "kind"},
		"short":                {pw("horse"), ada, "password"},
		"long":                 {pw(strings.Repeat("ab", 200)), ada, "password"},
		"the name":             {pw("i am Ada lovelace"), ada, "password"},
		"one character":        {pw(strings.Repeat("z", 20)), ada, "password"},
		"bad UTF-8":            {pw("correct horse \xff"), ada, "password"},
		"new line":             {pw("correct horse\nbattery"), ada, "password"},
		"chosen key":           {credential.Spec{Kind: credential.APIKey, Password: secret.New("correct horse battery")}, job, "password"},
		"unknown shape":        {credential.Spec{Kind: credential.KeyPair, Dialect: "nobody"}, job, "dialect"},
		"odd dialect":          {credential.Spec{Kind: credential.APIKey, Dialect: "a\x00"}, job, "dialect"},
		"comment":              {credential.Spec{Kind: credential.APIKey, Comment: "a\nb"}, job, "comment"},
		"past":                 {with(credential.Constraints{Expires: now}), job, "expires"},
		"never":                {with(credential.Constraints{NotBefore: now.Add(2 * time.Hour), Expires: now.Add(time.Hour)}), job, "expires"},
		"secret in the past":   {credential.Spec{Kind: credential.APIKey, SecretExpires: now.Add(-1)}, job, "secret_expires"},
		"no network":           {with(credential.Constraints{Networks: []netip.Prefix{{}}}), job, "networks"},
		"mapped network":       {with(credential.Constraints{Networks: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}}), job, "networks"},
		"too many networks":    {with(credential.Constraints{Networks: make([]netip.Prefix, 65)}), job, "networks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, shelf, _ := setup(t)
			_, err := svc.Create(t.Context(), by, c.owner, c.spec)
			var f *field.Error
			if !errors.As(err, &f) || f.Field != c.field {
				t.Fatalf("error = %v, want one about %q", err, c.field)
			}
			if !c.spec.Password.Empty() && strings.Contains(err.Error(), c.spec.Password.Reveal()) {
				t.Error("the error shows the password")
			}
			if shelf.events != nil {
				t.Error("something was stored")
			}
		})
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	svc, shelf, d := setup(t)
	first, err := svc.Create(t.Context(), by, job, credential.Spec{Kind: credential.KeyPair, Dialect: "ayyeka"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := svc.Rotate(t.Context(), by, first.Credential, time.Hour, secret.Text{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Credential.Lookup != first.Credential.Lookup || out.Text.Equal(first.Text) || out.Change != 7 {
		t.Errorf("rotated to %+v", out)
	}
	if !shelf.oldExpires.Equal(now.Add(time.Hour)) || !d.Match(shelf.secrets[1].Hash, out.Text) {
		t.Errorf("the old one ends at %v", shelf.oldExpires)
	}

	revoked := first.Credential
	revoked.Revoked = now
	if _, err := svc.Rotate(t.Context(), by, revoked, 0, secret.Text{}); !errors.Is(err, credential.ErrRevoked) {
		t.Errorf("rotating a revoked credential: %v", err)
	}
	if err := svc.Enable(t.Context(), by, revoked); !errors.Is(err, credential.ErrRevoked) {
		t.Errorf("enabling a revoked credential: %v", err)
	}
	for name, err := range map[string]error{
		"overlap": second(svc.Rotate(t.Context(), by, first.Credential, -1, secret.Text{})),
		"long":    second(svc.Rotate(t.Context(), by, first.Credential, 91*24*time.Hour, secret.Text{})),
		"chosen":  second(svc.Rotate(t.Context(), by, first.Credential, 0, secret.New("correct horse battery"))),
	} {
		if len(field.Errors(err)) != 1 {
			t.Errorf("%s: error = %v, want one about a field", name, err)
		}
	}
}

func second[A any](_ A, err error) error { return err }

func TestConstraintsAreNormalised(t *testing.T) {
	t.Parallel()
	svc, shelf, _ := setup(t)
	_, err := svc.SetConstraints(t.Context(), by, credential.Credential{ID: "cre_1"}, credential.Constraints{
		Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24"), netip.MustParsePrefix("10.0.0.1/8"), netip.MustParsePrefix("10.2.0.1/8")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24")}
	if got := shelf.credential.Networks; !slices.Equal(got, want) {
		t.Errorf("networks = %v, want %v", got, want)
	}
}

func TestRevokeSaysWho(t *testing.T) {
	t.Parallel()
	svc, shelf, _ := setup(t)
	change, err := svc.Revoke(t.Context(), audit.By{Actor: "local"}, credential.Credential{ID: "cre_1", Tenant: "ten_1"})
	if err != nil || change != 9 {
		t.Fatal(change, err)
	}
	if e := shelf.events[0]; e.Action != "credential.revoke" || e.Actor != "local" || e.Target != "cre_1" || e.Tenant != "ten_1" || e.Outcome != audit.OK {
		t.Errorf("event %+v", e)
	}
}
