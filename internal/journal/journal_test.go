package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/journal"
	"gatehouse.dev/internal/revocation"
)

func entry(n int64) revocation.Entry {
	return revocation.Entry{
		N: n, Effect: revocation.End, Reason: "credential revoked", At: time.UnixMicro(1_800_000_000_000_000 + n).UTC(),
		Grounds: []revocation.Ground{{Kind: revocation.Credential, ID: fmt.Sprint("cre_", n)}, {Kind: revocation.Role, ID: "usr_a/analyst"}},
	}
}

func open(t *testing.T, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func write(t *testing.T, j *journal.Journal, from, to int64) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := j.AppendRevocations(1, []revocation.Entry{entry(n)}); err != nil {
			t.Fatal(err)
		}
	}
}

// read returns the numbers of the revocations.
func read(t *testing.T, dir string) (ns []int64, damages []journal.Damage) {
	t.Helper()
	damages, err := journal.Read(dir, func(r journal.Record) error {
		if r.Revocation != nil {
			ns = append(ns, r.Revocation.N)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ns, damages
}

func upTo(n int64) (ns []int64) {
	for i := range n {
		ns = append(ns, i+1)
	}
	return ns
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	j := open(t, journal.Options{Dir: dir})
	head := audit.Head{
		Link: audit.Link{Seq: 7, Hash: []byte{1, 2}}, At: time.UnixMicro(1_800_000_000_000_000).UTC(),
		Node: "nod_a", Key: "k1", Signature: []byte{3},
	}
	if err := errors.Join(j.AppendRevocations(3, []revocation.Entry{entry(1), entry(2)}), j.AppendHead(head)); err != nil {
		t.Fatal(err)
	}
	want := []journal.Record{
		{Revocation: &journal.Revocation{Incarnation: 3, Entry: entry(1)}},
		{Revocation: &journal.Revocation{Incarnation: 3, Entry: entry(2)}},
		{Head: &head},
	}
	var got []journal.Record
	if _, err := journal.Read(dir, func(r journal.Record) error { got = append(got, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("read (-want +got):\n%s", d)
	}
	if j.Last() != (revocation.Position{Incarnation: 3, N: 2}) {
		t.Errorf("last = %v", j.Last())
	}
	info, err := os.Stat(filepath.Join(dir, "00000001.journal"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file is %v, %v; want it readable by its owner only", info, err)
	}
}

// A crash can leave any beginning of the last write.
func TestTornTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir})
	write(t, j, 1, 3)
	j.Close()
	path := filepath.Join(dir, "00000001.journal")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		before, damages := read(t, dir)
		if len(damages) != 0 {
			t.Fatalf("cut at %d: reported %v", cut, damages)
		}
		j := open(t, journal.Options{Dir: dir})
		next := int64(len(before)) + 1
		if j.Last().N != next-1 {
			t.Fatalf("cut at %d: goes on after %d, want %d", cut, j.Last().N, next-1)
		}
		write(t, j, next, next)
		j.Close()
		after, damages := read(t, dir)
		if d := cmp.Diff(upTo(next), after); d != "" || len(damages) > 1 {
			t.Fatalf("cut at %d (-want +got):\n%s%v", cut, d, damages)
		}
		os.Remove(filepath.Join(dir, "00000002.journal"))
	}
}

func TestDamageInside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir, FileSize: 500})
	write(t, j, 1, 20)
	j.Close()
	path := filepath.Join(dir, "00000002.journal")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	os.WriteFile(path, b, 0o600)
	ns, damages := read(t, dir)
	if len(damages) != 1 || damages[0].File != "00000002.journal" {
		t.Errorf("damages = %v", damages)
	}
	if len(ns) < 10 || len(ns) >= 20 || ns[len(ns)-1] != 20 {
		t.Errorf("read %v, want all but the rest of one file", ns)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir, FileSize: 500, Files: 3})
	write(t, j, 1, 100)
	files, _ := os.ReadDir(dir)
	if len(files) != 3 {
		t.Errorf("%d files, want 3", len(files))
	}
	ns, damages := read(t, dir)
	if len(ns) < 6 || ns[len(ns)-1] != 100 || len(damages) != 0 {
		t.Errorf("read %v, %v", ns, damages)
	}
	for i := range ns[1:] {
		if ns[i+1] != ns[i]+1 {
			t.Fatalf("gap after %d", ns[i])
		}
	}
	j.Close()
	j = open(t, journal.Options{Dir: dir, FileSize: 500, Files: 3})
	write(t, j, 101, 101)
	if ns, _ := read(t, dir); ns[len(ns)-1] != 101 {
		t.Errorf("after opening again the last is %d", ns[len(ns)-1])
	}
}

// A full disk leaves half of a record, which must not stay in the way of what
// is written once there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir})
	write(t, j, 1, 2)
	free := j.FillDisk(40)
	for range 2 {
		if err := j.AppendRevocations(1, []revocation.Entry{entry(3)}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("append on a full disk: %v", err)
		}
	}
	if j.Last().N != 2 {
		t.Errorf("last = %d, want 2", j.Last().N)
	}
	free()
	write(t, j, 3, 4)
	if ns, damages := read(t, dir); !cmp.Equal(ns, upTo(4)) || damages != nil {
		t.Errorf("read %v, %v", ns, damages)
	}
}

func TestReadNothing(t *testing.T) {
	t.Parallel()
	if ns, damages := read(t, filepath.Join(t.TempDir(), "absent")); ns != nil || damages != nil {
		t.Errorf("read %v, %v from nothing", ns, damages)
	}
}

// log is a revocation log in memory.
type log struct {
	mu      sync.Mutex
	entries []revocation.Entry
	err     error
}

func (l *log) add(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, entry(n))
}

func (l *log) RevocationsSince(_ context.Context, n int64, limit int) (revocation.Batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := revocation.Batch{Incarnation: 1, Head: int64(len(l.entries))}
	for _, e := range l.entries {
		if e.N > n && len(b.Entries) < limit {
			b.Entries = append(b.Entries, e)
		}
	}
	return b, l.err
}

func TestFollower(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		for n := range int64(2500) {
			l.add(n + 1)
		}
		follow := func(f func()) {
			j := open(t, journal.Options{Dir: dir})
			defer j.Close()
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error)
			go func() {
				done <- (&journal.Follower{
					Journal: j, Source: l, Installation: "ten_a", Log: slog.New(slog.DiscardHandler),
				}).Run(ctx)
			}()
			f()
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		follow(func() {
			time.Sleep(time.Second)
			l.add(2501)
			time.Sleep(2 * time.Second)
			if ns, _ := read(t, dir); len(ns) != 2501 {
				t.Errorf("%d entries two seconds after the last, want 2501", len(ns))
			}
		})
		l.add(2502) // while nobody follows
		follow(func() {
			time.Sleep(2 * time.Second)
			l.add(2503) // and right before the stop
		})
	})
	if ns, _ := read(t, dir); !cmp.Equal(ns, upTo(2503)) {
		t.Errorf("%d entries, want 2503 without gap or repeat", len(ns))
	}
	var marks []int64
	journal.Read(dir, func(r journal.Record) error {
		if r.Mark != nil && r.Mark.Installation == "ten_a" && r.Mark.Incarnation == 1 {
			marks = append(marks, r.Mark.N)
		}
		return nil
	})
	if !cmp.Equal(marks, []int64{2500, 2502}) {
		t.Errorf("marks = %v, want one at the start of each run", marks)
	}
}
