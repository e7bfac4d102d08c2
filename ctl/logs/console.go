package logs

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/coreos/go-systemd/v22/journal"

	"nave/ctl/logs/message"
)

// newConsole is where messages go that go nowhere else.
func newConsole(o Options) *sink {
	if o.Console != nil {
		return &sink{kind: message.Console, to: newLines(o.Console)}
	}
	if is, err := journal.StderrIsJournalStream(); err == nil && is {
		return &sink{kind: message.Journal, name: o.Journal, to: &toJournal{socket: o.Journal, instead: newLines(os.Stderr)}}
	}
	return &sink{kind: message.Console, to: newLines(os.Stderr)}
}

// lines writes messages as log/slog's text has them: what was said and its fields, by name.
type lines struct {
	w    io.Writer
	line bytes.Buffer
	form slog.Handler
}

func newLines(w io.Writer) *lines {
	l := &lines{w: w}
	l.form = slog.NewTextHandler(&l.line, &slog.HandlerOptions{Level: slog.LevelDebug - 1, ReplaceAttr: nameLevel})
	return l
}

func (l *lines) write(r *record, leftOut int) error {
	l.line.Reset()
	if err := l.form.Handle(context.Background(), r.slog(leftOut)); err != nil {
		return err
	}
	_, err := l.w.Write(l.line.Bytes())
	return err
}

// Close leaves what is written to open: it is not its own.
func (l *lines) Close() error { return nil }

// leftOutField is the field that says how many messages before this one a destination was too slow for.
const leftOutField = "left_out"

// slog is a record as log/slog has it.
func (r *record) slog(leftOut int) slog.Record {
	out := slog.NewRecord(r.at, LevelOf(r.severity), r.said, 0)
	for _, f := range r.fields {
		out.AddAttrs(slog.String(f.Name, f.Value))
	}
	if leftOut > 0 {
		out.AddAttrs(slog.Int(leftOutField, leftOut))
	}
	return out
}
