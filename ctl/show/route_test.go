package show

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/rib"
)

// A loopback's address is a route; an address in a subnet, its own or the lender's, is none.
func TestHostRoutes(t *testing.T) {
	var s Status
	local := func(p, iface string) rib.Route {
		return rib.Route{Prefix: pfx(p), Source: rib.Local, Hops: []rib.NextHop{{Iface: iface}}}
	}
	for _, i := range []struct {
		name, addr string
		vrf        fib.VRF
	}{{"Loopback0", "10.9.9.1/32", 0}, {"Loopback1", "10.1.0.1/32", 0}, {"Ethernet0", "10.1.0.1/24", 1}, {"Ethernet1", "192.0.2.1/24", 0}, {"Tunnel0", "192.0.2.1/32", 0}} {
		s.Router.Interfaces = append(s.Router.Interfaces, rib.Interface{Name: i.name, VRF: i.vrf, Addrs: []netip.Prefix{pfx(i.addr)}})
	}
	out := Routes(&s, "", []rib.Route{local("10.1.0.1/32", "Loopback1"), local("10.9.9.1/32", "Loopback0"), local("192.0.2.1/32", "Tunnel0"), local("192.0.2.1/32", "Ethernet1")})
	for line, want := range map[string]bool{
		"C    10.9.9.1/32 is directly connected, Loopback0": true, "C    10.1.0.1/32 is directly connected, Loopback1": true, "192.0.2.1": false,
	} {
		if strings.Contains(out, line) != want {
			t.Errorf("%q: want %v:\n%s", line, want, out)
		}
	}
}

// A default route that drops packets is the gateway of last resort, too: that of a summary, and of Null0.
func TestLastResort(t *testing.T) {
	for want, r := range map[string]rib.Route{
		"Gateway of last resort is 0.0.0.0 to network 0.0.0.0\n\nD*   0.0.0.0/0 is a summary, 00:00:01, Null0\n": {Source: rib.EIGRP, Since: ago(time.Second)},
		"Gateway of last resort is 0.0.0.0 to network 0.0.0.0\n\nS*   0.0.0.0/0 is directly connected, Null0\n":  {Source: rib.Static},
		"Gateway of last resort is 10.0.0.1 to network 0.0.0.0\n\nK*   0.0.0.0/0 [1/0] via 10.0.0.1, Tunnel0\n":  {Source: rib.Kernel, Distance: 1, Hops: []rib.NextHop{{Iface: "Tunnel0", Addr: addr("10.0.0.1")}}},
	} {
		r.Prefix = pfx("0.0.0.0/0")
		if text := Routes(&Status{Time: now}, "", []rib.Route{r}); !strings.HasSuffix(text, want) {
			t.Errorf("%s\nwant %s", text, want)
		}
	}
}
