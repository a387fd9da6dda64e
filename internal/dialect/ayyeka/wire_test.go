package ayyeka

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"gatehouse.dev/internal/secret"
)

const (
	exampleKey    = "0011AABB2233CCDD4455EEFF66778899"
	exampleSecret = "RXhhbXBsZVNlY3JldEV4YW1wbGVTZWNyZXRFeGFtcGw="
	exampleBasic  = "Basic MDAxMUFBQkIyMjMzQ0NERDQ0NTVFRUZGNjY3Nzg4OTk6UlhoaGJYQnNaVk5sWTNKbGRFVjRZVzF3YkdWVFpXTnlaWFJGZUdGdGNHdz0="
	formType      = "application/x-www-form-urlencoded"
)

func basic(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }

// guard is what a listener puts around bodies: it moves the deadline with each
// read.
type guard struct {
	io.ReadCloser
	moved bool
}

func (g *guard) Unwrap() io.ReadCloser { return g.ReadCloser }

func (g *guard) Read(p []byte) (int, error) {
	g.moved = true
	return g.ReadCloser.Read(p[:1])
}

// TestReadBodyHasOneDeadline: a caller that sends a byte now and then is not
// waited for as long as it goes on.
func TestReadBodyHasOneDeadline(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", tokenPath, nil)
	g := &guard{ReadCloser: io.NopCloser(strings.NewReader("grant_type=client_credentials"))}
	r.Body = g
	body, err := readBody(httptest.NewRecorder(), r)
	if err != nil || string(body) != "grant_type=client_credentials" || g.moved {
		t.Errorf("%q, %v, deadline moved: %v", body, err, g.moved)
	}
}

func TestReadTokenRequest(t *testing.T) {
	t.Parallel()

	const form = "grant_type=client_credentials"
	both := func(k, s string) string {
		return form + "&" + url.Values{"client_id": {k}, "client_secret": {s}}.Encode()
	}
	one := [][2]string{{exampleKey, exampleSecret}}
	for name, c := range map[string]struct {
		authorization []string
		media         string // "": the documented one; "-": none
		body          string
		want          [][2]string
		refused       *refusal
	}{
		"documented":                    {[]string{exampleBasic}, "", form, one, nil},
		"scheme in lower case":          {[]string{"basic " + exampleBasic[6:]}, "", form, one, nil},
		"media type with charset":       {[]string{exampleBasic}, formType + "; charset=UTF-8", form, one, nil},
		"blank before the grant type":   {[]string{exampleBasic}, "", "grant_type= client_credentials", one, nil},
		"encoded blanks around it":      {[]string{exampleBasic}, "", "grant_type=+client_credentials%20", one, nil},
		"scope is ignored":              {[]string{exampleBasic}, "", form + "&scope=a+b", one, nil},
		"trailing line feed":            {[]string{basic(exampleKey + ":" + exampleSecret + "\n")}, "", form, one, nil},
		"trailing CR LF":                {[]string{basic(exampleKey + ":" + exampleSecret + "\r\n")}, "", form, one, nil},
		"only one line feed goes":       {[]string{basic("k:s\n\n")}, "", form, [][2]string{{"k", "s\n"}}, nil},
		"a lone CR stays":               {[]string{basic("k:s\r")}, "", form, [][2]string{{"k", "s\r"}}, nil},
		"plus survives":                 {[]string{basic("k:a+b/c=")}, "", form, [][2]string{{"k", "a+b/c="}}, nil},
		"colon in the secret":           {[]string{basic("k:a:b")}, "", form, [][2]string{{"k", "a:b"}}, nil},
		"raw first, then decoded":       {[]string{basic("k:a%2Bb%2Fc%3D")}, "", form, [][2]string{{"k", "a%2Bb%2Fc%3D"}, {"k", "a+b/c="}}, nil},
		"percent in the key":            {[]string{basic("k%41:s")}, "", form, [][2]string{{"k%41", "s"}, {"kA", "s"}}, nil},
		"percent that decodes to NUL":   {[]string{basic("k:a%00")}, "", form, [][2]string{{"k", "a%00"}}, nil},
		"percent that is no escape":     {[]string{basic("k:100%")}, "", form, [][2]string{{"k", "100%"}}, nil},
		"in the body":                   {nil, "", both(exampleKey, exampleSecret), one, nil},
		"plus in the body":              {nil, "", both("k", "a+b"), [][2]string{{"k", "a+b"}}, nil},
		"header and equal body":         {[]string{exampleBasic}, "", both(exampleKey, exampleSecret), one, nil},
		"body settles the reading":      {[]string{basic("k:a%2Bb")}, "", both("k", "a+b"), [][2]string{{"k", "a+b"}}, nil},
		"client_id beside the header":   {[]string{exampleBasic}, "", form + "&client_id=" + exampleKey, one, nil},
		"empty key and secret are kept": {[]string{basic(":")}, "", form, [][2]string{{"", ""}}, nil},

		"nothing":                   {nil, "", form, nil, noCredentials},
		"only client_id":            {nil, "", form + "&client_id=k", nil, noCredentials},
		"only client_secret":        {nil, "", form + "&client_secret=s", nil, noCredentials},
		"header and another secret": {[]string{exampleBasic}, "", both(exampleKey, "x"), nil, badRequest("header and body name different credentials")},
		"header and another id":     {[]string{exampleBasic}, "", form + "&client_id=x", nil, badRequest("header and body name different credentials")},
		"two headers":               {[]string{exampleBasic, exampleBasic}, "", form, nil, badRequest("there is more than one Authorization header")},
		"not base64":                {[]string{"Basic !!!"}, "", form, nil, malformedBasic},
		"no colon":                  {[]string{basic(exampleKey)}, "", form, nil, malformedBasic},
		"empty value":               {[]string{"Basic "}, "", form, nil, malformedBasic},
		"no value":                  {[]string{"Basic"}, "", form, nil, malformedBasic},
		"another scheme":            {[]string{"Bearer " + exampleBasic[6:]}, "", form, nil, malformedBasic},
		"NUL in the header":         {[]string{basic("k:\x00")}, "", form, nil, malformedBasic},
		"bad UTF-8 in the header":   {[]string{basic("k:\xff")}, "", form, nil, malformedBasic},
		"huge header":               {[]string{basic("k:" + strings.Repeat("s", authorizationLimit))}, "", form, nil, malformedBasic},

		"grant type missing":     {[]string{exampleBasic}, "", "", nil, badRequest("grant_type is missing")},
		"grant type empty":       {[]string{exampleBasic}, "", "grant_type=", nil, badRequest("grant_type is missing")},
		"grant type twice":       {[]string{exampleBasic}, "", form + "&" + form, nil, badRequest("a field of the form is there twice")},
		"client_id twice":        {nil, "", both("k", "s") + "&client_id=k", nil, badRequest("a field of the form is there twice")},
		"another grant type":     {[]string{exampleBasic}, "", "grant_type=password", nil, unsupportedGrant},
		"grant type capitalised": {[]string{exampleBasic}, "", "grant_type=Client_Credentials", nil, unsupportedGrant},
		"JSON":                   {[]string{exampleBasic}, "application/json", `{"grant_type":"client_credentials"}`, nil, badRequest("the body must be application/x-www-form-urlencoded")},
		"no media type":          {[]string{exampleBasic}, "-", form, nil, badRequest("the body must be application/x-www-form-urlencoded")},
		"other charset":          {[]string{exampleBasic}, formType + "; charset=utf-16", form, nil, badRequest("the body must be application/x-www-form-urlencoded")},
		"broken escape":          {[]string{exampleBasic}, "", form + "&a=%zz", nil, badRequest("the body is not a form")},
		"NUL in the form":        {nil, "", both("k", "\x00"), nil, badRequest("the form holds a NUL or is not UTF-8")},
		"bad UTF-8 in the form":  {nil, "", both("k", "\xff"), nil, badRequest("the form holds a NUL or is not UTF-8")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			for _, a := range c.authorization {
				h.Add("Authorization", a)
			}
			switch c.media {
			case "-":
			case "":
				h.Set("Content-Type", formType)
			default:
				h.Set("Content-Type", c.media)
			}
			got, err := readTokenRequest(h, []byte(c.body))
			if c.refused != nil {
				var r *refusal
				if !errors.As(err, &r) || *r != *c.refused {
					t.Errorf("error = %v, want %v", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(got.readings) != len(c.want) {
				t.Fatalf("%d readings, want %d", len(got.readings), len(c.want))
			}
			for i, r := range got.readings {
				if r.key != c.want[i][0] || r.secret.Reveal() != c.want[i][1] {
					t.Errorf("reading %d = %q %q, want %q", i, r.key, r.secret.Reveal(), c.want[i])
				}
			}
		})
	}
}

func TestTokenAnswer(t *testing.T) {
	t.Parallel()
	got := string(writeTokenAnswer(secret.New("a.b.c"), 3600))
	if want := `{"access_token":"a.b.c","token_type":"JWT","expires_in":3600}`; got != want {
		t.Errorf("answer = %s, want %s", got, want)
	}
}

func TestBearerSyntax(t *testing.T) {
	t.Parallel()
	var strict, lenient = bearerSyntax{}, bearerSyntax{bare: true, jwtScheme: true}
	for name, c := range map[string]struct {
		syntax bearerSyntax
		header []string
		want   string
		err    *refusal
	}{
		"documented":                 {strict, []string{"Bearer aa.bb.cc"}, "aa.bb.cc", nil},
		"scheme in any case":         {strict, []string{"bEARER aa.bb.cc"}, "aa.bb.cc", nil},
		"several blanks":             {strict, []string{"Bearer   aa.bb.cc"}, "aa.bb.cc", nil},
		"bare, switched on":          {lenient, []string{"aa.bb.cc"}, "aa.bb.cc", nil},
		"JWT, switched on":           {lenient, []string{"jwt aa.bb.cc"}, "aa.bb.cc", nil},
		"Bearer beside the switches": {lenient, []string{"Bearer aa.bb.cc"}, "aa.bb.cc", nil},
		"bare":                       {strict, []string{"aa.bb.cc"}, "", badToken},
		"JWT":                        {strict, []string{"JWT aa.bb.cc"}, "", badToken},
		"none":                       {strict, nil, "", noToken},
		"two":                        {strict, []string{"Bearer aa.bb.cc", "Bearer aa.bb.cc"}, "", badRequest("there is more than one Authorization header")},
		"Basic":                      {lenient, []string{exampleBasic}, "", badToken},
		"no token":                   {lenient, []string{"Bearer "}, "", badToken},
		"trailing word":              {strict, []string{"Bearer aa.bb.cc dd"}, "", badToken},
		"two in one header":          {strict, []string{"Bearer aa.bb.cc,Bearer aa.bb.cc"}, "", badToken},
		"huge":                       {strict, []string{"Bearer aa.bb." + strings.Repeat("c", authorizationLimit)}, "", badToken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.syntax.read(http.Header{"Authorization": c.header})
			var r *refusal
			if errors.As(err, &r) != (c.err != nil) || r != nil && *r != *c.err {
				t.Fatalf("error = %v, want %v", err, c.err)
			}
			if got.Reveal() != c.want {
				t.Errorf("token = %q, want %q", got.Reveal(), c.want)
			}
		})
	}
}

func FuzzReadTokenRequest(f *testing.F) {
	f.Add(exampleBasic, formType, "grant_type=client_credentials")
	f.Add(basic("k:a%2Bb\r\n"), formType, "grant_type= client_credentials&client_id=k&client_secret=a%2Bb")
	f.Add("", formType+"; charset=utf-8", "grant_type=client_credentials&client_id=k&client_secret=s")
	f.Add("Basic =", "text/plain", "%")
	f.Fuzz(func(t *testing.T, authorization, media, body string) {
		h := http.Header{"Content-Type": {media}}
		if authorization != "" {
			h.Set("Authorization", authorization)
		}
		got, err := readTokenRequest(h, []byte(body))
		if err != nil {
			var r *refusal
			if !errors.As(err, &r) || r.status < 400 || r.status > 401 || r.code == "" {
				t.Fatalf("error = %v", err)
			}
			return
		}
		if len(got.readings) < 1 || len(got.readings) > 2 {
			t.Fatalf("%d readings", len(got.readings))
		}
		for _, r := range got.readings {
			if !clean(r.key) || !clean(r.secret.Reveal()) {
				t.Fatalf("a reading holds NUL or is not UTF-8")
			}
		}
	})
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer aa.bb.cc", false)
	f.Add("JWT aa.bb.cc", true)
	f.Add("aa.bb.cc", true)
	f.Fuzz(func(t *testing.T, header string, lenient bool) {
		token, err := bearerSyntax{bare: lenient, jwtScheme: lenient}.read(http.Header{"Authorization": {header}})
		if err != nil {
			return
		}
		if token.Empty() || !strings.HasSuffix(header, token.Reveal()) {
			t.Fatalf("read %q out of %q", token.Reveal(), header)
		}
	})
}
