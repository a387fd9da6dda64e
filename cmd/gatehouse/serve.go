package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"gatehouse.dev/internal/app"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/logging"
)

func serveCommand(p *program) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Runs the server until it is told to stop (Ctrl-C, SIGTERM), and then drains: requests
in progress end, and sockets are told to come back elsewhere.`,
		Example: `  gatehouse serve
  gatehouse serve --config /etc/gatehouse/gatehouse.yaml
  GATEHOUSE_DATABASE=postgres://gatehouse@db/gatehouse gatehouse serve`,
		GroupID: groupServer,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return p.serve(c.Context(), file) },
	}
	configFlag(p, c, &file)
	return c
}

func (p *program) serve(ctx context.Context, file string) error {
	conf, err := config.Load(file, p.getenv)
	if err != nil {
		return err
	}
	logger := logging.New(p.stderr, string(conf.Log.Format), string(conf.Log.Level))
	state, err := app.OpenState(ctx, conf, logger)
	if err != nil {
		return err
	}
	server, err := app.New(ctx, app.Options{Config: conf, State: state, Logger: logger, Version: versionText()})
	if err != nil {
		return err // New has closed the state
	}
	if err := server.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
