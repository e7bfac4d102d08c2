package logs

import (
	"log/slog"

	"nave/ctl/logs/message"
)

// levels are slog's levels of the severities. slog has four; the others lie between and above them. What is debugged because an operator asked for it is above slog.LevelDebug,
// which is for whoever works on nave itself and is taken with Options.Debug only.
var levels = [...]slog.Level{
	message.Emergency: 20, message.Alert: 16, message.Critical: 12, message.Error: slog.LevelError, message.Warning: slog.LevelWarn,
	message.Notice: 2, message.Informational: slog.LevelInfo, message.Debugging: -2,
}

// LevelOf is the level that messages of a severity have in log/slog.
func LevelOf(s message.Severity) slog.Level {
	return levels[min(max(s, message.Emergency), message.Debugging)]
}

// SeverityOf is the severity of a level.
func SeverityOf(l slog.Level) message.Severity {
	for s, least := range levels {
		if l >= least {
			return message.Severity(s)
		}
	}
	return message.Debugging
}

var levelNames = [...]string{"EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARN", "NOTICE", "INFO", "DEBUG"}

// nameLevel writes a level by the name of its severity; it is for slog.HandlerOptions.
func nameLevel(groups []string, a slog.Attr) slog.Attr {
	if l, ok := a.Value.Any().(slog.Level); ok && len(groups) == 0 && a.Key == slog.LevelKey {
		a.Value = slog.StringValue(levelNames[SeverityOf(l)])
	}
	return a
}
