package gateway

import (
	"cmp"

	"nave/ctl/config"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/rib"
)

// linkOf is the netdev under an interface: a subinterface has that of its port.
func (f *Facts) linkOf(i *config.Interface) (Link, bool) {
	l, ok := f.Links[cmp.Or(i.Parent(), i.Name)]
	return l, ok
}

func (t *translation) loopback(i *config.Interface) {
	vrf, _ := t.vrfNumber(i.VRF)
	t.out.Interfaces = append(t.out.Interfaces, slowpath.Interface{Unnumbered: i.Unnumbered != "", Interface: rib.Interface{
		Name: i.Name, VRF: vrf, Addrs: t.addresses(i), Up: !i.Shutdown, MTU: 1500,
	}})
}

// port is a port or a subinterface. A subinterface is a port of its own to the rest, which shares the MAC address and the cable of its parent and is up with it.
func (t *translation) port(i *config.Interface) {
	link, ok := t.facts.linkOf(i)
	if !ok {
		name := cmp.Or(i.Parent(), i.Name)
		t.problem("interface "+i.Name, "no port was given for it: start naved with --port "+name+"=NETDEV")
		return
	}
	mtu := link.MTU
	if i.Parent() != "" && i.MTU != 0 {
		mtu = min(mtu, i.MTU) // a port's own is its netdev's
	}
	if i.IPMTU != 0 {
		mtu = min(mtu, i.IPMTU)
	}
	vrf, _ := t.vrfNumber(i.VRF)
	in := rib.Interface{
		Name: i.Name, VRF: vrf, Addrs: t.addresses(i), Up: t.isUp(i), MSS: uint16(i.AdjustMSS),
		Port: t.numbers.portOf(i, link.MAC), MAC: link.MAC, MTU: uint16(min(mtu, 65535)), MPLS: t.labelled(i),
	}
	if i.Parent() != "" {
		in.Parent, in.VLAN = t.parent(i.Parent(), link), uint16(i.VLAN)
	}
	t.out.Interfaces = append(t.out.Interfaces, slowpath.Interface{Unnumbered: i.Unnumbered != "", NoUnreachables: i.NoUnreachables, Interface: in})
}

// parent is the number of a subinterface's port. Where the configuration has subinterfaces only, the port carries them and nothing of its own.
func (t *translation) parent(name string, link Link) fib.PortID {
	id := t.numbers.port(name, link.MAC)
	if t.find(name) == nil && !t.implied[name] {
		t.implied[name] = true
		t.out.Interfaces = append(t.out.Interfaces, slowpath.Interface{Interface: rib.Interface{
			Name: name, Up: link.Up, Port: id, MAC: link.MAC, MTU: uint16(min(link.MTU, 65535)),
		}})
	}
	return id
}

// labelled tells whether an interface takes and sends labelled packets.
func (t *translation) labelled(i *config.Interface) bool {
	what := "interface " + i.Name
	switch {
	case !i.MPLS.IP && !i.MPLS.BGPForwarding:
		return false
	case t.tree.MPLS.Off:
		t.problem(what, "`mpls ip` has no effect: `no mpls ip` turns labels off for the whole router")
		return false
	case i.VRF != "":
		t.problem(what, "`mpls ip` has no effect in VRF "+i.VRF+": labels are of the global table, and packets come out of them into VRFs")
		return false
	}
	return true
}

func (t *translation) linkMTU(o *config.Interface) int {
	mtu := 1500
	if l, ok := t.facts.linkOf(o); ok && l.MTU > 0 {
		mtu = l.MTU
	}
	if o.Parent() != "" && o.MTU != 0 {
		mtu = min(mtu, o.MTU)
	}
	return mtu
}

func (t *translation) isUp(o *config.Interface) bool {
	if o.Shutdown || o.IsLoopback() {
		return !o.Shutdown
	}
	if p := t.find(o.Parent()); p != nil && p.Shutdown {
		return false
	}
	l, _ := t.facts.linkOf(o)
	return l.Up
}
