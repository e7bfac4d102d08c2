package fastpath

import (
	"net/netip"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// Adjacencies of the rig that push labels: to the host on the LAN, and by the tunnel to spoke 2.
const (
	adjLink1, adjLink2, adjLink3       = fib.AdjID(30), fib.AdjID(31), fib.AdjID(32)
	adjTunnel1, adjTunnel2, adjTunnel3 = fib.AdjID(33), fib.AdjID(34), fib.AdjID(35)
	adjPipe                            = fib.AdjID(36) // two labels, on the link
	vpn                                = fib.VRF(3)
)

// Incoming labels of the rig.
const (
	inLink0     = 1000 + iota // penultimate hop popping, towards the host
	inLink1                   // swap for one label
	inLink2                   // for two
	inLink3                   // for three
	inTunnel0                 // the same towards spoke 2
	inTunnel1                 // swap, into the tunnel
	inTunnel2                 // swap for two, into the tunnel
	inVRF                     // look up in the VRF
	inSelf                    // look up what is under it
	inForward                 // forward to the host
	inPipeLink0               // the same with the TTL left alone
	inPipeVRF
	inPipeForward
	inPipe       // two labels, the outer one with a TTL of its own
	inUniformTOS // to the VRF, EXP goes on
	inExpLink0   // to the host, EXP goes on
	inPaths      // two paths
)

// labelRig is the rig with labels.
func labelRig(t testing.TB, change ...func(*Config, *fib.Batch)) *rig {
	return newRig(t, append([]func(*Config, *fib.Batch){withLabels}, change...)...)
}

func withLabels(_ *Config, b *fib.Batch) {
	b.Ports[0].MPLS, b.Ports[1].MPLS, b.Tunnels[0].MPLS = true, true, true
	pushes := [][]uint32{{100}, {100, 200}, {100, 200, 300}}
	for i, labels := range pushes {
		l := linkAdj(adjLink1+fib.AdjID(i), lan, lanMAC, hostMAC)
		g := tunnelAdj(adjTunnel1+fib.AdjID(i), spoke2NBMA)
		l.Labels, g.Labels = labels, labels
		b.Adjacencies = append(b.Adjacencies, l, g)
	}
	pipe := linkAdj(adjPipe, lan, lanMAC, hostMAC)
	pipe.Labels, pipe.Pipe = pushes[1], true
	b.Adjacencies = append(b.Adjacencies, pipe)
	swap := func(in uint32, paths ...fib.AdjID) fib.Label {
		return fib.Label{In: in, Action: fib.LabelSwap, Paths: paths}
	}
	b.Labels = append(b.Labels,
		swap(inLink0, adjHost), swap(inLink1, adjLink1), swap(inLink2, adjLink2), swap(inLink3, adjLink3),
		swap(inTunnel0, adjSpoke2), swap(inTunnel1, adjTunnel1), swap(inTunnel2, adjTunnel2),
		fib.Label{In: inVRF, Action: fib.LabelLookup, VRF: vpn}, fib.Label{In: inSelf, Action: fib.LabelLookup},
		fib.Label{In: inForward, Action: fib.LabelForward, Paths: []fib.AdjID{adjHost}},
		fib.Label{In: inPipeLink0, Action: fib.LabelSwap, Paths: []fib.AdjID{adjHost}, Pipe: true},
		fib.Label{In: inPipeVRF, Action: fib.LabelLookup, VRF: vpn, Pipe: true},
		fib.Label{In: inPipeForward, Action: fib.LabelForward, Paths: []fib.AdjID{adjHost}, Pipe: true},
		swap(inPipe, adjPipe),
		fib.Label{In: inUniformTOS, Action: fib.LabelLookup, VRF: vpn, CopyEXP: true},
		fib.Label{In: inExpLink0, Action: fib.LabelSwap, Paths: []fib.AdjID{adjHost}, CopyEXP: true},
		swap(inPaths, adjLink1, adjTunnel1),
	)
	for i, id := range []fib.AdjID{adjLink1, adjLink2, adjLink3, adjTunnel1, adjTunnel2, adjTunnel3, adjPipe} {
		b.Routes = append(b.Routes, fib.Route{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 50, byte(i), 0}), 24), Paths: []fib.AdjID{id}})
	}
	inVPN := func(prefix string, id fib.AdjID) fib.Route {
		f := route(prefix, id)
		f.VRF = vpn
		return f
	}
	b.Routes = append(b.Routes, inVPN("172.16.0.0/16", adjHost), inVPN("172.17.0.0/16", adjTunnel1), inVPN("172.18.0.1/32", fib.Receive), inVPN("172.19.0.0/16", adjSpoke2))
}

// toLabel is an address behind the i-th labelled adjacency, from adjLink1 on.
func toLabel(i int) [4]byte { return [4]byte{10, 50, byte(i), 9} }

var (
	inVPNHost, inVPNTunnel, inVPNSelf, inVPNSpoke = ip4("172.16.0.9"), ip4("172.17.0.9"), ip4("172.18.0.1"), ip4("172.19.0.9")
	vpnSource                                     = ip4("172.20.0.5")
)

// lab is a label stack entry; under sets the bottom bit.
func lab(label uint32, exp, ttl uint8) packet.LSE { return packet.MakeLSE(label, exp, false, ttl) }

// under is a payload with a label stack in front of it.
func under(payload []byte, stack ...packet.LSE) []byte {
	var b []byte
	for i, e := range stack {
		if i == len(stack)-1 {
			e |= packet.LSEBottom
		}
		b = append(b, 0, 0, 0, 0)
		e.Put(b[len(b)-4:])
	}
	return append(b, payload...)
}

func mplsFrame(dst, src [6]byte, b []byte) []byte {
	f := ethernet(dst, src, b)
	packet.PutEthernet(f, dst, src, packet.TypeMPLS)
	return f
}

// labelled is a frame that arrives at the WAN port.
func labelled(payload []byte, stack ...packet.LSE) []byte {
	return mplsFrame(wanMAC, gwMAC, under(payload, stack...))
}

// fromTunnel is the same out of the tunnel, from spoke 1.
func fromTunnel(payload []byte, stack ...packet.LSE) []byte {
	return toWAN(grePacket(spoke1NBMA, packet.TypeMPLS, under(payload, stack...)))
}

// toHost is a frame that leaves towards the host, with a label stack.
func toHost(payload []byte, stack ...packet.LSE) []byte {
	return mplsFrame(hostMAC, lanMAC, under(payload, stack...))
}

// ungreMPLS is what is labelled in a frame that left by the tunnel.
func (r *rig) ungreMPLS(frame []byte) (packet.IPv4, []byte) {
	r.t.Helper()
	outer, g, inner := r.ungre(frame)
	if g.Proto != packet.TypeMPLS {
		r.t.Errorf("GRE protocol %#04x, want %#04x", g.Proto, packet.TypeMPLS)
	}
	return outer, inner
}
