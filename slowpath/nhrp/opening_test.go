package nhrp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
)

func opensPaths(i *Interface) { i.Protected, i.SimultaneousOpen = true, true }

// natted is a hub with two clients behind NAT that it has registered, and those two. What they send is carried by hand: opening.carry.
type natted struct {
	t     *testing.T
	n     *simnet
	boxes map[string]*box // hub, a, b
	names map[string]nbma.Address
	ports map[string]netip.AddrPort
	opens map[string][]PeerOpening // what each was told to open
}

// newNatted makes them; edit changes the interface of each.
func newNatted(t *testing.T, edit map[string]func(*Interface)) *natted {
	t.Helper()
	x := &natted{t: t, n: newNet(t), boxes: map[string]*box{}, opens: map[string][]PeerOpening{},
		names: map[string]nbma.Address{"hub": peerAt("192.0.2.1"), "a": nbma.Behind(ip("198.51.100.1"), ip("192.0.2.11")), "b": nbma.Behind(ip("198.51.100.2"), ip("192.0.2.12"))},
		ports: map[string]netip.AddrPort{"hub": netip.MustParseAddrPort("192.0.2.1:4500"), "a": netip.MustParseAddrPort("198.51.100.1:20001"), "b": netip.MustParseAddrPort("198.51.100.2:20002")}}
	for name, last := range map[string]int{"hub": 1, "a": 11, "b": 12} {
		cfg, routes := hubConfig(opensPaths), map[string]Route{
			"10.11.0.0/24": {Iface: "Tunnel0", NextHop: ip("10.0.0.11")}, "10.12.0.0/24": {Iface: "Tunnel0", NextHop: ip("10.0.0.12")},
		}
		if name != "hub" {
			cfg, routes = spokeConfig(last, opensPaths), map[string]Route{fmt.Sprintf("10.%d.0.0/24", last): {Iface: "Ethernet1"}, "10.0.0.0/8": {Iface: "Tunnel0", NextHop: ip("10.0.0.1")}}
		}
		if f := edit[name]; f != nil {
			f(&cfg.Interfaces[0])
		}
		b := &box{name: name, net: x.n, rib: map[netip.Prefix]Route{}, nbma: map[string]netip.Addr{}}
		for p, r := range routes {
			b.rib[pfx(p)] = r
		}
		b.rib[pfx("10.0.0.0/24")] = Route{Iface: "Tunnel0"}
		b.rib[host(cfg.Interfaces[0].Address.Addr())] = Route{Iface: "Tunnel0", Local: true}
		b.m = NewSeeded(b, uint64(last))
		x.boxes[name] = b
		b.cfg = cfg
	}
	for _, name := range []string{"hub", "a", "b"} {
		b := x.boxes[name]
		x.carry(name, b.m.Configure(x.n.now, b.cfg))
		x.tick(name)
	}
	return x
}

// whose is the box at an address.
func (x *natted) whose(at nbma.Address) string {
	for name, is := range x.names {
		if is == at || is.Addr == at.Addr && !at.Inside.IsValid() {
			return name
		}
	}
	x.t.Fatalf("nobody is at %v", at)
	return ""
}

// carry carries effects of a box out: packets arrive at once, and only sessions with the hub come up.
func (x *natted) carry(name string, effects []Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case Send:
			to := x.whose(e.To)
			if name != "hub" && to != "hub" {
				x.t.Errorf("%s sends to %s, to which there is no session", name, to)
				continue
			}
			x.deliver(name, to, e.Payload)
		case PeerWanted:
			if name == "hub" || x.whose(e.NBMA) == "hub" {
				x.carry(name, x.boxes[name].m.Handle(x.n.now, PeerState{Iface: "Tunnel0", NBMA: e.NBMA, Up: true}))
			} else if len(x.opens[name]) == 0 {
				x.t.Errorf("%s wants %v before the path to it is opened", name, e.NBMA)
			}
		case PeerOpening:
			x.opens[name] = append(x.opens[name], e)
		}
	}
}

func (x *natted) deliver(from, to string, payload []byte) {
	x.carry(to, x.boxes[to].m.Handle(x.n.now, Received{Iface: "Tunnel0", From: x.names[from], Identity: from, Endpoint: x.ports[from], Payload: payload}))
}

func (x *natted) tick(name string) { x.carry(name, x.boxes[name].m.Handle(x.n.now, Tick{})) }

// Each is told by which port the hub sees the other one, and who has asked calls.
func TestOpeningIsTold(t *testing.T) {
	x := newNatted(t, nil)
	x.carry("a", x.boxes["a"].m.Handle(x.n.now, Unresolved{Iface: "Tunnel0", Dst: ip("10.12.0.7"), NextHop: ip("10.12.0.7")}))
	if want := []PeerOpening{{"Tunnel0", x.names["b"], x.ports["b"], true, 0}}; !slices.Equal(x.opens["a"], want) {
		t.Errorf("a is told %+v, want %+v", x.opens["a"], want)
	}
	if want := []PeerOpening{{"Tunnel0", x.names["a"], x.ports["a"], false, 0}}; !slices.Equal(x.opens["b"], want) {
		t.Errorf("b is told %+v, want %+v", x.opens["b"], want)
	}
}

// Whoever of the three does not open paths: nobody is told anything.
func TestOpeningTakesThree(t *testing.T) {
	for _, off := range []string{"hub", "a", "b"} {
		x := newNatted(t, map[string]func(*Interface){off: func(i *Interface) { i.SimultaneousOpen = false }})
		x.carryQuietly("a", x.boxes["a"].m.Handle(x.n.now, Unresolved{Iface: "Tunnel0", Dst: ip("10.12.0.7"), NextHop: ip("10.12.0.7")}))
		if len(x.opens) != 0 {
			t.Errorf("%s is off: %+v", off, x.opens)
		}
	}
}

// A spoke that is told later to open paths says so at once.
func TestOpeningConfiguredLater(t *testing.T) {
	x := newNatted(t, map[string]func(*Interface){"a": func(i *Interface) { i.SimultaneousOpen = false }})
	a := x.boxes["a"]
	x.n.now = x.n.now.Add(time.Second)
	cfg := a.cfg
	cfg.Interfaces = slices.Clone(cfg.Interfaces)
	cfg.Interfaces[0].SimultaneousOpen = true
	x.carry("a", a.m.Configure(x.n.now, cfg))
	x.tick("a")
	x.carry("a", a.m.Handle(x.n.now, Unresolved{Iface: "Tunnel0", Dst: ip("10.12.0.7"), NextHop: ip("10.12.0.7")}))
	if len(x.opens["a"]) != 1 || len(x.opens["b"]) != 1 {
		t.Errorf("told %+v", x.opens)
	}
}

// carryQuietly is carry for what is not about opened paths: sessions that are wanted stay down.
func (x *natted) carryQuietly(name string, effects []Effect) {
	for _, e := range effects {
		if s, ok := e.(Send); ok {
			if to := x.whose(s.To); name == "hub" || to == "hub" {
				x.carryQuietly(to, x.boxes[to].m.Handle(x.n.now, Received{Iface: "Tunnel0", From: x.names[name], Identity: name, Endpoint: x.ports[name], Payload: s.Payload}))
			}
		} else if o, ok := e.(PeerOpening); ok {
			x.opens[name] = append(x.opens[name], o)
		}
	}
}

// forged is a resolution request of a's with somebody's word about where a is.
func forged(endpoint string) nhrpmsg.Message {
	msg := nhrpmsg.Message{
		Family: nhrpmsg.FamilyIPv4, Protocol: nhrpmsg.ProtocolIPv4, HopCount: 255, Type: nhrpmsg.ResolutionRequest, RequestID: 99, Flags: nhrpmsg.FlagNAT,
		SrcNBMA: ip("192.0.2.11"), SrcProto: ip("10.0.0.11"), DstProto: ip("10.12.0.7"),
		CIEs: []nhrpmsg.CIE{{PrefixLen: 255, MTU: 1400, HoldTime: 300}},
	}
	nat := nhrpmsg.Extension{Type: nhrpmsg.ExtNAT}
	nat.AddEntry(nhrpmsg.CIE{PrefixLen: 32, NBMA: ip("198.51.100.1"), Proto: ip("10.0.0.11")})
	msg.Exts = requestExts(nat)
	msg.SetOpening(&nhrpmsg.Opening{Kind: nhrpmsg.OpeningEndpoint, Endpoint: netip.MustParseAddrPort(endpoint)})
	return msg
}

// A spoke's own word is not passed on by a hub that opens paths, and is not believed by anybody: neither by way of a hub that does not, nor by itself.
func TestOpeningForged(t *testing.T) {
	payload := func(m nhrpmsg.Message) []byte {
		b, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	x := newNatted(t, nil)
	x.deliver("a", "hub", payload(forged("198.51.100.1:53")))
	if got := x.opens["b"]; len(got) != 1 || got[0].Endpoint != x.ports["a"] {
		t.Errorf("by the hub: %+v", got)
	}
	x = newNatted(t, map[string]func(*Interface){"hub": func(i *Interface) { i.SimultaneousOpen = false }})
	x.carryQuietly("a", []Effect{Send{"Tunnel0", x.names["hub"], payload(forged("198.51.100.1:53"))}})
	if len(x.opens) != 0 {
		t.Errorf("by a hub that opens no paths: %+v", x.opens)
	}
	x = newNatted(t, nil)
	x.carryQuietly("hub", x.boxes["b"].m.Handle(x.n.now, Received{Iface: "Tunnel0", From: x.names["a"], Identity: "a", Endpoint: x.ports["a"], Payload: payload(forged("198.51.100.1:53"))}))
	if len(x.opens) != 0 {
		t.Errorf("from a spoke: %+v", x.opens)
	}
	// The hub names another address than the one that the mapping is for.
	x = newNatted(t, nil)
	x.ports["a"] = netip.MustParseAddrPort("203.0.113.80:20001")
	x.carryQuietly("a", x.boxes["a"].m.Handle(x.n.now, Unresolved{Iface: "Tunnel0", Dst: ip("10.12.0.7"), NextHop: ip("10.12.0.7")}))
	if len(x.opens["b"]) != 0 {
		t.Errorf("to a third party: %+v", x.opens["b"])
	}
}

// What a spoke leaves out of its packet, or puts into it, does not have the hub pass its own word about a third party on.
func TestOpeningForgedAroundTheHub(t *testing.T) {
	const third = "203.0.113.80"
	for name, change := range map[string]func(*nhrpmsg.Message){
		"no list of servers that were passed": func(m *nhrpmsg.Message) {
			m.Exts = slices.DeleteFunc(m.Exts, func(e nhrpmsg.Extension) bool { return e.Type == nhrpmsg.ExtForwardTransit })
		},
		"an extension that nobody knows": func(m *nhrpmsg.Message) {
			m.Exts = slices.Insert(m.Exts, 0, nhrpmsg.Extension{Type: 0x3ff0, Compulsory: true})
		},
		"a NAT extension of a third party": func(*nhrpmsg.Message) {},
	} {
		x := newNatted(t, nil)
		msg := forged(third + ":53")
		nat := nhrpmsg.Extension{Type: nhrpmsg.ExtNAT}
		nat.AddEntry(nhrpmsg.CIE{PrefixLen: 32, NBMA: ip(third), Proto: ip("10.0.0.11")})
		for i := range msg.Exts {
			if msg.Exts[i].Type == nhrpmsg.ExtNAT {
				msg.Exts[i] = nat
			}
		}
		change(&msg)
		b, err := msg.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		x.carryQuietly("a", []Effect{Send{"Tunnel0", x.names["hub"], b}})
		for _, o := range x.opens["b"] {
			if o.Endpoint.Addr() == ip(third) {
				t.Errorf("%s: b sends openers to %v", name, o.Endpoint)
			}
		}
	}
}

// A spoke that calls itself as another one behind the same box does, in a request or in a reply, does not have that one's path opened to itself.
func TestOpeningToAnother(t *testing.T) {
	x := newNatted(t, nil)
	msg := forged("198.51.100.1:53")
	msg.SrcNBMA = ip("192.0.2.99")
	b, err := msg.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	x.carryQuietly("a", []Effect{Send{"Tunnel0", x.names["hub"], b}})
	if len(x.opens["b"]) != 0 {
		t.Errorf("by a request: %+v", x.opens["b"])
	}
	for _, nbma := range []string{"192.0.2.11", "192.0.2.99"} {
		x = newNatted(t, nil)
		reply := forged("198.51.100.1:53")
		reply.Type, reply.SrcNBMA, reply.SrcProto = nhrpmsg.ResolutionReply, ip("192.0.2.12"), ip("10.0.0.12")
		reply.CIEs[0].NBMA, reply.CIEs[0].Proto = ip(nbma), ip("10.0.0.11")
		b, err := reply.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		var passed nhrpmsg.Message
		for _, e := range x.boxes["hub"].m.Handle(x.n.now, Received{Iface: "Tunnel0", From: x.names["a"], Identity: "a", Endpoint: x.ports["a"], Payload: b}) {
			if s, ok := e.(Send); ok && s.To == x.names["b"] {
				if passed, err = nhrpmsg.Parse(s.Payload); err != nil {
					t.Fatal(err)
				}
			}
		}
		if o, told := passed.Opening(); passed.Type != nhrpmsg.ResolutionReply || told != (nbma == "192.0.2.11") {
			t.Errorf("a calls itself %s in a reply: passed on %v, told %+v", nbma, passed.Type, o)
		}
	}
}

// Neither is behind NAT: there is nothing to open.
func TestOpeningNotNeeded(t *testing.T) {
	x := newNatted(t, nil)
	plain := newNatted(t, nil)
	for name, inside := range map[string]string{"a": "192.0.2.11", "b": "192.0.2.12"} {
		plain.names[name], plain.ports[name] = peerAt(inside), netip.AddrPortFrom(ip(inside), 4500)
	}
	for _, y := range []*natted{x, plain} {
		for _, name := range []string{"a", "b"} { // the hub learns where they are now
			y.n.now = y.n.now.Add(2 * time.Minute)
			y.tick(name)
		}
		y.opens = map[string][]PeerOpening{}
		y.carryQuietly("a", y.boxes["a"].m.Handle(y.n.now, Unresolved{Iface: "Tunnel0", Dst: ip("10.12.0.7"), NextHop: ip("10.12.0.7")}))
	}
	if len(x.opens["b"]) != 1 || len(plain.opens) != 0 {
		t.Errorf("behind NAT %+v, otherwise %+v", x.opens, plain.opens)
	}
}

// A path that did not open is not asked for again for a minute, then two, four, up to ten. Traffic stays on the hub's path.
func TestUnopenedPath(t *testing.T) {
	x := newNatted(t, nil)
	a := x.boxes["a"]
	ask := func() int {
		before := len(x.opens["a"])
		x.carry("a", a.m.Handle(x.n.now, Unresolved{Iface: "Tunnel0", Dst: ip("10.12.0.7"), NextHop: ip("10.12.0.7")}))
		return len(x.opens["a"]) - before
	}
	var waits []time.Duration
	last := x.n.now
	for end := x.n.now.Add(time.Hour); x.n.now.Before(end); x.n.now = x.n.now.Add(time.Second) {
		for _, name := range []string{"hub", "a", "b"} {
			if d := x.boxes[name].m.Deadline(); !d.After(x.n.now) {
				x.tick(name)
			}
		}
		if ask() > 0 {
			waits = append(waits, x.n.now.Sub(last).Round(10*time.Second))
			last = x.n.now
			for name, peer := range map[string]string{"a": "b", "b": "a"} {
				x.carry(name, x.boxes[name].m.Handle(x.n.now, Unopened{"Tunnel0", x.names[peer]}))
			}
			if e, ok := a.entry("10.12.0.7/32"); !ok || e.Type != TypeNegative || e.Flags&FlagUnopened == 0 || !e.Expires.After(x.n.now) {
				t.Errorf("the destination's entry is %+v", e)
			}
			for _, e := range a.m.Status(x.n.now).Entries {
				if e.NBMA == x.names["b"].Addr {
					t.Errorf("after it failed there is %+v", e)
				}
			}
		}
	}
	want := []time.Duration{0, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute}
	if len(waits) < len(want) || !slices.Equal(waits[:len(want)], want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
}
