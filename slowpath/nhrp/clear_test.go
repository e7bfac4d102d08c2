package nhrp

import (
	"testing"
	"time"

	"nave/slowpath/nbma"
)

// clearHub is a hub of two tunnels, one of them in a VRF, each with a static peer and two clients at one address.
func clearHub(t *testing.T) (*simnet, *box) {
	t.Helper()
	n := newNet(t)
	cfg := hubConfig(protected)
	cfg.Interfaces[0].Maps = []Map{{pfx("10.0.0.50/32"), ip("192.0.2.50")}}
	red := tunnel(1)
	red.Name, red.ID, red.VRF, red.Address, red.NBMA, red.NetworkID, red.Protected = "Tunnel1", 2, "red", pfx("10.1.0.1/24"), ip("192.0.2.1"), 2, true
	red.Maps = []Map{{pfx("10.1.0.50/32"), ip("192.0.2.50")}}
	cfg.Interfaces = append(cfg.Interfaces, red)
	hub := n.add("hub", cfg, nil)
	for _, c := range []struct {
		iface, tunnel, inside string
	}{{"Tunnel0", "10.0.0.11", "172.16.0.11"}, {"Tunnel0", "10.0.0.12", "172.16.0.12"}, {"Tunnel1", "10.1.0.11", "172.16.0.11"}, {"Tunnel1", "10.1.0.12", "172.16.0.12"}} {
		m := registration(c.tunnel, c.inside)
		p, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		hub.event(Received{Iface: c.iface, From: nbma.Behind(ip("198.51.100.1"), ip(c.inside)), Payload: p})
	}
	n.run(time.Second)
	return n, hub
}

// known are the prefixes of a cache.
func (b *box) known() (out string) {
	for _, e := range b.m.Status(b.net.now).Entries {
		out += " " + e.Iface[6:] + ":" + e.Prefix.String()
	}
	return out
}

const (
	clearStatic0, clearStatic1 = " 0:10.0.0.50/32", " 1:10.1.0.50/32"
	clearFirst0, clearSecond0  = " 0:10.0.0.11/32", " 0:10.0.0.12/32"
	clearFirst1, clearSecond1  = " 1:10.1.0.11/32", " 1:10.1.0.12/32"
)

// What is selected goes, the rest and what is configured stays.
func TestClearSelects(t *testing.T) {
	at := ip("198.51.100.1")
	for name, c := range map[string]struct {
		ev   Clear
		want string
	}{
		"nothing":                    {Clear{Which: Which{Iface: "Tunnel7"}}, clearFirst0 + clearSecond0 + clearStatic0 + clearFirst1 + clearSecond1 + clearStatic1},
		"all":                        {Clear{}, clearStatic0 + clearStatic1},
		"an interface":               {Clear{Which: Which{Iface: "Tunnel1"}}, clearFirst0 + clearSecond0 + clearStatic0 + clearStatic1},
		"a VRF":                      {Clear{Which: Which{InVRF: true, VRF: "red"}}, clearFirst0 + clearSecond0 + clearStatic0 + clearStatic1},
		"the global table":           {Clear{Which: Which{InVRF: true}}, clearStatic0 + clearFirst1 + clearSecond1 + clearStatic1},
		"all peers at an address":    {Clear{Which: Which{NBMA: at}}, clearStatic0 + clearStatic1},
		"one of several behind NAT":  {Clear{Which: Which{NBMA: at, Inside: ip("172.16.0.12")}}, clearFirst0 + clearStatic0 + clearFirst1 + clearStatic1},
		"one of them on a tunnel":    {Clear{Which: Which{NBMA: at, Inside: ip("172.16.0.12"), Iface: "Tunnel0"}}, clearFirst0 + clearStatic0 + clearFirst1 + clearSecond1 + clearStatic1},
		"a tunnel address":           {Clear{Which: Which{Tunnel: ip("10.1.0.11")}}, clearFirst0 + clearSecond0 + clearStatic0 + clearSecond1 + clearStatic1},
		"a tunnel address elsewhere": {Clear{Which: Which{Tunnel: ip("10.1.0.11"), InVRF: true}}, clearFirst0 + clearSecond0 + clearStatic0 + clearFirst1 + clearSecond1 + clearStatic1},
		"a network":                  {Clear{Protocol: pfx("10.1.0.0/16")}, clearFirst0 + clearSecond0 + clearStatic0 + clearStatic1},
		"static ones, too":           {Clear{Static: true}, clearStatic0 + clearStatic1},
	} {
		_, hub := clearHub(t)
		if got, want := hub.known(), clearFirst0+clearSecond0+clearStatic0+clearFirst1+clearSecond1+clearStatic1; got != want {
			t.Fatalf("before:%s, want%s", got, want)
		}
		hub.event(c.ev)
		if got := hub.known(); got != c.want {
			t.Errorf("%s:%s is left, want%s", name, got, c.want)
		}
	}
}

// Static peers keep their session and their counters, unless static is said: then they begin again.
func TestClearStaticPeers(t *testing.T) {
	n, hub, sp := star(t, 1, protected)
	server := func() PeerStatus {
		t.Helper()
		for _, p := range sp[0].m.Status(n.now).Interfaces[0].Peers {
			if p.Static {
				return p
			}
		}
		t.Fatal("no static peer")
		return PeerStatus{}
	}
	before := server()
	if before.Sent == 0 || before.Received == 0 || before.Stage != StageUp {
		t.Fatalf("the server is %+v", before)
	}
	n.run(time.Minute)
	n.ladder()
	sp[0].event(Clear{})
	sp[0].event(Clear{Which: Which{NBMA: ip("192.0.2.1")}})
	sp[0].event(Clear{Which: Which{Tunnel: ip("10.0.0.1")}})
	n.run(time.Second)
	n.wantLadder()
	if after := server(); after != before {
		t.Errorf("what is configured was touched: %+v, before %+v", after, before)
	}
	sp[0].event(Clear{Which: Which{Tunnel: ip("10.0.0.1")}, Static: true})
	n.run(time.Second)
	n.wantLadder("sp1>hub Registration Request", "hub>sp1 Registration Reply")
	if after := server(); after.Stage != StageUp || !after.Since.After(before.Since) || after.Sent <= before.Sent {
		t.Errorf("it did not begin again: %+v, before %+v", after, before)
	}
	hub.wantAt("10.0.0.11/32", "192.0.2.11")
}

// Counters of what is selected are zero, others are not.
func TestClearStatistics(t *testing.T) {
	count := func(b *box) (sent, received, traffic [2]uint64) {
		for k, i := range b.m.Status(b.net.now).Interfaces {
			for _, p := range i.Peers {
				sent[k], received[k] = sent[k]+p.Sent, received[k]+p.Received
			}
			traffic[k] = i.Traffic.Received[3] + i.Traffic.Sent[4]
		}
		return sent, received, traffic
	}
	for name, c := range map[string]struct {
		which   Which
		sent    [2]uint64
		traffic [2]uint64
	}{
		"all":         {Which{}, [2]uint64{}, [2]uint64{}},
		"an address":  {Which{NBMA: ip("198.51.100.1")}, [2]uint64{}, [2]uint64{4, 4}},
		"one of two":  {Which{NBMA: ip("198.51.100.1"), Inside: ip("172.16.0.11")}, [2]uint64{1, 1}, [2]uint64{4, 4}},
		"by tunnel":   {Which{Tunnel: ip("10.0.0.12")}, [2]uint64{1, 2}, [2]uint64{4, 4}},
		"a VRF":       {Which{InVRF: true, VRF: "red"}, [2]uint64{2, 0}, [2]uint64{4, 0}},
		"a tunnel":    {Which{Iface: "Tunnel0"}, [2]uint64{0, 2}, [2]uint64{0, 4}},
		"nobody":      {Which{NBMA: ip("198.51.100.99")}, [2]uint64{2, 2}, [2]uint64{4, 4}},
		"no such VRF": {Which{InVRF: true, VRF: "blue"}, [2]uint64{2, 2}, [2]uint64{4, 4}},
	} {
		_, hub := clearHub(t)
		hub.event(ClearStatistics{c.which})
		if sent, _, traffic := count(hub); sent != c.sent || traffic != c.traffic {
			t.Errorf("%s: %v sent, traffic %v; want %v, %v", name, sent, traffic, c.sent, c.traffic)
		}
	}
	// The counts of a server are those of the peer that it is.
	n, _, sp := star(t, 1, protected)
	sp[0].event(ClearStatistics{Which{NBMA: ip("192.0.2.1")}})
	if s := sp[0].m.Status(n.now).Interfaces[0].NHS[0]; s.Requests != 0 || s.Replies != 0 {
		t.Errorf("the server: %+v", s)
	}
}
