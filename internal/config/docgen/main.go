// Command docgen writes docs/configuration.md; see `make generate`.
package main

import (
	"fmt"
	"os"

	"gatehouse.dev/internal/config"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := config.Docs(f); err != nil {
		return err
	}
	return f.Close()
}
