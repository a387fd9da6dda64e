package acqueon_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/internal/app/apptest"
	"gatehouse.dev/internal/dialect/dialecttest"
)

// TestRecordings replays testdata against the whole server. Each recording has a
// server of its own, since refusals count against an address.
func TestRecordings(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, "testdata/*.txt", func(t *testing.T) dialecttest.Target {
		return newRecorded(t, "acqueon: {plain_text: true}\n")
	})
}

// TestRecordingsBeforeUpgrade: with refusals as statuses.
func TestRecordingsBeforeUpgrade(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, "testdata/before/*.txt", func(t *testing.T) dialecttest.Target {
		return newRecorded(t, "acqueon: {plain_text: true, refuse: before_upgrade}\n")
	})
}

// recorded is a server and whoever a recording names.
type recorded struct {
	*apptest.House
	t    *testing.T
	vars map[string]string
	held *websocket.Conn // by the test, beside the recording's own
}

// opening is an opening handshake's headers, for the second and later exchanges
// of a recording.
const opening = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

func newRecorded(t *testing.T, dialects string) dialecttest.Target {
	t.Helper()
	h := apptest.Start(t, apptest.Options{Dialects: dialects})
	r := &recorded{House: h, t: t, vars: map[string]string{"host": "metrics.example", "websocket": opening}}
	wall := h.Admin.Client(t, "wall", "acqueon/viewer")
	pair := h.Admin.Credential(t, wall, "key_pair", "")
	r.vars["key"], r.vars["secret"] = pair.Key, pair.Secret
	both := []byte(pair.Key + ":" + pair.Secret)
	r.vars["pair_url"] = base64.RawURLEncoding.EncodeToString(both)
	r.vars["pair_percent"] = strings.ReplaceAll(url.QueryEscape(base64.StdEncoding.EncodeToString(both)), "A", "%41")
	other := h.Admin.Credential(t, wall, "key_pair", "")
	r.vars["other_id"], r.vars["other_key"], r.vars["other_secret"] = other.ID, other.Key, other.Secret
	r.vars["token"] = r.token(t, wall, "performance-metrics", time.Hour)
	r.vars["scopeless"] = r.token(t, wall, "something-else", time.Hour)
	r.vars["others_token"] = r.token(t, h.Admin.Client(t, "other", "acqueon/viewer"), "performance-metrics", time.Hour)
	r.vars["expiring"] = r.token(t, wall, "performance-metrics", 4*time.Second)
	r.bind(wall, "lobby", "front desk")
	return dialecttest.Target{
		Addr: strings.TrimPrefix(h.Gate, "http://"), Vars: r.vars,
		Do: map[string]func(context.Context, ...string) error{
			"revoke": func(_ context.Context, args ...string) error { h.Admin.Revoke(t, args[0]); return nil },
			"revoke-token": func(_ context.Context, args ...string) error {
				h.Admin.Post(t, "/v1/tokens/revoke", map[string]any{"token": args[0]}, nil)
				return nil
			},
			"hold": r.hold, "held": r.ended, "release": r.release,
		},
	}
}

// token is an access token of the core.
func (r *recorded) token(t *testing.T, owner, scope string, lifetime time.Duration) string {
	t.Helper()
	var made struct{ Token string }
	r.Admin.Post(t, "/v1/tokens", map[string]any{"principal": owner, "scopes": []string{scope}, "lifetime": lifetime.String()}, &made)
	return made.Token
}

// bind makes a pair, and a token that rests on it, that work as these users
// only. The recordings are of the wrong user, so their key and secret are right.
func (r *recorded) bind(owner string, users ...string) {
	var made struct {
		Credential struct{ ID, Key string }
		Secret     string
	}
	r.Admin.Post(r.t, "/v1/credentials", map[string]any{"principal": owner, "kind": "key_pair", "users": users}, &made)
	r.vars["bound_key"], r.vars["bound_secret"] = made.Credential.Key, made.Secret
	var token struct{ Token string }
	r.Admin.Post(r.t, "/v1/tokens", map[string]any{"credential": made.Credential.ID, "scopes": []string{"performance-metrics"}}, &token)
	r.vars["bound_token"] = token.Token
}

// hold opens a socket beside the recording's own, with the key pair, or with
// the token where the name has no timestamp.
func (r *recorded) hold(ctx context.Context, args ...string) error {
	name, path, password := args[0], "/AEConsole", r.vars["token"]
	if strings.HasSuffix(strings.TrimRight(name, "0123456789"), "_") {
		path, password = "/AEDataTransmitter", base64.StdEncoding.EncodeToString([]byte(r.vars["key"]+":"+r.vars["secret"]))
	}
	req := &http.Request{Header: http.Header{}}
	req.SetBasicAuth(name, password)
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(r.Gate, "http")+path+"?name="+name, &websocket.DialOptions{HTTPHeader: req.Header})
	if err != nil {
		return err
	}
	r.held = c
	_, _, err = c.Read(ctx) // OpenID: the name is taken
	return err
}

// ended wants the held socket to have been closed with a code and a reason.
func (r *recorded) ended(ctx context.Context, args ...string) error {
	ctx, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	_, data, err := r.held.Read(ctx)
	var end websocket.CloseError
	if !errors.As(err, &end) || fmt.Sprint(int(end.Code), " ", end.Reason) != strings.Join(args, " ") {
		return fmt.Errorf("the socket beside it: %s, %w", data, err)
	}
	return nil
}

// release closes the held socket, which must still have been open, and waits
// until the server has let it go.
func (r *recorded) release(ctx context.Context, _ ...string) error {
	if err := r.held.Close(websocket.StatusNormalClosure, ""); err != nil {
		return err
	}
	for range 100 {
		var list struct{ Items []struct{} }
		if _, err := r.Admin.Call(ctx, http.MethodGet, "/v1/conns?dialect=acqueon", nil, &list); err != nil || len(list.Items) == 0 {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("the server holds on to the socket")
}
