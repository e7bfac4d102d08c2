package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"nave/fastpath/packet"
)

// trunkSide is a router on one end of a trunk, with a subinterface and hosts for each color.
func trunkSide(side int, more string) string {
	return fmt.Sprintf(`hostname side%[1]d
ip vrf blue
 rd 1:1
ip vrf red
 rd 1:2
interface Ethernet0.10
 encapsulation dot1Q 10
 ip vrf forwarding blue
 ip address 10.0.0.%[1]d 255.255.255.0
interface Ethernet0.20
 encapsulation dot1Q 20
 ip vrf forwarding red
 ip address 10.0.0.%[1]d 255.255.255.0
interface Ethernet1
 ip vrf forwarding blue
 ip address 192.168.%[1]d.1 255.255.255.0
interface Ethernet2
 ip vrf forwarding red
 ip address 192.168.%[1]d.1 255.255.255.0
interface Loopback0
 ip vrf forwarding red
 ip address 10.77.0.%[1]d 255.255.255.255
ip route vrf blue 192.168.%[2]d.0 255.255.255.0 10.0.0.%[2]d
ip route vrf red 192.168.%[2]d.0 255.255.255.0 10.0.0.%[2]d
ip route vrf red 10.77.0.%[2]d 255.255.255.255 10.0.0.%[2]d
`, side, 3-side) + more
}

func trunk(t *testing.T, more string) (n *Net, cable *Link, leaks *leakWatch) {
	t.Helper()
	n = New(t, 21)
	leaks = &leakWatch{color: make(map[*Link]string), sent: make(map[uint16]string)}
	for side := 1; side <= 2; side++ {
		n.AddRouter(fmt.Sprintf("side%d", side), trunkSide(side, strings.ReplaceAll(more, "SIDE", fmt.Sprint(side))))
		for k, c := range colors {
			host := fmt.Sprintf("%s%d", c, side)
			n.AddHost(host, fmt.Sprintf("192.168.%d.1", side))
			leaks.color[n.Connect(fmt.Sprintf("side%d:Ethernet%d", side, 1+k), fmt.Sprintf("%s:192.168.%d.7/24", host, side), LinkConfig{})] = c
		}
	}
	cable = n.Connect("side1:Ethernet0", "side2:Ethernet0", LinkConfig{})
	n.Tap(leaks.look)
	return n, cable, leaks
}

// Two routers on a trunk: each color has its VLAN, forwarding and the hosts' own packets alike, and the same addresses in both.
func TestTrunk(t *testing.T) {
	n, cable, leaks := trunk(t, "")
	tags := make(map[uint16]int)
	n.Tap(func(c Crossing) {
		if c.Link != cable {
			return
		}
		vlan, ok := vlanOf(c.Frame)
		if eth := packet.Ethernet(c.Frame); !ok || eth.Type() != packet.TypeVLAN {
			t.Errorf("a frame without a tag: %x", c.Frame[:min(len(c.Frame), 40)])
		}
		tags[vlan]++
	})
	for range 2 {
		for _, c := range colors {
			for _, size := range []int{84, 1500, 4000} {
				if r := leaks.ping(n, c+"1", "192.168.2.7", PingOptions{Size: size}); !r.OK || r.TTL != 62 {
					t.Errorf("%s, %d bytes: %v", c, size, r)
				}
			}
			if r := leaks.ping(n, c+"2", "192.168.1.7", PingOptions{TTL: 2}); r.Error == nil || r.Error.From != n.addr("10.0.0.1") {
				t.Errorf("%s, TTL 2: %v", c, r)
			}
			for _, to := range []string{"10.0.0.2", "192.168.2.1", "192.168.2.7"} { // of the routers' own host stacks
				if r := n.Ping("side1", to, PingOptions{VRF: c, Size: 2000}); !r.OK {
					t.Errorf("side1 in %s to %s: %v", c, to, r)
				}
			}
			if r := leaks.ping(n, c+"1", "10.77.0.2"); r.OK != (c == "red") {
				t.Errorf("%s1 to the loopback of red: %v", c, r)
			}
		}
	}
	if len(tags) != 2 || tags[10] == 0 || tags[20] == 0 || leaks.count != 0 {
		t.Errorf("frames by VLAN %v, %d leaks", tags, leaks.count)
	}
}

// A subinterface goes up and down with its port, and comes and goes by itself.
func TestTrunkChanges(t *testing.T) {
	n, cable, leaks := trunk(t, "")
	ok := func(color string, want bool, when string) {
		t.Helper()
		if r := leaks.ping(n, color+"1", "192.168.2.7"); r.OK != want {
			t.Errorf("%s %s: %v", color, when, r)
		}
	}
	ok("blue", true, "at first")
	ok("red", true, "at first")
	cable.SetUp(false)
	n.Run(time.Second)
	ok("blue", false, "with the cable out")
	cable.SetUp(true)
	n.Run(5 * time.Second)
	ok("blue", true, "with the cable in again")
	side2 := n.Router("side2")
	side2.Edit("interface Ethernet0.20\n encapsulation dot1Q 20\n", "interface Ethernet0.20\n encapsulation dot1Q 30\n")
	n.Run(5 * time.Second)
	ok("red", false, "in another VLAN than the other side")
	ok("blue", true, "while red is in another VLAN")
	side2.Edit("interface Ethernet0.20\n encapsulation dot1Q 30\n", "interface Ethernet0.20\n encapsulation dot1Q 20\n")
	n.Run(5 * time.Second)
	ok("red", true, "in its VLAN again")
	side2.Edit("interface Ethernet0.10\n encapsulation dot1Q 10\n", "interface Ethernet0.10\n shutdown\n encapsulation dot1Q 10\n")
	ok("blue", false, "shut down")
	ok("red", true, "while blue is shut down")
	side2.Edit(" shutdown\n", "")
	n.Run(5 * time.Second)
	ok("blue", true, "no longer shut down")
	side2.Edit("interface Ethernet0.10\n", "interface Ethernet0\n shutdown\ninterface Ethernet0.10\n")
	ok("red", false, "with the port shut down")
	side2.Edit("interface Ethernet0\n shutdown\n", "")
	n.Run(5 * time.Second)
	ok("red", true, "with the port up again")
	if leaks.count != 0 {
		t.Errorf("%d leaks", leaks.count)
	}
}

const trunkTunnel = `crypto isakmp policy 1
 encryption aes
 authentication pre-share
 group 19
crypto keyring blue vrf blue
 pre-shared-key address 0.0.0.0 0.0.0.0 key of-blue
crypto ipsec transform-set strong esp-aes esp-sha256-hmac
 mode transport
crypto ipsec profile vpn
 set transform-set strong
interface Tunnel0
 ip vrf forwarding red
 ip address 10.88.0.SIDE 255.255.255.0
 ip mtu 1400
 ip nhrp network-id 1
 ip nhrp map 10.88.0.1 10.0.0.1
 ip nhrp map 10.88.0.2 10.0.0.2
 tunnel source Ethernet0.10
 tunnel mode gre multipoint
 tunnel vrf blue
 tunnel protection ipsec profile vpn
`

// A tunnel of red whose source is blue's subinterface: IKE comes by the twin, ESP is nave's.
func TestTunnelFromASubinterface(t *testing.T) {
	n, _, leaks := trunk(t, trunkTunnel)
	n.Run(time.Second)
	for _, side := range []int{1, 2} {
		r := n.Router(fmt.Sprintf("side%d", side))
		r.Edit(fmt.Sprintf("ip route vrf red 192.168.%d.0 255.255.255.0 10.0.0.%d\n", 3-side, 3-side), fmt.Sprintf("ip route vrf red 192.168.%d.0 255.255.255.0 10.88.0.%d\n", 3-side, 3-side))
	}
	n.Until(30*time.Second, "red goes through blue's tunnel", func() bool { return leaks.ping(n, "red1", "192.168.2.7").OK })
	if r := leaks.ping(n, "red1", "192.168.2.7", PingOptions{Size: 3000}); !r.OK {
		t.Errorf("in fragments: %v", r)
	}
	if r := leaks.ping(n, "blue1", "192.168.2.7"); !r.OK {
		t.Errorf("blue: %v", r)
	}
	if r := leaks.ping(n, "blue1", "10.88.0.2"); r.OK {
		t.Errorf("blue is in red's tunnel: %v", r)
	}
	side1 := n.Router("side1")
	side1.Orphan()
	if r := leaks.ping(n, "red1", "192.168.2.7"); !r.OK {
		t.Errorf("while nobody is in control: %v", r)
	}
	side1.TakeOver(side1.text)
	n.Run(time.Minute)
	for _, c := range colors {
		if r := leaks.ping(n, c+"1", "192.168.2.7"); !r.OK {
			t.Errorf("%s after a takeover: %v", c, r)
		}
	}
	if leaks.count != 0 {
		t.Errorf("%d leaks", leaks.count)
	}
}
