package clienttest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatehouse.dev/internal/app/apptest"
	"gatehouse.dev/internal/app/clienttest"
)

var fence = regexp.MustCompile("(?s)```(\\w+)\n(.*?)```")

// examples are those of docs/clients.md in a language, with the hosts and
// credentials of a house put in.
func examples(t *testing.T, language string, oldnew []string) (found []string) {
	t.Helper()
	text, err := os.ReadFile(clienttest.Root(t, "docs", "clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			found = append(found, strings.NewReplacer(oldnew...).Replace(m[2]))
		}
	}
	return found
}

// TestDocumented runs the examples of docs/clients.md as they stand there.
func TestDocumented(t *testing.T) {
	t.Parallel()
	s := startShopWith(t, apptest.Options{Dialects: "acqueon: {plain_text: true}\n"}, "  plain_text: true\n")
	ana := s.encryptionUser(t, "ana@shop.example")
	pair := s.Admin.Credential(t, s.Admin.Client(t, "wall", "acqueon/viewer"), "key_pair", "")
	host := strings.TrimPrefix(s.Gate, "http://")
	common := []string{
		"your-key:your-secret", pair.Key + ":" + pair.Secret, `APIKey("your-key", "your-secret")`, `APIKey("` + pair.Key + `", "` + pair.Secret + `")`,
		"ghe_your-secret", ana.Secret, "your-key", s.key.Secret,
		"wss://shop.example", "ws://" + host, "@metrics.example:4747", "@" + host, "wss://", "ws://", "metrics.example:4747", host,
	}
	reports := []string{"CampaignOverviewReport", "LineReport"}

	node := nodeWithPackages(t)
	for i, want := range [][]string{{"here", "2 products", "500 rows", "200 rows", "error 404"}, append(reports, "OpenID")} {
		t.Run([]string{"FieldpineNode", "AcqueonNode"}[i], func(t *testing.T) {
			file := filepath.Join(node, "example"+string(rune('0'+i))+".mjs")
			write(t, file, nth(t, examples(t, "js", common), i))
			prints(t, clienttest.Run(t, nil, nodeWithWS(t), file), want)
		})
	}
	for i, want := range [][]string{{"2 products"}, reports} {
		t.Run([]string{"FieldpineGo", "AcqueonGo"}[i], func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "main.go")
			write(t, file, nth(t, examples(t, "go", common), i))
			prints(t, clienttest.Run(t, nil, "go", "run", file), want)
		})
	}
	t.Run("AcqueonPython", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "example.py")
		write(t, file, nth(t, examples(t, "python", common), 0))
		prints(t, clienttest.Run(t, nil, python(t), file), append(reports, "OpenID"))
	})
	t.Run("Browser", func(t *testing.T) {
		b := clienttest.StartBrowser(t, clienttest.AllCookies)
		pages := examples(t, "html", common)
		site := clienttest.Site{
			Files:   map[string]string{"/shop.html": nth(t, pages, 0), "/wall.html": nth(t, pages, 1)},
			Folders: map[string]string{"/fd1/": clienttest.Fieldpine(t)},
		}.Serve(t)
		for page, want := range map[string][]string{"shop.html": {"Tea", "Kettle"}, "wall.html": reports} {
			var text string
			b.Open(t, site+"/"+page).Call(&text, `(async (last) => {
				while (!document.body.innerText.includes(last)) await new Promise((resolve) => setTimeout(resolve, 50));
				return document.body.innerText;
			})`, want[len(want)-1])
			prints(t, text, want)
		}
	})
}

func nth(t *testing.T, all []string, n int) string {
	t.Helper()
	if len(all) <= n {
		t.Fatalf("the document has %d examples, want more than %d", len(all), n)
	}
	return all[n]
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func prints(t *testing.T, out string, want []string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in what it printed:\n%s", w, out)
		}
	}
}

// nodeWithPackages is a folder from which Node finds the client as an installed
// package, and ws.
func nodeWithPackages(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ours := filepath.Join(dir, "node_modules", "gatehouse-fieldpine")
	if err := os.MkdirAll(ours, 0o700); err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(clienttest.Root(t, "client", "typescript", "fieldpine", "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(ours, "package.json"), string(manifest))
	ws, err := filepath.Abs(clienttest.NodePackage(t, filepath.Join("testdata", "node"), "ws"))
	if err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{filepath.Join(ours, "dist"): clienttest.Fieldpine(t), filepath.Join(dir, "node_modules", "ws"): ws} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
