package daemon

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"nave/ctl/api"
	"nave/ctl/config"
	"nave/ctl/logs"
	"nave/ctl/logs/message"
	"nave/ctl/show"
)

// logPatience is how long the log may take to write what waits when naved ends.
const logPatience = 2 * time.Second

// logBy has the log go where a configuration says.
func (d *Daemon) logBy(tree *config.Config) {
	s := logSettings(tree)
	d.limit.Follow(logs.DMVPN{Off: !tree.Logging.DMVPN.Or(true), Interval: tree.Logging.DMVPNInterval})
	d.logs.Configure(s)
	before := d.servers
	d.servers = s.Hosts
	for _, h := range before {
		if !slices.Contains(s.Hosts, h) {
			text, severity := show.LogHost(h, false)
			d.say(severity, text)
		}
	}
	for _, h := range s.Hosts {
		if !slices.Contains(before, h) {
			text, severity := show.LogHost(h, true)
			d.say(severity, text)
		}
	}
}

// logSettings is what a configuration says of the log.
func logSettings(tree *config.Config) logs.Settings {
	l, s := &tree.Logging, logs.DefaultSettings()
	level := func(said config.LogLevel, byDefault *logs.Level) {
		if said == 0 {
			return
		}
		*byDefault = logs.Off
		if v, ok := said.Severity(said); ok {
			*byDefault = logs.UpTo(v)
		}
	}
	s.Off = l.Off
	level(l.Console, &s.Console)
	level(l.Monitor, &s.Monitor)
	level(l.Buffered, &s.Buffer)
	level(l.Trap, &s.Trap)
	level(l.Syslog, &s.Local)
	level(l.File, &s.File)
	level(l.Rate.Except, &s.Rate.Except)
	s.Rate.PerSecond, s.Rate.Console, s.Rate.All = l.Rate.PerSecond, l.Rate.Console, l.Rate.All
	if l.BufferBytes > 0 {
		s.BufferBytes = l.BufferBytes
	}
	s.Path, s.JSON, s.RFC5424, s.Hostname = l.FilePath, l.FileJSON, l.RFC5424, tree.Hostname
	if f, ok := message.ParseFacility(l.Facility); ok {
		s.Facility = f
	}
	for _, h := range l.Hosts {
		s.Hosts = append(s.Hosts, netip.AddrPortFrom(h.Addr, h.UDPPort()))
	}
	if i := tree.Interface(l.Source); i != nil && i.VRF == "" && i.Address.IsValid() {
		s.Source = i.Address.Addr()
	}
	s.Log, s.Debug = stampBy(l.Log, l.Numbered), stampBy(l.Debug, l.Numbered)
	return s
}

// stampBy is what stands in front of messages.
func stampBy(by config.LogStamp, numbered bool) message.Stamp {
	s := message.DefaultStamp
	switch by.Form {
	case config.NoStamp:
		s = message.Stamp{Form: message.NoStamp}
	case config.UptimeStamp:
		s = message.Stamp{Form: message.Uptime}
	case config.DatetimeStamp:
		s = message.Stamp{Form: message.Datetime, Msec: by.Msec, Local: by.Local, Zone: by.Zone, Year: by.Year}
	}
	s.Numbering = numbered
	return s
}

// Follow implements api.Logs.
func (d *Daemon) Follow(ctx context.Context, severity int, f func(api.LogLine)) error {
	return d.logs.Follow(ctx, severity, f)
}

// LogStatus implements api.Logs.
func (d *Daemon) LogStatus() message.Status {
	s := d.logs.Status()
	by := d.limit.DMVPN()
	s.DMVPN, s.DMVPNSeconds, s.Suppressed = !by.Off, int(by.Interval/time.Second), d.limit.Suppressed()
	return s
}

// ClearLog implements api.Logs.
func (d *Daemon) ClearLog() error {
	d.logs.Clear()
	return nil
}
