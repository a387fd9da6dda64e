package clienttest_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"gatehouse.dev/internal/app/apptest"
)

// metrics is a house that speaks Acqueon, and a key pair that may watch.
type metrics struct {
	*apptest.House
	pair apptest.Credential
	last int64 // timestamp of a name
	seen int   // handshakes that a test has been told of
}

func startMetrics(t *testing.T) *metrics {
	t.Helper()
	h := apptest.Start(t, apptest.Options{Dialects: "acqueon: {plain_text: true}\n"})
	pair := h.Admin.Credential(t, h.Admin.Client(t, "wall", "acqueon/viewer"), "key_pair", "")
	return &metrics{House: h, pair: pair, last: time.Now().Unix()}
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

// address is the URL as documented, credential included. Base64 has characters
// that end a userinfo part, so it is escaped.
func (m *metrics) address(name, password string) string {
	return "ws://" + name + ":" + url.QueryEscape(password) + "@" + strings.TrimPrefix(m.Gate, "http://") + "/AEDataTransmitter?name=" + name
}

// handshakes checks how the next requests for sockets were answered, as the
// server logged it.
func (m *metrics) handshakes(t *testing.T, want ...int) {
	t.Helper()
	var got []int
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = m.statuses()[m.seen:]; len(got) >= len(want) {
			break
		}
	}
	m.seen += len(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("handshakes (-want +got):\n%s", diff)
	}
}

func (m *metrics) statuses() (all []int) {
	for line := range strings.Lines(m.Log.String()) {
		var entry struct {
			Path   string
			Status int
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Path == "/AEDataTransmitter" {
			all = append(all, entry.Status)
		}
	}
	return all
}

// dance is what every kind of client does: a first socket, a reconnect under a
// new name, a message in another's name, and a wrong secret.
type dance struct{ first, again, refused string } // names

func (m *metrics) newDance() dance { return dance{m.newName(), m.newName(), m.newName()} }

// arguments are what a program needs for it, in the order of its steps.
func (m *metrics) arguments(t *testing.T, d dance) []string {
	return []string{
		m.address(d.first, m.password()), sampleInitialization(t, d.first),
		m.address(d.again, m.password()), sampleInitialization(t, d.first),
		m.address(d.refused, base64.StdEncoding.EncodeToString([]byte(m.pair.Key+":not the secret"))),
	}
}

// danced checks what came, step by step.
func (d dance) danced(t *testing.T, steps []arrival) {
	t.Helper()
	if len(steps) != 5 {
		t.Fatalf("%d steps: %v", len(steps), steps)
	}
	steps[0].isOpenID(t, d.first)
	steps[1].isReportList(t, d.first)
	steps[2].isOpenID(t, d.again)
	steps[3].isEnd(t, 1008, "sender is not the name of this connection")
	steps[4].isEnd(t, 1008, "authentication failed")
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

// arrivalOf is what a read gave.
func arrivalOf(t *testing.T, data []byte, err error) (a arrival) {
	t.Helper()
	var end websocket.CloseError
	switch {
	case errors.As(err, &end):
		a.Code, a.Reason = int(end.Code), end.Reason
	case err != nil:
		t.Fatal(err)
	default:
		if err := json.Unmarshal(data, &a.Message); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
	}
	return a
}
