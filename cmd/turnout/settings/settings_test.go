package settings

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

type plane struct {
	Bytes int           `yaml:"message_bytes"`
	Wait  time.Duration `yaml:"wait"`
	On    bool          `yaml:"on"`
}

type config struct {
	Listen string            `yaml:"listen"`
	Hidden string            `yaml:"-"`
	Public []string          `yaml:"public"`
	Keys   map[string]string `yaml:"keys"`
	Plane  plane             `yaml:"plane"`
}

func before() config {
	return config{Listen: "old", Hidden: "kept", Public: []string{"a", "b"}, Keys: map[string]string{"old": "1"}, Plane: plane{Bytes: 7, On: true}}
}

func TestDecodeSetsWhatIsThereAndKeepsTheRest(t *testing.T) {
	got := before()
	err := Decode("t.yaml", []byte("listen: 7880\npublic: [c]\nkeys: {k: v}\nplane:\n  wait: 3s\n  on: false\n"), &got)
	want := config{Listen: "7880", Hidden: "kept", Public: []string{"c"}, Keys: map[string]string{"k": "v"}, Plane: plane{Bytes: 7, Wait: 3 * time.Second}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestDecodeOfNothingChangesNothing(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "plane:\n", "listen:\nkeys: ~\n"} {
		got := before()
		if err := Decode("t.yaml", []byte(text), &got); err != nil || !reflect.DeepEqual(got, before()) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestDecodeErrorsAreOneLineThatSaysWhatToDo(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"listen: a\nplain: 1\n", "t.yaml:2: unknown key plain, did you mean plane?"},
		{"plane:\n  mesage_bytes: 1\n", "t.yaml:2: unknown key plane.mesage_bytes, did you mean plane.message_bytes?"},
		{"completely_else: 1\n", "t.yaml:1: unknown key completely_else, known here are keys, listen, plane, public"},
		{"Hidden: 1\n", "t.yaml:1: unknown key Hidden, known here are keys, listen, plane, public"},
		{"listen: a\nlisten: b\n", "t.yaml:2: listen is there twice: remove one of them"},
		{"plane:\n  message_bytes: many\n", "t.yaml:2: plane.message_bytes must be a whole number"},
		{"plane:\n  wait: 5s\n  on: maybe\n", "t.yaml:3: plane.on must be true or false"},
		{"plane: {wait: 5}\n", "t.yaml:1: plane.wait must be a duration such as 30s or 5m"},
		{"plane: {wait: soon}\n", "t.yaml:1: plane.wait must be a duration such as 30s or 5m"},
		{"public: 1.2.3.4\n", "t.yaml:1: public must be a list, such as [a, b]"},
		{"keys: [a]\n", "t.yaml:1: keys must be a mapping, such as {name: value}"},
		{"listen: [a]\n", "t.yaml:1: listen must be a text"},
		{"plane: 3\n", "t.yaml:1: plane must be a mapping of keys to values"},
		{"listen: a\n---\nlisten: b\n", "t.yaml: one document is enough: remove the line --- and what follows it"},
		{"listen: 'a\n", "t.yaml"},
		{"a: b: c\n", "t.yaml: not valid YAML: mapping values are not allowed in this context"},
	} {
		got := before()
		err := Decode("t.yaml", []byte(c.text), &got)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("listen: a\nplane: {wait: 3s}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("plane: &p {on: true}\nkeys: *p\n"))
	f.Add([]byte("? [a]\n: b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c config
		if err := Decode("t.yaml", data, &c); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than one line: %v", data, err)
		}
	})
}
