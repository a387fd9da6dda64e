package adminapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/admintest"
	"gatehouse.dev/internal/secret"
)

// reply is one answer, with its body taken apart.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	text   string
	body   map[string]any
}

// as is a caller of the API.
type as struct {
	t       *testing.T
	handler http.Handler
	key     secret.Text
}

func (c as) do(method, path string, body any) reply {
	c.t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	req := httptest.NewRequestWithContext(c.t.Context(), method, adminapi.Base+path, r)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !c.key.Empty() {
		req.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	}
	return c.send(req)
}

func (c as) send(req *http.Request) reply {
	c.t.Helper()
	rec := httptest.NewRecorder()
	c.handler.ServeHTTP(rec, req)
	out := reply{t: c.t, status: rec.Code, header: rec.Result().Header, text: rec.Body.String()}
	if strings.Contains(out.header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(rec.Body.Bytes(), &out.body); err != nil {
			c.t.Fatalf("%s %s: %v in %q", req.Method, req.URL, err, out.text)
		}
	}
	return out
}

// want fails the test unless the status is that.
func (r reply) want(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("status = %d, want %d: %s", r.status, status, r.text)
	}
	if status >= 400 {
		if ct := r.header.Get("Content-Type"); ct != "application/problem+json" {
			r.t.Errorf("failure has content type %q", ct)
		}
		if r.body["status"] != float64(status) || r.body["title"] == "" || r.body["detail"] == "" {
			r.t.Errorf("no problem details: %s", r.text)
		}
	}
	return r
}

// at walks into the body: "credential.id", "items.0.name".
func (r reply) at(path string) any {
	var v any = r.body
	for _, step := range strings.Split(path, ".") {
		switch t := v.(type) {
		case map[string]any:
			v = t[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(t) {
				return nil
			}
			v = t[i]
		default:
			return nil
		}
	}
	return v
}

func (r reply) text_(path string) string {
	r.t.Helper()
	s, ok := r.at(path).(string)
	if !ok {
		r.t.Fatalf("no text at %s in %s", path, r.text)
	}
	return s
}

type m = map[string]any

// setup is an installation and its first administrator.
func setup(t *testing.T) (*admintest.Installation, as) {
	t.Helper()
	in := admintest.New(t)
	return in, as{t, in.Handler, in.Admin(in.Default, "root", "gatehouse/installation")}
}

func (c as) with(key secret.Text) as { c.key = key; return c }

func TestDescriptionIsCurrent(t *testing.T) {
	t.Parallel()
	const file = "../../docs/openapi.json"
	got := adminapi.OpenAPI()
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the code says; run: go generate ./internal/adminapi", file)
	}
}

func TestDescriptionIsServed(t *testing.T) {
	t.Parallel()
	_, root := setup(t)
	r := root.with(secret.Text{}).do("GET", "/openapi.json", nil).want(200)
	if r.body["openapi"] != "3.1.0" || r.at("paths./v1/credentials/{id}/revoke") == nil {
		t.Errorf("description: %.200s", r.text)
	}
}
