package gateway

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/host"
	"nave/slowpath/rib"
)

// noted notes what the kernel of a space is given.
type noted struct {
	ways    map[netip.Prefix]*host.Way
	sets    int
	settled bool
}

func (n *noted) Set(p netip.Prefix, w *host.Way) {
	n.sets++
	if w == nil {
		delete(n.ways, p)
		return
	}
	n.ways[p] = w
}
func (n *noted) Check()     {}
func (n *noted) Settle()    { n.settled = true }
func (n *noted) Close()     {}
func (n *noted) End() error { return nil }

// text is a route as the kernel has it; "" where there is none.
func (n *noted) text(p string) string {
	w := n.ways[netip.MustParsePrefix(p)]
	if w == nil {
		return ""
	}
	var parts []string
	for i := range w.Hops {
		h := &w.Hops[i]
		t := h.Netdev
		if h.Gateway.IsValid() {
			t += " via " + h.Gateway.String()
		}
		if h.OnLink {
			t += " onlink"
		}
		if h.Weight != 0 {
			t += fmt.Sprint(" weight ", h.Weight)
		}
		parts = append(parts, t)
	}
	if len(parts) == 0 {
		parts = append(parts, "nowhere")
	}
	out := strings.Join(parts, ", ")
	if w.Source.IsValid() {
		out += " src " + w.Source.String()
	}
	if w.Stays {
		out += " stays"
	}
	return out
}

const red fib.VRF = 7

// kernelBox is a gateway with Ethernet0 in the global table and Ethernet1 in VRF red, Tunnel0 and Tunnel1 with twins in them.
func kernelBox(t *testing.T) (g *Gateway, global, inRed *noted) {
	t.Helper()
	pfx := netip.MustParsePrefix
	global, inRed = &noted{ways: make(map[netip.Prefix]*host.Way)}, &noted{ways: make(map[netip.Prefix]*host.Way)}
	g = &Gateway{spaces: make(map[string]*space), byVRF: make(map[fib.VRF]*space), ports: make(map[string]*port), twins: make(map[string]*twin), started: time.Now()}
	g.opt.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	g.core = NewCore(new(box), new(box))
	g.home = &space{routes: global, told: make(map[string]bool)}
	s := &space{name: "red", routes: inRed, last: &twin{kind: twinLast}, told: make(map[string]bool)}
	g.spaces[""], g.spaces["red"] = g.home, s
	g.byVRF[fib.Global], g.byVRF[red] = g.home, s
	g.ports["Ethernet0"] = &port{name: "Ethernet0", netdev: "eth0", space: g.home}
	g.ports["Ethernet1"] = &port{name: "Ethernet1", netdev: "eth1", space: s}
	g.twins["Tunnel1"] = tunnelTwin(s)
	i := func(name string, vrf fib.VRF, up bool, addr string) slowpath.Interface {
		return slowpath.Interface{Interface: rib.Interface{Name: name, VRF: vrf, Up: up, Addrs: []netip.Prefix{pfx(addr)}}}
	}
	g.core.current.Interfaces = []slowpath.Interface{
		i("Ethernet0", fib.Global, true, "192.0.2.1/24"), i("Ethernet1", red, true, "10.7.1.1/24"), i("Tunnel1", red, true, "10.5.0.1/24"), i("Loopback7", red, false, "10.0.0.1/32"),
	}
	g.linux = newLinux(g)
	return g, global, inRed
}

// tunnelTwin stands in for an open one.
func tunnelTwin(s *space) *twin { return &twin{Twin: &host.Twin{}, space: s} }

func change(vrf fib.VRF, p string, s rib.Source, hops ...rib.NextHop) rib.Change {
	return rib.Change{VRF: vrf, Route: rib.Route{Prefix: netip.MustParsePrefix(p), Source: s, Hops: hops}}
}

func hop(iface, addr string) rib.NextHop {
	h := rib.NextHop{Iface: iface}
	if addr != "" {
		h.Addr = netip.MustParseAddr(addr)
	}
	return h
}

// What nave learned goes to the kernel that it is for, by the netdev that leads there; what only nave can do, by nave0.
func TestWaysOfTheKernel(t *testing.T) {
	g, global, inRed := kernelBox(t)
	labels, _ := rib.LabelsOf(100)
	labelled := hop("Ethernet0", "192.0.2.7")
	labelled.Labels = labels
	shared := hop("Ethernet0", "192.0.2.8")
	shared.Share = 3
	leak := rib.NextHop{Elsewhere: true, Table: fib.Global}
	g.linux.Routes([]rib.Change{
		change(fib.Global, "10.1.0.0/16", rib.Static, hop("Ethernet0", "192.0.2.7")),
		change(fib.Global, "10.2.0.0/16", rib.EIGRP, hop("Ethernet0", "192.0.2.7"), shared),
		change(fib.Global, "10.3.0.0/16", rib.BGP, hop("Ethernet0", "198.51.100.7")),
		change(fib.Global, "10.4.0.0/16", rib.EIGRP),
		change(fib.Global, "10.5.0.0/16", rib.Static),
		change(fib.Global, "10.6.0.0/16", rib.Connected, hop("Ethernet0", "")),
		change(fib.Global, "10.7.0.0/16", rib.Kernel, hop("Ethernet0", "192.0.2.7")),
		change(fib.Global, "10.8.0.0/16", rib.EIGRP, hop("Tunnel0", "10.255.0.2")),
		change(fib.Global, "10.9.0.0/16", rib.BGP, labelled), // IPv4 with labels: the neighbor has the route, too
		change(red, "10.1.0.0/16", rib.BGP, labelled),
		change(red, "10.2.0.0/16", rib.Static, leak),
		change(red, "10.3.0.0/16", rib.DHCP, hop("Ethernet1", "10.7.1.9")),
		change(red, "10.4.0.0/16", rib.Static, hop("Ethernet0", "192.0.2.7")),
		change(red, "10.5.0.0/16", rib.Static, leak, hop("Ethernet1", "10.7.1.9")),
		change(red, "10.6.0.0/16", rib.EIGRP, hop("Tunnel1", "10.5.0.2"), hop("Tunnel1", "10.5.0.3")),
		change(red, "0.0.0.0/0", rib.EIGRP, hop("Ethernet1", "10.7.1.9"), hop("Ethernet9", "10.99.0.9")),
	})
	for p, want := range map[string]string{
		"10.1.0.0/16": "eth0 via 192.0.2.7 stays", "10.2.0.0/16": "eth0 via 192.0.2.7, eth0 via 192.0.2.8 weight 3", "10.3.0.0/16": "eth0 via 198.51.100.7 onlink",
		"10.4.0.0/16": "nowhere", "10.5.0.0/16": "nowhere", "10.6.0.0/16": "", "10.7.0.0/16": "", "10.8.0.0/16": "", "10.9.0.0/16": "eth0 via 192.0.2.7",
	} {
		if got := global.text(p); got != want {
			t.Errorf("global %s: %q, want %q", p, got, want)
		}
	}
	for p, want := range map[string]string{
		"10.1.0.0/16": "nave0 src 10.5.0.1", "10.2.0.0/16": "nave0 src 10.5.0.1", "10.3.0.0/16": "eth1 via 10.7.1.9", "10.4.0.0/16": "nave0 src 10.5.0.1",
		"10.5.0.0/16": "nave0 src 10.5.0.1", "10.6.0.0/16": "Tunnel1", "0.0.0.0/0": "eth1 via 10.7.1.9",
	} {
		if got := inRed.text(p); got != want {
			t.Errorf("red %s: %q, want %q", p, got, want)
		}
	}
}

// Routes follow netdevs and namespaces that come and go, and nothing else is touched.
func TestWaysFollowNetdevs(t *testing.T) {
	g, global, inRed := kernelBox(t)
	l := g.linux
	l.Routes([]rib.Change{
		change(fib.Global, "10.1.0.0/16", rib.EIGRP, hop("Tunnel0", "10.255.0.2")),
		change(fib.Global, "10.2.0.0/16", rib.EIGRP, hop("Ethernet0", "192.0.2.7")),
		change(9, "10.3.0.0/16", rib.EIGRP, hop("Ethernet1", "10.7.1.9")),
		change(red, "10.4.0.0/16", rib.Static, rib.NextHop{Elsewhere: true}),
	})
	if global.text("10.1.0.0/16") != "" || global.text("10.2.0.0/16") == "" {
		t.Fatalf("without a twin: %q, %q", global.text("10.1.0.0/16"), global.text("10.2.0.0/16"))
	}
	g.twins["Tunnel0"] = tunnelTwin(g.home)
	sets := global.sets
	l.followRoutes()
	if global.text("10.1.0.0/16") != "Tunnel0" || global.sets != sets+1 {
		t.Fatalf("with a twin: %q, %d routes were put", global.text("10.1.0.0/16"), global.sets-sets)
	}
	g.core.current.Interfaces[2].Up = false // the lowest address that is up is another
	sets = global.sets
	l.followRoutes()
	if got := inRed.text("10.4.0.0/16"); got != "nave0 src 10.7.1.1" || global.sets != sets {
		t.Errorf("by nave0: %q; %d others put", got, global.sets-sets)
	}
	delete(g.twins, "Tunnel0")
	l.followRoutes()
	if global.text("10.1.0.0/16") != "" {
		t.Errorf("the twin is gone: %q", global.text("10.1.0.0/16"))
	}
	// the namespace of a VRF comes, and its port moves there
	n := &noted{ways: make(map[netip.Prefix]*host.Way)}
	s := &space{name: "blue", routes: n, told: make(map[string]bool)}
	g.byVRF[9], g.ports["Ethernet1"].space = s, s
	l.followRoutes()
	if got := n.text("10.3.0.0/16"); got != "eth1 via 10.7.1.9 onlink" && got != "eth1 via 10.7.1.9" {
		t.Errorf("in a new namespace: %q", got)
	}
	// another source takes a prefix over; the way of two becomes that of one
	l.Routes([]rib.Change{
		change(fib.Global, "10.2.0.0/16", rib.Connected, hop("Ethernet0", "")),
		{VRF: 9, Route: rib.Route{Prefix: netip.MustParsePrefix("10.3.0.0/16")}, Gone: true},
		{VRF: fib.Global, Route: rib.Route{Prefix: netip.MustParsePrefix("10.1.0.0/16")}, Gone: true},
	})
	if global.text("10.2.0.0/16") != "" || n.text("10.3.0.0/16") != "" || len(l.tables[9].ways) != 0 || len(l.tables[fib.Global].ways) != 0 {
		t.Errorf("after all went: %v %v", global.ways, n.ways)
	}
	delete(g.byVRF, 9)
	l.followRoutes()
	if l.tables[9] != nil {
		t.Error("the table of a VRF that is gone is kept")
	}
}

// Routes of a naved before stay until the configuration is complete.
func TestRoutesSettle(t *testing.T) {
	g, global, _ := kernelBox(t)
	g.linux.followRoutes()
	if global.settled {
		t.Fatal("without a configuration")
	}
	g.core.configured = true
	g.linux.followRoutes()
	if !global.settled {
		t.Error("all is known, and routes of before stay")
	}
}

// nave0 that can't be made keeps a route from the kernel, and is tried again.
func TestWayWithoutNave0(t *testing.T) {
	g, global, _ := kernelBox(t)
	g.linux.last = func(s *space) error { return errors.New("no /dev/net/tun") }
	g.linux.Routes([]rib.Change{change(fib.Global, "10.1.0.0/16", rib.Static, rib.NextHop{Elsewhere: true, Table: red})})
	if got := global.text("10.1.0.0/16"); got != "" {
		t.Fatalf("without nave0: %q", got)
	}
	g.linux.last = func(s *space) error { s.last = &twin{kind: twinLast}; return nil }
	g.linux.followRoutes()
	if got := global.text("10.1.0.0/16"); got != "nave0 src 192.0.2.1" {
		t.Errorf("with nave0: %q", got)
	}
}

// BenchmarkRoutesOut is what a change costs the control plane.
func BenchmarkRoutesOut(b *testing.B) {
	g := &Gateway{spaces: make(map[string]*space), byVRF: make(map[fib.VRF]*space)}
	g.home = &space{routes: &noted{ways: make(map[netip.Prefix]*host.Way)}}
	g.byVRF[fib.Global] = g.home
	g.core = NewCore(new(box), new(box))
	g.linux = newLinux(g)
	g.ports = map[string]*port{"Ethernet0": {name: "Ethernet0", netdev: "eth0", space: g.home}}
	hops := []rib.NextHop{hop("Ethernet0", "192.0.2.7")}
	c := make([]rib.Change, 1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		c[0] = rib.Change{Route: rib.Route{Prefix: p, Source: rib.BGP, Hops: hops}}
		g.linux.Routes(c)
	}
}
