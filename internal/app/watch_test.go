package app

import (
	"testing"
	"time"

	"gatehouse.dev/internal/config"
)

func TestSkew(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(ms int) time.Time { return now.Add(time.Duration(ms) * time.Millisecond) }
	for _, tt := range []struct {
		before, theirs, after int
		wantErr               bool
	}{
		{0, 5, 10, false},
		{0, 400, 10, false},
		{0, -400, 10, false},
		{0, 600, 10, true},
		{0, -600, 10, true},
		{0, 900, 1000, false}, // a slow answer is no skew
	} {
		if err := skew(at(tt.before), at(tt.theirs), at(tt.after)); (err != nil) != tt.wantErr {
			t.Errorf("skew(%d, %d, %d) = %v", tt.before, tt.theirs, tt.after, err)
		}
	}
}

func TestHostOf(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]config.Host{
		"desk.example.com":       "desk.example.com",
		"Desk.Example.com.:8081": "desk.example.com",
		"127.0.0.1:8081":         "127.0.0.1",
		"[::1]:8081":             "::1",
		"[::1]":                  "::1",
		"a b":                    "",
		"":                       "",
	} {
		if got := hostOf(header); got != want {
			t.Errorf("hostOf(%q) = %q, want %q", header, got, want)
		}
	}
}
