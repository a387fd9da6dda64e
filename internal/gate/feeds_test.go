package gate_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/feed"
	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
)

const feedPath = "/-/feeds/metrics"

// publish sends one request of a publisher.
func (s *site) publish(method, path, body string, h http.Header) (status int, detail string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	s.must(err)
	req.Header = h.Clone()
	if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	s.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	s.must(err)
	if res.StatusCode < 300 {
		return res.StatusCode, string(text)
	}
	var problem struct{ Detail string }
	if res.Header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(text, &problem) != nil {
		s.t.Errorf("%s %s: %s is no problem: %s", method, path, res.Status, text)
	}
	return res.StatusCode, problem.Detail
}

// report is a report of the default tenant's feed as it stands.
func (s *site) report(name string) (content string) {
	s.t.Helper()
	f, err := s.feeds.Feed(s.Default.ID, "metrics")
	s.must(err)
	f.State([]string{name}, func(state []*feed.Publication) { content = string(state[0].Content) })
	return content
}

func TestPublish(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	key := s.caller("acd", "feed/publisher").key()
	const calls = feedPath + "/reports/Calls"
	for _, step := range []struct{ method, path, body, want string }{
		{"PUT", calls + "?key=ID", `[{"ID":"a","S":1}, {"ID":"b","S":1}]`, `[{"ID":"a","S":1},{"ID":"b","S":1}]`},
		{"PATCH", calls + "/rows/b?key=ID", `{"ID":"b","S":2}`, `[{"ID":"a","S":1},{"ID":"b","S":2}]`},
		{"PATCH", calls + "/rows/%C3%A9", `{"S":1}`, `[{"S":1},{"ID":"a","S":1},{"ID":"b","S":2}]`},
		{"DELETE", calls + "/rows/a", ``, `[{"S":1},{"ID":"b","S":2}]`},
		{"DELETE", calls + "/rows/a", ``, `[{"S":1},{"ID":"b","S":2}]`}, // idempotent
		{"PUT", calls, `{"free": "form"}`, `{"free":"form"}`},
	} {
		if status, detail := s.publish(step.method, step.path, step.body, key); status != 204 {
			t.Errorf("%s %s: %d %s", step.method, step.path, status, detail)
		}
		if got := s.report("Calls"); got != step.want {
			t.Errorf("after %s %s: %s, want %s", step.method, step.path, got, step.want)
		}
	}
}

// A row with goneAfter goes by itself.
func TestPublishGoneAfter(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	key := s.caller("acd", "feed/publisher").key()
	if status, detail := s.publish("PATCH", feedPath+"/reports/Calls/rows/a?goneAfter=300", `{}`, key); status != 204 {
		t.Fatal(status, detail)
	}
	if got := s.report("Calls"); got != `[{}]` {
		t.Errorf("at first %s", got)
	}
	waitFor(t, "the row to go", func() bool { return s.report("Calls") == `[]` })
}

func TestPublishRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	publisher := s.caller("acd", "feed/publisher")
	key, elsewhere := publisher.key(), s.caller("other", "feed/publisher@Feed:weather").key()
	other := s.Key(s.User(s.Tenant("other"), "acd", "feed/publisher")).Text.Reveal()
	const report = feedPath + "/reports/R"
	plain := key.Clone()
	plain.Set("Content-Type", "text/plain")
	twice := key.Clone()
	twice.Set("Authorization", "Bearer x")
	for name, c := range map[string]struct {
		method, path, body string
		header             http.Header
		status             int
		detail             string
	}{
		"Nobody":         {"PUT", report, `[]`, http.Header{}, 401, "a credential is required"},
		"Stranger":       {"PUT", report, `[]`, http.Header{"X-Api-Key": {"ghk_wrong"}}, 401, "the credential is not accepted"},
		"TwoCredentials": {"PUT", report, `[]`, twice, 401, "the credential is not accepted"},
		"OtherTenant":    {"PUT", report, `[]`, http.Header{"X-Api-Key": {other}}, 401, "the credential is not accepted"},
		"OtherFeed":      {"PUT", report, `[]`, elsewhere, 403, "not allowed"},
		"NoRole":         {"PATCH", report + "/rows/a", `{}`, s.caller("guest").key(), 403, "not allowed"},
		"NoRoleStream":   {"POST", feedPath + "/updates", ``, s.caller("guest2").key(), 403, "not allowed"},
		"NoSuchPlace":    {"PUT", feedPath + "/reports", `[]`, key, 404, "there is nothing here"},
		"Method":         {"POST", report, `[]`, key, 405, "the method is not allowed here"},
		"OddPath":        {"PUT", feedPath + "/reports/a%2fb", `[]`, key, 400, "the path has %2f, which can be read in two ways"},
		"NotJSON":        {"PUT", report, `[`, key, 400, "the content is not valid JSON"},
		"NoType":         {"PUT", report, `[]`, plain, 415, "the content type must be application/json"},
		"StreamType":     {"POST", feedPath + "/updates", ``, key, 415, "the content type must be application/x-ndjson"},
		"KeyMissing":     {"PUT", report + "?key=ID", `[{}]`, key, 422, feed.ErrKey.Error()},
		"KeyDiffers":     {"PATCH", report + "/rows/a?key=ID", `{"ID":"b"}`, key, 422, feed.ErrKey.Error()},
		"RowIsNoObject":  {"PATCH", report + "/rows/a", `[]`, key, 422, feed.ErrRows.Error()},
		"GoneAfter":      {"PATCH", report + "/rows/a?goneAfter=20s", `{}`, key, 400, "goneAfter is a whole number of milliseconds, at least 1"},
		"TooLarge":       {"PUT", report, `"` + strings.Repeat("x", feed.MaxDocument) + `"`, key, 413, feed.ErrTooLarge.Error()},
		"RowTooLarge":    {"PATCH", report + "/rows/a", `{"x":"` + strings.Repeat("x", feed.MaxRow) + `"}`, key, 413, feed.ErrTooLarge.Error()},
	} {
		status, detail := s.publish(c.method, c.path, c.body, c.header)
		if status != c.status || detail != c.detail {
			t.Errorf("%s: %d %q, want %d %q", name, status, detail, c.status, c.detail)
		}
	}
	if got := s.report("R"); got != "[]" {
		t.Errorf("a refused update was made: %s", got)
	}
}

// All three kinds of credential publish, and a token does where its scope says so.
func TestPublishCredentials(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	c := s.caller("acd", "feed/publisher")
	basic := &http.Request{Header: http.Header{}}
	user := s.User(s.Default, "person", "feed/publisher")
	made, err := s.Credentials.Create(t.Context(), audit.By{}, user, credential.Spec{Kind: credential.Password, Password: secret.New("correct horse battery")})
	s.must(err)
	basic.SetBasicAuth(made.Credential.Lookup, "correct horse battery")
	for name, h := range map[string]http.Header{
		"Key":    c.key(),
		"Basic":  basic.Header,
		"Bearer": {"Authorization": {"Bearer " + s.JWT(s.Default, c.Issued).Reveal()}},
	} {
		if status, detail := s.publish("PUT", feedPath+"/reports/R", `[1]`, h); status != 204 {
			t.Errorf("%s: %d %s", name, status, detail)
		}
	}
}

// A body that is still on its way when the right goes is not published.
func TestPublishEndsWithTheRight(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	c := s.caller("acd", "feed/publisher")
	body, rest := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", s.url+feedPath+"/reports/R", body)
	s.must(err)
	req.Header = c.key()
	req.Header.Set("Content-Type", "application/json")
	answered := make(chan int, 1)
	go func() {
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			answered <- 0
			return
		}
		res.Body.Close()
		answered <- res.StatusCode
	}()
	io.WriteString(rest, `[1`)
	waitFor(t, "the exchange to begin", func() bool { return s.Index.Len() == 1 })
	if closed, took := s.revoke(c); closed != 1 || took > time.Second {
		t.Errorf("closed %d after %v", closed, took)
	}
	if status := <-answered; status != 401 {
		t.Errorf("answered %d", status)
	}
	io.WriteString(rest, `]`)
	rest.Close()
	if got := s.report("R"); got != "[]" {
		t.Errorf("published %s", got)
	}
}

// streaming is a stream of updates that is open.
type streaming struct {
	*site
	to  *io.PipeWriter
	in  *bufio.Reader
	res *http.Response
}

func (s *site) openStream(h http.Header, query string) *streaming {
	s.t.Helper()
	body, to := io.Pipe()
	req, err := http.NewRequestWithContext(s.t.Context(), "POST", s.url+feedPath+"/updates"+query, body)
	s.must(err)
	req.Header = h.Clone()
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := http.DefaultTransport.RoundTrip(req)
	s.must(err)
	s.t.Cleanup(func() { to.Close(); res.Body.Close() })
	if res.StatusCode != 200 {
		s.t.Fatal(res.Status)
	}
	return &streaming{s, to, bufio.NewReader(res.Body), res}
}

// send writes a line and says nothing of the answer.
func (s *streaming) send(line string) {
	s.t.Helper()
	_, err := io.WriteString(s.to, line+"\n")
	s.must(err)
}

func (s *streaming) answer(want string) {
	s.t.Helper()
	line, err := s.in.ReadString('\n')
	if got := strings.TrimSpace(line); got != want {
		s.t.Errorf("answered %s (%v), want %s", got, err, want)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	x := s.openStream(s.caller("acd", "feed/publisher").key(), "")
	x.send(`{"report":"Calls","kind":"whole","keyMember":"ID","content":[{"ID":"a"}]}`)
	x.answer(`{"line":1,"status":204}`) // while the stream is open
	x.send(``)
	x.send(`{"report":"Calls","kind":"row","key":"b","content":[]}`)
	x.answer(`{"line":3,"status":422,"title":"Unprocessable Entity","detail":"` + feed.ErrRows.Error() + `"}`)
	x.send(`{"report":"Calls","kind":"row","key":"b","contnt":{}}`)
	x.answer(`{"line":4,"status":400,"title":"Bad Request","detail":"the line is not an update: a JSON object with report, kind, and what the kind needs"}`)
	x.send(`{"report":"Calls","kind":"row","key":"b","content":{"ID":"b"}}` + "\n" + `{"report":"Calls","kind":"remove","key":"a"}`)
	x.answer(`{"line":5,"status":204}`)
	x.answer(`{"line":6,"status":204}`)
	if got := s.report("Calls"); got != `[{"ID":"b"}]` {
		t.Errorf("published %s", got)
	}
	big := `{"report":"Agents","kind":"whole","content":"` + strings.Repeat("x", feed.MaxDocument-2) + `"}`
	x.send(big)
	x.answer(`{"line":7,"status":204}`)
	x.to.Close()
	x.answer(`{"end":true,"status":200,"applied":4,"refused":2}`)
	if _, err := x.in.ReadByte(); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	waitFor(t, "the stream to leave the index", func() bool { return s.Index.Len() == 0 })
}

func TestStreamQuiet(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	x := s.openStream(s.caller("acd", "feed/publisher").key(), "?answers=errors")
	x.send(`{"report":"R","kind":"whole","content":1}`)
	x.send(`nonsense`)
	x.answer(`{"line":2,"status":400,"title":"Bad Request","detail":"the line is not an update: a JSON object with report, kind, and what the kind needs"}`)
	x.to.Close()
	x.answer(`{"end":true,"status":200,"applied":1,"refused":1}`)
}

// What takes the right away ends the stream, whatever its publisher does.
func TestStreamEndsWithTheRight(t *testing.T) {
	t.Parallel()
	gone := `{"end":true,"status":401,"title":"Unauthorized","detail":"the credential is not accepted","applied":1,"refused":0}`
	ways := map[string]func(s *site, c caller) int64{
		"Credential": func(s *site, c caller) int64 {
			n, err := s.Credentials.Revoke(t.Context(), audit.By{}, c.Credential)
			s.must(err)
			return n
		},
		"Role": func(s *site, c caller) int64 {
			n, err := s.Principals.RemoveRole(t.Context(), audit.By{}, c.Principal, "feed/publisher")
			s.must(err)
			return n
		},
		"Method": func(s *site, c caller) int64 {
			n, err := s.Methods.Off(t.Context(), audit.By{}, s.Default.ID, tenant.Method{Dialect: "feeds", Method: "api_key"})
			s.must(err)
			return n
		},
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, options{})
			c := s.caller("acd", "feed/publisher")
			x := s.openStream(c.key(), "")
			x.send(`{"report":"R","kind":"whole","content":1}`)
			x.answer(`{"line":1,"status":204}`)
			began := time.Now()
			out := s.Tail.Await(t.Context(), end(s, c))
			if len(out.Nodes) != 1 || out.Nodes[0].SocketsClosed != 1 || time.Since(began) > time.Second {
				t.Errorf("receipt %+v after %v", out, time.Since(began))
			}
			io.WriteString(x.to, `{"report":"R","kind":"whole","content":2}`+"\n")
			x.answer(gone)
			if got := s.report("R"); got != "1" {
				t.Errorf("published %s after the right was gone", got)
			}
		})
	}
}

// A publisher that says nothing, or that never finishes its line, is not waited
// for.
func TestStreamPatience(t *testing.T) {
	t.Parallel()
	for name, began := range map[string]string{"Silent": "", "HalfLine": `{"report":`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, options{patience: 300 * time.Millisecond})
			x := s.openStream(s.caller("acd", "feed/publisher").key(), "")
			go io.WriteString(x.to, began)
			x.answer(`{"end":true,"status":408,"title":"Request Timeout","detail":"the body did not come in time","applied":0,"refused":0}`)
		})
	}
}

func TestStreamLongLine(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	x := s.openStream(s.caller("acd", "feed/publisher").key(), "")
	go io.WriteString(x.to, strings.Repeat("x", 1<<20))
	x.answer(`{"line":1,"end":true,"status":413,"title":"Request Entity Too Large","detail":"the line is too long","applied":0,"refused":0}`)
}

// The same over HTTP/2, which has no full duplex to switch on.
func TestStreamHTTP2(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{tls: true})
	c := s.caller("acd", "feed/publisher")
	body, to := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+feedPath+"/updates", body)
	s.must(err)
	req.Header = c.key()
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := trusting.RoundTrip(req)
	s.must(err)
	defer res.Body.Close()
	if res.ProtoMajor != 2 {
		t.Fatal(res.Proto)
	}
	x := &streaming{s, to, bufio.NewReader(res.Body), res}
	x.send(`{"report":"R","kind":"whole","content":1}`)
	x.answer(`{"line":1,"status":204}`)
	if closed, _ := s.revoke(c); closed != 1 {
		t.Errorf("closed %d", closed)
	}
	x.answer(`{"end":true,"status":401,"title":"Unauthorized","detail":"the credential is not accepted","applied":1,"refused":0}`)
}

// trusting is a client that does not ask whose certificate it is.
var trusting = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
