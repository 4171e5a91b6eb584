package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/client/load"
)

type loadCommand struct {
	signer `embed:""`
	URL    string `default:"http://127.0.0.1:7880" help:"Where the server can be reached."`

	Rooms       int `default:"1" help:"Rooms."`
	Publishers  int `default:"1" help:"Participants of each room that publish, and receive each other."`
	Subscribers int `default:"10" help:"Participants of each room that only receive."`

	Audio     bool `default:"true" negatable:"" help:"Publish audio."`
	Video     bool `default:"true" negatable:"" help:"Publish video."`
	Simulcast bool `help:"Publish video in three layers."`
	Bitrate   int  `default:"1500000" placeholder:"BITS" help:"Bits a second of a video, of the highest layer."`
	FrameRate int  `default:"30" placeholder:"N" help:"Frames a second of a video."`

	Messages     float64 `default:"0" placeholder:"N" help:"Messages that each publisher sends to its room a second."`
	MessageBytes int     `default:"100" placeholder:"BYTES" help:"Size of a message."`

	RelayOnly bool `help:"Send and receive media through the TURN server only."`

	Joins    float64       `default:"20" placeholder:"N" help:"Participants that begin to join a second."`
	Duration time.Duration `default:"30s" help:"Time that is measured, from when all have joined."`
	Timeout  time.Duration `default:"15s" help:"Time that joining may take, up to the first packet."`
	JSON     bool          `name:"json" help:"Print the report as JSON."`
}

// keyFrames come at least so often: what browsers and encoders for calls do.
const keyFrames = 10 * time.Second

// Run carries out the load. A second signal ends it at once; the first still prints what was measured.
func (c *loadCommand) Run(p *process) error {
	name, secret, err := c.choose()
	if err != nil {
		return err
	}
	plan := load.Plan{
		Server: c.URL, Rooms: c.Rooms, Publishers: c.Publishers, Subscribers: c.Subscribers,
		Audio: c.Audio, Video: c.Video, Simulcast: c.Simulcast, Bitrate: c.Bitrate, FrameRate: c.FrameRate, KeyEvery: keyFrames,
		Messages: c.Messages, MessageBytes: c.MessageBytes, RelayOnly: c.RelayOnly, Joins: c.Joins, Duration: c.Duration, Timeout: c.Timeout,
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	mint := func(_ context.Context, room, identity string) (string, error) {
		return auth.Mint(name, secret, auth.Token{
			Identity: identity, Room: room, Grants: auth.DefaultGrants(), Expires: time.Now().Add(c.Duration + time.Hour),
		})
	}
	report, err := load.Run(ctx, plan, mint, func(now load.Progress) { say(p.stderr, now) })
	if err != nil {
		return err
	}
	if c.JSON {
		out := json.NewEncoder(p.stdout)
		out.SetIndent("", "  ")
		err = out.Encode(report)
	} else {
		err = report.Print(p.stdout)
	}
	if err == nil && report.Failed+report.Lost > 0 {
		return fmt.Errorf("%d of %d participants could not join, or were gone before the end", report.Failed+report.Lost, report.Participants)
	}
	return err
}

// say writes how far it has come.
func say(to io.Writer, now load.Progress) {
	fmt.Fprintf(to, "%-9s %4.0f s  %d of %d joined, %d failed  %d packets/s, %.1f Mbit/s  load tester %.0f %%\n",
		now.Phase, now.Elapsed.Seconds(), now.Joined, now.Participants, now.Failed, now.Packets, float64(now.Bits)/1e6, 100*now.Own)
}
