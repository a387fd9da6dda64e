package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/adminclient"
)

// TestFullDisk takes the disk away from a running server: no file of its may
// grow any more. What cannot be written is refused with 503 and has not
// happened; what is known is answered as before; and when there is room again,
// it goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	c := newChild(t)
	c.start()
	var owner adminapi.Principal
	if err := c.api.Post(t.Context(), "/v1/clients", map[string]any{"name": "disk", "roles": []string{"ayyeka/operator"}}, &owner); err != nil {
		t.Fatal(err)
	}
	live, gone := c.newKey(t, owner.ID), c.newKey(t, owner.ID)
	if err := c.api.Post(t.Context(), "/v1/credentials/"+gone.Credential.ID+"/revoke", nil, nil); err != nil {
		t.Fatal(err)
	}

	c.limitFiles(t, c.largestFile(t))
	var made []adminapi.Issued
	refused := 0
	for range 20 {
		var k adminapi.Issued
		err := c.api.Post(t.Context(), "/v1/credentials", map[string]any{"principal": owner.ID, "kind": "api_key"}, &k)
		var p *adminclient.Problem
		switch {
		case err == nil: // there was a little room in the log
			made = append(made, k)
		case errors.As(err, &p) && p.Status == http.StatusServiceUnavailable && p.RetryAfter != "":
			refused++
		default:
			t.Fatalf("on a full disk: %v; want 503 with Retry-After", err)
		}
	}
	if refused < 5 {
		t.Errorf("only %d of 20 writes were refused: the disk was not full", refused)
	}
	c.wantUse(t, "a live key", live.Secret, http.StatusOK)
	c.wantUse(t, "a revoked key", gone.Secret, http.StatusUnauthorized)
	c.wantUse(t, "no key of ours", "ghk_nothing", http.StatusUnauthorized)

	c.limitFiles(t, unix.RLIM_INFINITY)
	deadline := time.Now().Add(10 * time.Second)
	for {
		var k adminapi.Issued
		err := c.api.Post(t.Context(), "/v1/credentials", map[string]any{"principal": owner.ID, "kind": "api_key"}, &k)
		if err == nil {
			made = append(made, k)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("with room again: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := c.api.Post(t.Context(), "/v1/credentials/"+live.Credential.ID+"/revoke", nil, nil); err != nil {
		t.Fatal(err)
	}
	c.kill()
	c.start()
	for _, k := range made {
		c.wantUse(t, "a key acknowledged around the full disk", k.Secret, http.StatusOK)
	}
	c.wantUse(t, "a key revoked after it", live.Secret, http.StatusUnauthorized)
	c.checkAudit(t)
	c.stop()
	c.checkFiles(t)
}

func (c *child) newKey(t *testing.T, owner string) (k adminapi.Issued) {
	t.Helper()
	if err := c.api.Post(t.Context(), "/v1/credentials", map[string]any{"principal": owner, "kind": "api_key"}, &k); err != nil {
		t.Fatal(err)
	}
	return k
}

func (c *child) wantUse(t *testing.T, what, key string, want int) {
	t.Helper()
	if got, err := c.use(t.Context(), key); err != nil || got != want {
		t.Errorf("%s gives %d, %v; want %d", what, got, err, want)
	}
}

// limitFiles bounds the size of every file that the server writes.
func (c *child) limitFiles(t *testing.T, size uint64) {
	t.Helper()
	limit := &unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(c.cmd.Process.Pid, unix.RLIMIT_FSIZE, limit, nil); err != nil {
		t.Fatal(err)
	}
}

// largestFile is the size of the largest file of the data folder: nothing can
// grow beyond it, and the log, which is written again and again, is it soon.
func (c *child) largestFile(t *testing.T) uint64 {
	t.Helper()
	var most int64
	for _, name := range []string{"gatehouse.db", "gatehouse.db-wal"} {
		info, err := os.Stat(filepath.Join(c.dir, "data", name))
		if err == nil {
			most = max(most, info.Size())
		}
	}
	if most == 0 {
		t.Fatal("the database has no file")
	}
	return uint64(most)
}
