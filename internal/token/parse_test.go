package token

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"gatehouse.dev/internal/secret"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// compact writes a token of that header and those claims with a signature
// that is only there.
func compact(header, claims string) string { return b64(header) + "." + b64(claims) + "." + b64("sig") }

const goodHeader = `{"alg":"RS384","typ":"JWT"}`

func TestParse(t *testing.T) {
	t.Parallel()
	p, err := Parse(secret.New(compact(`{"typ":"at+jwt","alg":"ES256","kid":"k1","x5t":"ignored"}`, `{"sub":"x"}`)))
	if err != nil {
		t.Fatal(err)
	}
	if p.Alg != ES256 || p.Type != "at+jwt" || p.KeyID != "k1" {
		t.Errorf("header = %q %q %q", p.Alg, p.Type, p.KeyID)
	}
	if sub, err := p.Claims.Text("sub"); sub != "x" || err != nil {
		t.Errorf("sub = %q, %v", sub, err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := compact(goodHeader, `{"sub":"x"}`)
	h, c := b64(goodHeader), b64(`{"sub":"x"}`)
	for name, s := range map[string]string{
		"empty":                  "",
		"dots":                   "..",
		"one part":               h,
		"two parts":              h + "." + c,
		"four parts":             good + ".",
		"five parts":             good + "." + h + "." + c, // a JWE
		"empty header":           "." + c + ".c2ln",
		"empty claims":           h + "..c2ln",
		"empty signature":        h + "." + c + ".",
		"blank before":           " " + good,
		"new line behind":        good + "\n",
		"new line inside":        h + "\n." + c + ".c2ln",
		"padding":                good + "=",
		"standard alphabet":      h + "." + c + ".c2l+",
		"slash":                  h + "." + c + ".c2/n",
		"stray bits":             h + "." + c + ".c2lnAB",
		"impossible length":      h + "." + c + ".c2lnA",
		"NUL":                    h + "." + c + ".c2ln\x00",
		"not ASCII":              h + "." + c + ".c2lné",
		"too long":               h + "." + b64(`{"a":"`+strings.Repeat("x", MaxLen)+`"}`) + ".c2ln",
		"header not an object":   compact(`"RS384"`, `{}`),
		"header with two algs":   compact(`{"alg":"RS384","alg":"none"}`, `{}`),
		"no alg":                 compact(`{"typ":"JWT"}`, `{}`),
		"Alg":                    compact(`{"Alg":"RS384"}`, `{}`),
		"alg not a string":       compact(`{"alg":["RS384"]}`, `{}`),
		"alg null":               compact(`{"alg":null}`, `{}`),
		"typ not a string":       compact(`{"alg":"RS384","typ":1}`, `{}`),
		"kid not a string":       compact(`{"alg":"RS384","kid":1}`, `{}`),
		"kid too long":           compact(`{"alg":"RS384","kid":"`+strings.Repeat("k", 257)+`"}`, `{}`),
		"crit":                   compact(`{"alg":"RS384","crit":["exp"],"exp":1}`, `{}`),
		"empty crit":             compact(`{"alg":"RS384","crit":[]}`, `{}`),
		"unencoded payload":      compact(`{"alg":"RS384","b64":false}`, `{}`),
		"brings a key":           compact(`{"alg":"RS384","jwk":{"kty":"RSA"}}`, `{}`),
		"points to a key set":    compact(`{"alg":"RS384","jku":"https://evil.example/"}`, `{}`),
		"points to a chain":      compact(`{"alg":"RS384","x5u":"https://evil.example/"}`, `{}`),
		"brings a chain":         compact(`{"alg":"RS384","x5c":["AA"]}`, `{}`),
		"encrypted":              compact(`{"alg":"RS384","enc":"A128GCM"}`, `{}`),
		"compressed":             compact(`{"alg":"RS384","zip":"DEF"}`, `{}`),
		"claims not an object":   compact(goodHeader, `[]`),
		"claims with two subs":   compact(goodHeader, `{"sub":"a","sub":"b"}`),
		"something behind":       compact(goodHeader, `{"sub":"a"}{}`),
		"header with bad UTF-8":  compact("{\"alg\":\"RS384\",\"x\":\"\xff\"}", `{}`),
		"JSON serialisation":     `{"payload":"","signatures":[]}`,
		"bearer word in front":   "Bearer " + good,
		"three parts, first dot": "." + good,
	} {
		if _, err := Parse(secret.New(s)); !errors.Is(err, ErrMalformed) || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: error = %v, want ErrMalformed", name, err)
		}
	}
}

func TestHashLeavesSignatureOut(t *testing.T) {
	t.Parallel()
	h := b64(goodHeader) + "." + b64(`{"sub":"x"}`)
	if Hash(secret.New(h+".AAAA")) != Hash(secret.New(h+".BBBB")) {
		t.Error("another signature makes another hash")
	}
	if Hash(secret.New(h+".AAAA")) == Hash(secret.New(compact(goodHeader, `{"sub":"y"}`))) {
		t.Error("other claims make the same hash")
	}
	p, err := Parse(secret.New(h + ".AAAA"))
	if err != nil || p.Hash() != Hash(secret.New(h+".AAAA")) {
		t.Errorf("hash of parsed and of text differ, %v", err)
	}
	if len(Hash(secret.New("no dots"))) != 64 {
		t.Error("garbage has no hash")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(compact(goodHeader, `{"aud":"4410","exp":1767229200,"iat":1767225600,"iss":"Cloud","sub":"5120:33"}`))
	f.Add(compact(`{"alg":"none"}`, `{}`))
	f.Add("..")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(secret.New(s))
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("error %v is not ErrMalformed", err)
			}
			return
		}
		// A token has one spelling: what was read can be written back only as
		// it came.
		again := p.signed + "." + base64.RawURLEncoding.EncodeToString(p.signature)
		if again != s {
			t.Errorf("%q was read as %q", s, again)
		}
	})
}
