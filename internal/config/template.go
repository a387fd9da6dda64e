package config

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
)

//go:embed template.yaml
var template string

// Template writes a commented configuration for somebody to begin with. The
// values must be writable as plain YAML, which [Load] then says.
func Template(w io.Writer, data, masterKey Path, db string) error {
	text := strings.NewReplacer(
		"@DATA@", quote(string(data)),
		"@MASTER_KEY@", quote(string(masterKey)),
		"@DATABASE@", quote(db),
	).Replace(template)
	_, err := io.WriteString(w, text)
	return err
}

// quote writes s as a YAML text: plain where that is plain enough.
func quote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:@?=&", r)
	}) < 0 && !strings.ContainsAny(s[:1], "-?:@&") {
		return s
	}
	return fmt.Sprintf("'%s'", strings.ReplaceAll(s, "'", "''"))
}
