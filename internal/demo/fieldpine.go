package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/fieldpine"
)

// fieldpine proves the dialect: each way to log in, what it opens and what not,
// and that a socket ends with its key.
func (d *demo) fieldpine(f Fieldpine) chapter {
	const over = "FD1 over WebSocket"
	refused := func(key string, action string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			return "403, on a socket that stays", d.wantRefused(ctx, f, fieldpine.Request{Action: action, Key: key})
		}
	}
	t := f.TokenResource
	return chapter{name: "Fieldpine: FD1 packets, by key, by token, and encrypted", steps: []step{
		{what: "log in with a key, list products", how: over, do: func(ctx context.Context) (string, error) {
			return d.products(ctx, f, fieldpine.APIKey(f.APIKey))
		}},
		{what: "the same in one HTTP request", how: "GET /fd1/products/get_products", do: func(ctx context.Context) (string, error) {
			got, err := d.send(ctx, http.MethodGet, d.gate+"/fd1/products/get_products", nil, func(r *http.Request) { r.Header.Set("X-Apikey", f.APIKey) })
			if err == nil {
				err = got.want(http.StatusOK)
			}
			return "", err
		}},
		{what: "read sale " + t.Key + " with its token", how: over, do: func(ctx context.Context) (string, error) {
			var sale struct{ Total float64 }
			err := d.fd1(ctx, f, fieldpine.Token(f.Token), fieldpine.Request{Action: t.Action, Key: t.Key}, &sale)
			return fmt.Sprintf("total %.2f", sale.Total), err
		}},
		{what: "and no other sale", how: t.Action + " " + t.OtherKey, do: refused(t.OtherKey, t.Action)},
		{what: "nor anything else", how: actionProducts, do: refused("", actionProducts)},
		{what: "log in without sending the secret", how: "FD1, encrypted", do: func(ctx context.Context) (string, error) {
			return d.products(ctx, f, fieldpine.EncryptedUser(f.EncryptionUser, f.EncryptionPassword))
		}},
		{what: "revoke a key: its socket ends", how: "POST {admin}/v1/…/revoke", do: func(ctx context.Context) (string, error) {
			return d.endOfKey(ctx, f)
		}},
	}}
}

func (d *demo) products(ctx context.Context, f Fieldpine, who fieldpine.Credential) (string, error) {
	var list struct{ Rows []struct{ PID int } }
	err := d.fd1(ctx, f, who, fieldpine.Request{Action: actionProducts}, &list)
	if err == nil && len(list.Rows) == 0 {
		err = errors.New("there are none")
	}
	return fmt.Sprintf("%d products", len(list.Rows)), err
}

func (d *demo) wantRefused(ctx context.Context, f Fieldpine, what fieldpine.Request) error {
	err := d.fd1(ctx, f, fieldpine.Token(f.Token), what, nil)
	var refused *fieldpine.Error
	switch {
	case errors.As(err, &refused) && refused.Code == http.StatusForbidden:
		return nil
	case err == nil:
		return errors.New("it was answered")
	}
	return err
}

// endOfKey revokes a throw-away key and waits for the end of its socket.
func (d *demo) endOfKey(ctx context.Context, f Fieldpine) (string, error) {
	till, err := d.principal(ctx, "clients", tillName, shopRole)
	if err != nil {
		return "", err
	}
	key, err := d.credential(ctx, till, "api_key", "", "thrown away by the demonstration")
	if err != nil {
		return "", err
	}
	c, err := fieldpine.Dial(ctx, f.WSURL, fieldpine.APIKey(key.Secret), &fieldpine.Options{HTTPClient: d.http})
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := d.admin.post(ctx, "/v1/credentials/"+key.Credential.ID+"/revoke", struct{}{}, http.StatusOK, new(receipt)); err != nil {
		return "", err
	}
	select {
	case <-c.Done():
		if code := websocket.CloseStatus(c.Err()); code != websocket.StatusPolicyViolation {
			return "", fmt.Errorf("ended with %w", c.Err())
		}
		return "close code 1008", nil
	case <-time.After(2 * time.Second):
		return "", errors.New("it is still open")
	}
}
