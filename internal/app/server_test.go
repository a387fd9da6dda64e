package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse.dev/internal/app/apptest"
	"gatehouse.dev/internal/journal"
	"gatehouse.dev/internal/store/pgtest"
)

// TestServe runs the same server on both engines: the configuration differs in
// one line.
func TestServe(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		serve(t, "sqlite")
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		serve(t, pgtest.Blank(t))
	})
}

func serve(t *testing.T, database string) {
	h := apptest.Start(t, apptest.Options{Database: database})

	status, body := get(t, h.OpsClient(), "http://ops/readyz")
	var ready struct {
		Ready  bool
		Checks []struct {
			Name string
			OK   bool
		}
	}
	if err := json.Unmarshal([]byte(body), &ready); err != nil || status != http.StatusOK || !ready.Ready || len(ready.Checks) < 3 {
		t.Errorf("readyz: %d %s", status, body)
	}

	client := h.Admin.Client(t, "pump", "ayyeka/operator")
	key := h.Admin.Credential(t, client, "api_key", "")
	receipt := h.Admin.Revoke(t, key.ID)
	if receipt.Change == 0 || len(receipt.Nodes) != 1 || len(receipt.Unreached) != 0 {
		t.Errorf("receipt = %+v, want this node's report", receipt)
	}

	// The same over the socket, without a key.
	status, body = get(t, h.LocalClient(), "http://local/api/v1/clients")
	if status != http.StatusOK || !strings.Contains(body, `"name":"pump"`) {
		t.Errorf("clients over the socket: %d %s", status, body)
	}
	if err := h.Stop(); err != nil {
		t.Errorf("stop: %v\n%s", err, h.Log)
	}

	// The journal beside the database has it too, for a backup that has not.
	journaled := false
	damage, err := journal.Read(filepath.Join(h.Dir, "state", "journal"), func(r journal.Record) error {
		journaled = journaled || r.Revocation != nil && r.Revocation.N == receipt.Change
		return nil
	})
	if err != nil || len(damage) > 0 || !journaled {
		t.Errorf("journal: has the revocation %v, damage %v, %v", journaled, damage, err)
	}

	// What was acknowledged is there when it comes back.
	again := apptest.Start(t, apptest.Options{Database: database, Dir: h.Dir})
	var got struct {
		Credential struct{ State string }
		State      string
	}
	if _, err := again.Admin.Call(t.Context(), http.MethodGet, "/v1/credentials/"+key.ID, nil, &got); err != nil {
		t.Fatal(err)
	}
	if got.State != "revoked" {
		t.Errorf("after a restart the key is %q, want revoked", got.State)
	}
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, c, req)
}

func do(t *testing.T, c *http.Client, req *http.Request) (int, string) {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestDesk(t *testing.T) {
	t.Parallel()
	h := apptest.Start(t, apptest.Options{})

	res, err := http.Get(h.Desk + "/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if csp := res.Header.Get("Content-Security-Policy"); res.StatusCode != 200 || !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("landing page: %d, policy %q", res.StatusCode, csp)
	}
	if status, _ := get(t, http.DefaultClient, h.Desk+"/api/v1/users"); status != http.StatusUnauthorized {
		t.Errorf("the admin API without a key: %d, want 401", status)
	}
	if status, body := get(t, http.DefaultClient, h.Desk+"/api/openapi.json"); status != 200 || !strings.Contains(body, `"openapi": "3.1`) {
		t.Errorf("openapi.json: %d %.80s", status, body)
	}
	if status, _ := get(t, http.DefaultClient, h.Desk+"/files/x"); status != http.StatusNotFound {
		t.Errorf("a route of the gate on the desk: %d, want 404", status)
	}
}

// TestDeskKnowsItsHosts: a page of another site that reaches the desk by a name
// of its own gets nothing.
func TestDeskKnowsItsHosts(t *testing.T) {
	t.Parallel()
	h := apptest.Start(t, apptest.Options{DeskHosts: []string{"desk.example"}})
	for host, want := range map[string]int{"desk.example": 200, "DESK.example:99": 200, "evil.example": 421} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Desk+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		if status, _ := do(t, http.DefaultClient, req); status != want {
			t.Errorf("Host %q: %d, want %d", host, status, want)
		}
	}
}

// TestStop: everything that was open is closed, and the ops listener last.
func TestStop(t *testing.T) {
	t.Parallel()
	h := apptest.Start(t, apptest.Options{})
	if err := h.Stop(); err != nil {
		t.Errorf("stop: %v\n%s", err, h.Log)
	}
	if _, err := h.OpsClient().Get("http://ops/livez"); err == nil {
		t.Error("the ops listener still answers")
	}
	if !strings.HasSuffix(strings.TrimSpace(h.Log.String()), `"msg":"stopped"}`) {
		t.Errorf("the log does not end with stopped:\n%s", h.Log)
	}
}
