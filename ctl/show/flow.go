package show

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strings"

	"nave/fastpath"
	"nave/fastpath/fib"
)

// FlowCache is a copy of what the workers remember of flows: those with the most packets first.
type FlowCache struct {
	Count fastpath.FlowCount
	Flows []fastpath.Flow
	More  int // flows that there are besides
}

// DefaultFlows is how many flows `show ip cache flow` shows where no number is given, and MostFlows the most that it does.
const (
	DefaultFlows = 1000
	MostFlows    = 1000000
)

// CollectFlows copies the flows of an engine that have the most packets.
func CollectFlows(e *fastpath.Engine, most int) FlowCache {
	c := FlowCache{Count: e.FlowCount()}
	top := busiest{}
	e.Flows(func(f *fastpath.Flow) bool {
		switch {
		case len(top) < most:
			heap.Push(&top, *f)
			return true
		case len(top) > 0 && top.busier(f, &top[0]) < 0:
			top[0] = *f
			heap.Fix(&top, 0)
		}
		c.More++
		return true
	})
	c.Flows = top
	slices.SortFunc(c.Flows, func(a, b fastpath.Flow) int { return top.busier(&a, &b) })
	return c
}

// busiest is a heap of flows, the one with the fewest packets on top.
type busiest []fastpath.Flow

// busier orders flows: most packets first, then by what they are.
func (busiest) busier(a, b *fastpath.Flow) int {
	return cmp.Or(
		cmp.Compare(b.Packets, a.Packets), a.Src.Compare(b.Src), a.Dst.Compare(b.Dst), cmp.Compare(a.Proto, b.Proto),
		cmp.Compare(a.SrcPort, b.SrcPort), cmp.Compare(a.DstPort, b.DstPort), cmp.Compare(a.VRF, b.VRF), cmp.Compare(a.Worker, b.Worker),
	)
}

func (h busiest) Len() int           { return len(h) }
func (h busiest) Less(i, j int) bool { return h.busier(&h[i], &h[j]) > 0 }
func (h busiest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *busiest) Push(x any)        { *h = append(*h, x.(fastpath.Flow)) }
func (h *busiest) Pop() any {
	last := len(*h) - 1
	f := (*h)[last]
	*h = (*h)[:last]
	return f
}

// flowBytes is what IOS says a flow takes in its cache; here it is the flow's line and its part of the line of its set.
const flowBytes = 72

// IPCacheFlow is `show ip cache flow`.
func IPCacheFlow(s *Status, c *FlowCache) string {
	n := c.Count
	if n.Capacity == 0 {
		return "IP Flow Switching Cache is off; `fastpath flows NUMBER` and a restart turn it on\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "IP Flow Switching Cache, %d bytes\n", n.Capacity*flowBytes)
	fmt.Fprintf(&b, "  %d active, %d inactive, %d added\n", n.Live, n.Capacity-min(n.Live, n.Capacity), n.Added)
	fmt.Fprintf(&b, "  %d in use made room for others, %d looked up again as routes changed\n", n.Evicted, n.Moved)
	fmt.Fprintf(&b, "  Inactive flows timeout in %d seconds\n\n", fastpath.FlowInactive/1e9)
	b.WriteString("SrcIf         SrcIPaddress    DstIf         DstIPaddress    Pr SrcP DstP  Pkts\n")
	names := s.namesOfLinks()
	for i := range c.Flows {
		f := &c.Flows[i]
		fmt.Fprintf(&b, "%-13s %-15s %-13s %-15s %02X %04X %04X %5s\n", shortName(names.of(f.InPort, f.InTunnel)), f.Src, shortName(names.of(f.OutPort, f.OutTunnel)), f.Dst,
			f.Proto, f.SrcPort, f.DstPort, shortCount(f.Packets))
	}
	if c.More > 0 {
		fmt.Fprintf(&b, "%d more flows, with no more packets than these; `show ip cache flow NUMBER` shows so many\n", c.More)
	}
	return b.String()
}

// IPCacheFlowJSON is the same as a value for programs.
func IPCacheFlowJSON(s *Status, c *FlowCache) ([]byte, error) {
	names := s.namesOfLinks()
	rows := make([]map[string]any, 0, len(c.Flows))
	for i := range c.Flows {
		f := &c.Flows[i]
		rows = append(rows, map[string]any{
			"worker": f.Worker, "vrf": f.VRF, "source_interface": names.of(f.InPort, f.InTunnel), "source": f.Src,
			"destination_interface": names.of(f.OutPort, f.OutTunnel), "destination": f.Dst,
			"protocol": f.Proto, "source_port": f.SrcPort, "destination_port": f.DstPort, "tos": f.TOS, "adjacency": f.Adj,
			"packets": f.Packets, "bytes": f.Bytes, "age_seconds": f.Age.Seconds(), "idle_seconds": f.Idle.Seconds(),
		})
	}
	return encode("ip cache flow", map[string]any{
		"on": c.Count.Capacity > 0, "counts": c.Count, "inactive_timeout_seconds": fastpath.FlowInactive.Seconds(), "flows": rows, "more_flows": c.More,
	})
}

// linkNames is the names of interfaces by what the fast path calls them.
type linkNames struct {
	ports   map[fib.PortID]string
	tunnels map[fib.TunnelID]string
}

func (s *Status) namesOfLinks() linkNames {
	n := linkNames{make(map[fib.PortID]string), make(map[fib.TunnelID]string)}
	for _, i := range s.Router.Interfaces {
		if i.Tunnel != nil {
			n.tunnels[i.Tunnel.ID] = i.Name
		} else if i.Port != 0 {
			n.ports[i.Port] = i.Name
		}
	}
	return n
}

// of is the interface that a packet of a port passed: the tunnel inside it, if there is one. Empty: none, or one that is gone.
func (n linkNames) of(p fib.PortID, t fib.TunnelID) string {
	if t != 0 {
		return n.tunnels[t]
	}
	return n.ports[p]
}

// shortName is an interface as IOS abbreviates it: Tu0, Et0/1.
func shortName(name string) string {
	digit := strings.IndexAny(name, "0123456789")
	switch {
	case name == "":
		return "Null"
	case digit < 2:
		return name
	}
	return name[:2] + name[digit:]
}

// shortCount is a count in at most five characters, as IOS has it: 99999, 1234K, 12M.
func shortCount(n uint64) string {
	switch {
	case n < 100000:
		return fmt.Sprint(n)
	case n < 10000*1000:
		return fmt.Sprintf("%dK", n/1000)
	case n < 10000*1000000:
		return fmt.Sprintf("%dM", n/1000000)
	}
	return fmt.Sprintf("%dG", n/1000000000)
}
