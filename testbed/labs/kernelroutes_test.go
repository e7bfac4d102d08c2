package labs

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nave/testbed/topo"
)

// The kernel has nave's routes through a crash and what follows it, and after a clean stop those that are of use without nave; nave has the kernel's, by its own interfaces.
func TestRoutesSharedWithLinux(t *testing.T) {
	t.Parallel()
	l := topo.ForTest(t, phase3().Topology)
	text := configuration(t, l, "spoke1")
	kernel, table := []string{"ip", "-4", "route", "show"}, []string{"show", "ip", "route"}
	lines(t, l, "spoke1", kernel, []string{"default via 198.51.100.254 dev eth0 proto 206", "10.0.0.0/8 dev Tunnel0 proto 206 scope link metric 4261413070"})
	for _, line := range []string{
		"ip route add 10.77.0.0/16 via 10.255.0.1 dev Tunnel0 proto ospf metric 20", "ip route add 10.78.0.0/16 via 10.1.0.7", "ip route add blackhole 10.79.0.0/16",
		"ip route add 10.80.0.0/16 dev lo", // by no interface of nave's
	} {
		if _, err := l.Run("spoke1", strings.Fields(line)...); err != nil {
			t.Fatal(err)
		}
	}
	reload(t, l, "spoke1", text+"ip route import kernel\n")
	lines(t, l, "spoke1", table, []string{"10.77.0.0", "110/20", "10.78.0.0", "10.79.0.0"}, "10.80.0.0")
	// the tunnel's twin goes and comes back: the kernel's routes by it go with it, nave's come back
	if _, err := l.Run("spoke1", "ip", "link", "set", "Tunnel0", "down"); err != nil {
		t.Fatal(err)
	}
	lines(t, l, "spoke1", kernel, nil, "10.0.0.0/8 ")
	lines(t, l, "spoke1", table, []string{"10.78.0.0"}, "10.77.0.0")
	if _, err := l.Run("spoke1", "ip", "link", "set", "Tunnel0", "up"); err != nil {
		t.Fatal(err)
	}
	lines(t, l, "spoke1", kernel, []string{"10.0.0.0/8 dev Tunnel0"})
	reload(t, l, "spoke1", text)
	lines(t, l, "spoke1", table, nil, "10.78.0.0", "10.79.0.0")
	must(t, l.KillRouter("spoke1"))
	lines(t, l, "spoke1", kernel, []string{"default via 198.51.100.254 dev eth0 proto 206", "10.0.0.0/8 dev Tunnel0 proto 206", "10.78.0.0/16 via"})
	start(t, l, "spoke1")
	lines(t, l, "spoke1", kernel, []string{"default via 198.51.100.254 dev eth0 proto 206", "10.0.0.0/8 dev Tunnel0 proto 206"})
	reload(t, l, "spoke1", strings.Replace(text, "ip route 10.0.0.0 255.0.0.0", "ip route 10.0.0.0 255.128.0.0", 1))
	lines(t, l, "spoke1", kernel, []string{"10.0.0.0/9 dev Tunnel0 proto 206"}, "10.0.0.0/8 ")
	must(t, l.StopRouter("spoke1", unix.SIGTERM))
	lines(t, l, "spoke1", kernel, []string{"default via 198.51.100.254 dev eth0 proto 206", "10.78.0.0/16 via"}, "10.0.0.0/", "Tunnel0")
}

// What only labels lead to, programs in a VRF's namespace reach by nave0, from an address that the far end answers; a default route there does not take it.
func TestLabelledRoutesInTheKernel(t *testing.T) {
	t.Parallel()
	lab := bgp2547()
	l := topo.ForTest(t, lab.Topology)
	holds(t, l, lab)
	red := vrfSpace(t, l, "spoke2", "red")
	if out, err := red.Run("ip", "route", "add", "default", "via", "192.168.11.7"); err != nil {
		t.Fatal(err, out)
	}
	linesIn(t, red, "ip -4 route show proto 206", []string{"192.168.12.0/24 dev nave0 scope link src 192.168.11.2 metric 4261413070"})
	answers(t, red, "192.168.12.7")
}
