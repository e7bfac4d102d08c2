package show

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// System is the machine that a box runs on, and the program that it is.
type System struct {
	Kernel  string // Linux' release
	Machine string // its architecture: x86_64
	Model   string // of the CPUs
	CPUs    int
	Memory  uint64 // bytes
	Image   string // naved's program
	Go      string // what it was built with
	// Synchronized: something keeps the clock right.
	Synchronized bool
}

// Version is `show version`: the program, since when it runs, and the machine.
func Version(s *Status, _ Select) string {
	var b strings.Builder
	release, commit := s.release()
	y := &s.System
	fmt.Fprintf(&b, "NAVE (Linux) Gateway Software (%s), Version %s, RELEASE SOFTWARE (%s)\n", strings.ToUpper("nave-"+cmp.Or(y.Machine, "unknown")), release, cmp.Or(commit, "unknown"))
	if y.Go != "" {
		fmt.Fprintf(&b, "Compiled with %s\n", y.Go)
	}
	b.WriteString("\n")
	if y.Kernel != "" {
		fmt.Fprintf(&b, "ROM: Linux-%s\n\n", y.Kernel)
	}
	fmt.Fprintf(&b, "%s uptime is %s\n", cmp.Or(s.Hostname, "nave"), uptime(s.Time.Sub(s.Started)))
	if !s.Started.IsZero() {
		fmt.Fprintf(&b, "System restarted at %s\n", s.Started.UTC().Format("15:04:05 MST Mon Jan 2 2006"))
	}
	if y.Image != "" {
		fmt.Fprintf(&b, "System image file is \"linux:%s\"\n", y.Image)
	}
	b.WriteString("\n")
	if h := s.Hardware; h != nil && h.Profile != nil {
		fmt.Fprintf(&b, "Hardware profile %s is emulated\n", h.Profile.Name)
	}
	if y.CPUs > 0 {
		fmt.Fprintf(&b, "%s (%s) with %dK bytes of memory\n", plural(y.CPUs, "CPU"), cmp.Or(y.Model, y.Machine), y.Memory>>10)
	}
	how := "processes"
	if len(s.Workers) == 0 {
		how = "threads"
	}
	fmt.Fprintf(&b, "%s (%s), %s, %s\n", plural(len(s.Fastpath.Workers), "worker"), how, plural(len(s.Ports), "port"), plural(s.countTunnels(), "tunnel"))
	return b.String()
}

// release is the version's number, and the commit that it was built from where that is known: "nave 0.1 (0123456789ab)".
func (s *Status) release() (number, commit string) {
	words := strings.Fields(s.Version)
	if len(words) > 1 {
		number = words[1]
	}
	if len(words) > 2 {
		commit = strings.Trim(words[2], "()")
	}
	return cmp.Or(number, "unknown"), commit
}

func (s *Status) countTunnels() (n int) {
	for _, i := range s.Router.Interfaces {
		if i.Tunnel != nil {
			n++
		}
	}
	return n
}

func (s *Status) versionJSON() any {
	release, commit := s.release()
	y := &s.System
	v := object{
		"version": s.Version, "release": release, "commit": commit, "hostname": s.Hostname, "started": s.Started, "uptime_seconds": int(s.Time.Sub(s.Started).Seconds()),
		"kernel": y.Kernel, "machine": y.Machine, "cpu_model": y.Model, "cpus": y.CPUs, "memory": y.Memory, "image": y.Image, "go": y.Go,
		"workers": len(s.Fastpath.Workers), "ports": len(s.Ports), "tunnels": s.countTunnels(), "profile": nil,
	}
	if h := s.Hardware; h != nil && h.Profile != nil {
		v["profile"] = h.Profile.Name
	}
	return v
}

// Clock is `show clock`. An asterisk says that nothing keeps the clock right.
func Clock(s *Status, sel Select) string {
	mark, source := "*", "No time source"
	if s.System.Synchronized {
		mark, source = "", "Time source is NTP"
	}
	text := mark + s.Time.UTC().Format("15:04:05.000 MST Mon Jan 2 2006") + "\n"
	if sel.Detail {
		text += source + "\n"
	}
	return text
}

func (s *Status) clockJSON() any {
	return object{"time": s.Time.UTC().Format(time.RFC3339Nano), "synchronized": s.System.Synchronized}
}
