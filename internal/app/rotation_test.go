package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/app/apptest"
)

// TestRotation rotates a key pair with an overlap: both secrets work until the
// old one ends; then only the new one does, and tokens that rest on the old one
// are dead.
func TestRotation(t *testing.T) {
	t.Parallel()
	h := apptest.Start(t, apptest.Options{})
	pair := h.Admin.Credential(t, h.Admin.Client(t, "pump", "ayyeka/operator"), "key_pair", "ayyeka")
	buyToken(t, h, pair) // the first token waits for its signing key
	overlap := 6 * time.Second

	began := time.Now()
	var rotated struct{ Secret string }
	h.Admin.Post(t, "/v1/credentials/"+pair.ID+"/rotate", map[string]any{"overlap": overlap.String()}, &rotated)
	younger := apptest.Credential{Key: pair.Key, Secret: rotated.Secret}
	oldToken, newToken := buyToken(t, h, pair), buyToken(t, h, younger)
	wantStatus(t, h, withBearer(oldToken), http.StatusOK)
	wantStatus(t, h, withBearer(newToken), http.StatusOK)
	if took := time.Since(began); took > overlap {
		t.Fatalf("the machine needed %v for what fits into %v", took, overlap)
	}

	time.Sleep(time.Until(began.Add(overlap + 100*time.Millisecond)))
	if status := tokenStatus(t, h, pair); status != http.StatusUnauthorized {
		t.Errorf("the old secret after the overlap: %d, want 401", status)
	}
	if status := tokenStatus(t, h, younger); status != http.StatusOK {
		t.Errorf("the new secret after the overlap: %d, want 200", status)
	}
	wantStatus(t, h, withBearer(oldToken), http.StatusUnauthorized)
	wantStatus(t, h, withBearer(newToken), http.StatusOK)
	bothWereUsed(t, h, pair.ID)
}

// bothWereUsed waits for the last uses to be written down, which happens every
// few seconds.
func bothWereUsed(t *testing.T, h *apptest.House, id string) {
	t.Helper()
	var c struct {
		Secrets []struct {
			ID       string
			LastUsed time.Time `json:"last_used"`
			LastFrom string    `json:"last_used_from"`
		}
		LastFrom string `json:"last_used_from"`
	}
	for range 100 {
		if _, err := h.Admin.Call(t.Context(), http.MethodGet, "/v1/credentials/"+id, nil, &c); err != nil {
			t.Fatal(err)
		}
		used := 0
		for _, s := range c.Secrets {
			if !s.LastUsed.IsZero() && s.LastFrom == "127.0.0.1" {
				used++
			}
		}
		if used == 2 && c.LastFrom == "127.0.0.1" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("last uses: %+v, want one for each of two secrets, from here", c)
}

func tokenStatus(t *testing.T, h *apptest.House, c apptest.Credential) int {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.Gate+"/auth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(c.Key, c.Secret)
	status, _ := do(t, http.DefaultClient, req)
	return status
}
