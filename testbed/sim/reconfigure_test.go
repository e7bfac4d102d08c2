package sim

import (
	"testing"
	"time"

	"nave/slowpath/nhrp"
)

// session is what must stay of a peer when something else is configured.
type session struct {
	nbma    string
	created time.Time
}

func sessions(n *Net, name string) map[string]session {
	out := make(map[string]session)
	for _, e := range n.Status(name).Router.NHRP.Entries {
		out[e.Iface+" "+e.Prefix.String()] = session{e.NBMA.String(), e.Created}
	}
	return out
}

// drops counts the sessions that went down since the router started.
func drops(n *Net, name string) (count int) {
	for _, l := range n.Router(name).Logs() {
		if l.Kind == nhrp.LogPeerDown || l.Kind == nhrp.LogNHSDown {
			count++
		}
	}
	return count
}

const secondTunnel = `interface Tunnel1
 ip address 10.254.0.1 255.255.255.0
 ip nhrp network-id 8
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel key 800
`

func TestReconfigureTouchesOnlyWhatDiffers(t *testing.T) {
	for _, c := range []struct {
		name, router, old, with string
	}{
		{"hub: add a route", "hub", "ip route 10.1.0.0", "ip route 10.9.0.0 255.255.0.0 10.255.0.11\nip route 10.1.0.0"},
		{"hub: change the hold time", "hub", "holdtime 300", "holdtime 600"},
		{"hub: add a tunnel", "hub", "interface Ethernet0\n", secondTunnel + "interface Ethernet0\n"},
		{"hub: remove a tunnel", "hub", secondTunnel, ""},
		{"hub: no redirect", "hub", " ip nhrp redirect\n", ""},
		{"hub: description", "hub", "to the spokes", "to the branch offices"},
		{"hub: MSS", "hub", "adjust-mss 1360", "adjust-mss 1200"},
		{"spoke: add a route", "spoke1", "ip route 10.0.0.0", "ip route 172.20.0.0 255.255.0.0 Null0\nip route 10.0.0.0"},
		{"spoke: change the hold time", "spoke1", "holdtime 300", "holdtime 900"},
		{"spoke: add a tunnel", "spoke1", "interface Ethernet0\n", secondTunnel + "interface Ethernet0\n"},
		{"spoke: remove a tunnel", "spoke1", secondTunnel, ""},
		{"spoke: bandwidth", "spoke1", "bandwidth 1000", "bandwidth 2000"},
		{"spoke: max-send", "spoke1", " ip nhrp shortcut\n", " ip nhrp shortcut\n ip nhrp max-send 200 every 10\n"},
		{"spoke: another multicast map", "spoke1", " ip nhrp network-id", " ip nhrp map multicast 192.0.2.9\n ip nhrp network-id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := lab(t, "phase3", 61)
			n.Run(0)
			r := n.Router(c.router)
			if c.old == secondTunnel {
				r.Edit("interface Ethernet0\n", secondTunnel+"interface Ethernet0\n")
			}
			converge(t, n, "hub")
			direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
			n.Run(5 * time.Second)
			before, counts := sessions(n, c.router), r.Counters().Adjacencies
			down := drops(n, c.router)
			r.Edit(c.old, c.with)
			ping(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
			n.Run(5 * time.Second)
			after := sessions(n, c.router)
			for k, s := range before {
				if after[k] != s {
					t.Errorf("%s was %v and is %v", k, s, after[k])
				}
			}
			if d := drops(n, c.router); d != down {
				t.Errorf("%d sessions went down", d-down)
			}
			now := r.Counters().Adjacencies
			for id, was := range counts {
				if now[id].Packets < was.Packets {
					t.Errorf("adjacency %d was made anew: %d packets, then %d", id, was.Packets, now[id].Packets)
				}
			}
			ping(t, n, "spoke1", "10.255.0.1", "hub")
		})
	}
}

// The same configuration again changes nothing at all: no batch goes to the fast path, no packet is sent.
func TestReconfigureWithTheSame(t *testing.T) {
	n := lab(t, "phase3", 62)
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	for _, name := range []string{"hub", "spoke1", "spoke2"} {
		r := n.Router(name)
		generation, digest := r.Counters().Generation, n.Digest()
		r.Configure(r.text)
		if g := r.Counters().Generation; g != generation || n.Digest() != digest {
			t.Errorf("%s: the tables changed from generation %d to %d; packets sent: %v", name, generation, g, n.Digest() != digest)
		}
	}
}

// What is removed is gone, and what stood on it.
func TestReconfigureRemovesTheTunnel(t *testing.T) {
	n := lab(t, "phase3", 63)
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	r := n.Router("spoke1")
	text := r.text
	r.Configure("hostname spoke1\ninterface Ethernet0\n ip address 198.51.100.1 255.255.255.0\ninterface Ethernet1\n ip address 10.1.0.1 255.255.255.0\n" +
		"ip route 0.0.0.0 0.0.0.0 198.51.100.254\n")
	if s := n.Status("spoke1"); len(s.Router.NHRP.Entries) != 0 || len(s.Fastpath.Tunnels) != 0 {
		t.Errorf("left: %v, %v", s.Router.NHRP.Entries, s.Fastpath.Tunnels)
	}
	if p := n.Ping("host1", "10.2.0.7"); p.OK {
		t.Errorf("answered without a tunnel: %v", p)
	}
	r.Configure(text)
	n.Run(10 * time.Second)
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
}
