package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
)

// wants checks that a text has these parts, in this order.
func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, ok := strings.Cut(rest, p)
		if !ok {
			t.Errorf("there is no %q behind what comes before it, in\n%s", p, text)
			return
		}
		rest = after
	}
}

// TestExplainWays: what is explained on the routers of a way is what a ping then does: by the hub, direct, cut, refused.
func TestExplainWays(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 41, crypto)
		converge(t, n, "hub")
		text, x := n.Explain("spoke1", "10.1.0.7 10.2.0.7")
		wants(t, text, "In ", "Ethernet1, the way back to 10.1.0.7 (10.1.0.0/24)", "Route ", "10.0.0.0/8 in the global table, static", "Adjacency ", "Tunnel0, next hop 10.255.0.1: GRE with key 700 to 192.0.2.1",
			"NHRP: 10.255.0.1/32, static", "Seal ", "ESP, SPI 0x", "the session with 192.0.2.1 is UP", "Out ", "198.51.100.1 > 192.0.2.1, ESP SPI 0x", "Forwarded by Tunnel0 to 192.0.2.1.")
		if x.Packet.Fate != fastpath.Forwarded || len(x.Sessions) != 1 {
			t.Errorf("%+v", x)
		}
		text, x = n.Explain("hub", "10.1.0.7 10.2.0.7")
		wants(t, text, "Tunnel0, the way back to 10.1.0.7", "out of GRE from 198.51.100.1, opened by security association", "Forwarded by Tunnel0 to 203.0.113.1.", "(redirect)")
		if len(x.Packet.Told) != 1 || x.Packet.Told[0] != fastpath.Redirect {
			t.Errorf("told %v", x.Packet.Told)
		}
		if r := n.Ping("host1", "10.2.0.7"); !r.OK || r.TTL != 61 {
			t.Errorf("the first ping goes by the hub: %v", r)
		}
		sealedDirect(t, n, "host1", "10.2.0.7")
		text, _ = n.Explain("spoke1", "10.1.0.7 10.2.0.7")
		wants(t, text, "10.2.0.0/24 in the global table, nhrp shortcut", "next hop 10.255.0.12: GRE with key 700 to 203.0.113.1", "Forwarded by Tunnel0 to 203.0.113.1.")
		text, _ = n.Explain("spoke2", "10.1.0.7 10.2.0.7")
		wants(t, text, "out of GRE from 198.51.100.1", "Forwarded by Ethernet1.")

		text, x = n.Explain("spoke1", "10.1.0.7 10.2.0.7 size 1500 df-bit")
		wants(t, text, "must not be cut; 1400 would fit", "frag-needed", "10.1.0.7 is told by ICMP fragmentation needed, with an MTU of 1400")
		if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: 1500, DF: true}); r.Error == nil || r.Error.MTU != x.Packet.MTU {
			t.Errorf("explained an MTU of %d, the ping had %v", x.Packet.MTU, r)
		}
		text, _ = n.Explain("spoke1", "10.1.0.7 10.2.0.7 size 1500")
		wants(t, text, "cut into 2 fragments", "Forwarded by Tunnel0 to 203.0.113.1, in 2 fragments.")
		text, _ = n.Explain("spoke1", "10.1.0.7 10.2.0.7 ttl 1")
		wants(t, text, "(ttl-expired)", "10.1.0.7 is told by ICMP time exceeded.")
		text, _ = n.Explain("spoke1", "10.1.0.7 10.255.0.77")
		wants(t, text, "next hop 10.255.0.77, which is not resolved yet", "NHRP: no entry for 10.255.0.77", "(glean)", "NHRP asks the next hop server of Tunnel0")
		text, _ = n.Explain("hub", "10.255.0.1 10.255.0.11")
		wants(t, text, "this box sends it", "Forwarded by Tunnel0 to 198.51.100.1.")
		text, x = n.Explain("hub", "10.1.0.7 239.1.1.1")
		wants(t, text, "Copies", "Tunnel0 to 198.51.100.1: none, it came from there", "Forwarded, in 1 copy.")
		if x.Packet.Members != 2 {
			t.Errorf("%+v", x.Packet)
		}
	})
}

// TestExplainNoSession: where a peer can't be protected from, the explanation says how far the session is.
func TestExplainNoSession(t *testing.T) {
	n, _ := protectedLab(t, 42, cryptos["IKEv2"])
	converge(t, n, "hub")
	n.Router("spoke1").Clear(api.Clear{What: api.ClearCrypto})
	text, x := n.Explain("spoke1", "10.1.0.7 10.2.0.7")
	if x.Packet.Reason != fastpath.Glean || len(x.Sessions) != 1 {
		t.Fatalf("%s", text)
	}
	wants(t, text, "next hop 10.255.0.1", "NHRP: 10.255.0.1/32, static, NBMA address 192.0.2.1", "waits for the session", "the session with 192.0.2.1 is ", "(glean)", "with 192.0.2.1 yet")
}

// TestExplainChangesNothing: a box that is asked a thousand times ends as one that is not.
func TestExplainChangesNothing(t *testing.T) {
	run := func(ask bool) string {
		n, _ := protectedLab(t, 43, cryptos["IKEv2"])
		converge(t, n, "hub")
		for k := range 100 {
			if ask {
				for _, q := range []string{"10.1.0.7 10.2.0.7", "10.1.0.7 10.255.0.77", "10.1.0.7 10.2.0.7 size 1500", "10.255.0.11 224.0.0.9"} {
					n.Explain("spoke1", q)
				}
			}
			if k%10 == 0 {
				n.Ping("host1", "10.2.0.7")
			}
		}
		return n.Show("spoke1", "show crypto ipsec sa") + n.Show("spoke1", "show ip nhrp") + n.Show("spoke1", "show ip nhrp traffic") + fmt.Sprint(n.Router("spoke1").engine.Counters().Reasons)
	}
	if with, without := run(true), run(false); with != without {
		t.Errorf("with explanations:\n%s\nwithout:\n%s", with, without)
	}
}

// TestExplainOrigins: where a packet comes in is what the user says.
func TestExplainOrigins(t *testing.T) {
	n := lab(t, "phase3", 3)
	converge(t, n, "hub")
	_, x := n.Explain("hub", "10.77.0.1 10.1.0.7 in Tunnel0")
	if x.Packet.From.Tunnel == 0 || x.Back.IsValid() {
		t.Errorf("%+v", x.Packet.From)
	}
	_, x = n.Explain("hub", "10.77.0.1 10.1.0.7 in Ethernet0 protocol udp port 5000 53 tos 184")
	if x.Packet.From.Port == 0 || x.Packet.Ports != [2]uint16{5000, 53} || x.Packet.TOS != 184 || x.Packet.Looks[0].Chosen < fib.FirstAdj {
		t.Errorf("%+v", x.Packet)
	}
}

// TestExplainLabels: a label is pushed, and taken off by the one before the last; one that nobody was given is dropped.
func TestExplainLabels(t *testing.T) {
	n := labelStar(t, 1, 2, "", "")
	n.Until(60*time.Second, "sessions", func() bool {
		return ldpUp(n, "hub", "10.9.9.11", "10.9.9.12") && ldpUp(n, "spoke11", "10.9.9.1") && ldpUp(n, "spoke12", "10.9.9.1")
	})
	n.Run(time.Second)
	label := binding(n, "hub", "192.168.12.0/24").Local
	text, _ := n.Explain("spoke11", "192.168.11.1 192.168.12.1")
	wants(t, text, "this box sends it", "static", fmt.Sprintf("pushes label {%d}", label), "GRE, 128 bytes", "Forwarded by Tunnel0 to 192.0.2.1.")
	text, x := n.Explain("hub", fmt.Sprintf("192.168.11.1 192.168.12.1 label %d", label))
	wants(t, text, fmt.Sprintf("Label       %d: swapped, by 1 way", label), "it stands for 192.168.12.0/24 in the global table", "pushes no label", "GRE, 124 bytes", "Forwarded by Tunnel0")
	if len(x.Packet.Looks) != 0 {
		t.Errorf("looks at routes %+v", x.Packet.Looks)
	}
	text, _ = n.Explain("hub", "192.168.11.1 192.168.12.1 label 99999")
	wants(t, text, "99999: nobody was given it", "Dropped (mpls-unknown-label)")
}

// TestExplainClouds: two VRFs with the same addresses and the same peers outside; each is explained by its own.
func TestExplainClouds(t *testing.T) {
	n, _ := clouds(t, 11, 2, false)
	for k, color := range colors {
		joined(n, color)
		text, x := n.Explain("hub", "10.1.0.7 10.2.0.7 vrf "+color)
		wants(t, text, "of the table of VRF "+color, "in the table of VRF "+color, "the session with ", "is UP", "Forwarded by ")
		if len(x.Packet.Ways) != 1 || x.Packet.Ways[0].Port == 0 || x.VRFs[x.Packet.Looks[0].VRF] != color {
			t.Errorf("%d %s: %+v", k, color, x.Packet)
		}
	}
	x, err := n.Router("hub").Explain(show.Ask{Src: n.addr("10.1.0.7"), Dst: n.addr("10.2.0.7"), Proto: 1})
	if err == nil || !strings.Contains(err.Error(), "no route back to 10.1.0.7 in the global table") {
		t.Errorf("in the global table: %v, %+v", err, x)
	}
}

// TestExplainHardware: what a packet costs on hardware that is emulated.
func TestExplainHardware(t *testing.T) {
	n := hardwareLab(t, 81)
	text, x := n.Explain("spoke1", "10.1.0.7 10.2.0.7")
	wants(t, text, "Price", "Forwarding engine", "takes 2.00 passes", "Crypto module", "takes 100 bytes", "CEF, of 500 kpps", "by hardware profile sup720-3bxl-7600-spa", "Forwarded")
	if len(x.Packet.Spent) != 3 {
		t.Errorf("%+v", x.Packet.Spent)
	}
}
