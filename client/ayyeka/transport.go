package ayyeka

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Transport is an http.RoundTripper that shows the source's token. When the
// server answers 401 it renews the token and repeats the request once, provided
// the body can be had again (it is empty, or the request has GetBody, as
// http.NewRequest arranges for the usual readers).
//
// Only requests to the scheme and host of the configured base URL get the
// token. Others, a redirect to some file store for instance, pass untouched.
type Transport struct {
	// Source is whose token to show.
	Source *TokenSource
	// Base sends the requests; nil means the configured transport of Source.
	Base http.RoundTripper
}

// Format implements fmt.Formatter, for every verb.
func (t *Transport) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "ayyeka.Transport(%v)", t.Source) }

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = t.Source.transport
	}
	if !sameOrigin(req.URL, t.Source.base) {
		return base.RoundTrip(req)
	}
	token, err := t.Source.Token(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	res, err := base.RoundTrip(withToken(req, token))
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		return res, err
	}

	again, ok := rewound(req)
	if !ok {
		t.Source.forget(token) // at least the next request will do better
		return res, nil
	}
	token, err = t.Source.Renew(req.Context(), token)
	discard(res)
	if err != nil {
		closeBody(again)
		return nil, fmt.Errorf("renew the token after 401: %w", err)
	}
	return base.RoundTrip(withToken(again, token))
}

// withToken copies req, since a RoundTripper must not change what it is given.
func withToken(req *http.Request, token Token) *http.Request {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	req.Header.Set("Cache-Control", "no-cache")
	return req
}

// rewound returns req with an unread body, if there is a way to get one.
func rewound(req *http.Request) (*http.Request, bool) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	again := req.Clone(req.Context())
	again.Body = body
	return again, true
}

// discard reads the little that an error answer holds, so that its connection
// can be used again.
func discard(res *http.Response) {
	io.Copy(io.Discard, io.LimitReader(res.Body, errorLimit))
	res.Body.Close()
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) &&
		strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
}
