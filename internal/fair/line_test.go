package fair_test

import (
	"fmt"
	"slices"
	"testing"

	"gatehouse.dev/internal/fair"
)

// Who comes once does not wait behind a source that came a thousand times.
func TestLineServesSourcesInTurn(t *testing.T) {
	t.Parallel()
	l := fair.NewLine[string]()
	for range 1000 {
		l.Join("herd", "herd")
	}
	if x, _ := l.Next(); x != "herd" {
		t.Fatalf("first is %q", x)
	}
	l.Join("a", "a1")
	l.Join("a", "a2")
	l.Join("b", "b1")
	var got []string
	for range 8 {
		x, ok := l.Next()
		if !ok {
			t.Fatal("the line is closed")
		}
		got = append(got, x)
	}
	for i, x := range []string{"a1", "a2", "b1"} {
		if at := slices.Index(got, x); at < 0 || at > 2*i+2 {
			t.Errorf("%s is number %d of %v", x, at, got)
		}
	}
	if n := l.Waiting(); n != 1003-9 {
		t.Errorf("%d wait, want %d", n, 1003-9)
	}
}

// Sources with few go before those with many, also when they come again and
// again.
func TestLineServesTheFewFirst(t *testing.T) {
	t.Parallel()
	l := fair.NewLine[string]()
	for range 100 {
		for _, herd := range []string{"A", "B", "C", "D", "E", "F", "G", "H"} {
			l.Join(herd, herd)
		}
	}
	for range 16 {
		l.Next()
	}
	for range 20 {
		l.Join("few", "few")
	}
	few := 0
	for range 50 {
		if x, _ := l.Next(); x == "few" {
			few++
		}
	}
	if few != 20 {
		t.Errorf("%d of 20 are among the next 50 of 804", few)
	}
}

// Strangers do not keep those waiting who are in the line already.
func TestLineServesThoseWhoWait(t *testing.T) {
	t.Parallel()
	l := fair.NewLine[int]()
	l.Join("patient", -1)
	l.Join("patient", -2)
	for i := range 20 {
		l.Join(string(rune('A'+i)), i)
	}
	for range 5 {
		if x, _ := l.Next(); x == -2 {
			return
		}
	}
	t.Error("the second of the first source waits for all strangers")
}

func TestLineGivesBackWhoIsLeft(t *testing.T) {
	t.Parallel()
	l := fair.NewLine[int]()
	l.Join("a", 1)
	l.Join("b", 2)
	l.Join("a", 3)
	first, _ := l.Next()
	left := append(l.Close(), first)
	if slices.Sort(left); !slices.Equal(left, []int{1, 2, 3}) {
		t.Errorf("got %v of 1, 2 and 3", left)
	}
	if _, ok := l.Next(); ok {
		t.Error("a closed line gives")
	}
	if l.Join("a", 4) {
		t.Error("a closed line takes")
	}
}

// However many strangers come, who is known has every second turn.
func TestLineStrangersForEver(t *testing.T) {
	t.Parallel()
	l := fair.NewLine[string]()
	const known, turns = 1000, 400
	for range known {
		l.Join("known", "known")
	}
	served := 0
	for i := range turns {
		l.Join(fmt.Sprint("stranger ", i), "stranger")
		if who, ok := l.Next(); ok && who == "known" {
			served++
		}
	}
	if served < turns/2-1 {
		t.Errorf("the known had %d of %d turns, want every second", served, turns)
	}
}
