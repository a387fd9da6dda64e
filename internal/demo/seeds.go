package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// The API client of the demonstration.
const (
	clientName = "demo"
	clientRole = "ayyeka/operator"
)

// made is what the admin API answers when it made a credential.
type made struct {
	Credential struct {
		ID  string `json:"id"`
		Key string `json:"key"`
	} `json:"credential"`
	Secret string `json:"secret"`
}

// seed makes sure that there is a client with a key pair and an API key,
// through the admin API. What an earlier demonstration left is taken if it still
// works.
func (d *demo) seed(ctx context.Context, earlier File) (File, error) {
	f := File{
		BaseURL: d.gate,
		Admin:   Admin{URL: d.admin.url, Token: d.admin.token, CredentialID: d.adminCredential},
		Ayyeka:  earlier.Ayyeka,
		Gateway: earlier.Gateway,
	}
	if d.works(ctx, earlier) {
		return d.withURLs(f), nil
	}
	client, err := d.client(ctx)
	if err != nil {
		return File{}, err
	}
	pair, err := d.credential(ctx, client, "key_pair", "ayyeka", "the demonstration's key and secret")
	if err != nil {
		return File{}, err
	}
	key, err := d.credential(ctx, client, "api_key", "", "the demonstration's API key")
	if err != nil {
		return File{}, err
	}
	f.Ayyeka = Ayyeka{Key: pair.Credential.Key, Secret: pair.Secret, CredentialID: pair.Credential.ID}
	f.Gateway = Gateway{APIKey: key.Secret, CredentialID: key.Credential.ID}
	return d.withURLs(f), nil
}

func (d *demo) withURLs(f File) File {
	f.Ayyeka.JWKSURL = d.gate + "/.well-known/jwks.json"
	f.Gateway.DownloadURL = d.gate + downloadPath
	f.Gateway.SocketURL = webSocket(d.gate) + socketPath
	return f
}

// works reports whether both credentials of an earlier demonstration are still
// good.
func (d *demo) works(ctx context.Context, f File) bool {
	if f.Ayyeka.Key == "" || f.Gateway.APIKey == "" {
		return false
	}
	if _, err := d.token(ctx, f.Ayyeka.Key, f.Ayyeka.Secret); err != nil {
		return false
	}
	got, err := d.send(ctx, http.MethodGet, d.gate+downloadPath+"?lines=1", nil, apiKey(f.Gateway.APIKey))
	return err == nil && got.status == http.StatusOK
}

// client returns the id of the demonstration's API client.
func (d *demo) client(ctx context.Context) (string, error) {
	type principal struct {
		ID string `json:"id"`
	}
	var page struct {
		Items []principal `json:"items"`
	}
	if err := d.admin.get(ctx, "/v1/clients?name="+url.QueryEscape(clientName), &page); err != nil {
		return "", fmt.Errorf("look for the client: %w", err)
	}
	if len(page.Items) > 0 {
		return page.Items[0].ID, nil
	}
	var one principal
	err := d.admin.post(ctx, "/v1/clients", map[string]any{
		"name": clientName, "comment": "made by gatehouse demo", "roles": []string{clientRole},
	}, http.StatusCreated, &one)
	if err != nil {
		return "", fmt.Errorf("make the client: %w", err)
	}
	return one.ID, nil
}

func (d *demo) credential(ctx context.Context, owner, kind, dialect, comment string) (made, error) {
	in := map[string]any{"principal": owner, "kind": kind, "comment": comment}
	if dialect != "" {
		in["dialect"] = dialect
	}
	var out made
	if err := d.admin.post(ctx, "/v1/credentials", in, http.StatusCreated, &out); err != nil {
		return made{}, fmt.Errorf("make a credential: %w", err)
	}
	return out, nil
}
