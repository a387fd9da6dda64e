package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/app/apptest"
)

// How many are open on what is taken away, and again on what is not.
const (
	manySockets   = 1000
	manyDownloads = 50
	promise       = 250 * time.Millisecond * slack
)

// Routes beside those of the demonstration: a socket for administrators.
const adminRoute = `
  - {name: admin-echo, path: /admin/echo, rewrite: /echo, websocket: true, credentials: [key], roles: [ayyeka/administrator], upstream: sample}
`

// TestEnding opens a thousand sockets and fifty downloads on one right and as
// many on others, takes the right away, and sees exactly its own end in time. It
// does so for each way a right can go.
func TestEnding(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thousands of sockets")
	}
	h := apptest.Start(t, apptest.Options{Routes: adminRoute, Leeway: 50 * time.Millisecond})
	stranger := h.Admin.Client(t, "stranger", "ayyeka/operator")
	others := openFlock(t, "others", h.Gate, withKey(h.Admin.Credential(t, stranger, "api_key", "").Secret), "/echo", manySockets, manyDownloads)
	awaitHeld(t, h, manySockets+manyDownloads)

	t.Run("Credential", func(t *testing.T) {
		client := h.Admin.Client(t, "one", "ayyeka/operator")
		key, sibling := h.Admin.Credential(t, client, "api_key", ""), h.Admin.Credential(t, client, "api_key", "")
		siblings := openFlock(t, "siblings", h.Gate, withKey(sibling.Secret), "/echo", 10, 2)
		own := openFlock(t, "own", h.Gate, withKey(key.Secret), "/echo", manySockets, manyDownloads)
		awaitHeld(t, h, 2*(manySockets+manyDownloads)+12)

		watch := startWatch(t)
		receipt := h.Admin.Revoke(t, key.ID)
		checkEnd(t, own, watch, receipt)
		siblings.untouched(t)
		others.untouched(t)
		wantStatus(t, h, withKey(key.Secret), http.StatusUnauthorized)
		wantStatus(t, h, withKey(sibling.Secret), http.StatusOK)
	})

	t.Run("User", func(t *testing.T) {
		user := h.Admin.User(t, "two", "ayyeka/operator")
		keys := []apptest.Credential{h.Admin.Credential(t, user, "api_key", ""), h.Admin.Credential(t, user, "api_key", "")}
		own := openFlock(t, "own", h.Gate, withKey(keys[0].Secret), "/echo", manySockets/2, manyDownloads)
		own.add(t, h.Gate, withKey(keys[1].Secret), "/echo", manySockets/2, 0)
		awaitHeld(t, h, 2*(manySockets+manyDownloads))

		watch := startWatch(t)
		var receipt apptest.Receipt
		h.Admin.Post(t, "/v1/users/"+user+"/disable", nil, &receipt)
		checkEnd(t, own, watch, receipt)
		others.untouched(t)
		for _, k := range keys {
			wantStatus(t, h, withKey(k.Secret), http.StatusUnauthorized)
		}
	})

	t.Run("SigningKey", func(t *testing.T) {
		client := h.Admin.Client(t, "three", "ayyeka/operator")
		pair := h.Admin.Credential(t, client, "key_pair", "ayyeka")
		before := buyToken(t, h, pair)
		old := activeKey(t, h)
		h.Admin.Post(t, "/v1/signing-keys/rotate", map[string]any{"use": "ayyeka", "alg": "RS384", "at_once": true}, nil)
		after := buyToken(t, h, pair)
		own := openFlock(t, "own", h.Gate, withBearer(before), "/echo", manySockets, manyDownloads)
		younger := openFlock(t, "under the next key", h.Gate, withBearer(after), "/echo", 10, 2)
		awaitHeld(t, h, 2*(manySockets+manyDownloads)+12)

		watch := startWatch(t)
		var receipt apptest.Receipt
		h.Admin.Post(t, "/v1/signing-keys/"+old+"/distrust", nil, &receipt)
		checkEnd(t, own, watch, receipt)
		younger.untouched(t)
		others.untouched(t)
		wantStatus(t, h, withBearer(before), http.StatusUnauthorized)
		wantStatus(t, h, withBearer(after), http.StatusOK)
	})

	t.Run("Role", func(t *testing.T) {
		user := h.Admin.User(t, "four", "ayyeka/operator", "ayyeka/administrator")
		key := h.Admin.Credential(t, user, "api_key", "")
		own := openFlock(t, "own", h.Gate, withKey(key.Secret), "/admin/echo", manySockets, 0)
		still := openFlock(t, "still allowed", h.Gate, withKey(key.Secret), "/echo", 10, manyDownloads)
		awaitHeld(t, h, 2*(manySockets+manyDownloads)+10)

		watch := startWatch(t)
		var receipt apptest.Receipt
		h.Admin.Post(t, "/v1/users/"+user+"/roles/remove", map[string]any{"role": "ayyeka/administrator"}, &receipt)
		checkEnd(t, own, watch, receipt)
		still.untouched(t)
		others.untouched(t)
		wantStatus(t, h, withKey(key.Secret), http.StatusOK)
	})

	t.Run("Expiry", func(t *testing.T) {
		client := h.Admin.Client(t, "five", "ayyeka/operator")
		expires := time.Now().Add(8 * time.Second * (1 + slack/5))
		key := h.Admin.CredentialUntil(t, client, expires)
		own := openFlock(t, "own", h.Gate, withKey(key.Secret), "/echo", manySockets, manyDownloads)
		if left := time.Until(expires); left < 0 {
			t.Fatalf("opening took longer than the key lives, by %v", -left)
		}
		time.Sleep(time.Until(expires) - 100*time.Millisecond)
		watch := startWatch(t)
		watch.began = expires
		inTime(t, own, watch)
		others.untouched(t)
		wantStatus(t, h, withKey(key.Secret), http.StatusUnauthorized)
	})
}

// checkEnd sees that all of f ended in time and that the receipt counts them.
func checkEnd(t *testing.T, f *flock, w watch, r apptest.Receipt) {
	t.Helper()
	inTime(t, f, w)
	if r.Closed() != f.open || len(r.Unreached) > 0 {
		t.Errorf("the receipt counts %d closed, unreached %v; want %d and none", r.Closed(), r.Unreached, f.open)
	}
}

// inTime sees that all of f ended within the promise.
func inTime(t *testing.T, f *flock, w watch) {
	t.Helper()
	took := f.awaitAll(t).Sub(w.began)
	limit := w.limit(t, promise)
	t.Logf("%d ended within %v; the limit is %v", f.open, took, limit)
	if took < 0 || took > limit {
		t.Errorf("the last of %d ended after %v, want 0 to %v", f.open, took, limit)
	}
}

// awaitHeld waits until that many are in the live index: a download is held once
// it has run for a second.
func awaitHeld(t *testing.T, h *apptest.House, want int) {
	t.Helper()
	got := -1
	for range 1000 {
		if got = heldAt(t, h); got == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%v are held, want %d", got, want)
}

// heldAt is how many sockets and long requests a node has; -1: it does not say.
func heldAt(t *testing.T, h *apptest.House) int {
	t.Helper()
	_, metrics := get(t, h.OpsClient(), "http://ops/metrics")
	_, after, _ := strings.Cut(metrics, "\ngatehouse_conns_open ")
	line, _, _ := strings.Cut(after, "\n")
	var n float64
	if json.Unmarshal([]byte(line), &n) != nil {
		return -1
	}
	return int(n)
}

func wantStatus(t *testing.T, h *apptest.House, who presents, want int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Gate+"/files/x?lines=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	who(req.Header)
	if got, _ := do(t, http.DefaultClient, req); got != want {
		t.Errorf("the next request: %d, want %d", got, want)
	}
}

func buyToken(t *testing.T, h *apptest.House, c apptest.Credential) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.Gate+"/auth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(c.Key, c.Secret)
	status, body := do(t, http.DefaultClient, req)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("buy a token: %d %s", status, body)
	}
	return answer.AccessToken
}

// activeKey is the id of the key that signs Ayyeka tokens now.
func activeKey(t *testing.T, h *apptest.House) string {
	t.Helper()
	var page struct {
		Items []struct{ ID, Use, State string }
	}
	if _, err := h.Admin.Call(t.Context(), http.MethodGet, "/v1/signing-keys", nil, &page); err != nil {
		t.Fatal(err)
	}
	for _, k := range page.Items {
		if k.Use == "ayyeka" && k.State == "active" {
			return k.ID
		}
	}
	t.Fatalf("no active key among %+v", page.Items)
	return ""
}
