package proxy

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/gateway/hygiene"
	"gatehouse.dev/internal/gateway/upstream"
	"gatehouse.dev/internal/inbound"
)

// DefaultStall is how long a caller may neither send nor read when there is
// something to send or read.
const DefaultStall = time.Minute

// Exchange says what to send where.
type Exchange struct {
	Upstream *upstream.Pool
	Path     canonical.Path // forwarded exactly so
	Query    string
	Host     string      // of the Host header; empty: the address's own
	Header   http.Header // cleaned, with what the gate adds; owned by the exchange

	// KeepTrailer says which of the caller's trailers may pass; nil: none.
	KeepTrailer func(name string) bool
	MaxBody     int64 // of the request; 0: no limit
	// Stall is how long the caller may let either direction wait; 0:
	// DefaultStall. The server's WriteTimeout should be the same: it guards
	// what is written before and after.
	Stall time.Duration
	// Amend changes the headers of the answer before they are sent; nil: not.
	Amend func(http.Header)

	started time.Time
	armed   time.Time // when a write deadline was set last; zero: by the server
}

// Serve carries r to the backend and the answer to w. ctx is what the exchange
// may live on: when it ends, both sides are let go.
//
// A nil error says that the answer was delivered whole. With an *Error nothing
// has been written yet, and the caller answers; any other error means that the
// answer broke off midway, after which only http.ErrAbortHandler is honest.
func Serve(ctx context.Context, w http.ResponseWriter, r *http.Request, x *Exchange) (status int, err error) {
	if x.Stall == 0 {
		x.Stall = DefaultStall
	}
	x.started = time.Now()
	if x.MaxBody > 0 && r.ContentLength > x.MaxBody {
		return 0, &Error{Status: http.StatusRequestEntityTooLarge, Detail: "the request body is too large", Err: errBodyTooLarge}
	}
	out, body := x.request(ctx, w, r)
	if body != nil {
		defer func() { body.finish(status != 0) }()
	}
	res, err := x.Upstream.Send(out, func(code int, header http.Header) error { return informational(w, code, header) })
	if err != nil {
		return 0, explain(ctx, body, err)
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 999 { // a switch of protocols that nobody asked for, or nonsense
		return 0, &Error{Status: http.StatusBadGateway, Detail: "the upstream gave an answer that makes no sense", Err: errBadStatus}
	}
	return res.StatusCode, x.answer(w, r, res)
}

// request makes the outgoing request, and the body's keeper where there is one.
func (x *Exchange) request(ctx context.Context, w http.ResponseWriter, r *http.Request) (*http.Request, *body) {
	if _, set := x.Header["User-Agent"]; !set {
		x.Header["User-Agent"] = []string{""} // or net/http names itself
	}
	out := r.WithContext(ctx)
	out.URL = &url.URL{Path: x.Path.Decoded, RawPath: x.Path.Escaped, RawQuery: x.Query}
	out.Header = x.Header
	out.Host = x.Host
	out.Close, out.RequestURI, out.TransferEncoding, out.Trailer = false, "", nil, nil
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		out.Body = nil
		return out, nil
	}
	// HTTP/1 callers may go on sending while the answer is on its way, too.
	control := http.NewResponseController(w)
	control.EnableFullDuplex() // not supported where it is always so
	b := &body{source: r, in: inbound.Unguarded(r.Body), control: control, limit: x.MaxBody, stall: x.Stall}
	if len(r.Trailer) > 0 && x.KeepTrailer != nil {
		out.Trailer = make(http.Header)
		for name := range r.Trailer {
			if x.KeepTrailer(name) {
				out.Trailer[name] = nil
			}
		}
		b.trailer = out.Trailer
	}
	out.Body = b
	return out, b
}

// informational passes a 1xx answer on, such as 103 with hints.
func informational(w http.ResponseWriter, code int, src http.Header) error {
	h := w.Header()
	before := make(http.Header, len(h))
	for name, values := range h {
		before[name] = values
	}
	hygiene.Response(h, src)
	w.WriteHeader(code)
	clear(h) // net/http keeps them for the final answer otherwise
	for name, values := range before {
		h[name] = values
	}
	return nil
}
