package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// token buys an access token as the protocol describes it.
func (d *demo) token(ctx context.Context, key, secret string) (string, error) {
	got, err := d.askForToken(ctx, key, secret)
	for try := 0; err == nil && got.status == http.StatusServiceUnavailable && try < 3; try++ {
		// The very first token needs a signing key of 3072 bits, which takes its time
		// on a busy machine; the server says when to ask again.
		after, _ := strconv.Atoi(got.header.Get("Retry-After"))
		select {
		case <-time.After(time.Duration(min(max(after, 1), 3)) * time.Second):
		case <-ctx.Done():
			return "", ctx.Err()
		}
		got, err = d.askForToken(ctx, key, secret)
	}
	if err != nil {
		return "", err
	}
	var body struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := got.json(http.StatusOK, &body); err != nil {
		return "", err
	}
	if body.AccessToken == "" || body.TokenType != "JWT" || body.ExpiresIn <= 0 {
		return "", fmt.Errorf("answered token_type %q, expires_in %d", body.TokenType, body.ExpiresIn)
	}
	return body.AccessToken, nil
}

func (d *demo) askForToken(ctx context.Context, key, secret string) (answer, error) {
	return d.send(ctx, http.MethodPost, d.gate+"/auth/token", strings.NewReader("grant_type=client_credentials"), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		basic(key, secret)(r)
	})
}

// ayyeka proves the dialect: a login, the signature anybody can check, and calls
// that reach the backend with an identity in place of the credential.
func (d *demo) ayyeka(a Ayyeka) chapter {
	var token string
	return chapter{name: "Ayyeka: OAuth client credentials, then a bearer JWT", steps: []step{
		{what: "buy a token with key and secret", how: "POST /auth/token", do: func(ctx context.Context) (note string, err error) {
			token, err = d.token(ctx, a.Key, a.Secret)
			return "RS384, one hour", err
		}},
		{what: "check its signature as anybody could", how: "GET /.well-known/jwks.json", do: func(ctx context.Context) (string, error) {
			return d.checkSignature(ctx, a.JWKSURL, token)
		}},
		{what: "read the sites", how: "GET /v2.0/site", do: func(ctx context.Context) (string, error) {
			var sites []struct {
				Name string `json:"display_name"`
			}
			got, err := d.send(ctx, http.MethodGet, d.gate+"/v2.0/site", nil, bearer(token))
			if err == nil {
				err = got.json(http.StatusOK, &sites)
			}
			if err == nil && len(sites) == 0 {
				err = errors.New("there are none")
			}
			return fmt.Sprintf("%d sites", len(sites)), err
		}},
		{what: "ask the backend what it was told", how: "GET /v2.0/user/uiPreferences", do: func(ctx context.Context) (string, error) {
			return d.seenByBackend(ctx, token)
		}},
		{what: "a wrong secret is refused", how: "POST /auth/token", do: func(ctx context.Context) (string, error) {
			got, err := d.askForToken(ctx, a.Key, "not the secret")
			if err == nil {
				err = got.want(http.StatusUnauthorized)
			}
			return "401, as for an unknown key", err
		}},
	}}
}

// checkSignature verifies the token with the published keys and nothing else.
func (d *demo) checkSignature(ctx context.Context, url, token string) (string, error) {
	got, err := d.send(ctx, http.MethodGet, url, nil, nil)
	if err != nil {
		return "", err
	}
	var keys jose.JSONWebKeySet
	if err := got.json(http.StatusOK, &keys); err != nil {
		return "", err
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS384})
	if err != nil {
		return "", err
	}
	for _, k := range keys.Keys {
		if _, err := signed.Verify(k); err == nil {
			return "by the keys that are published", nil
		}
	}
	return "", fmt.Errorf("none of %d published keys verifies it", len(keys.Keys))
}

// seenByBackend checks that the backend verified an identity, and that the
// caller's own credential did not travel on.
func (d *demo) seenByBackend(ctx context.Context, token string) (string, error) {
	got, err := d.send(ctx, http.MethodGet, d.gate+"/v2.0/user/uiPreferences", nil, bearer(token))
	if err != nil {
		return "", err
	}
	var told struct {
		Identity struct {
			Name    string   `json:"name"`
			Dialect string   `json:"dialect"`
			Roles   []string `json:"roles"`
		} `json:"identity"`
		Headers map[string]json.RawMessage `json:"headers"`
	}
	if err := got.json(http.StatusOK, &told); err != nil {
		return "", err
	}
	if told.Identity.Name == "" {
		return "", errors.New("it was told no identity")
	}
	if _, leaked := told.Headers["Authorization"]; leaked {
		return "", errors.New("it was handed the caller's token")
	}
	return fmt.Sprintf("a signed identity: %s, %s", told.Identity.Name, strings.Join(told.Identity.Roles, ", ")), nil
}
