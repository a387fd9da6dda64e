package config

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is one thing that must be mended before the server starts.
type Problem struct {
	Where string // "gatehouse.yaml:12", "environment"
	Field string // "gate.listen"
	What  string // what is wrong
	Mend  string // what to write instead
}

func (p Problem) String() string {
	parts := []string{p.What}
	if p.Field != "" {
		parts = append([]string{p.Field}, parts...)
	}
	if p.Where != "" {
		parts = append([]string{p.Where}, parts...)
	}
	line := strings.Join(parts, ": ")
	if p.Mend != "" {
		line += "\n    " + p.Mend
	}
	return line
}

// Problems is the error that [Load] returns for a configuration that was read
// but is not right.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, 0, len(ps)+1)
	if len(ps) == 1 {
		lines = append(lines, "the configuration has a problem")
	} else {
		lines = append(lines, fmt.Sprintf("the configuration has %d problems", len(ps)))
	}
	for _, p := range ps {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// badValue is an error of a value's UnmarshalText: what is wrong and how to
// mend it. It must not repeat a value that can hold a secret.
type badValue struct{ what, mend string }

func (e *badValue) Error() string { return e.what + "; " + e.mend }

func bad(mend, format string, args ...any) error {
	return &badValue{what: fmt.Sprintf(format, args...), mend: mend}
}

// explain splits an error into what is wrong and how to mend it.
func explain(err error) (what, mend string) {
	if b, ok := errors.AsType[*badValue](err); ok {
		return b.what, b.mend
	}
	return err.Error(), ""
}
