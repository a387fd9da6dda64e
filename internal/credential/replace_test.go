package credential_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/field"
)

func TestReplace(t *testing.T) {
	t.Parallel()
	svc, shelf, d := setup(t)
	old, err := svc.Create(t.Context(), by, job, credential.Spec{Kind: credential.KeyPair, Dialect: "ayyeka"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := svc.Replace(t.Context(), by, old.Credential, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credential
	if c.ID == old.Credential.ID || c.Lookup == old.Credential.Lookup || out.Text.Equal(old.Text) {
		t.Error("something of the old pair is in use")
	}
	if c.Kind != credential.KeyPair || c.Dialect != "ayyeka" || c.Principal != job.ID || c.CreatedBy != "usr_admin" || out.Change != 10 {
		t.Errorf("made %+v", c)
	}
	if !d.Match(shelf.secrets[len(shelf.secrets)-1].Hash, out.Text) || !shelf.oldExpires.Equal(now.Add(time.Hour)) {
		t.Errorf("the secret is not stored as issued, or the old one ends %v", shelf.oldExpires)
	}
	e := shelf.events[len(shelf.events)-1]
	if e.Action != "credential.replace" || e.Target != old.Credential.ID || e.Detail["next"] != c.ID || e.Detail["overlap"] != "1h0m0s" {
		t.Errorf("event %+v", e)
	}
	if _, err := svc.Replace(t.Context(), by, old.Credential, 0); err != nil || !shelf.oldExpires.IsZero() {
		t.Errorf("without overlap it ends %v, %v", shelf.oldExpires, err)
	}

	for name, c := range map[string]credential.Credential{
		"password": {Kind: credential.Password}, "token": {Kind: credential.ScopedToken},
		"over": {Kind: credential.APIKey, Constraints: credential.Constraints{Expires: now}},
	} {
		if _, err := svc.Replace(t.Context(), by, c, 0); len(field.Errors(err)) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := svc.Replace(t.Context(), by, credential.Credential{Kind: credential.APIKey, Revoked: now}, 0); !errors.Is(err, credential.ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
	if _, err := svc.Replace(t.Context(), by, old.Credential, credential.MaxOverlap+1); len(field.Errors(err)) != 1 {
		t.Errorf("overlap: %v", err)
	}
}

func TestUsersAreNormalised(t *testing.T) {
	t.Parallel()
	check := func(users ...string) ([]string, error) {
		c, err := credential.CheckConstraints(credential.Constraints{Users: users}, now)
		return c.Users, err
	}
	got, err := check(" wall board", "Ann", "ANN", "ann")
	if err != nil || !slices.Equal(got, []string{"Ann", "wall board"}) {
		t.Errorf("%q, %v", got, err)
	}
	for name, users := range map[string][]string{
		"empty": {""}, "blank": {" "}, "line": {"a\nb"}, "long": {strings.Repeat("x", 129)}, "many": make([]string, 65),
	} {
		if _, err := check(users...); len(field.Errors(err)) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
