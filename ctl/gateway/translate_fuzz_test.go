package gateway

import (
	"net/netip"
	"testing"

	"nave/ctl/config"
	"nave/slowpath"
	"nave/slowpath/rib"
)

// Whatever can be read can be translated: no panic, and processes of EIGRP that the Router can run.
func FuzzTranslate(f *testing.F) {
	for _, s := range []string{
		"router eigrp 1\n network 10.0.0.0\n redistribute static route-map M\n distribute-list 5 in\n eigrp stub connected leak-map M\naccess-list 5 permit 10.0.0.0 0.255.0.255\n",
		"router eigrp X\n address-family ipv4 vrf red autonomous-system 2\n  network 0.0.0.0\n  af-interface default\n   authentication mode md5\n   authentication key-chain K\n",
		"key chain K\n key 1\n  key-string x\n  send-lifetime 00:00:00 Jan 1 2026 duration 5\nrouter eigrp 1\n metric weights 0 1 1 1 1 1\n network 192.168.0.0 0.0.255.255\n",
		"ip prefix-list P permit 10.0.0.0/8 le 32\nroute-map M deny 5\n match ip address prefix-list P\n match tag 5\nroute-map M permit 10\n set metric 1 2 3 4 5\n set tag 6\n continue 20\n",
		"router bgp 1\n redistribute eigrp 1 route-map M\n network 10.0.0.0 route-map M\nroute-map M permit 10\n match ip next-hop 5\nip route import kernel vrf red\n",
	} {
		f.Add(s)
	}
	routes := []netip.Prefix{pfx("0.0.0.0/0"), pfx("10.0.0.0/8"), pfx("10.1.2.0/24"), pfx("192.0.2.1/32")}
	f.Fuzz(func(t *testing.T, text string) {
		tree, diags := config.Parse("fuzz", []byte(eigrpBase+text))
		if diags.HasErrors() {
			return
		}
		out, _ := translate(tree, two(), newNumbers())
		seen := make(map[slowpath.EIGRPKey]bool)
		for _, e := range out.EIGRP {
			if seen[e.Key] || e.Key.AS == 0 || e.Key.AS != e.Run.AS || !e.Run.RouterID.Is4() || e.Run.RouterID.IsUnspecified() {
				t.Errorf("%+v", e)
			}
			seen[e.Key] = true
			for _, i := range e.Run.Interfaces {
				if in := find(out, i.Name); in == nil || in.VRF != e.Key.VRF {
					t.Errorf("%s is not in the table of %+v", i.Name, e.Key)
				}
			}
			for _, p := range routes {
				for _, s := range e.Redistribute {
					if s.Permit != nil {
						s.Permit(p, &rib.Route{Prefix: p})
					}
				}
				if e.Run.In != nil {
					e.Run.In("Tunnel0", p)
				}
				if e.Run.Stub.Leak != nil {
					e.Run.Stub.Leak(p, "Tunnel0")
				}
			}
		}
		for _, r := range out.BGP.Redistribute {
			for _, p := range routes {
				r.Permit(p, &rib.Route{Prefix: p})
			}
		}
	})
}
