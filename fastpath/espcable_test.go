package fastpath

import (
	"bytes"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port/mem"
)

// TestOverCable: a hub and a spoke at the two ends of a cable, with every transform: what a host sends reaches the host at the other end, and the answer comes back.
func TestOverCable(t *testing.T) {
	for _, s := range suites() {
		s.window = 128
		p := newPair(t, s, func(_ *Config, b *fib.Batch) { b.Ports[0].MAC = gwMAC })
		cable, err := mem.New(p.hub.w.pool, p.spoke.w.pool, mem.Config{})
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range []*rig{p.hub, p.spoke} {
			r.w.Detach(wan)
			if err := r.w.Attach(wan, cable.End(i)); err != nil {
				t.Fatal(err)
			}
		}
		const packets = 40
		for i := range packets {
			p.spoke.lan.in = append(p.spoke.lan.in, toLAN(ipv4(behind1, hostIP, pattern(10*i))))
			p.hub.lan.in = append(p.hub.lan.in, toLAN(ipv4(hostIP, behind1, pattern(10*i))))
		}
		for range 60 {
			p.spoke.settle()
			p.hub.settle()
		}
		for name, r := range map[string]*rig{"hub": p.hub, "spoke": p.spoke} {
			out := r.lan.take()
			if len(out) != packets {
				t.Fatalf("%s: %d came out at the %s: %v", s.name, len(out), name, r.nonZero())
			}
			for i, f := range out {
				if !bytes.Equal(packet.IPv4(f[packet.EthernetLen:]).Payload(), pattern(10*i)) {
					t.Errorf("%s: packet %d at the %s: %x", s.name, i, name, f)
				}
			}
		}
	}
}

// TestHairpinSealed: from one spoke's association to the other's, slow to fast and back.
func TestHairpinSealed(t *testing.T) {
	p := laneRig(t)
	if err := p.spoke.e.Inject(Inject{Kind: InjectAdjacent, Adj: adjSpoke1, Packet: ipv4(behind1, behind2, pattern(900))}); err != nil {
		t.Fatal(err)
	}
	p.spoke.settle()
	p.deliver(toHub(p.spoke.wan.take())...)
	out := p.one(p.hub.wan.take())
	ip := p.hub.mustIP(out[packet.EthernetLen:])
	if ip.Proto() != packet.ProtoESP || ip.Dst() != 0xc000020c || bytes.Contains(out, pattern(32)) {
		t.Errorf("left %x", out)
	}
	if u := p.hub.of(Redirect); len(u) != 1 || u[0].SA != saIn || u[0].OuterSrc != addr(spoke1NBMA) {
		t.Errorf("redirect %+v", u)
	}
	p.hub.fromLAN(toLAN(ipv4(hostIP, behind1, pattern(900))))
	p.hub.settle()
	back := toHub(p.hub.wan.take())
	p.spoke.fromWAN(back...)
	p.spoke.settle()
	if n := len(p.spoke.lan.take()); n != 1 {
		t.Errorf("%d packets at the spoke: %v", n, p.spoke.nonZero())
	}
}
