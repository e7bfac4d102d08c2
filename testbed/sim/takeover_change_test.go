package sim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/ctl/gateway"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
)

// Without protection, with and without routes of NHRP: nothing is lost, and nothing changes.
func TestTakeoverInClear(t *testing.T) {
	for _, c := range []struct{ lab, router string }{
		{"phase2", "hub"}, {"phase2", "spoke1"}, {"phase3", "hub"}, {"phase3", "spoke2"}, {"dual-hub", "hub1"}, {"dual-hub", "spoke1"},
	} {
		t.Run(c.lab+" "+c.router, func(t *testing.T) {
			n := lab(t, c.lab, 111)
			hubs := []string{"hub"}
			if c.lab == "dual-hub" {
				hubs = []string{"hub1", "hub2"}
			}
			converge(t, n, hubs...)
			direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
			direct(t, n, "host2", "10.1.0.7", "spoke2", "spoke1")
			n.Run(5 * time.Second)
			r := n.Router(c.router)
			before := tables(r.engine.Inherited())
			r.Orphan()
			keepPinging(t, n, 4*time.Second, 200*time.Millisecond, acrossTheHub...)
			generation := r.Counters().Generation
			r.TakeOver(r.text)
			sameTables(t, r, before)
			t.Logf("the tables changed %d times", r.Counters().Generation-generation)
			ping(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
			keepPinging(t, n, 15*time.Minute, 300*time.Millisecond, append([][2]string{{c.router, "10.1.0.7"}}, acrossTheHub...)...)
			sameTables(t, r, before)
		})
	}
}

// A spoke behind NAT and the hub: sessions go on in UDP, and the hub finds the spoke by the port that the NAT has for it.
func TestTakeoverBehindNAT(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		for _, router := range []string{"hub", "spoke1"} {
			t.Run(router, func(t *testing.T) {
				n, _ := behindNAT(t, 112, crypto)
				noRedirect(n)
				converge(t, n, "hub")
				keepPinging(t, n, time.Minute, time.Second, acrossTheHub...)
				r := n.Router(router)
				before, old := tables(r.engine.Inherited()), sas(r)
				r.Orphan()
				keepPinging(t, n, 5*time.Second, 50*time.Millisecond, acrossTheHub...)
				r.TakeOver(r.text)
				sameTables(t, r, before)
				keepPinging(t, n, 10*time.Second, 10*time.Millisecond, acrossTheHub...)
				if got := inheritedSessions(n, router); got != 0 {
					t.Errorf("%d sessions still go by old associations", got)
				}
				keepPinging(t, n, 6*time.Minute, 500*time.Millisecond, acrossTheHub...)
				for spi := range sas(r) {
					if _, was := old[spi]; was {
						t.Errorf("SPI %#x is still there", spi)
					}
				}
				sameTables(t, r, before)
			})
		}
	})
}

// A peer behind NAT gets another port while nobody of IKE knows it yet: the old session follows.
func TestTakeoverFollowsWhoMoves(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, nat := behindNAT(t, 113, crypto)
		noRedirect(n)
		converge(t, n, "hub")
		hub := n.Router("hub")
		hub.Orphan()
		hub.TakeOver(strings.Replace(hub.text, "navelab-key", "another-key", 1)) // IKE makes nothing new
		n.Run(time.Second)
		nat.Rebind()
		n.Ping("host1", "10.2.0.7")
		keepPinging(t, n, 5*time.Second, 50*time.Millisecond, acrossTheHub...)
		if got := inheritedSessions(n, "hub"); got != 2 {
			t.Errorf("%d sessions go by old associations", got)
		}
	})
}

// The source of the spoke's tunnel is leased, and no server confirms it for a while after the restart: all goes on. If none ever does it ends.
func TestTakeoverWithoutLease(t *testing.T) {
	for _, comes := range []bool{true, false} {
		n := lab(t, "dhcp", 114)
		given := lease("198.51.100.50/24", "198.51.100.254")
		n.Run(time.Second)
		r := n.Router("spoke1")
		r.SetLease("Ethernet0", given)
		converge(t, n, "hub")
		direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
		n.Run(5 * time.Second)
		before := tables(r.engine.Inherited())
		r.Orphan()
		r.TakeOver(r.text)
		sameTables(t, r, before)
		keepPinging(t, n, 20*time.Second, 100*time.Millisecond, acrossTheHub...)
		if !r.core.Presumes("Ethernet0") {
			t.Error("the lease is not known to be one of before")
		}
		if !comes {
			n.Run(2 * time.Minute)
			r.SetLease("Ethernet0", gateway.Lease{}) // as the daemon does then
			n.Run(time.Second)
			for _, s := range tables(r.engine.Inherited()) {
				if strings.Contains(s, "198.51.100.") || strings.HasPrefix(s, "tunnel") || strings.HasPrefix(s, "adjacency") {
					t.Errorf("without a lease there is %s", s)
				}
			}
			continue
		}
		r.SetLease("Ethernet0", given)
		if r.core.Presumes("Ethernet0") {
			t.Error("the lease is confirmed")
		}
		keepPinging(t, n, 5*time.Minute, 100*time.Millisecond, acrossTheHub...)
		sameTables(t, r, before)
		r.SetLease("Ethernet0", gateway.Lease{})
		n.Run(time.Second)
		if len(r.engine.Inherited().Tunnels) != 0 {
			t.Error("the lease is over, and the tunnel still there")
		}
	}
}

// unnumbered leaves the numbers of interfaces out, which depend on what was there before.
func unnumbered(tables []string) (out []string) {
	numbers := regexp.MustCompile(`(ID|Tunnel|Protection|protection):? ?\d+`)
	for _, s := range tables {
		out = append(out, numbers.ReplaceAllString(s, "$1"))
	}
	slices.Sort(out)
	return out
}

// The configuration has changed meanwhile: what it has in common with the one before goes on, the rest is as after a fresh start at once.
func TestTakeoverWithAnotherConfiguration(t *testing.T) {
	const tunnel1 = "interface Loopback8\n ip address 172.31.8.8 255.255.255.255\ninterface Tunnel1\n ip address 10.254.0.1 255.255.255.0\n ip nhrp network-id 8\n tunnel source Loopback8\n tunnel mode gre multipoint\n tunnel key 800\n"
	for _, c := range []struct {
		name   string
		change func(string) string
		lives  bool // traffic between the spokes
	}{
		{"another tunnel before", func(s string) string { return tunnel1 + s }, true},
		{"another tunnel before, protected", func(s string) string {
			i := strings.Index(s, "interface Tunnel0")
			return s[:i] + tunnel1 + protection + s[i:]
		}, true},
		{"another loopback", func(s string) string { return s + "\ninterface Loopback9\n ip address 172.31.9.9 255.255.255.255\n" }, true},
		{"another name", func(s string) string {
			return strings.NewReplacer("interface Tunnel0", "interface Tunnel77").Replace(s)
		}, true},
		{"another MTU", func(s string) string { return strings.Replace(s, "ip mtu 1400", "ip mtu 1300", 1) }, true},
		{"another key", func(s string) string { return strings.Replace(s, "tunnel key 700", "tunnel key 701", 1) }, false},
		{"no protection", func(s string) string { return strings.Replace(s, protection, "", 1) }, false},
		{"no tunnel", func(s string) string {
			i, k := strings.Index(s, "interface Tunnel0"), strings.Index(s, "interface Ethernet0")
			return s[:i] + s[k:]
		}, false},
		{"shut down", func(s string) string {
			return strings.Replace(s, " tunnel key 700\n", " tunnel key 700\n shutdown\n", 1)
		}, false},
		{"no routes", func(s string) string { return strings.ReplaceAll(s, "ip route 10.", "no ip route 10.") }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, _ := protectedLab(t, 115, cryptos["IKEv2"])
			noRedirect(n)
			converge(t, n, "hub")
			n.Run(time.Minute)
			hub := n.Router("hub")
			old, tunnelSAs := sas(hub), make(map[fib.SAID]bool)
			for _, id := range old {
				tunnelSAs[id] = true
			}
			hub.Orphan()
			hub.TakeOver(c.change(hub.text))
			for k := range 40 {
				if r := n.Ping("host1", "10.2.0.7"); r.OK != c.lives {
					t.Fatalf("ping %d at %v: %v", k, n.Now().Sub(epoch), r)
				}
				n.Run(100 * time.Millisecond)
			}
			b := hub.engine.Inherited()
			if !c.lives {
				for spi := range sas(hub) {
					if _, was := old[spi]; was {
						t.Errorf("SPI %#x is still there", spi)
					}
				}
				for _, a := range b.Adjacencies {
					if _, was := tunnelSAs[a.SA]; was || a.Kind == fib.AdjTunnel && a.SA == 0 {
						t.Errorf("adjacency %+v", a)
					}
				}
			}
			n.Run(10 * time.Minute)
			was := unnumbered(tables(hub.engine.Inherited()))
			hub.Stop()
			hub.Start()
			n.Run(5 * time.Minute)
			if is := unnumbered(tables(hub.engine.Inherited())); !slices.Equal(is, was) {
				t.Errorf("after the takeover:\n%s\nafter a fresh start:\n%s", strings.Join(was, "\n"), strings.Join(is, "\n"))
			}
		})
	}
}

// Keys that are not the same any more: old associations carry on until their lifetime is over, and then nothing passes.
func TestTakeoverEndsWithTheLifetime(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 116, strings.Replace(crypto, " set transform-set strong\n", " set transform-set strong\n set security-association lifetime seconds 600\n", 1))
		noRedirect(n)
		converge(t, n, "hub")
		began := n.Now()
		hub := n.Router("hub")
		hub.Orphan()
		hub.TakeOver(strings.Replace(hub.text, "navelab-key", "another-key", 1))
		if got := inheritedSessions(n, "hub"); got != 2 {
			t.Errorf("%d sessions go on", got)
		}
		n.Run(10*time.Minute - n.Now().Sub(began))
		if b := hub.engine.Inherited(); len(b.SAs) != 0 {
			t.Errorf("their lifetime is over: %+v", b.SAs)
		}
		if r := n.Ping("host1", "10.2.0.7"); r.OK {
			t.Error("a packet passes")
		}
		n.Run(10 * time.Minute)
		for _, s := range tables(hub.engine.Inherited()) {
			if strings.HasPrefix(s, "adjacency") {
				t.Errorf("left over: %s", s)
			}
		}
	})
}

// One control plane after the other dies before it is done. Packets are lost only where one dies between the peer's word that it has new
// associations and their installation, until the next one has made others; the last one leaves nothing of the first.
func TestTakeoverAgainAndAgain(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 117, crypto)
		noRedirect(n)
		converge(t, n, "hub")
		n.Run(time.Minute)
		hub := n.Router("hub")
		before := tables(hub.engine.Inherited())
		lost, sent := 0, 0
		try := func(d time.Duration) {
			for end := n.Now().Add(d); n.Now().Before(end); n.Run(10 * time.Millisecond) {
				for _, p := range acrossTheHub {
					sent++
					if !n.Ping(p[0], p[1], PingOptions{Timeout: 200 * time.Millisecond}).OK {
						lost++
					}
				}
			}
		}
		for k := range 40 {
			hub.Orphan()
			try(100 * time.Millisecond)
			hub.TakeOver(hub.text)
			try(time.Duration(k) * 97 * time.Millisecond)
		}
		if t.Logf("%d of %d lost", lost, sent); lost > sent/50 {
			t.Errorf("%d of %d lost", lost, sent)
		}
		keepPinging(t, n, 6*time.Minute, 500*time.Millisecond, acrossTheHub...)
		sameTables(t, hub, before)
	})
}

// However often a control plane is followed by another, a client that has died goes when its holding time is over, and those that live stay.
func TestTakeoverForgetsTheDead(t *testing.T) {
	n := lab(t, "phase2", 118)
	converge(t, n, "hub")
	n.Run(time.Minute)
	hub := n.Router("hub")
	dead, alive := n.Router("spoke2"), "10.255.0.11/32"
	dead.Orphan()
	gone := "10.255.0.12/32"
	entries := func() map[string]bool {
		out := make(map[string]bool)
		for _, e := range n.Status("hub").Router.NHRP.Entries {
			out[e.Prefix.String()] = true
		}
		return out
	}
	if e := entries(); !e[gone] || !e[alive] {
		t.Fatalf("at first: %v", e)
	}
	for range 8 { // a holding time is 300 seconds
		hub.Orphan()
		n.Run(5 * time.Second)
		hub.TakeOver(hub.text)
		n.Run(40 * time.Second)
		if e := entries(); !e[alive] {
			t.Fatalf("a client that lives is gone: %v", e)
		}
	}
	if e := entries(); e[gone] {
		t.Errorf("a client that has been dead for six minutes is still there: %v", e)
	}
}

// The control plane is away so long that peers have given it up: they are found again, by old mappings or by their own registrations.
func TestTakeoverLate(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		for _, away := range []time.Duration{time.Minute, 4 * time.Minute, 70 * time.Minute} {
			for _, router := range []string{"hub", "spoke1"} {
				n, _ := protectedLab(t, 119, crypto)
				noRedirect(n)
				converge(t, n, "hub")
				keepPinging(t, n, time.Minute, time.Second, acrossTheHub...)
				r := n.Router(router)
				before := tables(r.engine.Inherited())
				r.Orphan()
				n.Run(away)
				r.TakeOver(r.text)
				converge(t, n, "hub")
				n.Until(time.Minute, "packets pass again", func() bool { return n.Ping("host1", "10.2.0.7").OK })
				keepPinging(t, n, 10*time.Minute, time.Second, acrossTheHub...)
				sameTables(t, r, before)
			}
		}
	})
}

// Two routers with a tunnel between them, without NHRP: each is the other's only peer.
func TestTakeoverOfAPointToPointTunnel(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n := New(t, 121)
		n.AddInternet("internet")
		for i, other := range []string{"192.0.2.2", "192.0.2.1"} {
			n.AddRouter(fmt.Sprint("r", i+1), crypto+fmt.Sprintf("interface Tunnel5\n ip address 10.9.0.%d 255.255.255.252\n ip mtu 1400\n tunnel source Ethernet0\n tunnel destination %s\n tunnel key 5\n", i+1, other)+
				protection+fmt.Sprintf("interface Ethernet0\n ip address 192.0.2.%d 255.255.255.0\ninterface Ethernet1\n ip address 10.%d.0.1 255.255.255.0\nip route 10.0.0.0 255.0.0.0 Tunnel5\n", i+1, i+1))
			n.AddHost(fmt.Sprint("host", i+1), fmt.Sprintf("10.%d.0.1", i+1))
		}
		c := LinkConfig{Delay: 10 * time.Millisecond}
		n.Connect("r1:Ethernet0", "r2:Ethernet0", c)
		for i := 1; i <= 2; i++ {
			n.Connect(fmt.Sprintf("r%d:Ethernet1", i), fmt.Sprintf("host%d:10.%d.0.7/24", i, i), c)
		}
		n.Until(time.Minute, "the tunnel is up", func() bool { return n.Ping("host1", "10.2.0.7").OK })
		keepPinging(t, n, 30*time.Second, time.Second, acrossTheHub...)
		for _, name := range []string{"r1", "r2"} {
			r := n.Router(name)
			before, old := tables(r.engine.Inherited()), sas(r)
			r.Orphan()
			keepPinging(t, n, 5*time.Second, 50*time.Millisecond, acrossTheHub...)
			r.TakeOver(r.text)
			sameTables(t, r, before)
			keepPinging(t, n, 5*time.Second, 10*time.Millisecond, acrossTheHub...)
			keepPinging(t, n, 3*time.Minute, 500*time.Millisecond, acrossTheHub...)
			for spi := range sas(r) {
				if _, was := old[spi]; was {
					t.Errorf("%s: SPI %#x is still there", name, spi)
				}
			}
			// Both had begun at once, and made two pairs of associations.
			if is := slices.Compact(tables(r.engine.Inherited())); !slices.Equal(is, slices.Compact(before)) {
				t.Errorf("%s has\n%s\nand had\n%s", name, strings.Join(is, "\n"), strings.Join(before, "\n"))
			}
		}
	})
}

// With packets lost on the way the end is the same.
func TestTakeoverOverBadLinks(t *testing.T) {
	for seed := range uint64(6) {
		eachCrypto(t, func(t *testing.T, crypto string) {
			n, _ := protectedLab(t, 120+seed, crypto)
			noRedirect(n)
			converge(t, n, "hub")
			n.Run(time.Minute)
			r := n.Router([]string{"hub", "spoke1"}[seed%2])
			before, old := tables(r.engine.Inherited()), sas(r)
			for _, l := range n.links {
				l.SetLoss(0.2)
			}
			r.Orphan()
			n.Run(2 * time.Second)
			r.TakeOver(r.text)
			n.Run(3 * time.Minute)
			for _, l := range n.links {
				l.SetLoss(0)
			}
			n.Run(7 * time.Minute)
			sameTables(t, r, before)
			for spi := range sas(r) {
				if _, was := old[spi]; was {
					t.Errorf("SPI %#x is still there", spi)
				}
			}
			for _, p := range acrossTheHub {
				if a := n.Ping(p[0], p[1]); !a.OK {
					t.Errorf("%v: %v", p, a)
				}
			}
		})
	}
}

// Many spokes: the hub finds all of them again in a few seconds, and not all at the same moment.
func TestTakeoverOfManySpokes(t *testing.T) {
	const spokes = 200
	eachCrypto(t, func(t *testing.T, crypto string) {
		n := Star(t, 118, spokes, protection)
		for _, e := range n.order {
			if r, ok := e.(*Router); ok {
				r.text = strings.Replace(crypto, "navelab", "star", 1) + r.text
			}
		}
		n.Until(2*time.Minute, "all spokes are registered", func() bool {
			return strings.Count(n.Show("hub", "show dmvpn"), " UP ") == spokes
		})
		n.Run(time.Minute)
		hub := n.Router("hub")
		before := tables(hub.engine.Inherited())
		hub.Orphan()
		n.Run(time.Second)
		began := n.Now()
		hub.TakeOver(hub.text)
		sameTables(t, hub, before)
		up := 0
		for _, s := range hub.core.Router().Status().Sessions.Sessions {
			if s.State == dmvpn.Up {
				up++
			}
		}
		if up != spokes {
			t.Errorf("%d sessions go on", up)
		}
		n.Until(30*time.Second, "all have new associations", func() bool { return inheritedSessions(n, "hub") == 0 })
		t.Logf("%d sessions are renewed after %v", spokes, n.Now().Sub(began))
		n.Run(6 * time.Minute)
		sameTables(t, hub, before)
	})
}
