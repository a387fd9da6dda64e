package clienttest

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// patience bounds each thing that is asked of a page: far more than it takes,
// also on a machine with much else to do.
const patience = 40 * time.Second

// Page is a tab of a browser.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu     sync.Mutex
	frames []Frame
}

// Frame is a WebSocket message as it travelled.
type Frame struct {
	Sent bool
	Text string
}

// Open opens a page at an address.
func (b *Browser) Open(t testing.TB, url string) *Page {
	t.Helper()
	p := &Page{t: t}
	ctx, quit := chromedp.NewContext(b.ctx, chromedp.WithListener(p.heard))
	t.Cleanup(quit)
	p.ctx = ctx
	// The first run binds the page to its context, so it has no deadline.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a page: %v", err)
	}
	call(p, network.Enable, network.EnableParams{})
	ctx, stop := p.bounded()
	defer stop()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	return p
}

// heard must not block.
func (p *Page) heard(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventWebSocketFrameSent:
		p.frames = append(p.frames, Frame{true, string(e.Response.PayloadData)})
	case *network.EventWebSocketFrameReceived:
		p.frames = append(p.frames, Frame{false, string(e.Response.PayloadData)})
	}
}

func (p *Page) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, patience)
}

// call is one command to the page.
func call[P, R any](p *Page, command cdp.Command[P, R], params P) {
	p.t.Helper()
	ctx, stop := p.bounded()
	defer stop()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		p.t.Fatalf("%s: %v", command.Method, err)
	}
}

// Frames are the messages of the page's sockets until now.
func (p *Page) Frames() []Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Frame(nil), p.frames...)
}

// Eval runs a script in the page, awaits what it promises, and reads that into
// out, which may be nil.
func (p *Page) Eval(script string, out any) {
	p.t.Helper()
	ctx, stop := p.bounded()
	defer stop()
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](script, chromedp.EvalAwaitPromise, chromedp.EvalAsValue))
	if err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(raw, out); err != nil {
		p.t.Fatalf("%s returned %s: %v", script, raw, err)
	}
}

// Call calls a function of the page.
func (p *Page) Call(out any, function string, args ...any) {
	p.t.Helper()
	texts := make([]string, len(args))
	for i, a := range args {
		text, err := json.Marshal(a)
		if err != nil {
			p.t.Fatal(err)
		}
		texts[i] = string(text)
	}
	p.Eval(function+"("+strings.Join(texts, ", ")+")", out)
}

// Locate puts the page somewhere, and lets it know where.
func (p *Page) Locate(latitude, longitude, accuracy float64) {
	p.t.Helper()
	call(p, emulation.SetGeolocationOverride, emulation.SetGeolocationOverrideParams{
		Latitude: &latitude, Longitude: &longitude, Accuracy: &accuracy,
	})
	ctx, stop := p.bounded()
	defer stop()
	_, err := chromedp.CallBrowser(ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "geolocation"},
		Setting:    browser.PermissionSettingGranted,
	})
	if err != nil {
		p.t.Fatalf("allow the page to know where it is: %v", err)
	}
}
