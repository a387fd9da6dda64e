package token_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/token"
)

// windowed is a request of a client with a re-use window.
func windowed(n *node) token.Request {
	r := ask(n)
	r.Window = 10 * time.Minute
	r.Grounds = []revocation.Ground{{Kind: revocation.Secret, ID: "sec_1"}, {Kind: revocation.Principal, ID: "cli_1"}}
	return r
}

// mark gives every token a jti, so that two are the same only when one is the
// other.
func mark(r token.Request) token.Request {
	claims := r.Claims
	var mu sync.Mutex
	n := 0
	r.Claims = func(issued, expires time.Time) []token.Claim {
		mu.Lock()
		defer mu.Unlock()
		n++
		return append(claims(issued, expires), token.Claim{Name: "jti", Value: n})
	}
	return r
}

func TestNoReuseByDefault(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	r := mark(ask(n))
	a, b := n.issue(t, r), n.issue(t, r)
	if a.Token.Equal(b.Token) || b.Again {
		t.Error("the same token was given twice")
	}
	if a.Remains != time.Hour || !a.Expires.Equal(a.IssuedAt.Add(time.Hour)) {
		t.Errorf("remains %v, from %v to %v", a.Remains, a.IssuedAt, a.Expires)
	}
}

func TestReuse(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	r := mark(windowed(n))
	first := n.issue(t, r)
	n.pass(90 * time.Second)
	second := n.issue(t, r)
	if !second.Again || !second.Token.Equal(first.Token) {
		t.Fatal("another token inside the window")
	}
	if left := time.Hour - second.Remains; left < 90*time.Second || left > 2*time.Minute {
		t.Errorf("remains %v after 90 s", second.Remains)
	}
	n.pass(9 * time.Minute)
	if third := n.issue(t, r); third.Again || third.Token.Equal(first.Token) {
		t.Error("the same token after the window")
	}
}

func TestReuseEndsWithTheToken(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	r := mark(windowed(n))
	r.Window = 24 * time.Hour
	first := n.issue(t, r)
	n.pass(time.Hour)
	if second := n.issue(t, r); second.Token.Equal(first.Token) || second.Remains != time.Hour {
		t.Errorf("an expired token was given again, remains %v", second.Remains)
	}
}

func TestReuseTellsRequestsApart(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	r := mark(windowed(n))
	first := n.issue(t, r)
	for name, change := range map[string]func(*token.Ask){
		"client":    func(a *token.Ask) { a.Client = "cli_2" },
		"secret":    func(a *token.Ask) { a.Secret = "sec_2" },
		"scope":     func(a *token.Ask) { a.Scope = "read" },
		"audience":  func(a *token.Ask) { a.Audience = "https://x.example" },
		"proof key": func(a *token.Ask) { a.ProofKey = "thumb" },
		"tenant":    func(a *token.Ask) { a.Tenant = n.other.ID },
	} {
		other := r
		change(&other.Ask)
		if got := n.issue(t, other); got.Again || got.Token.Equal(first.Token) {
			t.Errorf("another %s gets the same token", name)
		}
	}
	if again := n.issue(t, r); !again.Again {
		t.Error("the first request is forgotten")
	}
}

// What rests on anything taken away is not given again, by whatever way it was
// taken.
func TestReuseNeverAfterRevocation(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]func(*testing.T, *node, token.Issued) int64{
		"secret": func(t *testing.T, n *node, _ token.Issued) int64 {
			return revokeGround(t, n, revocation.Ground{Kind: revocation.Secret, ID: "sec_1"})
		},
		"client": func(t *testing.T, n *node, _ token.Issued) int64 {
			return revokeGround(t, n, revocation.Ground{Kind: revocation.Principal, ID: "cli_1"})
		},
		"token": func(t *testing.T, n *node, out token.Issued) int64 {
			change, err := n.house.store.RevokeToken(t.Context(),
				token.RevokedToken{Hash: out.Hash, Tenant: n.tenant.ID, Expires: out.Expires}, event("token.revoke"))
			if err != nil {
				t.Fatal(err)
			}
			return change
		},
		"signing key": func(t *testing.T, n *node, out token.Issued) int64 {
			change, err := n.keys.Distrust(t.Context(), n.tenant.ID, out.SigningKey, event("signing_key.distrust"))
			if err != nil {
				t.Fatal(err)
			}
			return change
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newHouse(t).newNode(t, token.KeysOptions{})
			r := mark(windowed(n))
			first := n.issue(t, r)
			n.applied(t, revoke(t, n, first))
			if second := n.issue(t, r); second.Again || second.Token.Equal(first.Token) {
				t.Error("the remembered token was given")
			}
		})
	}
}

func revokeGround(t *testing.T, n *node, g revocation.Ground) int64 {
	t.Helper()
	change, err := n.house.store.Revoke(t.Context(), revocation.Entry{Effect: revocation.End, Grounds: []revocation.Ground{g}, Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return change
}

func TestNotBefore(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	r := mark(windowed(n))
	first := n.issue(t, r)
	r.NotBefore = first.IssuedAt.Add(300 * time.Millisecond) // in the same second
	second := n.issue(t, r)
	if second.Again || second.IssuedAt.Before(r.NotBefore) {
		t.Errorf("issued at %v, again %v; want a new one after %v", second.IssuedAt, second.Again, r.NotBefore)
	}
	if err := n.verify(t, plain(n), second.Token); err != nil {
		t.Errorf("a token dated by the end of the others: %v", err)
	}
}

// Twenty who ask the same at the same moment share one token.
func TestReuseAtOnce(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	r := mark(windowed(n))
	var wg sync.WaitGroup
	got := make([]token.Issued, 20)
	for i := range got {
		wg.Go(func() {
			out, err := n.issuer.Issue(t.Context(), r)
			if err != nil {
				t.Error(err)
			}
			got[i] = out
		})
	}
	wg.Wait()
	for i := range got {
		if !got[i].Token.Equal(got[0].Token) {
			t.Fatalf("request %d got another token", i)
		}
	}
}

func TestIssueFailsWithTheStore(t *testing.T) {
	t.Parallel()
	n := newHouse(t).newNode(t, token.KeysOptions{})
	n.store.down.Store(true)
	if _, err := n.issuer.Issue(t.Context(), ask(n)); !errors.Is(err, errDown) {
		t.Errorf("error = %v", err)
	}
}
