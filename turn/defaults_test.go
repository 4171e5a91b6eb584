package turn

import (
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The defaults in the tags, from which flags and documentation are made, are those in force, and each key is on its page.
func TestDefaultsAreWhatTheTagsAndThePageSay(t *testing.T) {
	page, err := os.ReadFile("../docs/reference/turn.md")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{}.withDefaults()
	for _, v := range []reflect.Value{reflect.ValueOf(c), reflect.ValueOf(c.TLS), reflect.ValueOf(c.Relay), reflect.ValueOf(c.Limits)} {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			key := f.Tag.Get("yaml")
			if want, has := f.Tag.Lookup("default"); has {
				checkDefault(t, key, want, v.Field(i))
			}
			if f.Type.Kind() != reflect.Struct && !strings.Contains(string(page), key+"`") {
				t.Errorf("%s is not on the page", key)
			}
		}
	}
}

// checkDefault compares a field with its tag, but for the keys whose empty value means "off".
func checkDefault(t *testing.T, key, want string, got reflect.Value) {
	t.Helper()
	switch v := got.Interface().(type) {
	case time.Duration:
		if d, err := time.ParseDuration(want); err != nil || d != v {
			t.Errorf("%s: %v in force, tag %s", key, v, want)
		}
	case int:
		if n := atoi(t, want); n != v {
			t.Errorf("%s: %d in force, tag %s", key, v, want)
		}
	case uint16:
		if n := atoi(t, want); n != int(v) {
			t.Errorf("%s: %d in force, tag %s", key, v, want)
		}
	case string:
		if v != "" && v != want {
			t.Errorf("%s: %q in force, tag %s", key, v, want)
		}
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
