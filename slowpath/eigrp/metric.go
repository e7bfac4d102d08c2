package eigrp

import (
	"math"

	"nave/slowpath/eigrp/eigrpmsg"
)

// infinity is the composite metric of what cannot be reached.
const infinity = math.MaxUint64

const (
	bandwidthUnit = 10_000_000 // kbit/s that count as one
	classicScale  = 256
	wideScale     = 65536
	ribScale      = 128        // a wide metric is divided by it for the RIB (RFC 7868 section 5.6.2.5)
	psPerTen      = 10_000_000 // picoseconds in ten microseconds
	psPerUs       = 1_000_000
)

// vector is a metric in the machine's own form: classic or wide.
type vector = eigrpmsg.Metric

func (m *Machine) unreachable() vector {
	if m.cfg.Wide {
		return vector{Delay: eigrpmsg.WideInfinity}
	}
	return vector{Delay: eigrpmsg.ClassicInfinity, Bandwidth: eigrpmsg.ClassicInfinity}
}

func (m *Machine) infinite(v *vector) bool {
	if m.cfg.Wide {
		return v.Delay >= eigrpmsg.WideInfinity
	}
	return v.Delay >= eigrpmsg.ClassicInfinity
}

// composite is the metric that DUAL compares (RFC 7868 section 5.6): classic of 32 bits, wide of 64.
func (m *Machine) composite(v *vector) uint64 {
	if m.infinite(v) || int(v.Hops) > m.cfg.MaximumHops {
		return infinity
	}
	k := m.cfg.K
	throughput, latency := v.Bandwidth, v.Delay
	if m.cfg.Wide {
		throughput = bandwidthUnit * wideScale / max(v.Bandwidth, 1)
		latency = v.Delay/psPerUs*wideScale + v.Delay%psPerUs*wideScale/psPerUs
	}
	d := uint64(k[0])*throughput + uint64(k[1])*throughput/(256-uint64(v.Load)) + uint64(k[2])*latency
	if k[4] != 0 {
		d = d * uint64(k[4]) / max(uint64(v.Reliability)+uint64(k[3]), 1)
	}
	if !m.cfg.Wide {
		d = min(d, eigrpmsg.ClassicInfinity-1)
	}
	return max(d, 1)
}

// rib is a composite metric as the RIB has it.
func (m *Machine) rib(d uint64) uint32 {
	if m.cfg.Wide {
		d = max(d/ribScale, 1)
	}
	return uint32(min(d, math.MaxUint32-1))
}

// scaled is a bandwidth in kbit/s and a delay in tens of microseconds in the machine's form.
func (m *Machine) scaled(bandwidth, delay uint64) vector {
	bandwidth = max(bandwidth, 1)
	if m.cfg.Wide {
		return vector{Bandwidth: min(bandwidth, eigrpmsg.WideInfinity), Delay: min(min(delay, math.MaxUint64/psPerTen)*psPerTen, eigrpmsg.WideInfinity)}
	}
	return vector{Bandwidth: bandwidthUnit / bandwidth * classicScale, Delay: min(min(delay, math.MaxUint32)*classicScale, eigrpmsg.ClassicInfinity)}
}

// link is what a path by the interface adds.
func (m *Machine) link(s *InterfaceState) vector {
	v := m.scaled(s.Bandwidth, s.Delay)
	v.MTU, v.Reliability, v.Load = uint32(min(orDefault(s.MTU, 1500), 1<<24-1)), orDefault(s.Reliability, 255), orDefault(s.Load, 1)
	return v
}

// along is the metric of a destination that a neighbor has at v, by a link.
func (m *Machine) along(v vector, link *vector) vector {
	if m.infinite(&v) {
		return m.unreachable()
	}
	v.Delay += link.Delay
	if m.cfg.Wide {
		v.Bandwidth = min(v.Bandwidth, link.Bandwidth)
	} else {
		v.Bandwidth = max(v.Bandwidth, link.Bandwidth)
	}
	if m.infinite(&v) {
		return m.unreachable()
	}
	v.MTU, v.Reliability, v.Load = min(v.MTU, link.MTU), min(v.Reliability, link.Reliability), max(v.Load, link.Load)
	if v.Hops < math.MaxUint8 {
		v.Hops++
	}
	return v
}

// inward turns a metric from a packet into the machine's form.
func (m *Machine) inward(r *eigrpmsg.Route) vector {
	v := r.Metric
	v.Flags &= eigrpmsg.CandidateDefault
	switch {
	case !r.Reachable():
		return m.unreachable()
	case r.Wide == m.cfg.Wide:
	case r.Wide:
		v.Bandwidth = bandwidthUnit / max(v.Bandwidth, 1) * classicScale
		v.Delay = min(classicDelay(v.Delay), eigrpmsg.ClassicInfinity)
	default:
		v.Bandwidth = bandwidthUnit * classicScale / max(v.Bandwidth, 1)
		v.Delay = v.Delay * psPerTen / classicScale
	}
	return v
}

// classicDelay is a delay of picoseconds in tens of microseconds times 256.
func classicDelay(ps uint64) uint64 {
	return ps/psPerTen*classicScale + ps%psPerTen*classicScale/psPerTen
}

// outward turns a metric of the machine's form into that of a packet.
func (m *Machine) outward(v vector, wide bool) vector {
	switch {
	case m.infinite(&v):
		if wide {
			return vector{Delay: eigrpmsg.WideInfinity, Bandwidth: 0}
		}
		return vector{Delay: eigrpmsg.ClassicInfinity, Bandwidth: eigrpmsg.ClassicInfinity}
	case wide == m.cfg.Wide:
	default: // a classic neighbor of a wide machine; there is no other way about
		v.Bandwidth = min(bandwidthUnit*classicScale/max(v.Bandwidth, 1), eigrpmsg.ClassicInfinity)
		v.Delay = min(classicDelay(v.Delay), eigrpmsg.ClassicInfinity)
	}
	return v
}
