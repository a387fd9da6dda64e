package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"github.com/goccy/go-yaml"
)

// maxFile bounds what is read of a configuration file.
const maxFile = 4 << 20

// Load reads the file, overlays the environment, and checks the result. Its
// error is a [Problems] when the configuration was read but is not right.
func Load(file string, getenv func(string) string) (*Config, error) {
	text, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no configuration at %s; write one with: gatehouse init", file)
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(file, text, getenv)
}

func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than %v", file, Size(maxFile))
	}
	return text, err
}

// Parse is Load for text that is already here; name stands for the file in
// messages, and its folder is what paths are relative to.
func Parse(name string, text []byte, getenv func(string) string) (*Config, error) {
	c := Default()
	d := &decoder{file: name, lines: map[string]int{}}
	d.decodeYAML(text, c)

	folder := filepath.Dir(name)
	anchorPaths(reflect.ValueOf(c), folder)
	from, problems := overlay(c, getenv)
	problems = append(d.problems, problems...)
	if len(problems) > 0 {
		// Checking what was not understood would only repeat it.
		return nil, Problems(problems)
	}

	k := &checker{config: c, where: place(name, d.lines, from)}
	k.check()
	if len(k.problems) > 0 {
		return nil, Problems(k.problems)
	}
	return c, nil
}

// place finds where a field was set; one that was set nowhere is looked for in
// the section around it.
func place(file string, lines map[string]int, from map[string]string) func(field string) string {
	return func(field string) string {
		for f := field; f != ""; f = parent(f) {
			if env, ok := from[f]; ok {
				return env
			}
			if line, ok := lines[f]; ok {
				return fmt.Sprintf("%s:%d", file, line)
			}
		}
		return file
	}
}

// parent of routes[2].cors is routes[2], whose parent is routes.
func parent(field string) string {
	for i := len(field) - 1; i > 0; i-- {
		if field[i] == '.' || field[i] == '[' {
			return field[:i]
		}
	}
	return ""
}

// anchorPaths makes every relative path relative to folder.
func anchorPaths(v reflect.Value, folder string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			anchorPaths(v.Elem(), folder)
		}
	case reflect.Struct:
		for f, value := range v.Fields() {
			if f.IsExported() {
				anchorPaths(value, folder)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			anchorPaths(v.Index(i), folder)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			anchorPaths(v.MapIndex(key), folder)
		}
	case reflect.String:
		if p, ok := v.Interface().(Path); ok && p != "" && !filepath.IsAbs(string(p)) && v.CanSet() {
			v.SetString(filepath.Join(folder, string(p)))
		}
	}
}

func asYAML(err error, target *yaml.Error) bool { return errors.As(err, target) }
