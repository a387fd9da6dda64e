package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	_ "net/http/pprof" // what this is for
	"os"
	"os/signal"
	"syscall"

	"gatehouse.dev/internal/app"
	"gatehouse.dev/internal/config"
	"gatehouse.dev/internal/logging"
)

// runServer is `gatehouse serve` with a socket that gives profiles, which the
// program itself does not have.
func runServer(file, socket string) error {
	os.Remove(socket) // of one that was started before
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go func() {
		if err := http.Serve(l, nil); err != nil {
			slog.Error("no profiles", "error", err)
		}
	}()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	conf, err := config.Load(file, os.Getenv)
	if err != nil {
		return err
	}
	logger := logging.New(os.Stderr, string(conf.Log.Format), string(conf.Log.Level))
	state, err := app.OpenState(ctx, conf, logger)
	if err != nil {
		return fmt.Errorf("open state: %w", err)
	}
	server, err := app.New(ctx, app.Options{Config: conf, State: state, Logger: logger, Version: "bench"})
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

// unixClient sends every request to a Unix socket.
func unixClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
}
