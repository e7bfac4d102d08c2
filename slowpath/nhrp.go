package slowpath

import (
	"encoding/binary"
	"net/netip"

	"nave/fastpath"
	"nave/fastpath/packet"
	"nave/slowpath/dmvpn"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
	"nave/slowpath/trace"
)

// Fields of the packets that carry NHRP.
const (
	greProtoNHRP = 0x2001
	protoGRE     = 47
	nhrpTOS      = 0xc0 // precedence 6, as IOS sends it
	nhrpTTL      = 255
)

// carryOut does what NHRP wants done.
func (r *Router) carryOut(effects []nhrp.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case nhrp.Send:
			if r.debug.topics&nhrpPacketTopics != 0 {
				r.tellNHRPPacket(e.Iface, e.To, e.Payload, e)
			}
			r.sendNHRP(e)
		case nhrp.Bind:
			r.rib.Bind(rib.Binding{
				Iface: e.Iface, Prefix: e.Prefix, NBMA: e.NBMA, NextHop: e.NextHop, Via: e.Via, Shortcut: e.Kind == nhrp.BindShortcut,
				Expires: e.Expires, Unique: e.Unique,
			})
			if e.Prefix.IsSingleIP() {
				r.held.ready(nextHop{e.Iface, e.Prefix.Addr()})
			}
		case nhrp.Unbind:
			r.rib.Unbind(e.Iface, e.Prefix)
		case nhrp.Multicast:
			r.rib.Multicast(e.Iface, e.NBMA, e.Add)
		case nhrp.Trace:
			r.tellNHRP(e)
		case nhrp.Log:
			r.linux.Log(e)
			if r.debug.topics&trace.NHRPError != 0 {
				r.tellNHRPLog(e)
			}
			if e.Kind == nhrp.LogClientRegistered {
				r.tell(dmvpn.Client{Iface: e.Iface, Addr: e.NBMA}) // we are a hub for it, wherever else this tunnel has hubs
			}
		case nhrp.PeerWanted:
			r.tell(dmvpn.Wanted(e))
		case nhrp.PeerOpening:
			r.tell(dmvpn.Open(e))
		case nhrp.PeerReleased:
			r.tell(dmvpn.Released(e))
		case nhrp.NHSChanged: // comes as Log too
		}
	}
}

// sendNHRP wraps an NHRP packet in GRE and IPv4 and routes it where GRE packets of the tunnel go. It needs no
// adjacency of the peer's own, so answering a stranger installs nothing. Of a protected tunnel it leaves through the session with the peer.
func (r *Router) sendNHRP(s nhrp.Send) {
	i, ok := r.tunnel(s.Iface)
	if !ok || !i.Up || !i.Tunnel.Local.Is4() || !s.To.Addr.Is4() {
		r.stats.NHRPLost++
		return
	}
	if i.Tunnel.Protected {
		r.outbox.nhrp = append(r.outbox.nhrp, s)
		return
	}
	r.ident++
	p := nhrpPacket(i.Tunnel, s.To.Addr, r.ident, s.Payload)
	if r.inject(fastpath.Inject{Kind: fastpath.InjectRoute, VRF: i.Tunnel.OuterVRF, Packet: p}) {
		r.stats.NHRPSent++
	} else {
		r.stats.NHRPLost++
	}
}

// nhrpPacket is payload in GRE (RFC 2784, RFC 2890) in IPv4.
func nhrpPacket(t *rib.Tunnel, to netip.Addr, ident uint16, payload []byte) []byte {
	b := make([]byte, packet.IPv4Len, packet.IPv4Len+8+len(payload))
	b[0], b[1], b[8], b[9] = 0x45, nhrpTOS, nhrpTTL, protoGRE
	binary.BigEndian.PutUint16(b[4:], ident)
	src, dst := t.Local.As4(), to.As4()
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	if t.HasKey {
		b = append(b, 0x20, 0, greProtoNHRP>>8, greProtoNHRP&0xff)
		b = binary.BigEndian.AppendUint32(b, t.Key)
	} else {
		b = append(b, 0, 0, greProtoNHRP>>8, greProtoNHRP&0xff)
	}
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	packet.IPv4(b).SetSum()
	return b
}
