package gateway

import (
	"net/netip"
	"testing"

	"nave/ctl/show"
)

// Own addresses are those of ports, in the VRF that was asked for; tunnels and loopbacks are on no link.
func TestOwnAddresses(t *testing.T) {
	c, _ := newCore(t, "ip vrf red\n rd 1:1\ninterface Ethernet0\n ip address 192.0.2.1 255.255.255.0\n ip address 192.0.3.1 255.255.255.0 secondary\n"+
		"interface Ethernet1\n ip vrf forwarding red\n ip address 10.1.0.1 255.255.255.0\n"+
		"interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n ip nhrp network-id 1\n tunnel source Ethernet0\n tunnel mode gre multipoint\ninterface Loopback0\n ip address 10.9.9.9 255.255.255.255\n")
	for vrf, want := range map[string][]string{"": {"192.0.2.1", "192.0.3.1", "10.1.0.1"}, "red": {"10.1.0.1"}, show.GlobalVRF: {"192.0.2.1", "192.0.3.1"}, "blue": nil} {
		list := c.ownAddresses(show.Query{Table: show.TableARP, VRF: vrf})
		if len(list) != len(want) {
			t.Errorf("of %q: %+v, want %v", vrf, list, want)
			continue
		}
		for k, n := range list {
			if n.Addr != netip.MustParseAddr(want[k]) || !n.Own || !n.OK || (n.VRF == "red") != (n.Iface == "Ethernet1") || n.MAC == [6]byte{} {
				t.Errorf("of %q: %+v, want %s", vrf, n, want[k])
			}
		}
	}
}
