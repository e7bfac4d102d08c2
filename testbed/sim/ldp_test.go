package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"nave/fastpath/packet"
	"nave/slowpath/ldp"
)

// labelStar is a hub and spokes with `mpls ip` on their tunnels: their loopbacks 10.9.9.N, and a network behind each, are reached by static routes.
func labelStar(t *testing.T, seed uint64, spokes int, hub, spoke string) *Net {
	t.Helper()
	const tunnel = "interface Tunnel0\n ip address %s 255.255.255.0\n ip mtu 1400\n ip nhrp network-id 9\n tunnel source Ethernet0\n tunnel mode gre multipoint\n mpls ip\n"
	n := New(t, seed)
	n.AddInternet("internet")
	var routes strings.Builder
	for i := 11; i < 11+spokes; i++ {
		fmt.Fprintf(&routes, "ip route 10.9.9.%d 255.255.255.255 10.0.0.%d\nip route 192.168.%d.0 255.255.255.0 10.0.0.%d\n", i, i, i, i)
	}
	n.AddRouter("hub", "hostname hub\n"+fmt.Sprintf(tunnel, "10.0.0.1")+" ip nhrp map multicast dynamic\n"+
		"interface Loopback0\n ip address 10.9.9.1 255.255.255.255\ninterface Ethernet0\n ip address 192.0.2.1 255.255.255.0\nip route 0.0.0.0 0.0.0.0 192.0.2.254\n"+
		routes.String()+hub)
	n.Connect("hub:Ethernet0", "internet:192.0.2.254/24", LinkConfig{Frames: 4096, Delay: 5 * time.Millisecond})
	for i := 11; i < 11+spokes; i++ {
		name := fmt.Sprint("spoke", i)
		var others strings.Builder
		for o := 11; o < 11+spokes; o++ {
			if o != i {
				fmt.Fprintf(&others, "ip route 10.9.9.%d 255.255.255.255 10.0.0.1\nip route 192.168.%d.0 255.255.255.0 10.0.0.1\n", o, o)
			}
		}
		n.AddRouter(name, "hostname "+name+"\n"+fmt.Sprintf(tunnel, fmt.Sprint("10.0.0.", i))+
			" ip nhrp map 10.0.0.1 192.0.2.1\n ip nhrp map multicast 192.0.2.1\n ip nhrp nhs 10.0.0.1\n"+
			fmt.Sprintf("interface Ethernet0\n ip address 198.51.100.%d 255.255.255.252\nip route 0.0.0.0 0.0.0.0 198.51.100.%d\n", i*4+1, i*4+2)+
			fmt.Sprintf("interface Loopback0\n ip address 10.9.9.%d 255.255.255.255\ninterface Loopback1\n ip address 192.168.%d.1 255.255.255.0\n", i, i)+
			"mpls ldp router-id Loopback0\nip route 10.9.9.1 255.255.255.255 10.0.0.1\n"+others.String()+spoke)
		n.Connect(name+":Ethernet0", fmt.Sprintf("internet:198.51.100.%d/30", i*4+2), LinkConfig{Delay: 5 * time.Millisecond})
	}
	return n
}

// ldpUp tells whether a router has an operational session with all of the peers, and none else.
func ldpUp(n *Net, name string, peers ...string) bool {
	up := make(map[string]bool)
	for _, nb := range n.Router(name).Core().Router().LDPStatus().Neighbors {
		if nb.State == ldp.StateOperational {
			up[nb.Peer.LSR.String()] = true
		}
	}
	for _, p := range peers {
		if !up[p] {
			return false
		}
	}
	return len(up) == len(peers)
}

func binding(n *Net, name, prefix string) ldp.BindingStatus {
	for _, b := range n.Router(name).Core().Router().LDPStatus().Bindings {
		if b.Prefix.String() == prefix {
			return b
		}
	}
	return ldp.BindingStatus{}
}

// labels are the labels that a router has told others, with their prefixes.
func labels(n *Net, name string) map[uint32]string {
	out := make(map[uint32]string)
	for _, b := range n.Router(name).Core().Router().LDPStatus().Bindings {
		if b.HasLocal && b.Local != ldp.ImplicitNull {
			out[b.Local] = b.Prefix.String()
		}
	}
	return out
}

// labelsOn notes the top label of each packet in GRE that crosses from a node.
func labelsOn(n *Net, from string) *[]uint32 {
	var out []uint32
	n.Tap(func(c Crossing) {
		eth, fault := packet.ParseEthernet(c.Frame)
		if c.From != from || c.Lost || fault != packet.OK || eth.Type() != packet.TypeIPv4 {
			return
		}
		ip, fault := packet.ParseIPv4(c.Frame[packet.EthernetLen:])
		if fault != packet.OK || ip.Proto() != protoGRE {
			return
		}
		g, fault := packet.ParseGRE(ip.Payload())
		if fault != packet.OK || g.Proto != packet.TypeMPLS {
			return
		}
		out = append(out, packet.GetLSE(ip.Payload()[g.Len:]).Label())
	})
	return &out
}

// A labelled path from spoke to spoke by the hub: the spoke pushes what the hub has told it, and the hub, who is the one before the last, pops.
func TestLabelledPath(t *testing.T) {
	n := labelStar(t, 1, 2, "", "")
	n.Until(60*time.Second, "sessions", func() bool {
		return ldpUp(n, "hub", "10.9.9.11", "10.9.9.12") && ldpUp(n, "spoke11", "10.9.9.1") && ldpUp(n, "spoke12", "10.9.9.1")
	})
	n.Run(time.Second)
	const far = "192.168.12.0/24"
	hub, spoke := binding(n, "hub", far), binding(n, "spoke11", far)
	if !hub.HasLocal || hub.Local < 16 || len(spoke.Paths) != 1 || spoke.Paths[0].Out != hub.Local {
		t.Fatalf("hub %+v\nspoke %+v", hub, spoke)
	}
	if p := hub.Paths; len(p) != 1 || p[0].Out != ldp.ImplicitNull || p[0].NextHop != (ldp.NextHop{Iface: "Tunnel0", Addr: n.addr("10.0.0.12")}) {
		t.Errorf("the hub's paths %+v", p)
	}
	if b := binding(n, "spoke12", far); b.Local != ldp.ImplicitNull {
		t.Errorf("of its own network spoke 12 says %+v", b)
	}
	sent, passed := labelsOn(n, "spoke11"), labelsOn(n, "hub")
	r := n.Ping("spoke11", "192.168.12.1", PingOptions{Source: n.addr("192.168.11.1")})
	if !r.OK || len(*sent) != 1 || (*sent)[0] != hub.Local || len(*passed) != 0 {
		t.Errorf("%v; labels from spoke 11 %v, from the hub %v, told %d", r, *sent, *passed, hub.Local)
	}
	// A prefix whose route goes gets no label any more, and another does not get its label.
	n.Router("hub").Edit("ip route 192.168.12.0 255.255.255.0 10.0.0.12\n", "ip route 192.168.99.0 255.255.255.0 10.0.0.12\n")
	n.Run(time.Second)
	if b := binding(n, "spoke11", far); len(b.Paths) != 0 || len(b.Remote) != 0 {
		t.Errorf("after its route went: %+v", b)
	}
	if b := binding(n, "hub", "192.168.99.0/24"); !b.HasLocal || b.Local == hub.Local {
		t.Errorf("a label that was in use is given again: %+v", b)
	}
	if l, ok := labels(n, "hub")[hub.Local]; ok {
		t.Errorf("the label is for %s", l)
	}
}

// Behind the hub there is a router that knows no labels: what a spoke sends there comes to the hub with a label, and goes on without.
func TestLabelledPathEnds(t *testing.T) {
	n := labelStar(t, 5, 1, "interface Ethernet1\n ip address 10.50.0.1 255.255.255.0\nip route 192.168.50.0 255.255.255.0 10.50.0.2\n", "ip route 192.168.50.0 255.255.255.0 10.0.0.1\n")
	lan := n.AddInternet("lan")
	lan.gateway = n.addr("10.50.0.1")
	lan.Segment("far", "192.168.50.1/24")
	n.Connect("hub:Ethernet1", "lan:10.50.0.2/24", LinkConfig{})
	n.Until(time.Minute, "a session", func() bool { return ldpUp(n, "hub", "10.9.9.11") && ldpUp(n, "spoke11", "10.9.9.1") })
	n.Run(time.Second)
	sent := labelsOn(n, "spoke11")
	r := n.Ping("spoke11", "192.168.50.1", PingOptions{Source: n.addr("192.168.11.1")})
	if want := binding(n, "hub", "192.168.50.0/24").Local; !r.OK || len(*sent) != 1 || (*sent)[0] != want {
		t.Errorf("%v; labels %v, told %d", r, *sent, want)
	}
}

// A session survives loss on the way, ends with the configuration or with the peer, and comes back.
func TestLDPSessions(t *testing.T) {
	n := labelStar(t, 2, 2, "", "")
	n.Link("spoke11", "Ethernet0").cfg.Loss = 0.1
	up := func() bool { return ldpUp(n, "hub", "10.9.9.11", "10.9.9.12") }
	n.Until(2*time.Minute, "sessions", up)
	for range 60 {
		n.Run(10 * time.Second)
		if !ldpUp(n, "spoke12", "10.9.9.1") {
			t.Fatal("the session of the other spoke ended")
		}
	}
	n.Link("spoke11", "Ethernet0").cfg.Loss = 0
	n.Router("spoke11").Edit(" mpls ip\n", "")
	n.Until(5*time.Second, "the session ends with its interface", func() bool { return ldpUp(n, "hub", "10.9.9.12") })
	if l := ldpLogs(n, "hub"); l[len(l)-1].Kind != ldp.LogNeighborDown || !l[len(l)-1].Received {
		t.Errorf("the hub was not told: %+v", l)
	}
	r := n.Router("spoke11")
	r.Configure(strings.Replace(r.text, " tunnel mode gre multipoint\n", " tunnel mode gre multipoint\n mpls ip\n", 1))
	n.Until(time.Minute, "the session is back", up)
	// A router that dies is noticed by its kernel's answers, or by the hold time, and is there again.
	n.Router("spoke12").Stop()
	n.Until(4*time.Minute, "a dead peer", func() bool { return ldpUp(n, "hub", "10.9.9.11") })
	n.Router("spoke12").Start()
	n.Until(2*time.Minute, "the peer is back", up)
}

func ldpLogs(n *Net, name string) (out []ldp.Log) {
	for _, e := range n.Router(name).Events() {
		if l, ok := e.(ldp.Log); ok {
			out = append(out, l)
		}
	}
	return out
}

// Sessions need the same password at both ends.
func TestLDPPasswords(t *testing.T) {
	n := labelStar(t, 3, 2, "mpls ldp neighbor 10.9.9.11 password one\nmpls ldp neighbor 10.9.9.12 password two\n", "mpls ldp neighbor 10.9.9.1 password one\n")
	n.Until(time.Minute, "the session of spoke 11", func() bool { return ldpUp(n, "hub", "10.9.9.11") })
	n.Run(2 * time.Minute)
	if !ldpUp(n, "hub", "10.9.9.11") {
		t.Error("a session with another password than the peer's")
	}
	n.Router("spoke12").Edit("password one", "password two")
	n.Until(2*time.Minute, "the session of spoke 12", func() bool { return ldpUp(n, "hub", "10.9.9.11", "10.9.9.12") })
	n.Router("hub").Edit("mpls ldp neighbor 10.9.9.12 password two\n", "")
	n.Until(time.Minute, "the session ends that is signed no more", func() bool { return ldpUp(n, "hub", "10.9.9.11") })
}

// After the control plane was killed none of the labels of before is given to anything else, and what they led to goes on.
func TestLDPTakeOver(t *testing.T) {
	n := labelStar(t, 4, 2, "", "")
	up := func() bool { return ldpUp(n, "hub", "10.9.9.11", "10.9.9.12") && ldpUp(n, "spoke11", "10.9.9.1") }
	n.Until(time.Minute, "sessions", up)
	n.Run(time.Second)
	hub := n.Router("hub")
	before := labels(n, "hub")
	if len(before) == 0 {
		t.Fatal("no labels")
	}
	hub.Orphan()
	n.Run(3 * time.Second)
	if r := n.Ping("spoke11", "192.168.12.1", PingOptions{Source: n.addr("192.168.11.1")}); !r.OK {
		t.Error("without a control plane:", r)
	}
	hub.TakeOver(hub.text)
	n.Until(5*time.Minute, "sessions", up)
	n.Run(time.Second)
	for l, now := range labels(n, "hub") {
		if old, ok := before[l]; ok && old != now {
			t.Errorf("label %d of %s is given to %s", l, old, now)
		}
	}
	if r := n.Ping("spoke11", "192.168.12.1", PingOptions{Source: n.addr("192.168.11.1")}); !r.OK {
		t.Error("after it:", r)
	}
}
