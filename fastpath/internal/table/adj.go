package table

import (
	"encoding/binary"
	"math"
	"net/netip"
	"unsafe"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// Flags of an adjacency record.
const (
	AdjCopyDF   = 1 << iota // the inner DF goes outside
	AdjResolve              // punt once in a while
	AdjMustSeal             // the tunnel is protected and there is no SA: nothing leaves
	AdjSealed               // leaves by SA or AH
	AdjPipe                 // labels that are new to a packet get a TTL of 255
	AdjUnique               // as it was installed
	AdjTagged               // the Ethernet header has a tag
	AdjPriced               // Price is something
)

// OuterRoom is how much of Outer has a place of its own. What is in front of that, of the longest, stands at the start of Inner, which has room for it.
const OuterRoom = 48

// Adj is an adjacency as the worker needs it: two cache lines, of which a link needs only the first. Inner and Outer stand at the
// end of their arrays, so that pushing them is a copy of fixed size that ends where the packet starts. Inner ends in the labels; before them it has the
// GRE header of a tunnel, or the Ethernet header of a link, which has no Outer. An Outer longer than its array begins at the start of Inner's.
type Adj struct {
	Kind     fib.AdjKind
	InnerLen uint8
	OuterLen uint8
	Flags    uint8
	Port     uint16
	Tunnel   uint16
	VRF      uint16
	MTU      uint16 // of the packet before Inner, labels of the adjacency's own left out
	LinkMTU  uint16 // of the outer IP packet
	MSS      uint16
	Network  uint32
	SA       uint32
	AH       uint32
	Limit    uint16 // longest IP packet that needs no second thought: fits MTU and, with headers, LinkMTU
	Labels   uint8  // how many stand at the end of Inner: label stack entries without EXP, bottom bit and TTL
	LinkLen  uint8  // of Outer, what stands before its IPv4 header; of a link, its Ethernet header
	Inner    [fib.MaxInner]byte
	Outer    [OuterRoom]byte
	NextHop  uint32 // 0: the packet's destination
	Sum      uint16 // folded sum of the outer IP header without TOS, length, identification and flags
	Via      uint16 // the port, where Port is 0: of what has a tag or labels outside, so that the hot way has no eye for those
	Expires  uint32 // as it was installed; the writer's alone, so that it changes in place
	Price    Price
}

const adjSize = int(unsafe.Sizeof(Adj{}))

// Two cache lines, no more.
const _ = uint(128 - adjSize)

// Overhead is how many bytes an outer IP packet has more than the inner one, without what an association adds.
func (a *Adj) Overhead() int { return int(a.OuterLen) - int(a.LinkLen) + int(a.InnerLen) }

// UDP tells whether Outer ends in a UDP header.
func (a *Adj) UDP() bool { return a.OuterLen-a.LinkLen == packet.IPv4Len+packet.UDPLen }

// Out is the port it leaves by.
func (a *Adj) Out() uint16 { return a.Port | a.Via }

// Front is the start of Outer that its array has no room for, mostly none.
func (a *Adj) Front() []byte { return a.Inner[:max(int(a.OuterLen)-OuterRoom, 0)] }

// EthernetLen is how long the Ethernet header is.
func (a *Adj) EthernetLen() int {
	if a.Flags&AdjTagged != 0 {
		return packet.EthernetLen + packet.VLANLen
	}
	return packet.EthernetLen
}

// outerStack is how many bytes of label stack entries stand before the outer IPv4 header of a tunnel.
func (a *Adj) outerStack() int {
	if a.Kind != fib.AdjTunnel {
		return 0
	}
	return int(a.LinkLen) - a.EthernetLen()
}

// Cuts tells whether a packet of n bytes behind Outer is more than the link takes, so that it is cut into fragments.
func (a *Adj) Cuts(n int) bool {
	return a.LinkMTU != 0 && n+int(a.OuterLen)-int(a.LinkLen) > int(a.LinkMTU)
}

// OuterDst is where the outer header of a tunnel's adjacency leads.
func (a *Adj) OuterDst() uint32 {
	if a.Kind != fib.AdjTunnel {
		return 0
	}
	ip := OuterRoom - int(a.OuterLen) + int(a.LinkLen)
	return binary.BigEndian.Uint32(a.Outer[ip+16:])
}

// Adj is adjacency id, nil without one.
func (t *Tables) Adj(id uint32) *Adj { return (*Adj)(t.record(t.adjs, id)) }

// SetAdj installs an adjacency or replaces it. The engine has checked it.
func (t *Tables) SetAdj(f *fib.Adjacency) error {
	if int64(f.ID) >= int64(t.size.Adjacencies) {
		return ErrFull
	}
	n := buildAdj(f)
	t.limit(&n)
	if tun := t.Tunnel(uint32(f.Tunnel)); tun != nil && tun.Flags&TunnelProtected != 0 && n.Flags&AdjSealed == 0 && n.Kind == fib.AdjTunnel {
		n.Flags |= AdjMustSeal
	}
	t.priceAdj(&n, f)
	return t.putAdj(uint32(f.ID), &n)
}

func (t *Tables) putAdj(id uint32, n *Adj) error {
	if old := t.Adj(id); old != nil && old.same(n) {
		old.Expires = n.Expires // no reader looks at it
		return nil
	}
	r, err := t.alloc(adjSize)
	if err != nil {
		return err
	}
	*(*Adj)(t.a.Ptr(r)) = *n
	if t.Adj(id) == nil {
		t.root.installedAdjs.Add(1)
	}
	t.replace(t.adjs, id, r, adjSize)
	return nil
}

// same tells whether two records differ in nothing but when they expire.
func (a *Adj) same(b *Adj) bool {
	c := *a
	c.Expires = b.Expires
	return c == *b
}

// DelAdj takes an adjacency away.
func (t *Tables) DelAdj(id uint32) {
	if t.Adj(id) != nil {
		t.replace(t.adjs, id, 0, adjSize)
		t.root.installedAdjs.Add(^uint32(0))
	}
}

// sealAll makes the adjacencies of a tunnel that became protected refuse to leave in clear, or lets them again.
func (t *Tables) sealAll(tunnel uint16, protected bool) error {
	for id := range t.adjs {
		old := t.Adj(uint32(id))
		if old == nil || old.Tunnel != tunnel || old.Kind != fib.AdjTunnel || old.Flags&AdjSealed != 0 {
			continue
		}
		n := *old
		n.Flags &^= AdjMustSeal
		if protected {
			n.Flags |= AdjMustSeal
		}
		if err := t.putAdj(uint32(id), &n); err != nil {
			return err
		}
	}
	return nil
}

func buildAdj(f *fib.Adjacency) Adj {
	n := Adj{
		Kind: f.Kind, InnerLen: uint8(len(f.Inner)), OuterLen: uint8(len(f.Outer)),
		Port: uint16(f.Port), Tunnel: uint16(f.Tunnel), VRF: uint16(f.VRF),
		MTU: f.MTU, LinkMTU: f.LinkMTU, MSS: f.MSS,
		Network: f.Network, NextHop: addrWord(f.NextHop), SA: uint32(f.SA), AH: uint32(f.AH), Limit: f.MTU,
		Expires: uint32(min(max(f.Expires, 0), math.MaxUint32)),
	}
	if f.CopyDF {
		n.Flags |= AdjCopyDF
	}
	if f.Resolve {
		n.Flags |= AdjResolve
	}
	if f.Unique {
		n.Flags |= AdjUnique
	}
	if (f.Kind == fib.AdjLink || f.Kind == fib.AdjTunnel) && binary.BigEndian.Uint16(f.Outer[packet.EthernetLen-2:]) == packet.TypeVLAN {
		n.Flags |= AdjTagged
	}
	if f.Kind == fib.AdjLink {
		n.InnerLen, n.OuterLen, n.LinkLen = uint8(len(f.Outer)), 0, uint8(len(f.Outer))
		copy(n.Inner[fib.MaxInner-len(f.Outer):], f.Outer)
	} else {
		copy(n.Inner[fib.MaxInner-len(f.Inner):], f.Inner)
		front := copy(n.Front(), f.Outer)
		copy(n.Outer[OuterRoom-len(f.Outer)+front:], f.Outer[front:])
	}
	n.putLabels(f)
	if f.Kind == fib.AdjTunnel {
		n.LinkLen = uint8(f.LinkLen())
	}
	if n.LinkLen != 0 && n.LinkLen != packet.EthernetLen {
		n.Port, n.Via = 0, n.Port
	}
	if f.Kind != fib.AdjTunnel {
		return n
	}
	if n.LinkMTU != 0 {
		n.LinkMTU -= uint16(n.outerStack())
	}
	ip := n.Outer[OuterRoom-len(f.Outer)+int(n.LinkLen):]
	ip[1] = 0
	clear(ip[2:8])
	clear(ip[10:12])
	switch {
	case f.AH != 0:
		ip[9] = packet.ProtoAH
	case n.UDP():
		ip[9] = packet.ProtoUDP
		clear(ip[packet.IPv4Len+4 : packet.IPv4Len+packet.UDPLen])
	case f.SA != 0:
		ip[9] = packet.ProtoESP
	default:
		ip[9] = packet.ProtoGRE
	}
	if f.SA|f.AH != 0 {
		n.Flags |= AdjSealed
	}
	n.Sum = packet.Fold(packet.Sum(ip[:packet.IPv4Len], 0))
	return n
}

// What an association adds at most, for one that is not installed: tunnel mode, the longest IV and ICV, blocks of 16.
const (
	mostExtra = 20 + 8 + 16 + 32
	mostAlign = 16
)

// limit works out the longest packet that the link takes with all its headers, padding included.
func (t *Tables) limit(n *Adj) {
	if n.Kind != fib.AdjTunnel || n.LinkMTU == 0 {
		return
	}
	room := int(n.LinkMTU) - int(n.OuterLen) + int(n.LinkLen)
	if n.AH != 0 {
		extra := mostExtra
		if s := t.SA(n.AH); s != nil {
			extra = s.Extra()
		}
		room -= extra
	}
	if n.SA != 0 {
		extra, align := mostExtra, mostAlign
		tunnel := packet.IPv4Len
		if s := t.SA(n.SA); s != nil {
			extra, align, tunnel = s.Extra(), int(s.Align), 0
			if s.Is(SATunnel) {
				tunnel = packet.IPv4Len
			}
		}
		// The inner header of tunnel mode is padded with the rest; 2 bytes are pad length and next header.
		room = (room-extra+tunnel)&^(align-1) - 2 - tunnel
	}
	if fit := max(room-int(n.InnerLen), 0); fit < int(n.Limit) {
		n.Limit = uint16(fit)
	}
}

// putLabels puts the labels behind the GRE header or the Ethernet header of a link, and makes it say so.
func (n *Adj) putLabels(f *fib.Adjacency) {
	if len(f.Labels) == 0 {
		return
	}
	if f.Pipe {
		n.Flags |= AdjPipe
	}
	size := len(f.Labels) * packet.LabelLen
	header := int(n.InnerLen)
	copy(n.Inner[fib.MaxInner-header-size:], n.Inner[fib.MaxInner-header:])
	n.Labels, n.InnerLen = uint8(len(f.Labels)), uint8(header+size)
	n.MTU -= uint16(size)
	n.Limit = n.MTU
	inner := n.Inner[fib.MaxInner-header-size:]
	for i, l := range f.Labels {
		packet.MakeLSE(l, 0, false, 0).Put(inner[header+i*packet.LabelLen:])
	}
	typ := 2 // where a GRE header has its protocol
	if f.Kind == fib.AdjLink {
		typ = header - 2
	}
	binary.BigEndian.PutUint16(inner[typ:], packet.TypeMPLS)
}

// Pushes is the labels that the adjacency pushes, outermost first, and one more than any label where there are no more.
func (a *Adj) Pushes() (list [fib.MaxLabels]uint32) {
	for i := range list {
		list[i] = fib.LastLabel + 1
		if n := int(a.Labels) - i; n > 0 {
			list[i] = packet.GetLSE(a.Inner[fib.MaxInner-n*packet.LabelLen:]).Label()
		}
	}
	return list
}

// OuterPort is the port that ESP in UDP is sent to, 0 without UDP.
func (a *Adj) OuterPort() uint16 {
	if a.Kind != fib.AdjTunnel || !a.UDP() {
		return 0
	}
	return binary.BigEndian.Uint16(a.Outer[OuterRoom-packet.UDPLen+2:])
}

// addrWord is an IPv4 address as a number, 0 for the zero Addr.
func addrWord(a netip.Addr) uint32 {
	if !a.Is4() {
		return 0
	}
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}
