package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/turnout-rtc/turnout/cmd/turnout/settings"
)

// options are the flags of a command that has a whole Config.
type options struct {
	File   string `name:"config" short:"c" placeholder:"FILE" help:"Configuration file (YAML)."`
	Config Config `embed:""`
}

// BeforeApply runs after the defaults and before the flags are put into the Config, so that what it reads lies between:
// flags win over the environment, that over the file, that over the defaults.
func (o *options) BeforeApply(ctx *kong.Context) error {
	if err := loadFile(configFile(ctx), &o.Config); err != nil {
		return err
	}
	return loadEnv(ctx.Flags())
}

func loadFile(name string, into *Config) error {
	if name == "" {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("cannot read the configuration file: %w", err)
	}
	if err := settings.Decode(name, text, into); err != nil {
		return err
	}
	if len(into.Signaling.Keys) > 0 || into.TURN.Secret != "" || len(into.TURN.Keys) > 0 || into.Operator != "" {
		return refuseOpen(name)
	}
	return nil
}

// nameFlags gives the flag of every key the key's name: turn.relay.min_port is --turn-relay-min-port.
func nameFlags(k *kong.Kong, configs ...any) error {
	names := map[uintptr]string{} // by the address of the field
	for _, c := range configs {
		walk(reflect.ValueOf(c).Elem(), "", func(path string, field reflect.Value) {
			names[field.Addr().Pointer()] = strings.NewReplacer(".", "-", "_", "-").Replace(path)
		})
	}
	return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			if name, ok := names[flag.Target.Addr().Pointer()]; ok {
				flag.Name = name
			}
		}
		return next(nil)
	})
}

// walk calls f for every key below a struct, with its dotted path.
func walk(v reflect.Value, prefix string, f func(path string, field reflect.Value)) {
	for i := range v.NumField() {
		path := prefix + settings.Key(v.Type().Field(i))
		if v.Field(i).Kind() == reflect.Struct {
			walk(v.Field(i), path+".", f)
		} else {
			f(path, v.Field(i))
		}
	}
}

func envName(flag string) string {
	return "TURNOUT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// loadEnv sets what the environment says of the flags.
func loadEnv(flags []*kong.Flag) error {
	if err := refuseMistyped(flags); err != nil {
		return err
	}
	for _, flag := range flags {
		if flag.Name == "help" || flag.Name == "config" {
			continue
		}
		name := envName(flag.Name)
		text, given, err := lookupEnv(name, isSecret(flag.Name))
		if err != nil {
			return err
		}
		if !given {
			continue
		}
		value := reflect.New(flag.Target.Type()).Elem()
		if err := flag.Parse(kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text}), value); err != nil {
			return fmt.Errorf("%s is not what --%s takes, see turnout serve --help", name, flag.Name) // err would repeat the value
		}
		flag.Target.Set(value)
	}
	return nil
}

// refuseMistyped finds a variable that is almost one of ours. Others that begin like ours are left alone: Kubernetes makes
// TURNOUT_PORT and its like for a service of that name.
func refuseMistyped(flags []*kong.Flag) error {
	known := []string{"TURNOUT_CONFIG"}
	for _, flag := range flags {
		known = append(known, envName(flag.Name))
		if isSecret(flag.Name) {
			known = append(known, envName(flag.Name)+"_FILE")
		}
	}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "TURNOUT_") || slices.Contains(known, name) {
			continue
		}
		if near := settings.Nearest(name, known, 2); near != "" {
			return fmt.Errorf("unknown environment variable %s, did you mean %s?", name, near)
		}
	}
	return nil
}

// isSecret says whether the value of a flag may be given as a file: TURNOUT_TURN_SECRET_FILE.
func isSecret(flag string) bool {
	return flag == "signaling-keys" || flag == "turn-secret" || flag == "turn-keys" || flag == "operator-key"
}

func lookupEnv(name string, secret bool) (text string, given bool, err error) {
	text, given = os.LookupEnv(name)
	if !secret {
		return text, given, nil
	}
	file, inFile := os.LookupEnv(name + "_FILE")
	switch {
	case !inFile:
		return text, given, nil
	case given:
		return "", false, fmt.Errorf("%s and %s_FILE are both set: unset one of them", name, name)
	}
	if text, err = readSecret(file); err != nil {
		return "", false, fmt.Errorf("%s_FILE: %w", name, err)
	}
	return text, true, nil
}

// readSecret reads a file that only its owner and group may be able to read.
func readSecret(name string) (string, error) {
	if err := refuseOpen(name); err != nil {
		return "", err
	}
	text, err := os.ReadFile(name)
	return strings.TrimSpace(string(text)), err
}

// refuseOpen refuses a file with secrets in it that everybody on the machine can read.
func refuseOpen(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("%s holds a secret and everybody on this machine may read it: run chmod o= %s", name, name)
	}
	return nil
}

// decodeNames reads name=value or name: value, several of them apart by a comma, a semicolon or a new line. It replaces what
// was there.
func decodeNames(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("name=value")
	if err != nil {
		return err
	}
	names, err := parseNames(fmt.Sprint(token.Value))
	if err != nil {
		return err
	}
	target.Set(reflect.ValueOf(names))
	return nil
}

func parseNames(text string) (map[string]string, error) {
	names := map[string]string{}
	for _, entry := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",;\n", r) }) {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		at := strings.IndexAny(entry, "=:")
		if at <= 0 {
			return nil, errors.New("write name=value")
		}
		names[strings.TrimSpace(entry[:at])] = strings.TrimSpace(entry[at+1:])
	}
	return names, nil
}
