package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/nhrp"
)

// colors are two DMVPNs on one hub that have all addresses in common: of tunnels, of the internet, and of the hosts.
var colors = []string{"blue", "red"}

// vrfCrypto is IKE of both versions with a key for each VRF of the encrypted packets: who has the other's key gets in nowhere.
func vrfCrypto(version int, keys map[string]string) string {
	var b strings.Builder
	b.WriteString("crypto isakmp policy 1\n encryption aes\n hash sha256\n authentication pre-share\n group 19\ncrypto isakmp keepalive 10 3\n" +
		"crypto ikev2 proposal modern\n encryption aes-gcm-256\n prf sha256\n group 31\ncrypto ikev2 policy modern\n match fvrf any\n proposal modern\n" +
		"crypto ipsec transform-set strong esp-aes esp-sha256-hmac\n mode transport\n")
	names := make([]string, 0, len(keys))
	for vrf := range keys {
		names = append(names, vrf)
	}
	slices.Sort(names)
	for _, vrf := range names {
		name := "p" + vrf
		of := func(text string) string {
			if vrf == "" {
				return ""
			}
			return text
		}
		if version == 1 {
			fmt.Fprintf(&b, "crypto keyring %s%s\n pre-shared-key address 0.0.0.0 0.0.0.0 key %s\ncrypto isakmp profile %s\n keyring %s\n match identity address 0.0.0.0 0.0.0.0%s\n",
				name, of(" vrf "+vrf), keys[vrf], name, name, of(" "+vrf))
		} else {
			fmt.Fprintf(&b, "crypto ikev2 keyring %s\n peer all\n  address 0.0.0.0 0.0.0.0\n  pre-shared-key %s\ncrypto ikev2 profile %s\n%s match identity remote any\n"+
				" authentication local pre-share\n authentication remote pre-share\n keyring local %s\n dpd 10 3 on-demand\n", name, keys[vrf], name, of(" match fvrf "+vrf+"\n"), name)
		}
		kind := map[int]string{1: "isakmp", 2: "ikev2"}[version]
		fmt.Fprintf(&b, "crypto ipsec profile %s\n set transform-set strong\n set %s-profile %s\n", name, kind, name)
	}
	return b.String()
}

// twoClouds is the hub's configuration: the hosts of a color in one VRF, its internet in another, or (same) in the same.
func twoClouds(version int, same bool) string {
	outer := func(c string) string {
		if same {
			return c
		}
		return "wan-" + c
	}
	keys := make(map[string]string)
	var vrfs, b strings.Builder
	for k, c := range colors {
		fmt.Fprintf(&vrfs, "ip vrf %s\n rd 1:%d\n", c, k+1)
		if !same {
			fmt.Fprintf(&vrfs, "ip vrf %s\n rd 2:%d\n", outer(c), k+1)
		}
		keys[outer(c)] = "key-" + c
		fmt.Fprintf(&b, `interface Tunnel%d
 ip vrf forwarding %s
 ip address 10.255.0.1 255.255.255.0
 ip mtu 1400
 ip nhrp network-id %d
 ip nhrp map multicast dynamic
 ip nhrp redirect
 ip nhrp holdtime 300
 tunnel source Ethernet%d
 tunnel mode gre multipoint
 tunnel vrf %s
 tunnel protection ipsec profile p%s
interface Ethernet%d
 ip vrf forwarding %s
 ip address 192.0.2.1 255.255.255.0
interface Ethernet%d
 ip vrf forwarding %s
 ip address 10.9.0.1 255.255.255.0
interface Loopback%d
 ip vrf forwarding %s
 ip address 10.200.%d.1 255.255.255.255
ip route vrf %s 10.1.0.0 255.255.0.0 10.255.0.11
ip route vrf %s 10.2.0.0 255.255.0.0 10.255.0.12
`, k, c, 100+k, k, outer(c), outer(c), k, outer(c), 2+k, c, k, c, k, c, c)
	}
	return "hostname hub\n" + vrfs.String() + vrfCrypto(version, keys) + b.String()
}

// cloudSpoke is a spoke, which knows nothing of VRFs.
func cloudSpoke(version, i int, key string) string {
	return fmt.Sprintf("hostname spoke%d\n", i) + vrfCrypto(version, map[string]string{"": key}) + fmt.Sprintf(`interface Tunnel0
 ip address 10.255.0.%d 255.255.255.0
 ip mtu 1400
 ip nhrp network-id 7
 ip nhrp map 10.255.0.1 192.0.2.1
 ip nhrp map multicast 192.0.2.1
 ip nhrp nhs 10.255.0.1
 ip nhrp shortcut
 ip nhrp holdtime 300
 tunnel source Ethernet0
 tunnel mode gre multipoint
 tunnel protection ipsec profile p
interface Ethernet0
 ip address 192.0.2.%d 255.255.255.0
interface Ethernet1
 ip address 10.%d.0.1 255.255.255.0
ip route 10.0.0.0 255.0.0.0 10.255.0.1
`, 10+i, 10+i, i)
}

// clouds builds the hub, two spokes of each color, and a host at each site. leaks counts packets of one color's hosts that come to a link of the other.
func clouds(t *testing.T, seed uint64, version int, same bool) (n *Net, leaks *leakWatch) {
	t.Helper()
	n = New(t, seed)
	n.AddRouter("hub", twoClouds(version, same))
	leaks = &leakWatch{color: make(map[*Link]string), sent: make(map[uint16]string)}
	for k, c := range colors {
		n.AddInternet("wan-"+c).Segment("sw", "192.0.2.254/24")
		n.Connect(fmt.Sprintf("hub:Ethernet%d", k), "wan-"+c+":sw", LinkConfig{})
		n.AddHost(c+"0", "10.9.0.1")
		leaks.color[n.Connect(fmt.Sprintf("hub:Ethernet%d", 2+k), c+"0:10.9.0.7/24", LinkConfig{})] = c
		for i := 1; i <= 2; i++ {
			spoke := fmt.Sprintf("%s-spoke%d", c, i)
			n.AddRouter(spoke, cloudSpoke(version, i, "key-"+c))
			n.Connect(spoke+":Ethernet0", "wan-"+c+":sw", LinkConfig{})
			n.AddHost(fmt.Sprintf("%s%d", c, i), fmt.Sprintf("10.%d.0.1", i))
			leaks.color[n.Connect(spoke+":Ethernet1", fmt.Sprintf("%s%d:10.%d.0.7/24", c, i, i), LinkConfig{})] = c
		}
	}
	n.Tap(leaks.look)
	return n, leaks
}

// leakWatch looks at what crosses links on which packets are in clear.
type leakWatch struct {
	color map[*Link]string
	sent  map[uint16]string // by the number of a ping: who sent it
	count int
}

func (l *leakWatch) look(c Crossing) {
	color, watched := l.color[c.Link]
	ip, _ := Inner(c.Frame)
	if !watched || ip == nil || ip.Proto() != protoICMP || ip.FlagsOffset()&packet.OffsetMask != 0 || len(ip.Payload()) < packet.ICMPLen {
		return
	}
	m := ip.Payload()
	if m[0] != packet.ICMPEchoRequest && m[0] != packet.ICMPEchoReply {
		return
	}
	if from := l.sent[uint16(m[6])<<8|uint16(m[7])]; from != "" && from != color {
		l.count++
	}
}

// ping is a ping from a host of a color.
func (l *leakWatch) ping(n *Net, from, to string, opt ...PingOptions) Reply {
	l.sent[n.lastSeq+1] = strings.TrimRight(from, "0123456789")
	return n.Ping(from, to, opt...)
}

// joined waits for both spokes of a color.
func joined(n *Net, color string) {
	n.t.Helper()
	n.Until(2*time.Minute, "the spokes of "+color+" are registered", func() bool {
		for i := 1; i <= 2; i++ {
			s := n.Status(fmt.Sprintf("%s-spoke%d", color, i))
			if len(s.Router.NHRP.Interfaces) == 0 || len(s.Router.NHRP.Interfaces[0].NHS) == 0 || s.Router.NHRP.Interfaces[0].NHS[0].State != nhrp.NHSResponding {
				return false
			}
		}
		return true
	})
}

// reach checks that the sites of a color reach one another, and its own loopback of the hub only.
func (l *leakWatch) reach(t *testing.T, n *Net, color string) {
	t.Helper()
	for _, p := range [][2]string{{"1", "10.9.0.7"}, {"0", "10.1.0.7"}, {"1", "10.2.0.7"}, {"2", "10.1.0.7"}, {"0", "10.2.0.7"}} {
		if r := l.ping(n, color+p[0], p[1]); !r.OK {
			if r = l.ping(n, color+p[0], p[1]); !r.OK { // the first may be lost while a direct path is made
				t.Errorf("%s%s to %s: %v", color, p[0], p[1], r)
			}
		}
	}
	for k, c := range colors {
		if r := l.ping(n, color+"1", fmt.Sprintf("10.200.%d.1", k)); r.OK != (c == color) {
			t.Errorf("%s1 to the loopback of %s: %v", color, c, r)
		}
	}
}

func TestTwoCloudsOnOneHub(t *testing.T) {
	for _, c := range []struct {
		name    string
		version int
		same    bool
	}{{"IKEv1, other VRFs outside", 1, false}, {"IKEv2, other VRFs outside", 2, false}, {"IKEv1, the same VRF outside", 1, true}, {"IKEv2, the same VRF outside", 2, true}} {
		t.Run(c.name, func(t *testing.T) {
			n, leaks := clouds(t, 11, c.version, c.same)
			for _, color := range colors {
				joined(n, color)
			}
			for range 2 {
				for _, color := range colors {
					leaks.reach(t, n, color)
				}
			}
			if r := leaks.ping(n, "blue1", "10.2.0.7"); !r.OK || slices.Contains(r.Out, "hub") {
				t.Errorf("no direct path inside blue: %v", r)
			}
			if r := leaks.ping(n, "red1", "10.9.0.7", PingOptions{Size: 3000}); !r.OK {
				t.Errorf("in fragments: %v", r)
			}
			if r := leaks.ping(n, "blue0", "10.1.0.7", PingOptions{TTL: 1}); r.Error == nil || r.Error.From != n.addr("10.9.0.1") {
				t.Errorf("TTL 1: %v", r)
			}
			// The hub's own host stacks: what a namespace knows no route to, nave does.
			for _, color := range colors {
				for _, to := range []string{"10.255.0.11", "10.9.0.7", "10.1.0.7"} {
					if r := n.Ping("hub", to, PingOptions{VRF: color}); !r.OK {
						t.Errorf("the hub in %s to %s: %v", color, to, r)
					}
				}
			}
			if leaks.count != 0 {
				t.Errorf("%d packets came to the other color", leaks.count)
			}
		})
	}
}

// Random pings among all that there is: each is answered by its own color, or not at all.
func TestNothingCrosses(t *testing.T) {
	n, leaks := clouds(t, 12, 2, false)
	for _, color := range colors {
		joined(n, color)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	to := []string{"10.9.0.7", "10.1.0.7", "10.2.0.7", "10.200.0.1", "10.200.1.1", "10.255.0.11", "10.255.0.1", "192.0.2.254", "192.0.2.1", "192.0.2.11", "10.9.0.1"}
	answered := 0
	for range 150 {
		k, site, dst := rng.IntN(2), rng.IntN(3), to[rng.IntN(len(to))]
		r := leaks.ping(n, fmt.Sprintf("%s%d", colors[k], site), dst, PingOptions{Timeout: 300 * time.Millisecond})
		if r.OK {
			answered++
			if dst == fmt.Sprintf("10.200.%d.1", 1-k) || site == 0 && strings.HasPrefix(dst, "192.0.2.") {
				t.Errorf("%s%d reaches %s", colors[k], site, dst)
			}
		}
	}
	if leaks.count != 0 || answered < 50 {
		t.Errorf("%d leaks, %d answers", leaks.count, answered)
	}
}

// routesOf counts the routes of a VRF in the fast path.
func routesOf(r *Router, vrf fib.VRF) (count int) {
	b := r.engine.Inherited()
	for _, e := range b.Routes {
		if e.VRF == vrf {
			count++
		}
	}
	return count
}

func vrfID(t *testing.T, r *Router, name string) fib.VRF {
	t.Helper()
	for _, v := range r.core.Current().VRFs {
		if v.Name == name {
			return v.ID
		}
	}
	t.Fatalf("%s has no VRF %s", r.name, name)
	return 0
}

// An interface changes its VRF while all runs: it takes its addresses along, and nobody else notices.
func TestMoveAnInterface(t *testing.T) {
	n, leaks := clouds(t, 13, 2, false)
	for _, color := range colors {
		joined(n, color)
		leaks.reach(t, n, color)
	}
	before, lost := sessions(n, "hub"), drops(n, "hub")
	hub := n.Router("hub")
	hub.Edit("interface Ethernet2\n ip vrf forwarding blue\n", "ip vrf green\n rd 9:9\ninterface Ethernet2\n ip vrf forwarding green\n")
	n.Run(time.Second)
	if r := leaks.ping(n, "blue1", "10.9.0.7"); r.OK {
		t.Errorf("blue still reaches what is green's now: %v", r)
	}
	if r := leaks.ping(n, "blue0", "10.9.0.1"); !r.OK {
		t.Errorf("the host of green does not reach the hub: %v", r)
	}
	for _, to := range []string{"10.1.0.7", "10.200.0.1", "10.200.1.1"} {
		if r := leaks.ping(n, "blue0", to); r.OK {
			t.Errorf("the host of green reaches %s: %v", to, r)
		}
	}
	leaks.reach(t, n, "red")
	hub.Edit("interface Ethernet2\n ip vrf forwarding green\n", "interface Ethernet2\n ip vrf forwarding blue\n")
	n.Run(time.Second)
	for _, color := range colors {
		leaks.reach(t, n, color)
	}
	after := sessions(n, "hub")
	for k, s := range before {
		if after[k] != s {
			t.Errorf("session %s: %v, then %v", k, s, after[k])
		}
	}
	if d := drops(n, "hub"); d != lost || leaks.count != 0 {
		t.Errorf("%d sessions were lost, %d packets leaked", d-lost, leaks.count)
	}
}

// A tunnel changes the VRF of its data packets, and then that of its encrypted ones, while the other cloud goes on.
func TestMoveATunnel(t *testing.T) {
	n, leaks := clouds(t, 17, 1, false)
	for _, color := range colors {
		joined(n, color)
		leaks.reach(t, n, color)
	}
	hub, text, lost := n.Router("hub"), n.Router("hub").text, redDrops(n)
	hub.Configure(strings.Replace("ip vrf green\n rd 9:9\n"+text, "interface Tunnel0\n ip vrf forwarding blue\n", "interface Tunnel0\n ip vrf forwarding green\n", 1))
	n.Run(3 * time.Minute)
	for _, to := range []string{"10.9.0.7", "10.200.0.1", "10.200.1.1"} {
		if r := leaks.ping(n, "blue1", to); r.OK {
			t.Errorf("green reaches %s: %v", to, r)
		}
	}
	if r := n.Ping("blue-spoke1", "10.255.0.1"); !r.OK { // green has no route to its hosts
		t.Errorf("green does not reach its hub: %v", r)
	}
	leaks.reach(t, n, "red")
	hub.Configure(strings.ReplaceAll(text, "wan-blue", "wan-lilac")) // another VRF outside, with all that belongs to it
	n.Run(5 * time.Minute)
	for _, color := range colors {
		leaks.reach(t, n, color)
	}
	hub.Configure(text)
	n.Run(5 * time.Minute)
	for _, color := range colors {
		leaks.reach(t, n, color)
	}
	if d := redDrops(n); d != lost || leaks.count != 0 {
		t.Errorf("red lost %d sessions, %d packets leaked", d-lost, leaks.count)
	}
}

// redDrops counts sessions that went down at the hub's tunnel of red.
func redDrops(n *Net) (count int) {
	for _, l := range n.Router("hub").Logs() {
		if l.Kind == nhrp.LogPeerDown && l.Iface == "Tunnel1" {
			count++
		}
	}
	return count
}

// A VRF that goes takes all of its own along, and nothing else.
func TestRemoveAVRF(t *testing.T) {
	n, leaks := clouds(t, 14, 1, false)
	for _, color := range colors {
		joined(n, color)
		leaks.reach(t, n, color)
	}
	hub, text := n.Router("hub"), n.Router("hub").text
	red := vrfID(t, hub, "red")
	if routesOf(hub, red) == 0 {
		t.Fatal("red has no routes")
	}
	before := sessions(n, "hub")
	var kept []string
	for _, line := range strings.SplitAfter(text, "\n") {
		if !strings.HasPrefix(line, "ip vrf red") && !strings.HasPrefix(line, " rd 1:2") && !strings.HasPrefix(line, " ip vrf forwarding red") && !strings.HasPrefix(line, "ip route vrf red") {
			kept = append(kept, line)
		}
	}
	// As after `no ip vrf red`: what was in it is global now, and without addresses.
	without := strings.Join(kept, "")
	for _, s := range []string{"interface Tunnel1\n ip address 10.255.0.1 255.255.255.0\n", "interface Ethernet3\n ip address 10.9.0.1 255.255.255.0\n", "interface Loopback1\n ip address 10.200.1.1 255.255.255.255\n"} {
		name, _, _ := strings.Cut(s, "\n")
		if !strings.Contains(without, s) {
			t.Fatalf("no %q in\n%s", s, without)
		}
		without = strings.Replace(without, s, name+"\n", 1)
	}
	hub.Configure(without)
	n.Run(time.Second)
	if got := routesOf(hub, red); got != 0 {
		t.Errorf("%d routes of red are left", got)
	}
	if r := leaks.ping(n, "red1", "10.9.0.7"); r.OK {
		t.Errorf("red lives on: %v", r)
	}
	leaks.reach(t, n, "blue")
	after := sessions(n, "hub")
	for k, s := range before {
		if strings.HasPrefix(k, "Tunnel0 ") && after[k] != s {
			t.Errorf("session %s: %v, then %v", k, s, after[k])
		}
	}
	hub.Configure(text)
	if id := vrfID(t, hub, "red"); id == red {
		t.Errorf("red is back under number %d, which labels and packets under way may still mean", id)
	}
	n.Run(3 * time.Minute)
	joined(n, "red")
	leaks.reach(t, n, "red")
	leaks.reach(t, n, "blue")
	if leaks.count != 0 {
		t.Errorf("%d packets leaked", leaks.count)
	}
}

// naved dies and another takes over: VRFs are found again, traffic goes on meanwhile, and nothing crosses at any time.
func TestTakeOverWithVRFs(t *testing.T) {
	n, leaks := clouds(t, 15, 2, false)
	for _, color := range colors {
		joined(n, color)
		leaks.reach(t, n, color)
	}
	hub := n.Router("hub")
	ids := make(map[string]fib.VRF)
	for _, v := range hub.core.Current().VRFs {
		ids[v.Name] = v.ID
	}
	hub.Orphan()
	n.Run(5 * time.Second)
	for _, color := range colors {
		if r := leaks.ping(n, color+"1", "10.9.0.7"); !r.OK {
			t.Errorf("%s while nobody is in control: %v", color, r)
		}
	}
	// A VRF that is new and comes first in the configuration takes no number of another.
	hub.TakeOver(strings.Replace(hub.text, "ip vrf blue\n", "ip vrf apricot\n rd 7:7\nip vrf blue\n", 1))
	for _, v := range hub.core.Current().VRFs {
		if was, ok := ids[v.Name]; ok && was != v.ID {
			t.Errorf("VRF %s is number %d, was %d", v.Name, v.ID, was)
		}
	}
	for range 3 {
		for _, color := range colors {
			leaks.reach(t, n, color)
		}
		n.Run(time.Minute)
	}
	if leaks.count != 0 {
		t.Errorf("%d packets leaked", leaks.count)
	}
}

// While naved is dead the hosts of blue and red are given each other's VRF: nothing of before leads them to the wrong place.
func TestTakeOverWithVRFsSwapped(t *testing.T) {
	n, leaks := clouds(t, 16, 2, false)
	for _, color := range colors {
		joined(n, color)
		leaks.reach(t, n, color)
	}
	hub := n.Router("hub")
	hub.Orphan()
	swapped := strings.NewReplacer("interface Ethernet2\n ip vrf forwarding blue\n", "interface Ethernet2\n ip vrf forwarding red\n",
		"interface Ethernet3\n ip vrf forwarding red\n", "interface Ethernet3\n ip vrf forwarding blue\n").Replace(hub.text)
	hub.TakeOver(swapped)
	// The hosts at the hub have changed sides: blue0 is red's now.
	leaks.color[n.Link("blue0", "")], leaks.color[n.Link("red0", "")] = "red", "blue"
	side := map[string]string{"blue0": "red", "red0": "blue", "blue1": "blue", "red1": "red"}
	for range 4 {
		for _, p := range [][2]string{{"blue0", "10.1.0.7"}, {"red0", "10.1.0.7"}, {"blue1", "10.9.0.7"}, {"red1", "10.9.0.7"}} {
			leaks.sent[n.lastSeq+1] = side[p[0]]
			n.Ping(p[0], p[1])
		}
		n.Run(40 * time.Second)
	}
	if leaks.count != 0 {
		t.Errorf("%d packets leaked", leaks.count)
	}
	for _, p := range [][2]string{{"blue0", "10.1.0.7"}, {"red0", "10.1.0.7"}, {"blue1", "10.9.0.7"}, {"red1", "10.9.0.7"}} {
		if r := n.Ping(p[0], p[1]); !r.OK {
			t.Errorf("%s to %s after the swap: %v", p[0], p[1], r)
		}
	}
}
