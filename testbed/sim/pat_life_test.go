package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/slowpath/ike"
)

// hubPings has the hub ping the networks behind all spokes, and tells whom it does not reach.
func hubPings(n *Net, spokes int) (lost []int) {
	for i := 1; i <= spokes; i++ {
		if r := n.Ping("hub", fmt.Sprintf("10.1.%d.1", i)); !r.OK {
			lost = append(lost, i)
		}
	}
	return lost
}

// portsOf are the ports that the hub sees its peers at, by their addresses behind NAT.
func portsOf(n *Net) map[string]uint16 {
	out := make(map[string]uint16)
	for _, s := range sessionsUp(n, "hub") {
		out[s.Inside.String()] = s.Port
	}
	return out
}

// forget has a NAT box forget the mappings of one inside address.
func forget(nat *Node, inside string) {
	addr := nat.net.addr(inside)
	for k := range nat.nat.flows {
		if k.inside.Addr() == addr {
			delete(nat.nat.flows, k)
		}
	}
	for p, list := range nat.nat.ports {
		nat.nat.ports[p] = slices.DeleteFunc(list, func(m *mapping) bool { return m.key.inside.Addr() == addr })
	}
}

// The NAT box restarts, then has another address, while everybody sends: associations, mappings and adjacencies follow, and what was in flight is all that is lost.
func TestManyFollowTheirNAT(t *testing.T) {
	const spokes = 6
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, nat := behindOne(t, 72, crypto, spokes, NATConfig{})
		patUp(n, spokes)
		before, ports := len(sessionsUp(n, "hub")), portsOf(n)
		again := func(what string) {
			t.Helper()
			around(n, spokes) // each spoke is heard from where it is now
			n.Run(time.Second)
			for k := range 10 {
				if got := around(n, spokes); got != spokes {
					t.Errorf("after %s, round %d: %d of %d answered", what, k, got, spokes)
				}
				if lost := hubPings(n, spokes); len(lost) > 0 {
					t.Errorf("after %s, round %d: the hub does not reach %v", what, k, lost)
				}
				n.Run(5 * time.Second)
			}
			if got := len(sessionsUp(n, "hub")); got != before {
				t.Errorf("after %s: %d sessions, %d before", what, got, before)
			}
		}
		nat.Rebind()
		again("other ports")
		for inside, p := range portsOf(n) {
			if p == ports[inside] {
				t.Errorf("the hub has %s at port %d still", inside, p)
			}
		}
		nat.SetOutside("192.88.99.77")
		around(n, spokes)
		n.Run(time.Second)
		if text := n.Show("hub", "show ip nhrp"); strings.Count(text, "NBMA address: 192.88.99.77") != spokes || strings.Contains(text, patOutside+"\n") {
			t.Errorf("a second after they were heard from another address:\n%s", text)
		}
		again("another address")
	})
}

// A spoke that restarts comes from another port and registers as the same client, though its old registration says that the address is its alone; the others don't notice.
func TestOneOfManyRestarts(t *testing.T) {
	const spokes = 4
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, nat := behindOne(t, 73, crypto, spokes, NATConfig{})
		patUp(n, spokes)
		ports := portsOf(n)
		n.Router("spoke2").Stop()
		n.Run(3 * time.Second)
		forget(nat, "198.51.100.12")
		n.Router("spoke2").Start()
		n.Until(time.Minute, "it is back", func() bool { return n.Ping("spoke2", "10.1.3.1").OK })
		if lost := hubPings(n, spokes); len(lost) > 0 {
			t.Errorf("the hub does not reach %v", lost)
		}
		if got := around(n, spokes); got != spokes {
			t.Errorf("%d of %d answered", got, spokes)
		}
		n.Run(10 * time.Minute) // dead peer detection has ended what is left of its life before
		if lost := hubPings(n, spokes); len(lost) > 0 {
			t.Errorf("later the hub does not reach %v\n%s", lost, n.Show("hub", "show dmvpn detail"))
		}
		for _, s := range sessionsUp(n, "hub") {
			if len(s.Children) != 1 {
				t.Errorf("%v: %+v", s.Inside, s.Children)
			}
			if was := ports[s.Inside.String()]; (s.Port == was) == (s.Inside.String() == "198.51.100.12") {
				t.Errorf("%v is at port %d, and was at %d", s.Inside, s.Port, was)
			}
		}
	})
}

// One of many ends what it has with the hub, or falls silent: the others go on.
func TestOneOfManyLeaves(t *testing.T) {
	const spokes = 4
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := behindOne(t, 74, crypto, spokes, NATConfig{})
		patUp(n, spokes)
		n.Router("spoke2").core.Router().At(n.Now()).ClearIKE(ike.Clear{})
		n.Router("spoke2").step(0)
		for range 20 {
			for _, i := range []int{1, 3, 4} {
				if r := n.Ping("hub", fmt.Sprintf("10.1.%d.1", i)); !r.OK {
					t.Errorf("after a DELETE of spoke2, spoke%d: %v", i, r)
				}
			}
			n.Run(200 * time.Millisecond)
		}
		n.Until(time.Minute, "it is back", func() bool { return n.Ping("spoke2", "10.1.3.1").OK })
		n.Router("spoke3").Stop()
		for end := n.Now().Add(5 * time.Minute); n.Now().Before(end); n.Run(2 * time.Second) {
			n.Ping("hub", "10.1.3.1", PingOptions{Timeout: 100 * time.Millisecond}) // something to miss the answer of
			for _, i := range []int{1, 2, 4} {
				if r := n.Ping("hub", fmt.Sprintf("10.1.%d.1", i)); !r.OK {
					t.Fatalf("with spoke3 dead, spoke%d at %v: %v", i, n.Now().Sub(epoch), r)
				}
			}
		}
		if got := len(sessionsUp(n, "hub")); got != spokes-1 {
			t.Errorf("%d sessions, one peer is dead\n%s", got, n.Show("hub", "show dmvpn detail"))
		}
	})
}

// The hub's control plane ends and another takes over: all go on by what they have, each session gets new associations, and the names are the same.
func TestManyAreTakenOver(t *testing.T) {
	const spokes = 8
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := behindOne(t, 75, crypto, spokes, NATConfig{})
		patUp(n, spokes)
		hub := n.Router("hub")
		old := sas(hub)
		hub.Orphan()
		n.Run(2 * time.Second)
		hub.TakeOver(hub.text)
		if got := inheritedSessions(n, "hub"); got != spokes {
			t.Errorf("%d sessions inherited of %d", got, spokes)
		}
		for k := range 40 {
			if lost := hubPings(n, spokes); len(lost) > 0 {
				t.Errorf("round %d at %v: the hub does not reach %v", k, n.Now().Sub(epoch), lost)
			}
			if got := around(n, spokes); got != spokes {
				t.Errorf("round %d: %d of %d answered", k, got, spokes)
			}
			n.Run(3 * time.Second)
		}
		if got := inheritedSessions(n, "hub"); got != 0 {
			t.Errorf("%d sessions still by old associations", got)
		}
		for spi := range sas(hub) {
			if _, is := old[spi]; is {
				t.Errorf("SPI %#x outlives its time", spi)
			}
		}
		if got := len(sessionsUp(n, "hub")); got != spokes {
			t.Errorf("%d sessions", got)
		}
	})
}

// Two spokes with the same private address behind NAT boxes of their own, and so with the same identity, work both with the hub and, as their boxes let everybody in, with each other.
func TestSamePrivateAddress(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n := New(t, 76)
		n.AddInternet("internet")
		n.AddRouter("hub", patHub(crypto, 2))
		c := LinkConfig{Delay: 5 * time.Millisecond, Frames: 128}
		n.Connect("hub:Ethernet0", "internet:192.0.2.254/24", c)
		for i := 1; i <= 2; i++ {
			nat, outside := fmt.Sprint("nat", i), fmt.Sprintf("203.0.%d.9", i)
			n.AddNAT(nat, outside, fmt.Sprintf("203.0.%d.254", i), NATConfig{Static: map[string]string{"198.51.100.11": outside}})
			text := strings.ReplaceAll(patSpoke(crypto, i), fmt.Sprintf(" ip address 198.51.100.%d ", i+10), " ip address 198.51.100.11 ")
			n.AddRouter(fmt.Sprint("spoke", i), text)
			n.Connect(fmt.Sprintf("%s:%s/24", nat, outside), fmt.Sprintf("internet:203.0.%d.254/24", i), c)
			n.Connect(fmt.Sprintf("spoke%d:Ethernet0", i), nat+":198.51.100.254/24", c)
		}
		patUp(n, 2)
		if got := around(n, 2); got != 2 {
			t.Errorf("%d of 2 answered", got)
		}
		n.Until(time.Minute, "they reach each other directly", func() bool {
			around(n, 2)
			return len(sessionsUp(n, "spoke1")) == 2 && len(sessionsUp(n, "spoke2")) == 2
		})
		for range 30 {
			if got := around(n, 2); got != 2 {
				t.Errorf("%d of 2 answered directly", got)
			}
			n.Run(2 * time.Second)
		}
		if got := len(sessionsUp(n, "hub")); got != 2 {
			t.Errorf("the hub has %d sessions", got)
		}
	})
}
