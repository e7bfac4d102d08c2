package labs

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/topo"
)

// recovery is how long a VPN may take to be whole again after something was started anew: some seconds, and room for machines that are busy.
const recovery = patience

const (
	// fewLost is how many packets of a flow may be lost, or be under way, when naved alone is killed: the workers forward on by what they have, and what is learned anew takes its
	// place without a gap.
	fewLost = 5
	// mostTries is how often that may take: a machine that is busy with other things loses packets on its own account, but not every time.
	mostTries = 3
)

// Whatever dies and comes back, no packet of a VPN gets into another.
func TestVPNRestarts(t *testing.T) {
	for _, lab := range []Lab{bgp2547(), enterprise2547()} {
		t.Run(lab.Name, func(t *testing.T) {
			l := topo.ForTest(t, lab.Topology)
			holds(t, l, lab)
			f := startFlood(t, l, cloudHosts(1, 2, 3))
			f.flowing(t, recovery, "start")
			killed := func(router string) func() {
				return func() { must(t, l.StopRouter(router, unix.SIGKILL)); time.Sleep(time.Second); start(t, l, router) }
			}
			for _, s := range []struct {
				what string
				run  func()
				few  int // so many packets of a flow may be lost; 0: any number
			}{
				{"kill -9 of the hub's naved", killed("hub"), fewLost},
				{"kill -9 of a spoke's naved", killed("spoke2"), fewLost},
				{"kill -9 of the hub's naved and workers", func() { must(t, l.KillRouter("hub")); start(t, l, "hub") }, 0},
				{"kill -9 of a spoke's naved and workers", func() { must(t, l.KillRouter("spoke2")); start(t, l, "spoke2") }, 0},
				{"clean restart of the hub", func() { must(t, l.StopRouter("hub", unix.SIGTERM)); start(t, l, "hub") }, 0},
				{"kill -9 of the hub's worker", func() { must(t, unix.Kill(workers(t, l, "hub")[0], unix.SIGKILL)) }, 0},
				{"BGP sessions cleared", func() { clearBGP(t, l) }, 0},
			} {
				for try := 1; ; try++ {
					n := costs(t, l, f, lab, s.what, cmp.Or(s.few, math.MaxInt), s.run)
					if s.few == 0 || n <= s.few {
						break
					}
					if try == mostTries {
						t.Errorf("%s: no more than %d packets of a flow may be lost", s.what, s.few)
						break
					}
				}
			}
			f.close()
			f.tight(t)
			f.tell(t)
		})
	}
}

// costs does something to a lab and returns how many packets of any flow that cost, once all is as it was; few are as good as none.
func costs(t *testing.T, l *topo.Lab, f *flood, lab Lab, what string, few int, run func()) int {
	t.Helper()
	before := f.mark()
	run()
	f.flowing(t, recovery, what)
	check(t, l, lab.Checks[:2]...)
	time.Sleep(2 * time.Second) // what is learned anew takes the place of what was kept
	n, which := f.lost(before, few)
	t.Logf("%s: %d packets lost of %s, 5 ms apart", what, n, which)
	f.tight(t)
	return n
}

func clearBGP(t *testing.T, l *topo.Lab) {
	t.Helper()
	if out, err := l.Nave("hub", "clear", "ip", "bgp", "*"); err != nil {
		t.Errorf("clear ip bgp *: %v: %s", err, out)
	}
}

// An interface changes its VRF while the others run, and a stop brings the ports home.
func TestVRFChange(t *testing.T) {
	lab := vrfAware()
	l := topo.ForTest(t, lab.Topology)
	check(t, l, Ping("blue1", "192.168.1.7", ""), Ping("red1", "192.168.1.7", ""))
	hosts := []floodHost{{"blue1", "blue", "10.9.0.7"}, {"blue2", "blue", "192.168.1.7"}}
	f := startFlood(t, l, hosts)
	f.flowing(t, recovery, "start")
	sent, got := f.flows[0].sent.Load(), f.flows[0].got.Load()
	// the hosts of RED go to a VRF that has no routes
	text := configuration(t, l, "hub")
	moved := strings.Replace(text, "\ninterface Tunnel0\n", "\nip vrf GREEN\n rd 3:3\n!\ninterface Tunnel0\n", 1)
	moved = strings.Replace(moved, " description the hosts of RED\n ip vrf forwarding RED\n", " description the hosts of RED\n ip vrf forwarding GREEN\n", 1)
	reload(t, l, "hub", moved)
	check(t, l, cut("red1", "192.168.1.7"), cut("red2", "10.9.0.7"), Ping("red1", "10.9.0.1", ""))
	reload(t, l, "hub", text)
	check(t, l, Ping("red1", "192.168.1.7", ""), Ping("red2", "10.9.0.7", ""), Unreachable("red1", fmt.Sprint("192.168.1.", blueOnly)))
	comes(t, func() error { // what is lost stays missing, and what is on its way does not
		if s, g := f.flows[0].sent.Load()-sent, f.flows[0].got.Load()-got; s < 100 || s > g+3 {
			return fmt.Errorf("of %d packets of BLUE %d arrived while RED changed", s, g)
		}
		return nil
	})
	f.close()
	must(t, l.StopRouter("hub", unix.SIGTERM))
	haveHome(t, l, "hub", "eth0", "eth1", "eth2", "eth3")
	// killed whole, and started without VRFs: the ports come home, the namespaces go
	start(t, l, "hub")
	check(t, l, Ping("red1", "192.168.1.7", ""))
	must(t, l.KillRouter("hub"))
	configureWhole(l, "hub", "hostname hub\ninterface Ethernet0\n ip address 172.17.0.1 255.255.255.0\ninterface Ethernet2\n ip address 10.9.0.1 255.255.255.0\nend\n")
	start(t, l, "hub")
	check(t, l, Ping("blue1", "10.9.0.1", ""))
	haveHome(t, l, "hub", "eth0", "eth1", "eth2", "eth3")
}

// configureWhole changes the whole configuration that a router starts with next.
func configureWhole(l *topo.Lab, node, text string) {
	for k := range l.Topology.Nodes {
		if n := &l.Topology.Nodes[k]; n.Name == node {
			n.Config = text
		}
	}
}

// TTLs through the VPN: the hub is no hop of the IP header where labels are swapped, but their TTL counts it.
func TestVPNTTL(t *testing.T) {
	t.Parallel()
	lab := bgp2547()
	l := topo.ForTest(t, lab.Topology)
	check(t, l, lab.Checks[:2]...)
	check(t, l, Ping("red2", "192.168.12.7", ""))
	comes(t, func() error {
		ttl, err := ReplyTTL(l, "red2", "192.168.12.7")
		if err == nil && ttl != 61 { // spoke 3, the hub, spoke 2
			err = fmt.Errorf("answers come with TTL %d", ttl)
		}
		return err
	})
	says(t, "TTL 2 ends at the hub, and the sender is told", func() (string, error) {
		out, _ := l.Run("red2", "ping", "-n", "-c", "1", "-W", "2", "-t", "2", "192.168.12.7") // the error is what is wanted
		return out, nil
	}, []string{"Time to live exceeded"})
}
