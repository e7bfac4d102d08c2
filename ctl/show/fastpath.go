package show

import (
	"fmt"
	"strings"

	"nave/fastpath"
)

// Fastpath is `show fastpath`: what the workers do, what became of packets that were not forwarded, steering and tables.
func Fastpath(s *Status) string {
	var b strings.Builder
	b.WriteString("Worker      Packets    Forwarded       Polls  Empty  Packets/poll  Ticks/packet  In links\n")
	for k, w := range s.Fastpath.Workers {
		busy := w.Polls - w.EmptyPolls
		fmt.Fprintf(&b, "%6d %12d %12d %11d %5.1f%% %13.1f %13.0f %9.0f\n", k, w.Packets, w.Forwarded, w.Polls,
			100*ratio(w.EmptyPolls, w.Polls), ratio(w.Packets, busy), ratio(w.Ticks, w.Packets), ratio(w.LinkTicks, w.Packets))
	}
	b.WriteString("\nPackets not forwarded, and copies for the control plane, by reason:\n")
	none := true
	for r, n := range s.Fastpath.Reasons {
		if n == 0 {
			continue
		}
		none = false
		fmt.Fprintf(&b, "%12d  %-20s %s\n", n, fastpath.Reason(r), fastpath.Reason(r).Text())
	}
	for r, n := range s.Fastpath.Lost {
		if n > 0 {
			none = false
			fmt.Fprintf(&b, "%12d  %-20s lost on the way to the control plane: its ring was full\n", n, fastpath.Reason(r))
		}
	}
	for r, n := range s.Router.Policed {
		if n > 0 {
			none = false
			fmt.Fprintf(&b, "%12d  %-20s refused by the control plane's rate limit\n", n, fastpath.Reason(r))
		}
	}
	if none {
		b.WriteString("              none\n")
	}
	fmt.Fprintf(&b, "\nSteering: %d to nave, %d to the kernel, %d dropped for want of a socket\n", s.Steering.Nave, s.Steering.Kernel, s.Steering.NoSocket)
	fmt.Fprintf(&b, "Tables: %d routes, %d adjacencies, generation %d; arena %d of %d KiB\n", s.Fastpath.Routes, len(s.Fastpath.Adjacencies),
		s.Fastpath.Generation, s.Fastpath.ArenaUsed>>10, s.Fastpath.ArenaSize>>10)
	if i := s.Router.Inherited; !i.Until.IsZero() {
		fmt.Fprintf(&b, "Inherited from before the restart: %d adjacencies and %d routes that nothing has taken over, for another %s\n", i.Adjacencies, i.Routes, elapsed(i.Until.Sub(s.Time)))
	}
	for _, r := range s.Router.Refused {
		fmt.Fprintf(&b, "Not installed: %s\n", r)
	}
	if s.QueueLost > 0 {
		fmt.Fprintf(&b, "%d requests found the control plane's queues full\n", s.QueueLost)
	}
	if len(s.VRFs) > 0 {
		b.WriteString("\nVRF                              Table  Prefixes  Interfaces\n")
		for i := range s.VRFs {
			v := &s.VRFs[i]
			fmt.Fprintf(&b, "%-32s %5d %9d %11d\n", v.Name, v.ID, v.Prefixes, len(s.members(v)))
		}
	}
	b.WriteString("\nPort              Netdev          Packets in  Packets out  Queues  Mode         Kernel drops  Ring full\n")
	for _, p := range s.Ports {
		mode := "generic copy"
		if p.Native {
			mode = "native copy"
		}
		var drops, full uint64
		for _, q := range p.Queues {
			drops += q.Stats.Dropped
			full += q.Stats.RingFull
			if q.ZeroCopy {
				mode = "zero copy"
			}
		}
		n := s.Fastpath.Ports[p.ID]
		fmt.Fprintf(&b, "%-17s %-15s %10d %12d %7d  %-12s %12d %10d\n", p.Name, p.Netdev, n.Rx.Packets, n.Tx.Packets, len(p.Queues), mode, drops, full)
	}
	return b.String()
}

// RunningConfig is `show running-config`.
func RunningConfig(s *Status) string {
	return fmt.Sprintf("Building configuration...\n\nCurrent configuration : %d bytes\n%s", len(s.Running), s.Running)
}
