package ayyeka

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultBaseURL is the vendor's cloud.
const DefaultBaseURL = "https://restapi.ayyeka.com"

const (
	defaultTimeout = 30 * time.Second
	defaultEarly   = time.Minute
)

// Config says which server to call and as whom. Only Key and Secret are needed.
// It prints without its secret.
type Config struct {
	// BaseURL is the address that /auth/token and /v2.0/... are appended to;
	// a path prefix is kept. Empty means DefaultBaseURL. With a plain http
	// address the secret travels readable for everybody on the way.
	BaseURL string

	// Key and Secret are the two values that the platform shows once, under
	// API > API Clients > Generate API Key.
	Key, Secret string

	// Transport carries all requests; nil means http.DefaultTransport.
	Transport http.RoundTripper

	// Timeout bounds one token request, and one call of a Client's methods
	// from first byte to last; 0 means 30 seconds. Requests that go through
	// Transport or Client.HTTP are bounded by their own context instead.
	Timeout time.Duration

	// Early is how long before its end a token is replaced; 0 means a minute,
	// and never more than half the life the token had left when it arrived.
	Early time.Duration

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Format implements fmt.Formatter, for every verb, so that a logged
// configuration shows who and where, but no secret.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "ayyeka.Config{BaseURL:%q Key:%q Secret:[redacted]}", c.BaseURL, c.Key)
}

// LogValue implements slog.LogValuer.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// withDefaults checks what has to be right before the first request.
func (c Config) withDefaults() (Config, *url.URL, error) {
	if c.Key == "" || c.Secret == "" {
		return c, nil, errors.New("ayyeka: key and secret are both needed")
	}
	// RFC 7617 section 2: the first colon ends the user-id.
	if strings.Contains(c.Key, ":") {
		return c, nil, errors.New("ayyeka: the key must not contain a colon")
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	base, err := url.Parse(strings.TrimRight(c.BaseURL, "/"))
	if err != nil {
		return c, nil, fmt.Errorf("ayyeka: read base URL: %w", err)
	}
	if base.Scheme != "https" && base.Scheme != "http" || base.Host == "" {
		return c, nil, fmt.Errorf("ayyeka: base URL %q is not an http or https address", c.BaseURL)
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return c, nil, errors.New("ayyeka: base URL must have no user, query or fragment")
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Early <= 0 {
		c.Early = defaultEarly
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, base, nil
}

// hidden holds a text where fmt, which reaches even unexported fields by
// reflection, finds only a function.
type hidden func() string

func hide(s string) hidden { return func() string { return s } }

// readLimited reads r to its end, and fails rather than cut when there is more
// than limit.
func readLimited(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("answer is larger than %d bytes", limit)
	}
	return data, nil
}
