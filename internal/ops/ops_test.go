package ops

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

func TestReady(t *testing.T) {
	t.Parallel()
	health := new(Health)
	h := Handler(health, NewMetrics("v1"))
	var away error
	health.Add("database", func(context.Context) error { return away })
	health.Add("log", func(context.Context) error { return nil })

	if w := get(t, h, "/readyz"); w.Code != http.StatusOK {
		t.Fatalf("all well: %d %s", w.Code, w.Body)
	}
	away = errors.New("connection refused")
	w := get(t, h, "/readyz")
	var body struct {
		Ready  bool
		Checks []Result
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusServiceUnavailable || body.Ready || len(body.Checks) != 2 ||
		body.Checks[0].Name != "database" || body.Checks[0].Error != "connection refused" || !body.Checks[1].OK {
		t.Errorf("database away: %d %+v", w.Code, body)
	}
	if w := get(t, h, "/livez"); w.Code != http.StatusOK {
		t.Errorf("livez with the database away: %d, want 200: a restart would not help", w.Code)
	}
	away = nil
	health.Drain()
	if w := get(t, h, "/readyz"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "draining") {
		t.Errorf("draining: %d %s", w.Code, w.Body)
	}
}

// TestNote: what is nice to have is shown, and keeps nobody from getting requests.
func TestNote(t *testing.T) {
	t.Parallel()
	health := new(Health)
	health.Note("bus", func(context.Context) error { return errors.New("away") })
	w := get(t, Handler(health, NewMetrics("v1")), "/readyz")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `{"name":"bus","ok":false,"note":true,"error":"away"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestCheckThatHangs: a check which ignores its context holds nobody up.
func TestCheckThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		health := new(Health)
		forever := make(chan struct{})
		health.Add("hangs", func(context.Context) error { <-forever; return nil })
		began := time.Now()
		ready, results := health.Run(t.Context())
		if ready || time.Since(began) != checkTime || results[0].Error != context.DeadlineExceeded.Error() {
			t.Errorf("ready %v after %v: %+v", ready, time.Since(began), results)
		}
		close(forever)
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := NewMetrics("v1.2.3")
	m.Observe("gate", "sites", "GET", 200, 3*time.Millisecond)
	m.Observe("gate", "sites", "GET", 200, 3*time.Millisecond)
	m.Gauge("gatehouse_sockets", "Sockets open now.", func() float64 { return 7 })
	m.Counter("gatehouse_things_total", "Things.", func() float64 { return 8 })
	body := get(t, Handler(new(Health), m), "/metrics").Body.String()
	for _, want := range []string{
		`gatehouse_requests_total{listener="gate",method="GET",route="sites",status="200"} 2`,
		`gatehouse_request_seconds_bucket{listener="gate",route="sites",le="0.005"} 2`,
		`gatehouse_request_seconds_bucket{listener="gate",route="sites",le="0.0025"} 0`,
		`gatehouse_build_info{version="v1.2.3"} 1`,
		"gatehouse_sockets 7",
		"gatehouse_things_total 8",
		"go_goroutines ",
		"process_open_fds ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

func TestOnlyGet(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Handler(new(Health), NewMetrics("")).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/metrics", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /metrics: %d", w.Code)
	}
}
