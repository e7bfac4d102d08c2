package gateway

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"nave/ctl/show"
	"nave/slowpath/dmvpn"
)

const natTunnels = wan + `crypto isakmp policy 1
 authentication pre-share
crypto isakmp key k address 0.0.0.0
crypto ipsec transform-set t esp-aes esp-sha-hmac
 mode transport
crypto ipsec profile p
 set transform-set t
interface Loopback1
 ip address 192.0.2.101 255.255.255.255
interface Loopback2
 ip address 192.0.2.102 255.255.255.255
interface Tunnel0
 ip address 10.0.0.1 255.255.255.0
 ip nhrp network-id 1
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel protection ipsec profile p
interface Tunnel1
 ip address 10.1.0.2 255.255.255.0
 ip nhrp network-id 2
 ip nhrp map 10.1.0.1 203.0.113.1
 ip nhrp nhs 10.1.0.1
 ip nhrp nhs 10.1.0.3 nbma 203.0.113.3
 tunnel source Loopback1
 tunnel mode gre multipoint
 tunnel protection ipsec profile p
interface Tunnel2
 ip address 10.2.0.1 255.255.255.252
 tunnel source Loopback2
 tunnel destination 203.0.113.9
 tunnel protection ipsec profile p
`

// Each protection is told what its tunnels are in their DMVPN, by hardware that minds where hubs are, and not by another.
func TestHardwareHubsBehindNAT(t *testing.T) {
	c, _ := emulating(t, &Profiles{})
	type place struct {
		minds, hub bool
		servers    []netip.Addr
	}
	places := func(text string) map[string]place {
		t.Helper()
		if err := c.Configure(start, parse(t, text)); err != nil {
			t.Fatal(err)
		}
		out := make(map[string]place)
		for _, p := range c.Current().Sessions.Protections {
			out[p.Ifaces[0]] = place{p.NoHubBehindNAT, p.Hub, p.Servers}
		}
		return out
	}
	any := map[string]place{"Tunnel0": {}, "Tunnel1": {}, "Tunnel2": {}}
	for name, want := range map[string]map[string]place{
		"":     any,
		"sup2": {"Tunnel2": {}}, // no DMVPN at all
		"sup720-3bxl-7600-spa": {
			"Tunnel0": {minds: true, hub: true},
			"Tunnel1": {minds: true, servers: []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.3")}},
			"Tunnel2": {minds: true},
		},
	} {
		text := natTunnels
		if name != "" {
			text = platform(name) + text
		}
		if got := places(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v", name, got)
		}
	}
	if got := places(natTunnels); !reflect.DeepEqual(got, any) {
		t.Errorf("without it again: %+v", got)
	}
}

// Each tunnel that a session is refused on is named once.
func TestRefusedHubs(t *testing.T) {
	list := []dmvpn.SessionStatus{
		{Ifaces: []string{"Tunnel0", "Tunnel1"}, Barred: true, BarredSelf: true},
		{Ifaces: []string{"Tunnel0"}, Barred: true, BarredSelf: true}, {Ifaces: []string{"Tunnel2"}, Barred: true}, {Ifaces: []string{"Tunnel3"}},
	}
	want := []show.Restricted{
		{Interface: "Tunnel0", Command: "tunnel source", Refused: true, Key: "nat.hub"}, {Interface: "Tunnel1", Command: "tunnel source", Refused: true, Key: "nat.hub"},
		{Interface: "Tunnel2", Command: "ip nhrp nhs", Refused: true, Key: "nat.hub"},
	}
	if got := refusedHubs(list); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}
