package fastpath

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// fixed is b after f changed it, with a right IPv4 checksum.
func fixed(b []byte, f func([]byte)) []byte {
	f(b)
	packet.IPv4(b).SetSum()
	return b
}

// optioned is a packet with 8 bytes of options.
func optioned(o ...byte) []byte {
	b := ipv4(behind1, hostIP, append(append(make([]byte, 0, 28), o...), pattern(20)...))
	return fixed(b, func(b []byte) { b[0] = 0x47 })
}

var greProto = proto(packet.ProtoGRE)

// TestBadFrames sends what is wrong at every layer: one packet, one counter.
func TestBadFrames(t *testing.T) {
	good := ipv4(behind1, hostIP, pattern(20))
	gre := func(b ...byte) []byte { return toWAN(ipv4(spoke1NBMA, hubNBMA, b, greProto)) }
	inner := func(b []byte) []byte { return fromSpoke1(b) }
	for _, c := range []struct {
		name  string
		frame []byte
		want  Reason
	}{
		{"empty frame", nil, EthernetShort},
		{"13 bytes", toWAN(nil)[:13], EthernetShort},
		{"ARP", ethernet(wanMAC, gwMAC, good)[:12:12], EthernetShort},
		{"another type", func() []byte { b := toWAN(good); b[13] = 6; return b }(), EthernetType},
		{"another station", ethernet(hostMAC, gwMAC, good), EthernetOther},
		{"unicast in a broadcast", ethernet([6]byte{255, 255, 255, 255, 255, 255}, gwMAC, good), EthernetGroup},
		{"unicast for us in a multicast", ethernet([6]byte{1, 0, 0x5e, 0, 0, 1}, gwMAC, ipv4(behind1, hubLAN, nil)), EthernetGroup},
		{"no IP in a broadcast", ethernet([6]byte{255, 255, 255, 255, 255, 255}, gwMAC, good[:16]), IPShort},
		{"no IP", toWAN(nil), IPShort},
		{"IPv6", toWAN(fixed(ipv4(behind1, hostIP, nil), func(b []byte) { b[0] = 0x65 })), IPVersion},
		{"header of 16", toWAN(fixed(ipv4(behind1, hostIP, nil), func(b []byte) { b[0] = 0x44 })), IPHeader},
		{"length lies", toWAN(fixed(ipv4(behind1, hostIP, nil), func(b []byte) { b[3]++ })), IPLength},
		{"checksum", toWAN(func() []byte { b := ipv4(behind1, hostIP, nil); b[10] ^= 1; return b }()), IPChecksum},
		{"source route", toWAN(optioned(131, 7, 4, 10, 0, 0, 1, 0)), IPSourceRoute},
		{"broken option", toWAN(optioned(7, 99, 0, 0, 0, 0, 0, 0)), IPOptions},
		{"source 0", toWAN(ipv4(ip4("0.1.2.3"), hostIP, nil)), MartianSource},
		{"source loopback", toWAN(ipv4(ip4("127.0.0.1"), hostIP, nil)), MartianSource},
		{"source multicast", toWAN(ipv4(ip4("224.1.2.3"), hostIP, nil)), MartianSource},
		{"source broadcast", toWAN(ipv4(ip4("255.255.255.255"), hostIP, nil)), MartianSource},
		{"destination 0", toWAN(ipv4(behind1, ip4("0.0.0.0"), nil)), MartianDestination},
		{"destination loopback", toWAN(ipv4(behind1, ip4("127.0.0.1"), nil)), MartianDestination},
		{"destination class E", toWAN(ipv4(behind1, ip4("240.0.0.1"), nil)), MartianDestination},
		{"multicast from a port", ethernet([6]byte{1, 0, 0x5e, 1, 1, 1}, gwMAC, ipv4(behind1, ip4("239.1.1.1"), nil)), MulticastFromPort},
		{"route to Null0", toWAN(ipv4(behind1, ip4("10.66.1.1"), nil)), NullRoute},
		{"no GRE", gre(), GREShort},
		{"half a key", gre(0x20, 0, 8, 0, 0, 0), GREShort},
		{"GRE version 1", gre(0x20, 1, 8, 0, 0, 0, 3, 0xe8), GREVersion},
		{"GRE routing", gre(0x60, 0, 8, 0, 0, 0, 3, 0xe8), GRERouting},
		{"GRE reserved flags", gre(0x28, 0, 8, 0, 0, 0, 3, 0xe8), GREFlags},
		{"GRE checksum", gre(0xa0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 3, 0xe8), GREChecksum},
		{"no key", gre(0, 0, 8, 0), GRENoTunnel},
		{"another key", gre(0x20, 0, 8, 0, 0, 0, 3, 0xe9), GRENoTunnel},
		{"GRE keepalive", gre(0x20, 0, 0, 0, 0, 0, 3, 0xe8), GREProtocol},
		{"IPv6 in GRE", gre(0x20, 0, 0x86, 0xdd, 0, 0, 3, 0xe8), GREProtocol},
		{"nothing in GRE", gre(0x20, 0, 8, 0, 0, 0, 3, 0xe8), IPShort},
		{"inner length lies", inner(fixed(ipv4(behind1, hostIP, nil), func(b []byte) { b[2] = 9 })), IPLength},
		{"inner checksum", inner(func() []byte { b := ipv4(behind1, hostIP, nil); b[8]++; return b }()), IPChecksum},
		{"inner martian", inner(ipv4(ip4("127.0.0.1"), hostIP, nil)), MartianSource},
		{"GRE in GRE", inner(grePacket(spoke2NBMA, packet.TypeIPv4, good)), GRENested},
		{"inner multicast, TTL 1", inner(ipv4(behind1, ip4("239.1.1.1"), nil, ttl(1))), MulticastTTL},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.t = t
			r.fromWAN(c.frame)
			r.only(c.want, 1)
			if len(r.punts) != 0 || len(r.wan.out) != 0 || len(r.lan.out) != 0 {
				t.Errorf("punts %v, frames %d and %d", r.punts, len(r.wan.out), len(r.lan.out))
			}
		})
	}
}

// TestTruncated cuts good packets at every length: never more than one counter, nothing sent that is cut.
func TestTruncated(t *testing.T) {
	r := newRig(t)
	hairpin := fromSpoke1(ipv4(behind1, behind2, pattern(30)))
	nhrp := toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, pattern(30)))
	for _, frame := range [][]byte{hairpin, nhrp, toWAN(ipv4(behind1, hostIP, pattern(9))), toWAN(optioned(148, 4, 0, 0, 1, 1, 1, 1))} {
		for n := range frame {
			r.fromWAN(frame[:n])
			r.conserved()
		}
		// The same with lengths that match what is left: cut inside.
		for n := packet.EthernetLen + packet.IPv4Len; n < len(frame); n++ {
			b := append([]byte(nil), frame[:n]...)
			binary.BigEndian.PutUint16(b[16:], uint16(n-packet.EthernetLen))
			r.fromWAN(fixed2(b))
			r.conserved()
		}
	}
	if len(r.wan.out) != 0 {
		t.Errorf("%d cut packets were forwarded through the tunnel", len(r.wan.out))
	}
}

// fixed2 mends the checksum of a frame's IP header, if all of the header is there.
func fixed2(frame []byte) []byte {
	ip := packet.IPv4(frame[packet.EthernetLen:])
	if ip.HeaderLen() <= len(ip) {
		ip.SetSum()
	}
	return frame
}

func TestLocal(t *testing.T) {
	big := pattern(1400)
	for _, c := range []struct {
		name  string
		frame []byte
		want  Punt
	}{
		{"for a port's address", toWAN(ipv4(behind1, hubLAN, big)), Punt{Reason: Local, Port: wan, Packet: ipv4(behind1, hubLAN, big)}},
		{"a fragment", toWAN(ipv4(behind1, hubLAN, big, flags(packet.FlagMF))), Punt{Reason: Fragment, Port: wan, Packet: ipv4(behind1, hubLAN, big, flags(packet.FlagMF))}},
		{"a last fragment of GRE", toWAN(ipv4(spoke1NBMA, hubNBMA, big, greProto, flags(100))), Punt{Reason: Fragment, Port: wan, Packet: ipv4(spoke1NBMA, hubNBMA, big, greProto, flags(100))}},
		{"padded", append(toWAN(ipv4(behind1, hubLAN, []byte{1})), make([]byte, 20)...), Punt{Reason: Local, Port: wan, Packet: ipv4(behind1, hubLAN, []byte{1})}},
		{"link-local multicast", ethernet([6]byte{1, 0, 0x5e, 0, 0, 5}, gwMAC, ipv4(behind1, ip4("224.0.0.5"), big, ttl(1))), Punt{Reason: Local, Port: wan, Packet: ipv4(behind1, ip4("224.0.0.5"), big, ttl(1))}},
		{"broadcast", ethernet([6]byte{255, 255, 255, 255, 255, 255}, gwMAC, ipv4(behind1, ip4("255.255.255.255"), nil)), Punt{Reason: Local, Port: wan, Packet: ipv4(behind1, ip4("255.255.255.255"), nil)}},
		{"TTL 1, for us", toWAN(ipv4(behind1, hubLAN, nil, ttl(1))), Punt{Reason: Local, Port: wan, Packet: ipv4(behind1, hubLAN, nil, ttl(1))}},
		{"TTL 1, transit", toWAN(ipv4(behind1, hostIP, nil, ttl(1))), Punt{Reason: TTLExpired, Port: wan, Packet: ipv4(behind1, hostIP, nil, ttl(1))}},
		{"TTL 0, transit", toWAN(ipv4(behind1, hostIP, nil, ttl(0))), Punt{Reason: TTLExpired, Port: wan, Packet: ipv4(behind1, hostIP, nil, ttl(0))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.t = t
			r.fromWAN(c.frame)
			r.only(c.want.Reason, 1)
			u := r.onePunt(c.want.Reason)
			if string(u.Packet) != string(c.want.Packet) || u.Port != c.want.Port || u.Tunnel != 0 || u.OuterSrc.IsValid() || u.Len != len(c.want.Packet) {
				t.Errorf("punt %+v, want %+v", u, c.want)
			}
		})
	}
}

// TestOptions: a packet with harmless options is forwarded like any other.
func TestOptions(t *testing.T) {
	r := newRig(t)
	in := optioned(148, 4, 0, 0, 7, 4, 4, 0)
	r.fromWAN(toWAN(in))
	got := r.mustIP(r.oneOut(r.lan)[packet.EthernetLen:])
	if got.TTL() != 63 || string(got[20:]) != string(in[20:]) {
		t.Errorf("forwarded %x", []byte(got))
	}
}

// TestNoRoute: the sender of a packet that has no route is told once a second and flow; the others are dropped.
func TestNoRoute(t *testing.T) {
	nowhere := ipv4(behind1, ip4("203.0.113.1"), pattern(900))
	for name, send := range map[string]func(r *rig){
		"from a port": func(r *rig) { r.fromWAN(toWAN(nowhere)) }, "out of a tunnel": func(r *rig) { r.fromWAN(fromSpoke1(nowhere)) },
	} {
		r := newRig(t)
		for range 3 {
			send(r)
		}
		if r.count(Unroutable) != 1 || r.count(NoRoute) != 2 || len(r.punts) != 1 {
			t.Fatalf("%s: unroutable %d, no-route %d, punts %v", name, r.count(Unroutable), r.count(NoRoute), r.punts)
		}
		if p := r.punts[0]; p.Reason != Unroutable || p.Len != len(nowhere) || string(p.Packet) != string(nowhere[:quoteLen]) {
			t.Errorf("%s: punt %+v", name, p)
		}
		if len(r.wan.out)+len(r.lan.out) != 0 {
			t.Errorf("%s: something left", name)
		}
	}
	r := newRig(t)
	r.inject(Inject{Kind: InjectRoute, Packet: nowhere})
	r.only(NoRoute, 1) // ours: the host stack knows its own routes
}

// TestVRFs: the same addresses in two VRFs do not meet.
func TestVRFs(t *testing.T) {
	r := newRig(t, func(_ *Config, b *fib.Batch) {
		b.Ports[0].VRF = 5
		b.Routes = append(b.Routes, fib.Route{VRF: 5, Prefix: b.Routes[3].Prefix, Paths: []fib.AdjID{fib.Null}})
	})
	r.fromWAN(toWAN(ipv4(behind1, hostIP, nil)))
	r.only(NullRoute, 1)
	r.fromWAN(toWAN(ipv4(behind1, behind2, nil)))
	if r.count(Unroutable) != 1 {
		t.Error("a route of another VRF was used")
	}
	r.fromLAN(toLAN(ipv4(behind1, hostIP, nil)))
	r.oneOut(r.lan)
}

// TestPortUnknown: a port that is attached before it is configured drops, and counts.
func TestPortUnknown(t *testing.T) {
	r := newRig(t)
	r.apply(&fib.Batch{DelPorts: []fib.PortID{wan}})
	r.fromWAN(toWAN(ipv4(behind1, hostIP, nil)))
	r.only(PortUnknown, 1)
}

// TestIPOff: what comes in by an interface without an address is nobody's transit. It may be for this box; labels are another matter.
func TestIPOff(t *testing.T) {
	bare := func(_ *Config, b *fib.Batch) {
		for i := range b.Ports {
			if b.Ports[i].ID != wan {
				b.Ports[i].Addr, b.Ports[i].MPLS = netip.Addr{}, true
			}
		}
		b.Tunnels[0].Addr = netip.Addr{}
	}
	untagged := func(t *testing.T) *rig { return newRig(t, bare) }
	for _, c := range []struct {
		name string
		in   func(*rig, []byte)
		make func(t *testing.T) *rig
		dst  [4]byte // transit
		us   [4]byte
		out  bool
	}{
		{"port", func(r *rig, ip []byte) { r.fromLAN(toLAN(ip)) }, untagged, behind1, hubLAN, false},
		{"tunnel", func(r *rig, ip []byte) { r.fromWAN(fromSpoke1(ip)) }, untagged, behind2, hubTunnel, false},
		{"port with an address", func(r *rig, ip []byte) { r.fromWAN(toWAN(ip)) }, untagged, behind1, hubNBMA, true},
		{"subinterface", func(r *rig, ip []byte) { r.fromLAN(tagFrame(toLAN(ip), 20)) }, func(t *testing.T) *rig { return subRig(t, bare) }, ip4("10.20.0.5"), subIP, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.make(t)
			c.in(r, ipv4(ip4("10.77.0.1"), c.dst, nil))
			if c.out {
				r.only(Unknown, 0)
			} else {
				r.only(IPOff, 1)
			}
			if n := len(r.wan.out) + len(r.lan.out); (n == 1) != c.out {
				t.Errorf("%d frames left", n)
			}
			c.in(r, ipv4(ip4("10.77.0.1"), ip4("239.1.1.1"), nil))
			c.in(r, ipv4(ip4("10.77.0.1"), c.us, nil))
			if len(r.punts) == 0 || r.punts[len(r.punts)-1].Reason != Local && r.punts[len(r.punts)-1].Reason != Host {
				t.Errorf("what is for this box: %+v; reasons %v", r.punts, r.nonZero())
			}
		})
	}
	r := newRig(t, bare, func(_ *Config, b *fib.Batch) {
		b.Labels = append(b.Labels, fib.Label{In: 7002, Action: fib.LabelForward, Paths: []fib.AdjID{adjSpoke1}})
	})
	r.fromLAN(mplsFrame(lanMAC, hostMAC, under(ipv4(ip4("10.77.0.1"), behind1, nil), lab(7002, 0, 9))))
	r.only(Unknown, 0)
	r.oneOut(r.wan)
}
