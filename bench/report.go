package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
)

const (
	tableBegin = "<!-- begin results: written by `make bench-write` -->\n"
	tableEnd   = "<!-- end results -->\n"
)

const tableHead = "| Row | What | Against | Aim | Ratio | Rounds | Ours | Bare |\n|---|---|---|---|---|---|---|---|\n"

// table is what goes into the README.
func table(results []result) string {
	var b strings.Builder
	b.WriteString(tableHead)
	for _, r := range results {
		b.WriteString(r.tableLine())
	}
	return b.String()
}

func (r result) tableLine() string {
	about := fmt.Sprintf("| `%s` | %s | %s | %s | ", r.row.name, r.row.what, r.row.against, r.row.aimText())
	switch {
	case r.err != nil:
		return about + "failed | | | |\n"
	case r.absent != "":
		return about + "left out: " + r.absent + " | | | |\n"
	}
	mark := ""
	if !r.met() {
		mark = " (below)"
		if r.row.atMost {
			mark = " (above)"
		}
	}
	return fmt.Sprintf("%s**%.2f**%s | %.2f–%.2f | %s | %s |\n", about, r.ratio, mark, r.low, r.high, r.amount(r.ours), r.amount(r.bare))
}

// renewed is the table with new lines for what was measured, and the old ones for
// what was not: each line comes from one run, but not all from the same.
func renewed(old []byte, results []result) string {
	var b strings.Builder
	b.WriteString(tableHead)
	for _, row := range allRows() {
		i := slices.IndexFunc(results, func(r result) bool { return r.row.name == row.name })
		if i >= 0 {
			b.WriteString(results[i].tableLine())
			continue
		}
		for line := range bytes.Lines(old) {
			if bytes.HasPrefix(line, []byte("| `"+row.name+"` |")) {
				b.Write(line)
			}
		}
	}
	return b.String()
}

// writeReadme replaces what stands between the marks.
func writeReadme(path, machine string, results []result) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read results: %w", err)
	}
	before, rest, ok1 := bytes.Cut(old, []byte(tableBegin))
	lines, after, ok2 := bytes.Cut(rest, []byte(tableEnd))
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has lost the marks between which the results stand", path)
	}
	var b bytes.Buffer
	b.Write(before)
	fmt.Fprintf(&b, "%s\n%s\n\n%s\n%s", tableBegin, machine, renewed(lines, results), tableEnd)
	b.Write(after)
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}
