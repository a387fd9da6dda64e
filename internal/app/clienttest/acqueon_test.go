package clienttest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/internal/app/apptest"
)

// metrics is a house that speaks Acqueon, and a key pair that may watch.
type metrics struct {
	*apptest.House
	pair apptest.Credential
	last int64 // timestamp of a name
}

func startMetrics(t *testing.T) *metrics {
	t.Helper()
	h := apptest.Start(t, apptest.Options{Dialects: "acqueon: {plain_text: true}\n"})
	pair := h.Admin.Credential(t, h.Admin.Client(t, "wall", "acqueon/viewer"), "key_pair", "")
	return &metrics{h, pair, time.Now().Unix()}
}

// password is the documented one: base64(key:secret).
func (m *metrics) password() string {
	return base64.StdEncoding.EncodeToString([]byte(m.pair.Key + ":" + m.pair.Secret))
}

// newName is one that no connection has had.
func (m *metrics) newName() string {
	m.last++
	return fmt.Sprintf("PerformanceMetrics_wallboard_%d", m.last)
}

// address is the URL as documented, credential included.
func (m *metrics) address(name, password string) string {
	return "ws://" + name + ":" + password + "@" + strings.TrimPrefix(m.Gate, "http://") + "/AEDataTransmitter?name=" + name
}

// handshakes are the statuses of all requests for sockets under a name, as the
// server logged them.
func (m *metrics) handshakes(t *testing.T, n int) []int {
	t.Helper()
	var statuses []int
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		statuses = nil
		for line := range strings.Lines(m.Log.String()) {
			var entry struct {
				Path   string
				Status int
			}
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Path == "/AEDataTransmitter" {
				statuses = append(statuses, entry.Status)
			}
		}
		if len(statuses) >= n {
			break
		}
	}
	return statuses
}

// arrival is what a page, or a program, says came on a socket: a message or its
// end.
type arrival struct {
	Message *struct{ Sender, Receiver, MessageType, Data, Time string }
	Code    int
	Reason  string
}

func (a arrival) String() string {
	if a.Message != nil {
		return fmt.Sprintf("%+v", *a.Message)
	}
	return fmt.Sprintf("the end: %d %s", a.Code, a.Reason)
}

var hexID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// isOpenID checks the documented connection event.
func (a arrival) isOpenID(t *testing.T, name string) {
	t.Helper()
	if m := a.Message; m == nil || m.MessageType != "OpenID" || m.Sender != "Server" || m.Receiver != name || !hexID.MatchString(m.Data) {
		t.Fatalf("first came %v, want OpenID for %s", a, name)
	}
}

// isReportList checks the answer to an initialisation.
func (a arrival) isReportList(t *testing.T, name string) {
	t.Helper()
	if m := a.Message; m == nil || m.MessageType != "AEPerformanceMetricResponse" || m.Receiver != name || !strings.Contains(m.Data, "LineReport") {
		t.Fatalf("the initialization was answered with %v", a)
	}
}

func (a arrival) isEnd(t *testing.T, code int, reason string) {
	t.Helper()
	if a.Message != nil || a.Code != code || a.Reason != reason {
		t.Errorf("came %v, want the end: %d %s", a, code, reason)
	}
}

// sampleInitialization is the documented sample, with its blank too many and its
// quote too few, for a connection of this name.
func sampleInitialization(t *testing.T, name string) string {
	t.Helper()
	sample, err := os.ReadFile(filepath.Join("testdata", "acqueon", "initialization.json"))
	if err != nil {
		t.Fatal(err)
	}
	const sampleName = "PerformanceMetrics_ACQ_1654268360"
	if n := strings.Count(string(sample), sampleName); n != 2 {
		t.Fatalf("the sample has its name %d times", n)
	}
	return strings.ReplaceAll(string(sample), sampleName, name)
}
