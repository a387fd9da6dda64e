package adminapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// around is what every request passes before it reaches an operation.
func (a *api) around(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if _, pattern := mux.Handler(r); pattern == "" {
			notRouted(w, r, mux)
			return
		}
		if problem := checkQuery(r.URL.RawQuery); problem != "" {
			writeProblem(w, http.StatusBadRequest, problem)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		// The deadline for the answer outlives the work, so that a refusal for
		// lack of time can still be sent. It is the connection's and would
		// stay, so it is taken away again for whoever comes next on it. Errors
		// mean that there is no connection to set it on.
		out := http.NewResponseController(w)
		_ = out.SetWriteDeadline(time.Now().Add(requestTimeout + 10*time.Second))
		defer func() { _ = out.SetWriteDeadline(time.Time{}) }()
		r.Body = http.MaxBytesReader(w, r.Body, maxPolicyBody)
		defer a.recover(w, r)
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
}

// recover answers 500 when an operation panicked. What was to be aborted is.
func (a *api) recover(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	a.Log.ErrorContext(r.Context(), "admin request panicked", "panic", fmt.Sprint(v), "path", r.URL.Path)
	writeProblem(w, http.StatusInternalServerError, "something went wrong here; the log knows more")
}

// checkQuery refuses what different readers would understand differently.
func checkQuery(raw string) string {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return "the query is malformed"
	}
	for name, values := range query {
		if len(values) > 1 {
			return fmt.Sprintf("the query has %q more than once", name)
		}
	}
	return ""
}

// notRouted renders what the mux says about paths and methods it does not have.
func notRouted(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) {
	p := probe{header: http.Header{}}
	mux.ServeHTTP(&p, r)
	switch p.status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", p.header.Get("Allow"))
		writeProblem(w, p.status, fmt.Sprintf("the method %s is not allowed here", r.Method))
	case http.StatusBadRequest:
		writeProblem(w, p.status, "the request is malformed")
	default:
		writeProblem(w, http.StatusNotFound, "there is no such path")
	}
}

// probe takes an answer that will not be sent.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header { return p.header }

func (p *probe) WriteHeader(status int) {
	if p.status == 0 {
		p.status = status
	}
}

func (p *probe) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	return len(b), nil
}
