// Command testlog reads `go test -json` and prints what a person wants to see:
// go test's own closing line per package, the whole output of what failed, and
// every skipped test with its reason. In CI (CI=true) a skipped test fails the
// run unless the file of allowed skips names it, so that a missing database or
// browser cannot pass for a green run.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	allowed := flag.String("allowed-skips", "", "file of skips that CI accepts: package, test, reason per line")
	flag.Parse()
	strict := os.Getenv("CI") == "true"
	if err := run(os.Stdin, os.Stdout, *allowed, strict); err != nil {
		fmt.Fprintln(os.Stderr, "testlog:", err)
		os.Exit(1)
	}
}

// event is one line of `go test -json`, see `go doc test2json`.
type event struct {
	Action, Package, Test, Output, ImportPath string
}

// report is what has been read so far.
type report struct {
	out     io.Writer
	output  map[string][]string // by package and test, until its verdict
	skipped []string            // "package test"
	failed  int
	passed  int
	broken  bool
}

func run(in io.Reader, out io.Writer, allowedFile string, strict bool) error {
	allowed, err := readAllowed(allowedFile)
	if err != nil {
		return err
	}
	r := &report{out: out, output: map[string][]string{}}
	if err := r.read(in); err != nil {
		return err
	}
	return r.verdict(allowed, strict)
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Action == "" {
			fmt.Fprintln(r.out, lines.Text()) // not an event: a build error, or go itself speaking
			continue
		}
		r.take(e)
	}
	return lines.Err()
}

func (r *report) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		io.WriteString(r.out, e.Output)
	case "output":
		if e.Test == "" {
			// The package's own lines, among them the closing one; PASS alone says nothing more.
			if e.Output != "PASS\n" {
				io.WriteString(r.out, e.Output)
			}
			return
		}
		r.output[key] = append(r.output[key], e.Output)
	case "pass":
		if e.Test != "" {
			r.passed++
		}
		delete(r.output, key)
	case "skip":
		if e.Test != "" { // without a test: a package that has none
			r.skipped = append(r.skipped, key)
			fmt.Fprintf(r.out, "SKIP %s\n%s", key, strings.Join(reasons(r.output[key]), ""))
		}
		delete(r.output, key)
	case "fail":
		if e.Test != "" {
			r.failed++
		}
		r.broken = true // also a package that failed outside of its tests
		io.WriteString(r.out, strings.Join(r.output[key], ""))
		delete(r.output, key)
	}
}

// reasons leaves out the frame lines that every test prints.
func reasons(output []string) []string {
	return slices.DeleteFunc(slices.Clone(output), func(line string) bool {
		return strings.HasPrefix(line, "=== ") || strings.HasPrefix(strings.TrimSpace(line), "--- SKIP")
	})
}

func (r *report) verdict(allowed map[string]bool, strict bool) error {
	var refused []string
	for _, s := range r.skipped {
		if !allowed[s] {
			refused = append(refused, s)
		}
	}
	fmt.Fprintf(r.out, "%d tests passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skipped))
	switch {
	case r.broken:
		return errors.New("some tests failed")
	case r.passed == 0:
		return errors.New("no test ran")
	case strict && len(refused) > 0:
		return fmt.Errorf("skipped without being listed in the file of allowed skips: %s", strings.Join(refused, ", "))
	}
	return nil
}

// readAllowed reads lines of package, test and reason. A line without a reason
// is an error: the reason is why the file exists.
func readAllowed(file string) (map[string]bool, error) {
	allowed := map[string]bool{}
	if file == "" {
		return allowed, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read allowed skips: %w", err)
	}
	for n, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 3 {
			return nil, fmt.Errorf("%s:%d: want package, test and reason", file, n+1)
		}
		allowed[fields[0]+" "+fields[1]] = true
	}
	return allowed, nil
}
