package ayyeka_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	sdk "gatehouse.dev/client/ayyeka"
	"gatehouse.dev/internal/credential"
	"gatehouse.dev/internal/dialect/ayyeka"
	"gatehouse.dev/internal/tenant"
)

// TestClients lets programs that know nothing of us get a token and read
// /v2.0/site, through the network.
func TestClients(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.open(t, "192.0.2.1", ayyeka.Config{})
	// Each client has its own credentials; a secret of base64 has "=" at least.
	setup := func(t *testing.T) caller { return h.newCaller(t, tenant.Default, credential.Spec{}, ayyeka.Operator) }

	t.Run("group", func(t *testing.T) {
		t.Run("curl", func(t *testing.T) { t.Parallel(); testCurl(t, s, setup(t)) })
		t.Run("oauth2", func(t *testing.T) { t.Parallel(); testOAuth2(t, s, setup(t)) })
		t.Run("node", func(t *testing.T) { t.Parallel(); testNode(t, s, setup(t)) })
		t.Run("openssl", func(t *testing.T) { t.Parallel(); testOpenSSL(t, h, s, setup(t)) })
		t.Run("sdk", func(t *testing.T) { t.Parallel(); testSDK(t, h, s, setup(t)) })
	})
}

// run executes a program and returns what it printed.
func run(t *testing.T, env []string, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, &stdout, &stderr)
	}
	return stdout.String()
}

// tokenBody is the documented answer.
type tokenBody struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
}

// testCurl sends the protocol description's requests with its headers, no more.
func testCurl(t *testing.T, s site, c caller) {
	// The shell of the quickstart: echo puts a line feed into the secret.
	basic := strings.TrimSpace(run(t, []string{"PAIR=" + c.key() + ":" + c.secret()}, "", "sh", "-c", `echo "$PAIR" | base64 -w0`))
	answer := run(t, nil, "", "curl", "-s", "-i", "-X", "POST", s.base+"/auth/token",
		"-H", "Content-Type: application/x-www-form-urlencoded", "-H", "Authorization: Basic "+basic, "-H", "Cache-Control: no-cache",
		"-H", "User-Agent:", "-H", "Accept:", "-d", "grant_type=client_credentials")
	head, body, _ := strings.Cut(answer, "\r\n\r\n")
	for _, line := range []string{
		"HTTP/1.1 200 OK", "Cache-Control: no-store", "Pragma: no-cache", "Content-Type: application/json; charset=utf-8",
		fmt.Sprintf("Content-Length: %d", len(body)),
	} {
		if !strings.Contains(head+"\r\n", line+"\r\n") {
			t.Errorf("no line %q among\n%s", line, head)
		}
	}
	var got tokenBody
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.TokenType != "JWT" || got.ExpiresIn != 3600 {
		t.Fatalf("body = %s, %v", body, err)
	}
	if want := fmt.Sprintf(`{"access_token":"%s","token_type":"JWT","expires_in":3600}`, got.AccessToken); body != want {
		t.Errorf("body = %s, want %s", body, want)
	}
	sites := run(t, nil, "", "curl", "-s", "-f", s.base+"/v2.0/site", "-H", "Authorization:Bearer "+got.AccessToken, "-H", "Cache-Control: no-cache")
	if !strings.Contains(sites, "Pump house 4") {
		t.Errorf("sites = %s", sites)
	}
}

// bearer makes the library send Bearer: it would copy the type JWT otherwise.
type bearer struct{ oauth2.TokenSource }

func (b bearer) Token() (*oauth2.Token, error) {
	token, err := b.TokenSource.Token()
	if err != nil {
		return nil, err
	}
	changed := *token
	changed.TokenType = "Bearer"
	return &changed, nil
}

func testOAuth2(t *testing.T, s site, c caller) {
	for name, style := range map[string]oauth2.AuthStyle{"header, form-encoded": oauth2.AuthStyleInHeader, "form": oauth2.AuthStyleInParams} {
		config := clientcredentials.Config{ClientID: c.key(), ClientSecret: c.secret(), TokenURL: s.base + "/auth/token", AuthStyle: style}
		ctx := t.Context()
		source := config.TokenSource(ctx)
		token, err := source.Token()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if token.TokenType != "JWT" || time.Until(token.Expiry) < 59*time.Minute {
			t.Errorf("%s: type %q, expiry %v", name, token.TokenType, token.Expiry)
		}
		res, err := oauth2.NewClient(ctx, bearer{source}).Get(s.base + "/v2.0/site")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: /v2.0/site = %d", name, res.StatusCode)
		}
		// Untold, it sends the scheme word JWT, which only a switch lets in.
		res, err = config.Client(ctx).Get(s.base + "/v2.0/site")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: with the scheme word JWT = %d, want 401", name, res.StatusCode)
		}
	}
}

// testNode runs a Node program with the library simple-oauth2.
func testNode(t *testing.T, s site, c caller) {
	dir := filepath.Join("testdata", "node")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "simple-oauth2")); err != nil {
		if os.Getenv("CI") != "true" {
			t.Skipf("run npm ci in %s", dir)
		}
		t.Fatalf("run npm ci in %s first: %v", dir, err)
	}
	out := run(t, []string{"BASE_URL=" + s.base, "KEY=" + c.key(), "SECRET=" + c.secret()}, dir, "node", "client.js")
	ways := 0
	for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); ways++ {
		var got struct {
			Way       json.RawMessage
			TokenType string `json:"token_type"`
			ExpiresIn int    `json:"expires_in"`
			Status    int
			Sites     int
		}
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		if got.TokenType != "JWT" || got.ExpiresIn != 3600 || got.Status != 200 || got.Sites == 0 {
			t.Errorf("%s", lines.Text())
		}
	}
	if ways != 3 {
		t.Errorf("%d ways, want 3:\n%s", ways, out)
	}
}

// testOpenSSL verifies a token with nothing but the published key.
func testOpenSSL(t *testing.T, h *house, s site, c caller) {
	token := h.ask(t, s, c)
	document := []byte(run(t, nil, "", "curl", "-s", "-f", s.base+"/.well-known/jwks.json"))
	var set struct {
		Keys []struct{ Kty, Alg, Use, N, E string }
	}
	if err := json.Unmarshal(document, &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("JWKS = %s, %v", document, err)
	}
	key := set.Keys[0]
	if key.Kty != "RSA" || key.Alg != "RS384" || key.Use != "sig" {
		t.Errorf("key = %+v", key)
	}
	number := func(text string) *big.Int {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return new(big.Int).SetBytes(raw)
	}
	modulus := number(key.N)
	if bits := modulus.BitLen(); bits != 3072 {
		t.Errorf("modulus has %d bits", bits)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("key.cnf", fmt.Sprintf("asn1=SEQUENCE:key\n[key]\nn=INTEGER:0x%x\ne=INTEGER:0x%x\n", modulus, number(key.E)))
	run(t, nil, dir, "openssl", "asn1parse", "-genconf", "key.cnf", "-out", "key.der", "-noout")
	run(t, nil, dir, "openssl", "rsa", "-RSAPublicKey_in", "-inform", "DER", "-in", "key.der", "-pubout", "-out", "key.pem")

	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil || len(signature) != 384 {
		t.Fatalf("signature has %d bytes, %v", len(signature), err)
	}
	write("signed", token[:dot])
	write("signature", string(signature))
	out := run(t, nil, dir, "openssl", "dgst", "-sha384", "-verify", "key.pem", "-signature", "signature", "signed")
	if strings.TrimSpace(out) != "Verified OK" {
		t.Errorf("openssl says %q", out)
	}
	write("signed", token[:dot]+"A")
	if err := exec.CommandContext(t.Context(), "openssl", "dgst", "-sha384", "-verify", filepath.Join(dir, "key.pem"),
		"-signature", filepath.Join(dir, "signature"), filepath.Join(dir, "signed")).Run(); err == nil {
		t.Error("openssl verifies anything")
	}
}

// ask gets a token over the wire.
func (h *house) ask(t testing.TB, s site, c caller) string {
	t.Helper()
	res := post(t, s, c.key(), c.secret())
	defer res.Body.Close()
	var got tokenBody
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("token request = %d, %v", res.StatusCode, err)
	}
	return got.AccessToken
}

func post(t testing.TB, s site, key, secret string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/auth/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(key, secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// testSDK uses our own client, which must come through the end of a token.
func testSDK(t *testing.T, h *house, s site, c caller) {
	client, err := sdk.New(sdk.Config{BaseURL: s.base, Key: c.key(), Secret: c.secret()})
	if err != nil {
		t.Fatal(err)
	}
	sites := func() error {
		got, err := client.Sites(t.Context())
		if err == nil && len(got) == 0 {
			err = fmt.Errorf("no sites")
		}
		return err
	}
	if err := sites(); err != nil {
		t.Fatal(err)
	}
	if err := client.Health(t.Context()); err != nil {
		t.Error(err)
	}
	before, err := client.Tokens().Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.endTokens(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	// Within the same second: the new token is dated later than the end.
	if err := sites(); err != nil {
		t.Errorf("after its tokens were ended: %v", err)
	}
	if after, err := client.Tokens().Token(t.Context()); err != nil || after.Reveal() == before.Reveal() {
		t.Errorf("the token was not renewed: %v", err)
	}
}
