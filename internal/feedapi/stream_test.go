package feedapi

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/inbound"
	"gatehouse.dev/internal/tenant"
)

// One tenant's publishers leave room for those of the others, and a stream that
// is over gives its place back.
func TestStreamsOfOneTenant(t *testing.T) {
	t.Parallel()
	a := &API{Options: Options{Logger: slog.New(slog.DiscardHandler)}, streams: fair.NewPlaces(4)}
	open := func(of string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Prefix+"metrics/updates", http.NoBody) // of no type: over at once
		a.serveStream(w, r, &publisher{
			api: a, facts: &inbound.Facts{Tenant: tenant.Tenant{ID: of}}, ctx: t.Context(), wire: newWire(w, r, time.Second),
		})
		return w.Code
	}
	for range 3 {
		a.streams.Take("ten_1")
	}
	if got := open("ten_1"); got != http.StatusServiceUnavailable {
		t.Errorf("a stream too many: %d, want 503", got)
	}
	for range 2 {
		if got := open("ten_2"); got != http.StatusUnsupportedMediaType {
			t.Errorf("a stream of another tenant: %d, want 415", got)
		}
	}
}
