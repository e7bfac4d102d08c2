package config

import (
	"fmt"

	"nave/ctl/logs/message"
)

// printServices prints what stands in front of messages.
func (l *Logging) printServices(p *printer) {
	l.Debug.print(p, "debug")
	l.Log.print(p, "log")
	p.when(l.Numbered, "service sequence-numbers")
}

func (s LogStamp) print(p *printer, what string) {
	switch s.Form {
	case NoStamp:
		p.line("no service timestamps", what)
	case UptimeStamp:
		p.line("service timestamps", what, "uptime")
	case DatetimeStamp:
		p.line("service timestamps", what, "datetime", word(s.Msec, "msec"), word(s.Local, "localtime"), word(s.Zone, "show-timezone"), word(s.Year, "year"))
	}
}

// print prints what goes where.
func (l *Logging) print(p *printer) {
	p.when(l.Off, "no logging on")
	switch l.DMVPN {
	case On:
		p.line("logging dmvpn", opt(p, "rate-limit", l.DMVPNInterval))
	case Off:
		p.line("no logging dmvpn")
	}
	l.Console.print(p, "console")
	l.Monitor.print(p, "monitor")
	switch {
	case l.Buffered == NoLog:
		p.line("no logging buffered")
	case l.Buffered != 0:
		p.line("logging buffered", opt(p, "", l.BufferBytes), l.Buffered)
	}
	if r := l.Rate; r.PerSecond > 0 {
		except := ""
		if r.Except != 0 {
			except = "except " + r.Except.String()
		}
		p.line("logging rate-limit", word(r.Console, "console"), word(r.All, "all"), r.PerSecond, except)
	}
	l.Trap.print(p, "trap")
	p.when(l.RFC5424, "logging trap syslog-format rfc5424")
	l.Syslog.print(p, "syslog")
	if l.FilePath != "" {
		level := ""
		if l.File != 0 {
			level = l.File.String()
		}
		p.line("logging file", l.FilePath, level, word(l.FileJSON, "json"))
	}
	set(p, "logging facility", l.Facility)
	set(p, "logging source-interface", l.Source)
	for _, h := range l.Hosts {
		port := ""
		if h.Port != 0 {
			port = fmt.Sprint("transport udp port ", h.Port)
		}
		p.line("logging host", h.Addr, port)
	}
}

func (l LogLevel) print(p *printer, where string) {
	switch {
	case l == NoLog:
		p.line("no logging", where)
	case l != 0:
		p.line("logging", where, l)
	}
}

// String is the severity's word, as commands have it.
func (l LogLevel) String() string { return message.Severity(l - 1).String() }
