package main

import (
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/adminapi"
)

// What others have written must not steer the terminal of who reads it.
func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	err := table{head: []string{"NAME", "X"}, rows: [][]string{
		{"Вера", "1"}, {"a\x1b[2Jb\n", "2"}, {"x\u202ey\ufffd", ""},
	}}.write(&b)
	want := "" +
		"NAME     X\n" +
		"Вера     1\n" +
		"a·[2Jb·  2\n" +
		"x·y·\n"
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b.String(), want)
	}
}

func TestFieldsLeaveOutWhatIsEmpty(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := fields(&b, "A", "1", "Rather long", "", "Bcd", "2\x07"); err != nil || b.String() != "A:    1\nBcd:  2·\n" {
		t.Errorf("%v %q", err, b.String())
	}
}

func TestLastUse(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-3 * time.Minute)
	for want, got := range map[string]string{
		"never": lastUse(nil, ""), "3m ago": lastUse(&at, ""), "3m ago from 192.0.2.1": lastUse(&at, "192.0.2.1"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestReceiptNamesWhoHasNotAnswered(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := &program{stdout: &b}
	err := p.receipt("Revoked x.", adminapi.Receipt{
		Change: 17, Nodes: []adminapi.NodeReceipt{{Node: "n1", SocketsClosed: 1, MS: 1.94}}, Unreached: []string{"n2"},
	})
	want := "Revoked x.\n  n1: ended 1 connection in 1.9 ms\n" +
		"  n2: has not answered; it obeys within 30 s or serves nobody\nAsk again with: gatehouse change show 17\n"
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestReadTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2027-01-31T12:00:00Z": time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC),
		"2027-01-31":           time.Date(2027, 1, 31, 0, 0, 0, 0, time.Local),
		"2h":                   now.Add(2 * time.Hour),
		"7d":                   now.Add(7 * 24 * time.Hour),
		"1.5d":                 now.Add(36 * time.Hour),
	} {
		if got, err := readTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "soon", "d", "9999999999d", "2027-13-01", "1w"} {
		if got, err := readTime(bad, now); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 3 << 20: "3.0 MiB", 5 << 30: "5.0 GiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{-1: "0s", 59 * time.Second: "59s", time.Hour: "1h", 47 * time.Hour: "47h", 72 * time.Hour: "3d"} {
		if got := span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
