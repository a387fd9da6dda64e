package config

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// A decoder walks the parsed YAML and the struct side by side. It does not stop
// at the first problem, knows the line of everything it set, and reads only what
// a configuration needs: mappings, lists and plain values. Anchors, aliases,
// merges and tags are refused, because a reader of the file should see what is
// set without resolving anything.
type decoder struct {
	file     string
	lines    map[string]int // field → line, for problems found later
	problems []Problem
}

// decodeYAML reads text over c.
func (d *decoder) decodeYAML(text []byte, c *Config) {
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		d.syntax(err)
		return
	}
	if len(parsed.Docs) > 1 && parsed.Docs[1].Body != nil {
		d.problem(parsed.Docs[1].Body, "", "a second document begins here", "keep one configuration in one file, without ---")
		return
	}
	for _, doc := range parsed.Docs {
		if doc.Body != nil {
			d.value(doc.Body, "", reflect.ValueOf(c).Elem())
		}
	}
}

func (d *decoder) syntax(err error) {
	p := Problem{Where: d.file, What: err.Error(), Mend: "mend the YAML; indentation is made of blanks, never of tabs"}
	var y yaml.Error
	if asYAML(err, &y) {
		p.What = y.GetMessage()
		if tk := y.GetToken(); tk != nil {
			p.Where = fmt.Sprintf("%s:%d", d.file, tk.Position.Line)
		}
	}
	d.problems = append(d.problems, p)
}

func (d *decoder) value(n ast.Node, field string, v reflect.Value) {
	d.note(n, field)
	switch n := n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		d.problem(n, field, "anchors, aliases, merges and tags are not read here", "write the value out")
		return
	case *ast.NullNode:
		d.null(v)
		return
	}
	if v.Kind() == reflect.Pointer {
		d.value(n, field, fresh(v))
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(n, field, text.UnmarshalText)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, field, v)
	case reflect.Map:
		d.named(n, field, v)
	case reflect.Slice:
		d.list(n, field, v)
	default:
		d.text(n, field, func(s []byte) error { return setPlain(v, string(s)) })
	}
}

// null leaves the default standing, except that a section which is named but
// empty is switched on (`ayyeka:` alone).
func (d *decoder) null(v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		fresh(v)
	}
}

// fresh points v at a new value with its type's defaults.
func fresh(v reflect.Value) reflect.Value {
	v.Set(reflect.New(v.Type().Elem()))
	if def, ok := v.Interface().(defaulter); ok {
		def.setDefaults()
	}
	return v.Elem()
}

func (d *decoder) mapping(n ast.Node, field string, v reflect.Value) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.problem(n, field, "is a section, not a value", "write its settings below it, indented: "+strings.Join(fieldNames(v.Type()), ", "))
		return
	}
	for it := m.MapRange(); it.Next(); {
		name, f := keyText(it.Key()), join(field, keyText(it.Key()))
		target, ok := fieldByName(v, name)
		if !ok {
			d.problem(it.Key(), f, "there is no such setting", nearest(name, fieldNames(v.Type())))
			continue
		}
		d.value(it.Value(), f, target)
		d.note(it.Key(), f) // the line of the name, where people look
	}
}

func (d *decoder) named(n ast.Node, field string, v reflect.Value) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.problem(n, field, "holds sections by name", "write a name, a colon, and its settings indented below")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for it := m.MapRange(); it.Next(); {
		name, f := keyText(it.Key()), join(field, keyText(it.Key()))
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(it.Value(), f, element)
		d.note(it.Key(), f)
		v.SetMapIndex(reflect.ValueOf(name), element)
	}
}

func (d *decoder) list(n ast.Node, field string, v reflect.Value) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.problem(n, field, "is a list", "write [a, b] or one item a line, each after a dash")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values)))
	for i, item := range s.Values {
		if item == nil {
			continue
		}
		d.value(item, fmt.Sprintf("%s[%d]", field, i), v.Index(i))
	}
}

func (d *decoder) text(n ast.Node, field string, set func([]byte) error) {
	s, ok := plainText(n)
	if !ok {
		d.problem(n, field, "is one value, not a list or section", "write it after the colon, on the same line")
		return
	}
	if err := set([]byte(s)); err != nil {
		what, mend := explain(err)
		d.problem(n, field, what, mend)
	}
}

// plainText is a scalar as it was written, so that 0012 stays 0012 where a text
// is wanted.
func plainText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case ast.ScalarNode:
		return n.GetToken().Value, true
	case *ast.MappingNode:
		return glued(n)
	}
	return "", false
}

// glued puts a plain text together again that the parser took apart: inside
// {list: [http://host:1]} it reads a pair although no blank follows the colon
// (YAML 1.2 section 7.3.3: then the colon belongs to the text).
func glued(m *ast.MappingNode) (string, bool) {
	if len(m.Values) != 1 || m.IsFlowStyle {
		return "", false
	}
	pair := m.Values[0]
	key, isText := pair.Key.(*ast.StringNode)
	value, isPlain := pair.Value.(ast.ScalarNode)
	if !isText || !isPlain || key.Token.Type != token.StringType || pair.Start == nil {
		return "", false
	}
	colon, after := pair.Start.Position, value.GetToken().Position
	if after.Line != colon.Line || after.Column != colon.Column+1 {
		return "", false
	}
	return key.Value + ":" + value.GetToken().Value, true
}

func setPlain(v reflect.Value, s string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		if s != "true" && s != "false" {
			return bad("write true or false", "%q is neither true nor false", s)
		}
		v.SetBool(s == "true")
	case reflect.Int:
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil || n < 0 {
			return bad("write a whole number", "%q is not a number from 0 to %d", s, 1<<31-1)
		}
		v.SetInt(n)
	default:
		return fmt.Errorf("settings of kind %s cannot be read", v.Kind())
	}
	return nil
}

func keyText(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	return k.GetToken().Value
}

func (d *decoder) note(n ast.Node, field string) {
	if tk := n.GetToken(); tk != nil && field != "" {
		d.lines[field] = tk.Position.Line
	}
}

func (d *decoder) problem(n ast.Node, field, what, mend string) {
	where := d.file
	if tk := n.GetToken(); tk != nil {
		where = fmt.Sprintf("%s:%d", d.file, tk.Position.Line)
	}
	d.problems = append(d.problems, Problem{Where: where, Field: field, What: what, Mend: mend})
}

func join(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}

// fields are the settings of a section, in the order they are written in the
// struct.
func fieldNames(t reflect.Type) []string {
	names := make([]string, 0, t.NumField())
	for f := range t.Fields() {
		names = append(names, f.Tag.Get("yaml"))
	}
	return names
}

func fieldByName(v reflect.Value, name string) (reflect.Value, bool) {
	for f, value := range v.Fields() {
		if f.Tag.Get("yaml") == name {
			return value, true
		}
	}
	return reflect.Value{}, false
}

// nearest suggests the setting that was probably meant.
func nearest(name string, known []string) string {
	best, distance := "", 4
	for _, k := range known {
		if n := editDistance(name, k); n < distance && n < len(k) {
			best, distance = k, n
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "known here: " + strings.Join(known, ", ")
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			up := row[j+1]
			cost := left
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, up+1, row[j]+1)
			left = up
		}
	}
	return row[len(b)]
}

// sortedKeys makes the order of problems about named sections the same each time.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
