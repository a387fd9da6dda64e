package ayyeka

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	tokenPath  = "/auth/token"
	apiPath    = "/v2.0"
	tokenForm  = "grant_type=client_credentials"
	tokenLimit = 64 << 10
)

// basicValue encodes the two halves raw; see the package comment.
func basicValue(key, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"+secret))
}

// tokenRequest writes the documented request and nothing else.
func tokenRequest(ctx context.Context, endpoint, basic string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(tokenForm))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", basic)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Cache-Control", "no-cache")
	return req, nil
}

// readToken reads a token answer. The lifetime is expires_in, else what the
// JWT's own exp leaves from now on, else 0.
func readToken(r io.Reader, now time.Time) (value string, lifetime time.Duration, err error) {
	data, err := readLimited(r, tokenLimit)
	if err != nil {
		return "", 0, err
	}
	var answer struct {
		AccessToken string  `json:"access_token"`
		TokenType   string  `json:"token_type"`
		ExpiresIn   float64 `json:"expires_in"`
	}
	if json.Unmarshal(data, &answer) != nil {
		// Not wrapped: a decoder's error may quote what it stumbled over.
		return "", 0, errors.New("answer is not the documented JSON")
	}
	if answer.AccessToken == "" {
		return "", 0, errors.New("answer holds no access_token")
	}
	if !strings.EqualFold(answer.TokenType, "JWT") && !strings.EqualFold(answer.TokenType, "Bearer") {
		return "", 0, fmt.Errorf("token_type %q is neither JWT nor Bearer", answer.TokenType)
	}
	if answer.ExpiresIn > 0 {
		const longest = 100 * 365 * 24 * 3600 // what still fits a Duration
		return answer.AccessToken, time.Duration(min(answer.ExpiresIn, longest) * float64(time.Second)), nil
	}
	if exp, ok := jwtExpiry(answer.AccessToken); ok {
		return answer.AccessToken, max(exp.Sub(now), time.Second), nil
	}
	return answer.AccessToken, 0, nil
}

// jwtExpiry reads exp without checking anything: the token is ours to send, not
// to judge.
func jwtExpiry(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Exp <= 0 {
		return time.Time{}, false
	}
	return time.Unix(claims.Exp, 0), true
}
