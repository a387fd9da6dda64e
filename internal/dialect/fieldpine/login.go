package fieldpine

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gatehouse.dev/internal/secret"
)

// maxCredential bounds a key, token or user name as shown.
const maxCredential = 2048

// errLogin is every fault of a login packet; the caller hears none of them.
var errLogin = errors.New("not a login with exactly one credential")

// shown is what a login packet shows: exactly one of the first three.
type shown struct {
	APIKey secret.Text
	Token  secret.Text
	User   string // of an encrypted session

	Options options
}

// options are what a client says about itself. None of it can satisfy a rule.
type options struct {
	Zone      *int // minutes, UTC minus local
	LocalTime string
	Geo       *geo
	Purpose   string
}

// geo is a browser's GeolocationCoordinates. Heights may be null.
type geo struct {
	Latitude         float64  `json:"latitude"`
	Longitude        float64  `json:"longitude"`
	Accuracy         float64  `json:"accuracy"`
	Altitude         *float64 `json:"altitude"`
	AltitudeAccuracy *float64 `json:"altitudeAccuracy"`
}

// wireLogin has the members of v. Credentials stay raw until they are counted:
// one that is there, if only as null or an empty text, counts.
type wireLogin struct {
	APIKey    jsontext.Value `json:"apikey"`
	Token     jsontext.Value `json:"token"`
	User      jsontext.Value `json:"encryption_user"`
	Zone      jsontext.Value `json:"tz"`
	LocalTime jsontext.Value `json:"localtime"`
	Geo       jsontext.Value `json:"geo"`
	Purpose   jsontext.Value `json:"purpose"`
}

// parseLogin reads the v of a login.
func parseLogin(v jsontext.Value) (shown, error) {
	var w wireLogin
	if v.Kind() != '{' || json.Unmarshal(v, &w) != nil {
		return shown{}, errLogin
	}
	given := 0
	for _, c := range []jsontext.Value{w.APIKey, w.Token, w.User} {
		if len(c) > 0 {
			given++
		}
	}
	if given != 1 {
		return shown{}, errLogin
	}
	text, ok := credentialText(w)
	if !ok {
		return shown{}, errLogin
	}
	l := shown{Options: w.options()}
	switch {
	case len(w.APIKey) > 0:
		l.APIKey = secret.New(text)
	case len(w.Token) > 0:
		l.Token = secret.New(tokenOf(text))
	default:
		l.User = text
	}
	return l, nil
}

func credentialText(w wireLogin) (string, bool) {
	for _, c := range []jsontext.Value{w.APIKey, w.Token, w.User} {
		if c.Kind() != '"' {
			continue
		}
		text, ok := scalar(c)
		return text, ok && text != "" && len(text) <= maxCredential && printable(text)
	}
	return "", false
}

// parseOptions reads the v of a set_option.
func parseOptions(v jsontext.Value) (options, error) {
	var w wireLogin
	if v.Kind() != '{' || json.Unmarshal(v, &w) != nil {
		return options{}, errLogin
	}
	return w.options(), nil
}

// options takes what can be read and leaves the rest: a clumsy clock must not
// keep anybody out.
func (w wireLogin) options() options {
	var o options
	var zone int
	if w.Zone.Kind() == '0' && json.Unmarshal(w.Zone, &zone) == nil && zone >= -16*60 && zone <= 16*60 {
		o.Zone = &zone
	}
	if text, ok := scalar(w.LocalTime); ok && len(text) <= 64 {
		o.LocalTime = text
	}
	if text, ok := scalar(w.Purpose); ok && len(text) <= 64 {
		o.Purpose = text
	}
	o.Geo = parseGeo(w.Geo)
	return o
}

func parseGeo(v jsontext.Value) *geo {
	var g geo
	if v.Kind() != '{' || json.Unmarshal(v, &g) != nil {
		return nil
	}
	if g.Latitude < -90 || g.Latitude > 90 || g.Longitude < -180 || g.Longitude > 180 || g.Accuracy < 0 {
		return nil
	}
	return &g
}

// tokenOf finds the token in a scanned link: its token argument, or else its
// last path segment. What is no link is the token itself.
func tokenOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return text
	}
	if t := u.Query().Get("token"); t != "" {
		return t
	}
	if last := path.Base(strings.TrimSuffix(u.Path, "/")); last != "." && last != "/" {
		return last
	}
	return text
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
