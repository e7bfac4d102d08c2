package slowpath

import (
	"cmp"

	"nave/slowpath/eigrp"
)

// EIGRPStatus is what the processes know, in the order of VRF and AS; with topology, their topology tables, too.
func (r *Router) EIGRPStatus(topology bool) []EIGRPStatus {
	out := make([]EIGRPStatus, 0, len(r.eigrp.processes))
	for _, p := range r.eigrp.processes {
		c := &p.cfg.Run
		_, on := p.machine.Running()
		s := EIGRPStatus{
			Key: p.cfg.Key, Name: p.cfg.Name, Running: on, RouterID: c.RouterID, Wide: c.Wide, K: cmp.Or(c.K, [6]uint8{1, 0, 1}),
			Variance: max(c.Variance, 1), MaximumPaths: cmp.Or(c.MaximumPaths, eigrp.DefaultMaximumPaths), MaximumHops: cmp.Or(c.MaximumHops, eigrp.DefaultMaximumHops),
			Internal: cmp.Or(c.Internal, eigrp.DefaultInternal), External: cmp.Or(c.External, eigrp.DefaultExternal),
			ActiveTime: cmp.Or(c.ActiveTime, eigrp.DefaultActiveTime), ActiveDisabled: c.ActiveDisabled, AutoSummary: c.AutoSummary,
			Stub: c.Stub.Enabled, Connected: c.Stub.Connected, Static: c.Stub.Static, Summary: c.Stub.Summary, Redistributed: c.Stub.Redistributed,
			ReceiveOnly: c.Stub.ReceiveOnly,
			Neighbors:   p.machine.Neighbors(), Interfaces: p.machine.Interfaces(), Traffic: p.machine.Traffic(),
		}
		for i, from := range p.cfg.Redistribute {
			x := EIGRPSourceStatus{Source: from.Source, Process: from.Process}
			if i < len(p.count) {
				x.Routes = p.count[i]
			}
			s.Sources = append(s.Sources, x)
		}
		if topology {
			s.Topology = p.machine.Topology()
		}
		out = append(out, s)
	}
	return out
}
