package sim

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"nave/ctl/show"
	"nave/fastpath"
	"nave/slowpath/dmvpn"
)

// oneTunnel is a crypto module for one peer.
const oneTunnel = `name: one
extends: sup720-3bxl-7600-spa
values:
  crypto.tunnels: {value: 1, unit: tunnels, basis: assumed, source: "this test"}
`

// withOneTunnel gives a router hardware whose crypto module takes one peer.
func withOneTunnel(t *testing.T, r *Router) {
	t.Helper()
	r.profiles = t.TempDir()
	if err := os.WriteFile(filepath.Join(r.profiles, "one.yaml"), []byte(oneTunnel), 0o600); err != nil {
		t.Fatal(err)
	}
	r.text = "platform hardware profile one\n" + r.text
}

// noRoom counts how often sessions of a router were refused, and with whom.
func noRoom(n *Net, router string) (count int, peers map[string]bool) {
	peers = make(map[string]bool)
	for _, e := range n.Router(router).linux.logs {
		if l, ok := e.(dmvpn.Log); ok && l.Kind == dmvpn.LogNoRoom {
			count++
			peers[l.Peer.Addr().String()] = true
		}
	}
	return count, peers
}

// A crypto module that is full refuses a peer, who is told, and tries again more and more slowly. Nobody else feels it, nothing is left half done, and once there is room the
// peer has it.
func TestCryptoModuleFull(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 21, crypto)
		withOneTunnel(t, n.Router("hub"))
		n.Until(2*time.Minute, "one spoke is up, and the other one refused", func() bool {
			c, _ := noRoom(n, "hub")
			return len(secured(n, "hub")) == 1 && c > 0
		})
		in, out := "1", "2"
		host, gateway := n.Router("hub"), "10.255.0.1"
		if !n.Ping("spoke1", gateway).OK { // by luck, one of them is first
			in, out = "2", "1"
		}
		installed := host.Counters().SAs
		before, _ := noRoom(n, "hub")
		quiet := 0
		for range 60 {
			n.Run(10 * time.Second)
			if r := n.Ping("spoke"+in, gateway); !r.OK {
				t.Fatalf("spoke%s, which has room, at %v: %v", in, n.Now().Sub(epoch), r)
			}
			if n.Ping("spoke"+out, gateway).OK {
				t.Fatalf("spoke%s is reached without room", out)
			}
			if same(installed, host.Counters().SAs) {
				quiet++
			}
		}
		if quiet < 50 {
			t.Errorf("the hub's associations were others than those of spoke%s in %d of 60 looks", in, 60-quiet)
		}
		count, peers := noRoom(n, "hub")
		if count -= before; count < 3 || count > 60 || len(peers) != 1 {
			t.Errorf("tried %d times in ten minutes, by %v", count, peers)
		}
		t.Logf("spoke%s has the room; spoke%s was refused %d times in ten minutes", in, out, count)
		h := n.Status("hub").Hardware
		if h == nil || h.Usage.CryptoTunnels.Used != 1 || h.Usage.CryptoTunnels.Size != 1 || h.Usage.CryptoRefused < count {
			t.Errorf("%+v", h)
		}
		if list := host.core.Router().Status().Refused; len(list) > 2 {
			t.Errorf("left over: %v", list)
		}
		told := 0
		for _, e := range host.core.SampleHardware(n.Now(), host.engine.Tally()) {
			if l, ok := e.(show.HardwareLog); ok && l.Kind == show.HardwareCryptoFull && l.Count > 0 && l.Most == 1 {
				told++
			}
		}
		if told != 1 || len(host.core.SampleHardware(n.Now().Add(time.Second), host.engine.Tally())) != 0 {
			t.Errorf("the log was told %d times", told)
		}
		n.Router("spoke" + in).Stop()
		n.Until(5*time.Minute, "the other spoke has the room", func() bool { return n.Ping("spoke"+out, gateway).OK })
	})
}

// same tells whether associations are those.
func same[K comparable](a, b map[K]fastpath.SACount) bool {
	for k := range b {
		if _, ok := a[k]; !ok {
			return false
		}
	}
	return len(a) == len(b)
}
