package fieldpine

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// predicate is what stands in the brackets of a condition.
type predicate uint8

const (
	isEqual predicate = iota
	isUnequal
	isLess
	isAtMost
	isMore
	isAtLeast
	isLike      // has the text somewhere, whatever its case
	isLikeWords // has all the words, in any order
	isStarting  // begins with the text, whatever its case
)

// predicates by the spellings that the vendor's pages use.
var predicates = map[string]predicate{
	"": isEqual, "=": isEqual, "eq": isEqual,
	"!=": isUnequal, "<>": isUnequal, "ne": isUnequal,
	"<": isLess, "lt": isLess, "<=": isAtMost, "le": isAtMost,
	">": isMore, "gt": isMore, ">=": isAtLeast, "ge": isAtLeast,
	"like": isLike, "like.ignorecase": isLike, "like.words": isLikeWords,
	"starting": isStarting, "starting.ignorecase": isStarting,
}

// operand is one side of a comparison: a text, or a number with its spelling.
// What is not there, and null, is an empty one.
type operand struct {
	text   string
	number bool
	there  bool
}

// operandOf reads a scalar.
func operandOf(v jsontext.Value) (operand, bool) {
	text, ok := scalar(v)
	return operand{text: text, number: v.Kind() == '0', there: len(v) > 0 && v.Kind() != 'n'}, ok
}

// holds compares texts that are folded. Schemas end in .* to mean all that begin so.
func (p predicate) holds(have, want operand, schema bool) bool {
	if schema && (p == isEqual || p == isUnequal) {
		return schemaFits(have.text, want.text) == (p == isEqual)
	}
	if !schema && !have.there {
		return p == isEqual && !want.there
	}
	switch p {
	case isLike:
		return strings.Contains(have.text, want.text)
	case isStarting:
		return strings.HasPrefix(have.text, want.text)
	case isLikeWords:
		return hasWords(have.text, want.text)
	}
	order := compare(have, want)
	switch p {
	case isEqual:
		return order == 0
	case isUnequal:
		return order != 0
	case isLess:
		return order < 0
	case isAtMost:
		return order <= 0
	case isMore:
		return order > 0
	default:
		return order >= 0
	}
}

func schemaFits(have, pattern string) bool {
	if beginning, wild := strings.CutSuffix(pattern, "*"); wild {
		return strings.HasPrefix(have, beginning)
	}
	return have == pattern
}

// folded is a text as the predicate compares it. It is made once for each
// condition: events have long texts, and filters many values.
func (p predicate) folded(text string) string {
	switch p {
	case isLike:
		return strings.ToLower(strings.Trim(text, "%"))
	case isLikeWords, isStarting:
		return strings.ToLower(text)
	}
	return text
}

func hasWords(have, want string) bool {
	for word := range strings.FieldsSeq(want) {
		if !strings.Contains(have, word) {
			return false
		}
	}
	return true
}

// compare orders by value where one side is a number and the other can be read
// as one, and else by text.
func compare(a, b operand) int {
	if !a.number && !b.number || !numeric(a.text) || !numeric(b.text) {
		return cmp.Compare(a.text, b.text)
	}
	// Whole numbers of any size that JSON has are compared exactly: record
	// numbers do not fit into a float.
	x, errX := strconv.ParseInt(a.text, 10, 64)
	y, errY := strconv.ParseInt(b.text, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	f, _ := strconv.ParseFloat(a.text, 64)
	g, _ := strconv.ParseFloat(b.text, 64)
	return cmp.Compare(f, g)
}

func numeric(text string) bool {
	v := jsontext.Value(text)
	return v.Kind() == '0' && v.IsValid()
}
