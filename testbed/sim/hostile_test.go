package sim

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/packet"
)

// captured records what goes to a router by its link to the internet: one frame of each kind.
func captured(t *testing.T, n *Net, to string) map[string][]byte {
	t.Helper()
	frames := make(map[string][]byte)
	done := false
	n.Tap(func(c Crossing) {
		if c.To != to || c.Lost || done {
			return
		}
		ip, tunnel := Inner(c.Frame)
		switch {
		case tunnel:
			frames["data"] = append([]byte(nil), c.Frame...)
		case ip != nil && ip.Proto() == protoGRE && len(ip) > 46:
			frames["nhrp "+string('0'+rune(ip.Payload()[8+17]))] = append([]byte(nil), c.Frame...)
		}
	})
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	done = true
	if len(frames) < 3 {
		t.Fatalf("captured %d kinds of frames", len(frames))
	}
	return frames
}

// balanced checks that each packet that came in was forwarded, or stands under exactly one reason.
func balanced(t *testing.T, r *Router) {
	t.Helper()
	c := r.Counters()
	w := c.Workers[0]
	sum := w.Forwarded
	for reason := range c.Reasons {
		switch fastpath.Reason(reason).Class() {
		case fastpath.ClassDrop:
			sum += c.Reasons[reason]
		case fastpath.ClassPunt:
			sum += c.Reasons[reason] + c.Lost[reason]
		}
	}
	if sum != w.Packets {
		t.Errorf("%s: %d packets came in, %d are accounted for", r.name, w.Packets, sum)
	}
	if c.Reasons[fastpath.Unknown] != 0 {
		t.Errorf("%s: %d packets were dropped without a reason", r.name, c.Reasons[fastpath.Unknown])
	}
}

// retotal makes the outer header agree with what is left of a frame, so that the forwarder reads on behind it.
func retotal(f []byte) {
	if len(f) < packet.EthernetLen+packet.IPv4Len {
		return
	}
	ip := packet.IPv4(f[packet.EthernetLen:])
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	if ip.HeaderLen() >= packet.IPv4Len && ip.HeaderLen() <= len(ip) {
		ip.SetSum()
	}
}

// learned is what a router knows, without the times.
func learned(n *Net, name string) map[string]string {
	known := make(map[string]string)
	for _, e := range n.Status(name).Router.NHRP.Entries {
		known[e.Prefix.String()] = e.NBMA.String() + " " + e.Type.String()
	}
	return known
}

func sameKnowledge(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

func TestTruncatedPackets(t *testing.T) {
	for _, victim := range []string{"hub", "spoke1"} {
		n := lab(t, "phase3", 51)
		frames := captured(t, n, victim)
		wan := n.Link(victim, "Ethernet0")
		before := learned(n, victim)
		sent, kernel := 0, n.Status(victim).Steering
		for kind, f := range frames {
			for cut := range len(f) {
				wan.Send("internet", f[:cut])
				whole := append([]byte(nil), f[:cut]...)
				retotal(whole)
				wan.Send("internet", whole)
				sent += 2
				if cut%32 == 0 {
					n.Run(50 * time.Millisecond)
				}
			}
			n.Run(100 * time.Millisecond)
			if after := learned(n, victim); !sameKnowledge(before, after) {
				t.Errorf("%s learned from truncated %s: before %v, after %v", victim, kind, before, after)
			}
		}
		s := n.Status(victim).Steering
		if got := s.Nave + s.Kernel - kernel.Nave - kernel.Kernel; got < uint64(sent) {
			t.Errorf("%s: %d of %d frames were steered", victim, got, sent)
		}
		balanced(t, n.Router(victim))
		ping(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
		ping(t, n, "spoke1", "10.255.0.1", "hub")
	}
}

// Single bits turned over, behind the outer header: GRE notices its own, NHRP has a checksum.
func TestFlippedBits(t *testing.T) {
	n := lab(t, "phase3", 52)
	frames := captured(t, n, "hub")
	wan := n.Link("hub", "Ethernet0")
	before := learned(n, "hub")
	for kind, f := range frames {
		if kind == "data" {
			continue
		}
		for bit := (packet.EthernetLen + packet.IPv4Len) * 8; bit < len(f)*8; bit++ {
			g := append([]byte(nil), f...)
			g[bit/8] ^= 1 << (bit % 8)
			wan.Send("internet", g)
			if bit%64 == 0 {
				n.Run(20 * time.Millisecond)
			}
		}
		n.Run(100 * time.Millisecond)
		if after := learned(n, "hub"); !sameKnowledge(before, after) {
			t.Errorf("the hub learned from damaged %s: before %v, after %v", kind, before, after)
		}
	}
	balanced(t, n.Router("hub"))
	ping(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
}

// Noise: of any length, with and without headers that are right.
func TestGarbage(t *testing.T) {
	n := lab(t, "phase3", 53)
	frames := captured(t, n, "hub")
	before := learned(n, "hub")
	rng := rand.New(rand.NewPCG(53, 0))
	for _, victim := range []string{"hub", "spoke2"} {
		wan := n.Link(victim, "Ethernet0")
		mac := n.Router(victim).ports[0].mac
		for k := range 20000 {
			f := make([]byte, rng.IntN(200))
			for i := range f {
				f[i] = byte(rng.Uint32())
			}
			switch keep := []int{0, 14, 34, 42, 43, 60}[k%6]; {
			case keep == 14 && len(f) >= 14:
				packet.PutEthernet(f, mac, [6]byte{2}, packet.TypeIPv4)
			case keep > 14:
				f = append(append([]byte(nil), frames["nhrp 3"][:keep]...), f...)
				copy(f, mac[:])
				retotal(f)
			}
			wan.Send("internet", f)
			if k%100 == 0 {
				n.Run(30 * time.Millisecond)
			}
		}
		balanced(t, n.Router(victim))
	}
	if after := learned(n, "hub"); !sameKnowledge(before, after) {
		t.Errorf("the hub learned from noise: before %v, after %v", before, after)
	}
	n.Run(10 * time.Second)
	ping(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
}
