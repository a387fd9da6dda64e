package clienttest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/acqueon"
	"gatehouse.dev/internal/app/clienttest"
)

// TestAcqueonClients lets programs that know nothing of us do what the browser
// does. They show the credential at once, each in its own spelling.
func TestAcqueonClients(t *testing.T) {
	t.Parallel()
	m := startMetrics(t)
	program := func(find func(testing.TB) string, script ...string) func(t *testing.T) {
		return func(t *testing.T) {
			d := m.newDance()
			out := clienttest.Run(t, nil, find(t), append([]string{filepath.Join(script...)}, m.arguments(t, d)...)...)
			var steps []arrival
			if err := json.Unmarshal([]byte(out), &steps); err != nil {
				t.Fatalf("%s: %v", out, err)
			}
			d.danced(t, steps)
			m.handshakes(t, 101, 101, 101)
		}
	}
	t.Run("Node", program(nodeWithWS, "testdata", "node", "acqueon.mjs"))
	t.Run("Python", program(python, "testdata", "python", "acqueon.py"))
	t.Run("Go", func(t *testing.T) {
		d := m.newDance()
		d.danced(t, danceInGo(t, m.arguments(t, d)))
		m.handshakes(t, 101, 101, 101)
	})
	t.Run("OurGo", func(t *testing.T) { testOurAcqueon(t, m) })
}

func nodeWithWS(t testing.TB) string {
	clienttest.NodePackage(t, filepath.Join("testdata", "node"), "ws")
	return clienttest.Node(t)
}

// python is Debian's: another one in front of it does not have its packages.
func python(t testing.TB) string {
	path := clienttest.Program(t, "install python3-websockets", "/usr/bin/python3")
	if err := exec.CommandContext(t.Context(), path, "-c", "import websockets").Run(); err != nil {
		clienttest.Missing(t, "websockets for "+path, "install python3-websockets")
	}
	return path
}

// danceInGo does it with a library that knows no userinfo: the header is set by
// hand.
func danceInGo(t *testing.T, args []string) (steps []arrival) {
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	dial := func(address string) *websocket.Conn {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{Header: http.Header{}}
		password, _ := u.User.Password()
		r.SetBasicAuth(u.User.Username(), password)
		u.User = nil
		c, _, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{HTTPHeader: r.Header})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.CloseNow() })
		return c
	}
	say := func(c *websocket.Conn, text string) {
		if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(c *websocket.Conn) {
		_, data, err := c.Read(ctx)
		steps = append(steps, arrivalOf(t, data, err))
	}

	c := dial(args[0])
	hear(c)
	say(c, args[1])
	hear(c)
	c.Close(websocket.StatusNormalClosure, "")
	c = dial(args[2])
	hear(c)
	say(c, args[3])
	hear(c)
	hear(dial(args[4]))
	return steps
}

// testOurAcqueon is a dashboard of our own client, which is cut off and comes
// back under a new name.
func testOurAcqueon(t *testing.T, m *metrics) {
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	c := &acqueon.Client{
		URL: "ws" + m.Gate[len("http"):], User: "wallboard", Zone: time.UTC,
		Credential: acqueon.APIKey(m.pair.Key, m.pair.Secret),
	}
	for range 2 {
		came := 0
		cut, hangUp := context.WithCancel(ctx)
		err := c.Once(cut, func(acqueon.Report) {
			if came++; came == 5 {
				hangUp()
			}
		})
		if came != 5 {
			t.Fatalf("%d reports came, then %v", came, err)
		}
	}
	m.handshakes(t, 101, 101)
	c.Credential = acqueon.APIKey(m.pair.Key, "not the secret")
	if err := c.Once(ctx, nil); err != acqueon.ErrRefused {
		t.Errorf("with a wrong secret: %v, want %v", err, acqueon.ErrRefused)
	}
	m.handshakes(t, 101)
}
