// Package message is what the log is made of, as values: severities and facilities with their names, a line, when it was said, and how it is written
// for people; what there is to know of the log as a whole. It writes nothing anywhere: package logs does.
package message

import (
	"strconv"
	"time"
)

// Severity is how bad something is, by the numbers of RFC 5424 section 6.2.1, which IOS uses, too: the lower the worse.
type Severity int

// The severities.
const (
	Emergency Severity = iota
	Alert
	Critical
	Error
	Warning
	Notice
	Informational
	Debugging
)

var severityNames = [...]string{"emergencies", "alerts", "critical", "errors", "warnings", "notifications", "informational", "debugging"}

// String is the word that commands have for it, as in `logging trap informational`.
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return strconv.Itoa(int(s))
	}
	return severityNames[s]
}

// ParseSeverity reads a severity's word or number.
func ParseSeverity(word string) (Severity, bool) {
	for i, n := range severityNames {
		if word == n || word == strconv.Itoa(i) {
			return Severity(i), true
		}
	}
	return 0, false
}

// Facility is what part of a system a message to a syslog server is of, by the numbers of RFC 5424 section 6.2.1.
type Facility int

// The facilities that are named here; there are 24.
const (
	Daemon Facility = 3
	Local7 Facility = 23 // what routers use
)

// facilityNames are IOS's words. What RFC 5424 numbers 9 to 14 it calls by their numbers, and cron is the second of two clock daemons.
var facilityNames = [...]string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "sys9", "sys10", "sys11", "sys12", "sys13", "sys14", "cron",
	"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

// String is the word that `logging facility` has for it.
func (f Facility) String() string {
	if f < 0 || int(f) >= len(facilityNames) {
		return strconv.Itoa(int(f))
	}
	return facilityNames[f]
}

// ParseFacility reads a facility's word.
func ParseFacility(word string) (Facility, bool) {
	for i, n := range facilityNames {
		if word == n {
			return Facility(i), true
		}
	}
	return 0, false
}

// Line is a line of the log.
type Line struct {
	Time     time.Time `json:"time"`
	Severity int       `json:"severity"` // a Severity
	Text     string    `json:"text"`     // as IOS writes it: %DMVPN-5-NHRP_NHS: Tunnel0 10.0.0.1 is UP
	// Stamped is Text with its number and time in front, as `service timestamps` and `service sequence-numbers` ask for: what a terminal shows.
	Stamped string  `json:"stamped,omitempty"`
	Number  uint64  `json:"number,omitempty"` // counts all lines since the daemon started
	Fields  []Field `json:"fields,omitempty"` // its parts, for programs
	LeftOut int     `json:"left_out,omitempty"`
}

// Field is a part of a message, by name.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
