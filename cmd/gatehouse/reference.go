package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate sh -c "go run . reference > ../../docs/cli-reference.md"

// referenceCommand prints docs/cli-reference.md.
func referenceCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "reference", Short: "Print the reference of all commands, in Markdown", Args: cobra.NoArgs, Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			fmt.Fprint(p.stdout, "# Commands\n\n<!-- Generated from cmd/gatehouse by go generate; edit the help texts there. -->\n\n"+
				"What every command of administration takes besides its own flags stands at the end.\n")
			for _, top := range c.Root().Commands() {
				referTo(p.stdout, top)
			}
			fmt.Fprint(p.stdout, "\n## Flags of every command of administration\n\n")
			flagTable(p.stdout, whoamiWithFlags(p).PersistentFlags())
			return nil
		},
	}
}

func whoamiWithFlags(p *program) *cobra.Command {
	a := &admin{program: &program{getenv: func(string) string { return "" }, stdin: p.stdin, stdout: p.stdout, stderr: p.stderr}}
	c := whoamiCommand(a)
	a.flags(c)
	return c
}

// referTo writes one command and those below it.
func referTo(w io.Writer, c *cobra.Command) {
	if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
		return
	}
	level := strings.Repeat("#", 2+strings.Count(c.CommandPath(), " ")-1)
	fmt.Fprintf(w, "\n%s %s\n\n%s.\n", level, c.CommandPath(), strings.TrimSuffix(c.Short, "."))
	if c.Long != "" {
		fmt.Fprintf(w, "\n%s\n", c.Long)
	}
	if c.Runnable() && !c.HasSubCommands() {
		fmt.Fprintf(w, "\n```\n%s\n```\n", c.UseLine())
	}
	if c.Example != "" {
		fmt.Fprintf(w, "\n```sh\n%s\n```\n", unindent(c.Example))
	}
	if c.LocalNonPersistentFlags().HasAvailableFlags() {
		fmt.Fprintln(w)
		flagTable(w, c.LocalNonPersistentFlags())
	}
	for _, below := range c.Commands() {
		referTo(w, below)
	}
}

func unindent(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, "  ")
	}
	return strings.Join(lines, "\n")
}

func flagTable(w io.Writer, flags *pflag.FlagSet) {
	var rows []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "[]" {
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s |\n", name, strings.ReplaceAll(usage, "|", "\\|")))
	})
	if len(rows) > 0 {
		fmt.Fprintf(w, "| Flag | |\n|---|---|\n%s", strings.Join(rows, ""))
	}
}
