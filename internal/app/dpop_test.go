package app_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-jose/go-jose/v4"

	"gatehouse.dev/internal/app/apptest"
)

// holder is a caller with a key of its own.
type holder struct {
	t     *testing.T
	key   *ecdsa.PrivateKey
	token string
	n     int
}

func newHolder(t *testing.T) *holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &holder{t: t, key: key}
}

func (h *holder) thumbprint() string {
	print, err := (&jose.JSONWebKey{Key: h.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		h.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(print)
}

// proof is one for this request, with a name of its own.
func (h *holder) proof(method, url string) string {
	h.t.Helper()
	h.n++
	sum := sha256.Sum256([]byte(h.token))
	payload, err := json.Marshal(map[string]any{
		"jti": strings.Repeat("p", h.n), "htm": method, "htu": url, "iat": time.Now().Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: h.key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		h.t.Fatal(err)
	}
	o, err := s.Sign(payload)
	if err != nil {
		h.t.Fatal(err)
	}
	text, err := o.CompactSerialize()
	if err != nil {
		h.t.Fatal(err)
	}
	return text
}

// TestDPoP: a token that is bound to a key is worth nothing to whoever has read
// it, over HTTP and in the handshake of a socket.
func TestDPoP(t *testing.T) {
	t.Parallel()
	h, seen := startBoard(t, apptest.Options{})
	caller, thief := newHolder(t), newHolder(t)
	client := h.Admin.Client(t, "bound", "ayyeka/operator")
	var made struct{ Token string }
	h.Admin.Post(t, "/v1/tokens", map[string]any{"principal": client, "unscoped": true, "dpop_jkt": caller.thumbprint()}, &made)
	caller.token, thief.token = made.Token, made.Token
	var free struct{ Token string }
	h.Admin.Post(t, "/v1/tokens", map[string]any{"principal": client, "unscoped": true}, &free)

	address := h.Gate + "/list/x"
	ask := func(scheme, token string, proofs ...string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"?n=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", scheme+" "+token)
		for _, p := range proofs {
			req.Header.Add("DPoP", p)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode, res.Header.Get("Www-Authenticate")
	}
	used := caller.proof("GET", address)
	if status, _ := ask("DPoP", made.Token, used); status != http.StatusOK {
		t.Fatalf("with its proof: %d", status)
	}
	if r := <-seen; r.Header.Get("Dpop") != "" || r.Header.Get("Authorization") != "" {
		t.Error("the backend got the proof or the token")
	}
	for _, c := range []struct {
		name, scheme, token string
		proofs              []string
	}{
		{"as bearer", "Bearer", made.Token, nil},
		{"as bearer, with a proof", "Bearer", made.Token, []string{caller.proof("GET", address)}},
		{"without a proof", "DPoP", made.Token, nil},
		{"with one that was used", "DPoP", made.Token, []string{used}},
		{"with two", "DPoP", made.Token, []string{caller.proof("GET", address), caller.proof("GET", address)}},
		{"with another key's", "DPoP", made.Token, []string{thief.proof("GET", address)}},
		{"with one for another method", "DPoP", made.Token, []string{caller.proof("POST", address)}},
		{"with one for another address", "DPoP", made.Token, []string{caller.proof("GET", h.Gate+"/list/y")}},
		{"a token that is not bound", "DPoP", free.Token, []string{(&holder{t: t, key: caller.key, token: free.Token}).proof("GET", address)}},
	} {
		status, challenge := ask(c.scheme, c.token, c.proofs...)
		if status != http.StatusUnauthorized || strings.HasPrefix(challenge, "DPoP") != (c.scheme == "DPoP") {
			t.Errorf("%s: %d, challenged with %q", c.name, status, challenge)
		}
	}
	if status, _ := ask("DPoP", made.Token, caller.proof("GET", address)); status != http.StatusOK {
		t.Errorf("and again with a new proof: %d", status)
	}
	<-seen

	open := func(header http.Header) (*websocket.Conn, int) {
		t.Helper()
		c, res, err := websocket.Dial(t.Context(), socketURL(h)+"/board", &websocket.DialOptions{HTTPHeader: header})
		if err != nil && res == nil {
			t.Fatal(err)
		}
		return c, res.StatusCode
	}
	c, status := open(http.Header{"Authorization": {"DPoP " + made.Token}, "Dpop": {caller.proof("GET", socketURL(h)+"/board")}})
	if c == nil {
		t.Fatalf("no socket with a proof: %d", status)
	}
	defer c.CloseNow()
	hear(t.Context(), t, c, "hello")
	if c, status := open(http.Header{"Authorization": {"Bearer " + made.Token}}); c != nil || status != http.StatusUnauthorized {
		t.Errorf("a socket without a proof: %d", status)
	}
}
