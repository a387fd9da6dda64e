package ayyeka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTokenSource(t *testing.T) {
	t.Parallel()

	setup := func(t *testing.T) (*TokenSource, *vendor, *clock) {
		t.Helper()
		v, c := newVendor(t), newClock()
		source, err := NewTokenSource(v.config(c))
		if err != nil {
			t.Fatal(err)
		}
		return source, v, c
	}
	get := func(t *testing.T, s *TokenSource) Token {
		t.Helper()
		token, err := s.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}

	t.Run("KeepsTheToken", func(t *testing.T) {
		t.Parallel()
		s, v, c := setup(t)
		first := get(t, s)
		c.pass(58 * time.Minute)
		if got := get(t, s).Reveal(); got != first.Reveal() || got != "header.token1.signature" {
			t.Errorf("token after 58 minutes = %q, first %q", got, first.Reveal())
		}
		if hits, _ := v.counts(); hits != 1 {
			t.Errorf("token requests = %d, want 1", hits)
		}
		if want := newClock().t.Add(time.Hour); !first.Expires.Equal(want) {
			t.Errorf("expires = %v, want %v", first.Expires, want)
		}
	})

	t.Run("RenewsAMinuteEarly", func(t *testing.T) {
		t.Parallel()
		s, _, c := setup(t)
		get(t, s)
		c.pass(59*time.Minute - time.Second)
		if got := get(t, s).Reveal(); got != "header.token1.signature" {
			t.Errorf("token 61 s before its end = %q", got)
		}
		c.pass(time.Second)
		if got := get(t, s).Reveal(); got != "header.token2.signature" {
			t.Errorf("token 60 s before its end = %q, want the second", got)
		}
	})

	t.Run("ShortTokensAreNotRenewedAtEveryCall", func(t *testing.T) {
		t.Parallel()
		s, v, c := setup(t)
		v.set(func() { v.lifetime = 30 })
		get(t, s)
		c.pass(14 * time.Second)
		get(t, s)
		if hits, _ := v.counts(); hits != 1 {
			t.Errorf("token requests = %d, want 1", hits)
		}
		c.pass(time.Second)
		get(t, s)
		if hits, _ := v.counts(); hits != 2 {
			t.Errorf("token requests at half time = %d, want 2", hits)
		}
	})

	t.Run("OneRequestForMany", func(t *testing.T) {
		t.Parallel()
		s, v, _ := setup(t)
		release := make(chan struct{})
		v.set(func() { v.hold = release })
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if token, err := s.Token(t.Context()); err != nil || token.Reveal() != "header.token1.signature" {
					t.Errorf("token = %q, %v", token.Reveal(), err)
				}
			})
		}
		waitFor(t, func() bool { hits, _ := v.counts(); return hits > 0 })
		close(release)
		wg.Wait()
		if hits, _ := v.counts(); hits != 1 {
			t.Errorf("token requests = %d, want 1", hits)
		}
	})

	t.Run("GivingUpLeavesItToTheOthers", func(t *testing.T) {
		t.Parallel()
		s, v, _ := setup(t)
		release := make(chan struct{})
		v.set(func() { v.hold = release })
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { _, err := s.Token(ctx); gone <- err }()
		waitFor(t, func() bool { hits, _ := v.counts(); return hits == 1 })
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("error of the one who left = %v", err)
		}
		close(release)
		if got := get(t, s).Reveal(); got != "header.token1.signature" {
			t.Errorf("token = %q", got)
		}
		if hits, _ := v.counts(); hits != 1 {
			t.Errorf("token requests = %d, want 1", hits)
		}
	})

	t.Run("RenewOnlyOncePerStaleToken", func(t *testing.T) {
		t.Parallel()
		s, v, _ := setup(t)
		stale := get(t, s)
		for range 3 {
			if token, err := s.Renew(t.Context(), stale); err != nil || token.Reveal() != "header.token2.signature" {
				t.Errorf("renewed token = %q, %v", token.Reveal(), err)
			}
		}
		if hits, _ := v.counts(); hits != 2 {
			t.Errorf("token requests = %d, want 2", hits)
		}
	})

	t.Run("RunsOnWhileTheServerIsDown", func(t *testing.T) {
		t.Parallel()
		s, v, c := setup(t)
		get(t, s)
		v.set(func() { v.onToken = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) } })
		c.pass(59*time.Minute + 30*time.Second)
		for range 3 {
			if got := get(t, s).Reveal(); got != "header.token1.signature" {
				t.Errorf("token while the service is down = %q", got)
			}
		}
		if hits, _ := v.counts(); hits != 2 {
			t.Errorf("token requests = %d, want 2: one pause between attempts", hits)
		}
		c.pass(30 * time.Second)
		if _, err := s.Token(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("error after the end = %v", err)
		}
	})

	t.Run("WaitsAsAsked", func(t *testing.T) {
		t.Parallel()
		s, v, c := setup(t)
		v.set(func() {
			v.onToken = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "20")
				w.WriteHeader(429)
				io.WriteString(w, `{"error":"too_many_requests","message":"too many failures","request_id":"k3f09xqa"}`)
			}
		})
		for range 2 {
			_, err := s.Token(t.Context())
			var refused *Error
			if !errors.As(err, &refused) || refused.RetryAfter != 20*time.Second || !errors.Is(err, ErrTooManyRequests) {
				t.Errorf("error = %v", err)
			}
		}
		if hits, _ := v.counts(); hits != 1 {
			t.Errorf("token requests while asked to wait = %d, want 1", hits)
		}
		v.set(func() { v.onToken = nil })
		c.pass(20 * time.Second)
		get(t, s)
	})

	t.Run("RefusalStatesWhatTheServerSaid", func(t *testing.T) {
		t.Parallel()
		s, v, _ := setup(t)
		v.set(func() {
			v.onToken = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(401)
				io.WriteString(w, `{"error":"invalid_client","error_description":"incorrect credentials","message":"incorrect credentials","request_id":"k3f09xqa"}`)
			}
		})
		_, err := s.Token(t.Context())
		var got *Error
		if !errors.As(err, &got) {
			t.Fatalf("error = %v", err)
		}
		want := Error{Op: "token", Status: 401, Code: "invalid_client", Message: "incorrect credentials", RequestID: "k3f09xqa"}
		if *got != want {
			t.Errorf("error = %+v, want %+v", *got, want)
		}
		if !errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrForbidden) {
			t.Errorf("%v is of the wrong kind", err)
		}
		if strings.Contains(err.Error(), testSecret) {
			t.Errorf("error shows the secret: %v", err)
		}
	})

	t.Run("DoesNotFollowRedirects", func(t *testing.T) {
		t.Parallel()
		s, v, _ := setup(t)
		v.set(func() {
			v.onToken = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			}
		})
		_, err := s.Token(t.Context())
		var refused *Error
		if !errors.As(err, &refused) || refused.Status != http.StatusTemporaryRedirect {
			t.Errorf("error = %v", err)
		}
	})

	t.Run("UnusableAnswers", func(t *testing.T) {
		t.Parallel()
		for name, body := range map[string]string{
			"not JSON":      `<html>` + testSecret,
			"no token":      `{"token_type":"JWT","expires_in":3600}`,
			"another type":  `{"access_token":"a.b.c","token_type":"mac","expires_in":3600}`,
			"too large":     `{"access_token":"` + strings.Repeat("a", tokenLimit) + `","token_type":"JWT","expires_in":3600}`,
			"wrong members": `{"access_token":17}`,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s, v, _ := setup(t)
				v.set(func() { v.onToken = func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) } })
				token, err := s.Token(t.Context())
				if err == nil {
					t.Fatalf("took it: %v", token)
				}
				if strings.Contains(err.Error(), testSecret) {
					t.Errorf("error repeats the answer: %v", err)
				}
			})
		}
	})

	t.Run("ReadsExpWhenNothingElseIsSaid", func(t *testing.T) {
		t.Parallel()
		s, v, c := setup(t)
		jwt := fakeJWT(c.now().Add(10 * time.Minute).Unix())
		v.set(func() {
			v.onToken = func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"access_token":%q,"token_type":"JWT"}`, jwt)
			}
		})
		if got, want := get(t, s).Expires, c.now().Add(10*time.Minute); !got.Equal(want) {
			t.Errorf("expires = %v, want %v", got, want)
		}
	})
}

func TestNothingSecretPrints(t *testing.T) {
	t.Parallel()
	v, c := newVendor(t), newClock()
	cfg := v.config(c)
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	token, err := client.Tokens().Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{
		"config": cfg, "config pointer": &cfg, "token": token, "token pointer": &token,
		"client": client, "source": client.Tokens(), "transport": client.HTTP().Transport,
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			text := fmt.Sprintf(verb, value)
			if strings.Contains(text, testSecret) || strings.Contains(text, testBasic[6:]) || strings.Contains(text, token.Reveal()) {
				t.Errorf("%s with %s shows a secret: %s", name, verb, text)
			}
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	ok := Config{BaseURL: "https://api.example/", Key: "k", Secret: "s"}
	for name, c := range map[string]struct {
		change func(*Config)
		bad    bool
	}{
		"plain":          {func(*Config) {}, false},
		"vendor's cloud": {func(c *Config) { c.BaseURL = "" }, false},
		"prefix":         {func(c *Config) { c.BaseURL = "https://api.example/fai/" }, false},
		"no key":         {func(c *Config) { c.Key = "" }, true},
		"no secret":      {func(c *Config) { c.Secret = "" }, true},
		"colon in key":   {func(c *Config) { c.Key = "a:b" }, true},
		"no scheme":      {func(c *Config) { c.BaseURL = "api.example" }, true},
		"other scheme":   {func(c *Config) { c.BaseURL = "ftp://api.example" }, true},
		"user":           {func(c *Config) { c.BaseURL = "https://u:p@api.example" }, true},
		"query":          {func(c *Config) { c.BaseURL = "https://api.example?a=b" }, true},
	} {
		cfg := ok
		c.change(&cfg)
		if _, err := New(cfg); (err != nil) != c.bad {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

func waitFor(t *testing.T, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ready(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited 10 s in vain")
		}
	}
}
