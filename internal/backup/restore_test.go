package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/backup"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/grant"
	"gatehouse.dev/internal/id"
	"gatehouse.dev/internal/principal"
	"gatehouse.dev/internal/revocation"
	"gatehouse.dev/internal/store/sqlite"
	"gatehouse.dev/internal/token"
)

// TestRestoreOver puts a backup over the database that went on after it, for
// each engine a backup can be made of and restored into.
func TestRestoreOver(t *testing.T) {
	t.Parallel()
	for engine, empty := range places {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := build(t, empty(t))
			w.backUp()
			w.revokeAll()
			w.changePolicy()
			w.close()

			report, err := w.restore(w.place, nil)
			if err != nil {
				t.Fatal(err)
			}
			if report.From != "database" || report.Incarnation != 2 || len(report.Lost) != 0 || report.Alive != nil {
				t.Errorf("report = %+v", report)
			}
			w.checkRevoked()
			w.checkErased()
			if set, err := w.store.PolicySet(t.Context(), w.home.ID); err != nil || set.Cedar != "// nothing" {
				t.Errorf("policies = %+v, %v", set, err)
			}
			if r := w.checkChain(); len(r.Restores) != 0 {
				t.Errorf("the chain was cut: %+v", r)
			}
			w.checkEnded(report)
			w.checkWorks()
		})
	}
}

// checkEnded looks whether what was issued before the restore is over.
func (w *world) checkEnded(r backup.Report) {
	w.t.Helper()
	p, err := w.store.Principal(w.t.Context(), w.who["untouched"].ID)
	if err != nil || p.NotBefore.Before(time.Now().Add(-time.Minute)) {
		w.t.Errorf("tokens from before live on: %+v, %v", p, err)
	}
	if !slices.ContainsFunc(r.Ended, func(c backup.Change) bool { return c.What == "principals whose tokens end" }) {
		w.t.Errorf("ended = %+v", r.Ended)
	}
}

// checkWorks uses the restored database: numbers go on, the log goes on.
func (w *world) checkWorks() {
	w.t.Helper()
	ctx := w.t.Context()
	before, err := w.store.RevocationsSince(ctx, 0, 0)
	w.must(err)
	n, err := w.store.RevokeCredential(ctx, w.cred["untouched"].ID, event("credential.revoke"))
	w.must(err)
	if n != before.Head+1 || before.Incarnation != 2 {
		w.t.Errorf("revocation %d after head %d of incarnation %d", n, before.Head, before.Incarnation)
	}
	p, err := w.store.CreatePrincipal(ctx, principal.Principal{
		ID: id.New("cli"), Tenant: w.home.ID, Kind: principal.Client, Name: "new", Enabled: true,
	}, event("principal.create"))
	w.must(err)
	if last := w.who[names[len(names)-1]].Number; p.Number <= last {
		w.t.Errorf("number %d was given before", p.Number)
	}
}

// TestRestoreOverKeepsNumbers: what was created after the backup is lost, but
// its numbers are not given again.
func TestRestoreOverKeepsNumbers(t *testing.T) {
	t.Parallel()
	w := build(t, places["SQLite"](t))
	w.backUp()
	w.add("lost")
	lost := w.sec["lost"].Number
	w.close()
	if _, err := w.restore(w.place, nil); err != nil {
		t.Fatal(err)
	}
	w.add("next")
	if got := w.sec["next"].Number; got <= lost {
		t.Errorf("secret number %d was given before (the last was %d)", got, lost)
	}
}

// TestRestoreFromJournal restores elsewhere, with what the journal knows.
func TestRestoreFromJournal(t *testing.T) {
	t.Parallel()
	for engine, empty := range places {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := build(t, places["SQLite"](t))
			w.backUp()
			w.revokeAll()
			w.close()
			report, err := w.restore(empty(t), withJournal(w.journalDir))
			if err != nil {
				t.Fatal(err)
			}
			if report.From != "journal" || len(report.Lost) != 0 || report.Until.IsZero() {
				t.Errorf("report = %+v", report)
			}
			w.checkRevoked()
			if r := w.checkChain(); len(r.Restores) != 1 {
				t.Errorf("the chain was not cut: %+v", r)
			}
			w.checkEnded(report)
			w.checkWorks()
		})
	}
	t.Run("KeepTokens", func(t *testing.T) {
		t.Parallel()
		w := build(t, places["SQLite"](t))
		w.backUp()
		w.revokeAll()
		w.close()
		_, err := w.restore(places["SQLite"](t), func(r *backup.Restore) { r.Journals, r.KeepTokens = []string{w.journalDir}, true })
		if err != nil {
			t.Fatal(err)
		}
		w.checkRevoked()
	})
}

// TestRestoreAgain restores the same backup after a restore from the journal
// and more revocations: nothing of either history is lost.
func TestRestoreAgain(t *testing.T) {
	t.Parallel()
	w := build(t, places["SQLite"](t))
	w.backUp()
	w.revokeAll()
	w.close()
	if _, err := w.restore(places["SQLite"](t), withJournal(w.journalDir)); err != nil {
		t.Fatal(err)
	}
	w.took(w.store.RevokeCredential(t.Context(), w.cred["untouched"].ID, event("a")))
	w.seal()
	w.close()
	if _, err := w.restore(places["SQLite"](t), withJournal(w.journalDir)); err != nil {
		t.Fatal(err)
	}
	c, err := w.store.Credential(t.Context(), w.cred["untouched"].ID)
	if err != nil || c.Revoked.IsZero() {
		t.Errorf("the credential revoked after the first restore lives again: %+v, %v", c, err)
	}
	if b, err := w.store.RevocationsSince(t.Context(), 0, 0); err != nil || b.Incarnation != 3 {
		t.Errorf("incarnation %d, %v; want 3", b.Incarnation, err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	w := build(t, places["SQLite"](t))
	w.backUp()
	w.revokeAll()
	w.changePolicy()
	w.close()
	other := build(t, places["SQLite"](t))
	other.revokeAll()
	other.close()

	holed := filepath.Join(t.TempDir(), "journal")
	copyWithout(t, w.journalDir, holed, 3)
	for name, c := range map[string]struct {
		journals []string
		why      string
	}{
		"NothingKnown":   {nil, "there is no journal"},
		"JournalAbsent":  {[]string{filepath.Join(t.TempDir(), "none")}, "there is no journal"},
		"JournalHoled":   {[]string{holed}, "the journal lacks revocations 3 to 3"},
		"JournalForeign": {[]string{other.journalDir}, "another installation"},
		"PolicyChanged":  {[]string{w.journalDir}, "the policies of tenant " + w.home.ID + " were changed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := backup.SQLite{Path: filepath.Join(t.TempDir(), "gatehouse.db")}
			r := backup.Restore{Backup: w.file, Target: target, Journals: c.journals}
			_, err := r.Run(t.Context())
			var lost *backup.LostError
			if !errors.As(err, &lost) || !strings.Contains(err.Error(), c.why) {
				t.Fatalf("error = %v, want %q", err, c.why)
			}
			if len(lost.Alive.Principals) == 0 || len(lost.Alive.Credentials) == 0 {
				t.Errorf("what may be alive is not listed: %+v", lost.Alive)
			}
			if _, err := os.Stat(target.Path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a refused restore left a database: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(target.Path), ".gatehouse*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}

			r.AcceptLost = true
			report, err := r.Run(t.Context())
			if err != nil || report.Alive == nil || len(report.Lost) == 0 {
				t.Errorf("accepted: %+v, %v", report, err)
			}
		})
	}
}

// copyWithout copies a journal but for one revocation.
func copyWithout(t *testing.T, from, to string, n int64) {
	t.Helper()
	copyJournal(t, from, to, func(r revocation.Entry) bool { return r.N != n })
}

// TestTwoJournals: what one node missed, another has.
func TestTwoJournals(t *testing.T) {
	t.Parallel()
	w := build(t, places["SQLite"](t))
	w.backUp()
	w.revokeAll()
	w.close()
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	copyWithout(t, w.journalDir, a, 3)
	copyWithout(t, w.journalDir, b, 7)
	if _, err := w.restore(places["SQLite"](t), withJournal(a, b)); err != nil {
		t.Fatal(err)
	}
	w.checkRevoked()
}

func TestAcceptLostSkipsNumbers(t *testing.T) {
	t.Parallel()
	w := build(t, places["SQLite"](t))
	w.backUp()
	w.close()
	if _, err := w.restore(places["SQLite"](t), func(r *backup.Restore) { r.AcceptLost = true }); err != nil {
		t.Fatal(err)
	}
	n, err := w.store.RevokeCredential(t.Context(), w.cred["untouched"].ID, event("a"))
	if err != nil || n <= 1_000_000 {
		t.Errorf("revocation %d, %v: it may have been given before", n, err)
	}
	w.add("new")
	if n := w.sec["new"].Number; n <= 1_000_000 {
		t.Errorf("secret %d may have been given before", n)
	}
}

func TestKeepTokens(t *testing.T) {
	t.Parallel()
	w := build(t, places["SQLite"](t))
	w.backUp()
	w.close()
	if _, err := w.restore(w.place, func(r *backup.Restore) { r.KeepTokens = true }); err != nil {
		t.Fatal(err)
	}
	p, err := w.store.Principal(t.Context(), w.who["untouched"].ID)
	if err != nil || !p.NotBefore.IsZero() {
		t.Errorf("tokens ended although they were to be kept: %+v, %v", p, err)
	}
	if o, err := w.store.OpaqueByDigest(t.Context(), w.home.ID, [][]byte{w.opaque.Digest}); err != nil || !o.Revoked.IsZero() {
		t.Errorf("opaque token: %+v, %v", o, err)
	}
}

// TestKeepTokensButNotRevoked: tokens that are kept are those that nobody ended
// after the backup.
func TestKeepTokensButNotRevoked(t *testing.T) {
	t.Parallel()
	w := build(t, places["SQLite"](t))
	ctx := t.Context()
	for _, n := range []string{"swept", "rotated"} {
		g := grant.Grant{ID: "grt_" + n, Tenant: w.home.ID, Principal: w.who["untouched"].ID, Created: time.Now(), Expires: time.Now().Add(time.Hour)}
		w.must(w.store.CreateGrant(ctx, g, grant.Refresh{
			Digest: []byte(n + " 1"), Grant: g.ID, Generation: 1, Salt: []byte("salt"), Issued: time.Now(), Expires: g.Expires,
		}, event("grant.create")))
		w.must(w.store.AddOpaque(ctx, token.Opaque{
			ID: "tok_" + n, Digest: []byte(n), Tenant: w.home.ID, Principal: w.who["untouched"].ID, Expires: time.Now().Add(time.Hour),
		}))
	}
	next := w.addNextKey()
	w.backUp()
	w.took(w.store.EndGrant(ctx, "grt_swept", "logout", event("a")))
	_, err := w.store.SweepGrants(ctx, time.Now().Add(time.Minute))
	w.must(err)
	w.revokeAll()
	_, err = w.store.RotateRefresh(ctx, grant.Rotation{
		Presented: []byte("rotated 1"), Next: grant.Refresh{Digest: []byte("rotated 2"), Expires: time.Now().Add(time.Hour)}, By: []byte("x"),
	}, event("a"))
	w.must(err)
	w.close()
	w.raw(`DELETE FROM opaque_token WHERE id = 'tok_swept'`) // as the sweeper does with what is long over
	if _, err := w.restore(w.place, func(r *backup.Restore) { r.KeepTokens = true }); err != nil {
		t.Fatal(err)
	}

	w.checkRevoked()
	if keys, err := w.store.SigningKeys(ctx, w.home.ID); err != nil || stateOf(keys, next.ID) != token.Active {
		t.Errorf("the key that took over is not active: %+v, %v", keys, err)
	}
	grants, err := w.store.Grants(ctx, w.home.ID, w.who["untouched"].ID, 10)
	if err != nil || len(grants) != 1 || grants[0].ID != "grt_rotated" {
		t.Errorf("grants = %+v, %v; want the one that nobody ended", grants, err)
	}
	if _, err := w.store.OpaqueByDigest(ctx, w.home.ID, [][]byte{[]byte("swept")}); err == nil {
		t.Error("an opaque token that was swept lives again")
	}
	if o, err := w.store.OpaqueByDigest(ctx, w.home.ID, [][]byte{[]byte("rotated")}); err != nil || !o.Revoked.IsZero() {
		t.Errorf("an opaque token that nobody ended is over: %+v, %v", o, err)
	}
	_, err = w.store.RotateRefresh(ctx, grant.Rotation{
		Presented: []byte("rotated 1"), Next: grant.Refresh{Digest: []byte("rotated 2b"), Expires: time.Now().Add(time.Hour)}, By: []byte("y"),
	}, event("a"))
	if !errors.Is(err, grant.ErrReused) {
		t.Errorf("a refresh token spent after the backup is good again: %v", err)
	}
}

// TestDeletedSinceStaysAway: nothing in the program deletes these by themselves
// so far; should it come to that, a restore must not bring them back.
func TestDeletedSinceStaysAway(t *testing.T) {
	t.Parallel()
	w := build(t, places["SQLite"](t))
	w.backUp()
	w.close()
	w.raw(`DELETE FROM secret WHERE credential = '` + w.cred["disabled"].ID + `'`)
	w.raw(`DELETE FROM credential WHERE id = '` + w.cred["deleted"].ID + `'`)
	if _, err := w.restore(w.place, nil); err != nil {
		t.Fatal(err)
	}
	if s, err := w.store.Secrets(t.Context(), w.cred["disabled"].ID); err != nil || len(s) != 0 {
		t.Errorf("secrets = %+v, %v", s, err)
	}
	if _, err := w.store.Credential(t.Context(), w.cred["deleted"].ID); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("credential: %v", err)
	}
}

// TestDamagedDatabase: what cannot be read any more is kept aside, and the
// journal stands in for it.
func TestDamagedDatabase(t *testing.T) {
	t.Parallel()
	w := build(t, places["SQLite"](t))
	w.backUp()
	w.revokeAll()
	w.close()
	path := w.place.(backup.SQLite).Path
	garbage := []byte(strings.Repeat("not a database ", 1000))
	if err := os.WriteFile(path, garbage, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := w.restore(w.place, withJournal(w.journalDir))
	if err != nil {
		t.Fatal(err)
	}
	w.checkRevoked()
	if kept, err := os.ReadFile(report.Replaced); err != nil || string(kept) != string(garbage) {
		t.Errorf("the damaged database was not kept: %v", err)
	}
}

func TestWhileServing(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		w := build(t, places["SQLite"](t))
		w.backUp() // while the store is open
		if _, err := w.restore(w.place, nil); !errors.Is(err, sqlite.ErrLocked) {
			t.Errorf("restored under a server: %v", err)
		}
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		w := build(t, places["Postgres"](t))
		w.backUp()
		w.must(w.store.Heartbeat(t.Context(), "nod_b", revocation.Position{}, nil))
		if _, err := w.restore(w.place, nil); !errors.Is(err, backup.ErrServing) || !strings.Contains(err.Error(), "nod_b") {
			t.Errorf("restored under a server: %v", err)
		}
	})
}

func TestOtherInstallation(t *testing.T) {
	t.Parallel()
	w := build(t, places["SQLite"](t))
	w.backUp()
	other := build(t, places["SQLite"](t))
	other.close()
	if _, err := w.restore(other.place, func(r *backup.Restore) { r.AcceptLost = true }); err == nil ||
		!strings.Contains(err.Error(), "another installation") {
		t.Errorf("error = %v", err)
	}
}

func TestDamagedBackup(t *testing.T) {
	t.Parallel()
	w := build(t, places["SQLite"](t))
	w.backUp()
	w.close()
	whole, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for name, b := range map[string][]byte{
		"empty": nil, "cut": whole[:len(whole)/2], "flipped": flipped, "garbage": []byte(strings.Repeat("x", 2000)),
	} {
		w.file = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(w.file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := w.restore(w.place, nil); err == nil {
			t.Fatalf("a backup that is %s was restored", name)
		}
	}
	w.store = open(t, w.place) // still what it was
	if _, err := w.store.Credential(t.Context(), w.cred["untouched"].ID); err != nil {
		t.Error(err)
	}
}

// TestAcrossEngines backs up one engine and restores into the other, with the
// journal; then back.
func TestAcrossEngines(t *testing.T) {
	t.Parallel()
	w := build(t, places["Postgres"](t))
	w.backUp()
	w.revokeAll()
	w.close()
	if _, err := w.restore(places["SQLite"](t), withJournal(w.journalDir)); err != nil {
		t.Fatal(err)
	}
	w.checkRevoked()
	w.checkChain()
	secrets, err := w.store.Secrets(t.Context(), w.cred["untouched"].ID)
	if err != nil || len(secrets) != 1 || string(secrets[0].Hash) != "untouched" || secrets[0].Scheme != credential.Digest {
		t.Errorf("secrets = %+v, %v", secrets, err)
	}
}

func TestBackupNeverReplaces(t *testing.T) {
	t.Parallel()
	w := build(t, places["SQLite"](t))
	w.backUp()
	if _, err := backup.Create(t.Context(), w.place, w.file, "v1"); err == nil {
		t.Error("a backup was overwritten")
	}
	info, err := os.Stat(w.file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("backup is %v, %v; want it readable by its owner only", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(w.file), ".gatehouse*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
