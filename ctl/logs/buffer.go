package logs

import (
	"slices"
	"strings"

	"nave/ctl/logs/message"
)

// buffer remembers the latest messages: so many bytes of text as it has room for.
type buffer struct {
	room      int
	used      int
	records   []*record // from first on
	first     int
	taken     uint64 // in all
	forgotten uint64
}

// cost is what a message takes, with the end of its line.
func cost(r *record) int { return len(r.stamped) + 1 }

func (b *buffer) add(r *record) {
	b.records = append(b.records, r)
	b.used += cost(r)
	b.taken++
	b.shrink()
}

// shrink forgets the oldest until there is room.
func (b *buffer) shrink() {
	for b.used > b.room && b.first < len(b.records) {
		b.used -= cost(b.records[b.first])
		b.records[b.first] = nil
		b.first++
		b.forgotten++
	}
	if b.first > len(b.records)/2 {
		b.records = append(make([]*record, 0, 2*(len(b.records)-b.first)), b.records[b.first:]...)
		b.first = 0
	}
}

func (b *buffer) resize(room int) {
	b.room = room
	b.shrink()
}

// clear forgets all.
func (b *buffer) clear() { b.records, b.first, b.used = nil, 0, 0 }

// line is a record as a value.
func (r *record) line() message.Line {
	return message.Line{Time: r.at, Severity: int(r.severity), Text: r.text, Stamped: r.stamped, Number: r.number, Fields: r.fields}
}

// Clear forgets what is in memory.
func (l *Log) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buffer.clear()
}

// mostCounts bounds how many messages are told apart: their names are nave's own, and few.
const mostCounts = 1000

// count counts a message by its name. Log.mu is held.
func (l *Log) count(r *record) {
	facility, mnemonic := split(r.text)
	if mnemonic == "" {
		return
	}
	name := facility + " " + mnemonic
	c := l.counts[name]
	if c == nil {
		if len(l.counts) >= mostCounts {
			return
		}
		c = &message.Count{Facility: facility, Mnemonic: mnemonic}
		l.counts[name] = c
	}
	c.Times++
	c.Last, c.Severity = r.at, int(r.severity)
}

// counted lists how often each message was logged, by name. Log.mu is held.
func (l *Log) counted() []message.Count {
	list := make([]message.Count, 0, len(l.counts))
	for _, c := range l.counts {
		v := *c
		stamp := l.settings.stamp(message.Severity(c.Severity))
		stamp.Numbering = false
		v.Stamp = strings.TrimSuffix(stamp.Put("", 0, c.Last, l.options.Started), ": ")
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b message.Count) int {
		return strings.Compare(a.Facility+" "+a.Mnemonic, b.Facility+" "+b.Mnemonic)
	})
	return list
}
