package host

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
)

// TestVanishedUnheard: more changes than netlink's queues hold while the watcher is busy, and among those that are lost is the end of a link and of a neighbour. Both are told nevertheless.
func TestVanishedUnheard(t *testing.T) {
	router, _ := lab(t)
	h := open(t, router, t.TempDir())
	must(t, h.SetAddresses("eth0", []netip.Prefix{netip.MustParsePrefix("10.1.0.1/24")}))
	if _, err := router.Run("ip", "link", "add", "extra0", "type", "veth", "peer", "name", "extra1"); err != nil {
		t.Fatal(err)
	}
	door := netip.MustParseAddr("10.1.0.9")
	eth, err := h.nl.LinkByName("eth0")
	must(t, err)
	neigh := &netlink.Neigh{
		LinkIndex: eth.Attrs().Index, Family: netlink.FAMILY_V4, State: netlink.NUD_PERMANENT, IP: net.IP(door.AsSlice()), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 9},
	}
	must(t, h.nl.NeighSet(neigh))

	var mu sync.Mutex
	links, doors, looks := make(map[string]bool), make(map[netip.Addr]bool), 0
	told := func(link string) (there, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		return links[link], doors[door]
	}
	gate := make(chan struct{})
	close(gate)
	pass := func() {
		mu.Lock()
		g := gate
		mu.Unlock()
		<-g
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	must(t, h.Watch(ctx, Watcher{
		Link: func(l Link, there bool) {
			pass()
			mu.Lock()
			defer mu.Unlock()
			links[l.Name] = there
		},
		Neighbour: func(n Neighbour) {
			pass()
			mu.Lock()
			defer mu.Unlock()
			doors[n.Addr] = n.OK
		},
		Addresses: func() {
			mu.Lock()
			defer mu.Unlock()
			looks++
		},
	}))
	eventually(t, "what there is is told", func() bool { l, n := told("extra1"); return l && n })

	busy := make(chan struct{})
	mu.Lock()
	gate = busy
	mu.Unlock()
	extra, err := h.nl.LinkByName("extra0")
	must(t, err)
	for k := range 3000 {
		must(t, h.nl.LinkSetMTU(extra, 1400+k%2))
	}
	for k := range 20_000 {
		neigh.HardwareAddr[4] = byte(k % 2)
		must(t, h.nl.NeighSet(neigh))
	}
	must(t, h.nl.LinkDel(extra))
	must(t, h.nl.NeighDel(neigh))
	close(busy)
	eventually(t, "that the link is gone is told", func() bool { l, _ := told("extra1"); return !l })
	eventually(t, "that the neighbour is gone is told", func() bool { _, n := told("extra1"); return !n })
	if l, _ := told("eth0"); !l {
		t.Error("what is there is told to be gone")
	}
	mu.Lock()
	before := looks
	mu.Unlock()
	must(t, h.SetAddresses("eth0", []netip.Prefix{netip.MustParsePrefix("10.1.0.2/24")}))
	eventually(t, "addresses are looked at", func() bool { mu.Lock(); defer mu.Unlock(); return looks > before })
}
