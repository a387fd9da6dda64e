package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "gatehouse.dev"

// Names are import paths; ours are written from the root of the module, with a
// leading ./ that tells them from the standard library's own internal packages.
var (
	nouns   = internal("tenant", "principal", "credential", "token", "grant", "session", "policy", "audit", "identity", "revocation")
	entry   = internal("authn", "throttle", "remember", "live")
	edges   = internal("dialect/...", "oidc/...", "gateway/...", "gate", "adminapi/...", "console/...")
	stores  = append(internal("store/..."), "database/sql", "github.com/jackc/pgx/...", "modernc.org/sqlite/...")
	summits = internal("config/...", "app/...", "demo/...")
)

// notYet are names that the rules know before the packages exist. Take a name
// out when its package comes.
var notYet = internal("session", "oidc/...", "console/...")

func internal(names ...string) []string {
	for i, n := range names {
		names[i] = "./internal/" + n
	}
	return names
}

// A rule forbids imports. With direct, only those written in the package's own
// files count; otherwise everything that comes along with them counts too.
type rule struct {
	packages []string
	except   []string
	mayNot   []string
	direct   bool
	because  string
}

var rules = []rule{
	{
		packages: []string{"./client/...", "./gateidentity/..."},
		mayNot:   []string{"./internal/..."},
		because:  "other programs import it, and anything internal would come along",
	},
	{
		packages: nouns,
		mayNot:   slices.Concat([]string{"net/http"}, entry, edges, stores, summits),
		because:  "a noun is an idea; HTTP, SQL and configuration are ways to reach it",
	},
	{
		packages: entry,
		mayNot:   slices.Concat(edges, stores, summits),
		because:  "the one way in serves every edge and every store, so it knows none",
	},
	{
		packages: internal("dialect/*"),
		except:   internal("dialect/dialecttest"),
		mayNot:   slices.Concat(internal("dialect/*", "bus/...", "throttle", "gateway/..."), stores, summits),
		direct:   true,
		because:  "a dialect reads and writes one wire protocol; it asks authn and sees no store, no bus and no other dialect",
	},
	{
		packages: edges,
		mayNot:   slices.Concat(stores, summits),
		direct:   true,
		because:  "an edge is handed what it needs; only the composition root knows where it came from",
	},
	{
		packages: internal("store/..."),
		mayNot:   slices.Concat([]string{"net/http"}, internal("authn"), edges, summits),
		direct:   true,
		because:  "a store keeps invariants; it does not decide who may come in",
	},
	{
		packages: []string{"./..."},
		except:   append(internal("app/...", "config/...", "demo/..."), "./cmd/...", "./bench/..."),
		mayNot:   summits,
		direct:   true,
		because:  "only the commands and the composition root read configuration and know how things are put together",
	},
}

// listed is the part of `go list -json` that the rules read.
type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestImports(t *testing.T) {
	t.Parallel()
	packages := list(t)
	for _, r := range rules {
		for _, p := range packages {
			name := short(p.ImportPath)
			if !matchAny(r.packages, name) || matchAny(r.except, name) {
				continue
			}
			imports := p.Deps
			if r.direct {
				imports = p.Imports
			}
			for _, i := range imports {
				if in := short(i); in != name && matchAny(r.mayNot, in) {
					t.Errorf("%s imports %s%s\nnot allowed: %s", name, in, via(packages, p, i), r.because)
				}
			}
		}
	}
}

// TestNamesExist keeps the rules honest: a name that matches nothing guards
// nothing, and would do so silently after a package was renamed.
func TestNamesExist(t *testing.T) {
	t.Parallel()
	var names []string
	for _, p := range list(t) {
		names = append(names, short(p.ImportPath))
		names = append(names, p.Deps...)
	}
	for _, must := range slices.Concat(nouns, entry, edges, stores, summits) {
		if !slices.ContainsFunc(names, func(n string) bool { return match(must, n) }) && !slices.Contains(notYet, must) {
			t.Errorf("no package %s: the rules that name it guard nothing", must)
		}
	}
}

// via names the direct import through which i comes into p.
func via(packages []listed, p listed, i string) string {
	if slices.Contains(p.Imports, i) {
		return ""
	}
	for _, direct := range p.Imports {
		n := slices.IndexFunc(packages, func(q listed) bool { return q.ImportPath == direct })
		if n >= 0 && slices.Contains(packages[n].Deps, i) {
			return " through " + short(direct)
		}
	}
	return ""
}

func list(t *testing.T) []listed {
	t.Helper()
	touchSources(t)
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("read go list: %v", err)
		}
		all = append(all, p)
	}
}

// touchSources looks at every source file, because `go test` remembers a result
// until a file changes that the test itself looked at; `go list` runs outside.
func touchSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir("../..", func(p string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(p) != ".go" {
			return err
		}
		_, err = os.Stat(p)
		return err
	})
	if err != nil {
		t.Fatalf("walk the sources: %v", err)
	}
}

// short writes our own packages from the root of the module.
func short(importPath string) string {
	if name, ours := strings.CutPrefix(importPath, module+"/"); ours {
		return "./" + name
	}
	return importPath
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, name) })
}

// match knows three shapes: a name, a glob for one level (dialect/*), and /...
// for a name and everything below.
func match(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == prefix || strings.HasPrefix(name, prefix+"/")
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"token", "token", true},
		{"token", "tokens", false},
		{"dialect/*", "dialect/ayyeka", true},
		{"dialect/*", "dialect", false},
		{"dialect/*", "dialect/ayyeka/sub", false},
		{"store/...", "store", true},
		{"store/...", "store/sqlite", true},
		{"store/...", "storetest", false},
	} {
		if got := match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("match(%q, %q) = %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}
