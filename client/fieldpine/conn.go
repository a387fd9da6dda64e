package fieldpine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"gatehouse.dev/client/fieldpine/enc"
)

// Errors of a connection.
var (
	// ErrNoAnswer: the server did not acknowledge a login. It never says why.
	ErrNoAnswer = errors.New("fieldpine: the login was not answered")
	// ErrClosed: the connection has ended; log in again on a new one.
	ErrClosed = errors.New("fieldpine: the connection is closed")
)

// Options shape a connection; all fields may be zero.
type Options struct {
	HTTPClient   *http.Client
	Header       http.Header   // such as an outer Authorization that a server wants
	LoginTimeout time.Duration // 10 s
	Zone         *time.Location
	OnPush       func(Push) // called one at a time; must not wait for Call
}

const (
	readLimit    = 16 << 20
	loginTimeout = 10 * time.Second
	eventBuffer  = 256
)

// Conn is one logged-in socket, safe for concurrent use. Make it with [Dial].
type Conn struct {
	sock *websocket.Conn
	o    Options

	writing sync.Mutex // also orders encrypted frames
	session *enc.Session

	mu      sync.Mutex
	last    int
	waiting map[string]chan response
	done    chan struct{}
	err     error
}

// Dial opens a socket and logs in.
func Dial(ctx context.Context, url string, c Credential, o *Options) (*Conn, error) {
	conn := &Conn{waiting: make(map[string]chan response), done: make(chan struct{})}
	if o != nil {
		conn.o = *o
	}
	if conn.o.LoginTimeout <= 0 {
		conn.o.LoginTimeout = loginTimeout
	}
	sock, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: conn.o.HTTPClient, HTTPHeader: conn.o.Header})
	if err != nil {
		return nil, fmt.Errorf("fieldpine: connect: %w", err)
	}
	sock.SetReadLimit(readLimit)
	conn.sock = sock
	if err := conn.begin(ctx, c); err != nil {
		sock.CloseNow()
		return nil, err
	}
	return conn, nil
}

func (c *Conn) begin(ctx context.Context, what Credential) error {
	if what.secret == "" {
		go c.read()
		return c.Login(ctx, what, "")
	}
	if err := c.beginEncrypted(ctx, what); err != nil {
		return err
	}
	go c.read()
	return nil
}

// beginEncrypted exchanges nonces. The session counts once the server has
// decrypted a packet, so one is sent that says nothing.
func (c *Conn) beginEncrypted(ctx context.Context, what Credential) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.LoginTimeout)
	defer cancel()
	if err := c.write(ctx, packet{Request: Request{Action: "fd1.session.login", Values: map[string]string{what.member: what.value}}}); err != nil {
		return err
	}
	_, data, err := c.sock.Read(ctx)
	if err != nil {
		return ErrNoAnswer
	}
	var answer struct {
		Data struct{ Hash string }
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return fmt.Errorf("fieldpine: read hash: %w", err)
	}
	salt, server, err := enc.ParseHash(answer.Data.Hash)
	if err != nil {
		return fmt.Errorf("fieldpine: %w", err)
	}
	k0, err := enc.K0(what.secret, salt)
	if err != nil {
		return fmt.Errorf("fieldpine: derive key: %w", err)
	}
	if ctx.Err() != nil { // deriving it took too long; the server waits no more
		return ErrNoAnswer
	}
	if c.session, err = enc.NewClient(k0, server, enc.NewNonce(), what.value); err != nil {
		return fmt.Errorf("fieldpine: begin session: %w", err)
	}
	return c.write(ctx, packet{Request: Request{Action: "fd1.session.ignore"}})
}

// Login shows one more credential, which adds to what may be done; with a
// thread, for requests of that thread alone.
func (c *Conn) Login(ctx context.Context, what Credential, thread string) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.LoginTimeout)
	defer cancel()
	values := map[string]any{what.member: what.value}
	if c.o.Zone != nil {
		now := time.Now().In(c.o.Zone)
		_, east := now.Zone()
		values["tz"], values["localtime"] = -east/60, now.Format("2006-01-02 15:04:05.000")
	}
	err := c.Call(ctx, Request{Action: "fd1.session.login", Values: values, Thread: thread}, nil)
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrNoAnswer
	}
	return err
}

// Call sends a request and decodes the data of its answer into out, which may
// be nil. The error may be an [*Error] of the server.
func (c *Conn) Call(ctx context.Context, r Request, out any) error {
	id, answers, err := c.open(1)
	if err != nil {
		return err
	}
	defer c.forget(id)
	if err := c.write(ctx, packet{r, id}); err != nil {
		return err
	}
	select {
	case a := <-answers:
		if a.Error != nil {
			return a.Error
		}
		if out == nil {
			return nil
		}
		if err := json.Unmarshal(a.Data, out); err != nil {
			return fmt.Errorf("fieldpine: decode %s: %w", r.Action, err)
		}
		return nil
	case <-c.done:
		return c.err
	case <-ctx.Done():
		// Nobody waits for the answer any more; the server need not work on it.
		_ = c.write(context.WithoutCancel(ctx), packet{Request: Request{Action: "fd1.session.cancel_request", Key: id}})
		return ctx.Err()
	}
}

// Firehose opens a stream of events. The channel is closed when ctx or the
// connection ends. Events that are not taken from it in time are dropped.
func (c *Conn) Firehose(ctx context.Context, event string, query any) (<-chan Event, error) {
	id, answers, err := c.open(eventBuffer)
	if err != nil {
		return nil, err
	}
	r := Request{Action: "fd1.firehose.open_firehose", Values: map[string]string{"event": event}, Query: query}
	if err := c.write(ctx, packet{r, id}); err != nil {
		c.forget(id)
		return nil, err
	}
	events := make(chan Event)
	go func() {
		defer close(events)
		defer c.forget(id)
		for {
			select {
			case a := <-answers:
				if a.Values == nil { // the acknowledgement
					continue
				}
				select {
				case events <- Event{a.Schema, a.Values}:
				case <-ctx.Done():
					return
				}
			case <-c.done:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return events, nil
}

// open makes a request id and where its answers go.
func (c *Conn) open(room int) (string, chan response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return "", nil, c.err
	}
	c.last++
	id := strconv.Itoa(c.last)
	answers := make(chan response, room)
	c.waiting[id] = answers
	return id, answers, nil
}

func (c *Conn) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// write sends one packet, encrypted where the session is.
func (c *Conn) write(ctx context.Context, p packet) error {
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("fieldpine: encode %s: %w", p.Action, err)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.session != nil {
		if data, err = json.Marshal(map[string]string{"enc": c.session.Seal(data)}); err != nil {
			return fmt.Errorf("fieldpine: encode %s: %w", p.Action, err)
		}
	}
	if err := c.sock.Write(ctx, websocket.MessageText, data); err != nil {
		return fmt.Errorf("fieldpine: send %s: %w", p.Action, err)
	}
	return nil
}

// read hands out what the server sends, until the end.
func (c *Conn) read() {
	for {
		r, err := c.next()
		if err != nil {
			c.end(err)
			return
		}
		c.deliver(r)
	}
}

func (c *Conn) next() (response, error) {
	var r response
	_, data, err := c.sock.Read(context.Background())
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrClosed, err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("fieldpine: read packet: %w", err)
	}
	if c.session == nil {
		return r, nil
	}
	frame, err := enc.Decode(r.Enc)
	if err != nil {
		return r, fmt.Errorf("fieldpine: %w", err)
	}
	if data, err = c.session.Open(frame); err != nil {
		return r, fmt.Errorf("fieldpine: %w", err)
	}
	r = response{}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("fieldpine: read packet: %w", err)
	}
	return r, nil
}

func (c *Conn) deliver(r response) {
	if r.Action != "" {
		if c.o.OnPush != nil {
			c.o.OnPush(Push{r.Action, r.Values})
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case c.waiting[r.id()] <- r:
	default: // nobody waits, or not fast enough
	}
}

func (c *Conn) end(err error) {
	c.sock.CloseNow()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.done)
	}
}

// Close ends the connection.
func (c *Conn) Close() error {
	err := c.sock.Close(websocket.StatusNormalClosure, "")
	c.end(ErrClosed)
	return err
}

// Done is closed when the connection has ended; Err then says why.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err is why the connection ended; nil before.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
