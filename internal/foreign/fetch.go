package foreign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"gatehouse.dev/internal/secret"
)

// Limits of asking an issuer.
const (
	askTimeout = 5 * time.Second
	maxAnswer  = 256 << 10
)

// newClient goes where it is told and nowhere else.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConnsPerHost = 4
	return &http.Client{
		Transport:     transport,
		Timeout:       askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// read asks with a request and returns the body of a 200.
func read(client *http.Client, req *http.Request) ([]byte, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("answered %s", res.Status)
	case len(body) > maxAnswer:
		return nil, errors.New("answered too much")
	}
	return body, nil
}

// fetchKeys reads a key set from a URL, or from a file where at is no URL.
func fetchKeys(ctx context.Context, client *http.Client, at string) ([]byte, error) {
	if !strings.HasPrefix(at, "https://") && !strings.HasPrefix(at, "http://") {
		f, err := os.Open(at)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, maxAnswer))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	return read(client, req)
}

// askAbout asks an introspection endpoint about a token (RFC 7662 section 2.1).
func askAbout(ctx context.Context, client *http.Client, at, id string, secretText, tok secret.Text) ([]byte, error) {
	form := url.Values{"token": {tok.Reveal()}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	// RFC 6749 section 2.3.1: both halves are form-encoded first.
	req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secretText.Reveal()))
	return read(client, req)
}
