package fieldpine

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gatehouse.dev/internal/push"
)

// A filter is the q of a firehose: every condition must hold. Names that begin
// with a letter are members of the event's values; _sc is its schema. A name
// may end in a predicate in brackets, which may have hints behind commas:
//
//	{"_sc": "custdisp.sale.*", "dbm(>=)": -70, "shop": [2, 3], "name(like,typed)": "bob"}
//
// A list holds when one of its values does; with != when none is equal.
type filter struct{ conditions []condition }

type condition struct {
	member string // empty: the schema
	is     predicate
	values []operand
}

// Limits on a filter, for each of its events is held against all of it.
const (
	maxConditions = 16
	maxListed     = 64 // values, of all conditions together
	maxFilterText = 256
)

var errFilter = errors.New("q has a condition that cannot be read")

const schemaName = "_sc"

// parseFilter reads a q. An absent one lets everything pass.
func parseFilter(q jsontext.Value) (filter, error) {
	if len(q) == 0 || q.Kind() == 'n' {
		return filter{}, nil
	}
	var members map[string]jsontext.Value
	if q.Kind() != '{' || json.Unmarshal(q, &members) != nil || len(members) > maxConditions {
		return filter{}, errFilter
	}
	f := filter{conditions: make([]condition, 0, len(members))}
	listed := 0
	for name, value := range members {
		c, err := parseCondition(name, value)
		if err != nil {
			return filter{}, err
		}
		if listed += len(c.values); listed > maxListed {
			return filter{}, errFilter
		}
		f.conditions = append(f.conditions, c)
	}
	return f, nil
}

func parseCondition(name string, value jsontext.Value) (c condition, err error) {
	member, bracket, bracketed := strings.Cut(name, "(")
	word := ""
	if bracketed {
		inner, closed := strings.CutSuffix(bracket, ")")
		if word, _, _ = strings.Cut(inner, ","); !closed || strings.ContainsAny(inner, "()") {
			return c, errFilter
		}
		word = strings.ToLower(strings.TrimSpace(word))
	}
	var known bool
	if c.is, known = predicates[word]; !known {
		return c, errFilter
	}
	switch member = strings.TrimSpace(member); {
	case member == schemaName:
	case member == "" || member[0] == '_' || len(member) > maxFilterText || !printable(member):
		return c, errFilter
	default:
		c.member = member
	}
	if c.values, err = parseOperands(value); err != nil {
		return c, err
	}
	for i := range c.values { // once, and not for each event
		c.values[i].text = c.is.folded(c.values[i].text)
	}
	return c, nil
}

func parseOperands(value jsontext.Value) ([]operand, error) {
	list := []jsontext.Value{value}
	if value.Kind() == '[' && json.Unmarshal(value, &list) != nil || len(list) == 0 || len(list) > maxListed {
		return nil, errFilter
	}
	operands := make([]operand, len(list))
	for i, v := range list {
		o, ok := operandOf(v)
		if !ok || len(o.text) > maxFilterText || !utf8.ValidString(o.text) {
			return nil, errFilter
		}
		operands[i] = o
	}
	return operands, nil
}

// schema is the one pattern that the filter allows; "*" when it allows more.
func (f filter) schema() string {
	for _, c := range f.conditions {
		if c.member == "" && c.is == isEqual && len(c.values) == 1 && c.values[0].text != "" {
			return c.values[0].text
		}
	}
	return "*"
}

// matches reports whether the event is one of those wanted.
func (f filter) matches(e *push.Event) bool {
	for i := range f.conditions {
		if !f.conditions[i].holds(e) {
			return false
		}
	}
	return true
}

func (c *condition) holds(e *push.Event) bool {
	if c.member == "" {
		return c.holdsFor(operand{text: e.Schema}, true)
	}
	have, ok := operandOf(e.Member(c.member))
	return ok && c.holdsFor(have, false)
}

func (c *condition) holdsFor(have operand, schema bool) bool {
	have.text = c.is.folded(have.text)
	if c.is == isUnequal {
		for _, v := range c.values {
			if isEqual.holds(have, v, schema) {
				return false
			}
		}
		return true
	}
	for _, v := range c.values {
		if c.is.holds(have, v, schema) {
			return true
		}
	}
	return false
}
