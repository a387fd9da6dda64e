package config

import (
	"encoding"
	"reflect"
	"strings"
)

// EnvPrefix begins the name of every environment variable that is read.
const EnvPrefix = "GATEHOUSE_"

// Variable is one setting that the environment can override: every single value
// or list of values that does not stand in a named section or list.
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
		case value.Kind() == reflect.Map, value.Kind() == reflect.Slice:
			continue
		}
		name := EnvPrefix + strings.ToUpper(strings.ReplaceAll(field, ".", "_"))
		vs = append(vs, Variable{Name: name, Field: field, value: value})
	}
	return vs
}

// overlay sets what the environment says. An empty variable is one that is not
// set. It returns which fields came from where.
func overlay(c *Config, getenv func(string) string) (from map[string]string, problems []Problem) {
	from = map[string]string{}
	for _, v := range variables(c) {
		text := getenv(v.Name)
		if text == "" {
			continue
		}
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
