package config

import (
	"path"
	"strings"

	"nave/ctl/logs/message"
)

// severities is the choice of a severity, in syntax strings.
const severities = "{emergencies|alerts|critical|errors|warnings|notifications|informational|debugging|<level:0-7>}"

// LogFolder is where the files of the log have to be. Whoever may configure the router may not append to any other file of the machine by that.
const LogFolder = "/var/log/"

// loggingCommands say what of the log goes where.
func loggingCommands() []*spec {
	return []*spec{
		cmd("logging on", "Log anywhere but on the console", func(x *ctx) { x.cfg.Logging.Off = x.off() }).def("on"),
		cmd("logging dmvpn ~ [rate-limit <seconds:1-3600>]", "Log DMVPN events, at most one in so many seconds", func(x *ctx) {
			x.cfg.Logging.DMVPN, x.cfg.Logging.DMVPNInterval = x.toggle(), x.dur("seconds")
		}).def("on"),
		cmd("logging console ~ ["+severities+"]", "Log to the journal, or to standard error", func(x *ctx) { x.cfg.Logging.Console = x.logLevel() }).def("debugging"),
		cmd("logging monitor ~ ["+severities+"]", "Log on terminals that say `terminal monitor`", func(x *ctx) { x.cfg.Logging.Monitor = x.logLevel() }).def("debugging"),
		cmd("logging buffered ~ [<bytes:4096-268435456>] ["+severities+"]", "Log in memory", func(x *ctx) {
			x.cfg.Logging.Buffered, x.cfg.Logging.BufferBytes = x.logLevel(), 0
			if x.on() && x.Given("bytes") {
				x.cfg.Logging.BufferBytes = x.num("bytes")
			}
		}).def("262144 debugging"),
		cmd("logging trap ~ ["+severities+"]", "Log to servers", func(x *ctx) {
			if x.cfg.Logging.Trap = x.logLevel(); x.on() && x.cfg.Logging.Trap == LogUpTo(message.Debugging) && !x.Given("level") && !x.Has("debugging") {
				x.cfg.Logging.Trap = LogUpTo(message.Informational)
			}
		}).def("informational"),
		cmd("logging trap syslog-format ~ {rfc3164|rfc5424}", "Form of messages to servers", func(x *ctx) { x.cfg.Logging.RFC5424 = x.has("rfc5424") }).def("rfc3164").nave(),
		cmd("logging syslog ~ ["+severities+"]", "Log to the syslog daemon of the machine", func(x *ctx) { x.cfg.Logging.Syslog = x.logLevel() }).def("off").nave(),
		cmd("logging file ~ <logfile> ["+severities+"] [json]", "Log to a file", setLogFile).def("off").nave(),
		cmd("logging host <address:ip> ~ [transport udp port <port:1-65535>]", "Send the log to a syslog server", addLogHost),
		cmd("logging <address:ip>", "Send the log to a syslog server", addLogHost),
		cmd("logging facility ~ {kern|user|mail|daemon|auth|syslog|lpr|news|uucp|sys9|sys10|sys11|sys12|sys13|sys14|cron|local0|local1|local2|local3|local4|local5|local6|local7}",
			"Facility of messages to servers", func(x *ctx) {
				x.cfg.Logging.Facility = ""
				for f := message.Facility(0); x.on() && f <= message.Local7; f++ {
					if x.Has(f.String()) {
						x.cfg.Logging.Facility = f.String()
					}
				}
			}).def("local7"),
		cmd("logging source-interface ~ <interface:interface>", "Address of messages to servers", func(x *ctx) {
			x.cfg.Logging.Source = x.str("interface")
		}).def("that of the port they leave by"),
		cmd("logging rate-limit ~ [console] [all] <messages:1-10000> [except "+severities+"]", "Most messages a second; what is debugged counts with `all`", func(x *ctx) {
			x.cfg.Logging.Rate = LogRate{PerSecond: x.num("messages"), Console: x.has("console"), All: x.has("all")}
			if x.has("except") {
				x.cfg.Logging.Rate.Except = x.logLevel()
			}
		}).def("no limit"),
		cmd("service sequence-numbers", "Number messages", func(x *ctx) { x.cfg.Logging.Numbered = x.on() }).def("off"),
		cmd("service timestamps", "How long the router is up in front of what is debugged", func(x *ctx) {
			switch {
			case x.on():
				x.cfg.Logging.Debug = LogStamp{Form: UptimeStamp}
			case x.off():
				x.cfg.Logging.Log, x.cfg.Logging.Debug = LogStamp{Form: NoStamp}, LogStamp{Form: NoStamp}
			default:
				x.cfg.Logging.Log, x.cfg.Logging.Debug = LogStamp{}, LogStamp{}
			}
		}).def("log and debug datetime msec"),
		cmd("service timestamps {log|debug} ~ [{uptime|datetime [{msec|localtime|show-timezone|year}...]}]", "Time in front of messages", setLogStamp).def("datetime msec"),
		nop("logging count", "Count messages; nave always does"),
		nop("logging userinfo", "Messages about users; nave logs who changes what anyway"),
		nop("logging history ~ [{size <entries:1-500>|"+severities+"}]", "Messages that SNMP has").many(),
		nop("logging origin-id ~ {hostname|ip|string <text:line>}", "What messages to servers call this router; always its name"),
	}
}

// logLevel is the severity that a line names, or debugging where it names none; NoLog with `no`.
func (x *ctx) logLevel() LogLevel {
	switch {
	case x.off():
		return NoLog
	case !x.on():
		return 0
	case x.Given("level"):
		return LogUpTo(message.Severity(x.Uint("level")))
	}
	for s := message.Emergency; s < message.Debugging; s++ {
		if x.Has(s.String()) {
			return LogUpTo(s)
		}
	}
	return LogUpTo(message.Debugging)
}

func setLogFile(x *ctx) {
	l := &x.cfg.Logging
	if !x.on() {
		l.FilePath, l.File, l.FileJSON = "", 0, false
		return
	}
	p := x.Text("logfile")
	if path.Clean(p) != p || !strings.HasPrefix(p, LogFolder) || len(p) == len(LogFolder) {
		x.bad("write a path such as "+LogFolder+"nave/nave.log", "%s is no file below %s", p, LogFolder)
		return
	}
	l.FilePath, l.File, l.FileJSON = p, x.logLevel(), x.has("json")
	if l.File == LogUpTo(message.Debugging) {
		l.File = 0 // the default
	}
}

func addLogHost(x *ctx) {
	h := LogHost{Addr: x.IP("address")}
	if x.on() && x.Given("port") {
		if h.Port = uint16(x.Uint("port")); h.Port == syslogPort {
			h.Port = 0
		}
	}
	update(x, &x.cfg.Logging.Hosts, h, func(o LogHost) bool { return o.Addr == h.Addr })
}

// syslogPort is where servers listen (RFC 5426 section 3.3).
const syslogPort = 514

// UDPPort is the port that a server takes messages at.
func (h LogHost) UDPPort() uint16 { return or(h.Port, syslogPort) }

func setLogStamp(x *ctx) {
	s := LogStamp{}
	switch {
	case x.off():
		s.Form = NoStamp
	case !x.on():
	case x.Has("datetime"):
		s = LogStamp{Form: DatetimeStamp, Msec: x.Has("msec"), Local: x.Has("localtime"), Zone: x.Has("show-timezone"), Year: x.Has("year")}
	default:
		s.Form = UptimeStamp
	}
	if x.Has("debug") {
		x.cfg.Logging.Debug = s
		return
	}
	x.cfg.Logging.Log = s
}

// logging checks what the log is sent by.
func (k *checker) logging() {
	l := &k.c.Logging
	if l.Console == NoLog && !l.Off {
		k.add(k.c.Lines.at(Pos{}, "logging console"), Info, "logging-console", "remove the line if the journal is to have messages", "the console of nave is the journal (or standard error), and nothing is logged there")
	}
	if l.Source == "" {
		return
	}
	pos := k.c.Lines.at(Pos{}, "logging source-interface")
	i := k.c.Interface(l.Source)
	switch {
	case i == nil:
		k.undefined(pos, "interface", l.Source, "interface")
	case i.VRF != "":
		k.add(pos, Warning, "logging-source", "name an interface of the global table", "%s is in VRF %s, and messages to servers leave by the global table", l.Source, i.VRF)
	case !i.Address.IsValid() && !i.DHCP:
		k.add(pos, Warning, "logging-source", "give it an address, or name another interface", "%s has no address that messages to servers could come from", l.Source)
	}
}
