package labs

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/topo"
)

// oneTunnel is a hub whose crypto module takes one peer.
const oneTunnel = `name: one-tunnel
extends: [sup720-3bxl-7600-spa]
values:
  crypto.tunnels: {value: 1, unit: tunnels, basis: assumed, source: "this test: a module for one peer"}
`

// Routers as a Cisco 7600, on real packets: the lab comes up, and each thing that such hardware does otherwise shows, and only while the profile says so.
func TestHardware(t *testing.T) {
	lab := hardware()
	for k := range lab.Topology.Nodes {
		if n := &lab.Topology.Nodes[k]; n.Name == "hub" {
			n.Profiles = map[string]string{"one-tunnel.yaml": oneTunnel}
		}
	}
	l := topo.ForTest(t, lab.Topology)
	holds(t, l, lab)
	for _, state := range []struct {
		name string
		run  func(*testing.T, *topo.Lab)
	}{
		{"the profile alone changes the rate", profileChangesRate}, {"naved dies", profileOutlivesNaved}, {"a profile that is none", badProfile},
		{"encrypted multicast", encryptedMulticast}, {"crypto tunnels", cryptoTunnels},
	} {
		t.Run(state.name, func(t *testing.T) { state.run(t, l) })
	}
}

// traffic is StartTraffic until the end of a test.
func traffic(t *testing.T, l *topo.Lab, o Load) *Traffic {
	t.Helper()
	f, err := StartTraffic(l, o)
	must(t, err)
	t.Cleanup(f.Close)
	return f
}

// setProfile is SetProfile that must not fail.
func setProfile(t *testing.T, l *topo.Lab, router, name string) {
	t.Helper()
	must(t, SetProfile(l, router, name))
}

// Of a measurement: what waits in queues goes first, and then it lasts as long as makes chance small.
const (
	settling  = 800 * time.Millisecond
	measuring = 2 * time.Second
)

// measured is what is sent and what arrives, a second, of traffic that has settled. arrived counts; nil: what the traffic's own sinks have.
func measured(t *testing.T, what string, arrived func() uint64, flows ...*Traffic) (sent, came float64) {
	t.Helper()
	time.Sleep(settling)
	sent, came, err := Steady(measuring, arrived, flows...)
	must(t, err)
	t.Logf("%s: %.0f packets a second sent, %.0f arrive", what, sent, came)
	return sent, came
}

// mostLooks is how often something is measured that must be so: in one look a worker may be without CPU, or have more to do at once than it had before, but not in all.
const mostLooks = 5

// looks measures until what comes is as it must be, which wrong tells: "" for nothing is.
func looks(t *testing.T, what string, arrived func() uint64, flows []*Traffic, wrong func(sent, came float64) string) {
	t.Helper()
	var text string
	for range mostLooks {
		if text = wrong(measured(t, what, arrived, flows...)); text == "" {
			return
		}
	}
	t.Errorf("%s: %s", what, text)
}

// held checks that a flood, of one direction or several, is held to a rate, within a tenth of it.
func held(t *testing.T, what string, rate int, flows ...*Traffic) {
	t.Helper()
	looks(t, what, nil, flows, within(rate, 0.1))
}

// within tells whether what arrives is a rate, a tenth more or less, or short of it by some share.
func within(rate int, short float64) func(sent, came float64) string {
	return func(sent, came float64) string {
		if sent < 2*float64(rate) {
			return fmt.Sprintf("%.0f packets a second sent are not enough to see whether more than %d pass", sent, rate)
		}
		if off := came/float64(rate) - 1; off < -short || off > 0.1 {
			return fmt.Sprintf("%.0f packets a second arrive, want %d, a tenth more or %.0f %% less at most", came, rate, 100*short)
		}
		return ""
	}
}

// atLeast tells whether so many packets a second arrive.
func atLeast(rate int) func(sent, came float64) string {
	return func(_, came float64) string {
		if came < float64(rate) {
			return fmt.Sprintf("%.0f packets a second arrive, want %d at least", came, rate)
		}
		return ""
	}
}

// free checks that at least three times a rate passes.
func free(t *testing.T, what string, rate int, flows ...*Traffic) {
	t.Helper()
	looks(t, what, nil, flows, atLeast(3*rate))
}

// profileChangesRate: a tunnel with a key goes at the speed of the route processor while the profile says so, and at its own without, and nobody else notices.
func profileChangesRate(t *testing.T, l *topo.Lab) {
	was, keys := workers(t, l, "spoke1"), spis(t, l, "spoke1")
	if len(was) != 2 || len(keys) < 4 {
		t.Fatalf("spoke 1 has the workers %v and the associations %v: want two, and two of each peer at least", was, keys)
	}
	c := watchControl(t, l)
	out := traffic(t, l, Load{From: "host1", To: "host2", Addr: farHost, Rate: fullRate})
	for _, name := range []string{slowProfile, "none", slowProfile} {
		setProfile(t, l, "spoke1", name)
		if name == "none" {
			free(t, "profile none", slowRate, out)
		} else {
			held(t, "profile "+name, slowRate, out)
		}
	}
	// What comes out of the tunnel is paid from the same purse, whichever worker has it.
	back := traffic(t, l, Load{From: "host2", To: "host1", Addr: netip.MustParseAddr("10.1.0.7"), Rate: fullRate / 2})
	held(t, "both ways", slowRate, out, back)
	if n := reasons(t, l, "spoke1")["cef-over"]; n < 3*slowRate {
		t.Errorf("%d packets are counted as more than the route processor takes", n)
	}
	c.quiet(t)
	if now := workers(t, l, "spoke1"); !slices.Equal(now, was) {
		t.Errorf("the workers are %v, were %v", now, was)
	}
	// Of two pairs with a peer that began when this router did, one goes.
	if now := spis(t, l, "spoke1"); len(now) < 4 || slices.ContainsFunc(now, func(k string) bool { return !slices.Contains(keys, k) }) {
		t.Errorf("the associations are %v, were %v", now, keys)
	}
}

// profileOutlivesNaved: workers whose naved is gone hold to the profile, and the next naved finds what is installed, and prices it.
func profileOutlivesNaved(t *testing.T, l *topo.Lab) {
	was := workers(t, l, "spoke1")
	f := traffic(t, l, Load{From: "host1", To: "host2", Addr: farHost, Rate: fullRate})
	must(t, l.StopRouter("spoke1", unix.SIGKILL))
	held(t, "without a naved", slowRate, f)
	start(t, l, "spoke1")
	held(t, "with the next one", slowRate, f)
	if now := workers(t, l, "spoke1"); !slices.Equal(now, was) {
		t.Errorf("the workers are %v, were %v", now, was)
	}
	check(t, l, EIGRPNeighbors("spoke1", "10.255.0.1"), Registered("hub", "10.255.0.11"))
}

// badProfile: a configuration with a profile that there is not is refused as a whole.
func badProfile(t *testing.T, l *topo.Lab) {
	good := configuration(t, l, "spoke1")
	bad := strings.Replace(profileLine.ReplaceAllString(good, "platform hardware profile sup999"), "ip route 0.0.0.0", "ip route 172.31.0.0 255.255.0.0 Null0\nip route 0.0.0.0", 1)
	f := traffic(t, l, Load{From: "host1", To: "host2", Addr: farHost, Rate: fullRate})
	if out, err := load(l, "spoke1", bad); err == nil || !strings.Contains(out, "sup999") || !strings.Contains(out, "the running configuration stands") {
		t.Errorf("reload with a profile that there is not: %v: %s", err, out)
	}
	held(t, "after a profile that there is not", slowRate, f)
	if out, err := l.Nave("spoke1", "show", "ip", "route"); err != nil || strings.Contains(out, "172.31.0.0") {
		t.Errorf("a route of the configuration that was refused: %v: %s", err, out)
	}
	reload(t, l, "spoke1", good)
}

// encryptedMulticast: what a spoke sends to a group reaches the other by the hub, unless the hub is hardware that sends no multicast of others through protected
// tunnels; EIGRP, whose hellos are the routers' own, goes on.
func encryptedMulticast(t *testing.T, l *topo.Lab) {
	const packets = 20
	send := func() {
		t.Helper()
		if out, err := l.Run("spoke1", "ping", "-n", "-q", "-c", fmt.Sprint(packets), "-i", "0.01", "-W", "1", "-t", "8", "-I", "Tunnel0", "239.7.7.7"); err == nil {
			t.Fatalf("somebody answers for a group: %s", out)
		}
	}
	counts := func() [2]uint64 { // those that the hub dropped, and those that came to spoke 2, which has nobody to send them to
		return [2]uint64{reasons(t, l, "hub")["encrypted-multicast"], reasons(t, l, "spoke2")["no-group"]}
	}
	down := strings.Count(logText(t, l, "hub"), " is down")
	for _, profile := range []string{"sup720-3bxl-7600-spa", "none"} {
		setProfile(t, l, "hub", profile)
		want := [2]uint64{packets, 0}
		if profile == "none" {
			want = [2]uint64{0, packets}
		}
		before := counts()
		send()
		comes(t, func() error {
			now := counts()
			if got := [2]uint64{now[0] - before[0], now[1] - before[1]}; got != want {
				return fmt.Errorf("with profile %s the hub drops %d of %d packets to a group, and %d reach the far spoke: want %v", profile, got[0], packets, got[1], want)
			}
			return nil
		})
	}
	setProfile(t, l, "hub", "sup720-3bxl-7600-spa")
	check(t, l, EIGRPNeighbors("hub", "10.255.0.11", "10.255.0.12"))
	if n := strings.Count(logText(t, l, "hub"), " is down"); n != down {
		t.Errorf("%d neighbors went down meanwhile", n-down)
	}
}

// cryptoTunnels: a module for one peer leaves those alone that are there; when all have to come anew, one comes, and both when there is room.
func cryptoTunnels(t *testing.T, l *topo.Lab) {
	both := []string{"10.255.0.11", "10.255.0.12"}
	up := func() (list []string, text string) {
		text, err := l.Nave("hub", "show", "dmvpn")
		must(t, err)
		return upPeers(text, both), text
	}
	setProfile(t, l, "hub", "one-tunnel")
	time.Sleep(settling)
	if list, text := up(); len(list) != 2 {
		t.Fatalf("the profile took peers away that were there:\n%s", text)
	}
	forgets(t, l, "hub")
	var first string
	comes(t, func() error {
		list, text := up()
		if len(list) != 1 || !strings.Contains(logText(t, l, "hub"), "%NAVE-4-CRYPTO_FULL: ") {
			return fmt.Errorf("want one of two peers with a module for one:\n%s", text)
		}
		first = list[0]
		return nil
	})
	lost := 0
	for range 20 {
		if _, err := l.Run("hub", "ping", "-n", "-c", "1", "-i", "0.1", "-W", "10", first); err != nil {
			lost++
		}
		if list, text := up(); !slices.Equal(list, []string{first}) {
			t.Errorf("the peer that has the room is not alone, or not there:\n%s", text)
			break
		}
	}
	if lost > 0 {
		t.Errorf("%d of 20 pings of the peer that has the room are lost", lost)
	}
	setProfile(t, l, "hub", "sup720-3bxl-7600-spa")
	comes(t, func() error {
		if list, text := up(); len(list) != 2 {
			return fmt.Errorf("there is room again, and a peer is missing:\n%s", text)
		}
		return nil
	})
	recovered(t, l)
}

// upPeers are those peers that `show dmvpn` has as up.
func upPeers(text string, peers []string) (up []string) {
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.Fields(line)
		for _, p := range peers {
			if slices.Contains(words, p) && slices.Contains(words, "UP") {
				up = append(up, p)
			}
		}
	}
	return up
}

var spi = regexp.MustCompile(`spi: 0x[0-9A-Fa-f]+`)

// spis are the associations that a router has.
func spis(t *testing.T, l *topo.Lab, router string) []string {
	t.Helper()
	out, err := l.Nave(router, "show", "crypto", "ipsec", "sa")
	must(t, err)
	list := spi.FindAllString(out, -1)
	slices.Sort(list)
	return slices.Compact(list)
}

// reasons are why packets of a router were not forwarded, and how many.
func reasons(t *testing.T, l *topo.Lab, router string) map[string]uint64 {
	t.Helper()
	out, err := l.Nave(router, "show", "fastpath", "--json")
	must(t, err)
	var s struct{ Reasons map[string]uint64 }
	must(t, json.Unmarshal([]byte(out), &s))
	return s.Reasons
}

// control is a look at the hub's peers all the time, and at what NHRP of spoke 1 asks and hears.
type control struct {
	l       *topo.Lab
	quit    chan struct{}
	running sync.WaitGroup
	missing []string
	before  nhrpCounts
	down    int
}

// nhrpCounts are the registrations of a spoke.
type nhrpCounts struct{ asked, heard int }

func watchControl(t *testing.T, l *topo.Lab) *control {
	t.Helper()
	c := &control{l: l, quit: make(chan struct{}), before: registrations(t, l, "spoke1"), down: neighborsLost(l)}
	stop := sync.OnceFunc(func() { close(c.quit); c.running.Wait() })
	t.Cleanup(stop)
	c.running.Go(func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-c.quit:
				return
			case <-tick.C:
			}
			out, err := l.Nave("hub", "show", "dmvpn")
			if up := upPeers(out, []string{"10.255.0.11", "10.255.0.12"}); err != nil || len(up) != 2 {
				c.missing = append(c.missing, fmt.Sprintf("%v: %s", err, out))
			}
		}
	})
	return c
}

// quiet checks that nobody missed anything since watchControl.
func (c *control) quiet(t *testing.T) {
	t.Helper()
	close(c.quit)
	c.running.Wait()
	c.quit = make(chan struct{})
	if len(c.missing) > 0 {
		t.Errorf("%d times a spoke was not up at the hub; first: %s", len(c.missing), c.missing[0])
	}
	comes(t, func() error { // an answer may be on its way
		now := registrations(t, c.l, "spoke1")
		if asked, heard := now.asked-c.before.asked, now.heard-c.before.heard; asked != heard || asked < 3 {
			return fmt.Errorf("spoke 1 asked %d times to be registered, and heard %d answers", asked, heard)
		}
		return nil
	})
	if n := neighborsLost(c.l); n != c.down {
		t.Errorf("EIGRP lost %d neighbors", n-c.down)
	}
}

// neighborsLost is how often EIGRP of the hub or spoke 1 has lost a neighbor.
func neighborsLost(l *topo.Lab) (n int) {
	for _, r := range []string{"hub", "spoke1"} {
		text, _ := os.ReadFile(l.LogFile(r))
		n += strings.Count(string(text), " is down")
	}
	return n
}

// registrations is how often a spoke has asked to be registered by Tunnel0, and how often it heard that it is.
func registrations(t *testing.T, l *topo.Lab, spoke string) nhrpCounts {
	t.Helper()
	out, err := l.Nave(spoke, "show", "ip", "nhrp", "traffic", "--json")
	must(t, err)
	var s map[string]struct{ Sent, Received map[string]int }
	must(t, json.Unmarshal([]byte(out), &s))
	return nhrpCounts{s["Tunnel0"].Sent["Registration Request"], s["Tunnel0"].Received["Registration Reply"]}
}
