package gate_test

import (
	"bytes"
	"flag"
	"log/slog"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/dialect/acqueon"
	"gatehouse.dev/internal/dialect/ayyeka"
	"gatehouse.dev/internal/dialect/fieldpine"
	"gatehouse.dev/internal/fair"
	"gatehouse.dev/internal/gate"
	"gatehouse.dev/internal/socket"
)

var update = flag.Bool("update", false, "write docs/urls.md anew")

// TestURLsDocument keeps docs/urls.md true to the tables.
func TestURLsDocument(t *testing.T) {
	t.Parallel()
	ay, err := ayyeka.New(ayyeka.Server{})
	if err != nil {
		t.Fatal(err)
	}
	ac, _, err := acqueon.New(acqueon.Server{Wheel: socket.NewWheel()})
	if err != nil {
		t.Fatal(err)
	}
	// The parts are only there to be there: nobody calls.
	fd1, err := fieldpine.New(fieldpine.Server{Turns: fair.NewQueue(1, 0),
		Config: fieldpine.Config{Alias: true}, Wheel: socket.NewWheel(), Logger: slog.New(slog.DiscardHandler),
		Door: struct{ fieldpine.Door }{}, Tickets: struct{ fieldpine.Tickets }{}, Endpoints: struct{ fieldpine.Endpoints }{},
	})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	err = gate.WriteURLs(&b,
		gate.Section{Title: "The gate, for callers", Intro: "Its own paths, on every host. Everything below `/-/` is reserved.", Routes: gate.Own()},
		gate.Section{Title: "The gate, dialect `ayyeka`", Intro: "On the hosts of tenants that have it ([description](dialects/ayyeka.md)).", Routes: ay.Routes},
		gate.Section{Title: "The gate, dialect `acqueon`", Intro: "On the hosts of tenants that have it ([description](dialects/acqueon.md)). `{$}` is the end of the path.", Routes: ac.Routes},
		gate.Section{Title: "The gate, dialect `fieldpine`", Intro: "On the hosts of tenants that have it ([description](dialects/fieldpine.md)). `/ws/open_websocket` is there with `alias: true` only.", Routes: fd1.Routes},
		gate.Section{Title: "The gate, routes", Intro: "All other paths belong to the [routes](gateway.md) of the configuration."},
		gate.Section{Title: "The desk, for people", Intro: "`/` a landing page, `/api/` the admin API. Its operations are described at `/api/openapi.json` and in [admin-api.md](admin-api.md)."},
		gate.Section{Title: "Ops", Intro: "`/livez`, `/readyz`, `/metrics`: see [running.md](running.md)."},
	)
	if err != nil {
		t.Fatal(err)
	}
	const file = "../../docs/urls.md"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(old), b.String()); diff != "" {
		t.Errorf("run go test ./internal/gate -run TestURLsDocument -update (-file +tables):\n%s", diff)
	}
}
