package ayyeka

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/token"
)

// sampleToken is the token on the vendor's authentication page, shortened by
// its signature.
const sampleToken = "eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9." + samplePayload + ".c2ln"

const samplePayload = "eyJhdWQiOiIyMDkxIiwiZXhwIjoxNjc2MjE0NTQ2LCJpYXQiOjE2NzYyMTA5NDYsImlzcyI6IkNsb3VkIiwic3ViIjoiNjIzNzo3MDgifQ"

// parsed makes claims of a payload by way of a token, as the verifier does.
func parsed(payload []byte) (token.Claims, error) {
	enc := base64.RawURLEncoding
	p, err := token.Parse(secret.New(enc.EncodeToString([]byte(`{"alg":"RS384","typ":"JWT"}`)) + "." + enc.EncodeToString(payload) + ".c2ln"))
	if err != nil {
		return token.Claims{}, err
	}
	return p.Claims, nil
}

func TestClaimsAreTheVendors(t *testing.T) {
	t.Parallel()
	written, err := token.Encode(claimsOf("Cloud", 2091, subject{6237, 708}, time.Unix(1676210946, 0), time.Unix(1676214546, 0))...)
	if err != nil {
		t.Fatal(err)
	}
	if text := base64.RawURLEncoding.EncodeToString(written); text != samplePayload {
		t.Errorf("payload = %s (%s), want %s", text, written, samplePayload)
	}
	p, err := token.Parse(secret.New(sampleToken))
	if err != nil {
		t.Fatal(err)
	}
	got, err := readClaims(p.Claims, "Cloud")
	if err != nil {
		t.Fatal(err)
	}
	want := token.Subject{TenantNumber: 2091, PrincipalNumber: 6237, SecretNumber: 708,
		Issued: time.Unix(1676210946, 0), Expires: time.Unix(1676214546, 0)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("subject (-want +got):\n%s", diff)
	}
}

func TestReadClaimsRefuses(t *testing.T) {
	t.Parallel()
	const good = `{"aud":"2091","exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`
	read := func(payload string) error {
		c, err := parsed([]byte(payload))
		if err == nil {
			_, err = readClaims(c, "Cloud")
		}
		return err
	}
	if err := read(good); err != nil {
		t.Fatal(err)
	}
	for name, payload := range map[string]string{
		"not an object":      `["aud"]`,
		"missing":            `{"aud":"2091","exp":1676214546,"iat":1676210946,"iss":"Cloud"}`,
		"twice":              `{"aud":"2091","aud":"1","exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"other case":         `{"AUD":"2091","exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"one more":           `{"aud":"2091","exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708","scope":"all"}`,
		"aud is a number":    `{"aud":2091,"exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"aud is a list":      `{"aud":["2091"],"exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"aud is zero":        `{"aud":"0","exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"exp is text":        `{"aud":"2091","exp":"1676214546","iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"exp has a fraction": `{"aud":"2091","exp":1676214546.5,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"exp is null":        `{"aud":"2091","exp":null,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"ends first":         `{"aud":"2091","exp":1676210946,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"never ends":         `{"aud":"2091","exp":9223372036854775807,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"iat is negative":    `{"aud":"2091","exp":1676214546,"iat":-1,"iss":"Cloud","sub":"6237:708"}`,
		"another issuer":     `{"aud":"2091","exp":1676214546,"iat":1676210946,"iss":"cloud","sub":"6237:708"}`,
		"sub has no colon":   `{"aud":"2091","exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237"}`,
	} {
		if err := read(payload); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

func TestSubject(t *testing.T) {
	t.Parallel()
	if got, err := parseSubject("6237:708"); err != nil || got != (subject{6237, 708}) {
		t.Errorf("subject = %+v, %v", got, err)
	}
	for _, s := range []string{"", ":", "1", "1:", ":1", "0:1", "1:0", "-1:1", "+1:1", "01:1", "1:01", "1:1:1", " 1:1", "1:1 ",
		"1.0:1", "1e3:1", "١:1", "9223372036854775808:1", "0x1:1", "1_0:1"} {
		if got, err := parseSubject(s); err == nil {
			t.Errorf("parseSubject(%q) = %+v", s, got)
		}
	}
}

func FuzzSubject(f *testing.F) {
	f.Add("6237:708")
	f.Add("01:-1")
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := parseSubject(s); err == nil && got.String() != s {
			t.Errorf("parseSubject(%q) writes %q", s, got)
		}
	})
}

func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"aud":"2091","exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`))
	f.Add([]byte(`{"sub":"1:1","aud":"1","aud":"1"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := parsed(payload)
		if err != nil {
			return
		}
		s, err := readClaims(c, "Cloud")
		if err != nil {
			return
		}
		again, err := token.Encode(claimsOf("Cloud", s.TenantNumber, subject{s.PrincipalNumber, s.SecretNumber}, s.Issued, s.Expires)...)
		if err != nil {
			t.Fatal(err)
		}
		c, err = parsed(again)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := readClaims(c, "Cloud"); err != nil || !cmp.Equal(back, s) {
			t.Errorf("%s reads as %+v, which reads as %+v, %v", payload, s, back, err)
		}
	})
}
