package demo

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/acqueon"
	"gatehouse.dev/internal/sample"
)

// The dashboard of the demonstration and who publishes what it shows.
const (
	boardName      = "wallboard"
	publisherName  = "simulator"
	metricsFeed    = "metrics"
	metricsPath    = "/AEDataTransmitter"
	consolePath    = "/AEConsole"
	acqueonReports = 5
)

// seedAcqueon makes sure that there are a dashboard's key pair and an access
// token that rests on it.
func (d *demo) seedAcqueon(ctx context.Context, earlier Acqueon) (Acqueon, error) {
	a := earlier
	if a.APIKey == "" || d.tryPair(ctx, a) != nil {
		owner, err := d.principal(ctx, "clients", boardName, "acqueon/viewer")
		if err != nil {
			return a, err
		}
		pair, err := d.credential(ctx, owner, "key_pair", "", "the demonstration's dashboard")
		if err != nil {
			return a, err
		}
		a = Acqueon{User: boardName, APIKey: pair.Credential.Key, SecretKey: pair.Secret, CredentialID: pair.Credential.ID}
	}
	var issued struct {
		Token string `json:"token"`
	}
	err := d.admin.post(ctx, "/v1/tokens", map[string]any{
		"credential": a.CredentialID, "scopes": []string{"performance-metrics"}, "audience": []string{"acqueon"}, "lifetime": "168h",
	}, http.StatusOK, &issued)
	if err != nil {
		return a, fmt.Errorf("make an access token: %w", err)
	}
	a.AccessToken = issued.Token
	a.SocketURL = webSocket(d.gate) + metricsPath
	return a, nil
}

// simulate has a call centre published, by somebody who may do nothing else.
func (d *demo) simulate(ctx context.Context, logger *slog.Logger) error {
	owner, err := d.principal(ctx, "clients", publisherName, "feed/publisher@Feed:"+metricsFeed)
	if err != nil {
		return err
	}
	key, err := d.onlyKey(ctx, owner)
	if err != nil {
		return err
	}
	p := &sample.Publisher{URL: d.gate, Feed: metricsFeed, Key: key.Secret, Client: &http.Client{}, Logger: logger}
	go p.Run(d.life)
	return nil
}

// onlyKey is a fresh API key of somebody who has no other: an earlier
// demonstration's is rotated, because nobody has kept its text.
func (d *demo) onlyKey(ctx context.Context, owner string) (made, error) {
	var page struct {
		Items []struct {
			ID      string     `json:"id"`
			Revoked *time.Time `json:"revoked"`
		} `json:"items"`
	}
	if err := d.admin.get(ctx, "/v1/credentials?principal="+owner, &page); err != nil {
		return made{}, fmt.Errorf("look for the key of %s: %w", publisherName, err)
	}
	for _, c := range page.Items {
		if c.Revoked == nil {
			var out made
			err := d.admin.post(ctx, "/v1/credentials/"+c.ID+"/rotate", map[string]any{"overlap": "0s"}, http.StatusOK, &out)
			return out, err
		}
	}
	return d.credential(ctx, owner, "api_key", "", "publishes the simulated call centre")
}

// principal returns the id of somebody, made with one role when absent. kind is
// "clients" or "users".
func (d *demo) principal(ctx context.Context, kind, name, role string) (string, error) {
	var page struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	if err := d.admin.get(ctx, "/v1/"+kind+"?name="+url.QueryEscape(name), &page); err != nil {
		return "", fmt.Errorf("look for %s: %w", name, err)
	}
	if len(page.Items) > 0 {
		return page.Items[0].ID, nil
	}
	var one struct {
		ID string `json:"id"`
	}
	err := d.admin.post(ctx, "/v1/"+kind, map[string]any{
		"name": name, "comment": "made by gatehouse demo", "roles": []string{role},
	}, http.StatusCreated, &one)
	if err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	return one.ID, nil
}

// acqueon proves the metrics socket: all ways in, the reports, and the end.
func (d *demo) acqueon(a Acqueon) chapter {
	var live *board
	var throwaway made
	var took time.Duration
	return chapter{name: "Acqueon: a metrics socket, and a call centre that publishes to it", steps: []step{
		{what: "without a credential, be challenged", how: "GET " + metricsPath, do: func(ctx context.Context) (string, error) {
			return "401, Basic", d.challenged(ctx)
		}},
		{what: "an access token opens a socket", how: "WebSocket " + consolePath, do: func(ctx context.Context) (string, error) {
			name := "PerformanceMetrics_" + a.User
			return "OpenID", d.hello(ctx, consolePath, name, a.AccessToken)
		}},
		{what: "in base64, too, with a timestamp", how: "WebSocket " + metricsPath, do: func(ctx context.Context) (string, error) {
			name := fmt.Sprintf("PerformanceMetrics_%s_%d", a.User, time.Now().UnixMilli())
			return "OpenID", d.hello(ctx, metricsPath, name, base64.StdEncoding.EncodeToString([]byte(a.AccessToken)))
		}},
		{what: "a key pair, and the five reports", how: "WebSocket " + metricsPath, do: func(ctx context.Context) (string, error) {
			owner, err := d.principal(ctx, "clients", boardName, "acqueon/viewer")
			if err != nil {
				return "", err
			}
			if throwaway, err = d.credential(ctx, owner, "key_pair", "", "thrown away by the demonstration"); err != nil {
				return "", err
			}
			live = d.watch(throwaway.Credential.Key, throwaway.Secret)
			return live.reportsCome(ctx)
		}},
		{what: "calls change while one looks", how: "LineReport", do: func(ctx context.Context) (string, error) {
			return live.callChanges(ctx)
		}},
		{what: "revoke the pair: the socket closes", how: "after the revocation", took: &took, do: func(ctx context.Context) (string, error) {
			since := time.Now()
			if err := d.admin.post(ctx, "/v1/credentials/"+throwaway.Credential.ID+"/revoke", struct{}{}, http.StatusOK, new(receipt)); err != nil {
				return "", err
			}
			return awaitEnd(ctx, live.ended, since, &took)
		}},
		{what: "a wrong secret is closed, unheard", how: "WebSocket " + metricsPath, do: func(ctx context.Context) (string, error) {
			wrong := a
			wrong.SecretKey = "not the secret"
			if err := d.tryPair(ctx, wrong); !errors.Is(err, acqueon.ErrRefused) {
				return "", fmt.Errorf("was not refused: %w", err)
			}
			return "close code 1008", nil
		}},
	}}
}

func (d *demo) challenged(ctx context.Context) error {
	got, err := d.send(ctx, http.MethodGet, d.gate+metricsPath+"?name=PerformanceMetrics_x", nil, func(r *http.Request) {
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
		} {
			r.Header.Set(name, value)
		}
	})
	if err == nil {
		err = got.want(http.StatusUnauthorized)
	}
	if err == nil && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic ") {
		err = errors.New("401 without a challenge")
	}
	return err
}

// hello opens a socket by hand and waits for its first message.
func (d *demo) hello(ctx context.Context, path, name, password string) error {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	req := &http.Request{Header: http.Header{}}
	req.SetBasicAuth(name, password)
	conn, _, err := websocket.Dial(ctx, webSocket(d.gate)+path+"?name="+name, &websocket.DialOptions{HTTPHeader: req.Header})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	_, text, err := conn.Read(ctx)
	if err != nil {
		return err
	}
	var first struct{ Sender, Receiver, MessageType, Data string }
	if err := json.Unmarshal(text, &first); err != nil || first.MessageType != "OpenID" || first.Receiver != name || len(first.Data) != 32 {
		return fmt.Errorf("the first message is %s", text)
	}
	return conn.Close(websocket.StatusNormalClosure, "")
}

// board is a dashboard that runs.
type board struct {
	reports chan acqueon.Report
	ended   chan ending
}

// watch opens a dashboard with the client that others would use.
func (d *demo) watch(key, secret string) *board {
	b := &board{reports: make(chan acqueon.Report, 256), ended: make(chan ending, 1)}
	c := &acqueon.Client{URL: webSocket(d.gate), User: boardName, Credential: acqueon.APIKey(key, secret)}
	go func() {
		err := c.Once(d.life, func(r acqueon.Report) {
			select {
			case b.reports <- r:
			default: // nobody looks any more
			}
		})
		b.ended <- ending{err, time.Now()}
	}()
	return b
}

// next is the next report.
func (b *board) next(ctx context.Context) (acqueon.Report, error) {
	select {
	case r := <-b.reports:
		return r, nil
	case e := <-b.ended:
		b.ended <- e
		return acqueon.Report{}, fmt.Errorf("the socket ended: %w", e.err)
	case <-ctx.Done():
		return acqueon.Report{}, ctx.Err()
	}
}

// reportsCome waits for every report to come with something in it.
func (b *board) reportsCome(ctx context.Context) (string, error) {
	ctx, stop := context.WithTimeout(ctx, 15*time.Second)
	defer stop()
	var seen []string
	calls := 0
	for len(seen) < acqueonReports {
		r, err := b.next(ctx)
		if err != nil {
			return "", fmt.Errorf("reports that came: %s: %w", strings.Join(seen, ", "), err)
		}
		var rows []json.RawMessage
		if err := json.Unmarshal(r.Data, &rows); err != nil {
			return "", fmt.Errorf("%s is no array: %w", r.Name, err)
		}
		if len(rows) == 0 || slices.Contains(seen, r.Name) {
			continue
		}
		seen = append(seen, r.Name)
		if r.Name == "LineReport" {
			calls = len(rows)
		}
	}
	return fmt.Sprintf("%d calls are live", calls), nil
}

// callChanges waits for one call to be pushed by itself.
func (b *board) callChanges(ctx context.Context) (string, error) {
	ctx, stop := context.WithTimeout(ctx, 15*time.Second)
	defer stop()
	for {
		r, err := b.next(ctx)
		if err != nil {
			return "", err
		}
		var rows []struct{ Campaign, CallState string }
		if r.Name == "LineReport" && json.Unmarshal(r.Data, &rows) == nil && len(rows) == 1 {
			return rows[0].Campaign + ": " + rows[0].CallState, nil
		}
	}
}

// tryPair opens a dashboard and waits for its first report.
func (d *demo) tryPair(ctx context.Context, a Acqueon) error {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	c := &acqueon.Client{URL: webSocket(d.gate), User: a.User + "_check", Credential: acqueon.APIKey(a.APIKey, a.SecretKey)}
	ctx, done := context.WithCancel(ctx)
	defer done()
	good := false
	err := c.Once(ctx, func(acqueon.Report) { good = true; done() })
	if good {
		return nil
	}
	return err
}
