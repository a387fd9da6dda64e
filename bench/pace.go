package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// answered is one request of a pacer.
type answered struct {
	At     time.Time     // when it was to be sent
	Took   time.Duration // until all of its answer was there
	Status int           // 0: none
}

// runPace asks at a fixed rate, whatever becomes of the requests before, and
// prints what came. It is a process of its own, so that a busy kit does not make
// its answers late.
func runPace(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("pace", flag.ContinueOnError)
	url := fs.String("url", "", "address")
	key := fs.String("key", "", "API key")
	rate := fs.Int("rate", 200, "requests a second")
	d := fs.Duration("for", 10*time.Second, "how long")
	if err := fs.Parse(args); err != nil {
		return err
	}
	client := &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: *rate, TLSClientConfig: anyServer},
		Timeout:   30 * time.Second,
	}
	all := make([]answered, int(d.Seconds()*float64(*rate)))
	var wait sync.WaitGroup
	began := time.Now()
	for i := range all {
		at := began.Add(time.Duration(i) * time.Second / time.Duration(*rate))
		time.Sleep(time.Until(at))
		wait.Go(func() { all[i] = ask(client, *url, *key, at) })
	}
	wait.Wait()
	return json.NewEncoder(out).Encode(all)
}

// ask counts from the time when it was to begin: a request that could not even
// be sent in time is late, too.
func ask(client *http.Client, url, key string, at time.Time) answered {
	a := answered{At: at}
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return a
	}
	req.Header.Set("X-API-Key", key)
	if res, err := client.Do(req); err == nil {
		if _, err := io.Copy(io.Discard, res.Body); err == nil {
			a.Status = res.StatusCode
		}
		res.Body.Close()
	}
	a.Took = time.Since(at)
	return a
}

// pacer is one that runs.
type pacer struct {
	cmd *exec.Cmd
	out chan []byte
	err error
}

// pace starts a pacer.
func (l *lab) pace(ctx context.Context, url, key string, d time.Duration) *pacer {
	p := &pacer{out: make(chan []byte, 1)}
	p.cmd = exec.CommandContext(ctx, l.self, "pace", "-url", url, "-key", key, "-for", d.String())
	go func() {
		var text []byte
		text, p.err = p.cmd.Output()
		p.out <- text
	}()
	return p
}

// answers waits for the end and returns what came of the requests between two
// times. It is an error when one of all was not answered with 200.
func (p *pacer) answers(from, to time.Time) ([]time.Duration, error) {
	var all []answered
	text := <-p.out
	if p.err != nil {
		return nil, fmt.Errorf("pace: %w", p.err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("pace: %w", err)
	}
	var took []time.Duration
	for _, a := range all {
		if a.Status != http.StatusOK {
			return nil, fmt.Errorf("a request was answered with %d after %v", a.Status, a.Took)
		}
		if !a.At.Before(from) && a.At.Before(to) {
			took = append(took, a.Took)
		}
	}
	if len(took) < 100 {
		return nil, fmt.Errorf("only %d requests fell into the time", len(took))
	}
	return took, nil
}

// percentile of durations, in seconds.
func percentile(d []time.Duration, p float64) float64 {
	s := slices.Sorted(slices.Values(d))
	return s[min(int(math.Ceil(p*float64(len(s)))), len(s))-1].Seconds()
}
