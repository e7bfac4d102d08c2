package fastpath

import (
	"encoding/binary"
	"fmt"

	"nave/fastpath/fib"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
)

// checkSubinterfaces finds ports of a batch that claim the VLAN of another one, or whose parent is a subinterface itself.
func (e *Engine) checkSubinterfaces(b *fib.Batch) error {
	type vlan struct {
		parent fib.PortID
		id     uint16
	}
	parents, by := make(map[fib.PortID]fib.PortID, len(b.Ports)), make(map[vlan]fib.PortID)
	changes := make(map[fib.PortID]bool, len(b.Ports)+len(b.DelPorts))
	for i := range b.Ports {
		parents[b.Ports[i].ID], changes[b.Ports[i].ID] = b.Ports[i].Parent, true
	}
	for _, id := range b.DelPorts {
		changes[id] = true
	}
	for i := range b.Ports {
		p := &b.Ports[i]
		if p.Parent == 0 {
			continue
		}
		of, known := parents[p.Parent]
		if t := e.tables.Port(uint32(p.Parent)); !known && t != nil {
			of = fib.PortID(t.Parent)
		}
		if of != 0 {
			return fmt.Errorf("port %d: its parent %d is a subinterface of port %d", p.ID, p.Parent, of)
		}
		v := vlan{p.Parent, p.VLAN}
		other := by[v]
		if t := e.tables.Subinterface(uint16(p.Parent), p.VLAN); other == 0 && t != nil && !changes[fib.PortID(t.ID)] {
			other = fib.PortID(t.ID)
		}
		if other != 0 {
			return fmt.Errorf("port %d: VLAN %d of port %d is port %d: give one of the two another VLAN", p.ID, p.VLAN, p.Parent, other)
		}
		by[v] = p.ID
	}
	return nil
}

// checkAside looks at an adjacency that no packet leaves by.
func checkAside(a *fib.Adjacency) error {
	switch {
	case len(a.Outer) > table.OuterRoom:
		return fmt.Errorf("outer header of %d bytes, and nothing leaves by it: at most %d", len(a.Outer), table.OuterRoom)
	case len(a.Inner)+len(a.Labels)*packet.LabelLen > fib.MaxInner || len(a.Labels) > fib.MaxLabels:
		return fmt.Errorf("inner header of %d bytes and %d labels, and nothing leaves by it: at most %d bytes and %d labels", len(a.Inner), len(a.Labels), fib.MaxInner, fib.MaxLabels)
	case a.Kind == fib.AdjLookup && (a.Port != 0 || a.Tunnel != 0 || len(a.Labels)+len(a.Inner)+len(a.Outer) != 0 || a.SA|a.AH != 0):
		return fmt.Errorf("it looks up again, in VRF %d, and has a port, a tunnel, headers or a security association", a.VRF)
	}
	return nil
}

// checkLink looks at the Ethernet header of a link.
func checkLink(a *fib.Adjacency) error {
	tagged := binary.BigEndian.Uint16(a.Outer[packet.EthernetLen-2:]) == packet.TypeVLAN
	want := packet.EthernetLen
	if tagged {
		want += packet.VLANLen
	}
	if len(a.Outer) != want || len(a.Inner) != 0 {
		return fmt.Errorf("a link's outer header is Ethernet, with a tag or without, and it has no inner one")
	}
	if tagged {
		return checkTag(a)
	}
	return nil
}

// checkTag looks at the tag of an adjacency by a subinterface.
func checkTag(a *fib.Adjacency) error {
	if id := binary.BigEndian.Uint16(a.Outer[packet.EthernetLen:]) & packet.VLANID; id < 1 || id > 4094 {
		return fmt.Errorf("tag of VLAN %d: want 1 to 4094", id)
	}
	return nil
}

// checkOuterStack looks at what stands before the outer IPv4 header of a tunnel.
func checkOuterStack(a *fib.Adjacency) error {
	if a.LinkLen() == 0 {
		return fmt.Errorf("outer header ends in its Ethernet header or labels, or has more than %d of those", fib.MaxLabels)
	}
	if binary.BigEndian.Uint16(a.Outer[packet.EthernetLen-2:]) == packet.TypeVLAN {
		if err := checkTag(a); err != nil {
			return err
		}
	}
	stack := a.OuterStack()
	for b := stack; len(b) > 0; b = b[packet.LabelLen:] {
		e := packet.GetLSE(b)
		if err := checkLabelValue(e.Label()); err != nil {
			return fmt.Errorf("outer header: %w", err)
		}
		if e.TTL() == 0 || e.EXP() != 0 {
			return fmt.Errorf("outer header: label %d with a TTL of %d and EXP %d: want a TTL, and EXP zero", e.Label(), e.TTL(), e.EXP())
		}
	}
	if front := len(a.Outer) - table.OuterRoom; front+len(a.Inner)+len(a.Labels)*packet.LabelLen > fib.MaxInner {
		return fmt.Errorf("headers of %d and %d bytes and %d labels: at most %d bytes together", len(a.Outer), len(a.Inner), len(a.Labels), fib.MaxInner+table.OuterRoom)
	}
	if a.LinkMTU != 0 && int(a.LinkMTU) < minMTU+len(stack) {
		return fmt.Errorf("link MTU of %d with %d bytes of labels: want %d at least", a.LinkMTU, len(stack), minMTU+len(stack))
	}
	return nil
}
