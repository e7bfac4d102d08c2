package labs

import (
	"net/netip"
	"strings"
	"sync"

	"nave/testbed/topo"
)

// Reach is which hosts of a lab reach which: each is pinged at an address that only it has.
type Reach struct {
	Hosts []string
	Addrs []netip.Addr // of the hosts
	Yes   [][]bool     // from, to
}

// Ways pings all hosts from all others, all at a time.
func Ways(l *topo.Lab) Reach {
	var r Reach
	for _, n := range l.Topology.Nodes {
		if a, ok := OwnAddr(l, n.Name); ok && n.Kind == topo.Host {
			r.Hosts, r.Addrs = append(r.Hosts, n.Name), append(r.Addrs, a)
		}
	}
	var pings sync.WaitGroup
	for from := range r.Hosts {
		row := make([]bool, len(r.Hosts))
		r.Yes = append(r.Yes, row)
		for to := range r.Hosts {
			pings.Go(func() {
				_, err := l.Run(r.Hosts[from], "ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", r.Addrs[to].String())
				row[to] = err == nil
			})
		}
	}
	pings.Wait()
	return r
}

// OwnAddr is the address that no other host of the lab has: the last one of the node's first link that has any.
func OwnAddr(l *topo.Lab, node string) (netip.Addr, bool) {
	for _, k := range l.Topology.Links {
		for _, p := range []topo.Port{k.A, k.B} {
			if p.Node != node || len(p.Addrs) == 0 {
				continue
			}
			if a, err := netip.ParsePrefix(p.Addrs[len(p.Addrs)-1]); err == nil {
				return a.Addr(), true
			}
		}
	}
	return netip.Addr{}, false
}

// Group is what hosts that belong together have in common in their names: "red" of red1 and red2.
func Group(host string) string { return strings.TrimRight(host, "0123456789") }
