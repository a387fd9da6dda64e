package clienttest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/internal/app/clienttest"
)

// TestBrowser is all that is done in a browser, in one.
func TestBrowser(t *testing.T) {
	t.Parallel()
	b := clienttest.StartBrowser(t, clienttest.AllCookies)
	t.Run("Acqueon", func(t *testing.T) { testBrowserAcqueon(t, b) })
	t.Run("FieldpineSamples", func(t *testing.T) { testBrowserSamples(t, b, false) })
	t.Run("FieldpineSamplesHello", func(t *testing.T) { testBrowserSamples(t, b, true) })
	t.Run("FieldpineClient", func(t *testing.T) {
		site, s := clientSite(t), startShop(t, "")
		t.Run("Vectors", func(t *testing.T) { testBrowserVectors(t, b, site) })
		t.Run("Attacks", func(t *testing.T) { testBrowserAttacks(t, b, site, s) })
		t.Run("Use", func(t *testing.T) { testBrowserClient(t, b, site, s) })
	})
}

// pageScript is a page with one script of testdata/pages.
func pageScript(t *testing.T, name string) clienttest.Site {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "pages", name))
	if err != nil {
		t.Fatal(err)
	}
	return clienttest.Site{Files: map[string]string{
		"/{$}": `<!doctype html><title>test</title><script src="/` + name + `"></script>`, "/" + name: string(text),
	}}
}

// came calls a function of the page that tells what came on a socket.
func came(p *clienttest.Page, function string, args ...any) (a arrival) {
	p.Call(&a, function, args...)
	return a
}

// testBrowserAcqueon is a dashboard in a page of another origin, whose only way
// to show a credential is the URL. Chromium shows it when it is asked to.
func testBrowserAcqueon(t *testing.T, b *clienttest.Browser) {
	m := startMetrics(t)
	p := b.Open(t, pageScript(t, "acqueon.js").Serve(t))
	d := m.newDance()
	args := m.arguments(t, d)
	steps := []arrival{came(p, "open", args[0]), came(p, "send", 0, args[1])}
	p.Call(nil, "shut", 0)
	steps = append(steps, came(p, "open", args[2]), came(p, "send", 1, args[3]), came(p, "open", args[4]))
	d.danced(t, steps)
	m.handshakes(t, 401, 101, 401, 101, 401, 101)
}

// TestBrowserSites: Chromium sends the password of a WebSocket URL only where it
// would send cookies, too. A page of the same site has no need of them.
func TestBrowserSites(t *testing.T) {
	t.Parallel()
	m := startMetrics(t)
	p := clienttest.StartBrowser(t, clienttest.OwnSiteCookies).Open(t, pageScript(t, "acqueon.js").Serve(t))
	came(p, "open", m.address(m.newName(), m.password())).isEnd(t, 1006, "")
	m.handshakes(t, 401)
	name := m.newName()
	came(p, "open", strings.Replace(m.address(name, m.password()), "127.0.0.1", "localhost", 1)).isOpenID(t, name)
	m.handshakes(t, 401, 101)
}
