package gateway

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/token"
)

// counting signs with a number, and says that its key was never taken away.
type counting struct{ n int }

func (c *counting) Sign(_ context.Context, _ string, s token.Signing) (secret.Text, string, error) {
	c.n++
	return secret.New(fmt.Sprint(c.n, " ", string(s.Claims))), "key", nil
}

func (c *counting) Position() revocation.Position                        { return revocation.Position{} }
func (c *counting) Intact([]revocation.Ground, revocation.Position) bool { return true }

func TestStatements(t *testing.T) {
	t.Parallel()
	signer := &counting{}
	now := time.Unix(1_700_000_000, 0)
	s := &statements{signer: signer, log: signer, issuer: "https://gate.example", now: func() time.Time { return now }}
	ada := &identity.Identity{Principal: "usr_ada", Name: "ada", Notes: new(identity.Notes)}
	step := func(what string, id *identity.Identity, audience string, signed int) {
		t.Helper()
		text, err := s.about(t.Context(), id, audience)
		if err != nil || len(text) != 1 {
			t.Fatal(what, text, err)
		}
		if signer.n != signed {
			t.Errorf("%s: %d statements were signed, want %d", what, signer.n, signed)
		}
	}
	step("the first", ada, "a", 1)
	step("the same", ada, "a", 1)
	step("for another audience", ada, "b", 2)
	step("the first again", ada, "a", 2)

	// Somebody who was made from ada brings what was noted about her.
	bob := *ada
	bob.Principal = "usr_bob"
	known := ada.StatementNote().Load()
	step("about a copy", &bob, "a", 3)
	step("about the copy again", &bob, "a", 3)
	ada.StatementNote().Keep(known) // which the copy has taken the place of
	step("the first after that", ada, "a", 3)

	now = now.Add(reuse - time.Millisecond)
	step("before its time", ada, "a", 3)
	now = now.Add(time.Millisecond)
	step("after its time", ada, "a", 4)
	if st := ada.StatementNote().Load().(*statement); st.next != nil {
		t.Errorf("the one for %s is kept after its time", st.next.audience)
	}
	for i := range 3 * maxAudiences {
		step("for many", ada, fmt.Sprint("audience ", i), 5+i)
	}
	kept := 0
	for st := ada.StatementNote().Load().(*statement); st != nil; st = st.next {
		kept++
	}
	if kept != maxAudiences {
		t.Errorf("%d are kept, want %d", kept, maxAudiences)
	}
}
