package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
)

// tables is what a fast path has, in words in which numbers, keys and counters make no difference: two routers that forward alike have the same.
func tables(b fib.Batch) []string {
	names := make(map[fib.AdjID]string)
	used := make(map[fib.AdjID]bool)
	for _, a := range b.Adjacencies {
		id := a.ID
		a.ID, a.SA, a.AH, a.Expires = 0, min(a.SA, 1), min(a.AH, 1), min(a.Expires, 1)
		names[id] = fmt.Sprintf("%+v", a)
	}
	list := func(ids []fib.AdjID) (out []string) {
		for _, id := range ids {
			used[id] = true
			if n, ok := names[id]; ok && id >= fib.FirstAdj {
				out = append(out, n)
			} else {
				out = append(out, fmt.Sprint(id))
			}
		}
		slices.Sort(out)
		return out
	}
	var out []string
	groups := make(map[fib.GroupID][]string)
	for _, g := range b.Groups {
		groups[g.ID] = list(g.Members)
	}
	for _, t := range b.Tunnels {
		members := groups[t.Group]
		delete(groups, t.Group)
		t.Group = 0
		out = append(out, fmt.Sprintf("tunnel %+v to %v", t, members))
	}
	for id, g := range groups {
		out = append(out, fmt.Sprintf("group %d %v", id, g))
	}
	for _, p := range b.Ports {
		out = append(out, fmt.Sprintf("port %+v", p))
	}
	for _, r := range b.Routes {
		out = append(out, fmt.Sprintf("route %d %v by %v", r.VRF, r.Prefix, list(r.Paths)))
	}
	for _, s := range b.SAs {
		out = append(out, fmt.Sprintf("association inbound %v AH %v %v %v protection %d", s.Inbound, s.AH, s.Local, s.Remote, s.Protection))
	}
	for id, n := range names {
		if !used[id] {
			out = append(out, "adjacency of no route: "+n)
		}
	}
	slices.Sort(out)
	return out
}

// sameTables compares what a router has with what it had.
func sameTables(t *testing.T, r *Router, was []string) {
	t.Helper()
	is := tables(r.engine.Inherited())
	for _, s := range is {
		if !slices.Contains(was, s) {
			t.Errorf("%s has and had not: %s", r.name, s)
		}
	}
	for _, s := range was {
		if !slices.Contains(is, s) {
			t.Errorf("%s had and has not: %s", r.name, s)
		}
	}
	if len(is) != len(was) {
		t.Errorf("%s has %d entries, and had %d", r.name, len(is), len(was))
	}
}

// sas are the numbers and SPIs of a router's associations.
func sas(r *Router) map[uint32]fib.SAID {
	out := make(map[uint32]fib.SAID)
	for _, s := range r.engine.Inherited().SAs {
		out[s.SPI] = s.ID
	}
	return out
}

// keepPinging pings again and again for a while, and wants every answer.
func keepPinging(t *testing.T, n *Net, d, every time.Duration, pairs ...[2]string) {
	t.Helper()
	for end := n.Now().Add(d); n.Now().Before(end); n.Run(every) {
		for _, p := range pairs {
			if r := n.Ping(p[0], p[1]); !r.OK {
				t.Fatalf("%s to %s at %v: %v", p[0], p[1], n.Now().Sub(epoch), r)
			}
		}
	}
}

// inheritedSessions counts the sessions of a router that are up by what was before.
func inheritedSessions(n *Net, router string) (count int) {
	for _, s := range n.Router(router).core.Router().Status().Sessions.Sessions {
		if s.Inherited {
			count++
		}
	}
	return count
}

var acrossTheHub = [][2]string{{"host1", "10.2.0.7"}, {"host2", "10.1.0.7"}}

// noRedirect keeps traffic between spokes on the hub.
func noRedirect(n *Net) {
	r := n.Router("hub")
	r.text = strings.Replace(r.text, " ip nhrp redirect\n", "", 1)
}

// The hub's control plane dies, and another one takes the fast path over: no packet between spokes is lost, nor one to the hub once it can
// answer; IKE makes new associations, and the old ones go.
func TestTakeoverOfTheHub(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 101, crypto)
		noRedirect(n)
		converge(t, n, "hub")
		n.Run(time.Minute)
		hub := n.Router("hub")
		before, old := tables(hub.engine.Inherited()), sas(hub)
		hub.Orphan()
		keepPinging(t, n, 5*time.Second, 50*time.Millisecond, acrossTheHub...)
		hub.TakeOver(hub.text)
		if got := inheritedSessions(n, "hub"); got != 2 {
			t.Errorf("%d sessions go on", got)
		}
		sameTables(t, hub, before)
		if text := n.Show("hub", "show ip nhrp"); !strings.Contains(text, "inherited") || strings.Count(text, "NBMA") != 2 {
			t.Errorf("show ip nhrp:\n%s", text)
		}
		all := append([][2]string{{"spoke1", "10.255.0.1"}, {"hub", "10.2.0.7"}, {"host2", "10.255.0.1"}}, acrossTheHub...)
		keepPinging(t, n, 10*time.Second, 10*time.Millisecond, all...)
		if got := inheritedSessions(n, "hub"); got != 0 {
			t.Errorf("%d sessions still go by old associations", got)
		}
		keepPinging(t, n, 5*time.Minute, 500*time.Millisecond, all...)
		for spi := range sas(hub) {
			if _, was := old[spi]; was {
				t.Errorf("SPI %#x is still there", spi)
			}
		}
		sameTables(t, hub, before)
		converge(t, n, "hub")
		if text := n.Show("hub", "show ip nhrp"); strings.Contains(text, "inherited") {
			t.Errorf("the clients have registered again, and show ip nhrp has:\n%s", text)
		}
	})
}

// A hub that knows its clients from before alone redirects and passes requests on: spokes find each other at once.
func TestTakeoverServesAtOnce(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 104, crypto)
		converge(t, n, "hub")
		n.Run(time.Minute)
		hub := n.Router("hub")
		hub.Orphan()
		n.Run(time.Second)
		hub.TakeOver(hub.text)
		sealedDirect(t, n, "host1", "10.2.0.7")
		sealedDirect(t, n, "host2", "10.1.0.7")
		if text := n.Show("hub", "show ip nhrp"); strings.Count(text, "inherited") != 2 {
			t.Errorf("they had registered again, and show nothing:\n%s", text)
		}
		if text := n.Show("hub", "show dmvpn"); !strings.Contains(text, " 2 of them inherited from before the restart\n") {
			t.Errorf("show dmvpn:\n%s", text)
		}
	})
}

// A spoke's control plane dies: the same, and it registers at once under the old associations.
func TestTakeoverOfASpoke(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 102, crypto)
		converge(t, n, "hub")
		sealedDirect(t, n, "host1", "10.2.0.7")
		n.Run(5 * time.Second)
		spoke := n.Router("spoke1")
		before, old := tables(spoke.engine.Inherited()), sas(spoke)
		spoke.Orphan()
		keepPinging(t, n, 5*time.Second, 50*time.Millisecond, acrossTheHub...)
		spoke.TakeOver(spoke.text)
		sameTables(t, spoke, before)
		if got := inheritedSessions(n, "spoke1"); got != 2 {
			t.Errorf("%d sessions go on", got)
		}
		n.Run(100 * time.Millisecond)
		if text := n.Show("spoke1", "show ip nhrp nhs"); !strings.Contains(text, "10.255.0.1  R  ") {
			t.Errorf("show ip nhrp nhs:\n%s", text)
		}
		all := append([][2]string{{"spoke1", "10.255.0.1"}, {"spoke1", "10.2.0.7"}}, acrossTheHub...)
		keepPinging(t, n, 10*time.Second, 10*time.Millisecond, all...)
		if got := inheritedSessions(n, "spoke1"); got != 0 {
			t.Errorf("%d sessions still go by old associations", got)
		}
		keepPinging(t, n, 20*time.Minute, 500*time.Millisecond, all...)
		for spi := range sas(spoke) {
			if _, was := old[spi]; was {
				t.Errorf("SPI %#x is still there", spi)
			}
		}
		sameTables(t, spoke, before)
	})
}

// A peer that does not come back has nothing left on the hub in the end, and whoever else is there is not disturbed.
func TestTakeoverWithoutAPeer(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 103, crypto)
		noRedirect(n)
		converge(t, n, "hub")
		n.Run(time.Minute)
		hub := n.Router("hub")
		before := tables(hub.engine.Inherited())
		hub.Orphan()
		n.Router("spoke2").Stop()
		hub.TakeOver(hub.text)
		sameTables(t, hub, before)
		keepPinging(t, n, 20*time.Minute, time.Second, [2]string{"host1", "10.255.0.1"})
		for _, s := range n.Router("hub").core.Router().Status().Sessions.Sessions {
			if s.Peer == n.addr("203.0.113.1") && s.State == dmvpn.Up {
				t.Errorf("a session with who is gone: %+v", s)
			}
		}
		is := tables(hub.engine.Inherited())
		for _, s := range is {
			if strings.Contains(s, "203.0.113.1 ") || strings.HasPrefix(s, "adjacency") {
				t.Errorf("left over: %s", s)
			}
		}
	})
}
