// Package settings reads a YAML file into a struct, strictly.
//
// A key that the struct does not have, a key that is there twice, or a value of the wrong type is an error of one line that
// begins with file:line and says what to write instead. What the file does not mention keeps the value it had. The package
// reads no file itself and never repeats a value, because it may be a secret.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Decode reads one YAML document into the struct that into points to. name is the file's, for errors.
func Decode(name string, data []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return syntaxError(name, err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: one document is enough: remove the line --- and what follows it", name)
	}
	return file(name).mapping(doc.Content[0], "", reflect.ValueOf(into).Elem())
}

// file is the name that errors begin with.
type file string

func (f file) errorf(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", string(f), n.Line, fmt.Errorf(format, args...))
}

// mapping sets the fields of a struct from a mapping node; path is where it stands, with a dot at its end.
func (f file) mapping(n *yaml.Node, path string, into reflect.Value) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return f.errorf(n, "%s must be a mapping of keys to values", strings.TrimSuffix(path, "."))
	}
	fields := Fields(into)
	seen := make(map[string]bool, len(fields))
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field, ok := fields[key.Value]
		switch {
		case !ok:
			return f.errorf(key, "unknown key %s%s%s", path, key.Value, suggestion(path, key.Value, fields))
		case seen[key.Value]:
			return f.errorf(key, "%s%s is there twice: remove one of them", path, key.Value)
		}
		seen[key.Value] = true
		if err := f.value(value, path+key.Value, field); err != nil {
			return err
		}
	}
	return nil
}

func (f file) value(n *yaml.Node, path string, into reflect.Value) error {
	if into.Kind() == reflect.Struct {
		return f.mapping(n, path+".", into)
	}
	if isNull(n) {
		return nil
	}
	fresh := reflect.New(into.Type()) // so that a list or mapping replaces, and does not add to, what was there
	if err := n.Decode(fresh.Interface()); err != nil {
		return f.errorf(n, "%s must be %s", path, shape(into.Type()))
	}
	into.Set(fresh.Elem())
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// Fields are the fields of a struct that have a key, by key.
func Fields(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		if key := Key(v.Type().Field(i)); key != "" {
			fields[key] = v.Field(i)
		}
	}
	return fields
}

// Key is the name of a field in the file, or "" when it has none.
func Key(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if key == "-" {
		return ""
	}
	return key
}

// shape says in words what a value of type t looks like.
func shape(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return "a duration such as 30s or 5m"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list, such as [a, b]"
	case reflect.Map:
		return "a mapping, such as {name: value}"
	case reflect.String:
		return "a text"
	default:
		return "a whole number"
	}
}

// syntaxError turns "yaml: line 3: did not find …" into "name:3: did not find …".
func syntaxError(name string, err error) error {
	text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " ")
	if m := regexp.MustCompile(`^line (\d+): (.*)$`).FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s:%s: not valid YAML: %s", name, m[1], m[2])
	}
	return fmt.Errorf("%s: not valid YAML: %s", name, text)
}
