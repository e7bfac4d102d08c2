package gateway

import (
	"cmp"
	"net/netip"

	"nave/fastpath/fib"
	"nave/slowpath/label"
	"nave/slowpath/ldp"
)

// mpls is what is said of labels, and LDP's configuration: it runs while an interface of the global table has `mpls ip`. It follows the interfaces.
func (t *translation) mpls() {
	m := &t.tree.MPLS
	out := &t.out.MPLS
	out.First, out.Last, out.Pipe = uint32(cmp.Or(m.RangeMin, label.First)), uint32(cmp.Or(m.RangeMax, label.Last)), m.NoPropagateTTL
	for _, i := range t.tree.Interfaces {
		if i.MPLS.MTU != 0 {
			t.problem("interface "+i.Name, "`mpls mtu` is read and not carried out by this version: a labelled packet is as large as `ip mtu` says, its labels counted")
		}
		if i.MPLS.IP && t.isLabelled(i.Name) {
			out.LDP.Interfaces = append(out.LDP.Interfaces, ldp.Interface{Name: i.Name})
		}
	}
	if len(out.LDP.Interfaces) == 0 {
		t.numbers.ldp = netip.Addr{}
		return
	}
	t.numbers.ldp = t.ldpRouter()
	out.LDP.RouterID = t.numbers.ldp
	if !out.LDP.RouterID.IsValid() {
		t.problem("mpls ip", "LDP has no router ID: no interface of the global table is up and has an address; a loopback with one is best")
	}
	out.LDP.SessionHold, out.LDP.HelloHold, out.LDP.HelloInterval = m.LDPHoldTime, m.HelloHold, m.HelloInterval
	for _, p := range m.LDPPasswords {
		if p.VRF != "" {
			t.problem("mpls ldp neighbor vrf "+p.VRF+" "+p.Neighbor.String(), "LDP runs in the global table only: the password counts for nobody")
			continue
		}
		out.LDP.Passwords = append(out.LDP.Passwords, ldp.Password{Neighbor: p.Neighbor, Key: ldp.Secret(p.Password.Reveal())})
	}
	out.LDP.GracefulRestart = m.GracefulRestart
}

// isLabelled tells whether an interface as translated takes labelled packets.
func (t *translation) isLabelled(name string) bool {
	for k := range t.out.Interfaces {
		if i := &t.out.Interfaces[k]; i.Name == name {
			return i.MPLS && i.VRF == fib.Global
		}
	}
	return false
}

// ldpRouter is LDP's router ID. While its address is there it stays, or sessions would end for nothing; `force` goes before that.
func (t *translation) ldpRouter() netip.Addr {
	m := &t.tree.MPLS
	current := t.numbers.ldp
	var wanted, loopback, any netip.Addr
	stays := false
	for k := range t.out.Interfaces {
		i := &t.out.Interfaces[k]
		if i.VRF != fib.Global || !i.Up {
			continue
		}
		for _, p := range i.Addrs {
			stays = stays || p.Addr() == current
			if p.Addr().Compare(any) > 0 {
				any = p.Addr()
			}
			if c := t.find(i.Name); c != nil && c.IsLoopback() && p.Addr().Compare(loopback) > 0 {
				loopback = p.Addr()
			}
		}
		if i.Name == m.LDPRouterID && len(i.Addrs) > 0 {
			wanted = i.Addrs[0].Addr()
		}
	}
	if m.LDPRouterID != "" && !wanted.IsValid() {
		t.problem("mpls ldp router-id "+m.LDPRouterID, "it is not up with an address in the global table, and another address identifies LDP meanwhile")
	}
	switch {
	case wanted.IsValid() && (m.LDPForce || !stays):
		return wanted
	case stays:
		if wanted.IsValid() && wanted != current {
			t.problem("mpls ldp router-id "+m.LDPRouterID, "sessions go on under "+current.String()+" until that is down; say `force` to have it at once, with new sessions")
		}
		return current
	case loopback.IsValid():
		return loopback
	}
	return any
}

// ldpRuns tells whether LDP has an interface, for show output and for sockets.
func ldpRuns(c *ldp.Config) bool { return c.RouterID.IsValid() && len(c.Interfaces) > 0 }
