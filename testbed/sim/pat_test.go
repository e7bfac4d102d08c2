package sim

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/slowpath/dmvpn"
)

// The internet side of the NAT box that many spokes are behind.
const patOutside = "192.88.99.9"

// patSpoke is the configuration of a spoke that has the i-th address behind a NAT box.
func patSpoke(crypto string, i int) string {
	return crypto + fmt.Sprintf(`hostname spoke%d
interface Tunnel0
 ip address 10.255.0.%d 255.255.255.0
 ip mtu 1400
 ip nhrp network-id 9
 ip nhrp holdtime 300
 ip nhrp shortcut
 ip nhrp map 10.255.0.1 192.0.2.1
 ip nhrp map multicast 192.0.2.1
 ip nhrp nhs 10.255.0.1
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel key 9
%sinterface Ethernet0
 ip address 198.51.100.%d 255.255.255.0
interface Loopback0
 ip address 10.1.%d.1 255.255.255.0
ip route 0.0.0.0 0.0.0.0 198.51.100.254
ip route 10.1.0.0 255.255.0.0 10.255.0.1
`, i, i+10, protection, i+10, i)
}

// patHub is the configuration of their hub.
func patHub(crypto string, spokes int) string {
	var b strings.Builder
	b.WriteString(crypto + `hostname hub
interface Tunnel0
 ip address 10.255.0.1 255.255.255.0
 ip mtu 1400
 ip nhrp network-id 9
 ip nhrp holdtime 300
 ip nhrp redirect
 ip nhrp map multicast dynamic
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel key 9
` + protection + `interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
ip route 0.0.0.0 0.0.0.0 192.0.2.254
`)
	for i := 1; i <= spokes; i++ {
		fmt.Fprintf(&b, "ip route 10.1.%d.0 255.255.255.0 10.255.0.%d\n", i, i+10)
	}
	return b.String()
}

// behindOne is a hub and spokes that are all behind one NAT box.
func behindOne(t *testing.T, seed uint64, crypto string, spokes int, cfg NATConfig) (*Net, *Node) {
	t.Helper()
	n := New(t, seed)
	n.AddInternet("internet")
	nat := n.AddNAT("nat", patOutside, "192.88.99.254", cfg)
	n.AddRouter("hub", patHub(crypto, spokes))
	c := LinkConfig{Delay: 5 * time.Millisecond, Frames: 1024}
	n.Connect("hub:Ethernet0", "internet:192.0.2.254/24", c)
	n.Connect("nat:"+patOutside+"/24", "internet:192.88.99.254/24", c)
	for i := 1; i <= spokes; i++ {
		n.AddRouter(fmt.Sprint("spoke", i), patSpoke(crypto, i))
		n.Connect(fmt.Sprintf("spoke%d:Ethernet0", i), "nat:198.51.100.254/24", LinkConfig{Delay: time.Millisecond, Frames: 128})
	}
	count := clearPackets(n)
	t.Cleanup(func() {
		if *count != 0 {
			t.Errorf("%d packets left in clear", *count)
		}
	})
	return n, nat
}

// patUp waits until so many clients are registered.
func patUp(n *Net, spokes int) {
	n.Until(2*time.Minute, "all spokes are registered", func() bool { return strings.Count(n.Show("hub", "show ip nhrp"), " registered") == spokes })
}

// sessionsUp lists those of a router that are up.
func sessionsUp(n *Net, router string) (out []dmvpn.SessionStatus) {
	for _, s := range n.Router(router).core.Router().Status().Sessions.Sessions {
		if s.State == dmvpn.Up {
			out = append(out, s)
		}
	}
	return out
}

// around has each spoke ping the network behind the next one, and tells how many are answered.
func around(n *Net, spokes int) int {
	var from []string
	var source, to []netip.Addr
	for i := 1; i <= spokes; i++ {
		from = append(from, fmt.Sprint("spoke", i))
		source = append(source, n.addr(fmt.Sprintf("10.1.%d.1", i)))
		to = append(to, n.addr(fmt.Sprintf("10.1.%d.1", i%spokes+1)))
	}
	return n.PingAll(from, source, to, 2*time.Second)
}

// Twenty spokes behind one address all work with the hub, and by it with each other; the way to each other that they look for in vain costs nothing but a try now and then.
func TestManyBehindOneAddress(t *testing.T) {
	const spokes = 20
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := behindOne(t, 71, crypto, spokes, NATConfig{})
		patUp(n, spokes)
		ports, insides := make(map[uint16]bool), make(map[netip.Addr]bool)
		for _, s := range sessionsUp(n, "hub") {
			ports[s.Port], insides[s.Inside] = true, true
			if s.Peer != n.addr(patOutside) || len(s.Children) != 1 {
				t.Errorf("%+v", s)
			}
		}
		if len(ports) != spokes || len(insides) != spokes {
			t.Fatalf("%d ports and %d addresses behind NAT: %+v", len(ports), len(insides), sessionsUp(n, "hub"))
		}
		for range 60 { // half an hour of traffic
			if got := around(n, spokes); got != spokes {
				t.Errorf("at %v %d of %d answered\n%s", n.Now().Sub(epoch), got, spokes, n.Show("spoke1", "show dmvpn"))
			}
			n.Run(30 * time.Second)
		}
		for i := 1; i <= spokes; i++ {
			name := fmt.Sprint("spoke", i)
			st := n.Router(name).core.Router().Status()
			if failed := st.IKE.Stats[1].Failed + st.IKE.Stats[2].Failed; failed == 0 || failed > 2*10 {
				t.Errorf("%s has failed %d times in half an hour to reach two others", name, failed)
			}
		}
		for _, s := range sessionsUp(n, "hub") {
			if where := netip.AddrPortFrom(s.Peer, s.Port).String() + " "; !strings.Contains(n.Show("hub", "show dmvpn"), where) {
				t.Errorf("show dmvpn of the hub has no %q:\n%s", where, n.Show("hub", "show dmvpn"))
			}
		}
		for _, want := range []string{"192.88.99.9 (10.255.0.12) is behind NAT, where it is 198.51.100.12; not reached: the peer did not answer; tried ", "takes the next hop server"} {
			if text := n.Show("spoke1", "show dmvpn detail"); !strings.Contains(text, want) {
				t.Errorf("show dmvpn detail of spoke1 has no %q:\n%s", want, text)
			}
		}
		if text := n.Show("spoke1", "show ip nhrp"); !strings.Contains(text, "    (not reached: the peer did not answer; tried ") || !strings.Contains(text, "(Claimed NBMA address: 198.51.100.12)") {
			t.Errorf("show ip nhrp of spoke1:\n%s", text)
		}
	})
}
