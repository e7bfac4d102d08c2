package bgp

import (
	"slices"
	"testing"
)

// What EIGRP knows of a route goes with it: in a VPN, over a reflector, and in the global table.
func TestEIGRPCommunities(t *testing.T) {
	t.Parallel()
	of := func(delay uint64) []uint64 {
		return []uint64{0x8800_8000_0000_0000, 0x8801_0064_0000_0000 | delay, 0x8802_ff01_0003_e800, 0x8803_ff01_0000_05dc, 0x8806_0000_0a00_0001}
	}
	vpn, global := pfx("192.168.12.0/24"), pfx("10.9.0.0/16")
	h, a, b := star(t, func(c *Config) {
		for i := range c.Neighbours {
			c.Neighbours[i].Families = append(c.Neighbours[i].Families, Activation{Family: IPv4Unicast, SendExtended: true})
		}
	})
	_ = h
	for _, x := range []*box{a, b} {
		c := x.vpn(0, h)
		c.Port, c.VRFs = x.s.cfg.Port, twoVRFs()
		c.Neighbours[0].Families = append(c.Neighbours[0].Families, Activation{Family: IPv4Unicast, SendExtended: true})
		x.configure(c)
	}
	established(t, h, a, b)
	a.announce(Local{VRF: "red", Prefix: vpn, Label: 78, Extended: of(512)}, Local{Prefix: global, Extended: of(768)})
	wait(t, "the VPN route", has(b, "red", vpn.String()))
	wait(t, "the global route", has(b, "", global.String()))
	r, _ := b.route("red", vpn.String())
	if !slices.Equal(r.Extended, of(512)) || !slices.Equal(r.Targets, []RouteTarget{mustRT("1:1")}) || r.NextHop != a.addr || !slices.Equal(r.Labels, []uint32{78}) {
		t.Errorf("VPN route %+v", r)
	}
	if g, _ := b.route("", global.String()); !slices.Equal(g.Extended, of(768)) || len(g.Targets) != 0 {
		t.Errorf("global route %+v", g)
	}
	if other, _ := b.route("red", "192.168.11.0/24"); len(other.Extended) != 0 {
		t.Errorf("a route that EIGRP does not know has %x", other.Extended)
	}
	// Another metric is another route to who listens.
	a.announce(Local{VRF: "red", Prefix: vpn, Label: 78, Extended: of(1024)})
	wait(t, "the new metric", func() bool { r, _ := b.route("red", vpn.String()); return slices.Equal(r.Extended, of(1024)) })
	a.announce(Local{VRF: "red", Prefix: vpn, Label: 78})
	wait(t, "no metric", func() bool { r, ok := b.route("red", vpn.String()); return ok && len(r.Extended) == 0 })
}
