package daemon

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime/metrics"
	"sync"
	"time"

	"nave/ctl/show"
	"nave/ctl/usage"
)

// measured is what the daemon measures of itself, the workers and the interfaces, and from where it counts what they carry.
type measured struct {
	system show.System // read once

	mu      sync.Mutex
	meter   usage.Meter
	cleared map[string]show.ClearedCount // by interface
}

// startMeasuring takes a sample now and then, until ctx ends.
func (d *Daemon) startMeasuring(ctx context.Context) {
	d.measured.system = usage.ReadSystem("/proc")
	go func() {
		tick := time.NewTicker(usage.Every)
		defer tick.Stop()
		for {
			s, ok := d.sample()
			if !ok {
				return // the gateway has stopped
			}
			d.measured.mu.Lock()
			d.measured.meter.Add(s)
			d.measured.mu.Unlock()
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
}

// sample is what has been used until now. A worker that has died a moment ago is left out.
func (d *Daemon) sample() (s usage.Sample, ok bool) {
	s = usage.Sample{At: time.Now(), CPUs: d.measured.system.CPUs}
	if s.Links, ok = d.gw.Traffic(); !ok {
		return s, false
	}
	if m, err := usage.ReadMemory("/proc"); err == nil {
		s.Memory = m
	}
	if p, err := usage.ReadProcess("/proc", os.Getpid()); err == nil {
		p.Name = "naved"
		p.Allocated, p.Freed = heap()
		s.Processes = append(s.Processes, p)
	}
	for _, w := range d.gw.Processes() {
		if w.PID == 0 {
			continue
		}
		if p, err := usage.ReadProcess("/proc", w.PID); err == nil {
			p.Name, p.Worker = fmt.Sprintf("nave-worker-%d", w.Worker), true
			s.Processes = append(s.Processes, p)
		}
	}
	return s, true
}

// heap is what naved's heap has been given and has given back, in bytes.
func heap() (allocated, freed uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/frees:bytes"}}
	metrics.Read(s)
	var n [2]uint64
	for k := range s {
		if s[k].Value.Kind() == metrics.KindUint64 {
			n[k] = s[k].Value.Uint64()
		}
	}
	return n[0], n[1]
}

// describe adds what is measured to a status.
func (m *measured) describe(s *show.Status) {
	s.System = m.system
	s.System.Synchronized = usage.Synchronized()
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Usage, s.Cleared = m.meter.Usage(), maps.Clone(m.cleared)
}

// clearCounters has an interface, or all, counted anew from now on.
func (d *Daemon) clearCounters(iface string) error {
	now, ok := d.gw.Traffic()
	if !ok {
		return errStopping
	}
	if _, there := now[iface]; iface != "" && !there {
		return fmt.Errorf("nothing is counted of %s: it is neither a port nor a tunnel, or not up yet", iface)
	}
	m := &d.measured
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cleared == nil {
		m.cleared = make(map[string]show.ClearedCount)
	}
	for name, n := range now {
		if iface == "" || name == iface {
			m.cleared[name] = show.ClearedCount{At: time.Now(), From: n}
		}
	}
	return nil
}
