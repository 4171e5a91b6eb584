package datachannel

import (
	"reflect"
	"strconv"
	"testing"
	"time"
)

func TestDefaultsAreThoseOfTheTags(t *testing.T) {
	d := reflect.ValueOf(defaults())
	for i := range d.NumField() {
		field := d.Type().Field(i)
		want := field.Tag.Get("default")
		got := ""
		switch v := d.Field(i).Interface().(type) {
		case time.Duration:
			parsed, err := time.ParseDuration(want)
			if err != nil {
				t.Fatal(err)
			}
			want, got = parsed.String(), v.String()
		case int:
			got = strconv.Itoa(v)
		case string:
			got = v
		}
		if got != want {
			t.Errorf("%s is %s by default, and its tag says %s", field.Name, got, want)
		}
	}
	if (Config{}).WithDefaults() != defaults() {
		t.Error("a limit has no default")
	}
}

func TestValidate(t *testing.T) {
	if err := (Config{}).Validate(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"negative":                {Rate: -1},
		"burst below a message":   {MessageBytes: 1 << 20, BurstBytes: 1 << 20},
		"queue below a message":   {MessageBytes: 1 << 20, QueueBytes: 1 << 20, DocumentBytes: 1},
		"large documents":         {DocumentBytes: 16 << 20},
		"huge documents":          {DocumentBytes: 4 << 30, QueueBytes: 8 << 30},
		"unknown relay":           {Relay: "never"},
		"few messages in a queue": {QueueMessages: 100},
		"too few for the largest": {MessageBytes: 64 << 20, BurstBytes: 1 << 30, QueueBytes: 1 << 30, QueueMessages: 2000},
	} {
		if c.Validate() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
