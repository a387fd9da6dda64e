package clienttest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/app/apptest"
	"gatehouse.dev/internal/app/clienttest"
)

// clientSite serves the compiled client and a page that uses it.
func clientSite(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "pages", "client.js"))
	if err != nil {
		t.Fatal(err)
	}
	return clienttest.Site{
		Files: map[string]string{
			"/{$}": `<!doctype html><title>test</title><script type="module" src="/client.js"></script>`, "/client.js": string(text),
		},
		Folders: map[string]string{"/fd1/": clienttest.Fieldpine(t)},
	}.Serve(t)
}

// outcome is what a promise of the client came to.
type outcome struct {
	Data  any
	Error string
	Code  int
}

// event is what the client was told.
type event struct {
	Up    bool
	Down  string
	Ended string
	Push  *struct {
		Action string
		Values map[string]any
	}
	Event *struct {
		Schema string
		Values map[string]any
	}
}

func does(t *testing.T, p *clienttest.Page, function string, args ...any) outcome {
	t.Helper()
	var o outcome
	p.Call(&o, "page."+function, args...)
	return o
}

// succeeds fails the test unless it does.
func succeeds(t *testing.T, p *clienttest.Page, function string, args ...any) any {
	t.Helper()
	o := does(t, p, function, args...)
	if o.Error != "" {
		t.Fatalf("%s: %+v", function, o)
	}
	return o.Data
}

func told(p *clienttest.Page) (e event) {
	p.Call(&e, "page.next")
	return e
}

// encryptionUser makes a user with an encryption secret.
func (s *shop) encryptionUser(t *testing.T, name string) apptest.Credential {
	t.Helper()
	return s.Admin.Credential(t, s.Admin.User(t, name, "fieldpine/staff"), "encryption", "")
}

var products = []any{map[string]any{"pid": 1., "description": "Tea"}, map[string]any{"pid": 2., "description": "Kettle"}}

// testBrowserClient uses all of the TypeScript client in a page: by key, and
// then encrypted.
func testBrowserClient(t *testing.T, b *clienttest.Browser, site string, s *shop) {
	secret := s.encryptionUser(t, "ana@shop.example")
	for name, credential := range map[string]map[string]string{
		"Key":       {"apikey": s.key.Secret},
		"Encrypted": {"user": "Ana@Shop.example", "secret": secret.Secret},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.Open(t, site)
			succeeds(t, p, "connect", s.socket(), credential)
			useClient(t, p, s)
			if name == "Encrypted" {
				onlyEncrypted(t, p)
			}
		})
	}
	t.Run("Refused", func(t *testing.T) {
		p := b.Open(t, site)
		short := map[string]any{"loginTimeout": 1000} // silence takes all of it
		for _, wrong := range []map[string]string{{"apikey": "not-a-key"}, {"token": "not-a-token"},
			{"user": "ana@shop.example", "secret": "not the secret"}, {"user": "eve@shop.example", "secret": secret.Secret}} {
			if o := does(t, p, "connect", s.socket(), wrong, short); o.Error != "NoAnswer" {
				t.Errorf("with %v: %+v", wrong, o)
			}
		}
	})
}

// useClient does everything there is to do, over a cut as well.
func useClient(t *testing.T, p *clienttest.Page, s *shop) {
	t.Helper()
	if e := told(p); !e.Up {
		t.Fatalf("told %+v, want up", e)
	}
	rows := func() any { return succeeds(t, p, "call", "fd1.products.get_products").(map[string]any)["rows"] }
	if diff := cmp.Diff(any(products), rows()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if o := does(t, p, "call", "fd1.stock.count"); o.Error != "FD1Error" || o.Code != 404 {
		t.Errorf("an unknown endpoint: %+v", o)
	}
	var sizes []int
	p.Call(&sizes, "page.chunks", "fd1.products.get_all")
	if diff := cmp.Diff([]int{500, 500, 200}, sizes); diff != "" {
		t.Errorf("rows of chunks (-want +got):\n%s", diff)
	}
	succeeds(t, p, "position", map[string]any{"latitude": -36.85, "longitude": 174.76, "accuracy": 25, "altitude": nil, "altitudeAccuracy": nil})
	succeeds(t, p, "firehose", "device.event", map[string]any{"_sc": "device.scale.reading", "kg(>)": 1})
	hears := func() {
		t.Helper()
		s.Admin.Post(t, "/v1/events", map[string]any{"event": "device.event", "sc": "device.scale.reading", "v": map[string]any{"kg": 0.5}}, nil)
		s.Admin.Post(t, "/v1/events", map[string]any{"event": "device.event", "sc": "device.scale.reading", "v": map[string]any{"kg": 2}}, nil)
		if e := told(p); e.Event == nil || e.Event.Schema != "device.scale.reading" || e.Event.Values["kg"] != 2. {
			t.Fatalf("told %+v, want the event", e)
		}
		s.Admin.Post(t, "/v1/pushes", map[string]any{"to": map[string]any{"all": true}, "a": "fn1.shop.open", "v": map[string]any{"till": 7}}, nil)
		if e := told(p); e.Push == nil || e.Push.Action != "fn1.shop.open" || e.Push.Values["till"] != 7. {
			t.Fatalf("told %+v, want the push", e)
		}
	}
	hears()

	// The socket is cut; the client comes back and all is as it was.
	s.cut(t)
	if e := told(p); e.Down != "Closed: the socket is closed: 1008 closed by an administrator" {
		t.Fatalf("told %+v, want the end", e)
	}
	if e := told(p); !e.Up {
		t.Fatalf("told %+v, want up again", e)
	}
	if diff := cmp.Diff(any(products), rows()); diff != "" {
		t.Errorf("rows on the second socket (-want +got):\n%s", diff)
	}
	hears()
	p.Eval("page.close()", nil)
	if o := does(t, p, "call", "fd1.products.get_products"); o.Error != "Closed" {
		t.Errorf("a call after the end: %+v", o)
	}
}

// cut ends all sockets, as an administrator may.
func (s *shop) cut(t *testing.T) {
	t.Helper()
	var list struct{ Items []struct{ ID string } }
	if _, err := s.Admin.Call(t.Context(), "GET", "/v1/conns?dialect=fieldpine", nil, &list); err != nil || len(list.Items) == 0 {
		t.Fatalf("conns: %+v, %v", list, err)
	}
	for _, c := range list.Items {
		s.Admin.Post(t, "/v1/conns/"+c.ID+"/close", nil, nil)
	}
}

var encOnly = regexp.MustCompile(`^\{"enc":"[A-Za-z0-9+/]+=*"\}$`)

// onlyEncrypted checks what travelled: two names, two hashes, and nothing else in
// clear.
func onlyEncrypted(t *testing.T, p *clienttest.Page) {
	t.Helper()
	clear := 0
	for _, f := range p.Frames() {
		if encOnly.MatchString(f.Text) {
			continue
		}
		clear++
		if f.Sent && !strings.HasPrefix(f.Text, `{"a":"fd1.session.login","v":{"encryption_user":"Ana@Shop.example"}`) ||
			!f.Sent && !strings.Contains(f.Text, `"data":{"hash":"1$`) {
			t.Errorf("in clear: %s", f.Text)
		}
	}
	if clear != 4 {
		t.Errorf("%d messages in clear, want 4", clear)
	}
}
