package dialecttest

import (
	"errors"
	"fmt"
	"strings"
)

// Who promises a line.
const (
	documented = "documented"
	decision   = "decision"
)

// line is one line of a recording.
type line struct {
	number int
	mark   string // documented, decision or do
	arrow  string // ">", "<", ">>", "<<"; "" for do
	text   string
}

// exchange is one request with its answer and what follows on the connection.
type exchange struct {
	name     string
	number   int
	before   []line // do
	request  []line
	response []line
	after    []line // do and frames
}

// parse reads a recording.
func parse(text string) ([]exchange, error) {
	var all []exchange
	for i, raw := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.TrimSpace(raw) == "" || strings.HasPrefix(raw, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(raw, "=== "); ok {
			all = append(all, exchange{name: strings.TrimSpace(name), number: i + 1})
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("line %d: stands before the first ===", i+1)
		}
		l, err := parseLine(raw)
		if err == nil {
			l.number = i + 1
			err = all[len(all)-1].add(l)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	for _, x := range all {
		if len(x.request) == 0 || len(x.response) == 0 {
			return nil, fmt.Errorf("line %d: exchange %q has no request or no answer", x.number, x.name)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no exchange in it")
	}
	return all, nil
}

// parseLine splits "mark arrow text". One blank follows the arrow; more belong
// to the text.
func parseLine(raw string) (line, error) {
	mark, rest, _ := strings.Cut(raw, " ")
	rest = strings.TrimLeft(rest, " ")
	switch mark {
	case "do":
		if rest == "" {
			return line{}, errors.New("do what?")
		}
		return line{mark: mark, text: rest}, nil
	case documented, decision:
	default:
		return line{}, fmt.Errorf("%q is neither documented nor decision nor do", mark)
	}
	arrow, text, _ := strings.Cut(rest, " ")
	switch arrow {
	case ">", "<", ">>", "<<":
		return line{mark: mark, arrow: arrow, text: text}, nil
	}
	return line{}, fmt.Errorf("%q is none of > < >> <<", arrow)
}

// add puts l where it belongs; the order of the parts is fixed.
func (x *exchange) add(l line) error {
	switch {
	case l.arrow == "" && len(x.request) == 0:
		x.before = append(x.before, l)
	case l.arrow == ">" && len(x.response) == 0:
		x.request = append(x.request, l)
	case l.arrow == "<" && len(x.request) > 0 && len(x.after) == 0:
		x.response = append(x.response, l)
	case (l.arrow == "" || l.arrow == ">>" || l.arrow == "<<") && len(x.response) > 0:
		x.after = append(x.after, l)
	default:
		return fmt.Errorf("%s cannot stand here; a new exchange begins with ===", strings.TrimSpace(l.mark+" "+l.arrow))
	}
	return nil
}

// split parts head lines from body lines at the first empty one.
func split(lines []line) (head, body []line) {
	for i, l := range lines {
		if l.text == "" {
			return lines[:i], lines[i+1:]
		}
	}
	return lines, nil
}
