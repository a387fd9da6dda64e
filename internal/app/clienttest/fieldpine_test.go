package clienttest_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/app/apptest"
	"gatehouse.dev/internal/app/clienttest"
)

// shop is a house that speaks FD1 under TLS, with a backend, and somebody who
// may use all of it.
type shop struct {
	*apptest.House
	owner string // a client's id
	key   apptest.Credential
}

// startShop starts one; settings are more lines of the dialect's.
func startShop(t *testing.T, settings string) *shop {
	t.Helper()
	cert, key := certificate(t)
	return startShopWith(t, apptest.Options{Cert: cert, Key: key}, settings)
}

func startShopWith(t *testing.T, o apptest.Options, settings string) *shop {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(apptest.AnswerShop))
	t.Cleanup(backend.Close)
	o.Upstreams = "shop: {urls: ['" + backend.URL + "']}"
	o.Dialects += `
fieldpine:
  endpoints:
    - {action: fd1.products.*, upstream: shop}
    - {action: fd1.sales.get_sale, upstream: shop, entity: Sale}
` + settings
	h := apptest.Start(t, o)
	owner := h.Admin.Client(t, "till", "fieldpine/staff")
	return &shop{h, owner, h.Admin.Credential(t, owner, "api_key", "")}
}

// certificate writes a certificate for 127.0.0.1 that nobody vouches for.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	donor := httptest.NewTLSServer(http.NotFoundHandler())
	defer donor.Close()
	pair := donor.TLS.Certificates[0]
	raw, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: raw},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// saleToken is a token for one sale.
func (s *shop) saleToken(t *testing.T, sale string) string {
	t.Helper()
	var out struct{ Secret string }
	s.Admin.Post(t, "/v1/credentials", map[string]any{
		"principal": s.owner, "kind": "scoped_token", "expires": time.Now().Add(time.Hour),
		"scope": map[string]any{"type": "Sale", "key": sale, "actions": []string{"fd1.sales.get_sale"}},
	}, &out)
	return out.Secret
}

// socket is the address for FD1.
func (s *shop) socket() string {
	return "ws" + strings.TrimPrefix(s.Gate, "http") + "/fd1/open_websocket"
}

// sample is a documented sample with what had to be replaced in it.
func sample(t *testing.T, name string, oldnew ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "fieldpine", name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(oldnew); i += 2 {
		if n := strings.Count(string(text), oldnew[i]); n != 1 {
			t.Fatalf("%s has %q %d times", name, oldnew[i], n)
		}
	}
	return strings.NewReplacer(oldnew...).Replace(string(text))
}

// response is what came on an FD1 socket.
type response struct {
	R     string
	RP    json.RawMessage
	Data  json.RawMessage
	Error *struct{ Code int }

	Code   int // of the end
	Reason string
}

func (r response) String() string {
	text, _ := json.Marshal(r)
	return string(text)
}

// isAcknowledgement checks the answer to a login.
func (r response) isAcknowledgement(t *testing.T) {
	t.Helper()
	if r.R != "fd1.session.login" || string(r.Data) != "{}" || r.Error != nil {
		t.Fatalf("the login was answered with %v", r)
	}
}

// isProducts checks the answer to the documented request.
func (r response) isProducts(t *testing.T) {
	t.Helper()
	const want = `{"rows":[{"pid":1,"description":"Tea"},{"pid":2,"description":"Kettle"}]}`
	if r.R != "fd1.products.get_products" || string(r.RP) != "293848" || string(r.Data) != want {
		t.Fatalf("the request was answered with %v", r)
	}
}

// heard calls a function of the page that tells what came on its socket.
func heard(p *clienttest.Page, function string) (r response) {
	p.Call(&r, function)
	return r
}

// testBrowserSamples runs the vendor's own samples in a page of another origin.
func testBrowserSamples(t *testing.T, b *clienttest.Browser, hello bool) {
	settings := ""
	if hello {
		settings = "  hello: true\n"
	}
	s := startShop(t, settings)
	site := pageScript(t, "fieldpine.js").Serve(t)
	greeted := func(t *testing.T, p *clienttest.Page) {
		if !hello {
			return
		}
		if r := heard(p, "next"); r.String() != (response{}).String() {
			t.Fatalf("first came %v, want {}", r)
		}
	}

	t.Run("Simple", func(t *testing.T) {
		p := b.Open(t, site)
		p.Call(nil, "start", sample(t, "simple.js", "wss://example.com/fd1/open_websocket", s.socket(), "my api key", s.key.Secret), "MyWebSocket")
		greeted(t, p)
		heard(p, "next").isAcknowledgement(t)
		p.Eval("say(MyWebSocket, "+quote(sample(t, "request.js"))+")", nil)
		heard(p, "next").isProducts(t)
	})
	t.Run("SilentUntilLogin", func(t *testing.T) {
		p := b.Open(t, site)
		p.Call(nil, "start", sample(t, "simple.js", "wss://example.com/fd1/open_websocket", s.socket(), "my api key", "not-a-key"), "MyWebSocket")
		p.Eval("opened(MyWebSocket)", nil)
		greeted(t, p)
		p.Eval("say(MyWebSocket, "+quote(sample(t, "request.js"))+")", nil)
		var silent bool
		if p.Call(&silent, "silent", 1000); !silent {
			t.Fatalf("to a wrong key and a request came %v", heard(p, "next"))
		}
		// The literal of the document, on the same socket.
		p.Eval("say(MyWebSocket, "+quote(sample(t, "apikey.js", "my api key", s.key.Secret))+")", nil)
		heard(p, "next").isAcknowledgement(t)
	})
	t.Run("Token", func(t *testing.T) {
		p := b.Open(t, site)
		p.Call(nil, "start", sample(t, "simple.js", "wss://example.com/fd1/open_websocket", s.socket(), "my api key", "not-a-key"), "MyWebSocket")
		p.Eval("opened(MyWebSocket)", nil)
		greeted(t, p)
		p.Eval("say(MyWebSocket, "+quote(sample(t, "token.js", "my token", s.saleToken(t, "7741")))+")", nil)
		heard(p, "next").isAcknowledgement(t)
		ask := func(sale string) response {
			p.Eval(`MyWebSocket.send(JSON.stringify({a: "fd1.sales.get_sale", rq: 1, k: "`+sale+`"}))`, nil)
			return heard(p, "next")
		}
		if r := ask("7741"); r.Error != nil || string(r.Data) != `{"a":"fd1.sales.get_sale","k":"7741"}` {
			t.Errorf("the sale of the token: %v", r)
		}
		if r := ask("7742"); r.Error == nil || r.Error.Code != 403 {
			t.Errorf("another sale: %v", r)
		}
	})
	t.Run("PositionBeforeLogin", func(t *testing.T) {
		p := b.Open(t, site)
		p.Locate(-36.85, 174.76, 25)
		p.Call(nil, "run", sample(t, "geolocation_position.js"))
		p.Eval("located()", nil)
		testPositioned(t, p, s, greeted)
		sentGeo(t, p, "fd1.session.login")
	})
	t.Run("PositionAfterLogin", func(t *testing.T) {
		p := b.Open(t, site)
		p.Locate(-36.85, 174.76, 25)
		p.Call(nil, "holdPosition")
		p.Call(nil, "run", sample(t, "geolocation_position.js"))
		testPositioned(t, p, s, greeted)
		p.Eval("release(); located()", nil)
		p.Eval("say(ServerSocket, "+quote(sample(t, "request.js"))+")", nil)
		heard(p, "next").isProducts(t)
		sentGeo(t, p, "fd1.session.set_option")
	})
}

// testPositioned goes on with the sample after it has asked for its position.
func testPositioned(t *testing.T, p *clienttest.Page, s *shop, greeted func(*testing.T, *clienttest.Page)) {
	t.Helper()
	p.Call(nil, "start", sample(t, "geolocation_open.js", "wss://your-server.com/fd1/open_websocket", s.socket()), "ServerSocket")
	p.Eval("opened(ServerSocket)", nil)
	greeted(t, p)
	p.Call(nil, "run", sample(t, "geolocation_login.js", "your-api-key", s.key.Secret))
	heard(p, "next").isAcknowledgement(t)
	p.Eval("say(ServerSocket, "+quote(sample(t, "request.js"))+")", nil)
	heard(p, "next").isProducts(t)
}

// sentGeo checks that the position went out with that action.
func sentGeo(t *testing.T, p *clienttest.Page, action string) {
	t.Helper()
	const geo = `"geo":{"latitude":-36.85,"longitude":174.76,"accuracy":25,"altitude":null,"altitudeAccuracy":null}`
	for _, f := range p.Frames() {
		if f.Sent && strings.Contains(f.Text, `"a":"`+action+`"`) && strings.Contains(f.Text, geo) {
			return
		}
	}
	t.Errorf("no %s with the position among %v", action, p.Frames())
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // text cannot fail
	return string(quoted)
}
