package ayyeka

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestTransport(t *testing.T) {
	t.Parallel()

	setup := func(t *testing.T) (*http.Client, *vendor) {
		t.Helper()
		v := newVendor(t)
		source, err := NewTokenSource(v.config(newClock()))
		if err != nil {
			t.Fatal(err)
		}
		return &http.Client{Transport: &Transport{Source: source}}, v
	}
	send := func(t *testing.T, c *http.Client, method, url string, body io.Reader) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if req.Header.Get("Authorization") != "" {
			t.Error("the caller's request was changed")
		}
		return res.StatusCode, string(text)
	}

	t.Run("RenewsOnceAfter401", func(t *testing.T) {
		t.Parallel()
		c, v := setup(t)
		send(t, c, "GET", v.URL+"/v2.0/site", nil)
		v.revoke(1)
		if status, _ := send(t, c, "GET", v.URL+"/v2.0/site", nil); status != 200 {
			t.Errorf("status = %d, want 200 with the second token", status)
		}
		if tokens, calls := v.counts(); tokens != 2 || calls != 3 {
			t.Errorf("token requests = %d, API requests = %d, want 2 and 3", tokens, calls)
		}
	})

	t.Run("NotTwice", func(t *testing.T) {
		t.Parallel()
		c, v := setup(t)
		v.revoke(1)
		v.revoke(2)
		status, body := send(t, c, "GET", v.URL+"/v2.0/site", nil)
		if status != 401 || !strings.Contains(body, "k3f09xqa") {
			t.Errorf("answer = %d %s, want the server's own 401", status, body)
		}
		if tokens, calls := v.counts(); tokens != 2 || calls != 2 {
			t.Errorf("token requests = %d, API requests = %d, want 2 and 2", tokens, calls)
		}
	})

	t.Run("ForbiddenIsNotStale", func(t *testing.T) {
		t.Parallel()
		c, v := setup(t)
		v.set(func() { v.onAPI = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) } })
		if status, _ := send(t, c, "GET", v.URL+"/v2.0/site", nil); status != 403 {
			t.Errorf("status = %d", status)
		}
		if tokens, calls := v.counts(); tokens != 1 || calls != 1 {
			t.Errorf("token requests = %d, API requests = %d, want 1 and 1", tokens, calls)
		}
	})

	t.Run("RepeatsTheBody", func(t *testing.T) {
		t.Parallel()
		// Beneath, a transport without the rewinding that net/http's has.
		_, v := setup(t)
		source, err := NewTokenSource(v.config(newClock()))
		if err != nil {
			t.Fatal(err)
		}
		var bodies []string
		c := &http.Client{Transport: &Transport{Source: source, Base: roundTripper(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			bodies = append(bodies, string(body))
			res := &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}
			if len(bodies) == 1 {
				res.StatusCode = 401
			}
			return res, err
		})}}
		if status, _ := send(t, c, "POST", v.URL+"/v2.0/sample/batch/ack", strings.NewReader(`{"sampleID":7}`)); status != 200 {
			t.Errorf("status = %d", status)
		}
		if want := []string{`{"sampleID":7}`, `{"sampleID":7}`}; !slices.Equal(bodies, want) {
			t.Errorf("bodies = %q, want %q", bodies, want)
		}
	})

	t.Run("BodyThatCannotBeHadAgain", func(t *testing.T) {
		t.Parallel()
		c, v := setup(t)
		v.revoke(1)
		once := io.MultiReader(strings.NewReader("x")) // hides the type from NewRequest
		if status, _ := send(t, c, "POST", v.URL+"/v2.0/sample/batch/ack", once); status != 401 {
			t.Errorf("status = %d, want the server's 401", status)
		}
		if status, _ := send(t, c, "GET", v.URL+"/v2.0/site", nil); status != 200 {
			t.Errorf("next status = %d, want 200 with the second token", status)
		}
	})

	t.Run("ManyRefusedTogetherRenewOnce", func(t *testing.T) {
		t.Parallel()
		c, v := setup(t)
		send(t, c, "GET", v.URL+"/v2.0/site", nil)
		v.revoke(1)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				res, err := c.Get(v.URL + "/v2.0/site")
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
				if res.StatusCode != 200 {
					t.Errorf("status = %d", res.StatusCode)
				}
			})
		}
		wg.Wait()
		if tokens, _ := v.counts(); tokens != 2 {
			t.Errorf("token requests = %d, want 2", tokens)
		}
	})

	t.Run("DisabledClientIsToldWhy", func(t *testing.T) {
		t.Parallel()
		c, v := setup(t)
		send(t, c, "GET", v.URL+"/v2.0/site", nil)
		v.revoke(1)
		v.set(func() { v.onToken = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) } })
		_, err := c.Get(v.URL + "/v2.0/site")
		var refused *Error
		if !errors.As(err, &refused) || refused.Op != "token" || !errors.Is(err, ErrUnauthorized) {
			t.Errorf("error = %v", err)
		}
	})

	t.Run("OtherHostsDoNotSeeTheToken", func(t *testing.T) {
		t.Parallel()
		c, v := setup(t)
		seen := make(chan string, 1)
		other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			seen <- r.Header.Get("Authorization")
		}))
		defer other.Close()
		v.set(func() {
			v.onAPI = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }
		})
		if status, _ := send(t, c, "GET", v.URL+"/v2.0/site", nil); status != 200 {
			t.Errorf("status = %d", status)
		}
		if got := <-seen; got != "" {
			t.Errorf("the other host saw %q", got)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
