package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	callTime  = 10 * time.Second // for one call, answer included
	maxAnswer = 1 << 20
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// caller sends requests as any client would: over the network, and without
// following redirects.
type caller struct{ http *http.Client }

func newCaller() *caller {
	return &caller{http: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 4},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// send sends a request; prepare may add to it.
func (c *caller) send(ctx context.Context, method, url string, body io.Reader, prepare func(*http.Request)) (answer, error) {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return answer{}, err
	}
	if prepare != nil {
		prepare(req)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return answer{status: res.StatusCode, header: res.Header, body: text}, err
}

// want fails unless the status is that one.
func (a answer) want(status int) error {
	if a.status != status {
		return fmt.Errorf("answered %d instead of %d: %s", a.status, status, bytes.TrimSpace(a.body))
	}
	return nil
}

// json reads the body of an answer that must have this status.
func (a answer) json(status int, into any) error {
	if err := a.want(status); err != nil {
		return err
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func basic(name, secret string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(name, secret) }
}

func apiKey(key string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("X-API-Key", key) }
}

// admin calls the admin API.
type admin struct {
	*caller
	url   string // without /v1
	token string
}

func (a *admin) post(ctx context.Context, path string, in any, status int, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	got, err := a.send(ctx, http.MethodPost, a.url+path, bytes.NewReader(body), func(r *http.Request) {
		bearer(a.token)(r)
		r.Header.Set("Content-Type", "application/json")
	})
	if err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	if err := got.json(status, out); err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	return nil
}

func (a *admin) get(ctx context.Context, path string, out any) error {
	got, err := a.send(ctx, http.MethodGet, a.url+path, nil, bearer(a.token))
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	if err := got.json(http.StatusOK, out); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}
