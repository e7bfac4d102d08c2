package fastpath

import (
	"encoding/binary"
	"fmt"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// minMTU is the smallest MTU that IPv4 allows (RFC 791), in bytes.
const minMTU = 68

// checkBatch finds what makes a batch malformed: entries that contradict themselves, each other or the language of
// package fib. What is merely too much, or leads to an adjacency that is not there, is not looked at here.
func (e *Engine) checkBatch(b *fib.Batch) error {
	if err := e.checkSAs(b); err != nil {
		return err
	}
	if err := e.checkPorts(b); err != nil {
		return err
	}
	if err := e.checkTunnels(b); err != nil {
		return err
	}
	if err := e.checkAdjs(b); err != nil {
		return err
	}
	gone := make(map[fib.AdjID]bool, len(b.DelAdjacencies))
	for _, id := range b.DelAdjacencies {
		gone[id] = true
	}
	if err := checkGroups(b, gone); err != nil {
		return err
	}
	if err := e.checkRoutes(b, gone); err != nil {
		return err
	}
	if err := e.checkLabels(b, gone); err != nil {
		return err
	}
	return e.checkRemovals(b)
}

func (e *Engine) checkPorts(b *fib.Batch) error {
	seen := make(map[fib.PortID]bool, len(b.Ports))
	for i := range b.Ports {
		p := &b.Ports[i]
		switch {
		case p.ID == 0 || int(p.ID) >= e.cfg.MaxPorts:
			return fmt.Errorf("port %d: numbers go from 1 to %d", p.ID, e.cfg.MaxPorts-1)
		case seen[p.ID]:
			return fmt.Errorf("port %d: twice in one batch", p.ID)
		case int(p.VRF) >= e.cfg.MaxVRFs:
			return fmt.Errorf("port %d: VRF %d: numbers end at %d", p.ID, p.VRF, e.cfg.MaxVRFs-1)
		case p.MTU < minMTU:
			return fmt.Errorf("port %d: MTU of %d: want %d at least", p.ID, p.MTU, minMTU)
		case p.Addr.IsValid() && !p.Addr.Is4():
			return fmt.Errorf("port %d: address %s is not IPv4", p.ID, p.Addr)
		case p.Parent == 0 && p.VLAN != 0 || p.Parent != 0 && (p.VLAN < 1 || p.VLAN > 4094):
			return fmt.Errorf("port %d: parent %d and VLAN %d: a subinterface has both, and VLANs go from 1 to 4094", p.ID, p.Parent, p.VLAN)
		case int(p.Parent) >= e.cfg.MaxPorts || p.Parent == p.ID:
			return fmt.Errorf("port %d: parent %d: want another port, from 1 to %d", p.ID, p.Parent, e.cfg.MaxPorts-1)
		}
		seen[p.ID] = true
	}
	return e.checkSubinterfaces(b)
}

func (e *Engine) checkTunnels(b *fib.Batch) error {
	seen := make(map[fib.TunnelID]bool, len(b.Tunnels))
	for i := range b.Tunnels {
		t := &b.Tunnels[i]
		switch {
		case t.ID == 0 || int(t.ID) >= e.cfg.MaxTunnels:
			return fmt.Errorf("tunnel %d: numbers go from 1 to %d", t.ID, e.cfg.MaxTunnels-1)
		case seen[t.ID]:
			return fmt.Errorf("tunnel %d: twice in one batch", t.ID)
		case int(t.VRF) >= e.cfg.MaxVRFs || int(t.OuterVRF) >= e.cfg.MaxVRFs:
			return fmt.Errorf("tunnel %d: VRF %d or %d: numbers end at %d", t.ID, t.VRF, t.OuterVRF, e.cfg.MaxVRFs-1)
		case !t.Local.Is4() || t.Local.IsUnspecified():
			return fmt.Errorf("tunnel %d: source %s: want an IPv4 address", t.ID, t.Local)
		case t.Remote.IsValid() && !t.Remote.Is4() || t.Addr.IsValid() && !t.Addr.Is4():
			return fmt.Errorf("tunnel %d: destination %s or address %s is not IPv4", t.ID, t.Remote, t.Addr)
		case t.Key != 0 && !t.HasKey:
			return fmt.Errorf("tunnel %d: key %d, and HasKey is not set", t.ID, t.Key)
		case t.MTU < minMTU:
			return fmt.Errorf("tunnel %d: MTU of %d: want %d at least", t.ID, t.MTU, minMTU)
		}
		seen[t.ID] = true
	}
	return nil
}

func (e *Engine) checkAdjs(b *fib.Batch) error {
	seen := make(map[fib.AdjID]bool, len(b.Adjacencies))
	for i := range b.Adjacencies {
		a := &b.Adjacencies[i]
		if seen[a.ID] {
			return fmt.Errorf("adjacency %d: twice in one batch", a.ID)
		}
		seen[a.ID] = true
		if err := e.checkAdj(a); err != nil {
			return fmt.Errorf("adjacency %d: %w", a.ID, err)
		}
	}
	return nil
}

func (e *Engine) checkAdj(a *fib.Adjacency) error {
	switch {
	case a.ID < fib.FirstAdj:
		return fmt.Errorf("numbers below %d are taken", fib.FirstAdj)
	case a.Kind > fib.AdjLookup:
		return fmt.Errorf("kind %d does not exist", a.Kind)
	case len(a.Inner) > fib.MaxInner || len(a.Outer) > fib.MaxOuter:
		return fmt.Errorf("headers of %d and %d bytes: at most %d and %d", len(a.Inner), len(a.Outer), fib.MaxInner, fib.MaxOuter)
	case int(a.Port) >= e.cfg.MaxPorts || int(a.Tunnel) >= e.cfg.MaxTunnels || int(a.VRF) >= e.cfg.MaxVRFs:
		return fmt.Errorf("port %d, tunnel %d or VRF %d is out of range", a.Port, a.Tunnel, a.VRF)
	case a.NextHop.IsValid() && !a.NextHop.Is4():
		return fmt.Errorf("next hop %s is not IPv4", a.NextHop)
	case a.LinkMTU != 0 && a.LinkMTU < minMTU:
		return fmt.Errorf("link MTU of %d: want %d at least", a.LinkMTU, minMTU)
	}
	if a.Kind != fib.AdjLink && a.Kind != fib.AdjTunnel {
		return checkAside(a)
	}
	return checkLeaving(a)
}

// checkLeaving looks at an adjacency that packets leave by.
func checkLeaving(a *fib.Adjacency) error {
	switch {
	case a.Port == 0:
		return fmt.Errorf("no port to leave by")
	case a.MTU < minMTU:
		return fmt.Errorf("MTU of %d: want %d at least", a.MTU, minMTU)
	case len(a.Labels) > 0 && checkPushed(a) != nil:
		return checkPushed(a)
	case len(a.Outer) < packet.EthernetLen:
		return fmt.Errorf("outer header of %d bytes: want an Ethernet header", len(a.Outer))
	case a.Kind == fib.AdjLink && a.SA|a.AH != 0:
		return fmt.Errorf("a link has no security association")
	case a.Kind == fib.AdjLink:
		return checkLink(a)
	}
	if err := checkOuterStack(a); err != nil {
		return err
	}
	return checkEncap(a)
}

// checkEncap looks at the header strings of a tunnel.
func checkEncap(a *fib.Adjacency) error {
	at := a.LinkLen()
	plain := at + packet.IPv4Len
	udp := len(a.Outer) == plain+packet.UDPLen
	if len(a.Outer) != plain && !udp {
		return fmt.Errorf("outer header of %d bytes: want Ethernet, labels or none, IPv4 without options, and UDP for ESP in UDP", len(a.Outer))
	}
	ip := a.Outer[at:]
	if len(a.OuterStack()) == 0 && binary.BigEndian.Uint16(a.Outer[at-2:]) != packet.TypeIPv4 || ip[0] != 0x45 || ip[8] == 0 {
		return fmt.Errorf("outer header is not Ethernet and IPv4 with a TTL")
	}
	carries := uint8(packet.ProtoGRE)
	switch {
	case a.AH != 0:
		carries = packet.ProtoAH
	case udp:
		carries = packet.ProtoUDP
	case a.SA != 0:
		carries = packet.ProtoESP
	}
	switch {
	case ip[9] != packet.ProtoGRE && ip[9] != carries:
		return fmt.Errorf("outer header carries protocol %d: want %d for GRE, or what GRE is sealed in, which is %d", ip[9], packet.ProtoGRE, carries)
	case udp && (a.SA == 0 || a.AH != 0):
		return fmt.Errorf("outer header ends in UDP, which carries ESP alone")
	case udp && (binary.BigEndian.Uint16(ip[packet.IPv4Len:]) == 0 || binary.BigEndian.Uint16(ip[packet.IPv4Len+2:]) == 0):
		return fmt.Errorf("outer header: a UDP port is zero")
	}
	if len(a.Inner) < 4 {
		return fmt.Errorf("inner header of %d bytes: want a GRE header", len(a.Inner))
	}
	want := 4
	flags := binary.BigEndian.Uint16(a.Inner)
	if flags&packet.GREKey != 0 {
		want = 8
	}
	if flags&^packet.GREKey != 0 || len(a.Inner) < want {
		return fmt.Errorf("inner header: GRE flags %#04x in %d bytes: only a key can be sent", flags, len(a.Inner))
	}
	return nil
}

func checkGroups(b *fib.Batch, gone map[fib.AdjID]bool) error {
	seen := make(map[fib.GroupID]bool, len(b.Groups))
	for i := range b.Groups {
		g := &b.Groups[i]
		if g.ID == 0 || seen[g.ID] {
			return fmt.Errorf("group %d: zero, or twice in one batch", g.ID)
		}
		seen[g.ID] = true
		for _, m := range g.Members {
			if m < fib.FirstAdj {
				return fmt.Errorf("group %d: member %d: numbers of members go from %d on", g.ID, m, fib.FirstAdj)
			}
			if gone[m] {
				return fmt.Errorf("group %d: member %d, which the batch removes", g.ID, m)
			}
		}
	}
	return nil
}

func (e *Engine) checkRoutes(b *fib.Batch, gone map[fib.AdjID]bool) error {
	seen := make(map[fib.RouteKey]bool, len(b.Routes))
	for i := range b.Routes {
		r := &b.Routes[i]
		key := fib.RouteKey{VRF: r.VRF, Prefix: r.Prefix}
		if err := e.checkPrefix(key); err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("route %d %s: twice in one batch", r.VRF, r.Prefix)
		}
		seen[key] = true
		if len(r.Paths) < 1 || len(r.Paths) > fib.MaxPaths {
			return fmt.Errorf("route %d %s: %d paths: want 1 to %d", r.VRF, r.Prefix, len(r.Paths), fib.MaxPaths)
		}
		for _, id := range r.Paths {
			if id > fib.Null && id < fib.FirstAdj {
				return fmt.Errorf("route %d %s: path to adjacency %d, which never exists", r.VRF, r.Prefix, id)
			}
			if gone[id] {
				return fmt.Errorf("route %d %s: path to adjacency %d, which the batch removes", r.VRF, r.Prefix, id)
			}
		}
	}
	return nil
}

func (e *Engine) checkPrefix(k fib.RouteKey) error {
	switch {
	case int(k.VRF) >= e.cfg.MaxVRFs:
		return fmt.Errorf("route %d %s: VRF numbers end at %d", k.VRF, k.Prefix, e.cfg.MaxVRFs-1)
	case !k.Prefix.IsValid() || !k.Prefix.Addr().Is4():
		return fmt.Errorf("route %d %s: not an IPv4 prefix", k.VRF, k.Prefix)
	case k.Prefix != k.Prefix.Masked():
		return fmt.Errorf("route %d %s: bits are set beyond the mask (want %s)", k.VRF, k.Prefix, k.Prefix.Masked())
	}
	return nil
}

func (e *Engine) checkRemovals(b *fib.Batch) error {
	for _, k := range b.DelRoutes {
		if err := e.checkPrefix(k); err != nil {
			return fmt.Errorf("remove %w", err)
		}
	}
	for _, id := range b.DelAdjacencies {
		if id < fib.FirstAdj {
			return fmt.Errorf("remove adjacency %d: it always exists", id)
		}
	}
	return nil
}
