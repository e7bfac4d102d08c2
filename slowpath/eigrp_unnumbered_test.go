package slowpath

import (
	"net/netip"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
)

// unnumbered gives a box a tunnel to another one that borrows the address of a LAN.
func (b *eigrpBox) unnumbered(name, addr, local, remote string, g *segment) {
	b.attach(Interface{Unnumbered: true, Bandwidth: 1000, Delay: 1000, Interface: rib.Interface{
		Name: name, Addrs: []netip.Prefix{pfx(addr)}, Up: true, MTU: 1400, Tunnel: &rib.Tunnel{ID: 1, Local: ip(local), Remote: ip(remote), TTL: 255},
	}}, g)
}

// Two routers with a tunnel that has no address of its own: each reaches the other's LAN by it, and what is redistributed of connected routes has no part of a borrowed address.
func TestEIGRPUnnumbered(t *testing.T) {
	n := newEIGRPNet(t)
	wan, tunnel := &segment{}, &segment{}
	var boxes []*eigrpBox
	for i, name := range []string{"r1", "r2"} {
		b := n.box(name)
		own, far := []string{"198.51.100.1", "198.51.100.2"}[i], []string{"198.51.100.2", "198.51.100.1"}[i]
		lan := []string{"10.1.0.1", "10.2.0.1"}[i]
		b.ethernet("Ethernet0", 0, own+"/24", wan)
		b.ethernet("Ethernet1", 0, lan+"/24", nil)
		b.unnumbered("Tunnel0", lan+"/32", own, far, tunnel)
		b.process(0, 100, "Tunnel0", "Ethernet1")
		boxes = append(boxes, b)
	}
	boxes[1].config.EIGRP[0].Redistribute = []EIGRPSource{{Source: rib.Connected}}
	boxes[1].config.EIGRP[0].Run.Interfaces = []eigrp.Interface{{Name: "Tunnel0"}} // the LAN is redistributed
	for _, b := range boxes {
		b.configure()
	}
	boxes[0].Neighbour("Ethernet0", ip("198.51.100.2"), [6]byte{2, 0, 0, 0, 0, 2}, true)
	n.run(5 * time.Second)
	boxes[1].want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90 Tunnel0 10.1.0.1", "10.1.0.1/32": "none"})
	boxes[0].want(0, map[string]string{"10.2.0.0/24": "eigrp/100 170 Tunnel0 10.2.0.1", "10.2.0.1/32": "none"})
	if ids := boxes[0].engine.routes[pfx("10.2.0.0/24")]; len(ids) != 1 || boxes[0].engine.adjacencies[ids[0]].Kind != fib.AdjTunnel {
		t.Errorf("the fast path of r1: %+v", boxes[0].engine.adjacencies[ids[0]])
	}
	// The lender goes down, and nothing is left to be told of.
	boxes[1].link("Ethernet1").Up = false
	boxes[1].configure()
	n.run(2 * time.Second)
	boxes[0].want(0, map[string]string{"10.2.0.0/24": "none", "10.2.0.1/32": "none"})
}
