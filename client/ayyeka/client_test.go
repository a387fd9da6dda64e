package ayyeka

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const sitesBody = `[{"account_organization_id":12,"id":3401,"creation_date":"2025-11-02T09:14:05Z","display_name":"Pump house 4","status":"Active","longitude":"34.7818","latitude":"32.0853"},` +
	`{"id":3402,"creation_date":"2025-11-03T10:00:00Z","display_name":"Weir","status":"Inactive","longitude":"-0.1","latitude":"51.5"}]`

func TestClient(t *testing.T) {
	t.Parallel()

	setup := func(t *testing.T) (*Client, *vendor) {
		t.Helper()
		v := newVendor(t)
		c, err := New(v.config(newClock()))
		if err != nil {
			t.Fatal(err)
		}
		return c, v
	}

	t.Run("Sites", func(t *testing.T) {
		t.Parallel()
		c, v := setup(t)
		got, err := c.Sites(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		organization := int64(12)
		want := []Site{
			{OrganizationID: &organization, ID: 3401, CreationDate: time.Date(2025, 11, 2, 9, 14, 5, 0, time.UTC),
				DisplayName: "Pump house 4", Status: "Active", Longitude: "34.7818", Latitude: "32.0853"},
			{ID: 3402, CreationDate: time.Date(2025, 11, 3, 10, 0, 0, 0, time.UTC),
				DisplayName: "Weir", Status: "Inactive", Longitude: "-0.1", Latitude: "51.5"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("sites (-want +got):\n%s", diff)
		}
		headers := []map[string]string{{"Authorization": "Bearer header.token1.signature", "Cache-Control": "no-cache"}}
		if diff := cmp.Diff(headers, v.requests); diff != "" {
			t.Errorf("API request headers (-want +got):\n%s", diff)
		}
	})

	t.Run("HealthNeedsNoToken", func(t *testing.T) {
		t.Parallel()
		c, v := setup(t)
		if err := c.Health(t.Context()); err != nil {
			t.Error(err)
		}
		if tokens, _ := v.counts(); tokens != 0 {
			t.Errorf("token requests = %d", tokens)
		}
	})

	t.Run("GetWithQuery", func(t *testing.T) {
		t.Parallel()
		c, v := setup(t)
		v.set(func() {
			v.onAPI = func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `"`+r.URL.RequestURI()+`"`) }
		})
		var got string
		if err := c.Get(t.Context(), "/sample/batch", url.Values{"enableAck": {"false"}}, &got); err != nil {
			t.Fatal(err)
		}
		if want := "/v2.0/sample/batch?enableAck=false"; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
		if err := c.Get(t.Context(), "site", nil, nil); err == nil {
			t.Error("took a path without a slash")
		}
	})

	t.Run("Errors", func(t *testing.T) {
		t.Parallel()
		for status, kind := range kinds {
			if status == http.StatusUnauthorized {
				continue // renews; see TestTransport
			}
			c, v := setup(t)
			v.set(func() {
				v.onAPI = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", "7")
					w.WriteHeader(status)
					io.WriteString(w, `{"message": "as stated", "request_id": "k3f09xqa"}`)
				}
			})
			_, err := c.Sites(t.Context())
			var got *Error
			if !errors.As(err, &got) || !errors.Is(err, kind) {
				t.Errorf("%d: error = %v", status, err)
				continue
			}
			want := Error{Op: "GET /v2.0/site", Status: status, Message: "as stated", RequestID: "k3f09xqa", RetryAfter: 7 * time.Second}
			if *got != want {
				t.Errorf("%d: error = %+v, want %+v", status, *got, want)
			}
		}
	})

	t.Run("ForeignErrorPage", func(t *testing.T) {
		t.Parallel()
		c, v := setup(t)
		v.set(func() {
			v.onAPI = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(502)
				io.WriteString(w, "<html>"+strings.Repeat("x", 1<<20))
			}
		})
		_, err := c.Sites(t.Context())
		if want := "ayyeka: GET /v2.0/site: 502 Bad Gateway"; err == nil || err.Error() != want {
			t.Errorf("error = %v, want %s", err, want)
		}
	})

	t.Run("AnswerIsBounded", func(t *testing.T) {
		t.Parallel()
		c, v := setup(t)
		v.set(func() {
			v.onAPI = func(w http.ResponseWriter, _ *http.Request) {
				blanks := []byte(strings.Repeat(" ", 1<<20))
				for range 33 {
					w.Write(blanks)
				}
			}
		})
		if _, err := c.Sites(t.Context()); err == nil || !strings.Contains(err.Error(), "larger than") {
			t.Errorf("error = %v", err)
		}
	})

	t.Run("DeadlineHolds", func(t *testing.T) {
		t.Parallel()
		v := newVendor(t)
		release := make(chan struct{})
		defer close(release)
		v.set(func() { v.onAPI = func(http.ResponseWriter, *http.Request) { <-release } })
		cfg := v.config(newClock())
		cfg.Timeout = 50 * time.Millisecond
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Sites(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"20":                            20 * time.Second,
		"-5":                            0,
		"soon":                          0,
		"99999999":                      time.Hour,
		"999999999999999999999":         0,
		"Thu, 01 Jan 2026 00:01:30 GMT": 90 * time.Second,
		"Thu, 01 Jan 2015 00:01:30 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", value, got, want)
		}
	}
}

func FuzzReadToken(f *testing.F) {
	now := time.Unix(1767225600, 0)
	f.Add(`{"access_token":"a.b.c","token_type":"JWT","expires_in":3600}`)
	f.Add(`{"access_token":"` + fakeJWT(now.Unix()+60) + `","token_type":"Bearer"}`)
	f.Add(`{"access_token":"a","token_type":"jwt","expires_in":1e300}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, body string) {
		value, lifetime, err := readToken(strings.NewReader(body), now)
		if err == nil && (value == "" || lifetime < 0) {
			t.Errorf("readToken(%q) = %q, %v", body, value, lifetime)
		}
	})
}
