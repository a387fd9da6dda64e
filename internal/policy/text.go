package policy

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// Limits of one tenant's text.
const (
	MaxText     = 128 << 10
	maxPolicies = 1000
	// maxNesting bounds brackets within brackets: the parser descends once for
	// each, and a stack that overflows cannot be caught.
	maxNesting = 60
)

// SyntaxError says where text is not understood.
type SyntaxError struct {
	Line, Column int // from 1; 0 when not known
	Message      string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// rule is one policy with its name.
type rule struct {
	id     string
	policy *cedar.Policy
	scope  bool // answers for the scope, not for the owner
	needs  needs
}

// parse reads policies. Those without @id are called prefix and their place,
// counted from 1.
func parse(text, prefix string) ([]*rule, error) {
	if err := checkText(text); err != nil {
		return nil, err
	}
	list, err := cedar.NewPolicyListFromBytes("", []byte(text))
	if err != nil {
		return nil, syntaxError(text, err)
	}
	if len(list) > maxPolicies {
		return nil, &SyntaxError{Message: fmt.Sprintf("%d policies; at most %d", len(list), maxPolicies)}
	}
	seen := make(map[string]bool, len(list))
	out := make([]*rule, 0, len(list))
	for i, p := range list {
		r := newRule(p, prefix+strconv.Itoa(i+1))
		if err := checkID(r.id); err != nil {
			return nil, at(p, err.Error())
		}
		if seen[r.id] {
			return nil, at(p, fmt.Sprintf("a second policy has the id %q", r.id))
		}
		seen[r.id] = true
		out = append(out, r)
	}
	return out, nil
}

func newRule(p *cedar.Policy, id string) *rule {
	if named, ok := p.Annotations()["id"]; ok {
		id = string(named)
	}
	return &rule{id: id, policy: p, scope: forScope(p), needs: needsOf(p)}
}

func checkID(id string) error {
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, notPrintable) {
		return fmt.Errorf("id %q: an id has 1 to 128 printable characters and no blanks", id)
	}
	return nil
}

func at(p *cedar.Policy, msg string) *SyntaxError {
	pos := p.Position()
	return &SyntaxError{Line: pos.Line, Column: pos.Column, Message: msg}
}

// checkText refuses what must not reach the parser.
func checkText(text string) error {
	if len(text) > MaxText {
		return &SyntaxError{Message: fmt.Sprintf("the text has %d bytes; at most %d", len(text), MaxText)}
	}
	if !utf8.ValidString(text) {
		return &SyntaxError{Message: "the text is not UTF-8"}
	}
	line, column, depth := 1, 0, 0
	for i := 0; i < len(text); i++ {
		column++
		switch c := text[i]; c {
		case '\n':
			line, column = line+1, 0
		case 0:
			return &SyntaxError{line, column, "the text contains NUL"}
		case '(', '[', '{':
			// Brackets in strings and comments count too: it is a bound, and
			// nobody writes sixty open ones there either.
			if depth++; depth > maxNesting {
				return &SyntaxError{line, column, fmt.Sprintf("more than %d brackets within brackets", maxNesting)}
			}
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return nil
}

// The parser tells the place in its text only.
var (
	parserError = regexp.MustCompile(`(?s)<input>:(\d+):(\d+)\s*(?:"(?:[^"\\]|\\.)*":)?\s*(.*)$`)
	exactError  = regexp.MustCompile(`(?s)^exact got (.*) want (.*)$`)
	effectError = regexp.MustCompile(`(?s)^unexpected effect: (.*)$`)
)

func syntaxError(text string, err error) error {
	m := parserError.FindStringSubmatch(err.Error())
	if m == nil {
		return &SyntaxError{Message: strings.TrimPrefix(err.Error(), "parser error: ")}
	}
	line, errLine := strconv.Atoi(m[1])
	column, errColumn := strconv.Atoi(m[2])
	if errors.Join(errLine, errColumn) != nil {
		return &SyntaxError{Message: m[3]}
	}
	e := &SyntaxError{Line: line, Column: column, Message: m[3]}
	if found := exactError.FindStringSubmatch(m[3]); found != nil {
		e.Message = fmt.Sprintf("found %q where %q is wanted", found[1], found[2])
		if found[1] == "" {
			e.Message = fmt.Sprintf("the text ends where %q is wanted", found[2])
		}
		e.stepBack(text, found[1])
	} else if found := effectError.FindStringSubmatch(m[3]); found != nil {
		e.Message = fmt.Sprintf("found %q where \"permit\" or \"forbid\" is wanted", found[1])
		e.stepBack(text, found[1])
	}
	return e
}

// stepBack moves the place from behind the token to its beginning: the parser
// names the place it has read on to.
func (e *SyntaxError) stepBack(text, token string) {
	lines := strings.SplitAfter(text, "\n")
	if token == "" || e.Line > len(lines) {
		return
	}
	read := strings.Join(lines[:e.Line-1], "")
	for i, c := range []rune(lines[e.Line-1]) {
		if i+1 >= e.Column {
			break
		}
		read += string(c)
	}
	i := strings.LastIndex(read, token)
	if i < 0 {
		return
	}
	before := read[:i]
	e.Line = strings.Count(before, "\n") + 1
	e.Column = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

func notPrintable(r rune) bool {
	return r == utf8.RuneError || !unicode.IsGraphic(r) || unicode.IsSpace(r)
}

// isTypeName reports whether s can name the type of an entity: identifiers,
// joined by ::. It is asked before each decision.
func isTypeName(s string) bool {
	if len(s) > 128 {
		return false
	}
	for more := true; more; {
		var word string
		word, s, more = strings.Cut(s, "::")
		if !isIdentifier(word) {
			return false
		}
	}
	return true
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func role(name string) types.EntityUID { return types.NewEntityUID("Role", types.String(name)) }
