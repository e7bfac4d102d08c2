package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func keyChainCommands() []*spec {
	return []*spec{cmd("key <id:0-2147483647>", "A key", func(x *ctx) {
		k, id := x.top().obj.(*KeyChain), uint32(x.Uint("id"))
		if !x.on() {
			remove(&k.Keys, func(e *Key) bool { return e.ID == id })
			return
		}
		for _, e := range k.Keys {
			if e.ID == id {
				x.push(mKey, e, nil)
				return
			}
		}
		e := &Key{ID: id}
		k.Keys = append(k.Keys, e)
		x.push(mKey, e, nil)
	})}
}

func keyCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, k *Key)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, x.top().obj.(*Key)) })
	}
	return []*spec{
		on("key-string ~ [{0|7}] <key:line>", "The key", func(x *ctx, k *Key) {
			if !x.encrypted() {
				k.String = x.secret("key")
			}
		}),
		on("accept-lifetime ~ <lifetime:line>", "When the key is accepted: [local] HH:MM:SS MONTH DAY YEAR {infinite|duration SECONDS|HH:MM:SS MONTH DAY YEAR}",
			func(x *ctx, k *Key) { x.lifetime(&k.Accept) }).def("always"),
		on("send-lifetime ~ <lifetime:line>", "When the key is sent: as `accept-lifetime`", func(x *ctx, k *Key) { x.lifetime(&k.Send) }).def("always"),
	}
}

// lifetime sets a lifetime, in the form in which it prints.
func (x *ctx) lifetime(to *string) {
	if !x.on() {
		*to = ""
		return
	}
	l, err := ParseKeyLifetime(x.Text("lifetime"))
	if err != nil {
		x.bad("write it as `00:00:00 Jan 1 2026 infinite`, or with `duration SECONDS` or another time at the end", "%s", err)
		return
	}
	*to = l.String()
}

// KeyLifetime is when a key is good. Its times are what a clock on the wall says; the clock is UTC's, or that of the router's time zone.
type KeyLifetime struct {
	// From and Until are in UTC by name, whatever clock is meant. The zero Time is no limit.
	From, Until time.Time
	Duration    time.Duration // instead of Until; 0: none
	Local       bool          // the clock is that of the router's time zone
}

// In is the lifetime as points in time, where zone is the router's time zone. The zero Time is no limit; the key is no longer good at until.
func (l KeyLifetime) In(zone *time.Location) (from, until time.Time) {
	if !l.Local {
		zone = time.UTC
	}
	at := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone)
	}
	from, until = at(l.From), at(l.Until)
	if l.Duration != 0 {
		until = from.Add(l.Duration)
	}
	return from, until
}

const lifetimeForm = "15:04:05 Jan 2 2006"

// String writes the lifetime as ParseKeyLifetime reads it; nothing for one without limits.
func (l KeyLifetime) String() string {
	if l.From.IsZero() {
		return ""
	}
	end := "infinite"
	switch {
	case l.Duration != 0:
		end = fmt.Sprintf("duration %d", l.Duration/time.Second)
	case !l.Until.IsZero():
		end = l.Until.Format(lifetimeForm)
	}
	return word(l.Local, "local ") + l.From.Format(lifetimeForm) + " " + end
}

// ParseKeyLifetime reads `[local] HH:MM:SS MONTH DAY YEAR {infinite|duration SECONDS|HH:MM:SS MONTH DAY YEAR}`; month and day may be in either order. No text at all is a lifetime
// without limits.
func ParseKeyLifetime(text string) (l KeyLifetime, err error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return l, nil
	}
	if words[0] == "local" {
		l.Local, words = true, words[1:]
	}
	if len(words) < 5 {
		return KeyLifetime{}, fmt.Errorf("the lifetime %q lacks its end", text)
	}
	if l.From, err = wallTime(words[:4]); err != nil {
		return KeyLifetime{}, err
	}
	switch rest := words[4:]; {
	case len(rest) == 1 && len(rest[0]) >= 3 && strings.HasPrefix("infinite", strings.ToLower(rest[0])):
	case len(rest) == 2 && len(rest[0]) >= 1 && strings.HasPrefix("duration", strings.ToLower(rest[0])):
		n, err := strconv.ParseUint(rest[1], 10, 31)
		if err != nil || n == 0 || n > 1<<31-2 {
			return KeyLifetime{}, fmt.Errorf("%q is no number of seconds from 1 to 2147483646", rest[1])
		}
		l.Duration = time.Duration(n) * time.Second
	case len(rest) == 4:
		if l.Until, err = wallTime(rest); err != nil {
			return KeyLifetime{}, err
		}
		if !l.Until.After(l.From) {
			return KeyLifetime{}, fmt.Errorf("the lifetime ends at %s, before it begins", l.Until.Format(lifetimeForm))
		}
	default:
		return KeyLifetime{}, fmt.Errorf("%q is no end of a lifetime", strings.Join(rest, " "))
	}
	return l, nil
}

// wallTime reads a time of day, a month and a day in either order, and a year.
func wallTime(words []string) (time.Time, error) {
	bad := func(what, text string) (time.Time, error) { return time.Time{}, fmt.Errorf("%q is no %s", text, what) }
	clock, err := time.Parse("15:04:05", words[0])
	if err != nil {
		return bad("time of day such as 08:30:00", words[0])
	}
	month, ok := monthOf(words[1])
	day := words[2]
	if !ok {
		if month, ok = monthOf(words[2]); !ok {
			return bad("date such as Jan 31", words[1]+" "+words[2])
		}
		day = words[1]
	}
	d, err := strconv.Atoi(day)
	if err != nil || d < 1 || d > 31 {
		return bad("day of a month", day)
	}
	year, err := strconv.Atoi(words[3])
	if err != nil || year < 1993 || year > 9999 {
		return bad("year from 1993 on", words[3])
	}
	t := time.Date(year, month, d, clock.Hour(), clock.Minute(), clock.Second(), 0, time.UTC)
	if t.Day() != d {
		return bad("day of "+month.String()+" "+words[3], day)
	}
	return t, nil
}

// monthOf reads a month by its English name, three letters at least.
func monthOf(s string) (time.Month, bool) {
	if len(s) < 3 {
		return 0, false
	}
	for m := time.January; m <= time.December; m++ {
		if name := m.String(); len(s) <= len(name) && strings.EqualFold(name[:len(s)], s) {
			return m, true
		}
	}
	return 0, false
}
