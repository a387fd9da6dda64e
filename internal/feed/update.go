package feed

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Kind says what an update does.
type Kind string

// The kinds of updates.
const (
	Whole  Kind = "whole"  // the report is replaced
	Row    Kind = "row"    // one row is new or changed
	Remove Kind = "remove" // one row goes
)

// Update is one change of one report, as publishers send it and as nodes tell
// it to each other.
type Update struct {
	Report string `json:"report"`
	Kind   Kind   `json:"kind"`
	// KeyMember names the member that is the key of each row. With Whole: the
	// content is an array of objects that have it; empty: a document that has
	// no rows. With Row: the content's member must be Key; empty: it is not
	// looked at.
	KeyMember string         `json:"keyMember,omitzero"`
	Key       string         `json:"key,omitzero"` // of Row and Remove
	Content   jsontext.Value `json:"content,omitzero"`
	// GoneAfter removes the row after so many milliseconds unless it changes
	// before; zero: it stays.
	GoneAfter int64 `json:"goneAfter,omitzero"`
}

// maxGoneAfter is a day.
const maxGoneAfter = 24 * 60 * 60 * 1000

// Check says what is wrong with an update. It puts Content into its shortest
// form.
func (u *Update) Check() error {
	if !validName(u.Report, maxName) || len(u.KeyMember) > maxName || u.GoneAfter < 0 || u.GoneAfter > maxGoneAfter {
		return ErrName
	}
	if u.Kind != Whole && !validName(u.Key, maxKey) {
		return ErrName
	}
	limit := MaxDocument
	switch u.Kind {
	case Whole:
	case Row:
		limit = MaxRow
	case Remove:
		u.Content = nil
		return nil
	default:
		return ErrName
	}
	if len(u.Content) > limit {
		return ErrTooLarge
	}
	if err := u.Content.Compact(); err != nil {
		return ErrJSON
	}
	if u.Kind != Row {
		return nil
	}
	if u.Content.Kind() != '{' {
		return ErrRows
	}
	if u.KeyMember == "" {
		return nil
	}
	if key, err := rowKey(u.Content, u.KeyMember); err != nil || key != u.Key {
		return ErrKey
	}
	return nil
}

// parseReport reads a whole report; with a key member, as a table.
func parseReport(content jsontext.Value, keyMember string) (report, error) {
	if keyMember == "" {
		return report{document: content}, nil
	}
	var rows []jsontext.Value
	if content.Kind() != '[' || json.Unmarshal(content, &rows) != nil {
		return report{}, ErrRows
	}
	if len(rows) > MaxRows {
		return report{}, ErrTooLarge
	}
	r := report{keyed: true, rows: make([]row, 0, len(rows))}
	seen := make(map[string]bool, len(rows))
	for _, content := range rows {
		key, err := rowKey(content, keyMember)
		if err != nil {
			return report{}, err
		}
		if seen[key] {
			return report{}, ErrKey
		}
		seen[key] = true
		r.rows = append(r.rows, row{key: key, content: content})
		r.size += len(content)
	}
	return r, nil
}

// rowKey reads the key of a row: the text of its key member.
func rowKey(content jsontext.Value, member string) (string, error) {
	var members map[string]jsontext.Value
	if content.Kind() != '{' || json.Unmarshal(content, &members) != nil {
		return "", ErrRows
	}
	var key string
	if json.Unmarshal(members[member], &key) != nil || !validName(key, maxKey) {
		return "", ErrKey
	}
	return key, nil
}
