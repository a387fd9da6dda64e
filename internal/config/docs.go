package config

import (
	"embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"reflect"
	"strings"
)

//go:generate go run ./docgen ../../docs/configuration.md

//go:embed types.go types_dialects.go types_issuers.go
var typesSource embed.FS

// Docs writes the reference of all settings in Markdown. What it says comes from
// the comments in types*.go, the defaults and the types themselves.
func Docs(w io.Writer) error {
	comments, err := readComments()
	if err != nil {
		return err
	}
	c := Default()
	env := map[string]string{}
	for _, v := range variables(c) {
		env[v.Field] = v.Name
	}
	d := &docWriter{w: w, comments: comments, env: env}
	d.printf(docsHead)
	d.section("", reflect.ValueOf(c).Elem())
	return d.err
}

const docsHead = `# Configuration

One YAML file, by default ` + "`gatehouse.yaml`" + ` in the working folder; ` + "`gatehouse init`" + ` writes a
commented one. ` + "`gatehouse config check`" + ` reads a file as the server would and names every problem
with its line; ` + "`gatehouse config print`" + ` shows what is in force, defaults included and secrets left out.

Every setting may be left out. Names that do not exist are refused. Paths are relative to the file. Time
spans are written like ` + "`30s`, `15m` or `7d`" + `, sizes like ` + "`64KiB` or `10MiB`" + `.

A setting with an environment variable beside it can be overridden by that variable, which wins over the
file; lists are separated by commas. One in a named section has one, too, when the section is in the file:
` + "`GATEHOUSE_TENANTS_ACME_DIALECTS_ACQUEON_PLAIN_TEXT`" + `.

<!-- Generated from internal/config/types*.go by go generate; edit the comments there. -->
`

// docWriter keeps the first error, so that the walk reads plainly.
type docWriter struct {
	w        io.Writer
	comments map[string]string // "Gate.Listen" → comment
	env      map[string]string
	err      error
}

func (d *docWriter) printf(format string, args ...any) {
	if d.err == nil {
		_, d.err = fmt.Fprintf(d.w, format, args...)
	}
}

// section writes the plain settings first, then what has settings of its own.
func (d *docWriter) section(path string, v reflect.Value) {
	type inner struct {
		path string
		v    reflect.Value
		text string
	}
	var below []inner
	for f, value := range v.Fields() {
		field := join(path, f.Tag.Get("yaml"))
		text := d.comments[v.Type().Name()+"."+f.Name]
		if name, element, ok := sectionOf(field, value); ok {
			below = append(below, inner{name, element, text})
			continue
		}
		d.setting(field, value, text)
	}
	for _, s := range below {
		d.printf("\n## %s\n\n%s\n", s.path, s.text)
		d.section(s.path, s.v)
	}
}

func (d *docWriter) setting(field string, v reflect.Value, text string) {
	facts := []string{kindOf(v.Type())}
	if def := defaultOf(v); def != "" {
		facts = append(facts, "default `"+def+"`")
	}
	if name, ok := d.env[field]; ok {
		facts = append(facts, "`"+name+"`")
	}
	d.printf("\n**`%s`** · %s\n\n%s\n", field, strings.Join(facts, " · "), text)
}

// sectionOf returns the element whose fields are the settings below field, when
// it has any, and how its path is written.
func sectionOf(field string, v reflect.Value) (string, reflect.Value, bool) {
	t := v.Type()
	switch {
	case isValue(t):
		return "", v, false
	case t.Kind() == reflect.Map:
		field, t = field+".NAME", t.Elem()
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Pointer:
		field, t = field+"[]", t.Elem()
	}
	if t.Kind() == reflect.Pointer {
		return field, fresh(reflect.New(t).Elem()), true
	}
	return field, v, t.Kind() == reflect.Struct
}

// isValue reports whether a struct is written as one text.
func isValue(t reflect.Type) bool {
	_, ok := reflect.New(t).Interface().(interface{ UnmarshalText([]byte) error })
	return ok
}

var kindNames = map[string]string{
	"Address": "address", "BusURL": "URL", "CredentialKind": "kind", "Database": "`sqlite` or URL", "Duration": "time span", "Format": "word",
	"Host": "host name", "Level": "word", "Origin": "web origin", "Path": "path", "Prefix": "network", "ProxyHeaders": "word", "Rate": "rate", "Refuse": "word", "Size": "size", "SocketURL": "WebSocket URL", "URL": "URL",
	"bool": "true or false", "int": "number", "string": "text",
}

func kindOf(t reflect.Type) string {
	if t.Kind() == reflect.Slice {
		return "list of " + kindOf(t.Elem()) + "s"
	}
	return kindNames[t.Name()]
}

func defaultOf(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		var items []string
		for i := range v.Len() {
			items = append(items, fmt.Sprint(v.Index(i).Interface()))
		}
		return strings.Join(items, ", ")
	}
	if v.IsZero() && v.Type().Name() != "Database" && v.Kind() != reflect.Bool {
		return ""
	}
	return fmt.Sprint(v.Interface())
}

// readComments maps "Type.Field" to the comment above the field.
func readComments() (map[string]string, error) {
	comments := map[string]string{}
	files, err := fs.Glob(typesSource, "*.go")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		text, err := typesSource.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("read the comments of the settings: %w", err)
		}
		addComments(comments, file)
	}
	return comments, nil
}

func addComments(comments map[string]string, file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				comments[spec.Name.Name+"."+f.Names[0].Name] = strings.TrimSpace(f.Doc.Text())
			}
		}
		return false
	})
}
