package sample

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
)

var callID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// fieldsOf are the members of an object in the order in which they are written.
func fieldsOf(t *testing.T, v any) (names []string) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.Token()
	for d.More() {
		name, _ := d.Token()
		names = append(names, name.(string))
		d.Token()
	}
	return names
}

// TestCentre plays an hour and looks at everything that would be published.
func TestCentre(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 21, 0, 49, 0, 0, time.UTC)
	c := NewCentre(7, now)
	want := "Campaign CampaignGroup Type CallID RemoteStatus RecordDialedTime RecordConnectedTime RecordEndTime " +
		"ConversationDuration ConnectedAgent CallState LCMKey ContactNumber IsCallDropped"
	if got := strings.Join(fieldsOf(t, c.calls()[0]), " "); got != want {
		t.Errorf("a call has %s", got)
	}
	states, live, ended := map[string]bool{}, map[string]bool{}, 0
	for _, call := range c.calls() {
		live[call.CallID] = true
	}
	for range 3600 {
		now = now.Add(time.Second)
		for _, ch := range c.Step(now) {
			states[ch.CallState] = true
			known := live[ch.CallID]
			switch {
			case !callID.MatchString(ch.CallID) || strings.Count(ch.LCMKey, "|") != 6:
				t.Fatalf("call %+v", ch)
			case ch.Ended != (ch.RecordEndTime != "") || ch.Ended && !known:
				t.Fatalf("ended %v, known %v: %+v", ch.Ended, known, ch)
			case !ch.Ended && ch.ConversationDuration != "0", ch.IsCallDropped && ch.RecordConnectedTime != "":
				t.Fatalf("call %+v", ch)
			}
			if _, err := time.Parse(callTimes, ch.RecordDialedTime); err != nil {
				t.Fatal(err)
			}
			live[ch.CallID] = true
			if ch.Ended {
				delete(live, ch.CallID)
				ended++
			}
		}
		check(t, c, live)
		if t.Failed() {
			return
		}
	}
	if ended < 100 || len(states) != 3 {
		t.Errorf("%d calls ended, states %v", ended, states)
	}
}

// check compares the reports with each other.
func check(t *testing.T, c *Centre, live map[string]bool) {
	t.Helper()
	if len(c.calls()) != len(live) {
		t.Errorf("%d calls are listed, %d are live", len(c.calls()), len(live))
	}
	rows := c.summary()
	agents, loggedIn := 0, 0
	for i, row := range rows {
		if row.AgentState != agentStates[i] {
			t.Errorf("state %d is %s", i, row.AgentState)
		}
		n := row.Inbound + row.Outbound
		if row.AgentState == "LoggedIn" {
			loggedIn = n
		} else {
			agents += n
		}
	}
	away := rows[6].Inbound + rows[6].Outbound + rows[7].Inbound + rows[7].Outbound
	if agents != len(c.details()) || loggedIn != agents-away {
		t.Errorf("%d agents, %d logged in, %d away, of %d", agents, loggedIn, away, len(c.details()))
	}
	running := 0
	for _, row := range c.overview() {
		running += row.Running
	}
	if running != len(live) {
		t.Errorf("campaigns run %d calls of %d", running, len(live))
	}
}
