package gateway

import (
	"time"

	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/hwprofiles"
	"nave/slowpath"
)

const (
	sampleEvery = time.Second
	// loadOver is how many samples the rate of a budget is the mean of.
	loadOver = 5
	// logEvery is how often it is said that something goes on which should not.
	logEvery = time.Minute
)

// meter watches how fast budgets are spent, and what the log is to be told.
type meter struct {
	loads   [fib.NumBudgets]show.Load
	samples [loadOver + 1]sample // the last ones, oldest first
	n       int                  // how many there are

	ipv4, mpls hwprofiles.Routes // as they were last told
	switched   map[show.SwitchedTunnel]bool
	multicast  recurrent
	crypto     recurrent
}

type sample struct {
	at    time.Time
	spent [fib.NumBudgets]uint64
}

// recurrent is something that is told when it begins, and while it goes on now and then.
type recurrent struct {
	count uint64 // of all time, at the last look
	told  uint64 // of all time, when it was last told
	at    time.Time
}

// look returns how often it happened since it was last told; zero where it is not to be told now.
func (r *recurrent) look(now time.Time, count uint64) uint64 {
	if count < r.count { // somebody counts anew
		r.told = 0
	}
	r.count = count
	if count == r.told || !r.at.IsZero() && now.Sub(r.at) < logEvery {
		return 0
	}
	n := count - r.told
	r.told, r.at = count, now
	return n
}

// rate takes a sample of what was spent.
func (m *meter) rate(now time.Time, spent *[fib.NumBudgets]uint64) {
	if m.n == len(m.samples) {
		copy(m.samples[:], m.samples[1:])
		m.n--
	}
	m.samples[m.n] = sample{now, *spent}
	m.n++
	for b := range m.loads {
		l := &m.loads[b]
		l.PerSecond = perSecond(&m.samples[0], &m.samples[m.n-1], b)
		if m.n < 2 {
			continue
		}
		if last := perSecond(&m.samples[m.n-2], &m.samples[m.n-1], b); last > l.Peak {
			l.Peak, l.PeakTime = last, now
		}
	}
}

// perSecond is how fast a budget was spent between two samples.
func perSecond(from, to *sample, budget int) uint64 {
	d := to.at.Sub(from.at)
	if d <= 0 || to.spent[budget] < from.spent[budget] {
		return 0
	}
	return uint64(float64(to.spent[budget]-from.spent[budget])*float64(time.Second)/float64(d) + 0.5)
}

// tables tells what a part of the FIB has come to.
func tables(table string, was *hwprofiles.Routes, is hwprofiles.Routes) (out []slowpath.Event) {
	if is.Threshold && !was.Threshold {
		out = append(out, show.HardwareLog{Kind: show.HardwareThreshold, Table: table})
	}
	if is.Exception && !was.Exception {
		out = append(out, show.HardwareLog{Kind: show.HardwareException, Table: table})
	}
	*was = is
	return out
}

// tell looks for what the log is to be told.
func (m *meter) tell(now time.Time, u *hwprofiles.Usage, through []show.SwitchedTunnel, multicast uint64) []slowpath.Event {
	out := append(tables("IPv4 unicast", &m.ipv4, u.IPv4), tables("MPLS", &m.mpls, u.MPLS)...)
	seen := make(map[show.SwitchedTunnel]bool, len(through))
	for _, t := range through {
		if seen[t] = true; !m.switched[t] {
			out = append(out, show.HardwareLog{Kind: show.HardwareSwitched, Tunnel: t})
		}
	}
	m.switched = seen
	if n := m.crypto.look(now, uint64(u.CryptoRefused)); n > 0 {
		out = append(out, show.HardwareLog{Kind: show.HardwareCryptoFull, Count: n, Most: u.CryptoTunnels.Size})
	}
	if n := m.multicast.look(now, multicast); n > 0 {
		out = append(out, show.HardwareLog{Kind: show.HardwareMulticast, Count: n})
	}
	return out
}

// SampleHardware looks at how the emulated hardware does, once a second: for its status, and for what it returns, which the log is to be told. Nothing without a profile.
func (c *Core) SampleHardware(now time.Time, t fastpath.Tally) []slowpath.Event {
	h := &c.hardware
	if h.pricer == nil {
		return nil
	}
	u := h.pricer.Usage()
	if h.meter.n == 0 { // what was dropped before is not this profile's
		h.meter.multicast.count, h.meter.multicast.told = t.Reasons[fastpath.EncryptedMulticast], t.Reasons[fastpath.EncryptedMulticast]
	}
	h.meter.rate(now, &t.Spent)
	return h.meter.tell(now, &u, switched(&u, c.current.Interfaces), t.Reasons[fastpath.EncryptedMulticast])
}

// watchHardware samples.
func (g *Gateway) watchHardware() {
	t := time.NewTicker(sampleEvery)
	defer t.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-t.C:
			g.loop.Do(func(now time.Time) {
				if g.core.Hardware() == nil {
					return
				}
				for _, e := range g.core.SampleHardware(now, g.engine.Tally()) {
					g.linux.Log(e)
				}
			})
		}
	}
}
