package clienttest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Browser is one headless Chromium.
type Browser struct{ ctx context.Context }

// Cookies is what a browser does about cookies of other sites than the page's,
// and with them about the passwords in WebSocket URLs.
type Cookies int

// As Chromium numbers them.
const (
	AllCookies     Cookies = 0
	OwnSiteCookies Cookies = 1 // what Debian's build begins with
)

// StartBrowser starts Chromium, which ends with the test. Certificates of tests
// are nobody's, so it believes all.
func StartBrowser(t testing.TB, c Cookies) *Browser {
	t.Helper()
	path := Program(t, "install chromium", "chromium", "chromium-browser", "google-chrome")
	profile := t.TempDir()
	if err := os.Mkdir(filepath.Join(profile, "Default"), 0o700); err != nil {
		t.Fatal(err)
	}
	preferences := fmt.Appendf(nil, `{"profile":{"cookie_controls_mode":%d}}`, c)
	if err := os.WriteFile(filepath.Join(profile, "Default", "Preferences"), preferences, 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(profile)}
	for _, name := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-dev-shm-usage", "ignore-certificate-errors",
	} {
		flags = append(flags, chromedp.Flag(name, true))
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	t.Cleanup(stop)
	ctx, quit := chromedp.NewContext(ctx)
	t.Cleanup(quit)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return &Browser{ctx}
}

// Site is a web site of a test, on an origin of its own.
type Site struct {
	Files   map[string]string // path → text
	Folders map[string]string // path that ends with a slash → folder
}

// Serve serves it until the test ends and returns its address. It is one of
// localhost, where pages have WebCrypto and geolocation as under TLS.
func (s Site) Serve(t testing.TB) string {
	t.Helper()
	mux := http.NewServeMux()
	for path, text := range s.Files {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, r.URL.Path, time.Time{}, strings.NewReader(text))
		})
	}
	for path, folder := range s.Folders {
		mux.Handle(path, http.StripPrefix(path, http.FileServer(http.Dir(folder))))
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}
