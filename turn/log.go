package turn

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// logFactory gives pion a logger that never speaks above debug: everything pion says here was caused by remote input,
// and holds addresses.
type logFactory struct{ log *slog.Logger }

func (f logFactory) NewLogger(string) logging.LeveledLogger { return quietLogger(f) }

type quietLogger struct{ log *slog.Logger }

func (l quietLogger) say(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug(fmt.Sprintf(format, args...))
	}
}

func (l quietLogger) Trace(string)                      {}
func (l quietLogger) Tracef(string, ...any)             {}
func (l quietLogger) Debug(msg string)                  { l.say("%s", msg) }
func (l quietLogger) Debugf(format string, args ...any) { l.say(format, args...) }
func (l quietLogger) Info(msg string)                   { l.say("%s", msg) }
func (l quietLogger) Infof(format string, args ...any)  { l.say(format, args...) }
func (l quietLogger) Warn(msg string)                   { l.say("%s", msg) }
func (l quietLogger) Warnf(format string, args ...any)  { l.say(format, args...) }
func (l quietLogger) Error(msg string)                  { l.say("%s", msg) }
func (l quietLogger) Errorf(format string, args ...any) { l.say(format, args...) }
