package gateway

import (
	"net/netip"
	"time"

	"nave/fastpath/fib"
)

// presumeFor is how long a lease is believed that the fast path forwards by, and that the DHCP server has not confirmed.
const presumeFor = 2 * time.Minute

// presumed are the leases that the process before had, as far as the fast path tells: without them the tunnels whose source is leased would be down
// until the server has answered.
type presumed struct {
	leases map[fib.PortID]Lease // that no interface has yet
	names  map[string]bool      // interfaces whose lease is one of these, and not confirmed
}

// inherit reads leases off what is installed: an address of a port, the subnet that it is in, the default route's gateway on it.
func (p *presumed) inherit(b *fib.Batch) {
	p.leases, p.names = make(map[fib.PortID]Lease), make(map[string]bool)
	adjs := make(map[fib.AdjID]*fib.Adjacency, len(b.Adjacencies))
	for k := range b.Adjacencies {
		adjs[b.Adjacencies[k].ID] = &b.Adjacencies[k]
	}
	addrs, vrfs := make(map[fib.PortID]netip.Addr), make(map[fib.PortID]fib.VRF)
	for _, t := range b.Ports {
		addrs[t.ID], vrfs[t.ID] = t.Addr, t.VRF
	}
	for _, e := range b.Routes {
		if len(e.Paths) != 1 {
			continue
		}
		a := adjs[e.Paths[0]]
		if a == nil || a.Tunnel != 0 || e.VRF != vrfs[a.Port] || a.Port == 0 || !addrs[a.Port].IsValid() {
			continue
		}
		l := p.leases[a.Port]
		switch addr := addrs[a.Port]; {
		case e.Prefix.Bits() == 0 && a.NextHop.IsValid():
			l.Gateway = a.NextHop
		case a.Kind == fib.AdjGlean && !a.NextHop.IsValid() && e.Prefix.Contains(addr) && e.Prefix.Bits() > l.Address.Bits():
			l.Address = netip.PrefixFrom(addr, e.Prefix.Bits())
		default:
			continue
		}
		p.leases[a.Port] = l
	}
}

// presume gives interfaces that want a lease and have none the one that they had before.
func (c *Core) presume() {
	if len(c.presumed.leases) == 0 || !c.configured {
		return
	}
	for _, i := range c.tree.Interfaces {
		link, there := c.facts.linkOf(i)
		if _, has := c.facts.Leases[i.Name]; has || !there || !i.DHCP || i.Shutdown {
			continue
		}
		id := c.numbers.portOf(i, link.MAC)
		if l, ok := c.presumed.leases[id]; ok && l.Address.IsValid() {
			c.facts.Leases[i.Name] = l
			c.presumed.names[i.Name] = true
		}
		delete(c.presumed.leases, id)
	}
}

// Presumes tells whether the lease of an interface is what the fast path was found with, and not confirmed by SetLease. Somebody has to end it
// with SetLease after presumeFor.
func (c *Core) Presumes(name string) bool { return c.presumed.names[name] }
