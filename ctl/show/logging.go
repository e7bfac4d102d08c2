package show

import (
	"fmt"
	"net/netip"
	"strings"

	logmsg "nave/ctl/logs/message"
)

// Logging is `show logging`: what of the log goes where, and what is remembered.
func Logging(s *logmsg.Status) string {
	var b strings.Builder
	state := "enabled"
	if !s.On {
		state = "disabled"
	}
	fmt.Fprintf(&b, "Syslog logging: %s (%d messages dropped, %d messages rate-limited,\n                0 flushes, 0 overruns, xml disabled, filtering disabled)\n\n", state, s.Dropped, s.RateLimited)
	b.WriteString("No Active Message Discriminator.\n\nNo Inactive Message Discriminator.\n\n")
	hosts := 0
	for i := range s.Destinations {
		d := &s.Destinations[i]
		switch d.Kind {
		case logmsg.Console, logmsg.Journal:
			localLog(&b, d, "Console", "")
			if d.Kind == logmsg.Journal {
				b.WriteString("        Logging to the journal\n")
			}
		case logmsg.Monitor:
			localLog(&b, d, "Monitor", "")
			if s.Watchers > 0 {
				fmt.Fprintf(&b, "        Logging to: %d followers\n", s.Watchers)
			}
		case logmsg.Buffer:
			localLog(&b, d, "Buffer", " ")
			b.WriteString("    Exception Logging: size (0 bytes)\n    Count and timestamp logging messages: enabled\n")
		case logmsg.File:
			localLog(&b, d, "File", "   ")
			fmt.Fprintf(&b, "        Logging to %s\n", d.Name)
		case logmsg.Local:
			localLog(&b, d, "Syslog", " ")
			fmt.Fprintf(&b, "        Logging to %s\n", d.Name)
		}
		if d.Kind != logmsg.Host {
			lossOf(&b, d)
		}
	}
	b.WriteString(dmvpnLog(s))
	for i := range s.Destinations {
		if d := &s.Destinations[i]; d.Kind == logmsg.Host {
			hosts = trap(&b, s, d, hosts)
		}
	}
	if s.Source != "" {
		fmt.Fprintf(&b, "        Logging Source-Interface:       VRF Name:\n        %s\n", s.Source)
	}
	fmt.Fprintf(&b, "\nLog Buffer (%d bytes):\n", s.BufferBytes)
	if len(s.Lines) > 0 {
		b.WriteByte('\n')
	}
	for _, l := range s.Lines {
		b.WriteString(l.Stamped)
		b.WriteByte('\n')
	}
	return b.String()
}

// localLog is the line of a destination on the box. fill sets names of different lengths even.
func localLog(b *strings.Builder, d *logmsg.Destination, name, fill string) {
	if !d.On {
		fmt.Fprintf(b, "    %s logging:%s disabled\n", name, fill)
		return
	}
	fmt.Fprintf(b, "    %s logging:%s level %s, %d messages logged, xml disabled,\n                     filtering disabled\n", name, fill, logmsg.Severity(d.Severity), d.Written)
}

// lossOf says what a destination did not get.
func lossOf(b *strings.Builder, d *logmsg.Destination) {
	if d.Dropped > 0 {
		fmt.Fprintf(b, "        %d messages dropped: it was too slow for them\n", d.Dropped)
	}
	if d.Failed > 0 {
		fmt.Fprintf(b, "        %d messages could not be written\n", d.Failed)
	}
	if d.Trouble != "" {
		fmt.Fprintf(b, "        failing: %s\n", d.Trouble)
	}
}

// dmvpnLog is what `logging dmvpn` has to do with it.
func dmvpnLog(s *logmsg.Status) string {
	state := "enabled"
	switch {
	case !s.DMVPN:
		state = "disabled"
	case s.DMVPNSeconds > 0:
		state += fmt.Sprintf(", at most one message in %d seconds", s.DMVPNSeconds)
	}
	return fmt.Sprintf("    DMVPN logging: %s, %d messages suppressed\n", state, s.Suppressed)
}

// trap is what a server gets; with the first of them there is what all get.
func trap(b *strings.Builder, s *logmsg.Status, d *logmsg.Destination, before int) int {
	if before == 0 {
		if !d.On {
			b.WriteString("    Trap logging: disabled\n")
			return 1
		}
		var lines uint64
		for i := range s.Destinations {
			if o := &s.Destinations[i]; o.Kind == logmsg.Host {
				lines += o.Written
			}
		}
		fmt.Fprintf(b, "    Trap logging: level %s, %d message lines logged\n", logmsg.Severity(d.Severity), lines)
	}
	if d.Name == "" {
		return 1
	}
	address, port := d.Name, ""
	if a, err := netip.ParseAddrPort(d.Name); err == nil {
		address, port = a.Addr().String(), fmt.Sprint(a.Port())
	}
	link := "up"
	if d.Trouble != "" {
		link = "down"
	}
	numbers := "disabled"
	if s.Numbered {
		numbers = "enabled"
	}
	fmt.Fprintf(b, "        Logging to %s  (udp port %s, audit disabled,\n              link %s),\n              %d message lines logged,\n", address, port, link, d.Written)
	fmt.Fprintf(b, "              %d message lines dropped,\n              %d message lines failed,\n              xml disabled, sequence number %s\n              filtering disabled\n", d.Dropped, d.Failed, numbers)
	if d.Trouble != "" {
		fmt.Fprintf(b, "              failing: %s\n", d.Trouble)
	}
	return before + 1
}

// LoggingCount is `show logging count`: how often each message was logged.
func LoggingCount(s *logmsg.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-15s %-32s %3s %7s     %s\n%s\n", "Facility", "Message Name", "Sev", "Occur", "Last Time", strings.Repeat("=", 77))
	if len(s.Counts) == 0 {
		return b.String()
	}
	var total uint64
	for k, c := range s.Counts {
		fmt.Fprintf(&b, "%-15s %-32s %3d %7d     %s\n", c.Facility, c.Mnemonic, c.Severity, c.Times, c.Stamp)
		total += c.Times
		if k+1 == len(s.Counts) || s.Counts[k+1].Facility != c.Facility {
			fmt.Fprintf(&b, "%s\n%-15s %-32s %3s %7d\n\n", rule, c.Facility+" TOTAL", "", "", total)
			total = 0
		}
	}
	return b.String()
}

// rule is the line above a total.
const rule = "-------------  -------------------------------  ------------------------------"

// LoggingJSON is `show logging` for programs.
func LoggingJSON(s *logmsg.Status) ([]byte, error) {
	v := *s
	v.Counts = nil
	if v.Lines == nil {
		v.Lines = []logmsg.Line{}
	}
	return encode("logging", v)
}

// LoggingCountJSON is `show logging count` for programs.
func LoggingCountJSON(s *logmsg.Status) ([]byte, error) {
	return encode("logging count", map[string]any{"counts": append([]logmsg.Count{}, s.Counts...)})
}

// Watched is a line of the log as a terminal shows it that says `terminal monitor`.
func Watched(l logmsg.Line) string {
	text := l.Stamped
	if text == "" {
		text = l.Text
	}
	if l.LeftOut > 0 {
		text = fmt.Sprintf("(%d messages before this one were not shown: this terminal was too slow for them)\n%s", l.LeftOut, text)
	}
	return text
}

// LogTrouble is the message of a destination of the log that can't be written to, or can be again.
func LogTrouble(t logmsg.Trouble) (text string, severity logmsg.Severity) {
	where := map[logmsg.Kind]string{
		logmsg.Console: "standard error", logmsg.Journal: "the journal", logmsg.File: "file " + t.Name, logmsg.Local: "the syslog daemon at " + t.Name, logmsg.Host: "syslog server " + t.Name,
	}[t.Kind]
	if t.Err == nil {
		text, n := message("NAVE", severityNotice, "LOG_RESTORED", "messages can be written to %s again", where)
		return text, logmsg.Severity(n)
	}
	text, n := message("NAVE", severityError, "LOG_FAILED", "messages can't be written to %s: %v; the other destinations have them, and it is tried again with each message", where, t.Err)
	return text, logmsg.Severity(n)
}

// LogAudit is the message of something that a user has changed, or (err is not nil) was not let to, by the command that does it.
func LogAudit(user, command string, err error) (text string, severity int) {
	if err != nil {
		return message("NAVE", severityWarning, "REFUSED", "User:%s  command:%s: %v", user, command, err)
	}
	return message("PARSER", severityNotice, "CFGLOG_LOGGEDCMD", "User:%s  logged command:%s", user, command)
}

// LogStarted is the message of naved that has started, or is about to stop.
func LogStarted(up bool) (text string, severity int) {
	if !up {
		return message("SYS", severityNotice, "STOP", "naved stops")
	}
	return message("SYS", severityNotice, "RESTART", "System restarted -- naved runs")
}

// LogHost is the message of a syslog server that gets messages from now on, or does not any more.
func LogHost(server netip.AddrPort, started bool) (text string, severity int) {
	state := "started"
	if !started {
		state = "stopped"
	}
	return message("SYS", severityInfo, "LOGGINGHOST_STARTSTOP", "Logging to host %s port %d %s", server.Addr(), server.Port(), state)
}
