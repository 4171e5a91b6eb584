// Command turnout serves real-time rooms: calls, screens, messages, presence and documents over one WebRTC connection per
// participant.
//
// It is the roof over the planes: it reads the configuration, opens the planes from the ground up (see open), puts them behind
// one HTTP server, and takes them down again in the opposite order. It decides nothing about rooms or packets.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// process is what a command has of the process it runs in.
type process struct {
	args   []string // the command line
	stdout io.Writer
	stderr io.Writer
}

// run carries out one command line and returns the exit code. Whatever goes wrong is one line on stderr.
func run(args []string, stdout, stderr io.Writer) int {
	p := &process{args: args, stdout: stdout, stderr: stderr}
	ctx, err := parse(args, new(commands), stdout, stderr)
	if err == nil {
		err = ctx.Run(p)
	}
	if err != nil {
		fmt.Fprintln(stderr, "turnout:", strings.ReplaceAll(err.Error(), "\n", "; "))
		return 1
	}
	return 0
}

// commands are the command line.
type commands struct {
	Dev     devCommand     `kong:"cmd,set='listen=127.0.0.1:7880',set='tls=127.0.0.1:7443',set='shutdown=1s',help='Run everything on this machine, to try it and to develop against it.'"`
	Serve   serveCommand   `kong:"cmd,set='listen=:7880',set='tls=:443',set='shutdown=10s',help='Run the server.'"`
	Turn    turnCommand    `kong:"cmd,set='tls=:443',set='shutdown=10s',help='Run the TURN server alone, or look into a running one.'"`
	Token   tokenCommand   `cmd:"" help:"Print an access token for a room."`
	Load    loadCommand    `cmd:"" help:"Put participants into rooms of a server, and measure what they get."`
	Data    dataCommand    `cmd:"" help:"Check, compact, export or import the documents of a server that is stopped."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

func parse(args []string, into *commands, stdout, stderr io.Writer) (*kong.Context, error) {
	k, err := kong.New(into,
		kong.Name("turnout"),
		kong.Description("Rooms for video calls, screens, messages, presence and documents, with a TURN server inside."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 120}),
		kong.Writers(stdout, stderr),
		kong.PostBuild(func(k *kong.Kong) error {
			return nameFlags(k, &into.Dev.Config, &into.Serve.Config, &into.Turn.Run.Keys)
		}),
		kong.WithHyphenPrefixedParameters(true), // token --ttl -1m
		kong.TypeMapper(reflect.TypeFor[map[string]string](), kong.MapperFunc(decodeNames)),
	)
	if err != nil {
		return nil, err
	}
	ctx, err := k.Parse(args)
	var refused *kong.ParseError
	if errors.As(err, &refused) {
		ctx, err = refused.Context, fmt.Errorf("%w; turnout --help lists the commands, turnout COMMAND --help the flags", err)
	}
	if name := valueless(args, ctx); name != "" {
		return nil, fmt.Errorf("%s needs a value", name)
	}
	return ctx, err
}

// valueless is the flag that the command line ends with although it takes a value, for which kong takes the end of the line.
func valueless(args []string, ctx *kong.Context) string {
	if len(args) == 0 || ctx == nil {
		return ""
	}
	last := args[len(args)-1]
	for _, f := range ctx.Flags() {
		if !f.IsBool() && (last == "--"+f.Name || f.Short != 0 && last == "-"+string(f.Short)) {
			return last
		}
	}
	return ""
}

type versionCommand struct{}

func (versionCommand) Run(p *process) error {
	_, err := fmt.Fprintln(p.stdout, "turnout", version())
	return err
}
