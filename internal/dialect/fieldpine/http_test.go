package fieldpine

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHTTP(t *testing.T) {
	t.Parallel()
	const ok = `{"r":"fd1.products.get","data":{"ok":true}}`
	failed := func(action string, code int, message string) string {
		return fmt.Sprintf(`{"r":"%s","error":{"Code":%d,"Message":"%s","Severity":"Error"}}`, action, code, message)
	}
	tests := map[string]struct {
		method, path, body string
		keys               []string // x-apikey, x-api-key
		status             int
		want               string
	}{
		"Post":         {"POST", "/fd1/products/get", `{"k":"1"}`, []string{"staff"}, 200, ok},
		"OtherHeader":  {"POST", "/fd1/products/get", `{}`, []string{"", "staff"}, 200, ok},
		"BothTheSame":  {"POST", "/fd1/products/get", `{}`, []string{"staff", "staff"}, 200, ok},
		"TwoKeys":      {"POST", "/fd1/products/get", `{}`, []string{"staff", "shop"}, 400, failed("fd1.products.get", 400, "two different keys in one request")},
		"NoKey":        {"POST", "/fd1/products/get", `{}`, nil, 401, failed("fd1.products.get", 401, "a valid key is needed")},
		"WrongKey":     {"POST", "/fd1/products/get", `{}`, []string{"wrong"}, 401, failed("fd1.products.get", 401, "a valid key is needed")},
		"UnknownNoKey": {"POST", "/fd1/no/such", `{}`, []string{"wrong"}, 401, failed("fd1.no.such", 401, "a valid key is needed")},
		"Unknown":      {"POST", "/fd1/no/such", `{}`, []string{"staff"}, 404, failed("fd1.no.such", 404, "unknown endpoint")},
		"Denied":       {"POST", "/fd1/sales/get_sale", `{"k":"1"}`, []string{"shop"}, 403, failed("fd1.sales.get_sale", 403, "endpoint not permitted")},
		"OtherAction":  {"POST", "/fd1/products/get", `{"a":"fd1.sales.get_sale"}`, []string{"staff"}, 400, failed("fd1.products.get", 400, "address and packet name different endpoints")},
		"NotJSON":      {"POST", "/fd1/products/get", `{`, []string{"staff"}, 400, failed("fd1.products.get", 400, "not an FD1 packet")},
		"Method":       {"PUT", "/fd1/products/get", ``, []string{"staff"}, 405, failed("fd1.products.get", 405, "send GET or POST")},
		"Get":          {"GET", "/fd1/products/get?_k=1&_qo=a,b&_v.table=x", "", []string{"staff"}, 200, ok},
		"GetTwice":     {"GET", "/fd1/products/get?_k=1&_k=2", "", []string{"staff"}, 400, failed("fd1.products.get", 400, "an argument is given twice or is not text")},
		"GetMember":    {"GET", "/fd1/products/get?_enc=x", "", []string{"staff"}, 400, failed("fd1.products.get", 400, "unknown packet member enc")},
		"Missing":      {"GET", "/fd1/products/missing", "", []string{"staff"}, 404, failed("fd1.products.missing", 404, "no such product")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, Config{})
			req, err := http.NewRequest(tt.method, "http://"+r.host+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			for i, name := range []string{"x-apikey", "x-api-key"} {
				if i < len(tt.keys) && tt.keys[i] != "" {
					req.Header.Set(name, tt.keys[i])
				}
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != tt.status || string(body) != tt.want {
				t.Errorf("got %d %s\nwant %d %s", res.StatusCode, body, tt.status, tt.want)
			}
		})
	}
}

func TestQueryMapping(t *testing.T) {
	t.Parallel()
	p, err := fromQuery("_v.table=products&_qo=a,b&_k=7&name=x%5B0%5D&_rq=9")
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"q":{"name":"x[0]"},"qo":"a,b","k":"7","v":{"table":"products"},"rq":"9"}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, bad := range []string{"_v=1&_v.x=2", "_q.=1", "a=1&_q.a=2", "%zz", "_a=fd1.x.y"} {
		if p, err := fromQuery(bad); err == nil {
			t.Errorf("%s is read as %+v", bad, p)
		}
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("_v.table=products&_qo=a,b&_k=7&name=x")
	f.Fuzz(func(t *testing.T, query string) {
		p, err := fromQuery(query)
		if err != nil {
			return
		}
		if _, err := p.encode(); err != nil {
			t.Errorf("%q cannot be passed on: %v", query, err)
		}
	})
}
