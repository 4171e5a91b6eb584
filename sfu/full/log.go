package full

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// logFactory sends pion's log lines to slog, all at debug: they may contain addresses.
type logFactory struct{ log *slog.Logger }

// NewLogger returns a logger for one of pion's scopes.
func (f logFactory) NewLogger(scope string) logging.LeveledLogger { return scoped{f.log, scope} }

type scoped struct {
	log   *slog.Logger
	scope string
}

func (s scoped) write(level, msg string) {
	if s.log.Enabled(context.Background(), slog.LevelDebug) {
		s.log.Debug(msg, "pion", s.scope, "severity", level)
	}
}

func (s scoped) writef(level, format string, args []any) {
	if s.log.Enabled(context.Background(), slog.LevelDebug) {
		s.log.Debug(fmt.Sprintf(format, args...), "pion", s.scope, "severity", level)
	}
}

// Trace and Tracef are left out: pion traces every packet.
func (s scoped) Trace(string) {}

// Tracef is left out, as Trace is.
func (s scoped) Tracef(string, ...any) {}

func (s scoped) Debug(string)          {}
func (s scoped) Debugf(string, ...any) {}

func (s scoped) Info(msg string)                  { s.write("info", msg) }
func (s scoped) Infof(format string, args ...any) { s.writef("info", format, args) }

func (s scoped) Warn(msg string)                  { s.write("warning", msg) }
func (s scoped) Warnf(format string, args ...any) { s.writef("warning", format, args) }

func (s scoped) Error(msg string)                  { s.write("error", msg) }
func (s scoped) Errorf(format string, args ...any) { s.writef("error", format, args) }
