package logs

import (
	"encoding"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"nave/ctl/logs/message"
)

// record is a message on its way to the destinations. It does not change once it is taken.
type record struct {
	at       time.Time
	severity message.Severity
	said     string // as it was said, in one line
	text     string // as IOS writes it
	fields   []message.Field
	number   uint64
	stamped  string // text with number and time
}

// Most bytes of a message, and of one of its fields; most fields.
const (
	maxText   = 4096
	maxField  = 1024
	maxFields = 32
)

// newRecord makes a message of what was said. plain is text of what an operator debugs, which has no name in front.
func newRecord(at time.Time, s message.Severity, said string, fields []message.Field, plain bool) *record {
	r := &record{at: at, severity: s, said: clean(said, maxText), fields: fields}
	r.text = r.said
	if _, mnemonic := split(r.said); mnemonic == "" && !plain {
		r.text = dressed(r.said, s, fields)
	}
	return r
}

// dressed is the text of a message that has no mnemonic: `bgp: accept` with a field becomes `%BGP-4-MSG: accept (vrf=red)`.
func dressed(said string, s message.Severity, fields []message.Field) string {
	facility := "NAVE"
	if head, rest, ok := strings.Cut(said, ": "); ok && isWord(head) {
		facility, said = strings.ToUpper(head), rest
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%%%s-%d-%s: %s", facility, s, plainMnemonic, said)
	for i, f := range fields {
		b.WriteString([...]string{" (", ", "}[min(i, 1)])
		b.WriteString(f.Name)
		b.WriteByte('=')
		b.WriteString(f.Value)
	}
	if len(fields) > 0 {
		b.WriteByte(')')
	}
	return cut(b.String(), maxText)
}

// plainMnemonic is what messages that have none are called.
const plainMnemonic = "MSG"

// isWord tells whether a text is the name of a part of nave, such as bgp.
func isWord(s string) bool {
	if len(s) < 2 || len(s) > 8 {
		return false
	}
	for _, c := range []byte(s) {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}

// split takes a message's text apart: DMVPN, NHRP_CACHE of `%DMVPN-5-NHRP_CACHE: ...`. Both are empty for what has no such beginning.
func split(text string) (facility, mnemonic string) {
	head, _, ok := strings.Cut(text, ":")
	if !ok || !strings.HasPrefix(head, "%") || strings.ContainsAny(head, " \t") {
		return "", ""
	}
	i := strings.LastIndexByte(head, '-')
	if i < 4 || head[i-2] != '-' {
		return "", ""
	}
	return head[1 : i-2], head[i+1:]
}

// flatten makes fields of attributes; groups become parts of names.
func flatten(to []message.Field, prefix string, a slog.Attr) []message.Field {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, in := range v.Group() {
			to = flatten(to, prefix, in)
		}
		return to
	}
	if len(to) >= maxFields || a.Key == "" && v.Kind() == slog.KindAny && v.Any() == nil {
		return to
	}
	return append(to, message.Field{Name: clean(prefix+a.Key, 64), Value: clean(textOf(v), maxField)})
}

func textOf(v slog.Value) string {
	if v.Kind() == slog.KindTime {
		return v.Time().Format(time.RFC3339Nano)
	}
	if v.Kind() != slog.KindAny {
		return v.String()
	}
	switch x := v.Any().(type) {
	case error, fmt.Stringer:
		return fmt.Sprint(x) // and not x.Error(), which a nil pointer would end the daemon by
	case encoding.TextMarshaler:
		if b, err := x.MarshalText(); err == nil {
			return string(b)
		}
	}
	return fmt.Sprintf("%+v", v.Any())
}
