package fastpath

import (
	"bytes"
	"slices"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

var mcast = ip4("239.1.2.3")

// outerDsts is where the frames on the WAN go, and checks that all carry want inside.
func (r *rig) outerDsts(want []byte) (dsts []uint32) {
	r.t.Helper()
	for _, f := range r.wan.out {
		outer, _, inner := r.ungre(f)
		if !bytes.Equal(inner, want) {
			r.t.Errorf("copy to %08x\n%x, want\n%x", outer.Dst(), inner, want)
		}
		dsts = append(dsts, outer.Dst())
	}
	return dsts
}

func TestMulticastFromSpoke(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) {
		b.Adjacencies = append(b.Adjacencies, tunnelAdj(20, ip4("192.0.2.13")))
		b.Groups[0].Members = append(b.Groups[0].Members, 20)
	})
	r.fromWAN(fromSpoke1(ipv4(behind1, mcast, pattern(50))))
	if got := r.outerDsts(ipv4(behind1, mcast, pattern(50), ttl(63))); !slices.Equal(got, []uint32{0xc000020c, 0xc000020d}) {
		t.Errorf("copies to %08x, want all but the sender", got)
	}
	if len(r.punts) != 0 {
		t.Errorf("punts %+v", r.punts)
	}
	r.only(Unknown, 0)
}

func TestMulticastFromHost(t *testing.T) {
	for _, dst := range [][4]byte{mcast, ip4("224.0.0.10"), ip4("255.255.255.255")} {
		r := newRig(t)
		in := ipv4(hubTunnel, dst, pattern(50), ttl(1))
		if err := r.e.Inject(Inject{Kind: InjectRoute, Tunnel: tunnelID, Packet: in}); err != nil {
			t.Fatal(err)
		}
		r.poll()
		if got := r.outerDsts(in); !slices.Equal(got, []uint32{0xc000020b, 0xc000020c}) {
			t.Errorf("%v: copies to %08x", dst, got)
		}
	}
}

func TestMulticastOutOfPort(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) {
		b.Ports[1].Group = 2
		b.Groups = append(b.Groups, fib.Group{ID: 2, Members: []fib.AdjID{adjHost}})
	})
	in := ipv4(hubLAN, ip4("224.0.0.5"), pattern(50), ttl(1))
	if err := r.e.Inject(Inject{Kind: InjectRoute, Port: lan, Packet: in}); err != nil {
		t.Fatal(err)
	}
	r.poll()
	if got := r.oneOut(r.lan)[packet.EthernetLen:]; !bytes.Equal(got, in) {
		t.Errorf("sent %x", got)
	}
}

func TestNoGroup(t *testing.T) {
	for name, change := range map[string]func(*fib.Batch){
		"tunnel without a group":    func(b *fib.Batch) { b.Tunnels[0].Group = 0 },
		"a group that is not there": func(b *fib.Batch) { b.Tunnels[0].Group = 9 },
		"a group of the sender":     func(b *fib.Batch) { b.Groups[0].Members = []fib.AdjID{adjSpoke1} },
		"an empty group":            func(b *fib.Batch) { b.Groups[0].Members = nil },
		"a glean adjacency":         func(b *fib.Batch) { b.Groups[0].Members = []fib.AdjID{adjGlean} },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(_ *Config, b *fib.Batch) { change(b) })
			r.t = t
			r.fromWAN(fromSpoke1(ipv4(behind1, mcast, nil)))
			r.only(NoGroup, 1)
		})
	}
}

// TestMulticastFragments: copies larger than the MTU are fragmented each; with DF nobody is told.
func TestMulticastFragments(t *testing.T) {
	r := newRig(t)
	in := ipv4(hubTunnel, mcast, pattern(2000))
	if err := r.e.Inject(Inject{Kind: InjectRoute, Tunnel: tunnelID, Packet: in}); err != nil {
		t.Fatal(err)
	}
	r.poll()
	to := map[uint32][][]byte{}
	for _, f := range r.wan.out {
		outer, _, inner := r.ungre(f)
		to[outer.Dst()] = append(to[outer.Dst()], inner)
	}
	for dst, frags := range to {
		if got := r.assemble(frags, tunnelMTU); !bytes.Equal(got, in[20:]) || len(frags) != 2 {
			t.Errorf("to %08x: %d fragments", dst, len(frags))
		}
	}
	if len(to) != 2 {
		t.Errorf("copies to %d members", len(to))
	}
	r.fromWAN(fromSpoke1(ipv4(behind1, mcast, pattern(1450), df)))
	if r.count(MulticastTooBig) != 1 || r.count(CopyLost) != 1 || len(r.punts) != 0 {
		t.Errorf("reasons %v", r.nonZero())
	}
}

// TestMulticastLosesCopies: a member that cannot be served costs its copy, not those of the others.
func TestMulticastLosesCopies(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) {
		a := linkAdj(20, 9, lanMAC, hostMAC) // a port that is not attached
		b.Adjacencies = append(b.Adjacencies, a)
		b.Groups[0].Members = []fib.AdjID{20, adjSpoke2}
	})
	r.fromWAN(fromSpoke1(ipv4(behind1, mcast, nil)))
	r.oneOut(r.wan)
	r.only(CopyLost, 1)
	if n := r.e.Counters().Workers[0].Forwarded; n != 1 {
		t.Errorf("%d packets forwarded", n)
	}
}
