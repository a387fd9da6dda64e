package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"gatehouse.dev/client/fieldpine"
)

// Who the demonstration's shop knows.
const (
	tillName  = "demo-till"
	staffName = "ana@shop.example"
	shopRole  = "fieldpine/shop"
	fd1Path   = "/fd1/open_websocket"

	actionProducts = "fd1.products.get_products"
	actionSale     = "fd1.sales.get_sale"
)

// seedFieldpine makes a key, a token for one sale and a secret to encrypt with,
// unless those of an earlier demonstration still work.
func (d *demo) seedFieldpine(ctx context.Context, earlier Fieldpine) (Fieldpine, error) {
	f := earlier
	f.WSURL = webSocket(d.gate) + fd1Path
	if d.fieldpineWorks(ctx, f) {
		return f, nil
	}
	f.TokenResource = TokenResource{Action: actionSale, Key: "7741", OtherKey: "7742"}
	till, err := d.principal(ctx, "clients", tillName, shopRole)
	if err != nil {
		return f, err
	}
	key, err := d.credential(ctx, till, "api_key", "", "the demonstration's FD1 key")
	if err != nil {
		return f, err
	}
	f.APIKey, f.CredentialID = key.Secret, key.Credential.ID
	var token made
	err = d.admin.post(ctx, "/v1/credentials", map[string]any{
		"principal": till, "kind": "scoped_token", "comment": "the demonstration's token for one sale",
		"expires": time.Now().AddDate(0, 1, 0),
		"scope":   map[string]any{"type": "Sale", "key": f.TokenResource.Key, "actions": []string{actionSale}},
	}, http.StatusCreated, &token)
	if err != nil {
		return f, fmt.Errorf("make a token: %w", err)
	}
	f.Token = token.Secret
	f.EncryptionUser = staffName
	f.EncryptionPassword, err = d.encryptionSecret(ctx)
	return f, err
}

// encryptionSecret makes one, or rotates the one there is.
func (d *demo) encryptionSecret(ctx context.Context) (string, error) {
	user, err := d.principal(ctx, "users", staffName, shopRole)
	if err != nil {
		return "", err
	}
	var have struct {
		Items []struct{ ID, State string }
	}
	if err := d.admin.get(ctx, "/v1/credentials?kind=encryption&principal="+url.QueryEscape(user), &have); err != nil {
		return "", fmt.Errorf("look for the encryption secret: %w", err)
	}
	for _, c := range have.Items {
		if c.State == "enabled" {
			var out made
			if err := d.admin.post(ctx, "/v1/credentials/"+c.ID+"/rotate", map[string]any{"overlap": "0s"}, http.StatusOK, &out); err != nil {
				return "", fmt.Errorf("rotate the encryption secret: %w", err)
			}
			return out.Secret, nil
		}
	}
	out, err := d.credential(ctx, user, "encryption", "", "the demonstration's secret to encrypt with")
	return out.Secret, err
}

// fieldpineWorks reports whether every login of an earlier demonstration is
// still good.
func (d *demo) fieldpineWorks(ctx context.Context, f Fieldpine) bool {
	if f.APIKey == "" || f.Token == "" || f.EncryptionPassword == "" {
		return false
	}
	products := fieldpine.Request{Action: actionProducts}
	sale := fieldpine.Request{Action: f.TokenResource.Action, Key: f.TokenResource.Key}
	return d.fd1(ctx, f, fieldpine.APIKey(f.APIKey), products, nil) == nil &&
		d.fd1(ctx, f, fieldpine.Token(f.Token), sale, nil) == nil &&
		d.fd1(ctx, f, fieldpine.EncryptedUser(f.EncryptionUser, f.EncryptionPassword), products, nil) == nil
}

// fd1 logs in, calls once, and closes.
func (d *demo) fd1(ctx context.Context, f Fieldpine, who fieldpine.Credential, what fieldpine.Request, out any) error {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	c, err := fieldpine.Dial(ctx, f.WSURL, who, &fieldpine.Options{HTTPClient: d.http})
	if err != nil {
		return err
	}
	return errors.Join(c.Call(ctx, what, out), c.Close())
}
