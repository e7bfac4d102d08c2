// Package doctor looks a machine over: can nave run here, and how well. What there is is gathered once, as Facts, by reading alone (nothing is loaded, attached or set); what
// there is to say of it is worked out from the facts, each finding with what to do.
//
//	doctor.go   findings
//	facts.go    what is known of a machine
//	kernel.go   what is to say of the kernel, memory, CPUs and the clock
//	port.go     of the ports
//	box.go      of services, limits and access
//	gather.go   the facts of this machine: kernel, CPUs, processes
//	gatherport.go  of its netdevs
//	gatherbox.go   of sockets, limits and users
//	parse.go    the texts of /proc and /sys
package doctor

import "fmt"

// Level is how bad a finding is.
type Level string

// Levels.
const (
	OK   Level = "ok"
	Warn Level = "warn" // nave runs, and not as well as it could, or not as safely
	Fail Level = "fail" // nave does not run, or not all of what is configured
)

// Finding is one thing that was looked at.
type Finding struct {
	Area  string `json:"area"` // kernel, memory, CPUs, clock, port NAME, tunnels, services, limits, access
	Level Level  `json:"level"`
	What  string `json:"what"`
	Do    string `json:"do,omitempty"` // what to do about it: a command where there is one. Empty: nothing
}

// Examine says what there is to say of a machine, area by area.
func Examine(f *Facts) []Finding {
	e := &examination{Facts: f}
	e.kernel()
	e.memory()
	e.cpus()
	e.clock()
	e.ports()
	e.tunnels()
	e.services()
	e.limits()
	e.access()
	return e.list
}

// Code is the exit status for findings: 2 for failures, 1 for warnings, otherwise 0.
func Code(list []Finding) int {
	code := 0
	for _, f := range list {
		switch f.Level {
		case Warn:
			code = max(code, 1)
		case Fail:
			code = 2
		}
	}
	return code
}

type examination struct {
	*Facts
	area string
	list []Finding
}

func (e *examination) add(l Level, do, format string, args ...any) {
	e.list = append(e.list, Finding{Area: e.area, Level: l, What: fmt.Sprintf(format, args...), Do: do})
}

func (e *examination) ok(format string, args ...any) { e.add(OK, "", format, args...) }

func (e *examination) warn(do, format string, args ...any) { e.add(Warn, do, format, args...) }

func (e *examination) fail(do, format string, args ...any) { e.add(Fail, do, format, args...) }

// has says of something that the kernel has or has not; what can't be told says nothing.
func (e *examination) has(a Answer, l Level, do, what string) {
	switch a {
	case Yes:
		e.ok("%s: yes", what)
	case No:
		e.add(l, do, "%s: no", what)
	}
}
