package dialecttest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// patience bounds each exchange.
const patience = 40 * time.Second

// failed names the line and who promises it.
func failed(l line, format string, args ...any) error {
	return fmt.Errorf("line %d (%s): %w", l.number, l.mark, fmt.Errorf(format, args...))
}

// play performs one exchange.
func (p *player) play(ctx context.Context, x exchange) error {
	for _, l := range x.before {
		if err := p.do(ctx, l); err != nil {
			return err
		}
	}
	request, err := p.request(x.request)
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout("tcp", p.Addr, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	until := time.Now().Add(patience)
	conn.SetDeadline(until)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		// A server may answer and hang up before it has read everything; what
		// it answered is what counts.
		conn.Write(request)
	}()
	defer func() { conn.Close(); <-sent }()

	in := bufio.NewReader(conn)
	upgraded, err := p.response(x, in)
	if err != nil {
		return err
	}
	if upgraded {
		<-sent // frames come after the request
	}
	for _, l := range x.after {
		switch {
		case l.arrow == "":
			err = p.do(ctx, l)
		case !upgraded:
			err = failed(l, "a frame, but the connection was not upgraded")
		case l.arrow == ">>":
			err = p.sendFrame(l, conn)
		default:
			err = p.readLater(l, &wire{in, conn, until})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// do calls the test.
func (p *player) do(ctx context.Context, l line) error {
	words := strings.Fields(l.text)
	for i, word := range words {
		var err error
		if words[i], err = expand(word, p.vars); err != nil {
			return failed(l, "%w", err)
		}
	}
	call, known := p.Do[words[0]]
	if !known {
		return failed(l, "the test has no function %q", words[0])
	}
	if err := call(ctx, words[1:]...); err != nil {
		return failed(l, "%w", err)
	}
	return nil
}

// request makes the bytes to send.
func (p *player) request(lines []line) ([]byte, error) {
	head, body := split(lines)
	bodyLines, err := p.expandAll(body)
	if err != nil {
		return nil, err
	}
	content := strings.Join(bodyLines, "\n")
	p.vars["length"] = fmt.Sprint(len(content))
	defer delete(p.vars, "length")
	headLines, err := p.expandAll(head)
	if err != nil {
		return nil, err
	}
	return []byte(strings.Join(headLines, "\r\n") + "\r\n\r\n" + content), nil
}

func (p *player) expandAll(lines []line) ([]string, error) {
	out := make([]string, len(lines))
	for i, l := range lines {
		var err error
		if out[i], err = expand(l.text, p.vars); err != nil {
			return nil, failed(l, "%w", err)
		}
	}
	return out, nil
}

// response reads one answer and compares it. It reports whether the connection
// has become a WebSocket.
func (p *player) response(x exchange, in *bufio.Reader) (upgraded bool, err error) {
	wantHead, wantBody := split(x.response)
	first, last := x.response[0], x.response[len(x.response)-1]
	raw, err := readHead(in)
	if err != nil {
		return false, failed(first, "no answer: %w; it began %q", err, raw)
	}
	// The answer's framing is net/http's business; its bytes are ours.
	method, _, _ := strings.Cut(x.request[0].text, " ")
	res, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader(raw), in)), &http.Request{Method: method})
	if err != nil {
		return false, failed(first, "answer cannot be read: %w\n%s", err, raw)
	}
	upgraded = res.StatusCode == http.StatusSwitchingProtocols
	var body []byte
	if !upgraded {
		if body, err = io.ReadAll(io.LimitReader(res.Body, repeatLimit)); err != nil {
			return false, failed(first, "body cannot be read: %w\n%s", err, raw)
		}
	}
	head := strings.Split(strings.TrimSuffix(raw, "\r\n\r\n"), "\r\n")
	if err := p.compareHead(wantHead, head); err != nil {
		return false, fmt.Errorf("%w\n\n%s", err, body)
	}
	return upgraded, p.compareBody(last, wantBody, string(body))
}

// headLimit is more than any server here sends.
const headLimit = 64 << 10

// readHead reads up to and including the empty line.
func readHead(in *bufio.Reader) (string, error) {
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		part, err := in.ReadString('\n')
		b.WriteString(part)
		if err != nil {
			return b.String(), err
		}
		if b.Len() > headLimit {
			return b.String(), fmt.Errorf("head is larger than %d bytes", headLimit)
		}
	}
	return b.String(), nil
}

// compareHead wants the status line first and then the same headers in any
// order, no fewer and no more.
func (p *player) compareHead(want []line, got []string) error {
	for i, l := range want {
		expected, err := compile(l.text, p.vars)
		if err != nil {
			return failed(l, "%w", err)
		}
		at := slices.IndexFunc(got, func(s string) bool { return expected.match(s, p.vars) })
		if at < 0 || (at == 0) != (i == 0) {
			return failed(l, "want\n%s\namong\n%s", l.text, strings.Join(got, "\n"))
		}
		if i > 0 {
			got = slices.Delete(got, at, at+1)
		}
	}
	if len(got) > 1 {
		return failed(want[len(want)-1], "the answer has headers that are not recorded:\n%s", strings.Join(got[1:], "\n"))
	}
	return nil
}

func (p *player) compareBody(last line, want []line, got string) error {
	texts := make([]string, len(want))
	for i, l := range want {
		texts[i] = l.text
	}
	text := strings.Join(texts, "\n")
	expected, err := compile(text, p.vars)
	if err != nil {
		return failed(last, "%w", err)
	}
	if !expected.match(got, p.vars) {
		return failed(last, "body is\n%s\nwant\n%s", got, text)
	}
	return nil
}
