package labs

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"nave/bpf"
	"nave/testbed/need"
	"nave/testbed/topo"
)

// watch watches the internet of a lab until the end of the test, when nothing may have crossed in clear.
func watch(t *testing.T, l *topo.Lab) *Watch {
	t.Helper()
	w, err := StartWatch(l)
	must(t, err)
	t.Cleanup(w.Close)
	return w
}

// A protected tunnel leaves nothing in clear, in no state: while it comes up, with IKE in the way, after clear, with a naved killed and started
// again. And it comes back from each.
func TestNothingInClear(t *testing.T) {
	need.Command(t, "nft", "dnsmasq")
	t.Parallel()
	for _, lab := range []Lab{protected(), guide()} {
		t.Run(lab.Name, func(t *testing.T) {
			t.Parallel()
			l := topo.ForTest(t, lab.Topology)
			w := watch(t, l)
			check(t, l, lab.Checks...)
			for _, state := range []struct {
				name string
				run  func(*testing.T, *topo.Lab)
			}{{"shown", shown}, {"clear", clears}, {"IKE blocked", ikeBlocked}, {"spoke killed", spokeKilled}, {"hub killed", hubKilled}} {
				t.Run(state.name, func(t *testing.T) {
					state.run(t, l)
					if seen := w.Seen(); seen.Clear != 0 {
						t.Errorf("%d packets in clear; the first: %s", seen.Clear, seen.First)
					}
				})
			}
			if seen := w.Seen(); seen.ESP == 0 || seen.IKE == 0 {
				t.Errorf("the watch saw %+v", seen)
			}
			seesClear(t, l, w)
		})
	}
}

// recovered waits until the tunnels carry packets again.
func recovered(t *testing.T, l *topo.Lab) {
	t.Helper()
	must(t, topo.Eventually(2*patience, func() error {
		_, err := l.Run("host1", "ping", "-n", "-c", "1", "-W", "1", "10.2.0.7")
		_, err2 := l.Run("spoke1", "ping", "-n", "-c", "1", "-W", "1", "10.255.0.1")
		return errors.Join(err, err2)
	}))
}

// tries sends pings that need not arrive, all ways at once.
func tries(l *topo.Lab) {
	var pings sync.WaitGroup
	for _, p := range [][2]string{{"host1", "10.2.0.7"}, {"host2", "10.1.0.7"}, {"spoke1", "10.255.0.1"}, {"spoke2", "10.255.0.11"}} {
		pings.Go(func() { _, _ = l.Run(p[0], "ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", p[1]) })
	}
	pings.Wait()
}

func clears(t *testing.T, l *topo.Lab) {
	for _, words := range []string{"clear crypto sa", "clear crypto session"} {
		for _, r := range l.Topology.Routers() {
			if out, err := l.Nave(r, strings.Fields(words)...); err != nil {
				t.Errorf("%s on %s: %v: %s", words, r, err, out)
			}
		}
		tries(l)
		recovered(t, l)
	}
}

// ikeBlocked: the internet takes no IKE, and the SAs are gone.
func ikeBlocked(t *testing.T, l *topo.Lab) {
	for _, c := range []string{
		"nft add table inet block", "nft add chain inet block forward { type filter hook forward priority 0 ; }",
		"nft add rule inet block forward udp dport { 500, 4500 } drop",
	} {
		if _, err := l.Run("internet", strings.Fields(c)...); err != nil {
			t.Fatal(err)
		}
	}
	forgets(t, l, l.Topology.Routers()...)
	tries(l)
	if _, err := l.Run("host1", "ping", "-n", "-c", "1", "-W", "1", "10.2.0.7"); err == nil {
		t.Error("host 2 answers without an SA")
	}
	if _, err := l.Run("internet", "nft", "delete", "table", "inet", "block"); err != nil {
		t.Fatal(err)
	}
	recovered(t, l)
}

func spokeKilled(t *testing.T, l *topo.Lab) {
	must(t, l.KillRouter("spoke1"))
	tries(l)
	start(t, l, "spoke1")
	tries(l)
	if !strings.Contains(l.Topology.Name, "protected") { // the others have no dead peer detection: INITIAL-CONTACT tells the hub only
		forgets(t, l, "spoke2")
	}
	recovered(t, l)
}

func hubKilled(t *testing.T, l *topo.Lab) {
	must(t, l.KillRouter("hub"))
	tries(l)
	start(t, l, "hub")
	tries(l)
	if !strings.Contains(l.Topology.Name, "protected") {
		forgets(t, l, "spoke1", "spoke2")
	}
	recovered(t, l)
}

// seesClear: with a naved dead, the kernel forwarding, and steering and twin taken off, the watch sees what it is there for.
func seesClear(t *testing.T, l *topo.Lab, w *Watch) {
	must(t, l.NS("spoke1").Sysctl("ipv4/ip_forward", "1"))
	must(t, l.KillRouter("spoke1"))
	tries(l)
	if seen := w.Seen(); seen.Clear != 0 {
		t.Errorf("with naved dead and the kernel ready to forward %d packets crossed in clear; the first: %s", seen.Clear, seen.First)
	}
	must(t, bpf.RemovePins(l.RunDir("spoke1")))
	if _, err := l.Run("spoke1", "ip", "link", "del", "Tunnel0"); err != nil {
		t.Fatal(err)
	}
	comes(t, func() error { // the kernel takes a program off its netdev beside other work
		tries(l)
		if w.Seen().Clear == 0 {
			return errors.New("with the steering taken off no packet is seen in clear: this test sees nothing")
		}
		return nil
	})
}
