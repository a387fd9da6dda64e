package app_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"gatehouse.dev/client/acqueon"
	"gatehouse.dev/internal/app/apptest"
	"gatehouse.dev/internal/sample"
)

// TestSimulator watches the simulated call centre through the whole server: it
// publishes with a key, a dashboard shows it, and the publisher's end is final.
func TestSimulator(t *testing.T) {
	t.Parallel()
	h := apptest.Start(t, apptest.Options{Dialects: plainAcqueon})
	key := h.Admin.Credential(t, h.Admin.Client(t, "simulator", "feed/publisher@Feed:metrics"), "api_key", "")
	pair := h.Admin.Credential(t, h.Admin.Client(t, "wall", "acqueon/viewer"), "key_pair", "")
	p := &sample.Publisher{URL: h.Gate, Feed: "metrics", Key: key.Secret, Client: http.DefaultClient, Logger: slog.New(slog.DiscardHandler)}
	go p.Run(t.Context())

	b := watchBoard(t.Context(), h, acqueon.APIKey(pair.Key, pair.Secret))
	first := map[string]bool{}
	for _, name := range []string{"CampaignOverviewReport", "AgentStatusSummaryReport", "CallStatusSummaryReport", "AgentStatusDetailReport", "LineReport"} {
		for !first[name] {
			var rows []json.RawMessage
			if err := json.Unmarshal(b.report(t, name).Data, &rows); err != nil {
				t.Fatal(err)
			}
			first[name] = len(rows) > 0
		}
	}
	for single := false; !single; {
		var rows []sample.Call
		if err := json.Unmarshal(b.report(t, "LineReport").Data, &rows); err != nil {
			t.Fatal(err)
		}
		single = len(rows) == 1
	}

	if receipt := h.Admin.Revoke(t, key.ID); receipt.Closed() != 1 {
		t.Errorf("the publisher's stream is not in the receipt: %+v", receipt)
	}
	time.Sleep(300 * time.Millisecond)
	for len(b.reports) > 0 { // what was on its way
		<-b.reports
	}
	quiet := time.After(3 * time.Second)
	for {
		select {
		case r := <-b.reports:
			var rows []json.RawMessage
			if json.Unmarshal(r.Data, &rows) == nil && r.Name == "LineReport" && len(rows) == 1 {
				t.Errorf("pushed after the publisher was ended: %s", r.Data)
			}
		case <-quiet:
			return
		}
	}
}
