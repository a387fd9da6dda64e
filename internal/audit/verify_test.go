package audit_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/audit"
)

func day(n int) time.Time { return time.Date(2027, 1, n, 0, 0, 0, 0, time.UTC) }

// chained returns a store with n sealed rows and a head over the last.
func chained(t *testing.T, n int) (*memory, ed25519Signer) {
	t.Helper()
	m, signer := &memory{}, newSigner(1)
	for i := range n {
		if err := m.AppendEvents(t.Context(), []audit.Event{{
			ID: fmt.Sprintf("aud_%d", i+1), At: time.Unix(1_800_000_000+int64(i), 0), Actor: "usr_a",
			Action: "credential.create", Target: fmt.Sprintf("cre_%d", i), Detail: map[string]string{"n": fmt.Sprint(i)},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	seal(t, m, signer, day(1))
	return m, signer
}

// seal lets a sealer chain and sign everything, as at a stop.
func seal(t *testing.T, m audit.Store, signer audit.Signer, at time.Time) {
	t.Helper()
	s := &audit.Sealer{
		Store: m, Signer: signer, Node: "nod_a", Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return at },
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, m audit.Store, signer audit.Signer, known ...audit.Head) audit.Report {
	t.Helper()
	r, err := audit.Verify(t.Context(), m, signer, known)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// kinds are the findings in short: kind, place, row.
func kinds(r audit.Report) []string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, fmt.Sprintf("%s %d %s", f.Kind, f.Seq, f.Event))
	}
	return out
}

func TestVerify(t *testing.T) {
	t.Parallel()
	at := func(m *memory, seq int64) *audit.Row {
		return &m.rows[slices.IndexFunc(m.rows, func(r audit.Row) bool { return r.Seq == seq })]
	}
	remove := func(m *memory, from, to int64) {
		m.rows = slices.DeleteFunc(m.rows, func(r audit.Row) bool { return r.Seq >= from && r.Seq <= to })
	}
	for name, c := range map[string]struct {
		tamper func(m *memory)
		want   []string
	}{
		"Untouched":       {func(*memory) {}, nil},
		"FieldAltered":    {func(m *memory) { at(m, 5).Target = "cre_x" }, []string{"altered 5 aud_5"}},
		"DetailAltered":   {func(m *memory) { at(m, 5).Detail = map[string]string{"n": "7"} }, []string{"altered 5 aud_5"}},
		"TimeAltered":     {func(m *memory) { at(m, 5).At = at(m, 5).At.Add(time.Microsecond) }, []string{"altered 5 aud_5"}},
		"LastAltered":     {func(m *memory) { at(m, 10).Actor = "" }, []string{"altered 10 aud_10"}},
		"FirstAltered":    {func(m *memory) { at(m, 1).Actor = "" }, []string{"altered 1 aud_1"}},
		"TwoAltered":      {func(m *memory) { at(m, 2).Actor, at(m, 9).Actor = "", "" }, []string{"altered 2 aud_2", "altered 9 aud_9"}},
		"HashAltered":     {func(m *memory) { at(m, 5).Hash = make([]byte, 33) }, []string{"altered 5 aud_5"}},
		"Removed":         {func(m *memory) { remove(m, 5, 5) }, []string{"removed 5 "}},
		"SeveralRemoved":  {func(m *memory) { remove(m, 3, 6) }, []string{"removed 3 "}},
		"BeginRemoved":    {func(m *memory) { remove(m, 1, 2) }, []string{"removed 1 "}},
		"EndRemoved":      {func(m *memory) { remove(m, 9, 10) }, []string{"removed 9 "}},
		"AllRemoved":      {func(m *memory) { remove(m, 1, 10) }, []string{"removed 1 "}},
		"ContentsSwapped": {func(m *memory) { at(m, 4).Event, at(m, 7).Event = at(m, 7).Event, at(m, 4).Event }, []string{"moved 4 aud_4"}},
		"PlacesSwapped":   {func(m *memory) { a, b := at(m, 4), at(m, 7); a.Seq, b.Seq = 7, 4 }, []string{"moved 4 aud_4", "moved 7 aud_7"}},
		"Renumbered": {func(m *memory) {
			remove(m, 5, 5)
			for i := range m.rows {
				if m.rows[i].Seq > 5 {
					m.rows[i].Seq--
				}
			}
		}, []string{"altered 5 aud_6", "departed 9 "}},
		"Added": {func(m *memory) {
			r := *at(m, 5)
			r.ID = "aud_x"
			m.rows = append(m.rows, r)
		}, []string{"added 5 aud_x"}},
		"RewrittenWithoutKey": {func(m *memory) {
			at(m, 5).Actor = "usr_b"
			var l audit.Link
			for i := range m.rows {
				l = audit.Next(l, m.rows[i].Event)
				m.rows[i].Hash = l.Hash
			}
		}, []string{"departed 10 "}},
		"HeadForged": {func(m *memory) { m.heads[0].Signature = make([]byte, 64) }, []string{"bad head 10 "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, signer := chained(t, 10)
			c.tamper(m)
			r := verify(t, m, signer)
			if d := cmp.Diff(c.want, kinds(r)); d != "" {
				t.Errorf("findings (-want +got):\n%s%v", d, r.Findings)
			}
		})
	}
}

func TestVerifyLong(t *testing.T) {
	t.Parallel()
	m, signer := chained(t, 2500)
	if r := verify(t, m, signer); !r.OK() || r.Rows != 2500 || r.Heads != 1 || r.Last.Seq != 2500 {
		t.Errorf("report = %+v", r)
	}
	m.rows[1999].Reason = "x"
	if got, want := kinds(verify(t, m, signer)), []string{"altered 2000 aud_2000"}; !slices.Equal(got, want) {
		t.Errorf("findings = %q, want %q", got, want)
	}
}

// Whoever holds the database can remove the heads too; a copy kept elsewhere
// still tells.
func TestVerifyKnownHeads(t *testing.T) {
	t.Parallel()
	m, signer := chained(t, 10)
	kept := slices.Clone(m.heads)
	m.heads, m.rows = nil, m.rows[:6]
	if r := verify(t, m, signer); !r.OK() {
		t.Fatalf("a shortened chain without heads cannot be told, got %v", r.Findings)
	}
	if got, want := kinds(verify(t, m, signer, kept...)), []string{"removed 7 "}; !slices.Equal(got, want) {
		t.Errorf("findings = %q, want %q", got, want)
	}
}

func TestVerifyTrimmed(t *testing.T) {
	t.Parallel()
	m, signer := chained(t, 10)
	for i := range 5 {
		m.AppendEvents(t.Context(), []audit.Event{{ID: fmt.Sprintf("aud_b%d", i), Action: "login"}})
	}
	seal(t, m, signer, day(5))
	n, err := audit.Trim(t.Context(), m, day(3), "system", "nod_a")
	if err != nil || n != 10 {
		t.Fatalf("trimmed %d, %v; want the 10 rows up to the last head that is old enough", n, err)
	}
	if r := verify(t, m, signer); !r.OK() || r.First.Seq != 11 {
		t.Errorf("after trimming: %+v", r)
	}
	seal(t, m, signer, day(6))
	if r := verify(t, m, signer); !r.OK() || r.Rows != 6 {
		t.Errorf("after trimming and sealing: %+v", r)
	}
	m.rows = slices.DeleteFunc(m.rows, func(r audit.Row) bool { return r.Action == audit.ActionTrim })
	if r := verify(t, m, signer); r.OK() {
		t.Error("a beginning removed without a row that says so was not found")
	}
}

// A restore that costs rows leaves heads elsewhere that prove nothing any more.
// It is told, and excuses only heads from before it and beyond the cut.
func TestVerifyRestored(t *testing.T) {
	t.Parallel()
	m, signer := chained(t, 10)
	kept := slices.Clone(m.heads)
	m.heads, m.rows = nil, m.rows[:6] // the backup
	m.AppendEvents(t.Context(), []audit.Event{{
		ID: "aud_r", At: day(2), Action: audit.ActionRestore, Detail: map[string]string{"chain_cut_at": "6"},
	}})
	for i := range 8 {
		m.AppendEvents(t.Context(), []audit.Event{{ID: fmt.Sprintf("aud_n%d", i), Action: "login"}})
	}
	seal(t, m, signer, day(3))
	r := verify(t, m, signer, kept...)
	if !r.OK() || len(r.Restores) != 1 || r.Restores[0].Cut != 6 {
		t.Errorf("report = %+v", r)
	}
	m.rows[2].Actor = "usr_b"
	if got := kinds(verify(t, m, signer, kept...)); !slices.Equal(got, []string{"altered 3 aud_3"}) {
		t.Errorf("findings = %q", got)
	}
	m.rows = slices.Delete(m.rows, 6, 7) // the row about the restore
	if verify(t, m, signer, kept...).OK() {
		t.Error("heads were excused without a restore")
	}
}
