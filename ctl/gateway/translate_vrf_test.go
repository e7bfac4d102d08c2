package gateway

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/ike"
	"nave/slowpath/rib"
)

const vrfs = "ip vrf BLUE\n rd 1:1\nip vrf RED\n rd 2:2\n"

// reason finds what is said about something.
func reason(problems []show.Problem, what string) string {
	for _, p := range problems {
		if p.What == what {
			return p.Why
		}
	}
	return ""
}

func TestVRFs(t *testing.T) {
	out, problems := translate(parse(t, vrfs+`mpls label mode all-vrfs protocol bgp-vpnv4 per-vrf
mpls label mode vrf RED protocol bgp-vpnv4 per-prefix
interface Ethernet0
 ip vrf forwarding RED
 ip address 192.0.2.1 255.255.255.0
interface Ethernet1
 ip address 192.0.2.1 255.255.255.0
 mpls ip
interface Loopback0
 ip vrf forwarding BLUE
 ip address 10.9.9.9 255.255.255.255
interface Tunnel0
 ip vrf forwarding BLUE
 ip address 10.0.0.1 255.255.255.0
 ip nhrp network-id 1
 tunnel source 192.0.2.1
 tunnel mode gre multipoint
 tunnel vrf RED
 tunnel key 1
interface Tunnel1
 ip vrf forwarding RED
 ip address 10.0.0.1 255.255.255.0
 tunnel source Ethernet0
 tunnel destination 192.0.2.2
 tunnel vrf RED
interface Tunnel2
 ip address 10.0.0.1 255.255.255.0
 ip nhrp network-id 1
 tunnel source 192.0.2.1
 tunnel mode gre multipoint
 mpls ip
interface Tunnel3
 ip unnumbered Loopback0
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel vrf RED
 tunnel key 3
`), two(), newNumbers())
	if want := []slowpath.VRF{{ID: 1, Name: "BLUE", PerVRF: true}, {ID: 2, Name: "RED"}}; !slices.Equal(out.VRFs, want) || len(problems) != 0 {
		t.Errorf("VRFs %v, want %v; problems %v", out.VRFs, want, problems)
	}
	for name, want := range map[string]struct {
		vrf, outer fib.VRF
		mpls       bool
		local      string
	}{
		"Ethernet0": {vrf: 2}, "Ethernet1": {mpls: true}, "Loopback0": {vrf: 1}, "Tunnel0": {vrf: 1, outer: 2, local: "192.0.2.1"},
		"Tunnel1": {vrf: 2, outer: 2, local: "192.0.2.1"}, "Tunnel2": {mpls: true, local: "192.0.2.1"}, "Tunnel3": {outer: 2, local: "192.0.2.1"},
	} {
		i := find(out, name)
		if i.VRF != want.vrf || i.MPLS != want.mpls || !i.Up || i.Tunnel != nil && (i.Tunnel.OuterVRF != want.outer || i.Tunnel.Local.String() != want.local) {
			t.Errorf("%s: %+v %+v, want %+v", name, i, i.Tunnel, want)
		}
	}
	if got := find(out, "Tunnel3").Addrs; got != nil {
		t.Errorf("a global tunnel borrows an address of a VRF: %v", got)
	}
	if n := out.NHRP.Interfaces; n[0].VRF != "BLUE" || n[1].VRF != "" {
		t.Errorf("NHRP: %+v", n)
	}
}

// A tunnel is down where its source is in another VRF than its packets, and says what to do.
func TestTunnelSourceInAnotherVRF(t *testing.T) {
	const port = vrfs + "interface Ethernet0\n ip vrf forwarding RED\n ip address 192.0.2.1 255.255.255.0\n"
	for _, c := range []struct{ name, tunnel, why string }{
		{"by interface", " tunnel source Ethernet0\n", "say `tunnel vrf RED`"},
		{"by address", " tunnel source 192.0.2.1\n", "say `tunnel vrf RED`"},
		{"another VRF", " tunnel source Ethernet0\n tunnel vrf BLUE\n", "routed in VRF BLUE, and its source Ethernet0 is in VRF RED"},
		{"the source is global", " tunnel source Ethernet1\n tunnel vrf BLUE\n", "remove `tunnel vrf`"},
	} {
		out, problems := translate(parse(t, port+"interface Ethernet1\n ip address 198.51.100.1 255.255.255.0\n"+
			"interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n tunnel mode gre multipoint\n"+c.tunnel), two(), newNumbers())
		if i := find(out, "Tunnel0"); i.Up || i.Tunnel.Local.IsValid() || !strings.Contains(reason(problems, "interface Tunnel0"), c.why) {
			t.Errorf("%s: %+v, problems %v", c.name, i, problems)
		}
	}
}

func TestSubinterfaces(t *testing.T) {
	out, problems := translate(parse(t, vrfs+`interface Ethernet0
 shutdown
interface Ethernet0.10
 encapsulation dot1Q 10
 ip vrf forwarding RED
 ip address 10.0.0.1 255.255.255.0
interface Ethernet1.10
 encapsulation dot1Q 10
 ip vrf forwarding BLUE
 ip address 10.0.0.1 255.255.255.0
 ip mtu 1400
interface Ethernet1.20
 encapsulation dot1Q 20
 mpls ip
 ip address dhcp
interface Tunnel0
 ip address 10.8.0.1 255.255.255.0
 tunnel source Ethernet1.10
 tunnel mode gre multipoint
 tunnel vrf BLUE
`), two(), newNumbers())
	if len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
	mac := two().Links["Ethernet1"].MAC
	parent := find(out, "Ethernet1")
	if parent == nil || parent.Port == 0 || parent.MAC != mac || !parent.Up || parent.Addrs != nil {
		t.Fatalf("the port that only subinterfaces speak of: %+v", parent)
	}
	if i := find(out, "Ethernet0.10"); i.Up || i.Parent != find(out, "Ethernet0").Port || i.VLAN != 10 || i.VRF != 2 {
		t.Errorf("of a port that is shut down: %+v", i)
	}
	i, j := find(out, "Ethernet1.10"), find(out, "Ethernet1.20")
	if !i.Up || i.Parent != parent.Port || i.VLAN != 10 || i.VRF != 1 || i.MTU != 1400 || i.MAC != mac || i.MPLS {
		t.Errorf("Ethernet1.10: %+v", i)
	}
	if !j.Up || j.Parent != parent.Port || j.VLAN != 20 || j.MTU != 9000 || !j.MPLS || j.Port == i.Port || j.Port == parent.Port {
		t.Errorf("Ethernet1.20: %+v", j)
	}
	if k := slices.IndexFunc(out.Interfaces, func(i slowpath.Interface) bool { return i.Name == "Ethernet1" }); k > slices.IndexFunc(out.Interfaces, func(i slowpath.Interface) bool { return i.Name == "Ethernet1.10" }) {
		t.Error("the port comes after its subinterface")
	}
	if tun := find(out, "Tunnel0"); !tun.Up || tun.MTU != 9000-24 || tun.Tunnel.Local != addr("10.0.0.1") {
		t.Errorf("a tunnel from a subinterface: %+v %+v", tun, tun.Tunnel)
	}
}

func TestStaticsOfVRFs(t *testing.T) {
	facts := two()
	facts.Leases["Ethernet1"] = Lease{Address: pfx("198.51.100.7/24"), Gateway: addr("198.51.100.254")}
	const box = vrfs + "interface Ethernet0\n ip vrf forwarding RED\n ip address 192.0.2.1 255.255.255.0\ninterface Ethernet1\n ip vrf forwarding BLUE\n ip address dhcp\n"
	dhcp := []rib.NextHop{{Iface: "Ethernet1", Addr: addr("198.51.100.254")}}
	leased := rib.StaticRoute{Prefix: pfx("0.0.0.0/0"), Source: rib.DHCP, Hops: dhcp}
	ten := rib.StaticRoute{Prefix: pfx("10.0.0.0/8"), Source: rib.Static, Hops: []rib.NextHop{{Addr: addr("192.0.2.2")}}}
	for _, c := range []struct {
		name, text string
		want       map[fib.VRF][]rib.StaticRoute
		why        string
	}{
		{"one", "ip route vrf RED 10.0.0.0 255.0.0.0 192.0.2.2\n", map[fib.VRF][]rib.StaticRoute{2: {ten}}, ""},
		{"each its own", "ip route vrf RED 10.0.0.0 255.0.0.0 192.0.2.2\nip route 10.0.0.0 255.0.0.0 192.0.2.2\n", map[fib.VRF][]rib.StaticRoute{0: {ten}, 2: {ten}}, ""},
		{"dhcp", "ip route vrf BLUE 10.0.0.0 255.0.0.0 dhcp\n", map[fib.VRF][]rib.StaticRoute{1: {{Prefix: pfx("10.0.0.0/8"), Source: rib.Static, Hops: dhcp}, leased}}, ""},
		{"dhcp of another", "ip route vrf RED 10.0.0.0 255.0.0.0 dhcp\n", nil, ""},
		{"Null0", "ip route vrf RED 10.0.0.0 255.0.0.0 Null0\n", map[fib.VRF][]rib.StaticRoute{2: {{Prefix: pfx("10.0.0.0/8"), Source: rib.Static}}}, ""},
		{"global", "ip route vrf RED 10.0.0.0 255.0.0.0 192.0.2.2 global\n", nil, "route targets"},
		{"an interface of another", "ip route vrf RED 10.0.0.0 255.0.0.0 Ethernet1\n", nil, "Ethernet1 is in VRF BLUE"},
		{"an interface of a VRF in the global table", "ip route 10.0.0.0 255.0.0.0 Ethernet0 192.0.2.2\n", nil, "Ethernet0 is in VRF RED"},
		{"an undefined VRF", "ip route vrf GREEN 10.0.0.0 255.0.0.0 192.0.2.2\n", nil, "GREEN is not defined"},
	} {
		out, problems := translate(parse(t, box+c.text), facts, newNumbers())
		if c.want == nil {
			c.want = map[fib.VRF][]rib.StaticRoute{}
		}
		if len(c.want[1]) == 0 {
			c.want[1] = []rib.StaticRoute{leased}
		}
		if !reflect.DeepEqual(out.Statics, c.want) || c.why == "" && len(problems) != 0 || c.why != "" && (len(problems) != 1 || !strings.Contains(problems[0].Why, c.why)) {
			t.Errorf("%s: %v, want %v; problems %v", c.name, out.Statics, c.want, problems)
		}
	}
}

func TestLabelsOnlyInTheGlobalTable(t *testing.T) {
	out, problems := translate(parse(t, vrfs+"interface Ethernet0\n ip vrf forwarding RED\n ip address 192.0.2.1 255.255.255.0\n mpls ip\n"), two(), newNumbers())
	if find(out, "Ethernet0").MPLS || !strings.Contains(reason(problems, "interface Ethernet0"), "labels are of the global table") {
		t.Errorf("in a VRF: %v", problems)
	}
	out, problems = translate(parse(t, "no mpls ip\n"+wan+" mpls ip\n"), two(), newNumbers())
	if find(out, "Ethernet0").MPLS || !strings.Contains(reason(problems, "interface Ethernet0"), "no mpls ip") {
		t.Errorf("turned off: %v", problems)
	}
	if out, _ = translate(parse(t, wan+" mpls bgp forwarding\n"), two(), newNumbers()); !find(out, "Ethernet0").MPLS {
		t.Error("`mpls bgp forwarding` takes no labels")
	}
}

const cryptoOfVRFs = vrfs + `crypto isakmp key global address 0.0.0.0
crypto keyring RED vrf RED
 local-address Ethernet0
 pre-shared-key address 0.0.0.0 0.0.0.0 key red
crypto keyring BLUE vrf BLUE
 pre-shared-key address 0.0.0.0 0.0.0.0 key blue
crypto keyring WRONG vrf BLUE
 local-address Ethernet0
 pre-shared-key address 0.0.0.0 0.0.0.0 key wrong
crypto keyring GREEN vrf GREEN
 pre-shared-key address 0.0.0.0 0.0.0.0 key green
crypto isakmp policy 1
 encryption aes
 authentication pre-share
 group 14
crypto isakmp profile RED
 keyring RED
 vrf BLUE
 match identity address 0.0.0.0 0.0.0.0 RED
 match identity address 192.0.2.0 255.255.255.0
 match identity address 192.0.2.0 255.255.255.0 GREEN
crypto ikev2 policy ANY
 match fvrf any
 proposal default
crypto ikev2 policy RED
 match fvrf RED
 proposal default
crypto ikev2 policy HERE
 proposal default
crypto ikev2 profile BLUE
 match fvrf BLUE
 match identity remote any
 authentication local pre-share
 authentication remote pre-share
crypto ikev2 profile GREEN
 match fvrf GREEN
 match identity remote any
 authentication local pre-share
 authentication remote pre-share
crypto ipsec transform-set T esp-aes esp-sha256-hmac
 mode transport
crypto ipsec profile P
 set transform-set T
crypto ipsec profile Q
 set transform-set T
 set isakmp-profile RED
interface Ethernet0
 ip vrf forwarding RED
 ip address 192.0.2.1 255.255.255.0
interface Ethernet1
 ip vrf forwarding BLUE
 ip address 192.0.2.1 255.255.255.0
interface Tunnel0
 ip address 10.0.0.1 255.255.255.0
 ip nhrp network-id 1
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel vrf RED
 tunnel protection ipsec profile P shared
interface Tunnel1
 ip vrf forwarding BLUE
 ip address 10.0.0.1 255.255.255.0
 ip nhrp network-id 1
 tunnel source Ethernet1
 tunnel mode gre multipoint
 tunnel vrf BLUE
 tunnel protection ipsec profile P shared
interface Tunnel2
 ip vrf forwarding RED
 ip address 10.2.0.1 255.255.255.0
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel vrf RED
 tunnel key 2
 tunnel protection ipsec profile P shared
interface Tunnel3
 ip vrf forwarding RED
 ip address 10.3.0.1 255.255.255.0
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel vrf RED
 tunnel key 3
 tunnel protection ipsec profile Q
`

// IKE's keys, profiles and policies are of the VRF of the encrypted packets; protection is shared within one.
func TestCryptoOfVRFs(t *testing.T) {
	out, problems := translate(parse(t, cryptoOfVRFs), two(), newNumbers())
	const blue, red = 1, 2
	var rings []string
	for _, k := range out.IKE.Keyrings {
		rings = append(rings, fmt.Sprintf("%s %d %s", k.Name, k.VRF, k.LocalAddr))
	}
	if want := []string{" 0 invalid IP", "BLUE 1 invalid IP", "RED 2 192.0.2.1"}; !slices.Equal(rings, want) {
		t.Errorf("keyrings %q, want %q", rings, want)
	}
	if m := out.IKE.V1.Profiles[0].Match; len(m) != 2 || m[0].VRF != red || m[1].VRF != 0 {
		t.Errorf("matches: %+v", m)
	}
	if p := out.IKE.V2.Policies; len(p) != 3 || p[0].VRF != ike.AnyVRF || p[1].VRF != 0 && p[2].VRF != 0 || p[1].VRF+p[2].VRF != red {
		t.Errorf("policies: %+v", p)
	}
	if p := out.IKE.V2.Profiles; len(p) != 1 || p[0].Name != "BLUE" || p[0].VRF != blue {
		t.Errorf("IKEv2 profiles: %+v", p)
	}
	var got []string
	for k, p := range out.IKE.Protections {
		s := out.Sessions.Protections[k]
		if s.ID != p.ID || s.VRF != p.VRF || s.Local != p.Local {
			t.Errorf("IKE and sessions are told of different protections: %+v, %+v", p, s)
		}
		got = append(got, fmt.Sprint(p.VRF, p.Local, s.Ifaces))
	}
	if want := []string{"2 192.0.2.1 [Tunnel0 Tunnel2]", "1 192.0.2.1 [Tunnel1]", "2 192.0.2.1 [Tunnel3]"}; !slices.Equal(got, want) {
		t.Errorf("protections %q, want %q", got, want)
	}
	for what, why := range map[string]string{
		"crypto keyring WRONG": "Ethernet0 is in VRF RED", "crypto keyring GREEN": "GREEN is not defined", "crypto isakmp profile RED": "",
		"crypto ikev2 profile GREEN": "GREEN is not defined",
	} {
		if got := reason(problems, what); got == "" || !strings.Contains(got, why) {
			t.Errorf("%s: %q", what, got)
		}
	}
	if !slices.ContainsFunc(problems, func(p show.Problem) bool {
		return p.What == "crypto isakmp profile RED" && strings.Contains(p.Why, "says VRF BLUE, and Tunnel3 is in VRF RED")
	}) {
		t.Errorf("the VRF inside: %v", problems)
	}
}

// VRFs of before are found by their interfaces, whatever the order and even with the same addresses in two; what is not certain gets a number that was not in use.
func TestNumbersOfVRFsOfBefore(t *testing.T) {
	a := addr("192.0.2.1")
	before := &fib.Batch{
		Ports: []fib.Port{
			{ID: 1, MAC: [6]byte{2, 0, 0, 0, 0, 1}, VRF: 7, Addr: a}, {ID: 2, MAC: [6]byte{2, 0, 0, 0, 0, 2}, VRF: 3, Addr: a},
			{ID: 5, MAC: [6]byte{2, 0, 0, 0, 0, 2}, VRF: 4, Parent: 2, VLAN: 20},
		},
		Tunnels: []fib.Tunnel{{ID: 1, VRF: 5, OuterVRF: 7, Local: a, Key: 1, HasKey: true}, {ID: 2, VRF: 6, OuterVRF: 3, Local: a, Key: 1, HasKey: true}},
		Routes:  []fib.Route{{VRF: 9, Prefix: pfx("10.0.0.0/8")}},
	}
	text := func(port0, port1, sub, tunnel0, tunnel1, more string) string {
		of := func(vrf string) string {
			if vrf == "" {
				return ""
			}
			return " ip vrf forwarding " + vrf + "\n"
		}
		return "ip vrf A\n rd 1:1\nip vrf B\n rd 1:2\nip vrf C\n rd 1:3\nip vrf D\n rd 1:4\nip vrf E\n rd 1:5\n" + more +
			"interface Ethernet0\n" + of(port0) + " ip address 192.0.2.1 255.255.255.0\ninterface Ethernet1\n" + of(port1) + " ip address 192.0.2.1 255.255.255.0\n" +
			"interface Ethernet1.20\n encapsulation dot1Q 20\n" + of(sub) +
			"interface Tunnel0\n" + of(tunnel0) + " tunnel source Ethernet0\n tunnel mode gre multipoint\n tunnel key 1\n tunnel vrf " + port0 +
			"\ninterface Tunnel1\n" + of(tunnel1) + " tunnel source Ethernet1\n tunnel mode gre multipoint\n tunnel key 1\n tunnel vrf " + port1 + "\n"
	}
	for _, c := range []struct {
		name, text string
		want       map[string]fib.VRF
		tunnels    [2]fib.TunnelID
	}{
		{"as before", text("B", "A", "C", "D", "E", ""), map[string]fib.VRF{"A": 3, "B": 7, "C": 4, "D": 5, "E": 6}, [2]fib.TunnelID{1, 2}},
		{"an interface has moved to another", text("B", "B", "C", "D", "E", ""), map[string]fib.VRF{"C": 4, "A": 1, "B": 2}, [2]fib.TunnelID{3, 4}},
		{"a tunnel has moved", text("B", "A", "C", "D", "A", ""), map[string]fib.VRF{"A": 1, "B": 7, "C": 4, "D": 5}, [2]fib.TunnelID{1, 3}},
		{"two VRFs share what was one's", text("B", "A", "A", "D", "E", ""), map[string]fib.VRF{"A": 1, "B": 7}, [2]fib.TunnelID{1, 3}},
	} {
		n := newNumbers()
		n.inherit(before)
		out, _ := translate(parse(t, c.text), two(), n)
		got := make(map[string]fib.VRF)
		seen := make(map[fib.VRF]bool)
		for _, v := range out.VRFs {
			got[v.Name] = v.ID
			if seen[v.ID] || v.ID == 9 {
				t.Errorf("%s: number %d twice, or in use: %v", c.name, v.ID, out.VRFs)
			}
			seen[v.ID] = true
		}
		for name, id := range c.want {
			if got[name] != id {
				t.Errorf("%s: VRF %s is %d, want %d (%v)", c.name, name, got[name], id, got)
			}
		}
		if ids := [2]fib.TunnelID{find(out, "Tunnel0").Tunnel.ID, find(out, "Tunnel1").Tunnel.ID}; ids != c.tunnels {
			t.Errorf("%s: tunnels %v, want %v", c.name, ids, c.tunnels)
		}
	}
}

// A number rests after its VRF is gone, and there are only so many.
func TestVRFNumbersRest(t *testing.T) {
	n := newNumbers()
	number := func(name string) fib.VRF {
		id, _ := n.vrf(name)
		return id
	}
	if number("A") != 1 || number("B") != 2 || number("A") != 1 || number("") != 0 {
		t.Fatal("numbers are not given in order")
	}
	n.keepVRFs([]string{"B"})
	if got := number("C"); got != 3 {
		t.Errorf("a new VRF got number %d, which was another's a moment ago", got)
	}
	if got := number("A"); got != 4 {
		t.Errorf("a VRF that is back: %d", got)
	}
	for i := range maxVRFs - 4 {
		if number(fmt.Sprint("V", i)) == 1 {
			t.Fatalf("the resting number was given with %d left", maxVRFs-4-i)
		}
	}
	if got := number("last"); got != 1 {
		t.Errorf("the last: %d", got)
	}
	if _, ok := n.vrf("too many"); ok {
		t.Error("there is a number more than there can be")
	}
	var text strings.Builder
	for i := range maxVRFs + 1 {
		fmt.Fprintf(&text, "ip vrf V%d\n rd 1:%d\n", i, i+1)
	}
	out, problems := translate(parse(t, text.String()+wan+" ip vrf forwarding V99\ninterface Ethernet1\n ip vrf forwarding V255\n"), two(), newNumbers())
	if len(out.VRFs) != maxVRFs || len(problems) != 2 || find(out, "Ethernet0") != nil && find(out, "Ethernet1") != nil {
		t.Errorf("%d VRFs, problems %v", len(out.VRFs), problems)
	}
}
