package sim

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/ctl/revision"
)

// clerk changes a router's configuration as an operator does.
type clerk struct {
	r    *Router
	book *revision.Book
	path []string
}

func newClerk(r *Router) *clerk {
	return &clerk{r: r, book: revision.New(r.net.Now(), "start", r.tree(r.text))}
}

// run carries out a plan.
func (c *clerk) run(p *revision.Plan, err error) {
	c.r.net.t.Helper()
	if err != nil || p.Refused {
		c.r.net.t.Fatalf("%v %v", err, p)
	}
	if p.Tree == nil {
		return
	}
	c.r.check(c.r.core.Configure(c.r.net.Now(), p.Tree))
	c.book.Ran(c.r.net.Now(), p, "")
	c.r.text = p.Tree.Running()
	c.r.follow()
}

// types enters lines, each of which is applied at once.
func (c *clerk) types(lines string) {
	c.r.net.t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		l, err := c.book.Line(c.r.net.Now(), "ann", c.path, line)
		if err != nil {
			c.r.net.t.Fatalf("%q: %v", line, err)
		}
		c.run(l.Plan, nil)
		c.path = l.Path
	}
}

// commits enters lines into a candidate, and runs by it.
func (c *clerk) commits(lines string) {
	c.r.net.t.Helper()
	var path []string
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		l, err := c.book.CandidateLine(c.r.net.Now(), "ann", path, line)
		if err != nil || l.Refused {
			c.r.net.t.Fatalf("%q: %v %v", line, err, l)
		}
		path = l.Path
	}
	c.run(c.book.Commit(c.r.net.Now(), "ann", 0))
}

// reloads runs by another file.
func (c *clerk) reloads(old, with string) {
	c.r.net.t.Helper()
	if !strings.Contains(c.r.text, old) {
		c.r.net.t.Fatalf("the configuration of %s has no %q", c.r.name, old)
	}
	c.run(c.book.Replace(c.r.net.Now(), "ann", "reload", "x.cfg", []byte(strings.Replace(c.r.text, old, with, 1))), nil)
}

func (c *clerk) rollsBack(n int) {
	c.r.net.t.Helper()
	c.run(c.book.Rollback(c.r.net.Now(), "ann", n, 0))
}

// A thousand protected sessions stand on one tunnel while another is configured in every way there is, with packets of all of them under way at each change: none is lost, and the
// associations stay the same.
func TestThousandSessionsWhileATunnelChanges(t *testing.T) {
	spokes := fewer(1000)
	n := Star(t, 119, spokes, protection)
	for _, e := range n.order {
		if r, ok := e.(*Router); ok {
			r.text = cryptos["IKEv2"] + strings.Replace(r.text, "ipsec profile vpn\n", "ipsec profile vpn shared\n", 1)
		}
	}
	began := time.Now()
	n.Until(3*time.Minute, "all spokes are registered", func() bool { return strings.Count(n.Show("hub", "show dmvpn"), " UP ") == spokes })
	n.Run(10 * time.Second)
	t.Logf("%d sessions after %v of simulated time, %v of real time", len(secured(n, "hub")), n.Now().Sub(epoch), time.Since(began))
	if len(secured(n, "hub")) != spokes {
		t.Fatalf("%d sessions", len(secured(n, "hub")))
	}
	hub := n.Router("hub")
	c := newClerk(hub)
	before := secured(n, "hub")
	for k, change := range []struct {
		name string
		do   func()
	}{
		{"lines of a new tunnel", func() {
			c.types("interface Tunnel1\nip address 10.254.0.1 255.255.255.0\nip nhrp network-id 8\ntunnel source Ethernet0\ntunnel mode gre multipoint\ntunnel protection ipsec profile vpn shared\ntunnel key 800\nend")
		}},
		{"lines of a tunnel", func() { c.types("interface Tunnel1\nip mtu 1300\ntunnel key 801\nend") }},
		{"a commit", func() { c.commits("interface Tunnel1\nip mtu 1350\nip nhrp holdtime 333\nip nhrp redirect") }},
		{"a file", func() { c.reloads("tunnel key 801", "tunnel key 802") }},
		{"a rollback", func() { c.rollsBack(1) }},
	} {
		lost := lostWhile(n, spokes, change.do)
		t.Logf("%s: %d packets of %d lost", change.name, lost, spokes)
		if lost != 0 {
			t.Errorf("%s: %d packets of %d lost", change.name, lost, spokes)
		}
		if k == 3 && !strings.Contains(hub.text, "tunnel key 802") || k == 4 && strings.Contains(hub.text, "Tunnel1") {
			t.Errorf("%s is not what runs", change.name)
		}
	}
	after := secured(n, "hub")
	for peer, s := range before {
		if a := after[peer]; len(a.Children) != 1 || len(s.Children) != 1 || a.Children[0].Child != s.Children[0].Child || !a.Since.Equal(s.Since) {
			t.Fatalf("%s: %+v, then %+v", peer, s, a)
		}
	}
	if d := drops(n, "hub"); d != 0 {
		t.Errorf("%d sessions went down", d)
	}
	if lost := lostWhile(n, spokes, func() { c.types("interface Tunnel0\nshutdown\nend") }); lost < spokes/2 { // so that it is seen if something is lost
		t.Errorf("%d packets lost by a tunnel that was shut down", lost)
	}
	t.Logf("done after %v of real time", time.Since(began))
}

// lostWhile has each spoke of a star send to the hub, one every 20 microseconds, changes something when half of them have, so that packets are under way in both directions, and tells
// how many were not answered.
func lostWhile(n *Net, spokes int, change func()) (lost int) {
	n.t.Helper()
	hub := netip.MustParseAddr("10.255.0.1")
	probes := make(map[uint16]*probe)
	for i := 1; i <= spokes; i++ {
		if i == spokes/2 {
			under := 0
			for _, p := range probes {
				if !p.done {
					under++
				}
			}
			if under == 0 {
				n.t.Error("no packet is under way while something is changed")
			}
			change()
		}
		s := StarOf(i)
		p, seq := n.send(s.Name, hub, PingOptions{Source: s.Tunnel})
		probes[seq] = p
		n.Run(20 * time.Microsecond)
	}
	n.Run(5 * time.Second)
	for seq, p := range probes {
		if !p.OK {
			lost++
		}
		delete(n.probes, seq)
	}
	return lost
}

// A second tunnel is typed in any order, so that for some lines nothing tells it from the first: the first, which works, goes on.
func TestTypedTunnelHarmsNone(t *testing.T) {
	lines := []string{"tunnel source Ethernet0", "tunnel mode gre multipoint", "ip address 10.254.0.1 255.255.255.0", "ip nhrp network-id 8", "tunnel key 800"}
	for first := range lines {
		for _, name := range []string{"Tunnel5", "Tunnel0"} { // the one that works is Tunnel3
			t.Run(fmt.Sprintf("%s %s", name, lines[first]), func(t *testing.T) {
				n := lab(t, "phase3", 64)
				for _, e := range n.order {
					if r, ok := e.(*Router); ok { // without a key, and with a number that others can be below and above of
						r.text = strings.Replace(strings.Replace(r.text, " tunnel key 700\n", "", 1), "interface Tunnel0\n", "interface Tunnel3\n", 1)
					}
				}
				converge(t, n, "hub")
				before := sessions(n, "hub")
				down := drops(n, "hub")
				c := newClerk(n.Router("hub"))
				c.types("interface " + name)
				for k := range lines {
					c.types(lines[(first+k)%len(lines)])
					ping(t, n, "spoke1", "10.255.0.1", "hub")
					ping(t, n, "host1", "10.255.0.1", "spoke1", "hub")
				}
				after := sessions(n, "hub")
				for k, s := range before {
					if after[k] != s {
						t.Errorf("%s was %v and is %v", k, s, after[k])
					}
				}
				if d := drops(n, "hub"); d != down {
					t.Errorf("%d sessions went down", d-down)
				}
				if i := c.book.Running().Tree.Interface(name); i.Held != "" {
					t.Errorf("%s is still held: %s", name, i.Held)
				}
			})
		}
	}
}

// Whatever is typed, finished or not, the router runs by it, and by the first revision as before.
func TestTypedAtRandom(t *testing.T) {
	pool := strings.Split(`hostname x|ip vrf red|rd 1:1|interface Tunnel1|interface Tunnel0|interface Ethernet0|interface Loopback7|no interface Tunnel1|no interface Loopback7|
ip address 10.254.0.1 255.255.255.0|ip address 10.255.0.1 255.255.255.0|no ip address|ip vrf forwarding red|no ip vrf forwarding|ip unnumbered Loopback7|tunnel source Ethernet0|tunnel source Loopback7|no tunnel source|
tunnel mode gre multipoint|no tunnel mode gre multipoint|tunnel key 700|tunnel key 800|no tunnel key|tunnel destination 192.0.2.77|tunnel vrf red|no tunnel vrf|tunnel protection ipsec profile vpn|tunnel protection ipsec profile vpn shared|
no tunnel protection ipsec profile vpn|ip nhrp network-id 8|no ip nhrp network-id|ip nhrp nhs 10.254.0.9|ip nhrp map 10.254.0.9 192.0.2.9|ip nhrp authentication abc|no ip nhrp authentication|ip nhrp redirect|ip nhrp shortcut|
shutdown|no shutdown|ip mtu 1300|mpls ip|router bgp 65000|neighbor 10.255.0.11 remote-as 65000|network 10.0.0.0|no router bgp|router eigrp 7|network 10.0.0.0 0.255.255.255|redistribute static|no router eigrp 7|redistribute connected|
router eigrp N|address-family ipv4 autonomous-system 8|ip route 10.77.0.0 255.255.0.0 10.255.0.11|ip route vrf red 10.78.0.0 255.255.0.0 Null0|no ip route 10.77.0.0 255.255.0.0 10.255.0.11|crypto isakmp policy 1|authentication pre-share|
crypto isakmp key abc address 0.0.0.0|no crypto isakmp key abc address 0.0.0.0|crypto ipsec transform-set T esp-aes esp-sha-hmac|crypto ipsec profile vpn|set transform-set T|set ikev2-profile P|no crypto ipsec profile vpn|crypto ikev2 profile P|
match identity remote any|authentication local pre-share|keyring local K|crypto ikev2 keyring K|peer p|address 0.0.0.0|pre-shared-key abc|key chain C|key 1|key-string s|access-list 5 permit any|route-map M permit 10|match ip address 5|end|exit`, "|")
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			n := lab(t, "phase3", 65+seed)
			converge(t, n, "hub")
			c := newClerk(n.Router("hub"))
			taken := 0
			for range 150 {
				line := strings.TrimSpace(pool[n.rng.IntN(len(pool))])
				l, err := c.book.Line(n.Now(), "ann", c.path, line)
				if err != nil {
					t.Fatalf("%v %q: %v", c.path, line, err)
				}
				c.path = l.Path
				if !l.Refused {
					c.run(l.Plan, nil)
					taken++
				}
				n.Run(50 * time.Millisecond)
			}
			if taken < 30 {
				t.Errorf("only %d lines were taken", taken)
			}
			c.rollsBack(1)
			n.Until(15*time.Minute, "it works as before", func() bool { return n.Ping("host1", "10.2.0.7").OK && n.Ping("spoke1", "10.255.0.1").OK })
		})
	}
}
