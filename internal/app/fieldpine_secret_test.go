package app_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/fieldpine"
	"gatehouse.dev/internal/app/apptest"
)

// sealed makes an encryption secret of a new user and returns its id and text.
func encryptionSecret(t *testing.T, h *apptest.House, user string, roles ...string) apptest.Credential {
	t.Helper()
	return h.Admin.Credential(t, h.Admin.User(t, user, roles...), "encryption", "")
}

func dialWith(t *testing.T, h *apptest.House, c fieldpine.Credential) (*fieldpine.Conn, error) {
	t.Helper()
	return dialWithin(t, h, c, 5*time.Second)
}

// dialEncrypted has patience, for deriving a key takes its time. It has less than
// the server, whose close would be taken for an answer.
func dialEncrypted(t *testing.T, h *apptest.House, user, secret string) (*fieldpine.Conn, error) {
	t.Helper()
	return dialWithin(t, h, fieldpine.EncryptedUser(user, secret), 13*time.Second)
}

func dialWithin(t *testing.T, h *apptest.House, c fieldpine.Credential, patience time.Duration) (*fieldpine.Conn, error) {
	t.Helper()
	conn, err := fieldpine.Dial(t.Context(), socketURL(h)+"/fd1/open_websocket", c, &fieldpine.Options{LoginTimeout: patience})
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// wantCode calls an action and wants that error code, or 0 for an answer.
func wantCode(t *testing.T, c *fieldpine.Conn, r fieldpine.Request, want int) {
	t.Helper()
	err := c.Call(t.Context(), r, nil)
	var refused *fieldpine.Error
	got := 0
	if errors.As(err, &refused) {
		got = refused.Code
	} else if err != nil {
		t.Errorf("%s %v: %v", r.Action, r.Key, err)
		return
	}
	if got != want {
		t.Errorf("%s %v: code %d, want %d", r.Action, r.Key, got, want)
	}
}

// TestFieldpineEncrypted opens an encrypted session with a secret that the server
// does not keep, rotates the secret, and takes it away.
func TestFieldpineEncrypted(t *testing.T) {
	t.Parallel()
	h := startShop(t, apptest.Options{})
	secret := encryptionSecret(t, h, "ana@shop.example", "fieldpine/shop")
	if !strings.HasPrefix(secret.Secret, "ghe_") || len(secret.Secret) < 40 {
		t.Fatalf("the secret is %d characters long", len(secret.Secret))
	}
	c, err := dialEncrypted(t, h, "Ana@Shop.example", secret.Secret)
	if err != nil {
		t.Fatal(err)
	}
	products := fieldpine.Request{Action: "fd1.products.get_products"}
	wantCode(t, c, products, 0)

	// Both secrets live while one is rotated; the session on the old one ends with it.
	var rotated struct {
		Secret   string
		SecretID string `json:"secret_id"`
	}
	h.Admin.Post(t, "/v1/credentials/"+secret.ID+"/rotate", map[string]any{"overlap": "1h"}, &rotated)
	younger, err := dialEncrypted(t, h, "ana@shop.example", rotated.Secret)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, younger, products, 0)
	wantCode(t, c, products, 0)

	for name, wrong := range map[string][2]string{
		"wrong secret": {"ana@shop.example", rotated.Secret + "x"},
		"unknown user": {"eve@shop.example", rotated.Secret},
	} {
		conn, err := dialEncrypted(t, h, wrong[0], wrong[1])
		if err != nil {
			t.Errorf("%s: not even a hash: %v", name, err)
			continue
		}
		<-conn.Done()
		if got := websocket.CloseStatus(conn.Err()); got != websocket.StatusPolicyViolation {
			t.Errorf("%s: ended with %v, want code 1008", name, conn.Err())
		}
	}

	watch := startWatch(t)
	receipt := h.Admin.Revoke(t, secret.ID)
	ended(t, c, watch, websocket.StatusPolicyViolation)
	ended(t, younger, watch, websocket.StatusPolicyViolation)
	if receipt.Closed() != 2 {
		t.Errorf("the receipt counts %d closed, want 2", receipt.Closed())
	}
	conn, err := dialEncrypted(t, h, "ana@shop.example", rotated.Secret)
	if err != nil {
		t.Fatal(err)
	}
	<-conn.Done()

	// Nothing that is kept has the secret or what it was made into.
	err = filepath.WalkDir(h.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), secret.Secret[4:20]) || strings.Contains(string(text), rotated.Secret[4:20]) {
			t.Errorf("%s has an encryption secret", d.Name())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// saleToken makes a token of owner for one sale.
func saleToken(t *testing.T, h *apptest.House, owner, sale string, more map[string]any) (out struct {
	Credential struct{ ID string }
	Secret     string
	Link       string
}) {
	t.Helper()
	in := map[string]any{
		"principal": owner, "kind": "scoped_token", "expires": time.Now().Add(time.Hour),
		"scope": map[string]any{"type": "Sale", "key": sale, "actions": []string{"fd1.sales.get_sale", "fd1.products.get_products"}},
	}
	for name, v := range more {
		in[name] = v
	}
	h.Admin.Post(t, "/v1/credentials", in, &out)
	return out
}

func sale(key string) fieldpine.Request {
	return fieldpine.Request{Action: "fd1.sales.get_sale", Key: key}
}

// TestFieldpineSaleToken reads one sale with its token and no other, and loses
// that with the owner's role, the owner, or the token.
func TestFieldpineSaleToken(t *testing.T) {
	t.Parallel()
	h := startShop(t, apptest.Options{Dialects: "  link: 'https://shop.example/r/{token}'\n"})
	till := h.Admin.Client(t, "till", "fieldpine/shop")
	token := saleToken(t, h, till, "7741", nil)
	if want := "https://shop.example/r/" + token.Secret; token.Link != want {
		t.Errorf("the link is not the template with the token in it")
	}
	c, err := dialWith(t, h, fieldpine.Token(token.Link)) // what a QR code holds
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, c, sale("7741"), 0)
	for _, other := range []string{"7742", "", "7741 ", "07741", "*"} {
		wantCode(t, c, sale(other), 403)
	}
	wantCode(t, c, fieldpine.Request{Action: "fd1.sales.get_sale", Key: []string{"7741"}}, 403)
	wantCode(t, c, fieldpine.Request{Action: "fd1.sales.get_sale", Query: map[string]any{"k": "7741"}, Values: map[string]any{"k": "7741"}}, 403)
	// An action that is in its scope, on something that is not.
	wantCode(t, c, fieldpine.Request{Action: "fd1.products.get_products", Key: "7741"}, 403)

	// It is never worth more than its owner: without the role it reads nothing.
	call := func(method, path string, in any) {
		t.Helper()
		if _, err := h.Admin.Call(t.Context(), method, path, in, nil); err != nil {
			t.Fatal(err)
		}
	}
	call(http.MethodPost, "/v1/clients/"+till+"/roles/remove", map[string]string{"role": "fieldpine/shop"})
	wantCode(t, c, sale("7741"), 403)
	call(http.MethodPost, "/v1/clients/"+till+"/roles/grant", map[string]string{"role": "fieldpine/shop"})
	wantCode(t, c, sale("7741"), 0)

	watch := startWatch(t)
	call(http.MethodPost, "/v1/clients/"+till+"/disable", struct{}{})
	ended(t, c, watch, websocket.StatusPolicyViolation)
	if _, err := dialWith(t, h, fieldpine.Token(token.Secret)); !errors.Is(err, fieldpine.ErrNoAnswer) {
		t.Errorf("the token of a disabled owner: %v, want silence", err)
	}
}

// TestFieldpineTokensEnd: by resource, and when they are used up.
func TestFieldpineTokensEnd(t *testing.T) {
	t.Parallel()
	h := startShop(t, apptest.Options{})
	till := h.Admin.Client(t, "till", "fieldpine/shop")
	a, b, other := saleToken(t, h, till, "7741", nil), saleToken(t, h, till, "7741", nil), saleToken(t, h, till, "7742", nil)
	var conns []*fieldpine.Conn
	for _, token := range []string{a.Secret, b.Secret, other.Secret} {
		c, err := dialWith(t, h, fieldpine.Token(token))
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	watch := startWatch(t)
	var r struct {
		Tokens int `json:"tokens_revoked"`
		apptest.Receipt
	}
	h.Admin.Post(t, "/v1/credentials/revoke-scoped", map[string]string{"type": "Sale", "key": "7741"}, &r)
	ended(t, conns[0], watch, websocket.StatusPolicyViolation)
	ended(t, conns[1], watch, websocket.StatusPolicyViolation)
	if r.Tokens != 2 || r.Closed() != 2 {
		t.Errorf("%d tokens and %d sockets ended, want 2 and 2", r.Tokens, r.Closed())
	}
	wantCode(t, conns[2], sale("7742"), 0)

	scope := map[string]any{"type": "Sale", "key": "7743", "actions": []string{"fd1.sales.*"}, "max_uses": 1}
	once := saleToken(t, h, till, "7743", map[string]any{"scope": scope})
	c, err := dialWith(t, h, fieldpine.Token(once.Secret))
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, c, sale("7743"), 0)
	wantCode(t, c, sale("7742"), 403)
	conn, err := fieldpine.Dial(t.Context(), socketURL(h)+"/fd1/open_websocket", fieldpine.Token(once.Secret), &fieldpine.Options{LoginTimeout: time.Second})
	if !errors.Is(err, fieldpine.ErrNoAnswer) {
		t.Errorf("a second use: %v, want silence", err)
		conn.Close()
	}
	wantCode(t, c, sale("7743"), 0) // the first goes on
}
