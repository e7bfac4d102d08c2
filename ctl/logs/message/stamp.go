package message

import (
	"fmt"
	"time"
)

// Stamp is what of time is written in front of a line, as `service timestamps` asks for.
type Stamp struct {
	Form      StampForm
	Msec      bool // three digits of milliseconds
	Local     bool // the time of the host's zone; otherwise UTC
	Zone      bool // name the zone
	Year      bool
	Numbering bool // the line's number in front of all, as `service sequence-numbers` asks for
}

// StampForm is a form of time.
type StampForm uint8

// The forms.
const (
	Datetime StampForm = iota
	Uptime
	NoStamp
)

// DefaultStamp is the one where nothing is configured.
var DefaultStamp = Stamp{Form: Datetime, Msec: true}

// Put writes a text with its number and time in front. started is when the daemon was.
func (s Stamp) Put(text string, number uint64, at, started time.Time) string {
	var head string
	if s.Numbering {
		head = fmt.Sprintf("%06d: ", number)
	}
	switch s.Form {
	case Datetime:
		head += s.datetime(at) + ": "
	case Uptime:
		head += uptime(at.Sub(started)) + ": "
	}
	return head + text
}

func (s Stamp) datetime(at time.Time) string {
	at = at.UTC()
	if s.Local {
		at = at.Local()
	}
	layout := "Jan _2 "
	if s.Year {
		layout += "2006 "
	}
	layout += "15:04:05"
	if s.Msec {
		layout += ".000"
	}
	if s.Zone {
		layout += " MST"
	}
	return at.Format(layout)
}

// uptime is a time as IOS writes how long something has been: hours, minutes and seconds on the first day, then days and hours, then weeks and days.
func uptime(d time.Duration) string {
	const day, week = 24 * time.Hour, 7 * 24 * time.Hour
	switch d = max(d, 0); {
	case d < day:
		return fmt.Sprintf("%02d:%02d:%02d", d/time.Hour, d/time.Minute%60, d/time.Second%60)
	case d < week:
		return fmt.Sprintf("%dd%02dh", d/day, d/time.Hour%24)
	}
	return fmt.Sprintf("%dw%dd", d/week, d/day%7)
}
