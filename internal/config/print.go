package config

import (
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
)

// Print writes c as YAML, defaults included and secrets left out, so that it can
// be read by people and compared between machines.
func Print(w io.Writer, c *Config) error {
	text, err := yaml.MarshalWithOptions(c, yaml.IndentSequence(true), yaml.OmitEmpty())
	if err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	_, err = fmt.Fprintln(w, strings.TrimSpace(string(text)))
	return err
}
