package logs

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"nave/ctl/logs/message"
)

// identifier is the name of the program in the logs of others.
const identifier = "naved"

// localSocket is where the machine's syslog daemon takes messages.
const localSocket = "/dev/log"

// origin is where messages to syslog servers come from, and in which form they are written.
type origin struct {
	facility message.Facility
	hostname string
	pid      int
	rfc5424  bool
}

func (o origin) String() string {
	return fmt.Sprint(o.facility, " ", o.hostname, " ", o.pid, " ", o.rfc5424)
}

// priority is the head of a message (RFC 5424 section 6.2.1).
func (o origin) priority(s message.Severity) string {
	return "<" + strconv.Itoa(int(o.facility)<<3|int(s)) + ">"
}

// Most bytes of a message: what servers have to take (RFC 3164 section 4.1), or should (RFC 5424 section 6.1).
const (
	maxRFC3164 = 1024
	maxRFC5424 = 2048
)

// remote is a message as it is sent to a server.
func (o origin) remote(r *record, leftOut int) string {
	if o.rfc5424 {
		return o.modern(r, leftOut)
	}
	// The time is that of the zone, as RFC 3164 section 4.1.2 wants it.
	return cut(o.priority(r.severity)+r.at.Local().Format("Jan _2 15:04:05 ")+o.hostname+" "+numbered(r)+r.text, maxRFC3164)
}

// local is a message as the machine's own syslog daemon takes it.
func (o origin) local(r *record, _ int) string {
	return cut(fmt.Sprintf("%s%s%s[%d]: %s%s", o.priority(r.severity), r.at.Local().Format("Jan _2 15:04:05 "), identifier, o.pid, numbered(r), r.text), maxRFC5424)
}

// numbered is the line's number where the log has them.
func numbered(r *record) string {
	if n := fmt.Sprintf("%06d: ", r.number); strings.HasPrefix(r.stamped, n) {
		return n
	}
	return ""
}

// enterprise qualifies the names of nave's fields. nave has no number of its own; this one is for examples (RFC 5612) and is nobody's.
const enterprise = "nave@32473"

// modern is a message by RFC 5424, with its fields as structured data.
func (o origin) modern(r *record, leftOut int) string {
	facility, mnemonic := split(r.text)
	id := cmp.Or(strings.Trim(facility+"-"+mnemonic, "-"), "-")
	head := fmt.Sprintf("%s1 %s %s %s %d %s ", o.priority(r.severity), r.at.UTC().Format("2006-01-02T15:04:05.000000Z"), o.hostname, identifier, o.pid, id[:min(len(id), 32)])
	const most = 1<<31 - 1 // of sequenceId (RFC 5424 section 7.3.1)
	meta := fmt.Sprintf(`[meta sequenceId="%d"]`, (r.number-1)%most+1)
	data := meta + structured(r.fields, leftOut)
	if len(head)+len(data)+1+len(r.text) > maxRFC5424 {
		data = meta // the text says the most
	}
	return cut(head+data+" "+r.text, maxRFC5424)
}

// structured writes fields as an element of structured data (RFC 5424 section 6.3).
func structured(fields []message.Field, leftOut int) string {
	if leftOut > 0 {
		fields = append(fields[:len(fields):len(fields)], message.Field{Name: leftOutField, Value: strconv.Itoa(leftOut)})
	}
	if len(fields) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("[" + enterprise)
	for _, f := range fields {
		b.WriteByte(' ')
		b.WriteString(parameter(f.Name))
		b.WriteString(`="`)
		b.WriteString(escapeParameter.Replace(f.Value))
		b.WriteByte('"')
	}
	b.WriteByte(']')
	return b.String()
}

var escapeParameter = strings.NewReplacer(`"`, `\"`, `\`, `\\`, `]`, `\]`)

// parameter is a name as RFC 5424 allows it: at most 32 printable characters without =, ], " and spaces.
func parameter(name string) string {
	name = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == '=' || r == ']' || r == '"' {
			return '_'
		}
		return r
	}, name)
	return cmp.Or(name[:min(len(name), 32)], "_")
}
