package gateway

import (
	"net/netip"

	"nave/ctl/config"
	"nave/fastpath/fib"
	"nave/slowpath"
)

// numbers gives interfaces the numbers by which the fast path knows them. A name keeps its number. What the fast path had before this process is
// found again by what it is: a port by its MAC address and VLAN, a tunnel by its ends and key, a protection by its tunnels, a VRF by its interfaces.
type numbers struct {
	ports       map[string]fib.PortID
	tunnels     map[string]fib.TunnelID
	protections map[string]uint32
	vrfNumbers
	ldp netip.Addr // the router ID of LDP
	bgp netip.Addr // that of BGP
	// eigrp are those of EIGRP's processes that have none configured.
	eigrp map[slowpath.EIGRPKey]netip.Addr

	oldPorts       map[fib.PortID]fib.Port // those that no name has yet
	oldTunnels     map[fib.TunnelID]fib.Tunnel
	oldProtections map[fib.TunnelID]uint32
	oldIDs         map[uint32]bool // of protections
}

func newNumbers() *numbers {
	return &numbers{
		ports: make(map[string]fib.PortID), tunnels: make(map[string]fib.TunnelID), protections: make(map[string]uint32),
		oldPorts: make(map[fib.PortID]fib.Port), oldTunnels: make(map[fib.TunnelID]fib.Tunnel), oldProtections: make(map[fib.TunnelID]uint32),
		oldIDs: make(map[uint32]bool), vrfNumbers: vrfNumbers{vrfs: make(map[string]fib.VRF)},
	}
}

// inherit notes what the fast path has.
func (n *numbers) inherit(b *fib.Batch) {
	n.inheritTables(b)
	for _, p := range b.Ports {
		n.oldPorts[p.ID] = p
	}
	for _, t := range b.Tunnels {
		n.oldTunnels[t.ID] = t
		if t.Protected && t.Protection != 0 {
			n.oldProtections[t.ID] = uint32(t.Protection)
			n.oldIDs[uint32(t.Protection)] = true
		}
	}
	for i := range b.SAs {
		n.oldIDs[uint32(b.SAs[i].Protection)] = true
	}
}

// disinherit forgets what no name has taken: its numbers are free.
func (n *numbers) disinherit() {
	clear(n.oldPorts)
	clear(n.oldTunnels)
	clear(n.oldProtections)
	clear(n.oldIDs)
	n.before = nil
}

// lowest gives a name the lowest number that is free.
func lowest[T ~uint16 | ~uint32](m map[string]T, name string, taken func(T) bool) T {
	used := make(map[T]bool, len(m))
	for _, id := range m {
		used[id] = true
	}
	id := T(1)
	for used[id] || taken(id) {
		id++
	}
	m[name] = id
	return id
}

// port numbers a port, which is found again by its MAC address.
func (n *numbers) port(name string, mac [6]byte) fib.PortID { return n.portWith(name, mac, 0) }

// portOf numbers a port or a subinterface, which has its port's MAC address.
func (n *numbers) portOf(i *config.Interface, mac [6]byte) fib.PortID {
	if i.Parent() == "" {
		return n.portWith(i.Name, mac, 0)
	}
	return n.portWith(i.Name, mac, uint16(i.VLAN))
}

func (n *numbers) portWith(name string, mac [6]byte, vlan uint16) fib.PortID {
	if id, ok := n.ports[name]; ok {
		return id
	}
	var found fib.PortID
	for id, p := range n.oldPorts {
		if p.MAC == mac && p.VLAN == vlan && (found == 0 || id < found) {
			found = id
		}
	}
	if found != 0 {
		delete(n.oldPorts, found)
		n.ports[name] = found
		return found
	}
	return lowest(n.ports, name, func(id fib.PortID) bool { _, old := n.oldPorts[id]; return old })
}

// tunnel numbers a tunnel; of t its ends, the VRF that they are in and its key are set, but for the source where that is not known yet.
func (n *numbers) tunnel(name string, t fib.Tunnel) fib.TunnelID {
	if id, ok := n.tunnels[name]; ok {
		return id
	}
	var found fib.TunnelID
	for id, o := range n.oldTunnels {
		if o.OuterVRF == t.OuterVRF && sameEnds(&t, &o) && (found == 0 || id < found) {
			found = id
		}
	}
	if found != 0 {
		delete(n.oldTunnels, found)
		n.tunnels[name] = found
		return found
	}
	return lowest(n.tunnels, name, func(id fib.TunnelID) bool { _, old := n.oldTunnels[id]; return old })
}

// sameEnds tells whether a tunnel may be one of before, by ends and key.
func sameEnds(t, old *fib.Tunnel) bool {
	return (t.Local == old.Local || t.Local == netip.Addr{}) && t.Remote == old.Remote && t.Key == old.Key && t.HasKey == old.HasKey
}

// protection numbers the protection that tunnels share under a name, by the first of them.
func (n *numbers) protection(name string, tunnel fib.TunnelID) uint32 {
	if id, ok := n.protections[name]; ok {
		return id
	}
	if id, ok := n.oldProtections[tunnel]; ok {
		delete(n.oldProtections, tunnel)
		for _, used := range n.protections {
			if used == id {
				ok = false // tunnels that shared it do not any more
			}
		}
		if ok {
			n.protections[name] = id
			return id
		}
	}
	return lowest(n.protections, name, func(id uint32) bool { return n.oldIDs[id] })
}
