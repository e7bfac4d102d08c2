package table

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
)

// Flags of a tunnel record.
const (
	TunnelHasKey = 1 << iota
	TunnelRedirect
	TunnelProtected
	TunnelMPLS   // takes labelled packets
	TunnelPriced // Price is something
)

// Tunnel is a tunnel interface as the worker needs it: one cache line.
type Tunnel struct {
	next     uint32 // the next tunnel of the same hash; the writer may change it under readers
	ID       uint16
	VRF      uint16
	OuterVRF uint16
	Flags    uint16
	Local    uint32
	Remote   uint32
	Key      uint32
	MTU      uint16
	MSS      uint16
	Network  uint32
	Group    uint32
	Addr     uint32

	Protection uint32 // what its packets must have come out of, where TunnelProtected is set
	Price      Price  // of what comes out of it
}

const tunnelSize = int(unsafe.Sizeof(Tunnel{}))

const _ = uint(arena.Line - tunnelSize)

// ErrTaken means that another tunnel receives the same packets.
type ErrTaken struct{ By uint16 }

// Error says which tunnel it is.
func (e *ErrTaken) Error() string {
	return fmt.Sprintf("tunnel %d has the same outer VRF, source, key and destination: give one of the two another key", e.By)
}

func hash(vrf uint16, local, remote, key uint32) uint32 {
	h := uint64(local)<<32 | uint64(remote)
	h ^= uint64(key)*0x9e3779b97f4a7c15 + uint64(vrf)<<48
	h *= 0xff51afd7ed558ccd
	return uint32(h >> 40)
}

// Tunnel is tunnel id, nil without one.
func (t *Tables) Tunnel(id uint32) *Tunnel { return (*Tunnel)(t.record(t.tunnels, id)) }

// FindTunnel is the tunnel that a GRE packet belongs to, nil when there is none: the point-to-point tunnel to its sender, or else the
// multipoint one.
func (t *Tables) FindTunnel(vrf uint16, local, remote, key uint32, hasKey bool) *Tunnel {
	var flag uint16
	if hasKey {
		flag = TunnelHasKey
	}
	for t.root.pointToPoint.Load() != 0 {
		// A record that takes another's place comes in front, and whoever is past that already finds neither: before the multipoint
		// tunnel gets the packet, it looks again if anything was taken out meanwhile.
		before := t.root.unlinked.Load()
		if n := t.findTunnel(vrf, local, remote, key, flag); n != nil {
			return n
		}
		if t.root.unlinked.Load() == before {
			break
		}
	}
	return t.findTunnel(vrf, local, 0, key, flag)
}

// Again tells whether FindTunnel would find n, that it found before, for this packet too. False costs a search, no more.
func (t *Tables) Again(n *Tunnel, vrf uint16, local, remote, key uint32, hasKey bool) bool {
	return n.Local == local && n.Key == key && n.OuterVRF == vrf && (n.Flags&TunnelHasKey != 0) == hasKey &&
		(n.Remote == remote || n.Remote == 0 && t.root.pointToPoint.Load() == 0)
}

func (t *Tables) findTunnel(vrf uint16, local, remote, key uint32, flag uint16) *Tunnel {
	b := hash(vrf, local, remote, key) & uint32(len(t.buckets)-1)
	for r := atomic.LoadUint32(&t.buckets[b]); r != 0; {
		n := (*Tunnel)(t.at(r))
		if n.Local == local && n.Remote == remote && n.Key == key && n.OuterVRF == vrf && n.Flags&TunnelHasKey == flag {
			return n
		}
		r = atomic.LoadUint32(&n.next)
	}
	return nil
}

// tunnelKey is what tells the packets of tunnels apart.
type tunnelKey struct {
	vrf, flag          uint16
	local, remote, key uint32
}

func (n *Tunnel) classifier() tunnelKey {
	return tunnelKey{n.OuterVRF, n.Flags & TunnelHasKey, n.Local, n.Remote, n.Key}
}

// tunnelChange is a tunnel on its way into the table.
type tunnelChange struct {
	n      Tunnel
	r      arena.Ref // the new record; 0 when nothing changes or the tunnel is refused
	old    *Tunnel   // the record before, nil without one
	oldRef uint32
	sealed bool
	err    error
}

// SetTunnels installs tunnels or replaces them, all together, so that tunnels may exchange their keys or take that of one in gone, which the
// caller removes afterwards. The engine has checked them. It returns an error for each tunnel, nil where it was
// installed; one that was refused stays what it was.
//
// No packet meets a gap, or a tunnel that is its own neither before nor after: the new records come first, in front of the old
// ones that they displace, and those go once all are there.
func (t *Tables) SetTunnels(list []fib.Tunnel, gone []fib.TunnelID) []error {
	changes := make([]tunnelChange, len(list))
	for i := range list {
		t.prepare(&changes[i], &list[i])
	}
	leaves := make(map[uint16]bool, len(gone))
	for _, id := range gone {
		leaves[uint16(id)] = true
	}
	for {
		t.settle(changes, leaves)
		if t.seal(changes) {
			break
		}
	}
	for i := range changes {
		if c := &changes[i]; c.r != 0 {
			t.link(c)
		}
	}
	errs := make([]error, len(list))
	for i := range changes {
		c := &changes[i]
		errs[i] = c.err
		if c.r == 0 || c.old == nil {
			continue
		}
		t.unlink(c.old, c.oldRef)
		if c.old.Flags&TunnelProtected != 0 && c.n.Flags&TunnelProtected == 0 {
			errs[i] = t.sealAll(c.n.ID, false)
		}
	}
	return errs
}

// prepare builds the new record of a tunnel, which nobody sees yet.
func (t *Tables) prepare(c *tunnelChange, f *fib.Tunnel) {
	c.n = Tunnel{
		ID: uint16(f.ID), VRF: uint16(f.VRF), OuterVRF: uint16(f.OuterVRF),
		Local: addrWord(f.Local), Remote: addrWord(f.Remote), Key: f.Key, MTU: f.MTU, MSS: f.MSS,
		Network: f.Network, Group: uint32(f.Group), Addr: addrWord(f.Addr), Protection: uint32(f.Protection),
	}
	for _, b := range []struct {
		on   bool
		flag uint16
	}{{f.HasKey, TunnelHasKey}, {f.Redirect, TunnelRedirect}, {f.Protected, TunnelProtected}, {f.MPLS, TunnelMPLS}} {
		if b.on {
			c.n.Flags |= b.flag
		}
	}
	t.priceTunnel(&c.n, f)
	if c.old = t.Tunnel(uint32(f.ID)); c.old != nil {
		c.oldRef = t.tunnels[f.ID]
		same := *c.old
		same.next = 0
		if same == c.n {
			return
		}
	}
	c.r, c.err = t.alloc(tunnelSize)
}

// settle refuses the tunnels whose packets are another's. A tunnel that is refused stays where it was, which may be in the way of
// one more: so it looks again until all that are left agree.
func (t *Tables) settle(changes []tunnelChange, leaves map[uint16]bool) {
	for again := true; again; {
		again = false
		moves := make(map[uint16]tunnelKey, len(changes))
		for i := range changes {
			if c := &changes[i]; c.err == nil {
				moves[c.n.ID] = c.n.classifier()
			}
		}
		taken := make(map[tunnelKey]uint16, len(changes))
		for i := range changes {
			c := &changes[i]
			if c.err != nil {
				continue
			}
			k := c.n.classifier()
			by, twice := taken[k]
			if !twice {
				taken[k] = c.n.ID
				other := t.findTunnel(k.vrf, k.local, k.remote, k.key, k.flag)
				if other == nil || other.ID == c.n.ID || leaves[other.ID] {
					continue
				}
				if to, ok := moves[other.ID]; ok && to != k {
					continue
				}
				by = other.ID
			}
			t.refuse(c, &ErrTaken{By: by})
			again = true
			break
		}
	}
}

// seal is fail closed: adjacencies refuse clear text before their tunnel turns protected, and allow it only afterwards. False: a tunnel was
// refused for want of room, and the others have to settle anew.
func (t *Tables) seal(changes []tunnelChange) bool {
	for i := range changes {
		c := &changes[i]
		if c.r == 0 || c.sealed || c.n.Flags&TunnelProtected == 0 || c.old != nil && c.old.Flags&TunnelProtected != 0 {
			continue
		}
		c.sealed = true
		if err := t.sealAll(c.n.ID, true); err != nil {
			t.refuse(c, err)
			return false
		}
	}
	return true
}

// refuse leaves a tunnel as it was.
func (t *Tables) refuse(c *tunnelChange, err error) {
	c.err = err
	if c.r != 0 {
		t.a.Free(c.r, tunnelSize)
		c.r = 0
	}
	if c.sealed && c.old != nil {
		_ = t.sealAll(c.n.ID, false) // without room for it they stay sealed, which leaks nothing
	}
}

// link puts a new record in its chain, in front of what is there.
func (t *Tables) link(c *tunnelChange) {
	n := &c.n
	b := t.bucketOf(n)
	n.next = *b
	*(*Tunnel)(t.a.Ptr(c.r)) = *n
	if n.Remote != 0 {
		t.root.pointToPoint.Add(1)
	}
	atomic.StoreUint32(b, uint32(c.r))
	t.replace(t.tunnels, uint32(n.ID), c.r, tunnelSize)
}

// unlink takes the record out of its chain; readers in it still find their way on.
func (t *Tables) unlink(n *Tunnel, ref uint32) {
	p := t.bucketOf(n)
	for *p != ref {
		p = &(*Tunnel)(t.at(*p)).next
	}
	t.root.unlinked.Add(1)
	atomic.StoreUint32(p, n.next)
	if n.Remote != 0 {
		t.root.pointToPoint.Add(^uint32(0))
	}
}

// DelTunnel takes a tunnel away.
func (t *Tables) DelTunnel(id uint32) {
	n := t.Tunnel(id)
	if n == nil {
		return
	}
	t.unlink(n, t.tunnels[id])
	t.replace(t.tunnels, id, 0, tunnelSize)
}
