package authn_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/audit"
	"gatehouse.dev/internal/authn"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/identity"
	"gatehouse.dev/internal/secret"
)

func TestHashesAreReplacedAtFirstUse(t *testing.T) {
	t.Parallel()
	h := build(t)
	long, short := secret.New("imported-and-generated-elsewhere"), secret.New("imported")
	slow := func(s secret.Text) []byte {
		return []byte("$sha256$salt$" + sha256Hex("salt"+s.Reveal()))
	}
	key := h.add(credential.APIKey, "imported", credential.Hashed, credential.PlainDigest(long))
	strong := h.add(credential.KeyPair, "strong", credential.Hashed, slow(long))
	weak := h.add(credential.KeyPair, "weak", credential.Hashed, slow(short))
	user := h.add(credential.Password, "ann", credential.Hashed, slow(short))
	for _, c := range []struct {
		rec    *credential.Record
		method identity.Method
		s      secret.Text
		want   credential.Scheme
	}{
		{key, identity.APIKey, long, credential.Digest},
		{strong, identity.KeyPair, long, credential.Digest},
		{weak, identity.KeyPair, short, credential.Hashed},
		{user, identity.Password, short, credential.Hashed},
	} {
		a := authn.Attempt{Tenant: acme, Dialect: "gateway", Method: c.method, Secret: c.s, Remote: home}
		if c.method != identity.APIKey {
			a.Name = c.rec.Credential.Lookup
		}
		before, old := h.store.replaced, string(c.rec.Secrets[0].Hash)
		for _, dialect := range []string{"gateway", "again", "and again"} { // not remembered from the one before
			a.Dialect = dialect
			if _, err := h.Check(t.Context(), a); err != nil {
				t.Fatalf("%s: %v", c.rec.Credential.Lookup, err)
			}
		}
		s := c.rec.Secrets[0]
		if h.store.replaced != before+1 || s.Scheme != c.want || string(s.Hash) == old {
			t.Errorf("%s: replaced %d times, now %s", c.rec.Credential.Lookup, h.store.replaced-before, s.Scheme)
		}
	}
}

func TestLastUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		rec, a := h.pair()
		for range 300 {
			if _, err := h.Check(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := len(h.store.uses); n < 3 || n > 5 || h.store.uses[0].Secret != rec.Secrets[0].ID {
			t.Errorf("%d notes of use in thirty seconds, want one each ten", n)
		}
		if from := h.store.uses[0].From; from != home {
			t.Errorf("used from %v, want %v", from, home)
		}
	})
}

func TestLoginIsRecorded(t *testing.T) {
	t.Parallel()
	h := build(t)
	rec, a := h.user(t, "ann")
	a.RequestID, a.Country = "req_1", "NL"
	if _, err := h.Login(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	want := audit.Event{
		Tenant: acme.ID, Actor: rec.Principal.ID, Action: "login", Target: rec.Credential.ID, Outcome: audit.OK,
		Dialect: "gateway", Method: "password", Request: "req_1", Person: rec.Principal.ID,
		Personal: map[string]string{audit.FieldSource: home.String(), audit.FieldName: "ann"},
		Detail:   map[string]string{"country": "NL"},
	}
	if d := cmp.Diff(want, h.diary.last()); d != "" {
		t.Errorf("event (-want +got):\n%s", d)
	}
	n := len(h.diary.events)
	if _, err := h.Check(t.Context(), a); err != nil || len(h.diary.events) != n {
		t.Errorf("a good check is recorded: %v", err)
	}
	if _, err := h.Check(t.Context(), authn.Attempt{Tenant: acme, Method: identity.APIKey}); kindOf(err) != authn.Missing || len(h.diary.events) != n {
		t.Errorf("nothing presented is recorded: %v", err)
	}
}

// A marked secret that is shown in every wrong way is found in no refusal and
// in no event.
func TestSecretsStayOutOfErrorsAndEvents(t *testing.T) {
	t.Parallel()
	h := build(t)
	const mark = "CANARY-5eed"
	h.user(t, "ann")
	h.add(credential.KeyPair, "pair", credential.Hashed, []byte("unreadable "+mark))
	for _, m := range []identity.Method{identity.Password, identity.KeyPair, identity.APIKey, identity.JWT, identity.Opaque} {
		for _, name := range []string{"ann", "nobody", "pair"} {
			_, err := h.Login(t.Context(), authn.Attempt{
				Tenant: acme, Dialect: "gateway", Method: m, Name: name, Secret: secret.New(mark), Remote: home,
				Alternatives: []authn.Pair{{Name: name, Secret: secret.New(mark + "2")}},
			})
			if text := fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err)); strings.Contains(text, mark) {
				t.Errorf("%s: refusal shows the secret: %s", m, text)
			}
		}
	}
	if text := fmt.Sprintf("%#v", h.diary.events); strings.Contains(text, mark) || len(h.diary.events) == 0 {
		t.Errorf("events show the secret: %s", text)
	}
}
