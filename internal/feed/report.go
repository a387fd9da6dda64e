package feed

import (
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits on what publishers may keep in memory here.
const (
	MaxReports  = 64        // of one feed
	MaxRows     = 20_000    // of one report
	MaxRow      = 64 << 10  // bytes of one row
	MaxDocument = 900 << 10 // bytes of one report; an update must fit into a message of the bus
	maxKey      = 256
	maxName     = 128
)

// Errors of updates. Each is the publisher's fault.
var (
	ErrName     = errors.New("a feed, report or row key is empty, too long, or has control characters")
	ErrJSON     = errors.New("the content is not valid JSON")
	ErrRows     = errors.New("the report is not an array of objects; it has no rows")
	ErrKey      = errors.New("a row lacks its key member, or has another than the update says")
	ErrTooLarge = errors.New("the report would become too large")
	ErrMany     = errors.New("there are too many feeds")
)

// row is one row of a table, as JSON.
type row struct {
	key     string
	content jsontext.Value
	gone    time.Time // when it is to be removed; zero: not yet
}

// report is the state of one report.
type report struct {
	document jsontext.Value // of a report that is no table
	keyed    bool
	rows     []row // the newest first
	size     int   // bytes of all rows
}

// content is the whole report as JSON.
func (r *report) content() jsontext.Value {
	if !r.keyed {
		return r.document
	}
	out := make(jsontext.Value, 0, r.size+len(r.rows)+2)
	out = append(out, '[')
	for i, row := range r.rows {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, row.content...)
	}
	return append(out, ']')
}

// setRow adds a row in front, or changes it where it stands.
func (r *report) setRow(key string, content jsontext.Value, gone time.Time) error {
	i := r.find(key)
	grown := r.size + len(content)
	if i >= 0 {
		grown -= len(r.rows[i].content)
	}
	if grown > MaxDocument || i < 0 && len(r.rows) >= MaxRows {
		return ErrTooLarge
	}
	r.size = grown
	if i >= 0 {
		r.rows[i] = row{key, content, gone}
	} else {
		r.rows = slices.Insert(r.rows, 0, row{key, content, gone})
	}
	return nil
}

// removeRow reports whether the row was there.
func (r *report) removeRow(key string) bool {
	i := r.find(key)
	if i < 0 {
		return false
	}
	r.size -= len(r.rows[i].content)
	r.rows = slices.Delete(r.rows, i, i+1)
	return true
}

// expire removes the rows whose time has come, and returns their keys.
func (r *report) expire(now time.Time) (keys []string) {
	for _, row := range r.rows {
		if !row.gone.IsZero() && !now.Before(row.gone) {
			keys = append(keys, row.key)
		}
	}
	for _, key := range keys {
		r.removeRow(key)
	}
	return keys
}

func (r *report) find(key string) int {
	return slices.IndexFunc(r.rows, func(row row) bool { return row.key == key })
}
