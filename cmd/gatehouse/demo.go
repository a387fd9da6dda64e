package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/demo"
)

func demoCommand(p *program) *cobra.Command {
	o := demo.Options{Version: versionText(), Stdout: p.stdout}
	c := &cobra.Command{
		Use:   "demo",
		Short: "See it work: a login, a call, a socket, and the revocation that ends it",
		Long: `Starts the gate, the desk and a sample backend with an embedded database, proves over
the network that they work, step by step, and stays up for whoever wants to try it by
hand. What a script needs is in demo.json in the data folder; docs/demo.md describes it.`,
		Example: `  gatehouse demo
  gatehouse demo --data ./demo --listen 127.0.0.1:9000
  gatehouse demo --once --listen 127.0.0.1:0`,
		GroupID: groupServer,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			err := demo.Run(c.Context(), o)
			if errors.Is(err, demo.ErrFailed) {
				return errSilent
			}
			if errors.Is(err, context.Canceled) {
				return nil
			}
			if errors.Is(err, syscall.EADDRINUSE) {
				return fmt.Errorf("%w\n  Free ports: gatehouse demo --listen 127.0.0.1:0", err)
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "`ADDRESS` of the gate; the desk gets the next port, port 0 gives both free ones")
	f.StringVar(&o.Data, "data", "", "`FOLDER` to keep and reuse (default: a temporary one, removed at the end)")
	f.BoolVar(&o.Once, "once", false, "end after the self-check, with a failure when a step failed")
	return c
}
