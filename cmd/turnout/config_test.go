package main

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// serveConfig is the Config that turnout serve would run with.
func serveConfig(t *testing.T, args ...string) (Config, error) {
	t.Helper()
	var cli commands
	_, err := parse(append([]string{"serve"}, args...), &cli, nil, nil)
	return cli.Serve.Config, err
}

func TestFlagsWinOverTheEnvironmentOverTheFileOverDefaults(t *testing.T) {
	file := write(t, "turnout.yaml", `
shutdown: 2s
public_ip: [192.0.2.1]
signaling:
  keys: {file: file-secret}
  rate: 2
turn: {enabled: false, ttl: 2m}
rtc: {udp: ":2"}
`, 0o600)
	for _, c := range []struct {
		name string
		env  map[string]string
		args []string
		pick func(Config) any
		want any
	}{
		{"default", nil, nil, func(c Config) any { return c.Shutdown }, 10 * time.Second},
		{"file", nil, []string{"-c", file}, func(c Config) any { return c.Shutdown }, 2 * time.Second},
		{"environment", map[string]string{"TURNOUT_SHUTDOWN": "3s"}, []string{"-c", file}, func(c Config) any { return c.Shutdown }, 3 * time.Second},
		{"flag", map[string]string{"TURNOUT_SHUTDOWN": "3s"}, []string{"-c", file, "--shutdown", "4s"}, func(c Config) any { return c.Shutdown }, 4 * time.Second},
		{"a flag that says the default", nil, []string{"-c", file, "--shutdown", "10s"}, func(c Config) any { return c.Shutdown }, 10 * time.Second},
		{"file named by the environment", map[string]string{"TURNOUT_CONFIG": file}, nil, func(c Config) any { return c.Signaling.Rate }, 2},
		{"section in the environment", map[string]string{"TURNOUT_SIGNALING_RATE": "3"}, []string{"-c", file}, func(c Config) any { return c.Signaling.Rate }, 3},
		{"the rest of a section", map[string]string{"TURNOUT_SIGNALING_RATE": "3"}, []string{"-c", file}, func(c Config) any { return c.Signaling.Burst }, 200},
		{"false in the file", nil, []string{"-c", file}, func(c Config) any { return c.TURN.Enabled }, false},
		{"true in the environment", map[string]string{"TURNOUT_TURN_ENABLED": "true"}, []string{"-c", file}, func(c Config) any { return c.TURN.Enabled }, true},
		{"false as a flag", map[string]string{"TURNOUT_TURN_ENABLED": "true"}, []string{"--no-turn-enabled"}, func(c Config) any { return c.TURN.Enabled }, false},
		{"an empty variable is a value", map[string]string{"TURNOUT_RTC_TCP": ""}, nil, func(c Config) any { return c.RTC.TCP }, ""},
		{"a list replaces a list", map[string]string{"TURNOUT_PUBLIC_IP": "192.0.2.2,2001:db8::1"}, []string{"-c", file}, func(c Config) any { return c.PublicIP }, []string{"192.0.2.2", "2001:db8::1"}},
		{"a mapping replaces a mapping", map[string]string{"TURNOUT_SIGNALING_KEYS": "env: e=, more=m"}, []string{"-c", file}, func(c Config) any { return c.Signaling.Keys }, map[string]string{"env": "e=", "more": "m"}},
		{"a secret from a file", map[string]string{"TURNOUT_SIGNALING_KEYS_FILE": write(t, "k", "a: 1\nb: 2\n", 0o640)}, []string{"-c", file}, func(c Config) any { return c.Signaling.Keys }, map[string]string{"a": "1", "b": "2"}},
		{"a secret without its end of line", map[string]string{"TURNOUT_TURN_SECRET_FILE": write(t, "s", "s3\n", 0o400)}, nil, func(c Config) any { return c.TURN.Secret }, "s3"},
		{"public_ip wins everywhere", map[string]string{"TURNOUT_RTC_PUBLIC": "192.0.2.9"}, []string{"-c", file}, func(c Config) any { return append(c.resolved().RTC.Public, c.resolved().TURN.Public...) }, []string{"192.0.2.1", "192.0.2.1"}},
		{"a domain has one port", nil, []string{"--domain", "a.test"}, ports, [4]string{":443", ":443", ":443", ":443"}},
		{"but for what is said otherwise", nil, []string{"--domain", "a.test", "--turn-udp", ":3479", "--rtc-tcp", ""}, ports, [4]string{":443", "", ":3479", ":443"}},
		{"or if it is not wanted", nil, []string{"--domain", "a.test", "--no-one-port"}, ports, [4]string{mediaPort, mediaPort, turnPort, turnPort}},
		{"without a domain each has its own", nil, nil, ports, [4]string{mediaPort, mediaPort, turnPort, turnPort}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			cfg, err := serveConfig(t, c.args...)
			if got := c.pick(cfg); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

// ports are where media and TURN are.
func ports(c Config) any {
	c = c.resolved()
	return [4]string{c.RTC.UDP, c.RTC.TCP, c.TURN.UDP, c.TURN.TCP}
}

func TestEqualAddressesShareAPort(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{":443", ":443", true}, {":443", "[::]:443", true}, {"10.0.0.1:443", "10.0.0.1:443", true}, {":443", ":444", false},
		{":443", "10.0.0.1:443", false}, {"127.0.0.1:0", "127.0.0.1:0", false}, {"", "", false}, {":443", "", false},
	} {
		if sameAddress(c.a, c.b) != c.want || sameAddress(c.b, c.a) != c.want {
			t.Errorf("%q, %q: not %v", c.a, c.b, c.want)
		}
	}
}

func TestEveryKeyIsAFlagWithHelp(t *testing.T) {
	var cli commands
	ctx, err := parse([]string{"serve"}, &cli, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	help := map[string]string{}
	for _, flag := range ctx.Flags() {
		if _, twice := help[flag.Name]; twice {
			t.Errorf("--%s is there twice", flag.Name)
		}
		help[flag.Name] = flag.Help
	}
	walk(reflect.ValueOf(&cli.Serve.Config).Elem(), "", func(path string, _ reflect.Value) {
		name := strings.NewReplacer(".", "-", "_", "-").Replace(path)
		if help[name] == "" {
			t.Errorf("%s: there is no flag --%s, or it has no help", path, name)
		}
		if strings.HasSuffix(path, ".") || strings.Contains(path, "..") {
			t.Errorf("%s: a field without a yaml tag", path)
		}
	})
}

func TestANestedKeyIsAFlagOfItsName(t *testing.T) {
	t.Setenv("TURNOUT_TURN_LIMITS_ALLOCATIONS", "7")
	if cfg, err := serveConfig(t, "--turn-relay-min-port", "50000"); err != nil || cfg.TURN.Relay.MinPort != 50000 || cfg.TURN.Limits.Allocations != 7 {
		t.Errorf("%+v, %v", cfg.TURN, err)
	}
}

func TestDevAndServeDifferInWhoMayReachThem(t *testing.T) {
	var cli commands
	if _, err := parse([]string{"dev"}, &cli, nil, nil); err != nil || cli.Dev.Config.Listen != "127.0.0.1:7880" {
		t.Errorf("dev listens on %q, %v", cli.Dev.Config.Listen, err)
	}
	if cfg, err := serveConfig(t); err != nil || cfg.Listen != ":7880" {
		t.Errorf("serve listens on %q, %v", cfg.Listen, err)
	}
}
