package config

import (
	"net/netip"
	"time"

	"nave/ctl/logs/message"
)

// Logging is what `logging ...` and `service ...` ask for.
type Logging struct {
	Off bool // `no logging on`: nothing is logged but on the console

	DMVPN Toggle // `logging dmvpn`; default on
	// DMVPNInterval is `logging dmvpn rate-limit SECONDS`: at most one message in that time. 0: no limit.
	DMVPNInterval time.Duration

	Console  LogLevel // default up to debugging
	Monitor  LogLevel // default up to debugging
	Buffered LogLevel // default up to debugging
	Trap     LogLevel // default up to informational
	Syslog   LogLevel // default off
	File     LogLevel // of FilePath; default up to debugging

	BufferBytes int    // 0: not said
	FilePath    string // empty: there is none
	FileJSON    bool

	Hosts    []LogHost
	Facility string // empty: local7
	Source   string // `logging source-interface`
	RFC5424  bool

	Rate LogRate

	Numbered   bool // `service sequence-numbers`
	Log, Debug LogStamp
}

// LogLevel is the mildest severity that a destination of the log takes. The zero value says nothing.
type LogLevel int8

// NoLog is a destination that takes nothing.
const NoLog LogLevel = -1

// LogUpTo takes messages of a severity and of worse.
func LogUpTo(s message.Severity) LogLevel { return LogLevel(s) + 1 }

// Severity is what a destination takes, by its default where nothing is said; ok is false where it takes nothing.
func (l LogLevel) Severity(byDefault LogLevel) (s message.Severity, ok bool) {
	if l == 0 {
		l = byDefault
	}
	return message.Severity(l - 1), l > 0
}

// LogHost is `logging host ADDRESS [transport udp port PORT]`.
type LogHost struct {
	Addr netip.Addr
	Port uint16 // 0: 514
}

// LogRate is `logging rate-limit`.
type LogRate struct {
	PerSecond int // 0: no limit
	Console   bool
	All       bool
	Except    LogLevel // zero: none
}

// LogStamp is `service timestamps {log|debug}`: the time in front of messages.
type LogStamp struct {
	Form                    StampForm
	Msec, Local, Zone, Year bool // of Datetime
}

// StampForm is a form of time in front of messages.
type StampForm uint8

// The forms.
const (
	UnsaidStamp   StampForm = iota // the date and time to milliseconds
	NoStamp                        // `no service timestamps`
	UptimeStamp                    // how long the router is up
	DatetimeStamp                  // date and time
)
