package sim

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/fastpath/packet"
	"nave/slowpath/dmvpn"
	"nave/testbed/labs"
	"nave/testbed/topo"
)

// opens has a router open paths through NAT.
const opens = " ip nhrp nat simultaneous-open\n"

// bothBehindNAT is the phase 3 lab under protection with a NAT box in front of each spoke: 192.88.99.9 before spoke1, which asks, and 203.0.113.9 before spoke2. A direct ping
// takes 60 ms, one by the hub 100. line is added to each tunnel.
func bothBehindNAT(t *testing.T, seed uint64, crypto, line string, first, second NATConfig) *Net {
	t.Helper()
	return labBehindNAT(t, "phase3", seed, crypto, line, first, second)
}

func labBehindNAT(t *testing.T, name string, seed uint64, crypto, line string, first, second NATConfig) *Net {
	t.Helper()
	l, err := labs.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	n := New(t, seed)
	n.AddInternet("internet")
	n.AddNAT("nat1", "192.88.99.9", "192.88.99.254", first)
	n.AddNAT("nat2", "203.0.113.9", "203.0.113.254", second)
	for _, d := range l.Topology.Nodes {
		switch d.Kind {
		case topo.Router:
			text := strings.Replace(crypto+d.Config, " tunnel key 700\n", " tunnel key 700\n"+line+protection, 1)
			// Both spokes have the same address behind their boxes, and so the same identity.
			text = strings.ReplaceAll(strings.ReplaceAll(text, "203.0.113.1 ", "198.51.100.1 "), "203.0.113.254", "198.51.100.254")
			n.AddRouter(d.Name, text)
		case topo.Host:
			n.AddHost(d.Name, d.Gateway)
		}
	}
	c := LinkConfig{Delay: 10 * time.Millisecond}
	n.Connect("hub:Ethernet0", "internet:192.0.2.254/24", LinkConfig{Delay: 20 * time.Millisecond})
	n.Connect("nat1:192.88.99.9/24", "internet:192.88.99.254/24", c)
	n.Connect("nat2:203.0.113.9/24", "internet:203.0.113.254/24", c)
	for i := 1; i <= 2; i++ {
		n.Connect(fmt.Sprintf("spoke%d:Ethernet0", i), fmt.Sprintf("nat%d:198.51.100.254/24", i), c)
		n.Connect(fmt.Sprintf("spoke%d:Ethernet1", i), fmt.Sprintf("host%d:10.%d.0.7/24", i, i), c)
	}
	count := clearPackets(n)
	t.Cleanup(func() {
		if *count != 0 {
			t.Errorf("%d packets left in clear", *count)
		}
	})
	return n
}

// directIn pings until a ping takes the direct way, for at most limit, and tells how long that took. Every ping must be answered.
func directIn(t *testing.T, n *Net, limit time.Duration) (after time.Duration, direct bool) {
	t.Helper()
	begun := n.Now()
	for n.Now().Sub(begun) < limit {
		r := n.Ping("host1", "10.2.0.7")
		if !r.OK {
			t.Fatalf("after %v: %v", n.Now().Sub(begun), r)
		}
		if r.TTL == 62 {
			return n.Now().Sub(begun), true
		}
		n.Run(20 * time.Millisecond)
	}
	return n.Now().Sub(begun), false
}

// mayOpen is what theory says: of two boxes, whether a path can be opened through both.
//
// A calls the port by which the hub sees B. It gets in if B's box lets everybody in; or if B's openers left by that port, and its box lets in whom they went to. A box whose mapping depends on
// the far end sends openers by another port than the hub has seen, and IKE's answers, too.
func mayOpen(a, b NATConfig) bool {
	calls := func(a, b NATConfig) bool {
		in := b.Filtering == EndpointIndependent || b.Mapping == EndpointIndependent && (b.Filtering == AddressDependent || a.Mapping == EndpointIndependent)
		back := b.Mapping == EndpointIndependent || a.Filtering != AddressAndPortDependent
		return in && back
	}
	return calls(a, b) || calls(b, a)
}

// Every pair of boxes: direct where theory says that it is possible, and else by the hub, which is settled in a second. No ping is lost either way.
func TestOpeningThroughNAT(t *testing.T) {
	var boxes []NATConfig
	for m := EndpointIndependent; m <= AddressAndPortDependent; m++ {
		for f := EndpointIndependent; f <= AddressAndPortDependent; f++ {
			boxes = append(boxes, NATConfig{Mapping: m, Filtering: f})
		}
	}
	eachCrypto(t, func(t *testing.T, crypto string) {
		for i, a := range boxes {
			for j, b := range boxes {
				if testing.Short() && (i+j)%4 != 0 {
					continue
				}
				name := fmt.Sprintf("%v %v, %v %v", a.Mapping, a.Filtering, b.Mapping, b.Filtering)
				t.Run(name, func(t *testing.T) {
					n := bothBehindNAT(t, 1000+uint64(i*9+j), crypto, opens, a, b)
					converge(t, n, "hub")
					after, direct := directIn(t, n, 3*time.Second)
					if want := mayOpen(a, b); direct != want {
						t.Fatalf("direct: %v after %v, want %v\n%s", direct, after, want, n.Show("spoke1", "show dmvpn detail"))
					}
					if direct && after > time.Second {
						t.Errorf("direct after %v", after)
					}
					for range 50 {
						if r := n.Ping("host1", "10.2.0.7"); !r.OK || direct != (r.TTL == 62) {
							t.Fatalf("later: %v", r)
						}
						n.Run(100 * time.Millisecond)
					}
				})
			}
		}
	})
}

// Boxes of Linux with masquerade, whose mappings depend on the far end and keep their port, but for a far end that something has come in from before anything went out: the two sides must send
// so that what each has sent first leaves before what the other one has sent arrives. The hub is near to one, or to the other, or far from both.
func TestOpeningBeforeAnythingComesIn(t *testing.T) {
	box := NATConfig{Mapping: AddressAndPortDependent, Filtering: AddressAndPortDependent, Preserve: true, Taken: true}
	eachCrypto(t, func(t *testing.T, crypto string) {
		for k, delay := range [][3]time.Duration{{20, 10, 10}, {2, 10, 10}, {100, 10, 10}, {2, 5, 40}, {2, 40, 5}, {20, 70, 60}} { // of the hub's link and those of the boxes, in milliseconds
			n := bothBehindNAT(t, 1100+uint64(k), crypto, opens, box, box)
			for j, name := range []string{"hub", "nat1", "nat2"} {
				n.Link(name, "Ethernet0").cfg.Delay = delay[j] * time.Millisecond
			}
			converge(t, n, "hub")
			if after, direct := directIn(t, n, 4*time.Second); !direct {
				t.Errorf("delays %d: not direct after %v", delay, after)
			}
		}
	})
}

// What cannot be opened is not tried again and again: IKE between the two boxes is counted for an hour of traffic.
func TestUnopenedIsRemembered(t *testing.T) {
	symmetric := NATConfig{Mapping: AddressAndPortDependent, Filtering: AddressAndPortDependent}
	eachCrypto(t, func(t *testing.T, crypto string) {
		n := bothBehindNAT(t, 1200, crypto, opens, symmetric, symmetric)
		converge(t, n, "hub")
		attempts := &attempts{n: n}
		n.Tap(attempts.see)
		begun := n.Now()
		for n.Now().Sub(begun) < time.Hour {
			if r := n.Ping("host1", "10.2.0.7"); !r.OK {
				t.Fatalf("after %v: %v", n.Now().Sub(begun), r)
			}
			n.Run(time.Second)
		}
		if attempts.bursts < 2 || attempts.bursts > 12 {
			t.Errorf("%d attempts in an hour, %d packets", attempts.bursts, attempts.packets)
		}
		if most := attempts.bursts * 40; attempts.packets > most {
			t.Errorf("%d packets in %d attempts", attempts.packets, attempts.bursts)
		}
		if attempts.longest > time.Second {
			t.Errorf("an attempt took %v", attempts.longest)
		}
	})
}

// attempts counts what goes from one NAT box to the other.
type attempts struct {
	n               *Net
	packets, bursts int
	first, last     time.Time
	longest         time.Duration
}

func (a *attempts) see(c Crossing) {
	if c.From != "nat1" && c.From != "nat2" || c.To != "internet" {
		return
	}
	ip, fault := packet.ParseIPv4(c.Frame[packet.EthernetLen:])
	if hub := a.n.addr("192.0.2.1"); fault != packet.OK || addr4(ip.Dst()) == hub {
		return
	}
	if a.bursts == 0 || c.At.Sub(a.last) > 2*time.Second {
		a.bursts++
		a.first = c.At
	}
	a.packets, a.last = a.packets+1, c.At
	a.longest = max(a.longest, c.At.Sub(a.first))
}

// One of the three does not want it: then nothing is said of it, and nothing is opened. Traffic goes by the hub.
func TestOpeningIsOff(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		for _, off := range []string{"hub", "spoke1", "spoke2"} {
			n := bothBehindNAT(t, 1300, crypto, opens, NATConfig{}, NATConfig{Filtering: AddressAndPortDependent})
			r := n.Router(off)
			r.text = strings.Replace(r.text, opens, "", 1)
			converge(t, n, "hub")
			if after, direct := directIn(t, n, 5*time.Second); direct {
				t.Errorf("%s is off: direct after %v", off, after)
			}
			for _, name := range []string{"spoke1", "spoke2"} {
				for _, s := range n.Router(name).core.Router().Status().Sessions.Sessions {
					if s.Opening || s.Opened || s.Endpoint.IsValid() {
						t.Errorf("%s is off: %s knows of %v", off, name, s.Endpoint)
					}
				}
			}
		}
	})
}

// An opened path is like any other: it carries large packets, is rekeyed, outlives silence, follows a box that gives other ports, and is found again when it was cleared.
func TestOpenedPathLives(t *testing.T) {
	box := NATConfig{Filtering: AddressAndPortDependent, Timeout: time.Minute}
	eachCrypto(t, func(t *testing.T, crypto string) {
		crypto = strings.Replace(crypto, " set transform-set strong\n", " set transform-set strong\n set security-association lifetime seconds 120\n", 1)
		crypto = strings.Replace(crypto, " group 19\n", " group 19\n lifetime 400\n", 1)
		crypto = strings.Replace(crypto, " dpd 10", " lifetime 400\n dpd 10", 1)
		n := bothBehindNAT(t, 1400, crypto, opens, box, box)
		converge(t, n, "hub")
		if _, direct := directIn(t, n, 3*time.Second); !direct {
			t.Fatal("not direct")
		}
		s, ok := openedWith(n, "spoke1", "203.0.113.9")
		if !ok || s.Endpoint.Port() < firstNATPort || s.Inside.String() != "198.51.100.1" {
			t.Errorf("the session: %+v", s)
		}
		if text := n.Show("spoke1", "show dmvpn detail"); !strings.Contains(text, "203.0.113.9") {
			t.Errorf("show dmvpn detail:\n%s", text)
		}
		for _, size := range []int{1400, 1500, 4000} {
			if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: size}); !r.OK {
				t.Errorf("%d bytes: %v", size, r)
			}
		}
		for k := range 900 { // half an hour: rekeys of both kinds, and the mapping of NHRP renewed
			if r := n.Ping("host1", "10.2.0.7"); !r.OK || r.TTL != 62 {
				t.Fatalf("ping %d: %v", k, r)
			}
			n.Run(2 * time.Second)
		}
		n.Run(10 * time.Minute) // nobody speaks: the mapping of NHRP runs out
		if _, direct := directIn(t, n, 10*time.Second); !direct {
			t.Error("not direct after a while of silence")
		}
	})
}

// A control plane that dies and the next one: the opened path carries on, and is kept.
func TestOpenedPathIsTakenOver(t *testing.T) {
	box := NATConfig{Filtering: AddressAndPortDependent, Timeout: time.Minute}
	eachCrypto(t, func(t *testing.T, crypto string) {
		n := bothBehindNAT(t, 1450, crypto, opens, box, box)
		converge(t, n, "hub")
		if _, direct := directIn(t, n, 3*time.Second); !direct {
			t.Fatal("not direct")
		}
		r := n.Router("spoke1")
		r.Orphan()
		for range 10 {
			if r := n.Ping("host1", "10.2.0.7"); !r.OK || r.TTL != 62 {
				t.Errorf("with nobody in control: %v", r)
			}
			n.Run(time.Second)
		}
		r.TakeOver(r.text)
		lost, detours := 0, 0
		for range 300 {
			switch r := n.Ping("host1", "10.2.0.7"); {
			case !r.OK:
				lost++
			case r.TTL != 62:
				detours++
			}
			n.Run(time.Second)
		}
		if lost > 0 || detours > 60 {
			t.Errorf("in five minutes after it was taken over %d pings are lost, %d go by the hub\n%s", lost, detours, n.Show("spoke1", "show dmvpn detail"))
		}
		if _, direct := directIn(t, n, time.Second); !direct {
			t.Error("not direct in the end")
		}
	})
}

// openedWith is a router's session with a peer, if its path was opened.
func openedWith(n *Net, router, peer string) (dmvpn.SessionStatus, bool) {
	for _, s := range n.Router(router).core.Router().Status().Sessions.Sessions {
		if s.Peer.String() == peer && s.Opened {
			return s, true
		}
	}
	return dmvpn.SessionStatus{}, false
}

// sites are NAT boxes with spokes behind them, two behind each box, and a hub that redirects. Spoke k is at box (k+1)/2.
func sites(t *testing.T, seed uint64, crypto string, boxes ...NATConfig) (*Net, []Spoke) {
	t.Helper()
	n := New(t, seed)
	n.AddInternet("internet")
	const tunnel = `interface Tunnel0
 ip address %s 255.255.0.0
 ip mtu 1400
 ip nhrp network-id 9
 ip nhrp holdtime 300
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel key 9
` + protection + opens
	var routes strings.Builder
	var list []Spoke
	for b, cfg := range boxes {
		name := fmt.Sprintf("nat%d", b+1)
		n.AddNAT(name, fmt.Sprintf("203.0.%d.1", b), fmt.Sprintf("203.0.%d.254", b), cfg).Segment("lan", "192.168.0.254/24")
		n.Connect(fmt.Sprintf("%s:203.0.%d.1/24", name, b), fmt.Sprintf("internet:203.0.%d.254/24", b), LinkConfig{Delay: 10 * time.Millisecond})
		for i := 1; i <= 2; i++ {
			k := 2*b + i
			s := Spoke{Name: fmt.Sprintf("spoke%d", k), Tunnel: addr4(10<<24 | 255<<16 | uint32(10+k)), LAN: addr4(10<<24 | uint32(k)<<8 | 1)}
			list = append(list, s)
			n.AddRouter(s.Name, crypto+"hostname "+s.Name+"\n"+fmt.Sprintf(tunnel, s.Tunnel)+
				" ip nhrp map 10.255.0.1 192.0.2.1\n ip nhrp map multicast 192.0.2.1\n ip nhrp nhs 10.255.0.1\n ip nhrp shortcut\n"+
				fmt.Sprintf("interface Ethernet0\n ip address 192.168.0.%d 255.255.255.0\ninterface Loopback0\n ip address %s 255.255.255.0\n", k, s.LAN)+
				"ip route 0.0.0.0 0.0.0.0 192.168.0.254\nip route 10.0.0.0 255.0.0.0 10.255.0.1\n")
			n.Connect(s.Name+":Ethernet0", name+":lan", LinkConfig{})
			fmt.Fprintf(&routes, "ip route 10.0.%d.0 255.255.255.0 %s\n", k, s.Tunnel)
		}
	}
	n.AddRouter("hub", crypto+"hostname hub\n"+fmt.Sprintf(tunnel, "10.255.0.1")+" ip nhrp redirect\n ip nhrp map multicast dynamic\n"+
		"interface Ethernet0\n ip address 192.0.2.1 255.255.255.0\nip route 0.0.0.0 0.0.0.0 192.0.2.254\n"+routes.String())
	n.Connect("hub:Ethernet0", "internet:192.0.2.254/24", LinkConfig{Delay: 20 * time.Millisecond})
	var registered []string
	for _, s := range list {
		registered = append(registered, s.Tunnel.String())
	}
	n.Until(time.Minute, "all spokes are registered", func() bool {
		text := n.Show("hub", "show ip nhrp")
		for _, a := range registered {
			if !strings.Contains(text, a+"/32") {
				return false
			}
		}
		return true
	})
	return n, list
}

// everyPair pings from each spoke to each other, and tells how many answers took the direct way; every ping must be answered.
func everyPair(t *testing.T, n *Net, list []Spoke) (direct int) {
	t.Helper()
	for _, a := range list {
		for _, b := range list {
			if a == b {
				continue
			}
			r := n.Ping(a.Name, b.LAN.String(), PingOptions{Source: a.LAN})
			if !r.OK {
				t.Errorf("%s to %s at %v: %v", a.Name, b.Name, n.Now().Sub(epoch), r)
			}
			if r.TTL == 64 {
				direct++
			}
		}
	}
	return direct
}

// Two spokes behind each of two boxes: each of the four finds both of the other box, by ports of one address. Two behind one box find each other where that hairpins, and else by the hub.
func TestOpeningSeveralBehindOneAddress(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		for _, hairpin := range []bool{false, true} {
			cfg := NATConfig{Filtering: AddressAndPortDependent, Hairpin: hairpin}
			n, list := sites(t, 1500, crypto, cfg, cfg)
			want := 8
			if hairpin {
				want = 12
			}
			got := 0
			for range 10 {
				got = everyPair(t, n, list)
				n.Run(500 * time.Millisecond)
			}
			if got != want {
				t.Errorf("hairpin %v: %d direct ways, want %d\n%s", hairpin, got, want, n.Show("spoke1", "show dmvpn detail"))
			}
			for range 20 { // five minutes later still, without a loss
				n.Run(15 * time.Second)
				if got := everyPair(t, n, list); got != want {
					t.Errorf("hairpin %v, at %v: %d direct ways, want %d", hairpin, n.Now().Sub(epoch), got, want)
				}
			}
		}
	})
}

// Both ask at the same moment, and a tenth of all packets is lost: one session each way comes of it, and it stays.
func TestOpeningFromBothSidesOnBadLinks(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		for seed := range uint64(6) {
			box := NATConfig{Filtering: AddressAndPortDependent}
			n := bothBehindNAT(t, 1600+seed, crypto, opens, box, box)
			converge(t, n, "hub")
			if seed > 0 {
				for _, nat := range []string{"nat1", "nat2"} {
					n.Link(nat, "").SetLoss(0.1)
				}
			}
			n.PingAll([]string{"spoke1", "spoke2"}, []netip.Addr{n.addr("10.1.0.1"), n.addr("10.2.0.1")}, []netip.Addr{n.addr("10.2.0.1"), n.addr("10.1.0.1")}, 100*time.Millisecond)
			n.Until(10*time.Minute, "the way is direct", func() bool {
				r := n.Ping("host1", "10.2.0.7")
				return r.OK && r.TTL == 62
			})
			for _, nat := range []string{"nat1", "nat2"} {
				n.Link(nat, "").SetLoss(0)
			}
			n.Run(time.Minute)
			for range 30 {
				if r := n.Ping("host1", "10.2.0.7"); !r.OK || r.TTL != 62 {
					t.Errorf("seed %d: %v", seed, r)
				}
				n.Run(10 * time.Second)
			}
			for router, peer := range map[string]string{"spoke1": "203.0.113.9", "spoke2": "192.88.99.9"} {
				if s := secured(n, router)[peer]; len(s.Children) != 1 { // it may be up before what the hub says has come
					t.Errorf("seed %d: %s has %+v", seed, router, s)
				}
			}
		}
	})
}

// A NAT box starts over, and gives other ports: the path follows with the next packet from behind it. The other spoke restarts: the path is found again.
func TestOpenedPathFollows(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n := bothBehindNAT(t, 1700, crypto, opens, NATConfig{}, NATConfig{})
		converge(t, n, "hub")
		if _, direct := directIn(t, n, 3*time.Second); !direct {
			t.Fatal("not direct")
		}
		before, _ := openedWith(n, "spoke2", "192.88.99.9")
		n.elements["nat1"].(*Node).Rebind()
		n.Ping("host1", "10.2.0.7")
		if r := n.Ping("host1", "10.2.0.7"); !r.OK || r.TTL != 62 {
			t.Errorf("after other ports: %v", r)
		}
		if after, ok := openedWith(n, "spoke2", "192.88.99.9"); !ok || after.Since != before.Since || after.Port == before.Port {
			t.Errorf("before %+v, after %+v", before, after)
		}
		n.Router("spoke2").Stop()
		n.Run(5 * time.Second)
		n.Router("spoke2").Start()
		n.Until(5*time.Minute, "the way is direct again", func() bool {
			r := n.Ping("host1", "10.2.0.7")
			return r.OK && r.TTL == 62
		})
	})
}

// Only one of them is behind NAT, of the worst kind: whoever asks, the path is direct.
func TestOpeningWithOnePublicSide(t *testing.T) {
	symmetric := NATConfig{Mapping: AddressAndPortDependent, Filtering: AddressAndPortDependent}
	eachCrypto(t, func(t *testing.T, crypto string) {
		for _, from := range []string{"host1", "host2"} {
			l, err := labs.Find("phase3")
			if err != nil {
				t.Fatal(err)
			}
			n := New(t, 1800)
			n.AddInternet("internet")
			n.AddNAT("nat1", "192.88.99.9", "192.88.99.254", symmetric)
			for _, d := range l.Topology.Nodes {
				switch d.Kind {
				case topo.Router:
					n.AddRouter(d.Name, strings.Replace(crypto+d.Config, " tunnel key 700\n", " tunnel key 700\n"+opens+protection, 1))
				case topo.Host:
					n.AddHost(d.Name, d.Gateway)
				}
			}
			n.Connect("hub:Ethernet0", "internet:192.0.2.254/24", LinkConfig{})
			n.Connect("nat1:192.88.99.9/24", "internet:192.88.99.254/24", LinkConfig{})
			n.Connect("spoke1:Ethernet0", "nat1:198.51.100.254/24", LinkConfig{})
			n.Connect("spoke2:Ethernet0", "internet:203.0.113.254/24", LinkConfig{})
			for i := 1; i <= 2; i++ {
				n.Connect(fmt.Sprintf("spoke%d:Ethernet1", i), fmt.Sprintf("host%d:10.%d.0.7/24", i, i), LinkConfig{})
			}
			converge(t, n, "hub")
			direct := false
			to := map[string]string{"host1": "10.2.0.7", "host2": "10.1.0.7"}[from]
			for range 100 {
				r := n.Ping(from, to)
				if !r.OK {
					t.Fatalf("from %s: %v", from, r)
				}
				direct = r.TTL == 62
				n.Run(20 * time.Millisecond)
			}
			if !direct {
				t.Errorf("from %s: not direct\n%s\n%s", from, n.Show("spoke1", "show dmvpn detail"), n.Show("spoke2", "show dmvpn detail"))
			}
		}
	})
}

// Phase 2, where the next hop is the other spoke: traffic takes the hub until the path is open, and goes on so where it does not open.
func TestOpeningPhase2(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		for _, second := range []NATConfig{{Filtering: AddressAndPortDependent}, {Mapping: AddressAndPortDependent, Filtering: AddressAndPortDependent}} {
			first := NATConfig{Filtering: AddressAndPortDependent}
			n := labBehindNAT(t, "phase2", 1900, crypto, opens, first, second)
			converge(t, n, "hub")
			_, direct := directIn(t, n, 3*time.Second)
			if want := mayOpen(first, second); direct != want {
				t.Errorf("direct: %v, want %v", direct, want)
			}
			for range 300 {
				if r := n.Ping("host1", "10.2.0.7"); !r.OK {
					t.Fatalf("at %v: %v", n.Now().Sub(epoch), r)
				}
				n.Run(time.Second)
			}
		}
	})
}
