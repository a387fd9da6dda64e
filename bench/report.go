package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

const (
	tableBegin = "<!-- begin results: written by `make bench-write` -->\n"
	tableEnd   = "<!-- end results -->\n"
)

// table is what goes into the README.
func table(results []result) string {
	var b strings.Builder
	b.WriteString("| Row | What | Against | Aim | Ratio | Rounds | Ours | Bare |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | ", r.row.name, r.row.what, r.row.against, r.row.aimText())
		switch {
		case r.err != nil:
			b.WriteString("failed | | | |\n")
		case r.absent != "":
			fmt.Fprintf(&b, "left out: %s | | | |\n", r.absent)
		default:
			mark := ""
			if !r.met() {
				mark = " (below)"
				if r.row.atMost {
					mark = " (above)"
				}
			}
			fmt.Fprintf(&b, "**%.2f**%s | %.2f–%.2f | %s | %s |\n", r.ratio, mark, r.low, r.high, r.amount(r.ours), r.amount(r.bare))
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
	_, after, ok2 := bytes.Cut(rest, []byte(tableEnd))
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has lost the marks between which the results stand", path)
	}
	var b bytes.Buffer
	b.Write(before)
	fmt.Fprintf(&b, "%s\n%s\n\n%s\n%s", tableBegin, machine, table(results), tableEnd)
	b.Write(after)
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}
