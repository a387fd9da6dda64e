package acqueon

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"gatehouse.dev/internal/secret"
)

// Paths of the two endpoints.
const (
	PathConsole     = "/AEConsole"
	PathTransmitter = "/AEDataTransmitter"
)

// maxName bounds a connection name; documented names are under 60 characters.
const maxName = 256

// Errors of ParseHandshake. Callers see none of them: each but ErrNoCredential
// is one and the same authentication failure.
var (
	ErrNoCredential = errors.New("no Authorization header")
	errScheme       = errors.New("the Authorization header is not one Basic credential")
	errBasic        = errors.New("the Basic credential is not base64 of name and password")
	errName         = errors.New("connection name is not acceptable")
	errNameDiffers  = errors.New("connection name and name parameter differ")
	errCredential   = errors.New("credential is not in a form of this path")
)

// Handshake is what a caller showed when it asked for a socket.
type Handshake struct {
	Name      string // the whole connection name
	User      string // the part that names the user or application
	Timestamp string // 10 to 13 digits, empty in form U1
	Key       string // public half of an API key pair; empty with a token
	Secret    secret.Text
	Token     secret.Text // access token; empty with a pair
}

// Stamped reports whether the name carries a timestamp, and so names one conn
// for ever (U2, U3) rather than whoever holds it now (U1).
func (h Handshake) Stamped() bool { return h.Timestamp != "" }

// Reading has the switches of reading a handshake.
type Reading struct {
	Prefixes []string // accepted beginnings of names; default PerformanceMetrics_
	RawToken bool     // on /AEDataTransmitter take what is not base64 as a raw token
}

// DefaultPrefix begins the names of third-party clients.
const DefaultPrefix = "PerformanceMetrics_"

// ParseHandshake reads the request of a client whose path is one of the two
// (protocol description, 3.4). It believes nothing of it.
func ParseHandshake(r *http.Request, path string, reading Reading) (Handshake, error) {
	name, password, err := readBasic(r.Header)
	if err != nil {
		return Handshake{}, err
	}
	asked, err := nameParameter(r.URL.RawQuery)
	if err != nil || asked != name {
		return Handshake{}, errNameDiffers
	}
	h, err := readName(name, reading.Prefixes)
	if err != nil {
		return Handshake{}, err
	}
	return h, h.readCredential(path, password, reading.RawToken)
}

// readBasic splits the header at its first colon. Clients that send the
// userinfo of a URL undecoded leave percent signs in the halves, which neither
// base64 nor a JWT contains, so such a half is decoded once.
func readBasic(header http.Header) (name, password string, err error) {
	values := header.Values("Authorization")
	if len(values) == 0 {
		return "", "", ErrNoCredential
	}
	scheme, rest, ok := strings.Cut(strings.TrimSpace(values[0]), " ")
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Basic") {
		return "", "", errScheme
	}
	plain, err := decodeBase64(strings.TrimSpace(rest))
	if err != nil {
		return "", "", errBasic
	}
	name, password, ok = strings.Cut(plain, ":")
	if !ok {
		return "", "", errBasic
	}
	if name, err = unescapeOnce(name); err != nil {
		return "", "", errBasic
	}
	if password, err = unescapeOnce(password); err != nil {
		return "", "", errBasic
	}
	return strings.TrimSpace(name), password, nil
}

// nameParameter returns the one name parameter. The query is read here and not
// by r.URL.Query, which drops what it cannot parse without a word.
func nameParameter(rawQuery string) (string, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil || len(query["name"]) != 1 {
		return "", errNameDiffers
	}
	return strings.TrimSpace(query["name"][0]), nil
}

func readName(name string, prefixes []string) (Handshake, error) {
	if len(name) > maxName || !printable(name) {
		return Handshake{}, errName
	}
	if len(prefixes) == 0 {
		prefixes = []string{DefaultPrefix}
	}
	for _, prefix := range prefixes {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok || rest == "" {
			continue
		}
		h := Handshake{Name: name, User: rest}
		if i := strings.LastIndexByte(rest, '_'); i > 0 && isTimestamp(rest[i+1:]) {
			h.User, h.Timestamp = rest[:i], rest[i+1:]
		}
		return h, nil
	}
	return Handshake{}, errName
}

func (h *Handshake) readCredential(path, password string, rawToken bool) error {
	if path == PathConsole {
		return h.takeToken(password)
	}
	inner, err := decodeBase64(password)
	if err != nil {
		if rawToken {
			return h.takeToken(password)
		}
		return errCredential
	}
	key, rest, pair := strings.Cut(inner, ":")
	if !pair {
		return h.takeToken(inner)
	}
	if key == "" || rest == "" || !printable(key) || !printable(rest) {
		return errCredential
	}
	h.Key, h.Secret = key, secret.New(rest)
	return nil
}

func (h *Handshake) takeToken(token string) error {
	if token == "" || !printable(token) {
		return errCredential
	}
	h.Token = secret.New(token)
	return nil
}

// decodeBase64 takes the standard and the URL alphabet, padded or not, and
// refuses line breaks and stray bits.
func decodeBase64(s string) (string, error) {
	if strings.ContainsAny(s, "\r\n") {
		return "", errBasic
	}
	s = strings.TrimRight(s, "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		encoding = base64.RawURLEncoding
	}
	b, err := encoding.Strict().DecodeString(s)
	if err != nil || !utf8.Valid(b) {
		return "", errBasic
	}
	return string(b), nil
}

func unescapeOnce(s string) (string, error) {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' && isHex(s[i+1]) && isHex(s[i+2]) {
			return url.PathUnescape(s)
		}
	}
	return s, nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func isTimestamp(s string) bool {
	if len(s) < 10 || len(s) > 13 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// printable refuses control characters (NUL among them) and bad UTF-8.
func printable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || r < ' ' || r == 0x7f {
			return false
		}
	}
	return true
}
