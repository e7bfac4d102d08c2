package gateway

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath/eigrp"
	"nave/slowpath/eigrp/eigrpmsg"
)

const eigrpBox = `hostname box
key chain KEYS
 key 1
  key-string sesame
  accept-lifetime 00:00:00 Jan 1 2026 infinite
 key 2
ip vrf red
 rd 1:1
interface Loopback0
 ip address 10.9.9.1 255.255.255.255
interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
 ip authentication key-chain eigrp 1 KEYS
 ip summary-address eigrp 1 192.168.0.0 255.255.0.0
interface Ethernet1
 ip vrf forwarding red
 ip address 192.168.11.1 255.255.255.0
ip route 10.66.0.0 255.255.0.0 Null0
ip prefix-list LANS seq 5 permit 10.0.0.0/8 le 24
router eigrp 1
 network 192.0.2.0
 network 10.9.9.1 0.0.0.0
 passive-interface Loopback0
 redistribute static
 redistribute bgp 65000
 distribute-list prefix LANS out Ethernet0
router eigrp OVERLAY
 address-family ipv4 vrf red autonomous-system 40
  network 192.168.11.0 0.0.0.255
router bgp 65000
 address-family ipv4 vrf red
  redistribute eigrp 40
`

// hello has a neighbor at an address greet a process of the box.
func hello(t *testing.T, c *Core, iface, from string, vrf fib.VRF, as uint16) {
	t.Helper()
	p := eigrpmsg.Packet{Opcode: eigrpmsg.Hello, AS: as, Parameters: &eigrpmsg.Parameters{K: [6]uint8{1, 0, 1}, Hold: 15}, Software: &eigrpmsg.Software{Major: 8, TLVMajor: 2}}
	b, err := p.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.router.At(start).EIGRP(vrf, eigrp.PacketReceived{Iface: iface, From: netip.MustParseAddr(from), Multicast: true, Payload: b})
}

// Queries of EIGRP are of a table and an AS, and of a prefix where one is named.
func TestEIGRPQueries(t *testing.T) {
	c, _ := newCore(t, eigrpBox)
	ask := func(q show.Query) string {
		t.Helper()
		a, err := c.Query(start, q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		var out []string
		for _, p := range a.EIGRP {
			name := "global"
			if p.Key.VRF != fib.Global {
				name = c.vrfNameOf(p.Key.VRF)
			}
			for _, x := range p.Topology {
				name += " " + x.Prefix.String()
			}
			out = append(out, name)
		}
		return strings.Join(out, ", ")
	}
	for _, x := range []struct {
		q    show.Query
		want string
	}{
		{show.Query{Table: show.TableEIGRP}, "global"}, {show.Query{Table: show.TableEIGRP, VRF: "red"}, "red"}, {show.Query{Table: show.TableEIGRP, VRF: show.AllVRFs}, "global, red"},
		{show.Query{Table: show.TableEIGRP, AS: 40}, ""}, {show.Query{Table: show.TableEIGRP, VRF: show.AllVRFs, AS: 40}, "red"},
		{show.Query{Table: show.TableTopology}, "global 10.9.9.1/32 10.66.0.0/16 192.0.2.0/24"},
		{show.Query{Table: show.TableTopology, Dest: netip.MustParsePrefix("192.0.2.77/32")}, "global 192.0.2.0/24"},
		{show.Query{Table: show.TableTopology, Dest: netip.MustParsePrefix("192.0.2.0/25"), Exact: true}, "global"},
		{show.Query{Table: show.TableTopology, VRF: "red"}, "red 192.168.11.0/24"},
	} {
		if got := ask(x.q); got != x.want {
			t.Errorf("%+v: %q, want %q", x.q, got, x.want)
		}
	}
	if _, err := c.Query(start, show.Query{Table: show.TableEIGRP, VRF: "green"}); err == nil || !strings.Contains(err.Error(), "No VRF named green") {
		t.Errorf("a VRF that there is not: %v", err)
	}
}

// What is cleared is the neighbors that fit; what fits none is an error that says where they are listed.
func TestClearEIGRP(t *testing.T) {
	c, _ := newCore(t, eigrpBox)
	hello(t, c, "Ethernet0", "192.0.2.9", fib.Global, 1)
	for want, what := range map[string]ClearEIGRP{
		"No EIGRP process 7 in the global table": {AS: 7}, "No EIGRP process 1 in VRF red": {VRF: "red", AS: 1}, "No VRF named green": {VRF: "green"},
		"No EIGRP neighbor 192.0.2.8; `show ip eigrp neighbors`": {Neighbor: netip.MustParseAddr("192.0.2.8")}, "No EIGRP neighbor on Loopback0": {Iface: "Loopback0"},
		"No EIGRP neighbor 192.0.2.9; `show ip eigrp vrf red neighbors`": {VRF: "red", Neighbor: netip.MustParseAddr("192.0.2.9")},
	} {
		if err := c.ClearEIGRP(start, what); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", what, err, want)
		}
	}
	neighbors := func() int { return len(c.router.At(start).EIGRPStatus(false)[0].Neighbors) }
	if neighbors() != 1 {
		t.Fatal("what fits no neighbor ended one")
	}
	for _, what := range []ClearEIGRP{{Neighbor: netip.MustParseAddr("192.0.2.9")}, {Iface: "Ethernet0"}, {VRF: show.AllVRFs}, {AS: 1}, {}} {
		if err := c.ClearEIGRP(start, what); err != nil || neighbors() != 0 {
			t.Errorf("%+v: %v, %d left", what, err, neighbors())
		}
		hello(t, c, "Ethernet0", "192.0.2.9", fib.Global, 1)
	}
	if err := c.ClearEIGRP(start, ClearEIGRP{VRF: "red"}); err != nil {
		t.Errorf("a process without neighbors: %v", err)
	}
}

// The configuration of protocols and key chains is shown, and no key of it.
func TestProtocolStatus(t *testing.T) {
	c, _ := newCore(t, eigrpBox)
	s := c.Status(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))
	a, err := c.Query(start, show.Query{Table: show.TableTopology})
	if err != nil {
		t.Fatal(err)
	}
	text := show.IPProtocols(&s, show.Query{}, &a) + show.KeyChains(&s, "")
	for _, want := range []string{
		"Routing Protocol is \"eigrp 1\"\n", "    Ethernet0 filtered by (prefix-list) LANS (per-user), default is not set\n", "  Redistributing: bgp 65000, static\n", "    Router-ID: 10.9.9.1\n",
		"    192.168.0.0/16 for Et0\n", "  Routing for Networks:\n    192.0.2.0\n    10.9.9.1/32\n  Passive Interface(s):\n    Loopback0\n",
		"Key-chain KEYS:\n    key 1 -- text \"(hidden)\"\n        accept lifetime (00:00:00 UTC Jan 1 2026) - (infinite) [valid now]\n        send lifetime (always valid) - (always valid) [valid now]\n    key 2 -- text \"(unset)\"\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
	of := func(vrf string) *show.EIGRPConfigured {
		k := slices.IndexFunc(s.Protocols.EIGRP, func(p show.EIGRPConfigured) bool { return p.VRF == vrf })
		return &s.Protocols.EIGRP[k]
	}
	if chain := of("").KeyChains["Ethernet0"]; chain != "KEYS" {
		t.Errorf("the key chain of Ethernet0 is %q", chain)
	}
	if b, err := json.Marshal(s); err != nil || strings.Contains(string(b), "sesame") {
		t.Errorf("a key is shown: %v", err)
	}
	if red := of("red"); red.VRF != "red" || red.AS != 40 || red.Networks[0].String() != "192.168.11.0/24" {
		t.Errorf("of named mode: %+v", red)
	}
	if n := len(s.Protocols.BGP); n != 2 || s.Protocols.BGP[0].VRF != "red" || s.Protocols.BGP[0].Redistribute[0] != "eigrp 40" || s.Protocols.BGP[1].VRF != "" {
		t.Errorf("BGP: %+v", s.Protocols.BGP)
	}
}
