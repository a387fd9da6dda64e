package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// Paths of the demonstration's routes on the gate.
const (
	downloadPath = "/files/report"
	socketPath   = "/echo"
)

// receipt is what the admin API answers when a right was taken away.
type receipt struct {
	Change int64 `json:"change"`
	Nodes  []struct {
		Node          string  `json:"node"`
		SocketsClosed int     `json:"sockets_closed"`
		MS            float64 `json:"ms"`
	} `json:"nodes"`
	Unreached []string `json:"unreached"`
}

// held is what the throw-away key keeps open.
type held struct {
	key     made
	ended   chan ending // of the socket
	cut     chan ending // of the download
	revoked time.Time

	socketTook, downloadTook time.Duration // from there to the ending
}

// ending is how and when something that was open ended, as its reader saw it.
type ending struct {
	err error
	at  time.Time
}

// taking proves the join: a key that holds a socket and a download open is
// revoked, and both end.
func (d *demo) taking() (chapter, *receipt) {
	h := &held{ended: make(chan ending, 1), cut: make(chan ending, 1)}
	r := new(receipt)
	return chapter{name: "Taking a right away ends what it opened", steps: []step{
		{what: "make a throw-away key", how: "POST {admin}/v1/credentials", do: func(ctx context.Context) (string, error) {
			client, err := d.client(ctx)
			if err != nil {
				return "", err
			}
			h.key, err = d.credential(ctx, client, "api_key", "", "thrown away by the demonstration")
			return h.key.Credential.ID, err
		}},
		{what: "open a socket, say hello, hear it back", how: "WebSocket " + socketPath, do: func(ctx context.Context) (string, error) {
			return "held by the gate", d.openSocket(ctx, h)
		}},
		{what: "begin a download that takes its time", how: "GET " + downloadPath, do: func(ctx context.Context) (string, error) {
			return d.openDownload(ctx, h)
		}},
		{what: "revoke the key", how: "POST {admin}/v1/…/revoke", do: func(ctx context.Context) (string, error) {
			h.revoked = time.Now()
			err := d.admin.post(ctx, "/v1/credentials/"+h.key.Credential.ID+"/revoke", struct{}{}, http.StatusOK, r)
			if err == nil && (len(r.Nodes) != 1 || r.Nodes[0].SocketsClosed != 2) {
				err = fmt.Errorf("the receipt counts other than one socket and one download: %+v", *r)
			}
			return fmt.Sprintf("change %d", r.Change), err
		}},
		{what: "the socket was closed", how: "after the revocation", took: &h.socketTook,
			do: func(ctx context.Context) (string, error) { return awaitEnd(ctx, h.ended, h.revoked, &h.socketTook) }},
		{what: "the download was cut", how: "after the revocation", took: &h.downloadTook,
			do: func(ctx context.Context) (string, error) { return awaitEnd(ctx, h.cut, h.revoked, &h.downloadTook) }},
		{what: "the next request is refused", how: "GET " + downloadPath, do: func(ctx context.Context) (string, error) {
			got, err := d.send(ctx, http.MethodGet, d.gate+downloadPath, nil, apiKey(h.key.Secret))
			if err == nil {
				err = got.want(http.StatusUnauthorized)
			}
			return "401", err
		}},
	}}, r
}

func (d *demo) openSocket(ctx context.Context, h *held) error {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	conn, _, err := websocket.Dial(ctx, webSocket(d.gate)+socketPath, &websocket.DialOptions{
		HTTPHeader: http.Header{"X-API-Key": {h.key.Secret}},
	})
	if err != nil {
		return err
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		return err
	}
	if _, back, err := conn.Read(ctx); err != nil || string(back) != "hello" {
		return fmt.Errorf("said hello, heard %q: %w", back, err)
	}
	go func() {
		_, _, err := conn.Read(d.life)
		h.ended <- ending{err, time.Now()}
		conn.CloseNow()
	}()
	return nil
}

func (d *demo) openDownload(ctx context.Context, h *held) (string, error) {
	req, err := http.NewRequestWithContext(d.life, http.MethodGet, d.gate+downloadPath+"?lines=100000&every=50ms", nil)
	if err != nil {
		return "", err
	}
	apiKey(h.key.Secret)(req)
	res, err := d.http.Do(req)
	if err != nil {
		return "", err
	}
	if err := (answer{status: res.StatusCode}).want(http.StatusOK); err != nil {
		return "", errors.Join(err, res.Body.Close())
	}
	lines := bufio.NewReader(res.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		return "", errors.Join(fmt.Errorf("read the first line: %w", err), res.Body.Close())
	}
	go func() {
		defer res.Body.Close()
		_, err := io.Copy(io.Discard, lines)
		h.cut <- ending{err, time.Now()}
	}()
	// A request is held as open once it has run for a second.
	select {
	case <-time.After(1100 * time.Millisecond):
	case e := <-h.cut:
		return "", fmt.Errorf("it ended by itself: %w", e.err)
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return "running", nil
}

// awaitEnd waits until what was open has ended, and notes how long after the
// call of revoke began that was.
func awaitEnd(ctx context.Context, ended chan ending, since time.Time, took *time.Duration) (string, error) {
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	select {
	case e := <-ended:
		*took = e.at.Sub(since)
		if e.err == nil {
			return "", errors.New("it came to its own end")
		}
		if c := websocket.CloseStatus(e.err); c != -1 {
			return fmt.Sprintf("close code %d", c), nil
		}
		return "", nil
	case <-ctx.Done():
		return "", errors.New("it is still open")
	}
}
