package app_test

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"gatehouse.dev/internal/adminapi"
	"gatehouse.dev/internal/app/apptest"
)

// newcomer is somebody who had a credential elsewhere, and goes on using it as
// before.
type newcomer struct {
	line       map[string]any // of the import
	name, text string         // what is shown: name and secret; an API key has no name
	ayyeka     bool           // comes to /auth/token too
	imported   bool           // as a hash, which the first use replaces
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// slowHash makes a hash as other systems do, cheaply.
func slowHash(t *testing.T, i int, pw string) string {
	t.Helper()
	salt := fmt.Appendf(nil, "salt%012d", i)
	b64 := base64.RawStdEncoding
	switch i % 3 {
	case 0:
		h, err := bcrypt.GenerateFromPassword([]byte(pw), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return string(h)
	case 1:
		sum := argon2.IDKey([]byte(pw), salt, 1, 64, 1, 32)
		return fmt.Sprintf("$argon2id$v=19$m=64,t=1,p=1$%s$%s", b64.EncodeToString(salt), b64.EncodeToString(sum))
	default:
		sum, err := pbkdf2.Key(sha256.New, pw, salt, 1000, 32)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("$pbkdf2-sha256$i=1000,l=32$%s$%s", b64.EncodeToString(salt), b64.EncodeToString(sum))
	}
}

// newcomers are n, of every kind that can be imported; a few of them have slow
// hashes, since checking those is what takes the time.
func newcomers(t *testing.T, n int) []newcomer {
	t.Helper()
	all := make([]newcomer, n)
	roles := []string{"ayyeka/operator"}
	for i := range all {
		key, text := fmt.Sprintf("%032X", i+1), fmt.Sprintf("old+secret/number=%d of elsewhere", i)
		c := newcomer{name: key, text: text}
		c.line = map[string]any{"name": fmt.Sprint("newcomer ", i), "roles": roles, "kind": "key_pair", "dialect": "ayyeka", "key": key}
		switch {
		case i%200 == 0: // a person, with a slow hash
			c.name = fmt.Sprintf("person%d", i)
			c.imported = true
			c.line = map[string]any{"kind": "password", "name": c.name, "roles": roles, "hash": slowHash(t, i/200, text)}
		case i%200 == 1: // a pair, with a slow hash
			c.ayyeka, c.imported = true, true
			c.line["hash"] = slowHash(t, i/200, text)
		case i%3 == 0:
			c.ayyeka = true
			c.line["secret"] = text
		case i%3 == 1:
			c.ayyeka, c.imported = true, true
			c.line["hash"] = sha256Hex(text)
		default:
			c.name, c.imported = "", true
			c.line = map[string]any{"kind": "api_key", "name": fmt.Sprint("newcomer ", i), "roles": roles, "hash": sha256Hex(text)}
		}
		all[i] = c
	}
	return all
}

// TestImported takes over ten thousand credentials, and lets their owners log in
// as they always did: keys and passwords at a route, pairs at the token service
// of the dialect too. A dry run before says the same and stores nothing.
func TestImported(t *testing.T) {
	t.Parallel()
	const n = 10_000 / slack
	h := apptest.Start(t, apptest.Options{})
	all := newcomers(t, n)
	for _, dry := range []bool{true, false} {
		if got := importAll(t, h, all, dry); got != n {
			t.Fatalf("dry run %v: %d of %d imported", dry, got, n)
		}
	}

	var failed atomic.Int64
	queue := make(chan *newcomer)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for c := range queue {
				if err := c.comesIn(t.Context(), h); err != nil && failed.Add(1) <= 10 {
					t.Errorf("%v: %v", c.line["name"], err)
				}
			}
		})
	}
	tokens := 0
	for i := range all {
		if all[i].ayyeka && i%(n/100) > 1 { // one signature in a hundred is enough
			all[i].ayyeka = false
		} else if all[i].ayyeka {
			tokens++
		}
		queue <- &all[i]
	}
	close(queue)
	workers.Wait()
	t.Logf("%d came in, %d of them through the token service; %d failed", n, tokens, failed.Load())
	checkReplaced(t, h, all)
}

func importAll(t *testing.T, h *apptest.House, all []newcomer, dry bool) (imported int) {
	t.Helper()
	for from := 0; from < len(all); from += adminapi.ImportBatch {
		var lines []string
		for _, c := range all[from:min(len(all), from+adminapi.ImportBatch)] {
			b, err := json.Marshal(c.line)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, string(b))
		}
		var out adminapi.Imported
		h.Admin.Post(t, "/v1/import", map[string]any{"format": "jsonl", "lines": lines, "dry_run": dry}, &out)
		if len(out.Bad) > 0 || len(out.Existed) > 0 {
			t.Fatalf("bad %v, existed %v", out.Bad, out.Existed)
		}
		imported += out.Imported
	}
	return imported
}

// comesIn uses the credential twice: the first time a hash from elsewhere is
// replaced, and the second must not notice.
func (c *newcomer) comesIn(ctx context.Context, h *apptest.House) error {
	for range 2 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Gate+"/files/x", nil)
		if err != nil {
			return err
		}
		if c.name == "" {
			req.Header.Set("X-Api-Key", c.text)
		} else {
			req.SetBasicAuth(c.name, c.text)
		}
		if err := answered(req, http.StatusUnauthorized, http.StatusForbidden); err != nil {
			return err
		}
	}
	if !c.ayyeka {
		return nil
	}
	return c.comesByToken(ctx, h)
}

// answered sends a request and complains about the statuses of not being let in.
func answered(req *http.Request, not ...int) error {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	for _, s := range append(not, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInternalServerError) {
		if res.StatusCode == s {
			return fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, res.Status, body)
		}
	}
	return nil
}

// comesByToken does as the protocol's clients do: a token for the pair, and with
// it the API.
func (c *newcomer) comesByToken(ctx context.Context, h *apptest.House) error {
	body := strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.Gate+"/auth/token", body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(c.name, c.text)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusOK || answer.Token == "" {
		return fmt.Errorf("token service: %s, %w", res.Status, err)
	}
	if req, err = http.NewRequestWithContext(ctx, http.MethodGet, h.Gate+"/v2.0/site", nil); err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+answer.Token)
	sites, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer sites.Body.Close()
	if sites.StatusCode != http.StatusOK {
		return fmt.Errorf("/v2.0/site: %s", sites.Status)
	}
	return nil
}

// checkReplaced looks into the database: no hash from elsewhere is left of those
// who came in.
func checkReplaced(t *testing.T, h *apptest.House, all []newcomer) {
	t.Helper()
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.Dir, "state", "gatehouse.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	theirs := map[string]string{}
	for _, c := range all {
		if hash, ok := c.line["hash"].(string); ok {
			theirs[hash] = fmt.Sprint(c.line["name"])
		}
	}
	rows, err := db.Query(`SELECT hash FROM secret`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	left := 0
	for rows.Next() {
		var hash []byte
		if err := rows.Scan(&hash); err != nil {
			t.Fatal(err)
		}
		if who := theirs[string(hash)]; who != "" {
			if left++; left <= 10 {
				t.Errorf("the hash that %s brought along is still there after its first use", who)
			}
		}
	}
	if rows.Err() != nil || len(theirs) == 0 {
		t.Fatal("nothing was looked at:", rows.Err())
	}
}
