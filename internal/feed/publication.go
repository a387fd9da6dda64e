package feed

import (
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Publication is one piece of news, or the state of one report, as all
// subscribers share it. It must not be changed.
type Publication struct {
	Report string
	// Content is the whole report, or the row that is new.
	Content jsontext.Value
	Key     string // of the row; empty: Content is the whole report
	Removed bool   // the row is gone; Content is empty
	At      time.Time

	mu    sync.Mutex
	forms map[any][]byte
}

// Encoded returns what encode makes of p, which is called once for each form,
// whoever asks. The result is shared: it must not be changed.
func (p *Publication) Encoded(form any, encode func(*Publication) []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b, ok := p.forms[form]; ok {
		return b
	}
	b := encode(p)
	if p.forms == nil {
		p.forms = make(map[any][]byte, 1)
	}
	p.forms[form] = b
	return b
}
