package h1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"
)

// continueWait is how long a body is held back for a backend that was asked
// whether it wants it (RFC 9110, section 10.1.1).
const continueWait = time.Second

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// bodyError is a failure to read the request's body.
type bodyError struct{ error }

func (e bodyError) Unwrap() error { return e.error }

// errUnwanted says that the backend answered without asking for the body.
var errUnwanted = errors.New("the body was not asked for")

// writeHead writes the request line and headers. Names and values come from a
// parsed request or from the gate; a line break in one would be a request of
// its own, so it is looked for once more.
func writeHead(w *bufio.Writer, req *http.Request) error {
	uri, host := req.URL.RequestURI(), req.Host
	if host == "" {
		host = req.URL.Host
	}
	if !word(req.Method) || !word(uri) || !word(host) {
		return errSplit
	}
	w.WriteString(req.Method)
	w.WriteByte(' ')
	w.WriteString(uri)
	w.WriteString(" HTTP/1.1\r\nHost: ")
	w.WriteString(host)
	w.WriteString("\r\n")
	for name, values := range req.Header {
		if name == "User-Agent" && len(values) == 1 && values[0] == "" {
			continue // net/http's way of saying that there is none
		}
		if !word(name) || strings.IndexByte(name, ':') >= 0 {
			return errSplit
		}
		for _, v := range values {
			if strings.IndexByte(v, '\n') >= 0 || strings.IndexByte(v, '\r') >= 0 || strings.IndexByte(v, 0) >= 0 {
				return errSplit
			}
			w.WriteString(name)
			w.WriteString(": ")
			w.WriteString(v)
			w.WriteString("\r\n")
		}
	}
	if err := writeFraming(w, req); err != nil {
		return err
	}
	_, err := w.WriteString("\r\n")
	return err
}

// writeFraming says how long the body is. Nothing else in this package does,
// and headers that arrive here must not.
func writeFraming(w *bufio.Writer, req *http.Request) error {
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Host", "Trailer"} {
		if _, set := req.Header[name]; set {
			return fmt.Errorf("header %s is the client's own", name)
		}
	}
	switch {
	case req.Body == nil:
		if req.Method == http.MethodPost || req.Method == http.MethodPut || req.Method == http.MethodPatch {
			w.WriteString("Content-Length: 0\r\n")
		}
	case req.ContentLength >= 0:
		var digits [20]byte
		w.WriteString("Content-Length: ")
		w.Write(strconv.AppendInt(digits[:0], req.ContentLength, 10))
		w.WriteString("\r\n")
	default:
		w.WriteString("Transfer-Encoding: chunked\r\n")
		for name := range req.Trailer {
			if !word(name) {
				return errSplit
			}
			w.WriteString("Trailer: ")
			w.WriteString(name)
			w.WriteString("\r\n")
		}
	}
	return nil
}

// word reports whether s is fit to stand between spaces.
func word(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != ""
}

func expects(req *http.Request) bool {
	return strings.EqualFold(req.Header.Get("Expect"), "100-continue")
}

// sendBody sends the request's body and says in x.sent how it went.
func (x *exchange) sendBody() {
	err := x.copyBody()
	if err == nil {
		x.await(x.req.Context())
	}
	x.sent <- err
	if errors.As(err, new(bodyError)) {
		// The backend waits for what will never come, and Do for the backend.
		x.SetReadDeadline(past)
	}
}

func (x *exchange) copyBody() error {
	if x.wanted != nil || x.req.ContentLength < 0 {
		// The sender may wait for an answer, or for its own reasons.
		if err := x.out.Flush(); err != nil {
			return err
		}
	}
	if x.wanted != nil {
		select {
		case wanted := <-x.wanted:
			if !wanted {
				return errUnwanted
			}
		case <-time.After(continueWait):
		case <-x.req.Context().Done():
			return bodyError{x.req.Context().Err()}
		}
	}
	if x.req.ContentLength < 0 {
		return x.copyChunks()
	}
	return x.copyPlain()
}

// copyPlain sends exactly as many bytes as were announced.
func (x *exchange) copyPlain() error {
	buffer := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buffer)
	left, ended := x.req.ContentLength, false
	for left > 0 && !ended {
		n, err := x.req.Body.Read(buffer[:min(int64(len(buffer)), left)])
		if left -= int64(n); left == 0 {
			x.drained.Store(true)
		}
		if _, err := x.out.Write(buffer[:n]); err != nil {
			return err
		}
		if err := x.out.Flush(); err != nil {
			return err
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return bodyError{err}
		}
		ended = err != nil
	}
	if left > 0 {
		return bodyError{io.ErrUnexpectedEOF}
	}
	return nil
}

// copyChunks sends a body of unknown length, each piece as it comes, and the
// trailers.
func (x *exchange) copyChunks() error {
	buffer := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buffer)
	chunks := httputil.NewChunkedWriter(x.out)
	for {
		n, err := x.req.Body.Read(buffer[:])
		if n > 0 {
			if _, err := chunks.Write(buffer[:n]); err != nil {
				return err
			}
			if err := x.out.Flush(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			x.drained.Store(true)
			break
		}
		if err != nil {
			return bodyError{err}
		}
	}
	if err := chunks.Close(); err != nil {
		return err
	}
	if err := x.req.Trailer.Write(x.out); err != nil { // replaces line breaks
		return err
	}
	if _, err := x.out.WriteString("\r\n"); err != nil {
		return err
	}
	return x.out.Flush()
}
