package table

import (
	"sync/atomic"
	"unsafe"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// Port is a port as the worker needs it.
type Port struct {
	MAC    uint64 // as packet.MACWord
	Addr   uint32
	Group  uint32
	ID     uint16
	VRF    uint16
	MTU    uint16
	MSS    uint16
	Parent uint16 // of a subinterface: whose frames carry its own
	VLAN   uint16
	MPLS   bool // takes labelled packets
}

const portSize = int(unsafe.Sizeof(Port{}))

// Port is port id, nil without one.
func (t *Tables) Port(id uint32) *Port { return (*Port)(t.record(t.ports, id)) }

// SetPort installs a port or replaces it. The engine has checked it.
func (t *Tables) SetPort(f *fib.Port) error {
	n := Port{
		MAC: packet.MACWord(f.MAC), Addr: addrWord(f.Addr), Group: uint32(f.Group),
		ID: uint16(f.ID), VRF: uint16(f.VRF), MTU: f.MTU, MSS: f.MSS, MPLS: f.MPLS, Parent: uint16(f.Parent), VLAN: f.VLAN,
	}
	var was Port
	if old := t.Port(uint32(n.ID)); old != nil {
		if was = *old; was == n {
			return nil
		}
	}
	r, err := t.alloc(portSize)
	if err != nil {
		return err
	}
	if err := t.putVLAN(&n); err != nil {
		t.a.Free(r, portSize)
		return err
	}
	*(*Port)(t.a.Ptr(r)) = n
	t.replace(t.ports, uint32(n.ID), r, portSize)
	if was.Parent != n.Parent || was.VLAN != n.VLAN {
		t.dropVLAN(&was)
	}
	return nil
}

// DelPort takes a port away.
func (t *Tables) DelPort(id uint32) {
	if old := t.Port(id); old != nil {
		was := *old
		t.replace(t.ports, id, 0, portSize)
		t.dropVLAN(&was)
	}
}

// Group is the members of group id; none when it does not exist.
func (t *Tables) Group(id uint32) []uint32 {
	p := (*uint32)(t.record(t.groups, id))
	if p == nil {
		return nil
	}
	return unsafe.Slice(p, *p+1)[1:]
}

// HasGroup tells whether group id exists, with members or without.
func (t *Tables) HasGroup(id uint32) bool { return t.record(t.groups, id) != nil }

// SetGroup installs a replication list or replaces it.
func (t *Tables) SetGroup(f *fib.Group) error {
	if int64(f.ID) >= int64(t.size.Groups) {
		return ErrFull
	}
	if t.HasGroup(uint32(f.ID)) && sameMembers(t.Group(uint32(f.ID)), f.Members) {
		return nil
	}
	r, err := t.alloc(groupBytes(len(f.Members)))
	if err != nil {
		return err
	}
	w := t.a.U32(r, len(f.Members)+1)
	w[0] = uint32(len(f.Members))
	for i, m := range f.Members {
		w[i+1] = uint32(m)
	}
	t.replaceGroup(uint32(f.ID), uint32(r))
	return nil
}

// DelGroup takes a group away.
func (t *Tables) DelGroup(id uint32) {
	if t.HasGroup(id) {
		t.replaceGroup(id, 0)
	}
}

func (t *Tables) replaceGroup(id, r uint32) {
	n := groupBytes(len(t.Group(id)))
	old := atomic.SwapUint32(&t.groups[id], r)
	if old != 0 {
		t.retire(old, n)
	}
	t.dirty = true
}

func groupBytes(members int) int { return 4 * (members + 1) }

func sameMembers(a []uint32, b []fib.AdjID) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != uint32(b[i]) {
			return false
		}
	}
	return true
}
