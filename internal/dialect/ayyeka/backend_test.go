package ayyeka_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"gatehouse.dev/internal/dialect"
	"gatehouse.dev/internal/dialect/ayyeka"
)

type fakeUp struct{}

func (fakeUp) Forward(w http.ResponseWriter, r *http.Request, f dialect.Forward) {
	if r.URL.Path == "/v2.0/health" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "ok\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/v2.0/site" {
		io.WriteString(w, `[{"account_organization_id":12,"id":3401,"creation_date":"2025-11-02T09:14:05Z","display_name":"Pump house 4","status":"Active","longitude":"34.7818","latitude":"32.0853"}]`)
		return
	}
	w.WriteHeader(404)
	io.WriteString(w, `{"message":"site not found","request_id":"abc"}`)
}

func (h *house) open(t testing.TB, source string, c ayyeka.Config) site {
	t.Helper()
	d, err := ayyeka.New(ayyeka.Server{Config: c, Door: h.door, Issuer: h.issuer, Upstream: fakeUp{}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return h.serve(t, source, d)
}

func failOften(ctx context.Context, s site, key string) error {
	for range 100 {
		r, err := http.NewRequestWithContext(ctx, "POST", s.base+"/auth/token", strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			return err
		}
		r.SetBasicAuth(key, "wrong")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		res.Body.Close()
		if res.StatusCode == 429 {
			return nil
		}
	}
	return fmt.Errorf("a hundred failures are not too many")
}
