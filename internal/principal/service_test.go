package principal_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/field"
	"gatehouse.dev/internal/principal"
)

// shelf keeps what the service stores. Methods that no test reaches are
// missing, and panic.
type shelf struct {
	principal.Store
	stored principal.Principal
	role   string
	before time.Time
	events []audit.Event
}

func (s *shelf) CreatePrincipal(_ context.Context, p principal.Principal, e audit.Event) (principal.Principal, error) {
	s.stored, s.events = p, append(s.events, e)
	p.Number = 1001
	return p, nil
}

func (s *shelf) GrantRole(_ context.Context, _, role string, e audit.Event) (int64, error) {
	s.role, s.events = role, append(s.events, e)
	return 3, nil
}

func (s *shelf) EndTokensBefore(_ context.Context, _ string, at time.Time, e audit.Event) (int64, error) {
	s.before, s.events = at, append(s.events, e)
	return 4, nil
}

type roleList map[string]bool

func (l roleList) KnownRole(_ context.Context, _, role string) (bool, error) { return l[role], nil }

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func setup() (*principal.Service, *shelf) {
	s := &shelf{}
	return &principal.Service{
		Store: s, Roles: roleList{"a": true, "b": true}, Now: func() time.Time { return now },
	}, s
}

var by = audit.By{Actor: "usr_admin"}

func TestNormaliseName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind     principal.Kind
		in, want string
	}{
		{principal.User, " Ada ", "ada"},
		{principal.User, "ADA@Example.ORG", "ada@example.org"},
		{principal.User, "É\u0301e\u0301", "é\u0301é"},
		{principal.User, "İ", "i"},
		{principal.Client, " Nightly Job ", "Nightly Job"},
	} {
		got, err := principal.NormaliseName(c.kind, c.in)
		if err != nil || got != c.want {
			t.Errorf("%s %q: %q, %v; want %q", c.kind, c.in, got, err, c.want)
		}
		if again, err := principal.NormaliseName(c.kind, got); err != nil || again != got {
			t.Errorf("%q is not stable: %q, %v", got, again, err)
		}
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	svc, shelf := setup()
	p, err := svc.Create(t.Context(), by, principal.Principal{
		Tenant: "ten_1", Kind: principal.User, Name: "Ada", DisplayName: " Ada L. ", Roles: []string{"b", "a", "b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := principal.Principal{
		ID: p.ID, Tenant: "ten_1", Kind: principal.User, Name: "ada", DisplayName: "Ada L.",
		Enabled: true, Roles: []string{"a", "b"}, Created: now,
	}
	if diff := cmp.Diff(want, shelf.stored); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(p.ID, "usr_") || p.Number != 1001 {
		t.Errorf("created %+v", p)
	}
	if e := shelf.events[0]; e.Action != "principal.create" || e.Actor != "usr_admin" || e.Target != p.ID || e.Tenant != "ten_1" {
		t.Errorf("event %+v", e)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	good := principal.Principal{Tenant: "ten_1", Kind: principal.User, Name: "ada"}
	for name, c := range map[string]struct {
		edit   func(*principal.Principal)
		fields string
	}{
		"kind":         {func(p *principal.Principal) { p.Kind = "king" }, "kind"},
		"name":         {func(p *principal.Principal) { p.Name = "a\x00" }, "name"},
		"no name":      {func(p *principal.Principal) { p.Name = " " }, "name"},
		"unknown role": {func(p *principal.Principal) { p.Roles = []string{"z"} }, "role"},
		"many roles":   {func(p *principal.Principal) { p.Roles = make([]string, 101) }, "roles"},
		"window":       {func(p *principal.Principal) { p.ReuseWindow = 2 * time.Hour }, "reuse_window"},
		"several":      {func(p *principal.Principal) { p.Name, p.Comment, p.DisplayName = "", "a\nb", "\xff" }, "name display_name comment"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc, shelf := setup()
			p := good
			c.edit(&p)
			_, err := svc.Create(t.Context(), by, p)
			var got []string
			for _, f := range field.Errors(err) {
				got = append(got, f.Field)
			}
			if strings.Join(got, " ") != c.fields {
				t.Errorf("error = %v about %v, want %s", err, got, c.fields)
			}
			if shelf.events != nil {
				t.Error("something was stored")
			}
		})
	}
}

func TestGrantRole(t *testing.T) {
	t.Parallel()
	svc, shelf := setup()
	p := principal.Principal{ID: "usr_1", Tenant: "ten_1"}
	if change, err := svc.GrantRole(t.Context(), by, p, "a"); err != nil || change != 3 || shelf.role != "a" {
		t.Errorf("grant: %d, %v, stored %q", change, err, shelf.role)
	}
	if e := shelf.events[0]; e.Action != "role.grant" || e.Detail["role"] != "a" || e.Target != "usr_1" {
		t.Errorf("event %+v", e)
	}
	if _, err := svc.GrantRole(t.Context(), by, p, "z"); len(field.Errors(err)) != 1 {
		t.Errorf("an unknown role: %v", err)
	}
	p.Roles = make([]string, 100)
	if _, err := svc.GrantRole(t.Context(), by, p, "b"); len(field.Errors(err)) != 1 {
		t.Errorf("one role too many: %v", err)
	}
}

func TestEndTokens(t *testing.T) {
	t.Parallel()
	svc, shelf := setup()
	change, err := svc.EndTokens(t.Context(), by, principal.Principal{ID: "cli_1", Tenant: "ten_1"})
	if err != nil || change != 4 || !shelf.before.Equal(now) || shelf.events[0].Action != "principal.end_tokens" {
		t.Errorf("%d, %v, before %v", change, err, shelf.before)
	}
}

func TestStoreErrorsKeepTheirKind(t *testing.T) {
	t.Parallel()
	svc := &principal.Service{Store: failing{}, Roles: roleList{}}
	_, err := svc.Create(t.Context(), by, principal.Principal{Kind: principal.Client, Name: "x"})
	if !errors.Is(err, principal.ErrExists) {
		t.Errorf("error = %v, want ErrExists inside", err)
	}
}

type failing struct{ principal.Store }

func (failing) CreatePrincipal(context.Context, principal.Principal, audit.Event) (principal.Principal, error) {
	return principal.Principal{}, principal.ErrExists
}

func FuzzNormaliseName(f *testing.F) {
	f.Add("Ada")
	f.Add("İ\u0307")
	f.Fuzz(func(t *testing.T, s string) {
		for _, k := range []principal.Kind{principal.User, principal.Client} {
			got, err := principal.NormaliseName(k, s)
			if err != nil {
				continue
			}
			if again, err := principal.NormaliseName(k, got); err == nil && again != got {
				t.Errorf("%s: %q becomes %q, and that %q", k, s, got, again)
			}
		}
	})
}
