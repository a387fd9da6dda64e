package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/tenant"
)

// DefaultTenant is the tenant of everything that names none.
const DefaultTenant = tenant.Default

// Path is a file or folder. One written in the file is relative to the file,
// one from the environment to the working folder.
type Path string

// Within reports whether p lies in folder or is it.
func (p Path) Within(folder Path) bool {
	rel, err := filepath.Rel(string(folder), string(p))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// Duration is a time span written like 30s, 15m, 12h or 7d.
type Duration time.Duration

// Std is d as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 36500 {
			*d = Duration(time.Duration(n) * 24 * time.Hour)
			return nil
		}
	}
	parsed, err := time.ParseDuration(s)
	if err != nil || parsed < 0 {
		return bad("write a number with a unit, like 250ms, 30s, 15m, 12h or 7d", "%q is not a time span", s)
	}
	*d = Duration(parsed)
	return nil
}

func (d Duration) String() string {
	s := time.Duration(d).String() // 2m0s, 1h0m0s: the zeros are noise
	if head, ok := strings.CutSuffix(s, "m0s"); ok {
		s = head + "m"
	}
	if head, ok := strings.CutSuffix(s, "h0m"); ok {
		s = head + "h"
	}
	return s
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Size is a number of bytes written like 64KiB, 10MiB or 2GB.
type Size int64

// Units of Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

var sizeUnits = []struct {
	suffix string
	bytes  Size
}{{"KiB", KiB}, {"MiB", MiB}, {"GiB", GiB}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (z *Size) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(string(text), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err == nil && n >= 0 && n <= (1<<62)/int64(u.bytes) {
			*z = Size(n) * u.bytes
			return nil
		}
		break
	}
	return bad("write a whole number with a unit, like 64KiB, 10MiB or 2GB", "%q is not a size", text)
}

func (z Size) String() string {
	for _, u := range []int{2, 1, 0} {
		if unit := sizeUnits[u]; z >= unit.bytes && z%unit.bytes == 0 {
			return fmt.Sprintf("%d%s", z/unit.bytes, unit.suffix)
		}
	}
	return fmt.Sprintf("%dB", int64(z))
}

// MarshalText implements encoding.TextMarshaler.
func (z Size) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// Address is where to listen: host:port, unix:/path, or off.
type Address string

// Off is the address of a listener that is not wanted.
const Off Address = "off"

// Unix is the path of a socket address, empty for others.
func (a Address) Unix() string {
	path, ok := strings.CutPrefix(string(a), "unix:")
	if !ok {
		return ""
	}
	return path
}

// Loopback reports whether only this machine can reach a.
func (a Address) Loopback() bool {
	if a.Unix() != "" {
		return true
	}
	host, _, _ := net.SplitHostPort(string(a))
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Address) UnmarshalText(text []byte) error {
	s := string(text)
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return bad("write unix: and an absolute path, like unix:/run/gatehouse/ops.sock", "%q has no absolute path", s)
		}
		*a = Address(s)
		return nil
	}
	const mend = "write host:port, like 127.0.0.1:8080, or :8080 for every address"
	if s == string(Off) {
		*a = Off
		return nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return bad(mend, "%q is not an address to listen on", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return bad(mend, "%q has no port from 0 to 65535", s)
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		if err := new(Host).UnmarshalText([]byte(host)); err != nil {
			return bad(mend, "%q is neither an IP address nor a host name", host)
		}
	}
	*a = Address(s)
	return nil
}

// Host is a host name in lower case, without a port.
type Host string

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Host) UnmarshalText(text []byte) error {
	s := strings.ToLower(string(text))
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		*h = Host(ip.String())
		return nil
	}
	for _, label := range strings.Split(s, ".") {
		if !goodLabel(label) {
			return bad("write a plain name like api.example.com, without scheme, port or wildcard", "%q is not a host name", text)
		}
	}
	*h = Host(s)
	return nil
}

// goodLabel follows RFC 1123 section 2.1: letters, digits and inner hyphens.
func goodLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) < 0
}

// Prefix is a network, or one address as a network of its own.
type Prefix struct{ netip.Prefix }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Prefix) UnmarshalText(text []byte) error {
	s := string(text)
	if addr, err := netip.ParseAddr(s); err == nil {
		p.Prefix = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		return nil
	}
	parsed, err := netip.ParsePrefix(s)
	if err != nil {
		return bad("write a network like 10.0.0.0/8 or fd00::/8, or one address", "%q is not a network", s)
	}
	if parsed != parsed.Masked() {
		return bad("write "+parsed.Masked().String()+" for the network, or the address alone", "%q has bits set beyond its length", s)
	}
	p.Prefix = parsed
	return nil
}

// URL is an absolute http or https address without user, query or fragment.
type URL string

// UnmarshalText implements encoding.TextUnmarshaler. The message leaves the
// value out, because people put passwords into addresses.
func (u *URL) UnmarshalText(text []byte) error {
	const mend = "write it like https://api.example.com or http://10.0.0.5:9000"
	parsed, err := url.Parse(string(text))
	switch {
	case err != nil:
		return bad(mend, "is not a URL")
	case parsed.Scheme != "http" && parsed.Scheme != "https":
		return bad(mend, "must begin with http:// or https://")
	case parsed.Host == "" || parsed.Hostname() == "":
		return bad(mend, "has no host")
	case parsed.User != nil:
		return bad(mend, "must not hold a user name or password")
	case parsed.RawQuery != "" || parsed.Fragment != "":
		return bad(mend, "must not have a query or fragment")
	}
	*u = URL(strings.TrimSuffix(string(text), "/"))
	return nil
}

// SocketURL is the address of a WebSocket.
type SocketURL string

// UnmarshalText implements encoding.TextUnmarshaler.
func (u *SocketURL) UnmarshalText(text []byte) error {
	const mend = "write it like wss://fd1.example.com/fd1/open_websocket"
	parsed, err := url.Parse(string(text))
	switch {
	case err != nil:
		return bad(mend, "is not a URL")
	case parsed.Scheme != "ws" && parsed.Scheme != "wss":
		return bad(mend, "must begin with ws:// or wss://")
	case parsed.Hostname() == "" || parsed.User != nil || parsed.Fragment != "":
		return bad(mend, "must have a host, and no user name, password or fragment")
	}
	*u = SocketURL(text)
	return nil
}

// CredentialKind is what a caller may show on a route.
type CredentialKind string

// The kinds.
const (
	Bearer  CredentialKind = "bearer"
	Key     CredentialKind = "key"
	Basic   CredentialKind = "basic"
	Ticket  CredentialKind = "ticket"
	Message CredentialKind = "message"
	None    CredentialKind = "none"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *CredentialKind) UnmarshalText(text []byte) error {
	return oneOf(k, string(text), Bearer, Key, Basic, Ticket, Message, None)
}

// Origin is where a web page comes from, as browsers write it: scheme, host and,
// unless it is the scheme's own, the port.
type Origin string

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Origin) UnmarshalText(text []byte) error {
	const mend = "write scheme and host alone, like https://board.example.com"
	u, err := url.Parse(string(text))
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return bad(mend, "%q is not an origin", text)
	}
	// Browsers send it in lower case and leave the usual port out.
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	*o = Origin(u.Scheme + "://" + host)
	return nil
}

// Refuse is when a socket's client hears that it is refused.
type Refuse string

// The two moments.
const (
	AfterUpgrade  Refuse = "after_upgrade"
	BeforeUpgrade Refuse = "before_upgrade"
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Refuse) UnmarshalText(text []byte) error {
	return oneOf(r, string(text), AfterUpgrade, BeforeUpgrade)
}

// Level is how much is logged.
type Level string

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(text []byte) error {
	return oneOf(l, string(text), "debug", "info", "warn", "error")
}

// Format is how it is logged.
type Format string

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Format) UnmarshalText(text []byte) error {
	return oneOf(f, string(text), "auto", "text", "json")
}

// ProxyHeaders is the family of headers that trusted proxies write.
type ProxyHeaders string

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *ProxyHeaders) UnmarshalText(text []byte) error {
	return oneOf(h, string(text), "x-forwarded", "forwarded")
}

func oneOf[T ~string](into *T, s string, allowed ...T) error {
	if !slices.Contains(allowed, T(s)) {
		names := make([]string, len(allowed))
		for i, a := range allowed {
			names[i] = string(a)
		}
		return bad("write one of "+strings.Join(names, ", "), "%q is not known here", s)
	}
	*into = T(s)
	return nil
}

// Database says where state is kept. The zero value is SQLite in the data
// folder. It can hold a password, so it prints without one.
type Database struct{ url secret.Text }

// Postgres returns the URL, with the password if it holds one, and whether
// PostgreSQL is meant at all.
func (d Database) Postgres() (secret.Text, bool) { return d.url, !d.url.Empty() }

// UnmarshalText implements encoding.TextUnmarshaler. Messages leave the value
// out.
func (d *Database) UnmarshalText(text []byte) error {
	const mend = "write sqlite, or a URL like postgres://user@host/name"
	if string(text) == "sqlite" {
		*d = Database{}
		return nil
	}
	if strings.HasPrefix(string(text), "host=") || strings.HasPrefix(string(text), "dbname=") {
		d.url = secret.New(string(text)) // the keywords of libpq; the driver says what is wrong with them
		return nil
	}
	u, err := url.Parse(string(text))
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return bad(mend, "is neither sqlite nor a PostgreSQL URL")
	}
	if u.Path == "" || u.Path == "/" {
		return bad(mend, "names no database at the end of the URL")
	}
	d.url = secret.New(string(text))
	return nil
}

func (d Database) String() string {
	if d.url.Empty() {
		return "sqlite"
	}
	u, err := url.Parse(d.url.Reveal())
	if err != nil || u.Scheme == "" {
		return hidePassword.ReplaceAllString(d.url.Reveal(), "${1}hidden")
	}
	if _, has := u.User.Password(); has {
		u.User = url.User(u.User.Username())
	}
	// Everything in the query can be a secret (password=, sslpassword=); names are enough.
	query := u.Query()
	for name := range query {
		if strings.Contains(strings.ToLower(name), "pass") {
			query.Set(name, "hidden")
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// hidePassword finds passwords among libpq's keywords, quoted or not.
var hidePassword = regexp.MustCompile(`(?i)(pass[a-z]*\s*=\s*)('(?:[^'\\]|\\.)*'?|\S+)`)

// GoString keeps %#v from looking inside.
func (d Database) GoString() string { return d.String() }

// MarshalText implements encoding.TextMarshaler.
func (d Database) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
