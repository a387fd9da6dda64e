package authn_test

import (
	"context"
	"testing"
	"time"

	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/revocation"
)

// TestUsers: a credential that is bound to users is, for all others and where
// nobody says a user, as wrong as from another network.
func TestUsers(t *testing.T) {
	t.Parallel()
	h := build(t)
	rec, pair := h.pair()
	h.store.edit(func() { rec.Credential.Users = []string{"Wallboard", "façade"} })
	token := h.token(rec, time.Hour)
	for name, tt := range map[string]struct {
		user    string
		allowed bool
	}{
		"Same": {"Wallboard", true}, "OtherCase": {"wALLBOARD", true}, "OtherCaseBeyondASCII": {"FAÇADE", true},
		"Another": {"wallboard2", false}, "Beginning": {"wall", false}, "Nobody": {"", false}, "Blank": {"wallboard ", false},
	} {
		t.Run(name, func(t *testing.T) {
			for method, a := range map[string]authn.Attempt{"pair": pair, "token": token} {
				a.User = tt.user
				for what, call := range map[string]func(context.Context, authn.Attempt) (*identity.Identity, error){
					"login": h.Login, "check": h.Check, "check, remembered": h.Check,
				} {
					id, err := call(t.Context(), a)
					if tt.allowed && err != nil || !tt.allowed && kindOf(err) != authn.Invalid {
						t.Errorf("%s by %s: %v, want allowed %t", what, method, err, tt.allowed)
					}
					if err != nil {
						if e := h.diary.last(); e.Reason != "as another user" || e.Target != rec.Credential.ID {
							t.Errorf("recorded as %+v", e)
						}
						continue
					}
					if _, err := h.RenewAs(t.Context(), id, home, tt.user); err != nil {
						t.Errorf("not renewed as %q: %v", tt.user, err)
					}
					if _, err := h.RenewAs(t.Context(), id, home, "another"); kindOf(err) != authn.Invalid {
						t.Errorf("renewed as another: %v", err)
					}
					if _, err := h.Renew(t.Context(), id, home); kindOf(err) != authn.Invalid {
						t.Errorf("renewed as nobody: %v", err)
					}
				}
			}
		})
	}
}

// TestUsersOfMany: what one user is refused is not remembered against another
// who shows the same, and the other way round; and one look is as good as the
// other from outside.
func TestUsersOfMany(t *testing.T) {
	t.Parallel()
	h := build(t)
	rec, a := h.pair()
	h.store.edit(func() { rec.Credential.Users = []string{"a"} })
	a.Recent = true
	for range 3 {
		a.User = "b"
		_, err := h.Login(t.Context(), a)
		wrong := a
		wrong.Name = "nobody"
		_, unknown := h.Login(t.Context(), wrong)
		if kindOf(err) != authn.Invalid || kindOf(unknown) != authn.Invalid {
			t.Errorf("not allowed: %v; unknown: %v", err, unknown)
		}
		a.User = "a"
		if _, err := h.Login(t.Context(), a); err != nil {
			t.Error(err)
		}
	}
	n := h.store.change(revocation.Recheck, func() { rec.Credential.Users = []string{"b"} }, ground(revocation.Credential, rec.Credential.ID))
	h.tail.Await(t.Context(), n)
	if _, err := h.Login(t.Context(), a); kindOf(err) != authn.Invalid {
		t.Errorf("a, who is off the list: %v", err)
	}
	a.User = "b"
	if _, err := h.Login(t.Context(), a); err != nil {
		t.Errorf("b, who is on it: %v", err)
	}
}
