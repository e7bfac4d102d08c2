package logs

import (
	"net/netip"
	"slices"

	"nave/ctl/logs/message"
)

// Level says what a destination takes: messages of a severity and of worse. The zero value takes none.
type Level int8

// Off takes nothing.
const Off Level = 0

// UpTo takes messages of a severity and of worse.
func UpTo(s message.Severity) Level { return Level(s) + 1 }

// takes tells whether a message passes.
func (l Level) takes(s message.Severity) bool { return s < message.Severity(l) }

// severity is the mildest that passes; ok is false where none does.
func (l Level) severity() (s message.Severity, ok bool) { return message.Severity(l - 1), l > 0 }

// Settings say what of the log goes where.
type Settings struct {
	Off bool // nothing is logged but on the console (`no logging on`)

	Console Level // standard error, or the journal
	Monitor Level // whoever follows
	Buffer  Level // memory
	File    Level
	Local   Level // the syslog daemon of the machine
	Trap    Level // syslog servers

	BufferBytes int    // of text in memory
	Path        string // of File; empty: there is none
	JSON        bool   // lines of File are JSON

	Hosts    []netip.AddrPort // syslog servers, by UDP
	Source   netip.Addr       // that they are sent to from; not valid: the kernel chooses
	Facility message.Facility
	RFC5424  bool   // otherwise RFC 3164
	Hostname string // that messages to servers come from

	Rate       Rate
	Log, Debug message.Stamp // what stands in front of messages, and of those that are debugged
}

// DefaultBuffer is how many bytes of text are remembered.
const DefaultBuffer = 256 << 10

// DefaultSettings are those where nothing is configured.
func DefaultSettings() Settings {
	all := UpTo(message.Debugging)
	return Settings{
		Console: all, Monitor: all, Buffer: all, File: all, Local: Off, Trap: UpTo(message.Informational),
		BufferBytes: DefaultBuffer, Facility: message.Local7, Log: message.DefaultStamp, Debug: message.DefaultStamp,
	}
}

// stamp is what stands in front of a message of a severity.
func (s *Settings) stamp(v message.Severity) message.Stamp {
	if v == message.Debugging {
		return s.Debug
	}
	return s.Log
}

// Configure changes what goes where. Destinations that stay as they are keep their queues and counts.
func (l *Log) Configure(s Settings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	s.Hosts = slices.Clone(s.Hosts)
	l.settings = s
	l.rate.follow(s.Rate)
	l.buffer.resize(s.BufferBytes)
	l.console.level = s.Console
	wanted := l.destinations(&s)
	var kept []*sink
	for _, old := range l.sinks {
		if i := slices.IndexFunc(wanted, func(w *sink) bool { return w.key == old.key }); i >= 0 {
			old.level = wanted[i].level
			wanted[i] = old
			kept = append(kept, old)
			continue
		}
		close(old.queue) // what it has is still written
		l.leaving = append(l.leaving, old)
	}
	l.leaving = slices.DeleteFunc(l.leaving, (*sink).over)
	for _, w := range wanted {
		if !slices.Contains(kept, w) {
			l.start(w)
		}
	}
	l.sinks = wanted
}
