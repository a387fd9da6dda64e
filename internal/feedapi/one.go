package feedapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	"gatehouse.dev/internal/feed"
	"gatehouse.dev/internal/gateway/canonical"
)

// serveOne answers a request that makes one update.
func (a *API) serveOne(w http.ResponseWriter, r *http.Request, p *publisher) {
	u, err := updateOf(r, p)
	if err == nil {
		err = p.publish(u)
	}
	p.wire.speak()
	if err != nil {
		a.answer(w, r, p, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// updateOf reads the update that a request asks for.
func updateOf(r *http.Request, p *publisher) (feed.Update, error) {
	u := feed.Update{Report: p.at.report, Key: p.at.key, Kind: feed.Whole}
	var err error
	switch r.Method {
	case http.MethodDelete:
		u.Kind = feed.Remove
		return u, nil
	case http.MethodPatch:
		u.Kind = feed.Row
		if u.GoneAfter, err = goneAfter(r.URL.RawQuery); err != nil {
			return u, err
		}
	}
	if u.KeyMember, _, err = canonical.One(r.URL.RawQuery, "key"); err != nil {
		return u, errQuery
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		return u, errNotJSON
	}
	limit := int64(feed.MaxDocument)
	if u.Kind == feed.Row {
		limit = feed.MaxRow
	}
	u.Content, err = p.body(r, limit)
	return u, err
}

// goneAfter is how long the row stays unless it changes before, in
// milliseconds.
func goneAfter(query string) (int64, error) {
	text, there, err := canonical.One(query, "goneAfter")
	if err != nil {
		return 0, errQuery
	}
	if !there {
		return 0, nil
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < 1 {
		return 0, errGoneAfter
	}
	return ms, nil
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/json"
}

// body reads what the caller sends, up to limit and within the patience.
func (p *publisher) body(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, feed.ErrTooLarge
	}
	p.wire.listen()
	text, err := io.ReadAll(io.LimitReader(p.wire, limit+1))
	switch {
	case err != nil:
		return nil, p.why(errors.Join(errBody, err))
	case int64(len(text)) > limit:
		return nil, feed.ErrTooLarge
	}
	p.handle.Received(len(text))
	return text, nil
}
