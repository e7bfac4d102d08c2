package logs

import (
	"slices"

	"nave/ctl/logs/message"
)

// Status is what there is to know of the log, with what it remembers. What the limit of events left out and how it is set is not the log's, and is not filled in.
func (l *Log) Status() message.Status {
	out, remembered := l.known()
	out.Lines = make([]message.Line, len(remembered)) // beside the log: who says something must not wait for as many as there may be
	for i, r := range remembered {
		out.Lines[i] = r.line()
	}
	return out
}

// known is Status without the lines, which it returns as they are remembered.
func (l *Log) known() (message.Status, []*record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.settings
	out := message.Status{
		On: !s.Off, Messages: l.number, RateLimited: l.limited, Rate: s.Rate.PerSecond, Numbered: s.Log.Numbering, Facility: s.Facility.String(), Format: "rfc3164",
		Watchers: len(l.watchers), BufferBytes: s.BufferBytes, Forgotten: l.buffer.forgotten, Counts: l.counted(),
	}
	if s.RFC5424 {
		out.Format = "rfc5424"
	}
	if s.Source.IsValid() {
		out.Source = s.Source.String()
	}
	monitor := place(message.Monitor, "", s.Monitor)
	monitor.Written, monitor.Dropped = l.watched, l.unseen
	memory := place(message.Buffer, "", s.Buffer)
	memory.Written = l.buffer.taken
	out.Destinations = []message.Destination{l.console.status(), monitor, memory}
	for _, k := range l.sinks {
		out.Destinations = append(out.Destinations, k.status())
	}
	if s.Trap != Off && len(s.Hosts) == 0 || s.Trap == Off { // what servers would get, where there are none
		out.Destinations = append(out.Destinations, place(message.Host, "", s.Trap))
	}
	for _, d := range out.Destinations {
		out.Dropped += d.Dropped
	}
	return out, slices.Clone(l.buffer.records[l.buffer.first:])
}

func place(k message.Kind, name string, l Level) message.Destination {
	v, on := l.severity()
	if !on {
		v = 0
	}
	return message.Destination{Kind: k, Name: name, On: on, Severity: int(v)}
}

// status is what there is to know of a sink. Log.mu is held.
func (s *sink) status() message.Destination {
	d := place(s.kind, s.name, s.level)
	d.Written, d.Failed, d.Dropped, d.Waiting = s.written.Load(), s.failed.Load(), s.dropped, len(s.queue)
	if t := s.trouble.Load(); t != nil {
		d.Trouble = *t
	}
	return d
}
