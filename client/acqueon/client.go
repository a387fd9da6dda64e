package acqueon

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// Client connects to one server. Set the first three fields; it must not be
// changed once it runs. Each Run is a connection of its own.
type Client struct {
	URL        string // "wss://host:port"
	User       string // who asks for access; letters, digits and _ - . @
	Credential Credential

	Zone       *time.Location // for the times of reports; nil: time.Local
	HTTPClient *http.Client   // nil: http.DefaultClient
	// Pause is the first wait between attempts, after one at once: 1 s. It
	// doubles up to LongestPause: 1 minute.
	Pause, LongestPause time.Duration
	// OnState is told when a connection is up (nil) and why it ended; may be nil.
	OnState func(err error)

	stamp atomic.Int64 // of the last name, which is never used again
}

// Limits of one connection.
const (
	readLimit      = 16 << 20
	connectTimeout = 30 * time.Second
	// steady is how long a connection must last to have been a good one.
	steady = 30 * time.Second
)

// ErrRefused means that the server does not believe the credential, or the
// name. Run ends with it.
var ErrRefused = errors.New("acqueon: authentication failed")

// Run keeps a connection until ctx ends, and returns ctx's error. Reports are
// handed over one at a time. Trouble with the network is waited out; a credential
// that the server refuses is not shown again and again: Run returns an error that
// is [ErrRefused] and names it. Where there is a source of tokens, another token
// is tried first.
func (c *Client) Run(ctx context.Context, report func(Report)) error {
	pause := time.Duration(0) // documented clients come back at once
	refused := 0              // in a row
	for {
		start := time.Now()
		err := c.Once(ctx, report)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if c.OnState != nil {
			c.OnState(err)
		}
		switch {
		case !errors.Is(err, ErrRefused):
			refused = 0
		case refused > 0 || !c.Credential.renewable():
			return fmt.Errorf("%w: %v", ErrRefused, c.Credential)
		default:
			refused++
		}
		if time.Since(start) > steady {
			pause = 0
		}
		if pause > 0 {
			// Half of it by chance, so that a thousand dashboards spread out.
			if !sleep(ctx, pause/2+rand.N(pause/2+1)) {
				return ctx.Err()
			}
		}
		pause = min(max(2*pause, cmp.Or(c.Pause, time.Second)), cmp.Or(c.LongestPause, time.Minute))
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Once connects once, and returns why the connection ended.
func (c *Client) Once(ctx context.Context, report func(Report)) error {
	name := c.newName()
	sock, err := c.dial(ctx, name)
	if err != nil {
		return err
	}
	defer sock.CloseNow()
	sock.SetReadLimit(readLimit)
	zone := c.Zone
	if zone == nil {
		zone = time.Local
	}
	for {
		_, data, err := sock.Read(ctx)
		if err != nil {
			return why(err)
		}
		var m message
		if err := json.Unmarshal(data, &m); err != nil {
			return fmt.Errorf("acqueon: read message: %w", err)
		}
		switch m.MessageType {
		case typeOpenID:
			if err := c.initialise(ctx, sock, name, zone); err != nil {
				return err
			}
		case typeResponse:
			if c.OnState != nil {
				c.OnState(nil)
			}
		default:
			r, err := readReport(m, zone)
			if err != nil {
				return err
			}
			report(r)
		}
	}
}

func (c *Client) initialise(ctx context.Context, sock *websocket.Conn, name string, zone *time.Location) error {
	data, err := initialization(name, zone, time.Now())
	if err != nil {
		return fmt.Errorf("acqueon: write initialization: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := sock.Write(ctx, websocket.MessageText, data); err != nil {
		return fmt.Errorf("acqueon: send initialization: %w", err)
	}
	return nil
}

// newName is a name that no other connection of this user has had: seconds, or
// one more than the last.
func (c *Client) newName() string {
	for {
		last := c.stamp.Load()
		next := max(time.Now().Unix(), last+1)
		if c.stamp.CompareAndSwap(last, next) {
			return "PerformanceMetrics_" + c.User + "_" + strconv.FormatInt(next, 10)
		}
	}
}

// dial sets the header by itself: a WebSocket URL has no user and password, and
// libraries refuse or mangle them.
func (c *Client) dial(ctx context.Context, name string) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	password, err := c.Credential.password(ctx)
	if err != nil {
		return nil, fmt.Errorf("acqueon: get a token: %w", err)
	}
	address := strings.TrimSuffix(c.URL, "/") + "/AEDataTransmitter?name=" + url.QueryEscape(name)
	basic := base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
	sock, res, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPClient: c.HTTPClient,
		HTTPHeader: http.Header{"Authorization": {"Basic " + basic}},
	})
	if res != nil && res.StatusCode == http.StatusUnauthorized {
		return nil, ErrRefused
	}
	if err != nil {
		return nil, fmt.Errorf("acqueon: connect: %w", err)
	}
	return sock, nil
}

// why reads a close frame.
func why(err error) error {
	var closed websocket.CloseError
	if errors.As(err, &closed) && closed.Code == websocket.StatusPolicyViolation && closed.Reason == "authentication failed" {
		return ErrRefused
	}
	return fmt.Errorf("acqueon: %w", err)
}
