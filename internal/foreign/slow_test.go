package foreign_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse.dev/internal/secret"
	"gatehouse.dev/internal/token"
)

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for " + what)
		}
	}
}

// One source that shows any number of tokens does not keep another from having
// his asked about.
func TestTurnsAtTheIssuer(t *testing.T) {
	t.Parallel()
	s := newSite(t, introspected)
	slow := make(chan struct{})
	s.idp.change(func() { s.idp.slow = slow })
	show := func(tok, from string) {
		go s.VerifyOpaque(t.Context(), home, secret.New(tok), netip.MustParseAddr(from))
	}
	const atOnce = 16
	for i := range 3 * atOnce {
		show(fmt.Sprint("greedy", i), "192.0.2.1")
	}
	waitFor(t, "the issuer to be busy", func() bool { return s.idp.questions("/introspect") == atOnce })
	time.Sleep(50 * time.Millisecond) // the others wait by now
	show("modest", "192.0.2.2")
	time.Sleep(50 * time.Millisecond)
	for n := range 2 { // his turn is the next or the one after
		slow <- struct{}{}
		waitFor(t, "the next question", func() bool { return s.idp.questions("/introspect") == atOnce+n+1 })
	}
	s.idp.change(func() {
		if !slices.Contains(s.idp.order, "modest") {
			t.Errorf("asked about %d tokens of one source before that of the other", len(s.idp.order))
		}
	})
	close(slow)
}

// While a slow issuer is asked for a key that nobody knows, callers with known
// keys are served; there is one question, and who waits gets what comes of it.
func TestKnownKeyIsServedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	old := sign(t, s.idp.key("old", jose.RS256), s.idp.claims(), "JWT")
	if _, err := s.jwt(t, old); err != nil {
		t.Fatal(err)
	}
	fresh := sign(t, s.idp.key("new", jose.RS256), s.idp.claims(), "JWT")
	slow := make(chan struct{})
	s.idp.change(func() { s.idp.slow = slow })
	s.clock.pass(11 * time.Second)
	unknown := make(chan error, 5)
	for range cap(unknown) {
		go func() {
			_, err := s.jwt(t, fresh)
			unknown <- err
		}()
	}
	waitFor(t, "the issuer to be asked", func() bool { return s.idp.questions("/keys") == 2 })
	began := time.Now()
	if _, err := s.jwt(t, old); err != nil || time.Since(began) > 2*time.Second {
		t.Errorf("the known key: %v after %v", err, time.Since(began))
	}
	close(slow)
	for range cap(unknown) {
		if err := <-unknown; err != nil {
			t.Errorf("the new key: %v", err)
		}
	}
	if n := s.idp.questions("/keys"); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// Keys that have become old are fetched by one caller, and an issuer that does
// not answer holds nobody up who names a known one.
func TestOldKeysWhileTheIssuerIsSlow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tok := sign(t, s.idp.key("a", jose.RS256), s.idp.claims(), "JWT")
	if _, err := s.jwt(t, tok); err != nil {
		t.Fatal(err)
	}
	s.idp.change(func() { s.idp.slow = make(chan struct{}) })
	s.clock.pass(6 * time.Minute)
	began := time.Now()
	if _, err := s.jwt(t, tok); err != nil || time.Since(began) > 3*time.Second {
		t.Errorf("the known key: %v after %v", err, time.Since(began))
	}
	stranger := sign(t, newIDP(t).key("b", jose.RS256), s.idp.claims(), "JWT")
	if _, err := s.jwt(t, stranger); err == nil || !errors.Is(err, token.ErrKey) && errors.Is(err, token.ErrInvalid) {
		t.Errorf("an unknown key: %v", err)
	}
}
