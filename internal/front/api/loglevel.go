package api

import (
	"fmt"
	"log/slog"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// rootLogger is the only logger: the level of the whole broker.
const rootLogger = "root"

// logLevels are Kafka's names, and beside each the level of slog from which on it
// stands, the loudest first.
var logLevels = []struct {
	name  string
	level slog.Level
}{
	{"TRACE", slog.LevelDebug - 4},
	{"DEBUG", slog.LevelDebug},
	{"INFO", slog.LevelInfo},
	{"WARN", slog.LevelWarn},
	{"ERROR", slog.LevelError},
	{"FATAL", slog.LevelError + 4},
}

// levelName is Kafka's name of a level.
func levelName(l slog.Level) string {
	name := logLevels[0].name
	for _, k := range logLevels {
		if l >= k.level {
			name = k.name
		}
	}
	return name
}

// alterLogLevel changes the level of the broker's log (KIP-412).
func (s *Server) alterLogLevel(changes []controller.ConfigChange, validateOnly bool) error {
	var to []slog.Level
	for _, c := range changes {
		level, err := s.newLevel(c)
		if err != nil {
			return err
		}
		to = append(to, level)
	}
	for _, level := range to {
		if !validateOnly {
			s.cfg.LogLevel.Set(level)
			s.log.Warn("log level was changed", "level", levelName(level))
		}
	}
	return nil
}

func (s *Server) newLevel(c controller.ConfigChange) (slog.Level, error) {
	switch c.Op {
	case controller.OpAppend:
		return 0, invalid("APPEND operation is not allowed for the BROKER_LOGGER resource")
	case controller.OpSubtract:
		return 0, invalid("SUBTRACT operation is not allowed for the BROKER_LOGGER resource")
	}
	if c.Key != rootLogger {
		return 0, model.Explain(kerr.InvalidConfig, fmt.Sprintf("Logger %s does not exist!", c.Key))
	}
	if c.Op == controller.OpDelete {
		return 0, invalid("Removing the log level of the root logger is not allowed")
	}
	for _, k := range logLevels {
		if k.name == *c.Value {
			return k.level, nil
		}
	}
	return 0, model.Explain(kerr.InvalidConfig, fmt.Sprintf(
		"Cannot set the log level of %s to %s as it is not a supported log level. "+
			"Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN", c.Key, *c.Value))
}
