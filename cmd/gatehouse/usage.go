package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// teach makes every command below c say how it is written when it was written
// wrongly. The library only counts words.
func teach(c *cobra.Command) {
	c.SuggestionsMinimumDistance = 2
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see: %s --help", err, c.CommandPath())
	})
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if check(c, args) == nil {
				return nil
			}
			return wrongWords(c, args)
		}
	}
	for _, below := range c.Commands() {
		teach(below)
	}
}

// wrongWords says what should stand in the place of args.
func wrongWords(c *cobra.Command, args []string) error {
	path := c.CommandPath()
	if c.HasAvailableSubCommands() && len(args) > 0 {
		mean := ""
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			mean = fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
		}
		return fmt.Errorf("there is no command %q%s\n  All commands: %s --help", path+" "+args[0], mean, path)
	}
	if len(args) == 1 && c.Flags().Lookup("config") != nil && isYAML(args[0]) {
		return fmt.Errorf("a configuration is named with --config\n  Write: %s --config %s", path, args[0])
	}
	return fmt.Errorf("%s\n  Write: %s\n  More:  %s --help",
		whatIsWrong(wanted(c), args), strings.Join(append([]string{path}, wanted(c)...), " "), path)
}

// wanted are the words that a command takes: "CREDENTIAL", "[OWNER]".
func wanted(c *cobra.Command) []string { return strings.Fields(c.Use)[1:] }

func whatIsWrong(wanted, args []string) string {
	if len(args) >= len(wanted) {
		return fmt.Sprintf("%q is too much", args[len(wanted):][0])
	}
	return wanted[len(args)] + " is missing"
}

func isYAML(name string) bool {
	ext := filepath.Ext(name)
	return ext == ".yaml" || ext == ".yml"
}
