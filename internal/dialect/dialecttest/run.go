package dialecttest

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Target is a server to replay against.
type Target struct {
	// Addr is host:port of a plain TCP listener.
	Addr string
	// Vars are what the recording may use between braces.
	Vars map[string]string
	// Do are what its do lines may call; a returned error fails the test.
	Do map[string]func(ctx context.Context, args ...string) error
	// Forms are further kinds of frames: text frames that travel in another form
	// than the recording shows, such as encrypted ones.
	Forms map[string]Form
}

// Form makes the text of a frame of what a recording says, and the other way
// round. What has only one direction leaves the other out.
type Form struct {
	Encode, Decode func(text string) (string, error)
}

// Run replays every file that matches the glob as a parallel subtest, each
// against a fresh target. That none matches is a failure too.
func Run(t *testing.T, glob string, setup func(t *testing.T) Target) {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings match %s (%v)", glob, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			exchanges, err := parse(string(text))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			p := newPlayer(setup(t))
			for _, x := range exchanges {
				passed := t.Run(x.name, func(t *testing.T) {
					if err := p.play(t.Context(), x); err != nil {
						t.Fatalf("%s: %v", file, err)
					}
				})
				if !passed {
					return // later exchanges build on earlier ones
				}
			}
		})
	}
}

// player replays the exchanges of one recording, which share variables.
type player struct {
	Target
	vars map[string]string
}

func newPlayer(target Target) *player {
	p := &player{Target: target, vars: map[string]string{}}
	maps.Copy(p.vars, target.Vars)
	return p
}
