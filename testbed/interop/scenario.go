package interop

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nave/testbed/need"
	"nave/testbed/netns"
	"nave/testbed/topo"
)

//go:embed scenarios
var scenarios embed.FS

// guestNames are the guests that a scenario may use, by the names that it has for them.
var guestNames = []string{"frr1", "frr2", "frr3", "frr4"}

// places are where scenarios are up, two at a time: the guests that are frr1 and frr2 of the one that is there. A scenario of more guests has both places.
var places = func() chan []string {
	c := make(chan []string, 2)
	c <- guestNames[:2]
	c <- guestNames[2:]
	return c
}()

// takePlace waits for a place for the length of a test, and returns its guests, by number. A scenario of more than two guests is up alone: of those that run side by
// side none may have that many.
func takePlace(t *testing.T, guests int) []string {
	began := time.Now()
	place := <-places
	t.Cleanup(func() { places <- place })
	if guests > len(place) {
		other := <-places
		t.Cleanup(func() { places <- other })
		place = slices.Sorted(slices.Values(slices.Concat(place, other)))
	}
	if waited := time.Since(began); waited > time.Second {
		t.Logf("waited %v for a place", waited.Round(time.Second))
	}
	return place
}

// booted boots the guests once a test process: what a guest is in a scenario, uml/node.sh makes of it.
var booted = sync.OnceValues(func() (*Guests, error) {
	wereBooted = true
	return Boot(fmt.Sprintf("nt%d", os.Getpid()), guestNames...)
})

var wereBooted bool

// shutDown ends the guests, if there are any; for TestMain.
func shutDown() error {
	if !wereBooted {
		return nil
	}
	gs, err := booted()
	if err != nil {
		return nil // Boot left nothing, and its error was reported by the test
	}
	return gs.Close()
}

// Scenario is a scenario that is up.
type Scenario struct {
	*topo.Lab
	Guests map[string]*Guest
	Wire   *Wire
}

// Start brings a scenario up for the length of a test. It skips the test where something is missing that it needs.
func Start(t *testing.T, name string) *Scenario {
	t.Helper()
	files, err := fs.Glob(scenarios, "scenarios/"+name+"/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no scenario %s (%v)", name, err)
	}
	routers, guests := make(map[string]string), make(map[string]string)
	for _, f := range files {
		text, err := scenarios.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		file := f[strings.LastIndexByte(f, '/')+1:]
		if node, ok := strings.CutSuffix(file, ".cfg"); ok {
			routers[node] = string(text)
		} else if node, ok := strings.CutSuffix(file, ".guest"); ok {
			guests[node] = string(text)
		}
	}
	return StartWith(t, name, routers, guests)
}

// StartWith brings up a scenario of these configurations of routers and settings of guests.
func StartWith(t *testing.T, name string, routers, guests map[string]string) *Scenario {
	t.Helper()
	need.Root(t)
	need.Command(t, "ip", "ethtool", "ping", "nsenter", "modprobe", "iptables-legacy", "vtysh", "tshark", "swanctl", "nft")
	need.File(t, kernel, "/usr/lib/uml/modules", "/usr/lib/frr/nhrpd", "/usr/lib/ipsec/charon", "/dev/net/tun")
	place := takePlace(t, len(guests))
	top := topo.Topology{Name: name, Nodes: []topo.Node{
		{Name: "internet", Kind: topo.Core, Setup: []string{
			"ip link add wan type bridge mcast_snooping 0 stp_state 0", "ip addr add 192.0.2.254/24 dev wan", "ip link set wan up",
			"ip link set stranger master wan",
		}},
		{Name: "stranger", Kind: topo.Host},
	}, Links: []topo.Link{{A: topo.Port{Node: "internet", Dev: "stranger"}, B: topo.Port{Node: "stranger", Dev: "eth0", Addrs: []string{"192.0.2.66/24", "192.0.2.67/24"}}}}}
	s := &Scenario{Guests: make(map[string]*Guest)}
	behind := 0
	for _, text := range slices.Concat(slices.Collect(maps.Values(routers)), slices.Collect(maps.Values(guests))) {
		if behindNAT(text) {
			behind++
		}
	}
	if behind > 0 {
		addNAT(&top, behind)
	}
	for _, node := range slices.Sorted(maps.Keys(routers)) {
		addRouter(&top, node, routers[node])
	}
	s.Lab = topo.ForTest(t, top)
	s.Wire = Listen(t, s.NS("internet"), "wan")
	for _, r := range top.Routers() { // only now: their first packets are to be seen
		node, bridge := segment(routers[r])
		if _, err := s.Run(node, "ip", "link", "set", r, "master", bridge); err != nil {
			t.Fatal(err)
		}
	}
	if len(guests) > 0 {
		s.plugGuests(t, place, guests)
	}
	t.Cleanup(func() {
		if t.Failed() {
			s.explain(t)
		}
	})
	return s
}

// plugGuests lays cables to the guests of a scenario, which are those of a place in the order of their names, and makes them what their settings say, all at once.
func (s *Scenario) plugGuests(t *testing.T, place []string, settings map[string]string) {
	t.Helper()
	gs, err := booted()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for name, text := range settings {
		k := slices.Index(guestNames, name)
		if k < 0 || k >= len(place) {
			t.Fatalf("there is no guest %s; there are %v", name, guestNames[:len(place)])
		}
		g := gs.named(place[k])
		s.Guests[name] = g
		far := netns.End{NS: gs.NS, Name: "w-" + g.Name}
		node, bridge := segment(text)
		if err := netns.Veth(netns.End{NS: s.NS(node), Name: name}, far, 1500); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // the name must be free at once; a namespace takes its cables away at leisure
			if _, err := g.Run("ip link set wan0 down"); err != nil { // or what it is now speaks in the next scenario, until it is something else
				t.Error(err)
			}
			if _, err := gs.NS.Run("ip", "link", "del", far.Name); err != nil {
				t.Error(err)
			}
		})
		for _, e := range []struct {
			ns          *netns.NS
			dev, bridge string
		}{{s.NS(node), name, bridge}, {gs.NS, far.Name, "b-" + g.Name}} {
			if _, err := e.ns.Run("ip", "link", "set", e.dev, "master", e.bridge); err != nil {
				t.Fatal(err)
			}
		}
		all.Go(func() {
			if err := g.Configure(text); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// Become makes a guest something else: the settings of another file of the scenario.
func (s *Scenario) Become(t *testing.T, guest, settings string) {
	t.Helper()
	text, err := scenarios.ReadFile("scenarios/" + s.Topology.Name + "/" + settings + ".settings")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Guests[guest].Configure(string(text)); err != nil {
		t.Fatal(err)
	}
}

// explain logs what the nodes say of themselves, and the NHRP packets that were seen.
func (s *Scenario) explain(t *testing.T) {
	for _, r := range s.Topology.Routers() {
		for _, c := range []string{"show ip nhrp", "show ip nhrp traffic", "show ip route", "show crypto session", "show crypto ipsec sa"} {
			out, err := s.Nave(r, strings.Fields(c)...)
			t.Logf("%s: %s (%v)\n%s", r, c, err, out)
		}
	}
	for name, g := range s.Guests {
		if out, err := g.Run(`[ ! -f /run/swan.pid ] || { ` + swan + `swanctl --list-sas; ip xfrm policy; ip -s xfrm state | grep -v -E "auth|enc|aead"; tail -60 /var/log/charon.log; }`); out != "" {
			t.Logf("%s (%v)\n%s", name, err, out)
		}
		if _, err := g.Run("[ -f /run/frr/zebra.pid ]"); err != nil {
			continue
		}
		out, err := g.Run(`vtysh -c "show ip nhrp" -c "show ip nhrp nhs" -c "show ip nhrp shortcut" -c "show ip route"; tail -40 /var/log/frr/frr.log; ip neigh; ` +
			`[ ! -f /var/log/frr/eigrpd.log ] || { vtysh -d eigrpd -c "show ip eigrp neighbors" -c "show ip eigrp topology"; tail -60 /var/log/frr/eigrpd.log; }`)
		t.Logf("%s (%v)\n%s", name, err, out)
	}
	t.Logf("NHRP on the wire:\n%s", s.Wire)
	if text := s.Wire.eigrpText(); text != "" {
		t.Logf("EIGRP on the wire:\n%s", text)
	}
}

// lanAddress finds the address of Ethernet1 or Ethernet2, and whether it is in a VRF.
func lanAddress(config string, n int) (addr string, vrf bool) {
	m := regexp.MustCompile(fmt.Sprintf(`(?m)^interface Ethernet%d\n((?: .*\n)*?) ip address (\S+) 255\.255\.255\.0`, n)).FindStringSubmatch(config)
	if m == nil {
		return "", false
	}
	return m[2], strings.Contains(m[1], " ip vrf forwarding ")
}

// addRouter adds a router on the Ethernet, and a host behind its Ethernet1 if it has one: .7 of that network; NODE-host2 behind an Ethernet2. In a VRF they have
// an address that nobody in another VRF has, too: .101, and .102 behind Ethernet2.
func addRouter(top *topo.Topology, node, config string) {
	top.Nodes = append(top.Nodes, topo.Node{Name: node, Kind: topo.Router, Config: config})
	outside, _ := segment(config)
	top.Links = append(top.Links, topo.Link{A: topo.Port{Node: outside, Dev: node}, B: topo.Port{Node: node, Dev: "eth0", Iface: "Ethernet0"}})
	for n := 1; n <= 2; n++ {
		lan, vrf := lanAddress(config, n)
		if lan == "" {
			continue
		}
		host := node + "-host"
		if n > 1 {
			host += fmt.Sprint(n)
		}
		a := netip.MustParseAddr(lan).As4()
		own := func(last byte) string { a[3] = last; return netip.AddrFrom4(a).String() + "/24" }
		addrs := []string{own(7)}
		if vrf {
			addrs = append(addrs, own(byte(100+n)))
		}
		top.Nodes = append(top.Nodes, topo.Node{Name: host, Kind: topo.Host, Gateway: lan})
		top.Links = append(top.Links, topo.Link{
			A: topo.Port{Node: node, Dev: fmt.Sprint("eth", n), Iface: fmt.Sprint("Ethernet", n)},
			B: topo.Port{Node: host, Dev: "eth0", Addrs: addrs},
		})
	}
}
