package h1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// maxInformational bounds the 1xx answers before the final one.
const maxInformational = 8

// sentPatience is how long a sender with the whole body in hand is waited for.
const sentPatience = 50 * time.Millisecond

// elapsed is a timer that has fired.
var elapsed = func() <-chan time.Time { c := make(chan time.Time); close(c); return c }()

var (
	errUpgrade   = errors.New("the upstream switched protocols unasked")
	errSplit     = errors.New("a header or the request line has a line break")
	errTooMany1x = errors.New("too many informational answers")
)

// exchange is one request and its answer on a conn.
type exchange struct {
	*conn
	req     *http.Request
	stop    func() bool // stops watching the context
	sent    chan error  // the body's sender says how it went; nil without a body
	wanted  chan bool   // whether the backend wants the body; nil: it is not asked
	drained atomic.Bool // the whole body of the request was read
	reuse   bool
	over    bool
	body    io.Reader // of the answer
}

// exchange performs one. On error the connection is gone.
func (k *conn) exchange(req *http.Request, inform Inform) (*http.Response, error) {
	ctx := req.Context()
	x := &exchange{conn: k, req: req}
	k.used, k.arrived, k.heading, k.budget = true, false, true, k.client.MaxHeader
	x.stop = context.AfterFunc(ctx, func() { k.Conn.SetDeadline(past) })
	res, err := x.perform(inform)
	if err == nil {
		return res, nil
	}
	x.end(false)
	switch bodyErr := x.bodyTrouble(); {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case bodyErr != nil:
		return nil, bodyErr
	case !k.arrived && !errors.Is(err, os.ErrDeadlineExceeded):
		return nil, staleError{err}
	}
	return nil, err
}

func (x *exchange) perform(inform Inform) (*http.Response, error) {
	if err := writeHead(x.out, x.req); err != nil {
		return nil, err
	}
	if x.req.Body == nil {
		if err := x.out.Flush(); err != nil {
			return nil, fmt.Errorf("send request: %w", err)
		}
		x.await(x.req.Context())
	} else {
		x.sent = make(chan error, 1)
		if expects(x.req) {
			x.wanted = make(chan bool, 1)
		}
		go x.sendBody()
	}
	res, err := x.readHead(inform)
	if err != nil {
		return nil, err
	}
	length := res.ContentLength
	if res.Body == http.NoBody {
		length = 0
	}
	x.headed(x.req.Context(), length)
	x.budget = -1
	x.reuse = !res.Close && res.ProtoAtLeast(1, 1)
	if res.Body == http.NoBody {
		x.end(true)
		return res, nil
	}
	x.body = res.Body // closing it would wait for its end; ending the exchange does not
	res.Body = x
	return res, nil
}

// readHead reads answers until one is final.
func (x *exchange) readHead(inform Inform) (*http.Response, error) {
	for range maxInformational {
		res, err := http.ReadResponse(x.in, x.req)
		if err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		switch {
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errUpgrade
		case res.StatusCode < 100 || res.StatusCode >= 200:
			x.verdict(false)
			return res, nil
		case res.StatusCode == http.StatusContinue:
			x.verdict(true)
		case inform != nil:
			if err := inform(res.StatusCode, res.Header); err != nil {
				return nil, err
			}
		}
		x.budget = x.client.MaxHeader
	}
	return nil, errTooMany1x
}

// verdict passes on whether the backend wants the body. Only the first counts.
func (x *exchange) verdict(wanted bool) {
	if x.wanted == nil {
		return
	}
	select {
	case x.wanted <- wanted:
	default:
	}
}

// Read implements io.Reader for the answer's body.
func (x *exchange) Read(p []byte) (int, error) {
	if x.over {
		return 0, io.EOF
	}
	n, err := x.body.Read(p)
	if err == nil {
		return n, nil
	}
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		x.end(true)
		return n, io.EOF
	}
	x.end(false)
	if ctx := x.req.Context(); ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return n, err
}

// Close implements io.Closer for the answer's body. A connection with an
// unread rest is not worth keeping.
func (x *exchange) Close() error {
	x.end(false)
	return nil
}

// end lets the connection go, back to the idle ones when whole and nothing
// speaks against it.
func (x *exchange) end(whole bool) {
	if x.over {
		return
	}
	x.over = true
	if x.stop() && whole && x.reuse && x.in.Buffered() == 0 && x.allSent() {
		x.client.put(x.conn)
	} else {
		x.client.drop(x.conn)
	}
}

// allSent reports whether the request's body has gone out whole. A backend that
// has it all may answer before the sender has come round to saying so.
func (x *exchange) allSent() bool {
	if x.sent == nil {
		return true
	}
	var patience <-chan time.Time
	if x.drained.Load() {
		patience = time.After(sentPatience)
	} else {
		patience = elapsed
	}
	select {
	case err := <-x.sent:
		return err == nil
	default:
	}
	select {
	case err := <-x.sent:
		return err == nil
	case <-patience: // the backend no longer waits for the rest
		return false
	}
}

// bodyTrouble is why the request's body could not be read, if that was it.
func (x *exchange) bodyTrouble() error {
	if x.sent == nil {
		return nil
	}
	select {
	case err := <-x.sent:
		var b bodyError
		if errors.As(err, &b) {
			return b.error
		}
	default:
	}
	return nil
}
