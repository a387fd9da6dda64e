// Command gatehouse is the authentication server and gateway, its demonstration
// and its administration.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once: the first one already asked kindly.
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr); err != nil {
		os.Exit(1)
	}
}

// program is what a command may touch of the world outside. Tests set it.
type program struct {
	getenv func(string) string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// run is the whole program. It has already told the user about an error that it
// returns.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	p := &program{getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr}
	root := rootCommand(p)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errSilent) {
		fmt.Fprintln(stderr, "gatehouse:", err)
	}
	return err
}

// errSilent ends the program with a failure that was already shown.
var errSilent = errors.New("failed")

func rootCommand(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "gatehouse",
		Short: "An authentication server and gateway for HTTP and WebSocket APIs",
		Long: `Gatehouse turns whatever credential a caller shows into one identity, decides what
that identity may do, hands the request on with the identity signed, and keeps hold
of everything that stays open: taking a right away ends what it opened.`,
		Example: `  gatehouse demo                         # see it work, with nothing to set up
  gatehouse init && gatehouse serve      # run it`,
		SilenceUsage:  true, // an error names its mend; the usage would bury it
		SilenceErrors: true, // run prints it
		Version:       versionText(),
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetVersionTemplate("gatehouse {{.Version}}\n")
	root.AddGroup(
		&cobra.Group{ID: groupServer, Title: "Run it:"},
		&cobra.Group{ID: groupAdmin, Title: "Administer it:"},
	)
	root.AddCommand(
		demoCommand(p),
		serveCommand(p),
		initCommand(p),
		configCommand(p),
		backupCommand(p),
		restoreCommand(p),
		adminParent(p),
		versionCommand(p),
	)
	root.AddCommand(adminCommands(p)...)
	root.AddCommand(importCommand(p), referenceCommand(p))
	teach(root)
	return root
}

// Groups of commands in the help.
const (
	groupServer = "server"
	groupAdmin  = "admin"
)
