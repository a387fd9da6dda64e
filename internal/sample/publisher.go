package sample

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

// Publisher plays a call centre and publishes it to a feed, over HTTP and with
// a key of its own, as any other publisher would.
type Publisher struct {
	URL    string // of the gate
	Feed   string
	Key    string // API key
	Client *http.Client
	Logger *slog.Logger
}

const (
	stepEvery    = time.Second
	summaryEvery = 2 // steps
	// goneAfter is how long a call that has ended can still be seen.
	goneAfter = 20 * time.Second
	longPause = 30 * time.Second
)

// Run publishes until ctx ends. A stream that ends is begun anew, after a pause.
func (p *Publisher) Run(ctx context.Context) {
	centre := NewCentre(rand.Uint64(), time.Now())
	for pause := time.Second; ; pause = min(2*pause, longPause) {
		began := time.Now()
		err := p.publish(ctx, centre)
		if ctx.Err() != nil {
			return
		}
		p.Logger.Warn("the stream of updates ended", "error", err)
		if time.Since(began) > longPause {
			pause = time.Second
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// publish keeps one stream of updates.
func (p *Publisher) publish(ctx context.Context, centre *Centre) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	body, out := io.Pipe()
	defer body.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"/-/feeds/"+p.Feed+"/updates?answers=errors", body)
	if err != nil {
		return err
	}
	req.Header.Set("X-API-Key", p.Key)
	req.Header.Set("Content-Type", "application/x-ndjson")
	written := make(chan error, 1)
	go func() {
		err := p.play(ctx, centre, out)
		out.CloseWithError(err)
		written <- err
	}()
	err = p.listen(req)
	stop()
	body.Close()
	return errors.Join(err, <-written)
}

// listen reads what the gate says of the updates, until it says that this was
// all.
func (p *Publisher) listen(req *http.Request) error {
	res, err := p.Client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("publish: %s", res.Status)
	}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		var said struct {
			Line, Status int
			End          bool
			Detail       string
		}
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		if said.End {
			return fmt.Errorf("publish: %d %s", said.Status, said.Detail)
		}
		p.Logger.Warn("an update was refused", "line", said.Line, "status", said.Status, "detail", said.Detail)
	}
	return io.ErrUnexpectedEOF
}

// update is one line of the stream.
type update struct {
	Report    string `json:"report"`
	Kind      string `json:"kind"`
	KeyMember string `json:"keyMember,omitempty"`
	Key       string `json:"key,omitempty"`
	Content   any    `json:"content,omitempty"`
	GoneAfter int64  `json:"goneAfter,omitempty"`
}

// play writes the whole state, and then what changes.
func (p *Publisher) play(ctx context.Context, centre *Centre, to io.Writer) error {
	lines := json.NewEncoder(to)
	write := func(all ...update) error {
		for _, u := range all {
			if err := lines.Encode(u); err != nil {
				return err
			}
		}
		return nil
	}
	if err := write(append(summaries(centre), update{Report: lineReport, Kind: "whole", KeyMember: "CallID", Content: centre.calls()})...); err != nil {
		return err
	}
	tick := time.NewTicker(stepEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			if err := write(rows(centre.Step(now))...); err != nil {
				return err
			}
		}
		if n%summaryEvery == 0 {
			if err := write(summaries(centre)...); err != nil {
				return err
			}
		}
	}
}

func summaries(c *Centre) []update {
	return []update{
		{Report: campaignReport, Kind: "whole", Content: c.overview()},
		{Report: summaryReport, Kind: "whole", Content: c.summary()},
		{Report: callReport, Kind: "whole", Content: c.callStates()},
		{Report: agentReport, Kind: "whole", Content: c.details()},
	}
}

// rows are the changes of calls. One that has ended stays for its time.
func rows(changes []Change) []update {
	all := make([]update, 0, len(changes))
	for _, c := range changes {
		u := update{Report: lineReport, Kind: "row", KeyMember: "CallID", Key: c.CallID, Content: c.Call}
		if c.Ended {
			u.GoneAfter = goneAfter.Milliseconds()
		}
		all = append(all, u)
	}
	return all
}
