package forwarded

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// ErrMalformed says that a trusted proxy sent headers that cannot be read.
var ErrMalformed = errors.New("malformed forwarding header")

// maxHops bounds the list of hops that is walked.
const maxHops = 32

// Style is the family of headers that the trusted proxies write.
type Style string

// The families. The zero Style is XForwarded.
const (
	XForwarded Style = "x-forwarded" // X-Forwarded-For, -Proto, -Host
	RFC7239    Style = "forwarded"   // Forwarded
)

// Trust says which neighbours are believed. The zero value believes nobody.
type Trust struct {
	Proxies []netip.Prefix
	Style   Style
}

// Origin is where a request came from.
type Origin struct {
	Peer   netip.Addr // the other end of the TCP connection; invalid on a Unix socket
	Remote netip.Addr // the client
	Scheme string     // "https" or "http"
	Host   string     // as in a Host header: may have a port
}

// Trusted reports whether a is one of the proxies.
func (t Trust) Trusted(a netip.Addr) bool {
	return slices.ContainsFunc(t.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Origin reads r. It never fails for requests that come straight from clients.
func (t Trust) Origin(r *http.Request) (Origin, error) {
	o := Origin{Peer: Peer(r.RemoteAddr), Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		o.Scheme = "https"
	}
	return t.Behind(o, r.Header)
}

// Behind completes what is known of a request's neighbour with what that says,
// where it is trusted.
func (t Trust) Behind(o Origin, h http.Header) (Origin, error) {
	o.Remote = o.Peer
	if len(t.Proxies) == 0 || !t.Trusted(o.Peer) {
		return o, nil
	}
	var err error
	if t.Style == RFC7239 {
		err = t.readForwarded(&o, h)
	} else {
		err = t.readXForwarded(&o, h)
	}
	return o, err
}

// readXForwarded walks the list of addresses from the right for as long as
// they are trusted proxies. Of -Proto and -Host it takes the last value: what
// the nearest proxy wrote, or deliberately passed on. Values further left
// cannot be matched to hops, for many proxies append to one list only.
func (t Trust) readXForwarded(o *Origin, h http.Header) error {
	var err error
	if v := last(h["X-Forwarded-Proto"]); v != "" {
		if o.Scheme, err = scheme(v); err != nil {
			return err
		}
	}
	if v := last(h["X-Forwarded-Host"]); v != "" {
		if o.Host, err = host(v); err != nil {
			return err
		}
	}
	rest := strings.Join(h["X-Forwarded-For"], ",")
	for range maxHops {
		i := strings.LastIndexByte(rest, ',')
		a := node(strings.TrimSpace(rest[i+1:]))
		if !a.IsValid() { // unknown or hidden: the last known hop stands for it
			return nil
		}
		o.Remote = a
		if i < 0 || !t.Trusted(a) {
			return nil
		}
		rest = rest[:i]
	}
	return fmt.Errorf("%w: too many hops", ErrMalformed)
}

// last is the last entry of a list that may be spread over several lines.
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	v := values[len(values)-1]
	return strings.TrimSpace(v[strings.LastIndexByte(v, ',')+1:])
}

func scheme(s string) (string, error) {
	switch s = strings.ToLower(s); s {
	case "http", "https":
		return s, nil
	case "ws":
		return "http", nil
	case "wss":
		return "https", nil
	}
	return "", fmt.Errorf("%w: protocol", ErrMalformed)
}

func host(s string) (string, error) {
	if strings.ContainsAny(s, "/\\@?# ") || !httpguts.ValidHostHeader(s) || len(s) > 255+6 {
		return "", fmt.Errorf("%w: host", ErrMalformed)
	}
	return s, nil
}

// node reads an address with or without a port, in brackets or not; the
// invalid address for anything else.
func node(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return a.Unmap().WithZone("")
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// Peer reads http.Request.RemoteAddr.
func Peer(remoteAddr string) netip.Addr {
	ap, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// HostName is a Host header's name without its port, in lower case and without
// the dot at its end.
func HostName(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
