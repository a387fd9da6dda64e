package demo

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// routes proves what needs no dialect: any HTTP or WebSocket backend behind any
// kind of credential.
func (d *demo) routes(g Gateway) chapter {
	return chapter{name: "Routes: any backend, any credential", steps: []step{
		{what: "nobody is let in without one", how: "GET " + downloadPath, do: func(ctx context.Context) (string, error) {
			got, err := d.send(ctx, http.MethodGet, d.gate+downloadPath, nil, nil)
			if err == nil {
				err = got.want(http.StatusUnauthorized)
			}
			return "401", err
		}},
		{what: "download with an API key", how: "GET " + downloadPath, do: func(ctx context.Context) (string, error) {
			got, err := d.send(ctx, http.MethodGet, d.gate+downloadPath+"?lines=100", nil, apiKey(g.APIKey))
			if err == nil {
				err = got.want(http.StatusOK)
			}
			if lines := strings.Count(string(got.body), "\n"); err == nil && lines != 100 {
				err = fmt.Errorf("%d lines instead of 100", lines)
			}
			return "100 lines, streamed", err
		}},
		{what: "open a socket and hear an echo", how: "WebSocket " + socketPath, do: func(ctx context.Context) (string, error) {
			return "", d.echo(ctx, g)
		}},
	}}
}

func (d *demo) echo(ctx context.Context, g Gateway) error {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	conn, _, err := websocket.Dial(ctx, g.SocketURL, &websocket.DialOptions{HTTPHeader: http.Header{"X-API-Key": {g.APIKey}}})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	const word = "is anybody there?"
	if err := conn.Write(ctx, websocket.MessageText, []byte(word)); err != nil {
		return err
	}
	_, back, err := conn.Read(ctx)
	if err == nil && string(back) != word {
		err = fmt.Errorf("heard %q", back)
	}
	if err != nil {
		return err
	}
	return conn.Close(websocket.StatusNormalClosure, "")
}
