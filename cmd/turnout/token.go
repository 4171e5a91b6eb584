package main

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/turnout-rtc/turnout/signaling/auth"
)

// signer are the flags that say where the key is that access tokens are signed with.
type signer struct {
	File string            `name:"config" short:"c" placeholder:"FILE" help:"The server's configuration file, to sign with its key."`
	Data string            `placeholder:"DIR" help:"The server's data directory, to sign with the key in it."`
	Keys map[string]string `name:"signaling-keys" placeholder:"NAME=SECRET" help:"Keys to sign with. Better in TURNOUT_SIGNALING_KEYS: others can see the flags of a program."`
	Key  string            `placeholder:"NAME" help:"Name of the key to sign with, when there are several."`
}

type tokenCommand struct {
	signer `embed:""`

	Room     string        `required:"" help:"Room that the token is for."`
	Identity string        `required:"" help:"Identity of the participant, unique in the room."`
	Name     string        `help:"Name that others see."`
	TTL      time.Duration `default:"6h" help:"Time for which the token can be used to join."`
	Grant    []string      `enum:"admin,hidden,no-publish,no-subscribe,no-data,no-update" help:"What to allow besides the usual, or to forbid: admin, hidden, no-publish, no-subscribe, no-data, no-update."`
	Source   []string      `help:"Allow to publish only these: camera, microphone, screen, screenAudio, or your own."`
	Topic    []string      `placeholder:"NAME=RIGHTS" help:"Rights by data topic: r, w, rw, or nothing; * is every other topic."`
	URL      string        `placeholder:"URL" help:"Print an invitation link to the app at this address instead."`
}

// Run prints a token, or a link that holds one.
func (c *tokenCommand) Run(p *process) error {
	name, secret, err := c.choose()
	if err != nil {
		return err
	}
	grants, err := c.grants()
	if err != nil {
		return err
	}
	signed, err := auth.Mint(name, secret, auth.Token{
		Identity: c.Identity, Name: c.Name, Room: c.Room, Grants: grants, Expires: time.Now().Add(c.TTL),
	})
	if err != nil {
		return err
	}
	if c.URL != "" {
		signed = invitation(c.URL, c.Room, signed)
	}
	_, err = fmt.Fprintln(p.stdout, signed)
	return err
}

// choose returns the key to sign with.
func (c *signer) choose() (name, secret string, err error) {
	keys, err := c.keys()
	if err != nil {
		return "", "", err
	}
	name, err = choose(keys, c.Key)
	return name, keys[name], err
}

// keys are those of the flags, the environment, the file, or the data directory, whichever is first to have some.
func (c *signer) keys() (map[string]string, error) {
	if len(c.Keys) > 0 {
		return c.Keys, nil
	}
	cfg, err := serverConfig(c.File)
	if err != nil {
		return nil, err
	}
	if len(cfg.Signaling.Keys) > 0 && c.Data == "" {
		return cfg.Signaling.Keys, nil
	}
	dir := c.Data
	if dir == "" {
		dir = cfg.Data
	}
	if dir == "" {
		if dir, err = defaultData(); err != nil {
			return nil, err
		}
	}
	text, err := readSecret(filepath.Join(dir, keysFile))
	if err != nil {
		return nil, fmt.Errorf("no signing key: %w; name the server's directory with --data, its file with --config, or set TURNOUT_SIGNALING_KEYS", err)
	}
	return parseNames(text)
}

// serverConfig is what turnout serve would run with.
func serverConfig(file string) (Config, error) {
	args := []string{"serve"}
	if file != "" {
		args = append(args, "--config", file)
	}
	var cli commands
	_, err := parse(args, &cli, nil, nil)
	return cli.Serve.Config, err
}

func choose(keys map[string]string, name string) (string, error) {
	names := slices.Sorted(maps.Keys(keys))
	switch {
	case name != "" && !slices.Contains(names, name):
		return "", fmt.Errorf("there is no key %q, but %s", name, strings.Join(names, ", "))
	case name == "" && len(names) == 0:
		return "", errors.New("no signing key: the file with the keys is empty")
	case name == "" && len(names) > 1:
		return "", fmt.Errorf("there are several keys: choose one of %s with --key", strings.Join(names, ", "))
	case name == "":
		name = names[0]
	}
	return name, nil
}

func (c *tokenCommand) grants() (auth.Grants, error) {
	g := auth.DefaultGrants()
	g.Sources = c.Source
	for _, word := range c.Grant {
		switch word {
		case "admin":
			g.Admin = true
		case "hidden":
			g.Hidden = true
		case "no-publish":
			g.Publish = false
		case "no-subscribe":
			g.Subscribe = false
		case "no-data":
			g.Data = false
		case "no-update":
			g.Update = false
		}
	}
	for _, topic := range c.Topic {
		name, rights, ok := strings.Cut(topic, "=")
		if !ok {
			return g, fmt.Errorf("--topic %s: write NAME=RIGHTS, such as chat=rw", topic)
		}
		if g.Topics == nil {
			g.Topics = map[string]string{}
		}
		g.Topics[name] = rights
	}
	return g, nil
}

// invitation is a link that opens the app in a room. The token is in the fragment, which no server and no log ever sees.
func invitation(base, room, token string) string {
	return strings.TrimSuffix(base, "/") + "/r/" + url.PathEscape(room) + "#token=" + token
}
