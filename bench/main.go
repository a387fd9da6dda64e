package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "bare" { // started by the kit itself
		exit(runBare(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "pace" {
		exit(runPace(os.Args[2:], os.Stdout))
	}
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		exit(runServer(os.Args[2], os.Args[3]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, os.Args[1:], os.Stdout))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// options are what the command line says.
type options struct {
	only    []string
	rounds  int
	time    time.Duration
	conns   int
	tokens  int
	write   bool
	verbose bool
	profile string
}

func parse(args []string) (o options, err error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := fs.String("only", "", "comma-separated names of rows; empty: all")
	fs.IntVar(&o.rounds, "rounds", 5, "rounds; both sides take their turn in each")
	fs.DurationVar(&o.time, "time", 3*time.Second, "how long one side is measured in a round")
	fs.IntVar(&o.conns, "conns", 32, "connections of the HTTP load")
	fs.IntVar(&o.tokens, "tokens", 10_000, "different tokens for forward-auth")
	fs.BoolVar(&o.write, "write", false, "write the table into bench/README.md")
	fs.BoolVar(&o.verbose, "v", false, "print every round")
	fs.StringVar(&o.profile, "profile", "", "folder for CPU profiles of Gatehouse, one per row")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for _, name := range o.only {
		if !slices.ContainsFunc(allRows(), func(r row) bool { return r.name == name }) {
			return o, fmt.Errorf("no row is called %q; there are: %s", name, strings.Join(names(), ", "))
		}
	}
	return o, nil
}

func allRows() []row { return slices.Concat(rows, socketRows) }

func names() (out []string) {
	for _, r := range allRows() {
		out = append(out, r.name)
	}
	return out
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	l, err := newLab(ctx, o, out)
	if err != nil {
		return err
	}
	defer l.close()
	var results []result
	for _, r := range allRows() {
		if len(o.only) > 0 && !slices.Contains(o.only, r.name) {
			continue
		}
		res := l.measure(ctx, r)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		results = append(results, res)
		fmt.Fprintln(out, res.line())
	}
	fmt.Fprintf(out, "\n%s\n%s", l.machine, table(results))
	if o.write {
		if err := writeReadme("bench/README.md", l.machine, results); err != nil {
			return err
		}
	}
	return verdict(results)
}

// verdict is an error when a row could not be measured.
func verdict(results []result) error {
	var failed []string
	for _, r := range results {
		if r.err != nil {
			failed = append(failed, r.row.name)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("not measured: %s", strings.Join(failed, ", "))
	}
	return nil
}
