package logs

import (
	"cmp"
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"nave/ctl/logs/message"
)

// Options are what a Log can't be told later.
type Options struct {
	Debug   bool      // take what is of level slog.LevelDebug, which is for whoever works on nave
	Started time.Time // of the daemon; zero: now
	// Console is where messages go that go nowhere else. nil: the journal, if standard error is one of its streams, otherwise standard error.
	Console io.Writer
	// Trouble has the words for a destination that can't be written to, or can be again; nil: nothing is said of it.
	Trouble func(message.Trouble) (text string, severity message.Severity)
	// Journal and Local are the sockets of the journal and of the machine's syslog daemon; empty: where they always are.
	Journal, Local string
}

// Log is a log. It goes on from any goroutine, and nothing of it waits for a destination.
type Log struct {
	options Options

	mu       sync.Mutex
	closed   bool
	settings Settings
	number   uint64
	rate     rate
	limited  uint64 // messages that Rate kept out
	console  *sink
	sinks    []*sink
	leaving  []*sink // that are configured no more, and still write what they have
	buffer   buffer
	watchers map[*watcher]struct{}
	watched  uint64 // messages that went to watchers
	unseen   uint64 // messages that watchers were too slow for
	counts   map[string]*message.Count
}

// New makes a log by DefaultSettings. Close ends it.
func New(o Options) *Log {
	if o.Started.IsZero() {
		o.Started = time.Now()
	}
	o.Journal, o.Local = cmp.Or(o.Journal, journalSocket), cmp.Or(o.Local, localSocket)
	l := &Log{options: o, watchers: make(map[*watcher]struct{}), counts: make(map[string]*message.Count)}
	l.console = newConsole(o)
	l.start(l.console)
	l.Configure(DefaultSettings())
	return l
}

// destinations are the sinks that settings ask for, beside the console. They are not started.
func (l *Log) destinations(s *Settings) (list []*sink) {
	if s.Path != "" && s.File != Off {
		form := "text"
		if s.JSON {
			form = "json"
		}
		list = append(list, &sink{kind: message.File, name: s.Path, key: "file " + s.Path + " " + form, level: s.File, to: newFile(s.Path, s.JSON)})
	}
	from := origin{facility: s.Facility, hostname: hostname(s.Hostname), pid: os.Getpid(), rfc5424: s.RFC5424}
	if s.Local != Off {
		list = append(list, &sink{kind: message.Local, name: l.options.Local, key: "local " + from.String(), level: s.Local, to: &sender{network: "unixgram", address: l.options.Local, form: from.local}})
	}
	if s.Trap == Off {
		return list
	}
	for _, h := range s.Hosts {
		to := &sender{network: "udp", address: h.String(), source: s.Source, form: from.remote}
		key := strings.Join([]string{"host", to.address, s.Source.String(), from.String()}, " ")
		list = append(list, &sink{kind: message.Host, name: to.address, key: key, level: s.Trap, to: to})
	}
	return list
}

// hostname is what messages to servers say that they come from: no spaces, and a name of the machine where none is configured.
func hostname(configured string) string {
	if configured == "" {
		configured, _ = os.Hostname() // RFC 5424 section 6.2.4 has a sign for not knowing it
	}
	name := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, configured)
	return cmp.Or(name[:min(len(name), 255)], "-")
}

// take hands a message out.
func (l *Log) take(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	console, others := true, !l.settings.Off
	if !l.rate.allow(r.at, r.severity) {
		console, others = false, others && l.settings.Rate.Console
		l.limited++
	}
	if !console && !others {
		return
	}
	l.number++
	r.number = l.number
	r.stamped = l.settings.stamp(r.severity).Put(r.text, r.number, r.at, l.options.Started)
	l.count(r)
	if console && l.console.level.takes(r.severity) {
		l.console.offer(r)
	}
	if !others {
		return
	}
	for _, s := range l.sinks {
		if s.level.takes(r.severity) {
			s.offer(r)
		}
	}
	if l.settings.Buffer.takes(r.severity) {
		l.buffer.add(r)
	}
	if l.settings.Monitor.takes(r.severity) {
		l.show(r)
	}
}

// Reopen has files opened anew, with the next message: they may have been renamed.
func (l *Log) Reopen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sinks {
		s.again.Store(true)
	}
}

// Close writes what waits, for as long as that takes and not longer than patience, and ends the log. Whoever follows is told.
func (l *Log) Close(patience time.Duration) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	all := append([]*sink{l.console}, l.sinks...)
	for _, s := range all {
		close(s.queue)
	}
	all = append(all, l.leaving...)
	for w := range l.watchers {
		close(w.queue)
	}
	clear(l.watchers)
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience) // for all together
	defer cancel()
	for _, s := range all {
		s.end(ctx)
	}
}
