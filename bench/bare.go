package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	_ "modernc.org/sqlite" // the driver
)

// page is what the backend answers: a kibibyte, as a small API answer.
var page = []byte("{\"data\":\"" + strings.Repeat("x", 1013) + "\"}\n")

// runBare is one of the things Gatehouse is compared with, in a process of its
// own. Each is what somebody would write in ten minutes, and nothing more.
func runBare(args []string) error {
	fs := flag.NewFlagSet("bare", flag.ContinueOnError)
	listen := fs.String("listen", "", "address")
	upstream := fs.String("upstream", "", "backend of the proxy")
	cert := fs.String("cert", "", "certificate of the sockets")
	key := fs.String("key", "", "its key")
	hello := fs.String("hello", "", "first message of each socket")
	database := fs.String("database", "", "SQLite file to open before serving")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	if *database != "" {
		if err := openDatabase(*database); err != nil {
			return err
		}
	}
	var h http.Handler
	switch args[0] {
	case "sockets":
		return runBareSockets(*listen, *cert, *key, *hello)
	case "empty": // the answer of a forward-auth check
		h = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	case "backend":
		h = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(page)
		})
	case "proxy":
		h = bareProxy(*upstream)
	default:
		return fmt.Errorf("no bare server is called %q", args[0])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s := &http.Server{Addr: *listen, Handler: h}
	go func() {
		<-ctx.Done()
		s.Close()
	}()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// bareProxy is the standard library's, with the one thing that everybody adds,
// and with connections enough for the load.
func bareProxy(upstream string) http.Handler {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	target := &url.URL{Scheme: "http", Host: upstream}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
		Transport:  transport,
		BufferPool: &buffers{},
	}
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

func openDatabase(path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v BLOB)`); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	return nil
}

// startBare starts one of them until the row is done, and returns its address.
func (l *lab) startBare(ctx context.Context, kind string, args ...string) (*process, string, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	p, err := l.start(l.self, append([]string{"bare", kind, "-listen", addr}, args...)...)
	if err != nil {
		return nil, "", err
	}
	want := http.StatusOK
	if kind == "empty" {
		want = http.StatusNoContent
	}
	_, err = p.answers(ctx, "http://"+addr+"/", want)
	return p, addr, err
}
