package seal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse.dev/internal/seal"
	"gatehouse.dev/internal/secret"
)

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type fixture struct {
	*seal.Keeper
	store *memory
	clock *clock
}

// keeper makes one under the given lines of a master key file.
func (f *fixture) keeper(t *testing.T, lines ...string) *seal.Keeper {
	t.Helper()
	m, err := seal.ParseMasters([]byte(joined(lines)))
	if err != nil {
		t.Fatal(err)
	}
	return seal.NewKeeper(f.store, m, f.clock.now)
}

func joined(lines []string) string {
	s := ""
	for _, l := range lines {
		s += l + "\n"
	}
	return s
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{store: newMemory(), clock: &clock{at: time.Unix(1_800_000_000, 0)}}
	f.Keeper = f.keeper(t, seal.NewMasterKey())
	return f
}

var (
	scope = seal.Scope{Tenant: "ten_a", Purpose: seal.Data}
	row   = seal.Row{Table: "upstream", Key: "up_1", Column: "password"}
	plain = []byte("open sesame")
)

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	f := setup(t)
	sealed, err := f.Seal(t.Context(), scope, row, plain)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plain) {
		t.Error("sealed bytes show what they hold")
	}
	again, _ := f.Seal(t.Context(), scope, row, plain)
	if bytes.Equal(sealed, again) {
		t.Error("two seals are alike: the nonce repeats")
	}
	if got, err := f.Open(t.Context(), scope, row, sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("open = %q, %v", got, err)
	}
	if len(f.store.rows) != 1 {
		t.Errorf("%d data keys, want 1", len(f.store.rows))
	}
}

func TestOpensNowhereElse(t *testing.T) {
	t.Parallel()
	f := setup(t)
	sealed, err := f.Seal(t.Context(), scope, row, plain)
	if err != nil {
		t.Fatal(err)
	}
	otherTenant, otherPurpose, someone := scope, scope, scope
	otherTenant.Tenant, otherPurpose.Purpose, someone.Person = "ten_b", "other", "usr_1"
	for name, tt := range map[string]struct {
		scope seal.Scope
		row   seal.Row
	}{
		"another table":   {scope, seal.Row{Table: "x", Key: "up_1", Column: "password"}},
		"another row":     {scope, seal.Row{Table: "upstream", Key: "up_2", Column: "password"}},
		"another column":  {scope, seal.Row{Table: "upstream", Key: "up_1", Column: "user"}},
		"shifted borders": {scope, seal.Row{Table: "upstreamu", Key: "p_1", Column: "password"}},
		"another tenant":  {otherTenant, row},
		"another purpose": {otherPurpose, row},
		"a person":        {someone, row},
	} {
		// Give the other scope a key, so that it is not just missing.
		if _, err := f.Seal(t.Context(), tt.scope, row, plain); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Open(t.Context(), tt.scope, tt.row, sealed); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("%s: error = %v, want ErrOpen", name, err)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := f.Open(t.Context(), scope, row, bad); !errors.Is(err, seal.ErrOpen) {
			t.Fatalf("byte %d altered: error = %v, want ErrOpen", i, err)
		}
		if _, err := f.Open(t.Context(), scope, row, sealed[:i]); !errors.Is(err, seal.ErrOpen) {
			t.Fatalf("cut to %d bytes: error = %v, want ErrOpen", i, err)
		}
	}
}

// The data key of one scope, moved by somebody with the database to another
// scope, does not unwrap there.
func TestWrappedKeyBelongsToItsScope(t *testing.T) {
	t.Parallel()
	f := setup(t)
	if _, err := f.Seal(t.Context(), scope, row, plain); err != nil {
		t.Fatal(err)
	}
	for id, w := range f.store.rows {
		w.Tenant = "ten_b"
		f.store.rows[id] = w
	}
	if _, err := f.Seal(t.Context(), seal.Scope{Tenant: "ten_b", Purpose: seal.Data}, row, plain); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("error = %v, want ErrOpen", err)
	}
}

func TestRotateKey(t *testing.T) {
	t.Parallel()
	f := setup(t)
	before, _ := f.Seal(t.Context(), scope, row, plain)
	if err := f.RotateKey(t.Context(), scope); err != nil {
		t.Fatal(err)
	}
	after, err := f.Seal(t.Context(), scope, row, plain)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(before[:32], after[:32]) {
		t.Error("the new version does not seal")
	}
	for _, sealed := range [][]byte{before, after} {
		if got, err := f.Open(t.Context(), scope, row, sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("open = %q, %v", got, err)
		}
	}
}

// A key that another node made just now is found without waiting.
func TestOpenFindsAnotherNodesKey(t *testing.T) {
	t.Parallel()
	f := setup(t)
	line := seal.NewMasterKey()
	a, b := f.keeper(t, line), f.keeper(t, line)
	if _, err := a.Seal(t.Context(), scope, row, plain); err != nil {
		t.Fatal(err)
	}
	if err := b.RotateKey(t.Context(), scope); err != nil {
		t.Fatal(err)
	}
	sealed, _ := b.Seal(t.Context(), scope, row, plain)
	if got, err := a.Open(t.Context(), scope, row, sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("open = %q, %v", got, err)
	}
}

// Nodes that need a scope's first key at the same moment end with one key.
func TestFirstKeyRace(t *testing.T) {
	t.Parallel()
	f := setup(t)
	line := seal.NewMasterKey()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			k := f.keeper(t, line)
			sealed, err := k.Seal(t.Context(), scope, row, plain)
			if err != nil {
				t.Errorf("node %d: %v", i, err)
				return
			}
			if got, err := f.keeper(t, line).Open(t.Context(), scope, row, sealed); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("node %d: open = %q, %v", i, got, err)
			}
		})
	}
	wg.Wait()
	if len(f.store.rows) != 1 {
		t.Errorf("%d data keys, want 1", len(f.store.rows))
	}
}

func TestEraseKeys(t *testing.T) {
	t.Parallel()
	f := setup(t)
	line := seal.NewMasterKey()
	here, there := f.keeper(t, line), f.keeper(t, line)
	ad := []byte("audit\x00aud_1")
	sealed, err := here.ProtectPersonal(t.Context(), "ten_a", "usr_1", ad, plain)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := here.ProtectPersonal(t.Context(), "ten_a", "usr_2", ad, plain)
	if got, err := there.RevealPersonal(t.Context(), "ten_a", "usr_1", ad, sealed); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("before: %q, %v", got, err)
	}
	if err := here.ErasePerson(t.Context(), "ten_a", "usr_1"); err != nil {
		t.Fatal(err)
	}
	if _, err := here.RevealPersonal(t.Context(), "ten_a", "usr_1", ad, sealed); !errors.Is(err, seal.ErrErased) {
		t.Errorf("here: error = %v, want ErrErased", err)
	}
	if _, err := here.ProtectPersonal(t.Context(), "ten_a", "usr_1", ad, plain); !errors.Is(err, seal.ErrErased) {
		t.Errorf("a new key was made for an erased person: %v", err)
	}
	f.clock.pass(time.Minute)
	if _, err := there.RevealPersonal(t.Context(), "ten_a", "usr_1", ad, sealed); !errors.Is(err, seal.ErrErased) {
		t.Errorf("another node, a minute later: error = %v, want ErrErased", err)
	}
	if got, err := here.RevealPersonal(t.Context(), "ten_a", "usr_2", ad, other); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("somebody else: %q, %v", got, err)
	}
	for _, w := range f.store.rows {
		if w.Person == "usr_1" && len(w.Box) > 0 {
			t.Error("the wrapped key is still there")
		}
	}
	// One who never had a key has none made later either.
	if err := here.ErasePerson(t.Context(), "ten_a", "usr_3"); err != nil {
		t.Fatal(err)
	}
	f.clock.pass(time.Hour)
	if _, err := there.ProtectPersonal(t.Context(), "ten_a", "usr_3", ad, plain); !errors.Is(err, seal.ErrErased) {
		t.Errorf("erased in advance: error = %v, want ErrErased", err)
	}
}

func TestStoreDown(t *testing.T) {
	t.Parallel()
	f := setup(t)
	sealed, _ := f.Seal(t.Context(), scope, row, plain)
	personal, _ := f.ProtectPersonal(t.Context(), "ten_a", "usr_1", nil, plain)
	f.store.down = true
	f.clock.pass(time.Hour)
	if got, err := f.Open(t.Context(), scope, row, sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("known data key: %q, %v", got, err)
	}
	if _, err := f.RevealPersonal(t.Context(), "ten_a", "usr_1", nil, personal); !errors.Is(err, errDown) {
		t.Errorf("a person who may have been erased: error = %v", err)
	}
	if _, err := f.Seal(t.Context(), seal.Scope{Tenant: "new"}, row, plain); !errors.Is(err, errDown) {
		t.Errorf("unknown scope: error = %v", err)
	}
}

func TestKeysAreRemembered(t *testing.T) {
	t.Parallel()
	f := setup(t)
	sealed, _ := f.Seal(t.Context(), scope, row, plain)
	before := f.store.reads
	for range 100 {
		if _, err := f.Open(t.Context(), scope, row, sealed); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.store.reads - before; n != 0 {
		t.Errorf("%d looks at the store", n)
	}
}

func TestRewrap(t *testing.T) {
	t.Parallel()
	f := setup(t)
	oldLine, newLine := seal.NewMasterKey(), seal.NewMasterKey()
	before := f.keeper(t, oldLine)
	var sealed [][]byte
	for i := range 450 { // more than two batches
		s, err := before.ProtectPersonal(t.Context(), "ten_a", fmt.Sprintf("usr_%d", i), nil, plain)
		if err != nil {
			t.Fatal(err)
		}
		sealed = append(sealed, s)
	}
	digester, err := before.Digester(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stored := digester.Digest(secret.New("x"))
	if err := before.ErasePerson(t.Context(), "ten_a", "usr_0"); err != nil {
		t.Fatal(err)
	}

	during := f.keeper(t, newLine, oldLine)
	if n, err := during.Rewrap(t.Context()); err != nil || n != 450 { // 449 persons, 1 look-up key
		t.Fatalf("rewrapped %d, %v; want 450", n, err)
	}
	if n, err := during.Rewrap(t.Context()); err != nil || n != 0 {
		t.Errorf("again: %d, %v; want 0", n, err)
	}
	after := f.keeper(t, newLine)
	for i, s := range sealed[1:] {
		if got, err := after.RevealPersonal(t.Context(), "ten_a", fmt.Sprintf("usr_%d", i+1), nil, s); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("person %d: %q, %v", i+1, got, err)
		}
	}
	d, err := after.Digester(t.Context())
	if err != nil || !d.Match(stored, secret.New("x")) || !d.Current(stored) {
		t.Errorf("the look-up key changed with the master key, %v", err)
	}
	if _, err := f.keeper(t, oldLine).Digester(t.Context()); err == nil {
		t.Error("the old master key alone still opens")
	}
}

// A node that starts with a new line in front of its master key file rewraps
// by itself, goes on trying while the store is down, and says when it is done.
func TestRunRewraps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t)
		oldLine, newLine := seal.NewMasterKey(), seal.NewMasterKey()
		sealed, err := f.keeper(t, oldLine).Seal(t.Context(), scope, row, plain)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		f.store.down = true
		go f.keeper(t, newLine, oldLine).Run(ctx, slog.New(slog.NewTextHandler(&log, nil)))
		synctest.Wait()
		if out := log.String(); !strings.Contains(out, "keep the other lines") {
			t.Errorf("while the store is down it says %q", out)
		}
		f.store.mu.Lock()
		f.store.down = false
		f.store.mu.Unlock()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if out := log.String(); !strings.Contains(out, "rewrapped=1") {
			t.Errorf("when done it says %q", out)
		}
		if got, err := f.keeper(t, newLine).Open(t.Context(), scope, row, sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("under the new key alone: %q, %v", got, err)
		}
		cancel()
		synctest.Wait()
	})
}

func TestRotateLookup(t *testing.T) {
	t.Parallel()
	f := setup(t)
	d1, err := f.Digester(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := secret.New("x")
	stored := d1.Digest(s)
	if err := f.RotateLookup(t.Context()); err != nil {
		t.Fatal(err)
	}
	young, err := f.Digester(t.Context())
	if err != nil || !young.Current(stored) || len(young.Candidates(s)) != 2 {
		t.Errorf("a young version is not merely recognised: %v, %v", young, err)
	}
	f.clock.pass(seal.Settle)
	settled, err := f.Digester(t.Context())
	if err != nil || settled.Current(stored) || !settled.Match(stored, s) {
		t.Errorf("the version did not settle: %v", err)
	}
	if !young.Match(settled.Digest(s), s) {
		t.Error("a node that started after the rotation refuses the new version")
	}
}

// Whatever stands in a row, opening it fails cleanly or gives what was sealed.
func FuzzOpen(f *testing.F) {
	line := seal.NewMasterKey()
	masters, err := seal.ParseMasters([]byte(line))
	if err != nil {
		f.Fatal(err)
	}
	k := seal.NewKeeper(newMemory(), masters, nil)
	good, err := k.Seal(f.Context(), scope, row, plain)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{1, 255})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		got, err := k.Open(t.Context(), scope, row, sealed)
		if err == nil && !bytes.Equal(sealed, good) {
			t.Errorf("opened what was never sealed, as %q", got)
		}
		if err != nil && !errors.Is(err, seal.ErrOpen) {
			t.Errorf("error %v is not ErrOpen", err)
		}
	})
}
