package logs

import (
	"context"
	"log/slog"
	"time"

	"nave/ctl/logs/message"
)

// handler brings what is said by log/slog into the log.
type handler struct {
	log    *Log
	prefix string // of the groups that it is in
	fields []message.Field
}

// Handler is the log for log/slog. What it is given is taken apart before it returns.
func (l *Log) Handler() slog.Handler { return &handler{log: l} }

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return level > slog.LevelDebug || h.log.options.Debug
}

// Handle implements slog.Handler.
func (h *handler) Handle(_ context.Context, in slog.Record) error {
	fields := make([]message.Field, 0, len(h.fields)+in.NumAttrs())
	fields = append(fields, h.fields...)
	in.Attrs(func(a slog.Attr) bool {
		fields = flatten(fields, h.prefix, a)
		return true
	})
	at := in.Time
	if at.IsZero() {
		at = time.Now()
	}
	severity := SeverityOf(in.Level)
	h.log.take(newRecord(at, severity, in.Message, fields, severity == message.Debugging && in.Level > slog.LevelDebug))
	return nil
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	fields := append([]message.Field(nil), h.fields...)
	for _, a := range attrs {
		fields = flatten(fields, h.prefix, a)
	}
	return &handler{log: h.log, prefix: h.prefix, fields: fields}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{log: h.log, prefix: h.prefix + name + ".", fields: h.fields}
}
