package app_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatehouse.dev/internal/app"
	"gatehouse.dev/internal/app/apptest"
	"gatehouse.dev/internal/dialect"
)

// Routes for the canaries: every kind of credential, the query included.
const canaryRoute = `
  - {name: canary, path: /canary/, rewrite: /files/, credentials: [bearer, key, basic], key_query: api_key, roles: [ayyeka/operator], upstream: sample}
  - {name: perch, path: /perch, rewrite: /echo, websocket: true, credentials: [bearer, key, basic, ticket, message], first_message: {member: key, as: key}, roles: [ayyeka/operator], upstream: sample}
`

// TestCanary puts marked secrets, good ones and wrong ones, into every way in
// that the server says it has, and then looks for them wherever something is
// written down: logs, metrics, the audit record, answers, and every file of the
// data folder.
func TestCanary(t *testing.T) {
	t.Parallel()
	h := startShop(t, apptest.Options{Dialects: "acqueon: {plain_text: true, scope: ''}\n", Routes: canaryRoute, Extra: "forward_auth: {proxies: [127.0.0.1]}"})
	cage := newCage(t, h)

	for _, w := range h.Server.WaysIn() {
		if special, known := cageSockets[w.Owner+" "+string(w.In)]; known {
			special(cage, w)
			continue
		}
		put, known := cageDoors[w.In]
		if !known {
			t.Errorf("no canary for %s at %s of %s", w.In, w.Path, w.Owner)
			continue
		}
		for _, c := range cage.forWay(w) {
			cage.send(w, put, c)
		}
	}
	cage.sockets.Wait() // before what they show is taken away
	cage.throughAdminAPI()

	cage.look("the log", h.Log.String())
	_, metrics := get(t, h.OpsClient(), "http://ops/metrics")
	cage.look("metrics", metrics)
	cage.look("the audit record", audit(t, h))
	cage.lookAtFiles("while serving")
	if err := h.Stop(); err != nil {
		t.Error(err)
	}
	cage.look("the log", h.Log.String())
	cage.lookAtFiles("after the end")
	if cage.good == 0 {
		t.Error("no good secret was accepted, so nothing was tried")
	}
}

// canary is one secret, and what goes with it.
type canary struct {
	name string // user name or public key beside it
	text string
	good bool
}

// cage holds the canaries and knows where they have been let out.
type cage struct {
	t    *testing.T
	h    *apptest.House
	all  []string
	n    int
	good int

	pair, key, user apptest.Credential
	token           string
	fd1Ticket       string

	sockets sync.WaitGroup // canaries on their way through sockets
	mu      sync.Mutex     // of all and good, while some are
}

func newCage(t *testing.T, h *apptest.House) *cage {
	c := &cage{t: t, h: h}
	client := h.Admin.Client(t, "canary", "ayyeka/operator", "feed/publisher", "acqueon/viewer", "fieldpine/shop")
	c.pair = h.Admin.Credential(t, client, "key_pair", "ayyeka")
	c.key = h.Admin.Credential(t, client, "api_key", "")
	person := h.Admin.User(t, "tweety", "ayyeka/operator", "feed/publisher")
	c.user = apptest.Credential{Key: "tweety", Secret: c.mark("password with a blank")}
	var made struct{ Credential struct{ ID string } }
	h.Admin.Post(t, "/v1/credentials", map[string]any{"principal": person, "kind": "password", "password": c.user.Secret}, &made)
	c.user.ID = made.Credential.ID
	c.token = buyToken(t, h, c.pair)
	c.keep(c.pair.Secret, c.key.Secret, c.token, h.Admin.Token.Reveal())
	return c
}

// mark makes a canary that nobody else would write.
func (c *cage) mark(what string) string {
	c.n++
	text := fmt.Sprintf("canary-%d-%s-0d15ea5e", c.n, what)
	c.keep(text)
	return text
}

// keep has more texts looked for.
func (c *cage) keep(texts ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, texts...)
}

// forWay are the canaries to send one way: those that are good there, and wrong
// ones of several shapes.
func (c *cage) forWay(w app.Way) []canary {
	wrong := func(shape string) canary { return canary{name: c.pair.Key, text: c.mark(shape)} }
	dotted := func() string {
		part := base64.RawURLEncoding.EncodeToString([]byte(c.mark("claims")))
		c.keep(part)
		return `eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9.` + part + "." + part
	}
	ayyeka := w.Owner == "dialect ayyeka"
	switch w.In {
	case dialect.BasicHeader, dialect.FormSecret:
		all := []canary{wrong("plain"), wrong("with%2Bpercent+plus"), {name: "nobody", text: c.mark("of nobody")}, {name: c.pair.Key, text: c.pair.Secret, good: true}}
		if !ayyeka {
			all = append(all, canary{name: "tweety", text: c.mark("wrong password")}, canary{name: c.user.Key, text: c.user.Secret, good: true})
		}
		return all
	case dialect.BasicName:
		return []canary{{name: c.mark("as-name"), text: "x"}, {name: strings.ToUpper(hex.EncodeToString([]byte(c.mark("16bytes"))))[:32], text: c.mark("secret of nobody")}}
	case dialect.BearerHeader:
		bad := dotted()
		c.keep(bad)
		return []canary{wrong("opaque"), {text: bad}, {text: c.token[:len(c.token)-8] + "AAAAAAAA"}, {text: c.token, good: true}}
	default:
		return []canary{wrong("key"), {text: "ghk_" + c.mark("shape")}, {text: c.key.Secret, good: true}}
	}
}

// cageDoors put a canary into a request.
var cageDoors = map[dialect.WayIn]func(r *http.Request, w app.Way, c canary){
	dialect.BasicHeader:  func(r *http.Request, _ app.Way, c canary) { r.SetBasicAuth(c.name, c.text) },
	dialect.BasicName:    func(r *http.Request, _ app.Way, c canary) { r.SetBasicAuth(c.name, c.text) },
	dialect.BearerHeader: func(r *http.Request, _ app.Way, c canary) { r.Header.Set("Authorization", "Bearer "+c.text) },
	dialect.HeaderKey:    func(r *http.Request, w app.Way, c canary) { r.Header.Set(w.Name, c.text) },
	dialect.QueryKey: func(r *http.Request, w app.Way, c canary) {
		r.URL.RawQuery = url.Values{w.Name: {c.text}}.Encode()
	},
	dialect.FormSecret: func(r *http.Request, _ app.Way, c canary) {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.name}, "client_secret": {c.text}}.Encode()
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(form)), int64(len(form))
	},
}

// send sends one canary one way, and looks at what comes back.
func (c *cage) send(w app.Way, put func(*http.Request, app.Way, canary), one canary) {
	c.t.Helper()
	method, path := http.MethodGet, w.Path
	if strings.HasSuffix(path, "/") {
		path += "site"
	}
	body := ""
	if w.Method == http.MethodPost && w.Owner == "tickets" {
		method = http.MethodPost
	}
	if w.Path == "/auth/token" {
		method, body = http.MethodPost, "grant_type=client_credentials"
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.h.Gate+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if w.Owner == "feeds" {
		feedRequest(req, w)
	}
	put(req, w, one)
	if w.Socket {
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
		} {
			req.Header.Set(name, value)
		}
	}
	if w.Owner == "forward-auth" {
		req.Header.Set("X-Original-Method", http.MethodGet)
		req.Header.Set("X-Original-URI", "/canary/site?"+req.URL.RawQuery)
		req.URL.RawQuery = ""
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer []byte
	if res.StatusCode != http.StatusSwitchingProtocols { // nothing has been said on it yet
		if answer, err = io.ReadAll(res.Body); err != nil {
			c.t.Fatal(err)
		}
	}
	if accepted := res.StatusCode < 300; accepted != one.good {
		c.t.Errorf("%s at %s of %s: good %v, answered %d %s", w.In, w.Path, w.Owner, one.good, res.StatusCode, answer)
	} else if accepted {
		c.accepted()
	}
	head := new(bytes.Buffer)
	res.Header.Write(head)
	if w.Path == "/auth/token" && one.good {
		return // the answer is a token, for whoever showed the secret
	}
	c.look(fmt.Sprintf("the answer of %s to %s", w.Path, w.In), head.String()+string(answer))
}

// feedRequest makes a request to publish something.
func feedRequest(r *http.Request, w app.Way) {
	r.Method = w.Method
	r.URL.Path = strings.NewReplacer("{feed}", "metrics", "{report}", "Calls", "{key}", "c-1").Replace(w.Path)
	body, kind := `{"CallID":"c-1"}`, "application/json"
	switch {
	case w.Method == http.MethodPut:
		r.URL.RawQuery, body = "key=CallID", "[]"
	case w.Method == http.MethodPost:
		kind, body = "application/x-ndjson", `{"report":"Calls","kind":"remove","key":"c-1"}`
	}
	r.Header.Set("Content-Type", kind)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
}

// look fails for each canary that it finds, in whatever spelling.
func (c *cage) look(where, text string) {
	c.t.Helper()
	c.mu.Lock()
	all := slices.Clone(c.all)
	c.mu.Unlock()
	for _, secret := range all {
		for _, spelling := range spellings(secret) {
			if at := strings.Index(text, spelling); at >= 0 {
				c.t.Errorf("%s holds %q as %q: …%q…", where, secret, spelling, text[max(0, at-80):min(len(text), at+len(spelling)+20)])
				break
			}
		}
	}
}

// spellings are the ways in which a text gets written down by accident.
func spellings(s string) []string {
	raw := []byte(s)
	all := []string{s, hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), url.QueryEscape(s), url.PathEscape(s)}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		// In base64 a text looks different at each of three offsets; the first and
		// last characters depend on its neighbours.
		for skip := range 3 {
			if len(raw) > skip+6 {
				all = append(all, enc.EncodeToString(raw[skip:len(raw)-(len(raw)-skip)%3]))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// audit is the whole record, personal fields included.
func audit(t *testing.T, h *apptest.House) string {
	t.Helper()
	var all strings.Builder
	for after := int64(0); ; {
		var page struct {
			Items []json.RawMessage
			Next  int64
		}
		path := fmt.Sprintf("/v1/audit?order=oldest&reveal=true&limit=500&after=%d", after)
		if _, err := h.Admin.Call(t.Context(), http.MethodGet, path, nil, &page); err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Items {
			all.Write(row)
		}
		if after = page.Next; after == 0 {
			return all.String()
		}
	}
}

// lookAtFiles looks into every file of the data folder.
func (c *cage) lookAtFiles(when string) {
	c.t.Helper()
	looked := 0
	err := filepath.WalkDir(filepath.Join(c.h.Dir, "state"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		looked++
		c.look(filepath.Base(path)+" "+when, string(text))
		return nil
	})
	if err != nil || looked < 2 {
		c.t.Errorf("looked at %d files: %v", looked, err)
	}
}
