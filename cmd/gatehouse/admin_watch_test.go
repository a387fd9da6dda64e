package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse.dev/internal/admintest"
)

// watched runs a watch of a second for a while, with rounds that say their
// number or fail.
func watched(t *testing.T, a *admin, d time.Duration, fail func(n int) error) (string, error) {
	var out bytes.Buffer
	a.program = &program{stdout: &out}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	n := 0
	err := a.watch(ctx, time.Second, func() error {
		n++
		if err := fail(n); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "{\n  \"n\": %d\n}\n", n)
		return nil
	})
	return out.String(), err
}

// TestWatchWithoutTerminal: rounds follow each other until Ctrl-C, and the first
// failure is told.
func TestWatchWithoutTerminal(t *testing.T) {
	t.Parallel()
	never := func(int) error { return nil }
	synctest.Test(t, func(t *testing.T) {
		text, err := watched(t, &admin{}, 2500*time.Millisecond, never)
		if err != nil || strings.Count(text, "\n2000-01-01T") != 2 || !strings.HasPrefix(text, "2000-01-01T") || strings.Contains(text, "\x1b") {
			t.Errorf("%v\n%s\nwant three rounds, each below its time", err, text)
		}
		text, err = watched(t, &admin{json: true}, 2500*time.Millisecond, never)
		if err != nil || text != "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n" {
			t.Errorf("%v\n%s\nwant three lines", err, text)
		}
		gone := errors.New("gone")
		text, err = watched(t, &admin{}, time.Minute, func(n int) error {
			if n == 2 {
				return gone
			}
			return nil
		})
		if !errors.Is(err, gone) || strings.Count(text, "2000-01-01T") != 1 {
			t.Errorf("%v\n%s\nwant one round and the failure", err, text)
		}
	})
}

// TestWatchDraws: a round fits the screen and leaves nothing of the last one.
func TestWatchDraws(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	got := string(drawn([]byte("héad\na\nb\nc\nd\n"), at, 5, 3, true))
	want := "\x1b[2J\x1b[H09:\x1b[K\nhéa\x1b[K\na\x1b[K\n… a\x1b[K\n\x1b[J"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
	got = string(drawn([]byte("head\na\n"), at, 5, 80, false))
	if want := "\x1b[H09:30:00  (Ctrl-C ends)\x1b[K\nhead\x1b[K\na\x1b[K\n\x1b[J"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestWatchConns watches a server as a user does, until the end of the conn that
// it shows.
func TestWatchConns(t *testing.T) {
	t.Parallel()
	in := admintest.New(t)
	data := t.TempDir()
	in.ServeSocket(data)
	client := in.User(in.Default, "nightly")
	in.Open(in.Default, client, in.Key(client).Credential.ID)

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen := &until{text: "nightly", times: 3, then: cancel}
	args := []string{"conn", "list", "--watch=100ms", "--data", data}
	if err := run(ctx, args, func(string) string { return "" }, nil, seen, io.Discard); err != nil {
		t.Error(err)
	}
	if seen.times > 0 || strings.Contains(seen.String(), "\x1b") {
		t.Errorf("%q, want three rounds and nothing for terminals", seen.String())
	}
}

// until is an output that calls then once it has got the text so many times.
type until struct {
	bytes.Buffer
	text  string
	times int
	then  func()
}

func (u *until) Write(p []byte) (int, error) {
	if u.times -= strings.Count(string(p), u.text); u.times <= 0 {
		u.then()
	}
	return u.Buffer.Write(p)
}
