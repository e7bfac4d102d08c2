// Package usage measures what a box uses: CPU time and memory of its processes, and what its interfaces carry, over the last five minutes.
//
//	usage.go    Meter: from samples to shares and rates
//	process.go  a process as Linux tells of it
//	machine.go  the machine: memory, CPUs, kernel, clock
//
// A Meter has no clock and no goroutine: whoever has one gives it samples.
package usage

import (
	"time"

	"nave/ctl/show"
	"nave/fastpath"
)

// Every is how often a Meter wants a sample.
const Every = 5 * time.Second

// kept is how many samples are remembered: five minutes of them.
const kept = int(5*time.Minute/Every) + 1

// Sample is what a box has used until a moment.
type Sample struct {
	At        time.Time
	CPUs      int
	Processes []Process
	Memory    show.MemoryUsage
	Links     map[string]fastpath.LinkCount // by interface
}

// Meter remembers samples. The zero Meter has none.
type Meter struct {
	samples []Sample // oldest first
	last    map[string]lastHeard
}

// lastHeard is when an interface carried something last, as exactly as samples tell.
type lastHeard struct{ in, out time.Time }

// Add takes a sample. One that is no later than the last is not taken.
func (m *Meter) Add(s Sample) {
	if n := len(m.samples); n > 0 && !s.At.After(m.samples[n-1].At) {
		return
	}
	last := make(map[string]lastHeard, len(s.Links))
	for name, now := range s.Links {
		h := m.last[name]
		var was fastpath.LinkCount
		if n := len(m.samples); n > 0 {
			was = m.samples[n-1].Links[name]
		}
		if now.Rx.Packets != was.Rx.Packets {
			h.in = s.At
		}
		if now.Tx.Packets != was.Tx.Packets {
			h.out = s.At
		}
		last[name] = h
	}
	m.last = last
	if len(m.samples) == kept {
		copy(m.samples, m.samples[1:])
		m.samples = m.samples[:kept-1]
	}
	m.samples = append(m.samples, s)
}

// Usage is what the samples say.
func (m *Meter) Usage() show.Usage {
	if len(m.samples) == 0 {
		return show.Usage{}
	}
	now := &m.samples[len(m.samples)-1]
	u := show.Usage{Sampled: now.At, CPUs: now.CPUs, Memory: now.Memory, Links: make(map[string]show.LinkUsage, len(now.Links))}
	for k := range now.Processes {
		p := &now.Processes[k]
		out := show.ProcessUsage{
			PID: p.PID, Name: p.Name, Runtime: p.CPU, Invoked: p.Invoked, Allocated: p.Allocated, Freed: p.Freed, Holding: p.Resident,
			Share: show.Shares{FiveSeconds: m.share(p, Every), OneMinute: m.share(p, time.Minute), FiveMinutes: m.share(p, 5*time.Minute)},
		}
		add(&u.All, out.Share)
		if p.Worker {
			add(&u.Packets, out.Share)
		}
		u.Processes = append(u.Processes, out)
	}
	for name, n := range now.Links {
		u.Links[name] = m.rate(name, n)
	}
	return u
}

func add(a *show.Shares, b show.Shares) {
	a.FiveSeconds += b.FiveSeconds
	a.OneMinute += b.OneMinute
	a.FiveMinutes += b.FiveMinutes
}

// before is the latest sample that is over ago, or the oldest there is; nil while there is one only.
func (m *Meter) before(over time.Duration) *Sample {
	last := len(m.samples) - 1
	if last < 1 {
		return nil
	}
	for k := last - 1; k > 0; k-- {
		if m.samples[last].At.Sub(m.samples[k].At) >= over-Every/2 { // samples come a little late or early
			return &m.samples[k]
		}
	}
	return &m.samples[0]
}

// share is how much of the time of all CPUs a process has had, in percent.
func (m *Meter) share(p *Process, over time.Duration) float64 {
	from := m.before(over)
	now := &m.samples[len(m.samples)-1]
	if from == nil || now.CPUs == 0 {
		return 0
	}
	used := p.CPU
	for k := range from.Processes {
		if old := &from.Processes[k]; old.PID == p.PID && old.Started == p.Started {
			used -= old.CPU
		}
	}
	// A process that was started since has had all of its time since.
	return max(0, 100*float64(used)/float64(now.At.Sub(from.At))/float64(now.CPUs))
}

// rate is what an interface has carried a second, in five minutes or since there are samples.
func (m *Meter) rate(name string, now fastpath.LinkCount) show.LinkUsage {
	out := show.LinkUsage{LastIn: m.last[name].in, LastOut: m.last[name].out}
	from := m.before(5 * time.Minute)
	if from == nil {
		return out
	}
	was, ok := from.Links[name]
	if !ok || now.Rx.Packets < was.Rx.Packets || now.Tx.Packets < was.Tx.Packets {
		return out // it is new, or counts anew
	}
	seconds := m.samples[len(m.samples)-1].At.Sub(from.At).Seconds()
	per := func(now, was uint64) uint64 { return uint64(float64(now-was) / seconds) }
	out.InPackets, out.OutPackets = per(now.Rx.Packets, was.Rx.Packets), per(now.Tx.Packets, was.Tx.Packets)
	out.InBits, out.OutBits = per(8*now.Rx.Bytes, 8*was.Rx.Bytes), per(8*now.Tx.Bytes, 8*was.Tx.Bytes)
	return out
}
