// Package adminclient calls the admin API: over the Unix socket in a data
// folder, where no key is needed, or over HTTP with one.
package adminclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"gatehouse.dev/internal/secret"
)

// Options say where the API is. Either Socket or Server is set.
type Options struct {
	Socket string      // path of the Unix socket
	Server string      // "https://desk.example"; a path is kept
	Token  secret.Text // API key, for Server
	Tenant string      // name or id; empty: the server's choice
	Plain  bool        // allow http to other machines
}

// Client calls the API. Make it with [New].
type Client struct {
	base   string
	token  secret.Text
	tenant string
	http   *http.Client
	socket string
}

const (
	timeout   = time.Minute
	maxAnswer = 32 << 20
	basePath  = "/api"
)

// New makes a client; it does not connect.
func New(o Options) (*Client, error) {
	c := &Client{token: o.Token, tenant: o.Tenant, socket: o.Socket}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second}
	if o.Socket != "" {
		c.base = "http://gatehouse" + basePath
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", o.Socket)
		}
	} else {
		base, err := checkServer(o)
		if err != nil {
			return nil, err
		}
		c.base = base
	}
	c.http = &http.Client{
		Transport: transport,
		Timeout:   timeout,
		// A redirect would carry the key to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// checkServer refuses addresses that a key must not be sent to.
func checkServer(o Options) (string, error) {
	u, err := url.Parse(o.Server)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%q is not the address of a server, such as https://desk.example", o.Server)
	}
	if u.Scheme == "http" && !o.Plain && !loopback(u.Hostname()) {
		return "", fmt.Errorf("%s would carry the key in the clear; use https, or --plain where the network is yours alone", o.Server)
	}
	if o.Token.Empty() {
		return "", errors.New("a server needs a key: give --token-file or set GATEHOUSE_TOKEN")
	}
	return strings.TrimSuffix(strings.TrimSuffix(u.String(), "/"), basePath) + basePath, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// Query is the parameters of a call; empty ones are left out.
type Query map[string]string

// Get reads.
func (c *Client) Get(ctx context.Context, path string, q Query, out any) error {
	return c.do(ctx, http.MethodGet, path, q, nil, out)
}

// Post changes something. A nil body is none.
func (c *Client) Post(ctx context.Context, path string, body, out any) error {
	return c.do(ctx, http.MethodPost, path, nil, body, out)
}

// Send is any other call.
func (c *Client) Send(ctx context.Context, method, path string, q Query, body, out any) error {
	return c.do(ctx, method, path, q, body, out)
}

func (c *Client) do(ctx context.Context, method, path string, q Query, body, out any) error {
	req, err := c.request(ctx, method, path, q, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("read answer: %w", err)
	case len(text) > maxAnswer:
		return errors.New("the answer is too large")
	case resp.StatusCode >= 300:
		return problem(resp, text)
	case out == nil || resp.StatusCode == http.StatusNoContent:
		return nil
	}
	if raw, ok := out.(*json.RawMessage); ok {
		*raw = text
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("understand answer: %w", err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, q Query, body any) (*http.Request, error) {
	values := url.Values{}
	for name, v := range q {
		if v != "" {
			values.Set(name, v)
		}
	}
	if c.tenant != "" && !strings.HasPrefix(path, "/v1/tenants") && path != "/v1/audit/verify" {
		values.Set("tenant", c.tenant)
	}
	target := c.base + path
	if len(values) > 0 {
		target += "?" + values.Encode()
	}
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, r)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !c.token.Empty() {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	return req, nil
}

// unreachable says what to do about it. The error of net/http names the URL,
// which holds no secret.
func (c *Client) unreachable(err error) error {
	if c.socket == "" {
		return c.unreached(err)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no server runs on this data folder (there is no %s); start one with: gatehouse serve", c.socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is for root and the server's own user only; use --server with a key instead", c.socket)
	}
	return fmt.Errorf("reach the server at %s: %w", c.socket, err)
}

// unreached is unreachable for a server elsewhere.
func (c *Client) unreached(err error) error {
	var u *url.Error
	if !errors.As(err, &u) {
		return err
	}
	return fmt.Errorf("%s cannot be reached: %w; is this the desk, and does it run?", strings.TrimSuffix(c.base, basePath), u.Err)
}

// Problem is a failure as the server tells it (RFC 9457).
type Problem struct {
	Status int      `json:"status"`
	Title  string   `json:"title"`
	Detail string   `json:"detail"`
	Errors []Detail `json:"errors"`

	RetryAfter string `json:"-"`
}

// Detail is one thing that is wrong with a request.
type Detail struct {
	Message  string `json:"message"`
	Location string `json:"location"`
}

func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Detail)
	if b.Len() == 0 {
		fmt.Fprintf(&b, "the server answered %d %s", p.Status, p.Title)
	}
	for _, d := range p.Errors {
		where := strings.TrimPrefix(d.Location, "body.")
		if strings.Contains(p.Detail, d.Message) {
			continue
		}
		if where != "" {
			where += ": "
		}
		fmt.Fprintf(&b, "\n  %s%s", where, d.Message)
	}
	if p.RetryAfter != "" {
		fmt.Fprintf(&b, " (in %s s)", p.RetryAfter)
	}
	return b.String()
}

// notBelieved is in the words of somebody who did show a key. The server tells
// nobody which of it is the case.
const notBelieved = "the server does not believe this key: it is unknown, revoked, disabled or expired, is not for this " +
	"network, or belongs to another tenant (name it with --tenant)"

func problem(resp *http.Response, text []byte) error {
	p := &Problem{RetryAfter: resp.Header.Get("Retry-After")}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(text, p) != nil {
		p = &Problem{Detail: fmt.Sprintf("the server answered %s, which is not how a Gatehouse answers; is the address right?", resp.Status)}
	}
	p.Status = resp.StatusCode
	if p.Status == http.StatusUnauthorized && p.Detail != "" {
		p.Detail = notBelieved
	}
	return p
}
