package sim

import (
	"strings"
	"testing"
	"time"

	"nave/fastpath/packet"
)

// A narrow link on the way: with `tunnel path-mtu-discovery` its MTU is learned of ESP, and what fits then arrives whole.
func TestProtectedPathMTU(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 53, crypto)
		for _, s := range []string{"hub", "spoke1", "spoke2"} {
			r := n.Router(s)
			r.text = strings.Replace(r.text, protection, protection+" tunnel path-mtu-discovery\n", 1)
		}
		converge(t, n, "hub")
		sealedDirect(t, n, "host1", "10.2.0.7")
		n.Link("spoke2", "Ethernet0").cfg.MTU = 1000
		cut := 0
		n.Tap(func(c Crossing) {
			if ip, fault := packet.ParseIPv4(c.Frame[packet.EthernetLen:]); fault == packet.OK && c.To == "spoke2" && c.From == "internet" && ip.IsFragment() {
				cut++
			}
		})
		learned := false
		for range 10 {
			r := n.Ping("host1", "10.2.0.7", PingOptions{Size: 1300, DF: true})
			learned = learned || r.Error != nil && r.Error.Type == packet.ICMPUnreachable && r.Error.MTU < 1000 && r.Error.MTU > 850
			n.Run(time.Second)
		}
		if !learned {
			t.Error("no sender is told of the narrow link")
		}
		if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: 850, DF: true}); !r.OK {
			t.Errorf("what fits: %v", r)
		}
		if cut != 0 {
			t.Errorf("%d pieces of sealed packets", cut)
		}
	})
}

// Frames lost, doubled and late: sessions come up, rekey and stay.
func TestProtectedOnABadLink(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		crypto = strings.Replace(crypto, " set transform-set strong\n", " set transform-set strong\n set security-association lifetime seconds 120\n", 1)
		n, _ := protectedLab(t, 54, crypto)
		for _, s := range []string{"hub", "spoke1", "spoke2"} {
			n.Link(s, "Ethernet0").SetLoss(0.1)
		}
		n.Until(10*time.Minute, "the hub has the registrations", func() bool { return registered(n, "hub", "10.255.0.11", "10.255.0.12") })
		sent, answered := 0, 0
		for range 600 {
			sent++
			if n.Ping("host1", "10.255.0.1").OK {
				answered++
			}
			n.Run(2 * time.Second)
		}
		// A question and an answer over two links: 0.9 to the fourth is 0.66.
		if answered*100 < sent*50 {
			t.Errorf("%d of %d answered", answered, sent)
		}
		for _, s := range []string{"hub", "spoke1", "spoke2"} {
			n.Link(s, "Ethernet0").SetLoss(0)
		}
		n.Until(5*time.Minute, "all is well again", func() bool {
			return len(secured(n, "hub")) == 2 && n.Ping("host1", "10.255.0.1").OK && n.Ping("host2", "10.1.0.7").OK
		})
		sealedDirect(t, n, "host1", "10.2.0.7")
	})
}

// A direct path that nobody uses goes with its session; the next packet brings both back.
func TestProtectedIdleShortcut(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 55, crypto)
		converge(t, n, "hub")
		sealedDirect(t, n, "host1", "10.2.0.7")
		n.Until(time.Hour, "the idle session is down on both sides", func() bool {
			return len(secured(n, "spoke1")) == 1 && len(secured(n, "spoke2")) == 1
		})
		if len(secured(n, "hub")) != 2 {
			t.Errorf("the hub's sessions: %v", secured(n, "hub"))
		}
		if s := n.Router("spoke1").core.Router().Status().Sessions; len(s.Sessions) != 1 || s.SAs > 4 {
			t.Errorf("left over: %+v", s)
		}
		sealedDirect(t, n, "host1", "10.2.0.7")
	})
}

// A hundred spokes at once, and again when the hub has died: every one comes back, and no one's session is another's.
func TestProtectedHundredSpokes(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		const spokes = 100
		n := Star(t, 72, spokes, protection)
		for _, e := range n.order {
			if r, ok := e.(*Router); ok {
				r.text = crypto + r.text
			}
		}
		count := clearPackets(n)
		all := func() bool { return strings.Count(n.Show("hub", "show dmvpn"), " UP ") == spokes }
		n.Until(time.Minute, "all spokes are registered", all)
		t.Logf("registered by %v of simulated time", n.Now().Sub(epoch))
		if len(secured(n, "hub")) != spokes {
			t.Errorf("%d sessions", len(secured(n, "hub")))
		}
		n.Router("hub").Stop()
		n.Run(5 * time.Second)
		n.Router("hub").Start()
		began := n.Now()
		n.Until(10*time.Minute, "all spokes are back", all)
		t.Logf("back after %v", n.Now().Sub(began))
		for i := 1; i <= spokes; i += 7 {
			if r := n.Ping(StarOf(i).Name, "10.255.0.1"); !r.OK {
				t.Errorf("spoke %d: %v", i, r)
			}
		}
		if s := n.Router("hub").core.Router().Status().Sessions; s.SAs > 4*spokes {
			t.Errorf("%d associations for %d spokes", s.SAs, spokes)
		}
		if *count != 0 {
			t.Errorf("%d packets left in clear", *count)
		}
	})
}
