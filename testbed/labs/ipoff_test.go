package labs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nave/testbed/topo"
)

const trunkOnly = `hostname router
interface Ethernet0
 description the trunk: its subinterface has an address, and it has none
interface Ethernet0.10
 encapsulation dot1Q 10
 ip address 10.0.0.1 255.255.255.0
interface Ethernet1
 ip address 192.168.1.1 255.255.255.0
ip route 192.0.2.0 255.255.255.0 10.0.0.2
`

var ipOff = regexp.MustCompile(`(\d+) +ip-off`)

// A port whose subinterface has the address takes no untagged packets for others: not at first, not after a kill of naved. With an address of its own it does.
func TestNoUntaggedTransit(t *testing.T) {
	t.Parallel()
	const routerMAC = "02:00:00:00:00:77"
	l := topo.ForTest(t, topo.Topology{
		Name: "untagged",
		Nodes: []topo.Node{
			{Name: "router", Kind: topo.Router, Config: trunkOnly, Setup: []string{"ip link set eth0 address " + routerMAC}},
			{Name: "outside", Kind: topo.Host, Setup: []string{
				"ip neigh replace 192.0.2.1 lladdr " + routerMAC + " dev eth0", "ip route add 192.168.1.0/24 via 192.0.2.1 dev eth0",
			}},
			{Name: "inside", Kind: topo.Host, Gateway: "192.168.1.1"},
		},
		Links: []topo.Link{
			{A: topo.Port{Node: "router", Dev: "eth0", Iface: "Ethernet0"}, B: topo.Port{Node: "outside", Dev: "eth0", Addrs: []string{"192.0.2.7/24"}}},
			{A: topo.Port{Node: "router", Dev: "eth1", Iface: "Ethernet1"}, B: topo.Port{Node: "inside", Dev: "eth0", Addrs: []string{"192.168.1.7/24"}}},
		},
	})
	dropped := func() int {
		out, err := l.Nave("router", "show", "fastpath")
		must(t, err)
		m := ipOff.FindStringSubmatch(out)
		if m == nil {
			return 0
		}
		n, _ := strconv.Atoi(m[1])
		return n
	}
	echoes := func() string {
		out, err := l.Run("inside", "nstat", "-asz", "IcmpInEchos")
		must(t, err)
		return strings.Join(strings.Fields(out), " ")
	}
	counted := func(when string, least int) { // whatever the workers have counted
		t.Helper()
		comes(t, func() error {
			if n := dropped(); n < least {
				return fmt.Errorf("%s: ip-off counts %d and not %d", when, n, least)
			}
			return nil
		})
	}
	for _, when := range []string{"at first", "after a kill of naved"} {
		check(t, l, Ping("inside", "192.168.1.1", ""))
		before, count := echoes(), dropped()
		if out, err := l.Run("outside", "ping", "-n", "-c", "3", "-i", "0.1", "-W", "1", "192.168.1.7"); err == nil {
			t.Errorf("%s: what comes without a tag is forwarded: %s", when, out)
		}
		if after := echoes(); after != before {
			t.Errorf("%s: the host had %s, and has %s", when, before, after)
		}
		counted(when, count+3)
		if when == "at first" {
			must(t, l.StopRouter("router", unix.SIGKILL))
			start(t, l, "router")
		}
	}
	reload(t, l, "router", strings.Replace(trunkOnly, "and it has none\n", "and it has one\n ip address 192.0.2.1 255.255.255.0\n", 1))
	check(t, l, Ping("outside", "192.168.1.7", ""))
	counted("in the end", 3)
}
