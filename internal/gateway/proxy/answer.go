package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"gatehouse.dev/internal/gateway/hygiene"
)

// bufferSize is what one read of a body takes at most.
const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// answer passes the backend's answer to w.
func (x *Exchange) answer(w http.ResponseWriter, r *http.Request, res *http.Response) error {
	h := w.Header()
	hygiene.Response(h, res.Header)
	if x.Amend != nil {
		x.Amend(h)
	}
	announced := announce(h, r, res)
	x.guardWrite(w, r, false)
	w.WriteHeader(res.StatusCode)
	if res.Body == http.NoBody || r.Method == http.MethodHead {
		return nil
	}
	if err := x.copy(w, r, res, announced != nil); err != nil {
		return err
	}
	for name, values := range res.Trailer {
		if hygiene.Identity(name) {
			continue
		}
		if !announced[name] {
			name = http.TrailerPrefix + name
		}
		h[name] = values
	}
	return nil
}

// announce declares the trailers that the backend has declared.
func announce(h http.Header, r *http.Request, res *http.Response) map[string]bool {
	var announced map[string]bool
	for name := range res.Trailer {
		if hygiene.Identity(name) {
			continue
		}
		if announced == nil {
			announced = make(map[string]bool)
		}
		announced[name] = true
		h.Add("Trailer", name)
	}
	if announced != nil && r.ProtoMajor == 1 {
		h.Del("Content-Length") // HTTP/1.1 has trailers in chunked bodies only
	}
	return announced
}

// guardWrite gives the caller until Stall from now to take what is written
// next. The server has set such a deadline when the request came and sets it
// again with the next one (see [Exchange.Stall]), so one that is not old is good
// enough. In HTTP/2 a deadline ends the stream also while nothing is written, so
// there it stands during the write only. more says that another write follows.
func (x *Exchange) guardWrite(w http.ResponseWriter, r *http.Request, more bool) (done func()) {
	now := time.Now()
	control := http.NewResponseController(w)
	if r.ProtoMajor != 1 {
		if !more {
			return func() {}
		}
		control.SetWriteDeadline(now.Add(x.Stall))
		return func() { control.SetWriteDeadline(time.Time{}) }
	}
	last := x.armed
	if !more {
		last = x.started
	}
	if now.Sub(last) > x.Stall/4 {
		x.armed = now
		control.SetWriteDeadline(now.Add(x.Stall))
	}
	return func() {}
}

// copy passes the body on. A body of unknown length is a stream: what has
// arrived is sent without waiting for more.
func (x *Exchange) copy(w http.ResponseWriter, r *http.Request, res *http.Response, trailers bool) error {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	stream := res.ContentLength < 0
	control := http.NewResponseController(w)
	if trailers || stream && strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		if err := control.Flush(); err != nil {
			return fmt.Errorf("flush: %w", err)
		}
	}
	for {
		n, readErr := res.Body.Read(buffer[:])
		if n > 0 {
			done := func() {}
			// The last piece, nearly always the only one, needs none in HTTP/1.
			if readErr == nil || r.ProtoMajor != 1 {
				done = x.guardWrite(w, r, true)
			}
			if _, err := w.Write(buffer[:n]); err != nil {
				return fmt.Errorf("write to the caller: %w", err)
			}
			if stream && readErr == nil {
				if err := control.Flush(); err != nil {
					return fmt.Errorf("flush: %w", err)
				}
			}
			if readErr == nil {
				done()
			}
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return fmt.Errorf("read from the upstream: %w", readErr)
		}
	}
}
