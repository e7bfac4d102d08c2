package fastpath

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// Two subinterfaces of the LAN port, in two VRFs with the same addresses, and one of the WAN port.
const (
	subRed, subBlue, subWAN = fib.PortID(5), fib.PortID(6), fib.PortID(7)
	red, blue               = fib.VRF(4), fib.VRF(5)
	adjRed, adjBlue         = fib.AdjID(60), fib.AdjID(61)
	adjRedLabel             = fib.AdjID(62)
	adjRedGroup             = fib.AdjID(63)
	adjWANTunnel            = fib.AdjID(64)
	groupRed                = fib.GroupID(8)
)

var subIP, subHost = ip4("192.168.11.2"), ip4("192.168.11.9")

// tagFrame puts an 802.1Q tag into a frame.
func tagFrame(f []byte, tci uint16) []byte {
	tag := binary.BigEndian.AppendUint16([]byte{0x81, 0}, tci)
	return slices.Insert(slices.Clone(f), packet.EthernetLen-2, tag...)
}

// tagAdj gives an adjacency a tag.
func tagAdj(a fib.Adjacency, id fib.AdjID, p fib.PortID, vlan uint16) fib.Adjacency {
	a.ID, a.Port, a.Outer = id, p, tagFrame(a.Outer, vlan)
	return a
}

func inVRF1(vrf fib.VRF, prefix string, id fib.AdjID) fib.Route {
	f := route(prefix, id)
	f.VRF = vrf
	return f
}

func withSubs(_ *Config, b *fib.Batch) {
	b.Ports[1].Addr = netip.Addr{} // a parent without one
	b.Ports = append(b.Ports,
		fib.Port{ID: subRed, VRF: red, MAC: lanMAC, Addr: addr(subIP), MTU: linkMTU, Parent: lan, VLAN: 10, MPLS: true, Group: groupRed},
		fib.Port{ID: subBlue, VRF: blue, MAC: lanMAC, Addr: addr(subIP), MTU: linkMTU, Parent: lan, VLAN: 20},
		fib.Port{ID: subWAN, MAC: wanMAC, Addr: addr(subIP), MTU: linkMTU, Parent: wan, VLAN: 30},
	)
	host := linkAdj(0, lan, lanMAC, hostMAC)
	labelled := tagAdj(host, adjRedLabel, subRed, 10)
	labelled.Labels = []uint32{100, 200, 300}
	all := tagAdj(linkAdj(0, lan, lanMAC, [6]byte{1, 0, 0x5e, 1, 2, 3}), adjRedGroup, subRed, 10)
	tunnel := tagAdj(tunnelAdj(0, spoke2NBMA), adjWANTunnel, subWAN, 30)
	b.Adjacencies = append(b.Adjacencies, tagAdj(host, adjRed, subRed, 10), tagAdj(host, adjBlue, subBlue, 20), labelled, all, tunnel)
	b.Groups = append(b.Groups, fib.Group{ID: groupRed, Members: []fib.AdjID{adjRedGroup}})
	for _, v := range []struct {
		vrf fib.VRF
		adj fib.AdjID
	}{{red, adjRed}, {blue, adjBlue}} {
		b.Routes = append(b.Routes, inVRF1(v.vrf, "192.168.11.2/32", fib.Receive), inVRF1(v.vrf, "192.168.11.9/32", v.adj), inVRF1(v.vrf, "10.20.0.0/16", v.adj))
	}
	b.Routes = append(b.Routes, inVRF1(red, "10.21.0.0/16", adjRedLabel), inVRF1(red, "10.22.0.0/16", adjWANTunnel), inVRF1(red, "10.9.0.0/16", adjHost))
	b.Labels = append(b.Labels, fib.Label{In: 7000, Action: fib.LabelLookup, VRF: red}, fib.Label{In: 7001, Action: fib.LabelSwap, Paths: []fib.AdjID{adjRed}},
		fib.Label{In: 7002, Action: fib.LabelSwap, Paths: []fib.AdjID{adjRedLabel}})
}

func subRig(t testing.TB, change ...func(*Config, *fib.Batch)) *rig {
	return newRig(t, append([]func(*Config, *fib.Batch){withSubs}, change...)...)
}

// TestSubinterfaceForward: tagged frames are routed in the VRF of their subinterface and leave with its tag, untagged ones as ever.
func TestSubinterfaceForward(t *testing.T) {
	for _, c := range []struct {
		name     string
		in       []byte
		out      []byte // by the LAN port
		from, to fib.PortID
	}{
		{"red to red", tagFrame(toLAN(ipv4(subHost, ip4("10.20.0.1"), pattern(50))), 0xa00a), tagFrame(ethernet(hostMAC, lanMAC, ipv4(subHost, ip4("10.20.0.1"), pattern(50), ttl(63))), 10), subRed, subRed},
		{"blue to blue", tagFrame(toLAN(ipv4(subHost, subHost, pattern(50))), 20), tagFrame(ethernet(hostMAC, lanMAC, ipv4(subHost, subHost, pattern(50), ttl(63))), 20), subBlue, subBlue},
		{"red to an untagged port", tagFrame(toLAN(ipv4(subHost, ip4("10.9.0.1"), nil)), 10), ethernet(hostMAC, lanMAC, ipv4(subHost, ip4("10.9.0.1"), nil, ttl(63))), subRed, 0},
		{"labels under the tag", tagFrame(toLAN(ipv4(subHost, ip4("10.21.0.1"), pattern(7))), 10),
			tagFrame(toHost(ipv4(subHost, ip4("10.21.0.1"), pattern(7), ttl(63)), lab(100, 0, 63), lab(200, 0, 63), lab(300, 0, 63)), 10), subRed, subRed},
		{"a tagged label", tagFrame(mplsFrame(lanMAC, hostMAC, under(ipv4(subHost, subHost, pattern(7)), lab(7000, 0, 9))), 10), tagFrame(ethernet(hostMAC, lanMAC, ipv4(subHost, subHost, pattern(7), ttl(8))), 10), subRed, subRed},
		{"swap, out by the tag", tagFrame(mplsFrame(lanMAC, hostMAC, under(pattern(7), lab(7002, 0, 9))), 10), tagFrame(toHost(pattern(7), lab(100, 0, 8), lab(200, 0, 8), lab(300, 0, 8)), 10), subRed, subRed},
		{"a label left, out by the tag", tagFrame(mplsFrame(lanMAC, hostMAC, under(pattern(7), lab(7001, 0, 9), lab(77, 0, 5))), 10), tagFrame(toHost(pattern(7), lab(77, 0, 5)), 10), subRed, subRed},
	} {
		r := subRig(t)
		r.fromLAN(c.in)
		if got := r.oneOut(r.lan); !bytes.Equal(got, c.out) {
			t.Errorf("%s: sent\n%x, want\n%x", c.name, got, c.out)
		}
		n := r.e.Counters().Ports
		if n[c.from].Rx != (Count{1, uint64(len(c.in))}) || n[lan].Rx != (Count{1, uint64(len(c.in))}) || n[lan].Tx != (Count{1, uint64(len(c.out))}) {
			t.Errorf("%s: received %+v, parent %+v", c.name, n[c.from], n[lan])
		}
		if c.to != 0 && n[c.to].Tx != (Count{1, uint64(len(c.out))}) {
			t.Errorf("%s: sent %+v", c.name, n[c.to])
		}
	}
}

// TestSubinterfaceTunnel: a tunnel whose packets leave by a subinterface, whole and cut, and come in by it.
func TestSubinterfaceTunnel(t *testing.T) {
	r := subRig(t, func(_ *Config, b *fib.Batch) { b.Adjacencies[len(b.Adjacencies)-1].LinkMTU = 600 })
	r.fromLAN(tagFrame(toLAN(ipv4(subHost, ip4("10.22.0.1"), pattern(90))), 10), tagFrame(toLAN(ipv4(subHost, ip4("10.22.0.1"), pattern(1000))), 10))
	if len(r.wan.out) != 3 {
		t.Fatalf("%d frames, want 3: %v", len(r.wan.out), r.nonZero())
	}
	bytesOut := 0
	for i, f := range r.wan.out {
		bytesOut += len(f)
		if !bytes.Equal(f[:18], append(append(gwMAC[:], wanMAC[:]...), 0x81, 0, 0, 30, 8, 0)[:18]) || len(f) > 618 {
			t.Errorf("frame %d: %x", i, f[:18])
		}
		ip := r.mustIP(f[18:])
		if i > 0 && !ip.IsFragment() {
			t.Errorf("frame %d is no fragment", i)
		}
	}
	f := r.wan.out[0]
	_, _, inner := r.ungre(slices.Delete(slices.Clone(f), 12, 16))
	if want := ipv4(subHost, ip4("10.22.0.1"), pattern(90), ttl(63)); !bytes.Equal(inner, want) {
		t.Errorf("inside\n%x, want\n%x", inner, want)
	}
	if n := r.e.Counters().Ports[subWAN].Tx; n != (Count{3, uint64(bytesOut)}) {
		t.Errorf("counted %+v, want 3 frames of %d bytes", n, bytesOut)
	}
	r.fromWAN(tagFrame(fromSpoke1(ipv4(behind1, hostIP, pattern(9))), 30))
	if got, want := r.oneOut(r.lan), ethernet(hostMAC, lanMAC, ipv4(behind1, hostIP, pattern(9), ttl(63))); !bytes.Equal(got, want) {
		t.Errorf("sent\n%x, want\n%x", got, want)
	}
}

// TestSubinterfaceHost: what is the host's goes up whole, without its tag, and what is nave's does not.
func TestSubinterfaceHost(t *testing.T) {
	arp := ethernet([6]byte{255, 255, 255, 255, 255, 255}, hostMAC, pattern(28))
	packet.PutEthernet(arp, [6]byte(arp), hostMAC, packet.TypeARP)
	reply := bytes.Clone(arp)
	packet.PutEthernet(reply, lanMAC, hostMAC, packet.TypeARP)
	ipv6 := ethernet(lanMAC, hostMAC, pattern(900))
	packet.PutEthernet(ipv6, lanMAC, hostMAC, 0x86dd)
	padded := append(toLAN(ipv4(subHost, subIP, pattern(3), proto(packet.ProtoICMP))), make([]byte, 20)...)
	udp := func(port byte, data ...byte) []byte {
		return append([]byte{0x11, 0x94, port >> 7 * 0x11, port, 0, byte(8 + len(data)), 0, 0}, data...)
	}
	natt := append([]byte{0x11, 0x94, 0x11, 0x94, 0, 14, 0, 0}, 0, 0, 0, 0, 1, 2)
	for _, c := range []struct {
		name  string
		frame []byte
		want  Reason
	}{
		{"ARP request", arp, Host},
		{"ARP reply", reply, Host},
		{"IPv6", ipv6, Host},
		{"ping, padded", padded, Host},
		{"TCP", toLAN(syn(subHost, subIP, 1460)), Host},
		{"longer than is quoted", toLAN(ipv4(subHost, subIP, pattern(1480))), Host},
		{"fragment of UDP", toLAN(ipv4(subHost, subIP, pattern(64), flags(packet.FlagMF))), Host},
		{"fragment of ESP", toLAN(ipv4(subHost, subIP, pattern(64), flags(packet.FlagMF), proto(packet.ProtoESP))), Fragment},
		{"fragment of GRE", toLAN(ipv4(subHost, subIP, pattern(64), flags(7), proto(packet.ProtoGRE))), Fragment},
		{"IKE behind a NAT", toLAN(ipv4(subHost, subIP, natt)), Host},
		{"multicast", ethernet([6]byte{1, 0, 0x5e, 0, 0, 5}, hostMAC, ipv4(subHost, ip4("224.0.0.5"), nil)), Host},
		{"link-local multicast to our MAC", toLAN(ipv4(subHost, ip4("224.0.0.5"), nil)), Host},
		{"broadcast of IPv4", ethernet([6]byte{255, 255, 255, 255, 255, 255}, hostMAC, ipv4(subHost, ip4("255.255.255.255"), nil)), Host},
		{"DHCP offer to an address that is not ours yet", toLAN(ipv4(subHost, ip4("10.20.0.77"), udp(68))), Host},
		{"another station", ethernet(hostMAC, gwMAC, ipv4(subHost, subIP, nil)), EthernetOther},
		{"a second tag", tagFrame(toLAN(ipv4(subHost, subIP, nil)), 7), Host},
		{"GRE that is no tunnel's", toLAN(ipv4(subHost, subIP, gre(packet.TypeIPv4, nil), proto(packet.ProtoGRE))), GRENoTunnel},
		{"broken", toLAN(pattern(30)), IPVersion},
		{"TTL", toLAN(ipv4(subHost, ip4("10.20.0.1"), nil, ttl(1))), TTLExpired},
		{"no label", mplsFrame(lanMAC, hostMAC, under(nil, lab(7009, 0, 9))), MPLSUnknown},
		{"a label to an address here", mplsFrame(lanMAC, hostMAC, under(ipv4(subHost, subIP, nil), lab(7000, 0, 9))), Local},
	} {
		r := subRig(t)
		r.fromLAN(tagFrame(c.frame, 10))
		r.only(c.want, 1)
		if c.want.Class() != ClassPunt {
			continue
		}
		u := r.onePunt(c.want)
		if u.Port != subRed || u.VRF != red || u.Tunnel != 0 {
			t.Errorf("%s: punt %+v", c.name, u)
		}
		if c.want == Host && (!bytes.Equal(u.Packet, c.frame) || u.Len != len(c.frame)) {
			t.Errorf("%s: punt of\n%x, want\n%x", c.name, u.Packet, c.frame)
		}
	}
	r := subRig(t)
	for n := range 19 {
		r.fromLAN(tagFrame(padded, 10)[:n])
	}
	r.fromLAN(tagFrame(padded, 11), tagFrame(padded, 0), tagFrame(padded, 30))
	r.fromWAN(tagFrame(toWAN(nil), 10))
	c := r.e.Counters().Reasons
	if c[VLANUnknown] != 4 || c[EthernetShort] != 14+4 || c[Host] != 0 || c[IPShort] != 1 || c[EthernetOther] != 0 {
		t.Errorf("tags: %v", r.nonZero())
	}
}

// TestSubinterfaceInject: the host's frames get the tag, protocols route in the VRF, and multicast finds its group.
func TestSubinterfaceInject(t *testing.T) {
	r := subRig(t)
	arp := ethernet(hostMAC, lanMAC, pattern(28))
	packet.PutEthernet(arp, hostMAC, lanMAC, packet.TypeARP)
	group := ipv4(subIP, ip4("224.0.0.5"), pattern(5), ttl(1))
	for _, c := range []struct {
		in   Inject
		want []byte
	}{
		{Inject{Kind: InjectFrame, VRF: blue, Port: subBlue, Packet: arp}, tagFrame(arp, 20)},
		{Inject{Kind: InjectFrame, Port: lan, Packet: arp}, arp},
		{Inject{Kind: InjectRoute, Port: subRed, Packet: ipv4(subIP, subHost, pattern(5))}, tagFrame(ethernet(hostMAC, lanMAC, ipv4(subIP, subHost, pattern(5))), 10)},
		{Inject{Kind: InjectRoute, Port: subRed, Packet: group}, tagFrame(ethernet([6]byte{1, 0, 0x5e, 1, 2, 3}, lanMAC, group), 10)},
		{Inject{Kind: InjectAdjacent, Adj: adjBlue, Packet: ipv4(subIP, subHost, pattern(5))}, tagFrame(ethernet(hostMAC, lanMAC, ipv4(subIP, subHost, pattern(5))), 20)},
		{Inject{Kind: InjectInput, VRF: blue, Port: subBlue, Packet: ipv4(subIP, subHost, pattern(5))}, tagFrame(ethernet(hostMAC, lanMAC, ipv4(subIP, subHost, pattern(5), ttl(63))), 20)},
		{Inject{Kind: InjectInput, VRF: blue, Packet: ipv4(subIP, subHost, pattern(5))}, tagFrame(ethernet(hostMAC, lanMAC, ipv4(subIP, subHost, pattern(5), ttl(63))), 20)},
	} {
		if err := r.e.Inject(c.in); err != nil {
			t.Fatal(err)
		}
		r.poll()
		if got := r.lan.take(); len(got) != 1 || !bytes.Equal(got[0], c.want) {
			t.Errorf("%+v: sent %x, want\n%x; %v", c.in, got, c.want, r.nonZero())
		}
	}
	for _, in := range []Inject{{Kind: InjectFrame, VRF: red, Port: subRed, Packet: arp[:13]}, {Kind: InjectFrame, Port: 99, Packet: arp}} {
		if err := r.e.Inject(in); err != nil {
			t.Fatal(err)
		}
		r.poll()
	}
	if len(r.lan.out) != 0 || r.count(EthernetShort) != 1 || r.count(PortDown) != 1 {
		t.Errorf("%d frames, %v", len(r.lan.out), r.nonZero())
	}
	// What the host of another VRF sent, or was put together in one, while the interface moved: nothing of it goes on here.
	r.apply(&fib.Batch{Tunnels: []fib.Tunnel{{ID: 9, VRF: blue, Local: addr(hubNBMA), HasKey: true, Key: 99, MTU: 1400}}})
	whole := ipv4(subIP, subHost, pattern(5))
	for i, in := range []Inject{
		{Kind: InjectFrame, VRF: blue, Port: subRed, Packet: arp}, {Kind: InjectFrame, Port: subRed, Packet: arp}, {Kind: InjectInput, VRF: red, Port: subBlue, Packet: whole},
		{Kind: InjectInput, Port: subBlue, Packet: whole}, {Kind: InjectRoute, VRF: red, Tunnel: 9, Packet: whole}, {Kind: InjectRoute, Tunnel: 9, Packet: whole},
	} {
		if err := r.e.Inject(in); err != nil {
			t.Fatal(err)
		}
		r.poll()
		if len(r.lan.out) != 0 || r.count(InjectBad) != uint64(i+1) {
			t.Errorf("%+v: %d frames, %v", in, len(r.lan.out), r.nonZero())
		}
	}
	if err := r.e.Inject(Inject{Kind: InjectRoute, VRF: blue, Tunnel: 9, Packet: whole}); err != nil {
		t.Fatal(err)
	}
	r.poll()
	if got := r.lan.take(); len(got) != 1 || !bytes.Equal(got[0], tagFrame(ethernet(hostMAC, lanMAC, whole), 20)) {
		t.Errorf("by the tunnel's twin: %x, %v", got, r.nonZero())
	}
	r.w.Detach(lan)
	if err := r.e.Inject(Inject{Kind: InjectFrame, VRF: red, Port: subRed, Packet: arp}); err != nil {
		t.Fatal(err)
	}
	r.fromWAN(labelled(ipv4(subHost, subHost, nil), lab(7000, 0, 9)))
	if r.count(PortDown) != 2 && r.count(MPLSOff) != 1 {
		t.Errorf("without the parent's link: %v", r.nonZero())
	}
}

// TestSubinterfaceTable: VLANs move, go and come, and what contradicts itself is refused whole.
func TestSubinterfaceTable(t *testing.T) {
	r := subRig(t)
	ports := func() []fib.Port { return r.e.Inherited().Ports }
	sub := func(id fib.PortID, parent fib.PortID, vlan uint16) fib.Port {
		return fib.Port{ID: id, MAC: lanMAC, MTU: linkMTU, Parent: parent, VLAN: vlan}
	}
	for _, p := range ports() {
		if p.ID == subRed && (p.Parent != lan || p.VLAN != 10) {
			t.Errorf("port %+v", p)
		}
	}
	for _, list := range [][]fib.Port{
		{sub(9, lan, 0)}, {sub(9, lan, 4095)}, {sub(9, 0, 7)}, {sub(9, 9, 7)}, {sub(9, 999, 7)}, {sub(9, subRed, 7)}, {sub(9, lan, 10)},
		{sub(9, lan, 7), sub(10, lan, 7)}, {sub(9, 10, 7), sub(10, lan, 8)},
	} {
		if _, err := r.e.Apply(&fib.Batch{Ports: list}); err == nil {
			t.Errorf("%+v was taken", list)
		}
	}
	host := func(vlan uint16) (fib.PortID, bool) {
		r.punts = nil
		r.now += 1e9
		r.fromLAN(tagFrame(ethernet([6]byte{255, 255, 255, 255, 255, 255}, hostMAC, nil), vlan))
		if len(r.punts) != 1 {
			return 0, false
		}
		return r.punts[0].Port, true
	}
	// The two exchange their VLANs, then one takes that of the other, which goes in the same batch.
	list := ports()
	for i := range list {
		switch list[i].ID {
		case subRed:
			list[i].VLAN = 20
		case subBlue:
			list[i].VLAN = 10
		}
	}
	r.apply(&fib.Batch{Ports: list})
	a, _ := host(10)
	b, _ := host(20)
	if a != subBlue || b != subRed {
		t.Errorf("after the exchange VLAN 10 is %d, 20 is %d", a, b)
	}
	r.apply(&fib.Batch{Ports: []fib.Port{sub(11, lan, 10)}, DelPorts: []fib.PortID{subBlue}})
	if id, _ := host(10); id != 11 {
		t.Errorf("VLAN 10 is %d", id)
	}
	used := r.e.Counters().ArenaUsed
	r.apply(&fib.Batch{DelPorts: []fib.PortID{11, subRed}})
	if _, ok := host(10); ok {
		t.Error("VLAN 10 is still there")
	}
	r.apply(&fib.Batch{Ports: []fib.Port{{ID: wan, MAC: wanMAC, MTU: linkMTU - 1}}})
	r.apply(&fib.Batch{Ports: []fib.Port{{ID: wan, MAC: wanMAC, MTU: linkMTU - 2}}})
	if got := r.e.Counters().ArenaUsed; got >= used {
		t.Errorf("%d bytes in use, before %d", got, used)
	}
	for _, bad := range [][]byte{tagFrame(make([]byte, 14), 0), tagFrame(make([]byte, 14), 4095), append(tagFrame(make([]byte, 14), 7), 0), tagFrame(make([]byte, 14), 7)[:16]} {
		a := fib.Adjacency{ID: 99, Kind: fib.AdjLink, Port: subRed, MTU: linkMTU, Outer: bad}
		if _, err := r.e.Apply(&fib.Batch{Adjacencies: []fib.Adjacency{a}}); err == nil {
			t.Errorf("outer %x was taken", bad)
		}
	}
}

// TestTaggedBuckets: a flow hashes the same with a tag and without.
func TestTaggedBuckets(t *testing.T) {
	seen := map[uint8]bool{}
	for i := range 50 {
		f := toLAN(ipv4(subHost, [4]byte{10, 20, byte(i), 1}, pattern(20)))
		if flowBucket(f) != flowBucket(tagFrame(f, 10)) {
			t.Errorf("%d: bucket %d, tagged %d", i, flowBucket(f), flowBucket(tagFrame(f, 10)))
		}
		seen[flowBucket(tagFrame(f, 10))] = true
	}
	if len(seen) < 20 || flowBucket(tagFrame(make([]byte, 12), 3)) != 0 || flowBucket(tagFrame(tagFrame(toLAN(nil), 3), 4)) != 0 {
		t.Errorf("%d buckets of 50 flows", len(seen))
	}
	for n := range 40 {
		flowBucket(tagFrame(toLAN(ipv4(subHost, subIP, nil)), 3)[:n])
	}
}

// TestSubinterfaceRelay: a worker without a queue of the parent sends through one that has it.
func TestSubinterfaceRelay(t *testing.T) {
	r := subRig(t, func(c *Config, _ *fib.Batch) { c.Workers = 2 })
	pool := port.NewPool(make([]byte, 64*4096), 4096)
	w, err := r.e.NewWorker(pool)
	if err != nil {
		t.Fatal(err)
	}
	in := &wire{pool: pool}
	if err := w.Attach(wan, in); err != nil {
		t.Fatal(err)
	}
	if err := r.e.Relay(w, lan, 0); err != nil {
		t.Fatal(err)
	}
	in.in = append(in.in, tagFrame(toWAN(ipv4(subHost, hostIP, nil)), 30))
	r.apply(&fib.Batch{Routes: []fib.Route{route("10.0.0.9/32", adjBlue)}})
	w.Poll(1)
	r.poll()
	if got, want := r.oneOut(r.lan), tagFrame(ethernet(hostMAC, lanMAC, ipv4(subHost, hostIP, nil, ttl(63))), 20); !bytes.Equal(got, want) {
		t.Errorf("sent\n%x, want\n%x", got, want)
	}
	n := r.e.Counters().Ports
	if n[subBlue].Tx.Packets != 1 || n[lan].Tx.Packets != 1 || n[subWAN].Rx.Packets != 1 {
		t.Errorf("counted %+v", n)
	}
}
