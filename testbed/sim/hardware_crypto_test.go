package sim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
)

// Values of crypto modules: one for one peer, one that sets up a tunnel in five seconds, of hardware that has shortcuts.
const (
	oneTunnel = `crypto.tunnels: {value: 1, unit: tunnels, basis: assumed, source: "this test"}`
	slowSetUp = `crypto.setup_per_s: {value: 0.2, unit: per second, basis: assumed, source: "this test"}
  phase3: {value: yes, basis: assumed, source: "this test"}`
	bothCiphers = `crypto.ciphers: {value: [aes, gcm], basis: assumed, source: "this test, with IKEv1 and IKEv2"}`
)

// withModule gives a router hardware with a crypto module of which a value is another.
func withModule(t *testing.T, r *Router, value string) {
	t.Helper()
	r.profiles = t.TempDir()
	text := "name: ours\nextends: sup720-3bxl-7600-spa\nvalues:\n  " + bothCiphers + "\n  " + value + "\n"
	if err := os.WriteFile(filepath.Join(r.profiles, "ours.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.text = "platform hardware profile ours\n" + r.text
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
		withModule(t, n.Router("hub"), oneTunnel)
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

// A crypto module that sets up tunnels slowly: peers who come too fast try again by themselves, what a router begins itself waits, and all come up.
func TestCryptoSetUpRate(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 22, crypto)
		withModule(t, n.Router("hub"), slowSetUp)
		withModule(t, n.Router("spoke1"), slowSetUp)
		n.Until(time.Minute, "both spokes are up", func() bool { return len(secured(n, "hub")) == 2 })
		a := n.Router("hub").core.Router().Status().IKE.Admission
		if a.SetUp != 0.2 || a.Stats.RejectedSetUp == 0 || a.Stats.InAccepted != 2 {
			t.Errorf("%+v", a)
		}
		if text := n.Show("hub", "show crypto call admission statistics"); !strings.Contains(text, "Set-up Rate Limit:          0.2 a second     too fast:") {
			t.Error(text)
		}
		n.Ping("host1", "10.2.0.7") // spoke 1 spends what it has on spoke 2, or waits for it
		n.Until(time.Minute, "the spokes reach each other directly", func() bool {
			r := n.Ping("host1", "10.2.0.7")
			return r.OK && r.TTL == 62
		})
		if f := n.Router("spoke1").core.Router().Status().IKE.Admission.Stats; f.OutRejected != 0 {
			t.Errorf("what spoke 1 begins is refused: %+v", f)
		}
	})
}

// Whoever takes a fast path over prices it by its own profile: another one's prices are gone.
func TestHardwareTakeOver(t *testing.T) {
	n := lab(t, "phase3", 23)
	spoke := n.Router("spoke1")
	plain := spoke.text
	spoke.text = "platform hardware profile sup720-3bxl\n" + plain
	spent := func() uint64 {
		before := spoke.engine.Tally().Spent[fib.CEF] // the tunnel has a key
		if r := n.Ping("host1", "10.2.0.7"); !r.OK {
			t.Fatalf("%v", r)
		}
		return spoke.engine.Tally().Spent[fib.CEF] - before
	}
	n.Until(time.Minute, "the other site is reached", func() bool { return n.Ping("host1", "10.2.0.7").OK })
	if spent() == 0 {
		t.Error("a profile, and nothing is spent")
	}
	spoke.Orphan()
	if spent() == 0 {
		t.Error("prices went with the control plane")
	}
	spoke.TakeOver(plain)
	if k := spent(); k != 0 {
		t.Errorf("no profile any more, and %d packets cost", k)
	}
	spoke.Orphan()
	spoke.TakeOver("platform hardware profile sup720-3bxl\n" + plain)
	if spent() == 0 {
		t.Error("the next one has a profile, and nothing is spent")
	}
	if h := n.Status("spoke1").Hardware; h == nil || len(h.Switched) != 1 || h.Switched[0].Interface != "Tunnel0" || h.Switched[0].Key != "gre.key_in_hw" {
		t.Errorf("%+v", h)
	}
}
