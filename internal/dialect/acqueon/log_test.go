package acqueon

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// book is a log that can be read while it is written.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// How long a socket lasted is written in milliseconds, as all other times are.
func TestEndIsLogged(t *testing.T) {
	t.Parallel()
	r := newRig(t, Config{})
	log := &book{}
	r.sv.Logger = slog.New(slog.NewJSONHandler(log, nil))
	c, _ := r.dial(t, "/AEDataTransmitter", "PerformanceMetrics_a_1", b64("ak:sk"), nil)
	time.Sleep(50 * time.Millisecond)
	c.Close()
	for end := time.Now().Add(10 * time.Second); log.String() == "" && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(log.String()), &line); err != nil {
		t.Fatalf("%q: %v", log.String(), err)
	}
	lasted, ok := line["lasted_ms"].(float64)
	if _, old := line["lasted"]; !ok || old || lasted < 50 || lasted > 60_000 {
		t.Errorf("logged %v", line)
	}
}
