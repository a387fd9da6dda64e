package apptest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"gatehouse.dev/internal/secret"
)

// Admin calls the admin API over the network.
type Admin struct {
	URL       string // without /v1
	Token     secret.Text
	Principal string // whose token it is
}

// Receipt is what taking a right away answers.
type Receipt struct {
	Change int64 `json:"change"`
	Nodes  []struct {
		Node          string  `json:"node"`
		SocketsClosed int     `json:"sockets_closed"`
		MS            float64 `json:"ms"`
	} `json:"nodes"`
	Unreached []string `json:"unreached"`
}

// Closed is how many sockets and long requests ended on all nodes.
func (r Receipt) Closed() (n int) {
	for _, node := range r.Nodes {
		n += node.SocketsClosed
	}
	return n
}

// Credential is a credential with its secret.
type Credential struct {
	ID     string
	Key    string
	Secret string
}

// Call sends one request and reads the answer into out; it returns the status.
func (a Admin) Call(ctx context.Context, method, path string, in, out any) (int, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.URL+path, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+a.Token.Reveal())
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return res.StatusCode, err
	}
	if res.StatusCode >= 300 {
		return res.StatusCode, fmt.Errorf("%s %s: %d: %s", method, path, res.StatusCode, text)
	}
	if out == nil {
		return res.StatusCode, nil
	}
	return res.StatusCode, json.Unmarshal(text, out)
}

// Post is Call for tests that expect it to work.
func (a Admin) Post(t testing.TB, path string, in, out any) {
	t.Helper()
	if in == nil {
		in = struct{}{}
	}
	if _, err := a.Call(t.Context(), http.MethodPost, path, in, out); err != nil {
		t.Fatal(err)
	}
}

// Client makes an API client with roles and returns its id.
func (a Admin) Client(t testing.TB, name string, roles ...string) string {
	t.Helper()
	return a.principal(t, "clients", name, roles)
}

// User makes a user with roles and returns its id.
func (a Admin) User(t testing.TB, name string, roles ...string) string {
	t.Helper()
	return a.principal(t, "users", name, roles)
}

func (a Admin) principal(t testing.TB, kind, name string, roles []string) string {
	t.Helper()
	var out struct{ ID string }
	a.Post(t, "/v1/"+kind, map[string]any{"name": name, "roles": append([]string{}, roles...)}, &out)
	return out.ID
}

// Credential makes a credential: kind "key_pair", "api_key" or "password";
// dialect may be empty.
func (a Admin) Credential(t testing.TB, owner, kind, dialect string) Credential {
	t.Helper()
	in := map[string]any{"principal": owner, "kind": kind}
	if dialect != "" {
		in["dialect"] = dialect
	}
	return a.credential(t, in)
}

// CredentialUntil makes an API key that expires.
func (a Admin) CredentialUntil(t testing.TB, owner string, expires time.Time) Credential {
	t.Helper()
	return a.credential(t, map[string]any{"principal": owner, "kind": "api_key", "expires": expires})
}

func (a Admin) credential(t testing.TB, in map[string]any) Credential {
	t.Helper()
	var out struct {
		Credential struct{ ID, Key string }
		Secret     string
	}
	a.Post(t, "/v1/credentials", in, &out)
	return Credential{ID: out.Credential.ID, Key: out.Credential.Key, Secret: out.Secret}
}

// Revoke revokes a credential.
func (a Admin) Revoke(t testing.TB, credential string) Receipt {
	t.Helper()
	var r Receipt
	a.Post(t, "/v1/credentials/"+credential+"/revoke", nil, &r)
	return r
}
