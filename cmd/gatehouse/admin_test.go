package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gatehouse.dev/internal/admintest"
	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/policy"
	"gatehouse.dev/internal/principal"
)

// crewRules are what a dialect would bring along.
var crewRules = policy.Part{
	Name:  "boats",
	Roles: []policy.Role{{Name: "boats/crew"}, {Name: "boats/captain", Includes: []string{"boats/crew"}}},
	Cedar: `@id("boats/sail") permit (principal in Role::"boats/crew", action in Action::"boat:sail:*", resource);`,
}

type installationKey struct{}

// TestAdminScripts runs the commands of administration as a user does, each
// script against an installation of its own in this process: data/admin.sock is
// its socket, $DESK its address, and the file key an administrator's.
func TestAdminScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/admin", RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			in := admintest.New(t, crewRules)
			data := filepath.Join(e.WorkDir, "data")
			if err := os.Mkdir(data, 0o700); err != nil {
				return err
			}
			in.ServeSocket(data)
			e.Setenv("DESK", strings.TrimSuffix(in.Serve(), "/api"))
			e.Setenv("TZ", "UTC")
			e.Values[installationKey{}] = in
			key := in.Admin(in.Default, "root", principal.InstallationRole)
			return os.WriteFile(filepath.Join(e.WorkDir, "key"), []byte(key.Reveal()+"\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"capture": capture, "scrub": scrub, "open": open, "opened": opened, "acme-key": acmeKey,
		},
	})
}

func installation(ts *testscript.TestScript) *admintest.Installation {
	return ts.Value(installationKey{}).(*admintest.Installation)
}

// capture VAR REGEXP sets a variable to what the first group matches in the
// output of the last command.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if m == nil {
		ts.Fatalf("nothing matches %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// What differs from run to run, with something as long in its place so that
// tables keep their shape.
var scrubbers = []*regexp.Regexp{
	regexp.MustCompile(`\b(?:ten|usr|cli|app|dev|cre|sec|key|con|tok)_([0-9a-z]{26})`),
	regexp.MustCompile(`\bghk_([0-9A-Za-z]{49}|[0-9A-Za-z]{6})`),
	regexp.MustCompile(`\b([0-9A-F]{32})\b`),
	regexp.MustCompile(`([0-9A-Za-z+/]{43}=)`),
	regexp.MustCompile(`(\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?)`),
}

var took = regexp.MustCompile(`in [0-9.]+ ms`)

// scrub FILE writes the last output there without what differs.
func scrub(ts *testscript.TestScript, _ bool, args []string) {
	out := ts.ReadFile("stdout")
	for _, re := range scrubbers {
		for _, m := range re.FindAllStringSubmatch(out, -1) {
			out = strings.ReplaceAll(out, m[1], strings.Repeat("x", len(m[1])))
		}
	}
	out = took.ReplaceAllString(out, "in N ms")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out), 0o600))
}

// open N CREDENTIAL opens that many conns that rest on it.
func open(ts *testscript.TestScript, _ bool, args []string) {
	in := installation(ts)
	ctx := in.Context()
	c, err := in.Store.Credential(ctx, args[1])
	ts.Check(err)
	p, err := in.Store.Principal(ctx, c.Principal)
	ts.Check(err)
	for range number(ts, args[0]) {
		in.Open(in.Default, p, c.ID)
	}
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

// opened N waits until that many conns are open.
func opened(ts *testscript.TestScript, _ bool, args []string) {
	want := number(ts, args[0])
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if n := installation(ts).Index.Len(); n == want {
			return
		} else if time.Now().After(until) {
			ts.Fatalf("%d conns are open, want %d", n, want)
		}
	}
}

// acme-key FILE makes the tenant acme and writes the key of its administrator.
func acmeKey(ts *testscript.TestScript, _ bool, args []string) {
	in := installation(ts)
	acme, err := in.Tenants.Create(in.Context(), audit.By{}, "acme")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(in.Admin(acme, "boss").Reveal()), 0o600))
}
