package table

import (
	"sync/atomic"
	"unsafe"

	"nave/fastpath/internal/arena"
)

// vlanMap says which port a VLAN of a parent is, 0 for none. A parent has one while it has subinterfaces. An entry says nothing by itself: the port's record has
// to agree, so that a reader that meets one of the two before it is written finds nothing, and no other subinterface.
type vlanMap [4096]uint32

const vlanMapSize = int(unsafe.Sizeof(vlanMap{}))

// Subinterface is the port of a parent's VLAN, nil without one.
func (t *Tables) Subinterface(parent, vlan uint16) *Port {
	m := (*vlanMap)(t.record(t.vlans, uint32(parent)))
	if m == nil {
		return nil
	}
	p := t.Port(atomic.LoadUint32(&m[vlan&uint16(len(m)-1)]))
	if p == nil || p.Parent != parent || p.VLAN != vlan {
		return nil
	}
	return p
}

// fits tells whether a VLAN is one.
func (p *Port) fits() bool { return int(p.VLAN) < len(vlanMap{}) && (p.Parent == 0) == (p.VLAN == 0) }

// putVLAN makes a subinterface be found, before its record is there.
func (t *Tables) putVLAN(n *Port) error {
	if n.Parent == 0 {
		return nil
	}
	m := (*vlanMap)(t.record(t.vlans, uint32(n.Parent)))
	if m == nil {
		r, err := t.alloc(vlanMapSize)
		if err != nil {
			return err
		}
		m = (*vlanMap)(t.a.Ptr(r))
		atomic.StoreUint32(&t.vlans[n.Parent], uint32(r))
	}
	atomic.StoreUint32(&m[n.VLAN], uint32(n.ID))
	t.dirty = true
	return nil
}

// dropVLAN undoes putVLAN once the record is gone, or another one, unless the VLAN is another port's by now.
func (t *Tables) dropVLAN(was *Port) {
	m := (*vlanMap)(t.record(t.vlans, uint32(was.Parent)))
	if was.Parent == 0 || m == nil || m[was.VLAN] != uint32(was.ID) {
		return
	}
	atomic.StoreUint32(&m[was.VLAN], 0)
	if *m == (vlanMap{}) {
		t.replace(t.vlans, uint32(was.Parent), 0, vlanMapSize)
	}
	t.dirty = true
}

// recoverVLANs takes away entries whose port says otherwise, and maps without entries.
func (t *Tables) recoverVLANs(block func(arena.Ref, int)) {
	for parent, r := range t.vlans {
		if r == 0 {
			continue
		}
		m := (*vlanMap)(t.at(r))
		left := false
		for vlan, id := range m {
			if p := t.Port(id); p != nil && id != 0 && int(p.Parent) == parent && int(p.VLAN) == vlan {
				left = true
			} else if id != 0 {
				atomic.StoreUint32(&m[vlan], 0)
			}
		}
		if !left {
			atomic.StoreUint32(&t.vlans[parent], 0)
			continue
		}
		block(arena.Ref(r), vlanMapSize)
	}
}
