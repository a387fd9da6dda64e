package ayyeka

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"gatehouse.dev/internal/secret"
)

const (
	// formLimit bounds the body of a token request. The largest honest one, with
	// imported credentials form-encoded in the body, stays far below.
	formLimit = 16 << 10
	// authorizationLimit bounds a credential in a header; a token with a kid has
	// about 700 characters.
	authorizationLimit = 8 << 10
)

// tokenRequest is what a caller of /auth/token presented: one reading of its
// key and secret, or two when the Basic value can be read two ways.
type tokenRequest struct {
	readings []pair
}

// pair is a key and its secret, not yet believed.
type pair struct {
	key    string
	secret secret.Text
}

func (p pair) equal(q pair) bool { return p.key == q.key && p.secret.Equal(q.secret) }

// readTokenRequest reads headers and body of a POST to /auth/token. Every error
// is a *refusal. The form is looked at first: what is wrong with it is said
// whoever asks, so it tells nothing about credentials.
func readTokenRequest(h http.Header, body []byte) (tokenRequest, error) {
	form, err := readForm(h, body)
	if err != nil {
		return tokenRequest{}, err
	}
	switch grant := strings.Trim(form.Get("grant_type"), " \t\r\n"); grant {
	case "client_credentials":
	case "":
		return tokenRequest{}, badRequest("grant_type is missing")
	default:
		return tokenRequest{}, unsupportedGrant
	}
	readings, err := readCredentials(h, form)
	return tokenRequest{readings: readings}, err
}

// readForm takes a body as application/x-www-form-urlencoded in UTF-8. RFC 6749
// section 3.2: a parameter must not be there more than once; empty ones count
// as absent.
func readForm(h http.Header, body []byte) (url.Values, error) {
	if !isForm(h) {
		return nil, badRequest("the body must be application/x-www-form-urlencoded")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, badRequest("the body is not a form")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, badRequest("a field of the form is there twice")
		}
		if !clean(name) || !clean(values[0]) {
			return nil, badRequest("the form holds a NUL or is not UTF-8")
		}
	}
	return form, nil
}

func isForm(h http.Header) bool {
	types := h.Values("Content-Type")
	if len(types) != 1 || len(h.Values("Content-Encoding")) > 0 {
		return false
	}
	media, params, err := mime.ParseMediaType(types[0])
	if err != nil || media != "application/x-www-form-urlencoded" {
		return false
	}
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "us-ascii":
		return true
	}
	return false
}

// readCredentials takes the pair from the Basic header, the body, or both when
// they say the same: RFC 6749 section 2.3 allows one way at a time.
func readCredentials(h http.Header, form url.Values) ([]pair, error) {
	readings, err := readBasic(h)
	if err != nil {
		return nil, err
	}
	id, text := form.Get("client_id"), secret.New(form.Get("client_secret"))
	if len(readings) == 0 {
		if id == "" || text.Empty() {
			return nil, noCredentials
		}
		return []pair{{id, text}}, nil
	}
	if id == "" && text.Empty() {
		return readings, nil
	}
	var same []pair
	for _, r := range readings {
		full := pair{id, text}
		if id == "" {
			full.key = r.key
		}
		if text.Empty() { // a client_id beside Basic only names who asks
			full.secret = r.secret
		}
		if r.equal(full) {
			same = append(same, r)
		}
	}
	if len(same) == 0 {
		return nil, badRequest("header and body name different credentials")
	}
	return same, nil
}

// readBasic reads `Basic base64(key:secret)`; no header gives no readings. The
// vendor's samples encode the halves raw, RFC 6749 section 2.3.1 wants them
// form-encoded, and a raw secret may hold a "+" that decoding would lose: so
// the raw reading comes first, and the decoded one only when there is a "%".
func readBasic(h http.Header) ([]pair, error) {
	headers := h.Values("Authorization")
	switch len(headers) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, badRequest("there is more than one Authorization header")
	}
	scheme, value, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil, malformedBasic
	}
	if len(value) > authorizationLimit {
		return nil, malformedBasic
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Trim(value, " \t"))
	if err != nil || !clean(string(raw)) {
		return nil, malformedBasic
	}
	text := trimNewline(string(raw))
	key, sec, found := strings.Cut(text, ":")
	if !found {
		return nil, malformedBasic
	}
	readings := []pair{{key, secret.New(sec)}}
	if strings.Contains(text, "%") {
		if decoded, ok := formDecoded(key, sec); ok {
			readings = append(readings, decoded)
		}
	}
	return readings, nil
}

// trimNewline drops the line feed that `echo Key:Secret | base64` puts in.
func trimNewline(s string) string {
	if cut, ok := strings.CutSuffix(s, "\n"); ok {
		return strings.TrimSuffix(cut, "\r")
	}
	return s
}

func formDecoded(key, sec string) (pair, bool) {
	k, err := url.QueryUnescape(key)
	if err != nil || !clean(k) {
		return pair{}, false
	}
	s, err := url.QueryUnescape(sec)
	if err != nil || !clean(s) {
		return pair{}, false
	}
	return pair{k, secret.New(s)}, true
}

// clean reports whether s can be stored and compared: UTF-8 without NUL.
func clean(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// tokenAnswer is the body of a successful answer, members in the documented
// order.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
}

// writeTokenAnswer makes the body. The type is "JWT" although the token travels
// as "Bearer"; clients compare both.
func writeTokenAnswer(token secret.Text, seconds int64) []byte {
	body, err := json.Marshal(tokenAnswer{token.Reveal(), "JWT", seconds})
	if err != nil {
		panic(err) // strings and a number
	}
	return body
}

// bearerSyntax says how the token of an API call may be written besides
// `Bearer <token>`. The zero value is what the vendor documents.
type bearerSyntax struct {
	bare      bool // the token alone
	jwtScheme bool // `JWT <token>`, as libraries that copy token_type do
}

// read takes the token out of the Authorization header. Every error is a
// *refusal. Whether it is a JWT at all is the verifier's question.
func (b bearerSyntax) read(h http.Header) (secret.Text, error) {
	headers := h.Values("Authorization")
	switch len(headers) {
	case 0:
		return secret.Text{}, noToken
	case 1:
	default:
		return secret.Text{}, badRequest("there is more than one Authorization header")
	}
	value := headers[0]
	if len(value) > authorizationLimit {
		return secret.Text{}, badToken
	}
	scheme, text, two := strings.Cut(value, " ")
	switch {
	case !two && b.bare:
		text = value
	case strings.EqualFold(scheme, "Bearer"):
	case strings.EqualFold(scheme, "JWT") && b.jwtScheme:
	default:
		return secret.Text{}, badToken
	}
	text = strings.TrimLeft(text, " ")
	if text == "" || strings.ContainsAny(text, " \t,") {
		return secret.Text{}, badToken
	}
	return secret.New(text), nil
}
