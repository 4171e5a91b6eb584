package main

import (
	"errors"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/signaling/client"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// guest joins the room lobby with a token of the server's own command.
func (r *running) guest(identity string) (*client.Room, chan client.Event) {
	r.t.Helper()
	token, err := command(r.t, nil, "token", "--data", r.data, "--room", "lobby", "--identity", identity).Output()
	if err != nil {
		r.t.Fatal(err)
	}
	events := make(chan client.Event, 1024)
	room, err := client.Join(r.t.Context(), r.url, strings.TrimSpace(string(token)), client.Options{OnEvent: func(e client.Event) { events <- e }})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(room.Close)
	return room, events
}

// awaitDraining returns when the server has said that it stops.
func awaitDraining(t *testing.T, events chan client.Event) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case e := <-events:
			if _, ok := e.(client.Draining); ok {
				return
			}
		case <-deadline:
			t.Fatal("nobody said that the server stops")
		}
	}
}

func TestAStoppingServerSaysSoAndRefusesNewParticipants(t *testing.T) {
	r := startDev(t, "--shutdown", "1m")
	ada, events := r.guest("ada")
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	awaitDraining(t, events)
	if res, _ := r.get("/readyz"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %s", res.Status)
	}
	if res, _ := r.get("/healthz"); res.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %s", res.Status)
	}
	token, err := command(t, nil, "token", "--data", r.data, "--room", "lobby", "--identity", "late").Output()
	if err != nil {
		t.Fatal(err)
	}
	var refused *protocol.Error
	if _, err := client.Join(t.Context(), r.url, strings.TrimSpace(string(token)), client.Options{}); !errors.As(err, &refused) || refused.Code != protocol.ServerDraining {
		t.Errorf("a new participant: %v", err)
	}
	if err := ada.Leave(t.Context()); err != nil { // the last one
		t.Error(err)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v\n%s", err, r.log)
	}
}

func TestAfterTheDeadlineEverybodyIsToldGoodbye(t *testing.T) {
	r := startDev(t, "--shutdown", "200ms")
	ada, _ := r.guest("ada")
	if code := r.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d\n%s", code, r.log)
	}
	<-ada.Done()
	var why *client.DisconnectError
	if !errors.As(ada.Err(), &why) || why.Reason != protocol.ServerShutdown || !why.Retryable {
		t.Errorf("ada's room ended with %v", ada.Err())
	}
	if conn, err := net.Dial("tcp", strings.Replace(strings.TrimPrefix(r.url, "http://"), "localhost", "127.0.0.1", 1)); err == nil {
		conn.Close()
		t.Error("the address is still open")
	}
}

func TestASecondSignalDoesNotWait(t *testing.T) {
	r := startDev(t, "--shutdown", "10m")
	_, events := r.guest("ada")
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	awaitDraining(t, events)
	if err := r.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.cmd.Wait() }()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() != 0 {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still there")
	}
}
