package ayyeka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// answerLimit holds 10,000 items, the most one answer has, at three kilobytes each.
const answerLimit = 32 << 20

// Client calls the REST-API. It is safe for concurrent use.
type Client struct {
	source  *TokenSource
	api     string
	plain   *http.Client // no token
	bearer  *http.Client
	timeout time.Duration
}

// New makes a client. Nothing is sent before the first call.
func New(cfg Config) (*Client, error) {
	source, err := NewTokenSource(cfg)
	if err != nil {
		return nil, err
	}
	return &Client{
		source:  source,
		api:     source.base.String() + apiPath,
		plain:   &http.Client{Transport: source.transport},
		bearer:  &http.Client{Transport: &Transport{Source: source}},
		timeout: source.timeout,
	}, nil
}

// Format implements fmt.Formatter, for every verb.
func (c *Client) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "ayyeka.Client(%s)", c.api) }

// HTTP is an http.Client that shows the token, for calls that have no method
// here.
func (c *Client) HTTP() *http.Client { return c.bearer }

// Tokens is where the client's tokens come from.
func (c *Client) Tokens() *TokenSource { return c.source }

// Site is a place with devices.
type Site struct {
	// OrganizationID is nil for sites of no organization.
	OrganizationID *int64    `json:"account_organization_id,omitempty"`
	ID             int64     `json:"id"`
	CreationDate   time.Time `json:"creation_date"`
	DisplayName    string    `json:"display_name"`
	Status         string    `json:"status"`
	// Longitude and Latitude are decimal degrees as text, as the API sends them.
	Longitude string `json:"longitude"`
	Latitude  string `json:"latitude"`
}

// Sites returns the sites that the API client may see, at most 10,000.
func (c *Client) Sites(ctx context.Context) ([]Site, error) {
	var sites []Site
	if err := c.Get(ctx, "/site", nil, &sites); err != nil {
		return nil, err
	}
	return sites, nil
}

// Get reads path, which stands below /v2.0 and begins with a slash, into into,
// as encoding/json does.
func (c *Client) Get(ctx context.Context, path string, query url.Values, into any) error {
	return c.get(ctx, c.bearer, path, query, func(res *http.Response) error {
		data, err := readLimited(res.Body, answerLimit)
		if err != nil {
			return err
		}
		return json.Unmarshal(data, into)
	})
}

// Health asks whether the service works; it needs no credentials and shows
// none. Trouble that the service states is an [*Error].
func (c *Client) Health(ctx context.Context) error {
	return c.get(ctx, c.plain, "/health", nil, func(*http.Response) error { return nil })
}

// get makes one GET and hands a successful answer to read.
func (c *Client) get(ctx context.Context, with *http.Client, path string, query url.Values, read func(*http.Response) error) error {
	op := "GET " + apiPath + path
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("ayyeka: %s: path must begin with a slash", op)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	target := c.api + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return fmt.Errorf("ayyeka: %s: %w", op, err)
	}
	res, err := with.Do(req)
	if err != nil {
		var outer *url.Error // repeats the address, which op says already
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return fmt.Errorf("ayyeka: %s: %w", op, err)
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return readError(op, res, c.source.now())
	}
	if err := read(res); err != nil {
		return fmt.Errorf("ayyeka: %s: read answer: %w", op, err)
	}
	return nil
}
