package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// load is what wrk sends: the same script for both sides of a row.
type load struct {
	method, path string
	body         string
	headers      []string // "Name: value", on every request
	turn         []string // values of Authorization, one after the other; empty: none
	want         int      // the status of a right answer
}

// steady sends one request over and over, which costs wrk the least.
const steady = `
wrk.method, wrk.path, wrk.body = %q, %q, %s
for name, value in pairs({%s}) do wrk.headers[name] = value end
`

// inTurn sends prepared requests one after the other. Each thread begins at
// another place.
const inTurn = `
local requests, threads, turn = {}, 0, 0

function setup(thread)
  thread:set("offset", threads)
  threads = threads + 1
end

function init(args)
  for line in io.lines(%q) do
    local headers = {%s}
    headers["Authorization"] = line
    requests[#requests + 1] = wrk.format(%q, %q, headers, %s)
  end
  turn = math.floor(#requests / 2) * offset
end

function request()
  turn = turn %% #requests + 1
  return requests[turn]
end
`

const report = `
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"micros":%d,"refused":%d,"errors":%d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout))
end
`

// drive returns a side that measures answers per second from addr, and what they
// cost that server.
func (l *lab) drive(server *process, addr string, w load) (side, error) {
	if _, err := exec.LookPath("wrk"); err != nil {
		return nil, fmt.Errorf("wrk is %w", errAbsent)
	}
	if err := w.probe(addr); err != nil {
		return nil, err
	}
	file, err := l.writeScript(w)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, d time.Duration) (measure, error) {
		before := server.cpu()
		cmd := exec.CommandContext(ctx, "wrk", "-t1", fmt.Sprintf("-c%d", l.options.conns),
			fmt.Sprintf("-d%.0fs", max(1, d.Seconds())), "--timeout", "5s", "-s", file, "http://"+addr)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return measure{}, fmt.Errorf("wrk: %w\n%s", err, out)
		}
		rate, requests, err := readWrk(string(out))
		if err != nil {
			return measure{}, err
		}
		return measure{rate, (server.cpu() - before) / requests}, nil
	}, nil
}

func readWrk(out string) (rate, requests float64, err error) {
	_, line, ok := strings.Cut(out, "RESULT ")
	if !ok {
		return 0, 0, fmt.Errorf("wrk said nothing that can be read:\n%s", out)
	}
	var r struct{ Requests, Micros, Refused, Errors int64 }
	if err := json.NewDecoder(strings.NewReader(line)).Decode(&r); err != nil {
		return 0, 0, fmt.Errorf("read wrk's result: %w", err)
	}
	if r.Requests == 0 || r.Refused > 0 || r.Errors > 0 {
		return 0, 0, fmt.Errorf("of %d requests %d were refused and %d failed", r.Requests, r.Refused, r.Errors)
	}
	return float64(r.Requests) / (float64(r.Micros) / 1e6), float64(r.Requests), nil
}

// probe sends one request and looks at the answer's status, which wrk only
// tells apart from errors.
func (w load) probe(addr string) error {
	req, err := http.NewRequest(w.method, "http://"+addr+w.path, strings.NewReader(w.body))
	if err != nil {
		return err
	}
	for _, h := range w.headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	req.Host = req.Header.Get("Host")
	if len(w.turn) > 0 {
		req.Header.Set("Authorization", w.turn[len(w.turn)-1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != w.want {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
		return fmt.Errorf("%s %s is answered with %s, want %d\n%s", w.method, req.URL, resp.Status, w.want, body)
	}
	return nil
}

func (l *lab) writeScript(w load) (string, error) {
	dir, err := os.MkdirTemp(l.dir, "load-")
	if err != nil {
		return "", err
	}
	var headers []string
	for _, h := range w.headers {
		name, value, _ := strings.Cut(h, ": ")
		headers = append(headers, fmt.Sprintf("[%q] = %q", name, value))
	}
	body := "nil"
	if w.body != "" {
		body = fmt.Sprintf("%q", w.body)
	}
	var text string
	if len(w.turn) > 1 {
		list := filepath.Join(dir, "turn.txt")
		if err := os.WriteFile(list, []byte(strings.Join(w.turn, "\n")+"\n"), 0o600); err != nil {
			return "", err
		}
		text = fmt.Sprintf(inTurn, list, strings.Join(headers, ", "), w.method, w.path, body)
	} else {
		for _, a := range w.turn {
			headers = append(headers, fmt.Sprintf("[%q] = %q", "Authorization", a))
		}
		text = fmt.Sprintf(steady, w.method, w.path, body, strings.Join(headers, ", "))
	}
	file := filepath.Join(dir, "load.lua")
	return file, os.WriteFile(file, []byte(text+report), 0o600)
}
