package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/bus/inproc"
)

// ear writes down what it is told.
type ear struct {
	mu    sync.Mutex
	heard []string
}

func (e *ear) Publish(p *Publication) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, tell(p))
}

func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

func tell(p *Publication) string {
	switch {
	case p.Removed:
		return p.Report + "/" + p.Key + " removed"
	case p.Key != "":
		return p.Report + "/" + p.Key + " = " + string(p.Content)
	}
	return p.Report + " = " + string(p.Content)
}

func whole(report, keyMember, content string) Update {
	return Update{Report: report, Kind: Whole, KeyMember: keyMember, Content: jsontext.Value(content)}
}

func setRow(report, key, content string) Update {
	return Update{Report: report, Kind: Row, Key: key, Content: jsontext.Value(content)}
}

func newHub(t *testing.T) *Hub {
	b := inproc.New(0)
	t.Cleanup(b.Close)
	return NewHub(Options{Bus: b})
}

func update(t *testing.T, h *Hub, us ...Update) {
	t.Helper()
	for _, u := range us {
		if err := h.Update(t.Context(), "ten_1", "metrics", u); err != nil {
			t.Fatalf("update %s %s: %v", u.Kind, u.Report, err)
		}
	}
}

func nothing([]*Publication) {}

// current is a report as it stands.
func current(f *Feed, report string) (p *Publication) {
	f.State([]string{report}, func(state []*Publication) { p = state[0] })
	return p
}

func feedOf(t *testing.T, h *Hub) *Feed {
	t.Helper()
	f, err := h.Feed("ten_1", "metrics")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestReports(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	f := feedOf(t, h)
	early := &ear{}
	f.Subscribe(early, nil, nothing)
	update(t, h,
		whole("Agents", "", ` [ {"AgentState": "Idle"} ] `),
		whole("Lines", "CallID", `[{"CallID":"a","S":1},{"CallID":"b","S":1}]`),
		setRow("Lines", "b", `{"CallID":"b","S":2}`),
		setRow("Lines", "c", `{"CallID":"c","S":1}`),
		Update{Report: "Lines", Kind: Remove, Key: "a"},
		Update{Report: "Lines", Kind: Remove, Key: "nobody"},
	)
	want := []string{
		`Agents = [{"AgentState":"Idle"}]`,
		`Lines = [{"CallID":"a","S":1},{"CallID":"b","S":1}]`,
		`Lines/b = {"CallID":"b","S":2}`,
		`Lines/c = {"CallID":"c","S":1}`,
		`Lines/a removed`,
	}
	if diff := cmp.Diff(want, early.all()); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}

	var state []string
	f.Subscribe(&ear{}, []string{"Lines", "Agents", "Unpublished"}, func(ps []*Publication) {
		for _, p := range ps {
			state = append(state, tell(p))
		}
	})
	want = []string{
		`Lines = [{"CallID":"c","S":1},{"CallID":"b","S":2}]`, // the newest first
		`Agents = [{"AgentState":"Idle"}]`,
		`Unpublished = []`,
	}
	if diff := cmp.Diff(want, state); diff != "" {
		t.Errorf("a late subscriber got (-want +got):\n%s", diff)
	}
}

func TestTenantsAreApart(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	other, err := h.Feed("ten_2", "metrics")
	if err != nil {
		t.Fatal(err)
	}
	e := &ear{}
	other.Subscribe(e, nil, nothing)
	update(t, h, whole("Agents", "", `[1]`))
	if got := tell(current(other, "Agents")); got != "Agents = []" || len(e.all()) > 0 {
		t.Errorf("another tenant has %s and heard %v", got, e.all())
	}
}

func TestRowsGoAfterTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := inproc.New(0)
		defer b.Close()
		h := NewHub(Options{Bus: b})
		go h.Run(ctx)
		f := feedOf(t, h)
		e := &ear{}
		f.Subscribe(e, nil, nothing)
		ended := setRow("Lines", "a", `{"CallID":"a"}`)
		ended.GoneAfter = 20_000
		update(t, h, ended)

		time.Sleep(19 * time.Second)
		if got := len(e.all()); got != 1 {
			t.Errorf("after 19 s heard %v", e.all())
		}
		time.Sleep(2 * time.Second)
		if diff := cmp.Diff([]string{`Lines/a = {"CallID":"a"}`, `Lines/a removed`}, e.all()); diff != "" {
			t.Errorf("after 21 s (-want +got):\n%s", diff)
		}
	})
}

func TestEncodedOncePerForm(t *testing.T) {
	t.Parallel()
	p := &Publication{Report: "Agents"}
	calls := 0
	encode := func(*Publication) []byte { calls++; return []byte("x") }
	for range 3 {
		p.Encoded(-330, encode)
		p.Encoded(0, encode)
	}
	if calls != 2 {
		t.Errorf("encoded %d times for two forms", calls)
	}
}

func TestRefusedUpdates(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		u    Update
		want error
	}{
		"NoReport":      {whole("", "", `[]`), ErrName},
		"NoKey":         {setRow("R", "", `{}`), ErrName},
		"ControlInKey":  {setRow("R", "a\x00", `{}`), ErrName},
		"NoKind":        {Update{Report: "R", Key: "k"}, ErrName},
		"NotJSON":       {whole("R", "", `[`), ErrJSON},
		"RowIsNoObject": {setRow("R", "a", `[]`), ErrRows},
		"TableOfTexts":  {whole("R", "K", `["a"]`), ErrRows},
		"NoKeyMember":   {whole("R", "K", `[{}]`), ErrKey},
		"KeyTwice":      {whole("R", "K", `[{"K":"a"},{"K":"a"}]`), ErrKey},
		"KeyIsAnother":  {Update{Report: "R", Kind: Row, KeyMember: "K", Key: "a", Content: jsontext.Value(`{"K":"b"}`)}, ErrKey},
		"RowTooLarge":   {setRow("R", "a", `{"x":"`+strings.Repeat("x", MaxRow)+`"}`), ErrTooLarge},
		"RowOfDocument": {setRow("Document", "a", `{}`), ErrRows},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHub(t)
			update(t, h, whole("Document", "", `{"a":1}`))
			if err := h.Update(t.Context(), "ten_1", "metrics", tt.u); !errors.Is(err, tt.want) {
				t.Errorf("error = %v, want %v", err, tt.want)
			}
			if got := tell(current(feedOf(t, h), "Document")); got != `Document = {"a":1}` {
				t.Errorf("left %s", got)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	big := `{"x":"` + strings.Repeat("x", MaxRow-10) + `"}`
	var err error
	for i := range 100 {
		if err = h.Update(t.Context(), "ten_1", "metrics", setRow("R", strings.Repeat("k", i+1), big)); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("a report grows beyond its bound: %v", err)
	}
}

// The publishers of one tenant cannot use up the feeds of the others.
func TestFeedsOfOneTenant(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	var err error
	made := 0
	for ; err == nil && made <= MaxFeeds; made++ {
		err = h.Update(t.Context(), "ten_1", fmt.Sprint("feed-", made), setRow("R", "k", `{}`))
	}
	if !errors.Is(err, ErrMany) || made-1 != MaxTenantFeeds {
		t.Errorf("one tenant made %d feeds: %v", made-1, err)
	}
	if _, err := h.Feed("ten_1", "feed-0"); err != nil {
		t.Errorf("its feeds are gone: %v", err)
	}
	if _, err := h.Feed("ten_2", "metrics"); err != nil {
		t.Errorf("no feed for another tenant: %v", err)
	}
}

func FuzzUpdate(f *testing.F) {
	f.Add("R", "whole", "K", "", []byte(`[{"K":"a"}]`))
	f.Add("R", "row", "", "a", []byte(`{}`))
	f.Fuzz(func(t *testing.T, report, kind, keyMember, key string, content []byte) {
		u := Update{Report: report, Kind: Kind(kind), KeyMember: keyMember, Key: key, Content: content}
		if u.Check() != nil {
			return
		}
		f := newFeed(time.Now)
		if f.apply(u) != nil {
			return
		}
		if got := current(f, report).Content; !got.IsValid() {
			t.Errorf("the report became %q", got)
		}
	})
}
