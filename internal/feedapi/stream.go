package feedapi

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"

	"gatehouse.dev/internal/gateway/canonical"
	"gatehouse.dev/internal/logging"
)

// linesType is the media type of streams, and of the answers to them.
const linesType = "application/x-ndjson"

// stream is a stream of updates, and the answers to it.
type stream struct {
	*publisher
	control *http.ResponseController
	out     *bufio.Writer
	quiet   bool // updates that were made are not answered
	line    int
	applied int
	refused int
}

// said is one line of the answer.
type said struct {
	Line   int    `json:"line,omitzero"`
	End    bool   `json:"end,omitzero"` // there is no further one
	Status int    `json:"status"`
	Title  string `json:"title,omitzero"`
	Detail string `json:"detail,omitzero"`
	// Of the last line.
	Applied *int `json:"applied,omitzero"`
	Refused *int `json:"refused,omitzero"`
}

// serveStream takes updates until the publisher's body ends, or the publisher
// is ended.
func (a *API) serveStream(w http.ResponseWriter, r *http.Request, p *publisher) {
	s := &stream{publisher: p, control: http.NewResponseController(w), out: bufio.NewWriter(w)}
	house := p.facts.Tenant.ID
	if !a.streams.Take(house) {
		a.answer(w, r, p, errBusy)
		return
	}
	defer a.streams.Leave(house)
	answers, _, err := canonical.One(r.URL.RawQuery, "answers")
	if err == nil && answers != "" && answers != "all" && answers != "errors" {
		err = errQuery
	}
	if kind, _, bad := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && (bad != nil || kind != linesType) {
		err = errNotLines
	}
	if err != nil {
		a.answer(w, r, p, err)
		return
	}
	s.quiet = answers == "errors"
	if r.ProtoMajor == 1 { // HTTP/2 is so anyway
		if err := s.control.EnableFullDuplex(); err != nil {
			a.answer(w, r, p, err)
			return
		}
	}
	h := w.Header()
	h.Set("Content-Type", linesType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	p.wire.speak()
	w.WriteHeader(http.StatusOK)
	s.control.Flush()
	err = s.run()
	logging.From(r.Context()).Refused(reasonOf(err))
	p.wire.abandon()
}

// run answers the stream line by line, and then says how it ended.
func (s *stream) run() error {
	in := newLines(s.wire)
	for {
		if !in.more() {
			if err := s.flush(); err != nil {
				return err
			}
			s.wire.listen()
		}
		line, err := in.next()
		if err != nil {
			return s.finish(err)
		}
		s.line++
		s.handle.Received(len(line))
		if len(line) == 0 {
			continue // a publisher that has no news keeps the stream open
		}
		if err := s.take(line); err != nil {
			return s.finish(err)
		}
	}
}

// take makes the update of one line. An error ends the stream; an update that
// is refused does not.
func (s *stream) take(line []byte) error {
	u, err := parseLine(line)
	if err == nil {
		err = s.publish(u)
	}
	var ended *endedError
	switch {
	case err == nil:
		s.applied++
		if s.quiet {
			return nil
		}
		return s.say(said{Line: s.line, Status: http.StatusNoContent})
	case errors.As(err, &ended):
		return err
	}
	s.refused++
	v := verdictOn(err)
	return s.say(said{Line: s.line, Status: v.status, Title: http.StatusText(v.status), Detail: v.detail})
}

// finish writes the last line.
func (s *stream) finish(err error) error {
	last := said{End: true, Status: http.StatusOK, Applied: &s.applied, Refused: &s.refused}
	if !errors.Is(err, io.EOF) {
		if !errors.Is(err, errLongLine) {
			err = errors.Join(errBody, err)
		}
		v := verdictOn(s.why(err))
		last.Status, last.Title, last.Detail = v.status, http.StatusText(v.status), v.detail
		if errors.Is(err, errLongLine) {
			last.Line = s.line + 1
		}
	}
	return errors.Join(s.why(err), s.say(last), s.flush())
}

func (s *stream) say(line said) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if s.out.Available() <= len(text) {
		s.wire.speak() // the writer is about to write
	}
	s.handle.Sent(len(text) + 1)
	s.out.Write(text)
	return s.out.WriteByte('\n')
}

// flush lets out what was said.
func (s *stream) flush() error {
	if s.out.Buffered() == 0 {
		return nil
	}
	s.wire.speak()
	if err := s.out.Flush(); err != nil {
		return err
	}
	return s.control.Flush()
}

// reasonOf is why a stream ended, for the log; empty: its publisher ended it.
func reasonOf(err error) string {
	var ended *endedError
	switch {
	case errors.As(err, &ended):
		return ended.Error()
	case errors.Is(err, errBody):
		return verdictOn(err).detail
	case errors.Is(err, errLongLine):
		return errLongLine.Error()
	}
	return ""
}
