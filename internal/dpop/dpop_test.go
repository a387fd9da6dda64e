package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse.dev/internal/secret"
)

var now = time.Unix(1_800_000_000, 0)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// sign makes a proof; a nil value takes a claim away.
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, typ string, embed bool, change map[string]any) string {
	t.Helper()
	sum := sha256.Sum256([]byte("the-token"))
	c := map[string]any{
		"jti": "p-1", "htm": "GET", "htu": "https://api.example/board/live", "iat": now.Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	for name, v := range change {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key},
		(&jose.SignerOptions{EmbedJWK: embed}).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := o.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func request() Request {
	return Request{Method: "GET", Scheme: "https", Host: "api.example", Path: "/board/live", Token: secret.New("the-token")}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	change := func(name string, v any) string {
		return sign(t, jose.ES256, key, proofTyp, true, map[string]any{name: v})
	}
	good := change("x", 1)
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"good":             {good, true},
		"websocket":        {change("htu", "wss://API.example:443/board/live?x=1#y"), true},
		"odd spelling":     {change("htu", "https://api.example/board/%6Cive"), true},
		"just in time":     {change("iat", now.Add(-Window).Unix()), true},
		"their clock":      {change("iat", now.Add(Ahead).Unix()), true},
		"too old":          {change("iat", now.Add(-Window-time.Second).Unix()), false},
		"too early":        {change("iat", now.Add(Ahead+time.Second).Unix()), false},
		"no time":          {change("iat", nil), false},
		"another method":   {change("htm", "POST"), false},
		"method in lower":  {change("htm", "get"), false},
		"another host":     {change("htu", "https://evil.example/board/live"), false},
		"another port":     {change("htu", "https://api.example:8443/board/live"), false},
		"in clear":         {change("htu", "http://api.example/board/live"), false},
		"another path":     {change("htu", "https://api.example/board"), false},
		"with user":        {change("htu", "https://u@api.example/board/live"), false},
		"no address":       {change("htu", nil), false},
		"another token":    {change("ath", "AAAA"), false},
		"no token":         {change("ath", nil), false},
		"no id":            {change("jti", nil), false},
		"long id":          {change("jti", strings.Repeat("x", maxID+1)), false},
		"another type":     {sign(t, jose.ES256, key, "JWT", true, nil), false},
		"no key":           {sign(t, jose.ES256, key, proofTyp, false, nil), false},
		"symmetric":        {sign(t, jose.HS256, []byte("0123456789abcdef0123456789abcdef"), proofTyp, false, nil), false},
		"a short RSA key":  {sign(t, jose.RS256, small, proofTyp, true, nil), false},
		"wrong signature":  {good[:len(good)-6] + "AAAAAA", false},
		"of another proof": {good[:strings.LastIndex(good, ".")] + change("jti", "p-2")[strings.LastIndex(change("jti", "p-2"), "."):], false},
		"not a token":      {"x", false},
		"too long":         {good + strings.Repeat(" ", maxProof), false},
	} {
		p, err := Check(c.text, request(), now)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v, want accepted: %v", name, err, c.ok)
		}
		if err == nil {
			print, _ := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
			if want := base64.RawURLEncoding.EncodeToString(print); p.Key != want || p.ID != "p-1" {
				t.Errorf("%s: proof %+v, want the key %s", name, p, want)
			}
		}
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	m := &Memory{Most: 2}
	p := Proof{Key: "k", ID: "1"}
	is := func(what string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	is("new", m.Once(p, now), nil)
	is("again", m.Once(p, now), ErrReplay)
	is("another key's", m.Once(Proof{Key: "l", ID: "1"}, now), nil)
	is("too many", m.Once(Proof{Key: "k", ID: "2"}, now), ErrFull)
	later := now.Add(Window + Ahead)
	is("after a turn", m.Once(p, later), ErrReplay)
	is("room again", m.Once(Proof{Key: "k", ID: "2"}, later), nil)
	is("long after", m.Once(p, later.Add(2*(Window+Ahead))), nil)
}

// One key does not fill the memory for all others.
func TestMemoryIsShared(t *testing.T) {
	t.Parallel()
	m := &Memory{Most: 4}
	once := func(key, id string) error { return m.Once(Proof{Key: key, ID: id}, now) }
	for i, want := range []error{nil, nil, ErrFull, ErrFull, ErrFull} {
		if err := once("greedy", fmt.Sprint(i)); !errors.Is(err, want) {
			t.Errorf("proof %d of one key: %v, want %v", i, err, want)
		}
	}
	if err := once("modest", "1"); err != nil {
		t.Errorf("another key: %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("a.b.c", "https://api.example/board/live")
	f.Add(sign(f, jose.ES256, newKey(f), proofTyp, true, nil), "wss://[::1]:443/%2f")
	f.Fuzz(func(t *testing.T, text, htu string) {
		Check(text, request(), now)
		sameTarget(htu, request())
	})
}
