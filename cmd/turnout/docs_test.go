package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/turnout-rtc/turnout/cmd/turnout/settings"
)

var update = flag.Bool("update", false, "write the table of docs/reference/config.md")

const configPage = "../../docs/reference/config.md"

// TestConfigPageHasEveryKey holds the page to the structs: same keys, same defaults, same words.
func TestConfigPageHasEveryKey(t *testing.T) {
	text, err := os.ReadFile(configPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), " -update -->\n")
	_, after, ok2 := strings.Cut(rest, "<!-- end keys -->")
	if !ok || !ok2 {
		t.Fatal("the page has lost its markers")
	}
	want := before + " -update -->\n" + keyTable() + "<!-- end keys -->" + after
	if string(text) == want {
		return
	}
	if !*update {
		t.Fatalf("%s does not say what the code says: run go test ./cmd/turnout -run TestConfigPage -update", configPage)
	}
	if err := os.WriteFile(configPage, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func keyTable() string {
	var b strings.Builder
	section := ""
	b.WriteString("| key | default | |\n|---|---|---|\n")
	keyRows(reflect.TypeFor[Config](), "", func(path string, f reflect.StructField) {
		if now := path[:max(0, strings.LastIndex(path, "."))]; now != section {
			section = now
			fmt.Fprintf(&b, "\n### %s\n\n| key | default | |\n|---|---|---|\n", section)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", path, shownDefault(f), f.Tag.Get("help"))
	})
	b.WriteString("\n")
	return b.String()
}

// keyRows calls f for the keys of a struct and then for those of its sections.
func keyRows(t reflect.Type, prefix string, f func(path string, field reflect.StructField)) {
	for _, sections := range []bool{false, true} {
		for i := range t.NumField() {
			field := t.Field(i)
			switch isSection := field.Type.Kind() == reflect.Struct; {
			case isSection && sections:
				keyRows(field.Type, prefix+settings.Key(field)+".", f)
			case !isSection && !sections:
				f(prefix+settings.Key(field), field)
			}
		}
	}
}

func shownDefault(f reflect.StructField) string {
	value, ok := f.Tag.Lookup("default")
	switch {
	case value == "${listen}":
		value = ":7880"
	case value == "${tls}":
		value = ":443"
	case value == "${shutdown}":
		value = "10s"
	case !ok && f.Type.Kind() == reflect.Bool:
		value = "false"
	case value == "":
		return "–"
	}
	return "`" + value + "`"
}

// TestShippedConfigsLoad loads every file of deploy that is a configuration.
func TestShippedConfigsLoad(t *testing.T) {
	files, err := filepath.Glob("../../deploy/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	loaded := 0
	for _, file := range files {
		if strings.Contains(filepath.Base(file), "compose") {
			continue
		}
		loaded++
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := serveConfig(t, "--config", write(t, "turnout.yaml", string(text), 0o600))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		cfg.TURN.Secret = strings.Repeat("s", 32)
		cfg.Signaling.Keys = map[string]string{"key": strings.Repeat("k", 32)}
		if err := cfg.resolved().Validate(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if loaded == 0 {
		t.Error("no configuration found in deploy")
	}
}

// TestPagesAndUnitsNameRealFlags checks the flags and variables that the pages and deploy's files name.
func TestPagesAndUnitsNameRealFlags(t *testing.T) {
	known := realFlags(t)
	var files []string
	for _, pattern := range []string{"../../deploy/*", "../../docs/*.md", "../../docs/reference/config.md", "../../docs/reference/turn.md", "../../docs/reference/http.md", "../../README.md"} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, matches...)
	}
	commandLine := regexp.MustCompile(`turnout (?:dev|serve|token|turn|data|load)\b[^\n` + "`" + `]*`)
	flagName := regexp.MustCompile(`--[a-z][a-z-]+`)
	variable := regexp.MustCompile(`TURNOUT_[A-Z_]+[A-Z]`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := variable.FindAllString(string(text), -1)
		for _, line := range commandLine.FindAllString(string(text), -1) {
			names = append(names, flagName.FindAllString(line, -1)...)
		}
		for _, name := range names {
			if !known[name] {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
	}
}

// realFlags are the flags of all commands and the variables of serve.
func realFlags(t *testing.T) map[string]bool {
	known := map[string]bool{"--help": true}
	for _, args := range [][]string{{"dev"}, {"serve"}, {"turn"}, {"turn", "list"}, {"token", "--room", "r", "--identity", "i"}, {"data", "export", "d"}, {"load"}} {
		var cli commands
		ctx, err := parse(args, &cli, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range ctx.Flags() {
			known["--"+f.Name] = true
			if args[0] == "serve" {
				known[envName(f.Name)] = true
				known[envName(f.Name)+"_FILE"] = isSecret(f.Name)
			}
		}
	}
	return known
}

// TestArchitecturePageNamesPackagesThatExist holds the table of packages to the tree.
func TestArchitecturePageNamesPackagesThatExist(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "| `") || strings.Contains(line, "planned") {
			continue
		}
		cell, _, _ := strings.Cut(line[1:], "|")
		for _, m := range regexp.MustCompile("`([a-z/]+)`").FindAllStringSubmatch(cell, -1) {
			named++
			if sources, err := filepath.Glob("../../" + m[1] + "/*.go"); err != nil || len(sources) == 0 {
				t.Errorf("there is no package %s", m[1])
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d packages named: has the table changed its form?", named)
	}
}

// TestLinksLeadSomewhere follows the links of the pages to files and headings of this repository.
func TestLinksLeadSomewhere(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/*/*.md", "../../web/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	links := 0
	for _, page := range pages {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			file, heading, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
			} else if heading != "" && !anchors(read(t, target))[heading] {
				t.Errorf("%s: %s: there is no such heading", page, m[1])
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links in %d pages", links, len(pages))
	}
}

// anchors are what the headings of a page are called in links to them.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		words := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all[strings.ReplaceAll(words, " ", "-")] = true
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
