package config

import (
	"encoding"
	"reflect"
	"slices"
	"strings"
)

// EnvPrefix begins the name of every environment variable that is read.
const EnvPrefix = "GATEHOUSE_"

// Variable is one setting that the environment can override: every single value
// or list of values that does not stand in a list of sections. Those of a named
// section are there when the section is.
type Variable struct {
	Name  string // GATEHOUSE_GATE_LISTEN
	Field string // gate.listen
	value reflect.Value
}

// variables lists what the environment can override in c.
func variables(c *Config) []Variable { return appendVariables(nil, "", reflect.ValueOf(c).Elem()) }

func appendVariables(vs []Variable, section string, v reflect.Value) []Variable {
	for f, value := range v.Fields() {
		field := join(section, f.Tag.Get("yaml"))
		_, isText := value.Addr().Interface().(encoding.TextUnmarshaler)
		switch {
		case isText, value.Kind() == reflect.Slice && value.Type().Elem().Kind() != reflect.Pointer:
		case value.Kind() == reflect.Struct:
			vs = appendVariables(vs, field, value)
			continue
		case value.Kind() == reflect.Pointer && value.Type().Elem().Kind() == reflect.Struct:
			if !value.IsNil() {
				vs = appendVariables(vs, field, value.Elem())
			}
			continue
		case value.Kind() == reflect.Map:
			vs = appendNamed(vs, field, value)
			continue
		case value.Kind() == reflect.Slice:
			continue
		}
		name := EnvPrefix + strings.ToUpper(asVariable.Replace(field))
		vs = append(vs, Variable{Name: name, Field: field, value: value})
	}
	return vs
}

// asVariable makes the name of a variable of that of a setting.
var asVariable = strings.NewReplacer(".", "_", "-", "_")

// appendNamed goes into the sections that are there; a variable can change one,
// but not make it.
func appendNamed(vs []Variable, field string, sections reflect.Value) []Variable {
	names := sections.MapKeys()
	slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, name := range names {
		if s := sections.MapIndex(name); s.Kind() == reflect.Pointer && !s.IsNil() {
			vs = appendVariables(vs, join(field, name.String()), s.Elem())
		}
	}
	return vs
}

// overlay sets what the environment says. An empty variable is one that is not
// set. It returns which fields came from where.
func overlay(c *Config, getenv func(string) string) (from map[string]string, problems []Problem) {
	from = map[string]string{}
	used := map[string]string{}
	for _, v := range variables(c) {
		text := getenv(v.Name)
		if text == "" {
			continue
		}
		if first, twice := used[v.Name]; twice {
			problems = append(problems, Problem{Where: "environment " + v.Name, Field: v.Field, What: "could be meant as well as " + first,
				Mend: "set both in the file, or let their names differ in more than dots and hyphens"})
			continue
		}
		used[v.Name] = v.Field
		from[v.Field] = "environment " + v.Name
		if err := v.set(text); err != nil {
			what, mend := explain(err)
			problems = append(problems, Problem{Where: "environment " + v.Name, Field: v.Field, What: what, Mend: mend})
		}
	}
	return from, problems
}

func (v Variable) set(text string) error {
	if u, ok := v.value.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	if v.value.Kind() != reflect.Slice {
		return setPlain(v.value, text)
	}
	items := strings.Split(text, ",")
	list := reflect.MakeSlice(v.value.Type(), len(items), len(items))
	for i, item := range items {
		element := Variable{value: list.Index(i)}
		if err := element.set(strings.TrimSpace(item)); err != nil {
			return err
		}
	}
	v.value.Set(list)
	return nil
}
