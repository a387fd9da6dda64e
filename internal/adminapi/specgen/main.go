// Command specgen writes the OpenAPI description of the admin API.
package main

import (
	"fmt"
	"os"

	"gatehouse.dev/internal/adminapi"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: specgen FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], adminapi.OpenAPI(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "specgen:", err)
		os.Exit(1)
	}
}
