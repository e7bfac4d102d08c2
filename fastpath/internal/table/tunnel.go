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
	if t.root.pointToPoint.Load() != 0 {
		if n := t.findTunnel(vrf, local, remote, key, flag); n != nil {
			return n
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

// SetTunnel installs a tunnel or replaces it. The engine has checked it.
func (t *Tables) SetTunnel(f *fib.Tunnel) error {
	n := Tunnel{
		ID: uint16(f.ID), VRF: uint16(f.VRF), OuterVRF: uint16(f.OuterVRF),
		Local: addrWord(f.Local), Remote: addrWord(f.Remote), Key: f.Key, MTU: f.MTU, MSS: f.MSS,
		Network: f.Network, Group: uint32(f.Group), Addr: addrWord(f.Addr),
	}
	for _, b := range []struct {
		on   bool
		flag uint16
	}{{f.HasKey, TunnelHasKey}, {f.Redirect, TunnelRedirect}, {f.Protected, TunnelProtected}} {
		if b.on {
			n.Flags |= b.flag
		}
	}
	if other := t.findTunnel(n.OuterVRF, n.Local, n.Remote, n.Key, n.Flags&TunnelHasKey); other != nil && other.ID != n.ID {
		return &ErrTaken{By: other.ID}
	}
	old := t.Tunnel(uint32(n.ID))
	if old != nil {
		same := *old
		same.next = 0
		if same == n {
			return nil
		}
	}
	r, err := t.alloc(tunnelSize)
	if err != nil {
		return err
	}
	// Fail closed: adjacencies refuse clear text before the tunnel turns protected, and allow it only afterwards.
	was := old != nil && old.Flags&TunnelProtected != 0
	if f.Protected && !was {
		if err := t.sealAll(n.ID, true); err != nil {
			t.a.Free(r, tunnelSize)
			return err
		}
	}
	t.link(r, &n, old)
	if was && !f.Protected {
		return t.sealAll(n.ID, false)
	}
	return nil
}

// link puts record r in its chain, in front of the one it replaces, and then takes that one out.
func (t *Tables) link(r arena.Ref, n, old *Tunnel) {
	b := &t.buckets[hash(n.OuterVRF, n.Local, n.Remote, n.Key)&uint32(len(t.buckets)-1)]
	n.next = *b
	*(*Tunnel)(t.a.Ptr(r)) = *n
	if n.Remote != 0 {
		t.root.pointToPoint.Add(1)
	}
	atomic.StoreUint32(b, uint32(r))
	oldRef := t.tunnels[n.ID]
	t.replace(t.tunnels, uint32(n.ID), r, tunnelSize)
	if old != nil {
		t.unlink(old, oldRef)
	}
}

// unlink takes the record out of its chain; readers in it still find their way on.
func (t *Tables) unlink(n *Tunnel, ref uint32) {
	p := &t.buckets[hash(n.OuterVRF, n.Local, n.Remote, n.Key)&uint32(len(t.buckets)-1)]
	for *p != ref {
		p = &(*Tunnel)(t.at(*p)).next
	}
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
