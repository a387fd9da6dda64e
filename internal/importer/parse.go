package importer

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parseJSON reads a flat object. It goes token by token because a member that
// is there twice must be refused, not won by the last.
func parseJSON(line []byte) (Record, error) {
	var r Record
	if !utf8.Valid(line) {
		return r, problem("the line is not UTF-8") // the decoder would repair it, and change a secret
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return r, problem("the line is not a JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := text(d)
		if err != nil {
			return r, err
		}
		if seen[name] {
			return r, problemf("member %s is there twice", shown(name))
		}
		seen[name] = true
		v, there, err := value(d, name)
		if err != nil {
			return r, err
		}
		if !there {
			continue
		}
		if err := r.set(name, v); err != nil {
			return r, err
		}
	}
	if _, err := d.Token(); err != nil {
		return r, problem("the line is not a JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return r, problem("something follows after the JSON object")
	}
	return r, nil
}

func text(d *json.Decoder) (string, error) {
	t, err := d.Token()
	s, ok := t.(string)
	if err != nil || !ok {
		return "", problem("the line is not a JSON object")
	}
	return s, nil
}

// value reads a member's value as a text; a list comes in one piece. Null is as
// if the member were not there.
func value(d *json.Decoder, name string) (v string, there bool, err error) {
	t, err := d.Token()
	if err != nil {
		return "", false, problem("the line is not a JSON object")
	}
	switch t := t.(type) {
	case nil:
		return "", false, nil
	case string:
		return t, true, nil
	case bool:
		if name == "enabled" {
			return strconv.FormatBool(t), true, nil
		}
	case json.Delim:
		if t == '[' && (name == "roles" || name == "networks" || name == "users") {
			v, err := list(d)
			return v, true, err
		}
	}
	return "", false, problemf("member %s has a value of the wrong type", shown(name))
}

func list(d *json.Decoder) (string, error) {
	var out []string
	for d.More() {
		s, err := text(d)
		if err != nil {
			return "", problem("a list has something else than texts in it")
		}
		if strings.ContainsFunc(s, unicode.IsSpace) {
			return "", problem("a text in a list contains a blank")
		}
		out = append(out, s)
	}
	if _, err := d.Token(); err != nil {
		return "", problem("the line is not a JSON object")
	}
	return strings.Join(out, " "), nil
}

// columns are the names on the first line of CSV.
type columns []string

func parseColumns(line []byte) (columns, error) {
	names, err := splitCSV(line)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, n := range names {
		if setters[n] == nil {
			return nil, fmt.Errorf("column %s is not known; there are %v", shown(n), Members())
		}
		if seen[n] {
			return nil, fmt.Errorf("column %q is there twice", n)
		}
		seen[n] = true
	}
	return names, nil
}

func (c columns) parse(line []byte) (Record, error) {
	var r Record
	if !utf8.Valid(line) {
		return r, problem("the line is not UTF-8")
	}
	values, err := splitCSV(line)
	if err != nil {
		return r, err
	}
	if len(values) != len(c) {
		return r, problemf("the line has %d fields, the first line has %d", len(values), len(c))
	}
	for i, v := range values {
		if v == "" {
			continue
		}
		if err := r.set(c[i], v); err != nil {
			return r, err
		}
	}
	return r, nil
}

// splitCSV reads one line. A quoted field cannot go on in the next: a quote
// forgotten on one line would swallow all that follow.
func splitCSV(line []byte) ([]string, error) {
	c := csv.NewReader(bytes.NewReader(line))
	c.FieldsPerRecord = -1
	values, err := c.Read()
	if err != nil {
		return nil, problem("the line is not CSV: check its quotes")
	}
	if _, err := c.Read(); err != io.EOF {
		return nil, problem("the line is not CSV: it has more than one record")
	}
	return values, nil
}
