package fastpath

import (
	"encoding/binary"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// FuzzExplain asks about any packet, with labels and from anywhere: nothing breaks, nothing changes, and the worker then does what was explained.
func FuzzExplain(f *testing.F) {
	f.Add(probe(hostIP, behind1, 100), uint8(0), uint32(0))
	f.Add(probe(hostIP, behind2, 1450), uint8(1), uint32(inVRF))
	f.Add(probe(behind1, mcast, 100), uint8(2), uint32(0))
	f.Add(grePacket(spoke1NBMA, packet.TypeIPv4, ipv4(behind1, hostIP, pattern(40))), uint8(0), uint32(inSelf))
	f.Add(ipv4(spoke2NBMA, hubNBMA, pattern(60), proto(packet.ProtoESP)), uint8(0), uint32(0))
	f.Add(ipv4(spoke2NBMA, hubNBMA, pattern(60), proto(packet.ProtoAH)), uint8(4), uint32(0))
	f.Add(optioned(148, 4, 0, 0, 7, 4, 4, 0), uint8(3), uint32(7002))
	f.Add(syn(behind1, hostIP, 1460), uint8(2), uint32(inPaths))
	r := fuzzRig(f)
	r.w.Detach(lan)
	two := &wire{pool: r.w.pool}
	if err := r.w.Attach(lan, two); err != nil {
		f.Fatal(err)
	}
	r.lan = two
	f.Fuzz(func(t *testing.T, b []byte, from uint8, label uint32) {
		r.t = t
		q := Question{Packet: mendPacket(b), From: []Origin{
			{Port: wan}, {Port: lan}, {Tunnel: tunnelID, Peer: addr(spoke1NBMA)}, {Port: subRed}, {Port: subWAN}, {Own: true}, {Own: true, Tunnel: tunnelID}, {Own: true, VRF: red},
		}[from%8]}
		if label != 0 && !q.From.Own {
			q.Labels = []uint32{label & fib.LastLabel}
		}
		r.now += 10e9
		x, err := r.e.Explain(r.now, q)
		if err != nil {
			return // no packet, or longer than a frame
		}
		if _, fault := packet.ParseIPv4(q.Packet); fault != packet.OK {
			t.Fatalf("explained what is no packet: %+v", x)
		}
		if isNested(q.Packet) {
			return // it is looked at again once it is opened, and the explanation is of its outside
		}
		r.agrees(&q, &x)
		r.conserved()
	})
}

// mendPacket puts right what a fuzzer hardly guesses.
func mendPacket(b []byte) []byte {
	if ip := mendIP(b); ip != nil {
		binary.BigEndian.PutUint16(ip[2:], uint16(len(b)))
		ip.SetSum()
	}
	return b
}

// isNested tells whether a packet may be a tunnel's.
func isNested(b []byte) bool {
	switch packet.IPv4(b).Proto() {
	case packet.ProtoGRE, packet.ProtoESP, packet.ProtoAH, packet.ProtoUDP:
		return packet.IPv4(b).Proto() != packet.ProtoUDP || isESPUDP(b)
	}
	return false
}
