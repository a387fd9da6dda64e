package grant_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/grant"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/store"
	"gatehouse.dev/internal/store/sqlite"
)

type fixture struct {
	*grant.Service
	store  *store.Store
	tenant string
	dir    string
	grant  grant.Grant
	first  secret.Text
	by     grant.Presenter
}

// setup opens one family of a client with a proof key, on a real database.
// Windows are by that database's clock, so tests shorten them.
func setup(t *testing.T, window time.Duration) *fixture {
	t.Helper()
	f := &fixture{dir: t.TempDir()}
	engine, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(f.dir, "gatehouse.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	if err := engine.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.store = store.New(engine)
	ten, err := f.store.EnsureTenant(t.Context(), "default", event("tenant.create"))
	if err != nil {
		t.Fatal(err)
	}
	f.tenant = ten.ID
	d, err := secret.NewDigester(secret.LookupKey{Version: 1, Key: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	if f.Service, err = grant.New(grant.Options{Store: f.store, Digester: d, Window: window}); err != nil {
		t.Fatal(err)
	}
	f.by = grant.Presenter{Client: "cli_1", Method: "key_pair", Credential: "cre_1", Secret: "sec_1", ProofKey: "thumb"}
	f.first, f.grant, err = f.Open(t.Context(), grant.Grant{
		Tenant: f.tenant, Principal: "usr_1", Client: "cli_1", ProofKey: "thumb", Scopes: []string{"read"},
		Expires: time.Now().Add(time.Hour), Idle: 10 * time.Minute,
	}, event("grant.open"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func event(action string) audit.Event { return audit.Event{Actor: "cli_1", Action: action} }

func (f *fixture) rotate(t *testing.T, text secret.Text) (grant.Refreshed, error) {
	t.Helper()
	return f.Rotate(t.Context(), f.tenant, text, f.by, event(""))
}

func (f *fixture) mustRotate(t *testing.T, text secret.Text) grant.Refreshed {
	t.Helper()
	out, err := f.rotate(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wantReuse demands that the answer was "used again", that the family is over,
// and that the revocation log says so.
func (f *fixture) wantReuse(t *testing.T, err error) {
	t.Helper()
	var reused *grant.ReusedError
	if !errors.As(err, &reused) || !errors.Is(err, grant.ErrReused) || !grant.Invalid(err) {
		t.Fatalf("error = %v, want ReusedError", err)
	}
	if reused.Grant.ID != f.grant.ID || reused.Change == 0 {
		t.Errorf("reuse of %s took change %d, want %s and a number", reused.Grant.ID, reused.Change, f.grant.ID)
	}
	batch, err := f.store.RevocationsSince(t.Context(), reused.Change-1, 1)
	if err != nil || len(batch.Entries) != 1 || batch.Entries[0].Grounds[0] != (revocation.Ground{Kind: revocation.Grant, ID: f.grant.ID}) {
		t.Errorf("the log has %+v, %v", batch.Entries, err)
	}
	left, err := f.store.Grants(t.Context(), f.tenant, "usr_1", 10)
	if err != nil || len(left) != 0 {
		t.Errorf("families left: %+v, %v", left, err)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	f := setup(t, time.Minute)
	text := f.first
	for i := range 4 {
		out := f.mustRotate(t, text)
		if out.Repeat || out.Token.Equal(text) || !secret.WellFormed(grant.Prefix, out.Token) {
			t.Fatalf("rotation %d: repeat %v, same %v", i+1, out.Repeat, out.Token.Equal(text))
		}
		if out.Grant.ID != f.grant.ID || len(out.Grant.Scopes) != 1 {
			t.Errorf("grant = %+v", out.Grant)
		}
		text = out.Token
	}
}

func TestRepeatGivesTheSameSuccessor(t *testing.T) {
	t.Parallel()
	f := setup(t, time.Minute)
	first := f.mustRotate(t, f.first)
	again := f.mustRotate(t, f.first)
	if !again.Repeat || !again.Token.Equal(first.Token) {
		t.Errorf("repeat %v, same %v", again.Repeat, again.Token.Equal(first.Token))
	}
	f.mustRotate(t, again.Token)
}

// Twenty at once with one token get one successor, and the family lives on.
func TestRotateRace(t *testing.T) {
	t.Parallel()
	f := setup(t, time.Minute)
	var wg sync.WaitGroup
	got := make([]grant.Refreshed, 20)
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = f.Rotate(t.Context(), f.tenant, f.first, f.by, event("")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	fresh := 0
	for i := range got {
		if !got[i].Token.Equal(got[0].Token) {
			t.Fatalf("request %d got another successor", i)
		}
		if !got[i].Repeat {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("%d rotations, want 1", fresh)
	}
	f.mustRotate(t, got[0].Token)
}

func TestReuseAfterSuccessorWasUsed(t *testing.T) {
	t.Parallel()
	f := setup(t, time.Minute)
	second := f.mustRotate(t, f.first)
	third := f.mustRotate(t, second.Token)
	_, err := f.rotate(t, f.first) // well inside the window
	f.wantReuse(t, err)
	if _, err := f.rotate(t, third.Token); !errors.Is(err, grant.ErrEnded) || !grant.Invalid(err) {
		t.Errorf("the newest token: %v, want ErrEnded", err)
	}
	rows, err := f.store.Events(t.Context(), audit.Filter{Action: "grant.reuse"})
	if err != nil || len(rows) != 1 || rows[0].Target != f.grant.ID {
		t.Errorf("audit has %+v, %v", rows, err)
	}
}

func TestReuseAfterWindow(t *testing.T) {
	t.Parallel()
	f := setup(t, 50*time.Millisecond)
	f.mustRotate(t, f.first)
	time.Sleep(80 * time.Millisecond)
	_, err := f.rotate(t, f.first)
	f.wantReuse(t, err)
}

// Erased salts end the window whatever the clock says.
func TestReuseAfterSaltIsErased(t *testing.T) {
	t.Parallel()
	f := setup(t, time.Minute)
	f.mustRotate(t, f.first)
	time.Sleep(2 * time.Millisecond)
	if n, err := f.store.EraseSalts(t.Context(), time.Millisecond); err != nil || n != 1 {
		t.Fatalf("erased %d salts, %v; want 1", n, err)
	}
	_, err := f.rotate(t, f.first)
	f.wantReuse(t, err)
}

func TestRepeatNeedsTheSameAuthentication(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*grant.Presenter){
		"secret":     func(p *grant.Presenter) { p.Secret = "sec_2" },
		"credential": func(p *grant.Presenter) { p.Credential = "cre_2" },
		"method":     func(p *grant.Presenter) { p.Method = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, time.Minute)
			f.mustRotate(t, f.first)
			change(&f.by)
			_, err := f.rotate(t, f.first)
			f.wantReuse(t, err)
		})
	}
}

// Another secret of the same client may go on with the newest token.
func TestAnotherSecretMayRotate(t *testing.T) {
	t.Parallel()
	f := setup(t, time.Minute)
	second := f.mustRotate(t, f.first)
	f.by.Secret = "sec_2"
	f.mustRotate(t, second.Token)
}

func TestBinding(t *testing.T) {
	t.Parallel()
	f := setup(t, time.Minute)
	good := f.by
	for name, change := range map[string]func(*grant.Presenter){
		"client":       func(p *grant.Presenter) { p.Client = "cli_2" },
		"proof key":    func(p *grant.Presenter) { p.ProofKey = "other" },
		"no proof key": func(p *grant.Presenter) { p.ProofKey = "" },
	} {
		f.by = good
		change(&f.by)
		if _, err := f.rotate(t, f.first); !errors.Is(err, grant.ErrBinding) || !grant.Invalid(err) {
			t.Errorf("another %s: %v, want ErrBinding", name, err)
		}
	}
	f.by = good
	f.mustRotate(t, f.first) // nothing had changed
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t, time.Minute)
	for name, text := range map[string]secret.Text{
		"garbage": secret.New("x"), "never issued": secret.Generate(grant.Prefix), "another kind": secret.Generate("ght_"),
	} {
		if _, err := f.rotate(t, text); !errors.Is(err, grant.ErrUnknown) {
			t.Errorf("%s: %v, want ErrUnknown", name, err)
		}
	}
	if _, err := f.Rotate(t.Context(), "ten_other", f.first, f.by, event("")); !errors.Is(err, grant.ErrUnknown) {
		t.Errorf("another tenant: %v, want ErrUnknown", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Rotate(ctx, f.tenant, f.first, f.by, event("")); err == nil || grant.Invalid(err) {
		t.Errorf("ended context: %v, want no verdict", err)
	}
	if _, _, err := f.Open(t.Context(), grant.Grant{Tenant: f.tenant, Client: "c", Principal: "p"}, event("")); err == nil {
		t.Error("opened a family without end")
	}
}

func TestIdle(t *testing.T) {
	t.Parallel()
	f := setup(t, time.Minute)
	text, g, err := f.Open(t.Context(), grant.Grant{
		Tenant: f.tenant, Principal: "usr_1", Client: "cli_1", Expires: time.Now().Add(time.Hour), Idle: 30 * time.Millisecond,
	}, event("grant.open"))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if _, err := f.rotate(t, text); !errors.Is(err, grant.ErrEnded) {
		t.Errorf("family %s, idle too long: %v, want ErrEnded", g.ID, err)
	}
}

func TestEnd(t *testing.T) {
	t.Parallel()
	f := setup(t, time.Minute)
	change, err := f.End(t.Context(), f.grant.ID, "signed out", event("grant.end"))
	if err != nil || change == 0 {
		t.Fatal(change, err)
	}
	if again, err := f.End(t.Context(), f.grant.ID, "once more", event("grant.end")); err != nil || again != change {
		t.Errorf("again: %d, %v; want %d", again, err, change)
	}
	if _, err := f.rotate(t, f.first); !errors.Is(err, grant.ErrEnded) {
		t.Errorf("error = %v, want ErrEnded", err)
	}
	if _, err := f.End(t.Context(), "grt_none", "", event("grant.end")); !errors.Is(err, grant.ErrNotFound) {
		t.Errorf("no such family: %v", err)
	}
}

// The salt goes when the successor is first used, and the database never has a
// token in it.
func TestAtRest(t *testing.T) {
	t.Parallel()
	f := setup(t, time.Minute)
	second := f.mustRotate(t, f.first)
	salt := func(text secret.Text) int {
		d, _ := secret.NewDigester(secret.LookupKey{Version: 1, Key: bytes.Repeat([]byte{7}, 32)})
		d, _ = d.For("refresh token")
		row, _, err := f.store.RefreshByDigest(t.Context(), f.tenant, d.Candidates(text))
		if err != nil {
			t.Fatal(err)
		}
		return len(row.Salt)
	}
	if salt(f.first) == 0 {
		t.Error("the salt went before the successor was used")
	}
	third := f.mustRotate(t, second.Token)
	if salt(f.first) != 0 || salt(second.Token) == 0 {
		t.Error("the salt stayed after the successor was used")
	}
	files, err := filepath.Glob(filepath.Join(f.dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range []secret.Text{f.first, second.Token, third.Token} {
			if bytes.Contains(b, []byte(text.Reveal())) {
				t.Errorf("%s holds token %d", filepath.Base(name), i+1)
			}
		}
	}
}

func TestRunErasesSalts(t *testing.T) {
	t.Parallel()
	f := setup(t, 10*time.Millisecond)
	f.mustRotate(t, f.first)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { f.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		// Nothing is left to erase once Run has been there.
		if time.Now().After(deadline) {
			t.Fatal("the salt was not erased")
		}
		d, _ := secret.NewDigester(secret.LookupKey{Version: 1, Key: bytes.Repeat([]byte{7}, 32)})
		d, _ = d.For("refresh token")
		row, _, err := f.store.RefreshByDigest(t.Context(), f.tenant, d.Candidates(f.first))
		if err != nil {
			t.Fatal(err)
		}
		if len(row.Salt) == 0 {
			return
		}
	}
}
