package acqueon_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/client/acqueon"
)

// server is a metrics server of few words: each connection gets the list of
// reports and one report, and is closed.
type server struct {
	mu    sync.Mutex
	names []string
	shown []string // passwords, decoded
	inits []string
	code  websocket.StatusCode
	why   string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, password, _ := r.BasicAuth()
	inner, _ := base64.StdEncoding.DecodeString(password)
	s.mu.Lock()
	s.names = append(s.names, name)
	s.shown = append(s.shown, string(inner))
	s.mu.Unlock()
	if r.URL.Path != "/AEDataTransmitter" || r.URL.Query().Get("name") != name {
		http.NotFound(w, r)
		return
	}
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	say := func(messageType, data, at string) {
		m, _ := json.Marshal(map[string]string{"Sender": "ATIRealTimeService", "Receiver": name, "MessageType": messageType, "Data": data, "Time": at})
		c.Write(r.Context(), websocket.MessageText, m)
	}
	if s.why == "" {
		say("OpenID", "5b0c7f3e9d2a4c61b8e4f07a1d93c25e", "")
		_, init, err := c.Read(r.Context())
		if err != nil {
			return
		}
		s.mu.Lock()
		s.inits = append(s.inits, strings.ReplaceAll(string(init), name, "NAME"))
		s.mu.Unlock()
		say("AEPerformanceMetricResponse", "[]", "01/01/2026 09:30:00.125")
		say("LineReport", `[{"CallID":"a"}]`, "01/01/2026 09:30:10.131")
	}
	c.Close(s.code, s.why)
}

func start(t *testing.T, s *server) string {
	t.Helper()
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return "ws" + strings.TrimPrefix(h.URL, "http")
}

var india = time.FixedZone("IST", 5*60*60+30*60)

func TestReportsAndReconnect(t *testing.T) {
	t.Parallel()
	s := &server{code: websocket.StatusGoingAway}
	tokens := 0
	c := acqueon.Client{
		URL: start(t, s), User: "wallboard", Zone: india, Pause: time.Millisecond,
		Credential: acqueon.Token(func(context.Context) (string, error) {
			tokens++
			return fmt.Sprint("token-", tokens), nil
		}),
	}
	ctx, cancel := context.WithCancel(t.Context())
	var reports []acqueon.Report
	err := c.Run(ctx, func(r acqueon.Report) {
		if reports = append(reports, r); len(reports) == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
	if r := reports[0]; r.Name != "LineReport" || string(r.Data) != `[{"CallID":"a"}]` || !r.Time.Equal(time.Date(2026, 1, 1, 4, 0, 10, 131e6, time.UTC)) {
		t.Errorf("report %+v", r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	for _, name := range s.names {
		if seen[name] || !strings.HasPrefix(name, "PerformanceMetrics_wallboard_") {
			t.Errorf("names %v", s.names)
		}
		seen[name] = true
	}
	if diff := cmp.Diff([]string{"token-1", "token-2", "token-3"}, s.shown); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
	want := `{"Sender":"NAME","Receiver":"ATIRealTimeService","MessageType":"AEPerformanceMetricInitialization","Data":"{\"TimeZoneOffset\":-330,\"Sender\":\"NAME\"}"}`
	if diff := cmp.Diff(want, s.inits[0]); diff != "" {
		t.Errorf("initialization (-want +got):\n%s", diff)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	s := &server{code: websocket.StatusPolicyViolation, why: "authentication failed"}
	c := acqueon.Client{URL: start(t, s), User: "wallboard", Credential: acqueon.APIKey("ak", "sk:1")}
	if err := c.Once(t.Context(), nil); !errors.Is(err, acqueon.ErrRefused) {
		t.Errorf("Once = %v, want ErrRefused", err)
	}
	if got := s.shown[0]; got != "ak:sk:1" {
		t.Errorf("showed %q", got)
	}
}

// A credential that is refused is named and not tried for ever; a source of
// tokens gives another one first.
func TestRunEndsWhenRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		credential acqueon.Credential
		shown      int
		want       string
	}{
		"Pair":  {acqueon.APIKey("ak", "a-secret"), 1, "acqueon: authentication failed: API key ak"},
		"Token": {acqueon.Token(func(context.Context) (string, error) { return "a-token", nil }), 2, "acqueon: authentication failed: access token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &server{code: websocket.StatusPolicyViolation, why: "authentication failed"}
			client := acqueon.Client{URL: start(t, s), User: "wallboard", Pause: time.Millisecond, Credential: c.credential}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := client.Run(ctx, nil); !errors.Is(err, acqueon.ErrRefused) || err.Error() != c.want {
				t.Errorf("Run = %v, want %s", err, c.want)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.shown) != c.shown {
				t.Errorf("shown %d times, want %d", len(s.shown), c.shown)
			}
		})
	}
}

// What is no refusal of the credential is waited out.
func TestRunOutlastsTrouble(t *testing.T) {
	t.Parallel()
	s := &server{code: websocket.StatusPolicyViolation, why: "name in use"}
	c := acqueon.Client{URL: start(t, s), User: "wallboard", Pause: time.Millisecond, LongestPause: time.Millisecond, Credential: acqueon.APIKey("ak", "sk")}
	ctx, cancel := context.WithCancel(t.Context())
	attempts := 0
	c.OnState = func(error) {
		if attempts++; attempts == 5 {
			cancel()
		}
	}
	if err := c.Run(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v after %d attempts", err, attempts)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	c := &acqueon.Client{Credential: acqueon.APIKey("ak", "a-secret")}
	if out := fmt.Sprintf("%v %+v %#v", c.Credential, c.Credential, c.Credential); strings.Contains(out, "a-secret") {
		t.Errorf("printed %s", out)
	}
}
