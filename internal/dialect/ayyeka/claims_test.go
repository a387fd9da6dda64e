package ayyeka

import (
	"encoding/base64"
	"testing"
	"time"
)

// samplePayload is the payload of the token on the vendor's authentication page.
const samplePayload = "eyJhdWQiOiIyMDkxIiwiZXhwIjoxNjc2MjE0NTQ2LCJpYXQiOjE2NzYyMTA5NDYsImlzcyI6IkNsb3VkIiwic3ViIjoiNjIzNzo3MDgifQ"

func TestClaimsAreTheVendors(t *testing.T) {
	t.Parallel()
	got := issueClaims(2091, "Cloud", subject{6237, 708}, time.Unix(1676210946, 999), time.Hour)
	if text := base64.RawURLEncoding.EncodeToString(got.encode()); text != samplePayload {
		t.Errorf("payload = %s (%s), want %s", text, got.encode(), samplePayload)
	}
	back, err := parseClaims(got.encode())
	if err != nil || back != got {
		t.Errorf("parsed = %+v, %v, want %+v", back, err, got)
	}
}

func TestParseClaims(t *testing.T) {
	t.Parallel()
	const good = `{"aud":"2091","exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`
	if _, err := parseClaims([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, payload := range map[string]string{
		"empty":              ``,
		"not an object":      `["aud"]`,
		"missing":            `{"aud":"2091","exp":1676214546,"iat":1676210946,"iss":"Cloud"}`,
		"twice":              `{"aud":"2091","aud":"1","exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"other case":         `{"AUD":"2091","exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"one more":           `{"aud":"2091","exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708","scope":"all"}`,
		"aud is a number":    `{"aud":2091,"exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"aud is a list":      `{"aud":["2091"],"exp":1676214546,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"exp is text":        `{"aud":"2091","exp":"1676214546","iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"exp has a fraction": `{"aud":"2091","exp":1676214546.5,"iat":1676210946,"iss":"Cloud","sub":"6237:708"}`,
		"trailing":           good + `{}`,
		"trailing brace":     good + `}`,
		"cut":                good[:len(good)-1],
	} {
		if c, err := parseClaims([]byte(payload)); err == nil {
			t.Errorf("%s: took %+v", name, c)
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
	f.Add([]byte(`{"aud":"2091","aud":"1"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := parseClaims(payload)
		if err != nil {
			return
		}
		again, err := parseClaims(c.encode())
		if err != nil || again != c {
			t.Errorf("%s reads as %+v, which reads as %+v, %v", payload, c, again, err)
		}
	})
}
