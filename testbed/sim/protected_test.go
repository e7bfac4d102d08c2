package sim

import (
	"strings"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/fastpath"
	"nave/fastpath/packet"
	"nave/slowpath/dmvpn"
)

// The ways to protect the phase 3 lab.
var cryptos = map[string]string{
	"IKEv1": `crypto isakmp policy 1
 encryption aes
 hash sha256
 authentication pre-share
 group 19
crypto isakmp key navelab-key address 0.0.0.0
crypto isakmp keepalive 10 3
crypto ipsec transform-set strong esp-aes esp-sha-hmac
 mode transport
crypto ipsec profile vpn
 set transform-set strong
`,
	"IKEv2": `crypto ikev2 proposal modern
 encryption aes-gcm-256
 prf sha256
 group 31
crypto ikev2 policy modern
 proposal modern
crypto ikev2 keyring keys
 peer all
  address 0.0.0.0
  pre-shared-key navelab-key
crypto ikev2 profile dmvpn
 match identity remote any
 authentication local pre-share
 authentication remote pre-share
 keyring local keys
 dpd 10 3 on-demand
crypto ipsec transform-set strong esp-gcm 256
 mode transport
crypto ipsec profile vpn
 set transform-set strong
 set ikev2-profile dmvpn
`,
}

const protection = " tunnel protection ipsec profile vpn\n"

// protect adds tunnel protection to a router's configuration.
func protect(r *Router, crypto string) {
	r.Configure(strings.Replace(crypto+r.text, " tunnel key 700\n", " tunnel key 700\n"+protection, 1))
}

// eachCrypto runs a test under each way of protection.
func eachCrypto(t *testing.T, f func(t *testing.T, crypto string)) {
	t.Helper()
	for name, crypto := range cryptos {
		t.Run(name, func(t *testing.T) { f(t, crypto) })
	}
}

// protectedLab is the phase 3 lab under protection from its start; leaks counts what leaves in clear.
func protectedLab(t *testing.T, seed uint64, crypto string) (n *Net, leaks func() int) {
	t.Helper()
	n = lab(t, "phase3", seed)
	for _, s := range []string{"hub", "spoke1", "spoke2"} {
		r := n.Router(s)
		r.text = strings.Replace(crypto+r.text, " tunnel key 700\n", " tunnel key 700\n"+protection, 1)
	}
	count := clearPackets(n)
	t.Cleanup(func() {
		if *count != 0 {
			t.Errorf("%d packets left in clear", *count)
		}
	})
	return n, func() int { return *count }
}

// clearPackets counts what routers send towards the internet that anybody can read: GRE, and packets between the networks behind.
func clearPackets(n *Net) *int {
	var count int
	inside := n.addr("10.0.0.0").As4()[0]
	n.Tap(func(c Crossing) {
		if _, router := n.elements[c.From].(*Router); !router || c.To != "internet" {
			return
		}
		eth, fault := packet.ParseEthernet(c.Frame)
		if fault != packet.OK || eth.Type() != packet.TypeIPv4 {
			return
		}
		ip, fault := packet.ParseIPv4(c.Frame[packet.EthernetLen:])
		if fault == packet.OK && (ip.Proto() == protoGRE || addr4(ip.Dst()).As4()[0] == inside) {
			count++
		}
	})
	return &count
}

// exercise has everything that could send through a tunnel try to.
func exercise(n *Net) {
	for _, p := range [][2]string{{"host1", "10.2.0.7"}, {"host2", "10.1.0.7"}, {"spoke1", "10.255.0.1"}, {"hub", "10.255.0.11"}, {"host1", "10.255.0.12"}} {
		n.Ping(p[0], p[1])
		n.Ping(p[0], p[1], PingOptions{Size: 1500})
	}
	for _, s := range []string{"hub", "spoke1", "spoke2"} {
		src := n.Router(s).linux.space("").sourceFor(n.addr("10.255.0.99"))
		n.Router(s).Send("Tunnel0", IP(src, n.addr("224.0.0.5"), 89, 1, false, 1, nil))
		n.Router(s).Send("Tunnel0", IP(src, n.addr("239.9.9.9"), 17, 9, false, 1, nil))
	}
	n.Run(3 * time.Minute)
}

// sealedDirect waits until pings take the direct way, and wants each of them answered. Which way sealed packets take shows in how long they are
// under way, and in the hops that the answer has lost.
func sealedDirect(t *testing.T, n *Net, from, to string) {
	t.Helper()
	for range 20 {
		r := n.Ping(from, to)
		if !r.OK {
			t.Fatalf("%s to %s at %v: %v", from, to, n.Now().Sub(epoch), r)
		}
		if r.TTL == 62 && r.RTT < 90*time.Millisecond {
			return
		}
		n.Run(500 * time.Millisecond)
	}
	t.Fatalf("%s to %s: never direct", from, to)
}

// secured are the sessions of a router that are up, by the address of the peer.
func secured(n *Net, router string) map[string]dmvpn.SessionStatus {
	out := make(map[string]dmvpn.SessionStatus)
	for _, s := range n.Router(router).core.Router().Status().Sessions.Sessions {
		if s.State == dmvpn.Up {
			out[s.Peer.String()] = s
		}
	}
	return out
}

func TestProtectedPhase3(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 41, crypto)
		converge(t, n, "hub")
		if r := n.Ping("host1", "10.2.0.7"); !r.OK || r.TTL != 61 {
			t.Errorf("the first ping goes by the hub: %v", r)
		}
		sealedDirect(t, n, "host1", "10.2.0.7")
		for _, size := range []int{1400, 1500, 4000} {
			if r := n.Ping("host1", "10.2.0.7", PingOptions{Size: size}); !r.OK {
				t.Errorf("%d bytes: %v", size, r)
			}
		}
		if len(secured(n, "hub")) != 2 || len(secured(n, "spoke1")) != 2 {
			t.Errorf("the hub has %v, spoke1 %v", secured(n, "hub"), secured(n, "spoke1"))
		}
		if text := n.Show("spoke1", "show dmvpn"); !strings.Contains(text, "10.255.0.1    UP ") || !strings.Contains(text, "10.255.0.12    UP ") {
			t.Errorf("show dmvpn:\n%s", text)
		}
		exercise(n)
	})
}

// While a way is looked for nothing is lost, under protection either.
func TestProtectedNothingLostOnTheWayToDirect(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 44, crypto)
		converge(t, n, "hub")
		for k := range 200 {
			if r := n.Ping("host1", "10.2.0.7"); !r.OK {
				t.Fatalf("ping %d: %v", k, r)
			}
			n.Run(20 * time.Millisecond)
		}
	})
}

// Children are rekeyed ten thousand times (a thousand under the race detector), IKE SAs too, and no packet is lost.
func TestProtectedRekeysLoseNothing(t *testing.T) {
	rekeys := uint64(10000)
	if raceEnabled {
		rekeys = 1000
	}
	eachCrypto(t, func(t *testing.T, crypto string) {
		crypto = strings.Replace(crypto, " set transform-set strong\n", " set transform-set strong\n set security-association lifetime seconds 120\n", 1)
		crypto = strings.Replace(crypto, " group 19\n", " group 19\n lifetime 600\n", 1)
		crypto = strings.Replace(crypto, " dpd 10", " lifetime 600\n dpd 10", 1)
		n, _ := protectedLab(t, 45, crypto)
		converge(t, n, "hub")
		sealedDirect(t, n, "host1", "10.2.0.7")
		rekeyed := func() uint64 {
			s := n.Router("spoke1").core.Router().Status().IKE
			return s.Stats[1].ChildrenRekeyed + s.Stats[2].ChildrenRekeyed
		}
		lost, sent := 0, 0
		for rekeyed() < rekeys && n.Now().Sub(epoch) < time.Duration(rekeys)*2*time.Minute {
			for _, p := range [][2]string{{"host1", "10.2.0.7"}, {"host1", "10.255.0.1"}} {
				sent++
				if r := n.Ping(p[0], p[1]); !r.OK {
					lost++
					t.Logf("%v after %v: %v", p, n.Now().Sub(epoch), r)
				}
			}
			n.Run(7 * time.Second) // no divisor of the lifetime: sooner or later each moment of a rekey has its ping
		}
		t.Logf("%d rekeys in %v, %d pings", rekeyed(), n.Now().Sub(epoch), sent)
		if lost != 0 || rekeyed() < rekeys {
			t.Errorf("%d pings lost in %d rekeys", lost, rekeyed())
		}
	})
}

// A hub that is killed and comes back knows nobody; the spokes notice, and everything comes up again.
func TestProtectedHubRestart(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 46, crypto)
		converge(t, n, "hub")
		n.Router("hub").Stop()
		n.Run(20 * time.Second)
		n.Router("hub").Start()
		n.Until(5*time.Minute, "the spokes are back", func() bool { return registered(n, "hub", "10.255.0.11", "10.255.0.12") })
		ping(t, n, "host1", "10.255.0.1")
		sealedDirect(t, n, "host1", "10.2.0.7")
	})
}

// A peer that is cut off is given up by dead peer detection, and found again.
func TestProtectedDeadPeer(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 47, crypto)
		converge(t, n, "hub")
		n.Link("hub", "Ethernet0").SetLoss(1)
		n.Until(5*time.Minute, "spoke1 gives the hub up", func() bool {
			n.Ping("host1", "10.255.0.1") // on demand: it asks when it sends
			return len(secured(n, "spoke1")) == 0
		})
		n.Link("hub", "Ethernet0").SetLoss(0)
		n.Until(5*time.Minute, "spoke1 is back", func() bool { return len(secured(n, "spoke1")) == 1 && n.Ping("host1", "10.255.0.1").OK })
	})
}

// A spoke whose address changes comes back from the new one, and the others do not notice.
func TestProtectedSpokeMoves(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 48, crypto)
		converge(t, n, "hub")
		before := secured(n, "hub")["203.0.113.1"]
		r := n.Router("spoke1")
		r.Edit("ip address 198.51.100.1 255.255.255.0", "ip address 198.51.100.77 255.255.255.0")
		n.Until(10*time.Minute, "the hub has the session of the new address", func() bool {
			_, ok := secured(n, "hub")["198.51.100.77"]
			return ok && n.Ping("host1", "10.255.0.1").OK
		})
		if after := secured(n, "hub")["203.0.113.1"]; before.Since.IsZero() || after.Since != before.Since {
			t.Errorf("the other spoke's session is up since %v, then %v", before.Since, after.Since)
		}
		sealedDirect(t, n, "host2", "10.1.0.7")
	})
}

// What an operator clears begins again.
func TestProtectedClear(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 49, crypto)
		converge(t, n, "hub")
		for _, c := range []api.Clear{
			{What: api.ClearSessions, Static: true}, {What: api.ClearCrypto}, {What: api.ClearIPsec},
		} {
			if err := n.Router("spoke1").Clear(c); err != nil {
				t.Fatal(err)
			}
			n.Until(2*time.Minute, "spoke1 is back", func() bool { return len(secured(n, "spoke1")) == 1 && n.Ping("host1", "10.255.0.1").OK })
			exercise(n)
		}
	})
}

// An unrelated line leaves associations alone; the profile's removal takes them down.
func TestProtectedReconfigure(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 50, crypto)
		converge(t, n, "hub")
		before := secured(n, "hub")
		n.Router("hub").Edit(" ip nhrp redirect\n", " ip nhrp redirect\n bandwidth 5000\n")
		for peer, s := range secured(n, "hub") {
			if b := before[peer]; len(s.Children) != 1 || len(b.Children) != 1 || s.Children[0].Child != b.Children[0].Child || s.Since != b.Since {
				t.Errorf("%s: %+v, then %+v", peer, b, s)
			}
		}
		if len(secured(n, "hub")) != 2 {
			t.Errorf("after an unrelated line: %v", secured(n, "hub"))
		}
		n.Router("hub").Edit(protection, "")
		if s := n.Router("hub").core.Router().Status(); len(s.Sessions.Sessions) != 0 || s.Sessions.SAs != 0 {
			t.Errorf("after the protection was removed: %+v", s.Sessions)
		}
		n.Router("hub").Edit(" tunnel key 700\n", " tunnel key 700\n"+protection)
		n.Until(5*time.Minute, "the spokes are back", func() bool { return len(secured(n, "hub")) == 2 && n.Ping("host1", "10.255.0.1").OK })
	})
}

// Protection that is configured on sessions that are up: from then on nothing leaves in clear.
func TestProtectionAddedLater(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n := lab(t, "phase3", 42)
		converge(t, n, "hub")
		direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
		for _, s := range []string{"spoke1", "spoke2", "hub"} {
			protect(n.Router(s), crypto)
		}
		n.Run(100 * time.Millisecond) // what is on its way
		count := clearPackets(n)
		exercise(n)
		for _, s := range []string{"spoke1", "hub"} {
			wan := n.Link(s, "Ethernet0")
			wan.SetUp(false)
			n.Run(5 * time.Second)
			wan.SetUp(true)
			exercise(n)
		}
		n.Router("hub").Stop()
		n.Router("hub").Start()
		exercise(n)
		sealedDirect(t, n, "host1", "10.2.0.7")
		if *count != 0 {
			t.Errorf("%d packets left in clear", *count)
		}
	})
}

// One side is protected: what the other sends in clear does not enter.
func TestProtectedTunnelTakesNothingInClear(t *testing.T) {
	n := lab(t, "phase3", 43)
	n.Run(0)
	protect(n.Router("hub"), cryptos["IKEv1"])
	n.Run(2 * time.Minute)
	exercise(n)
	if text := n.Show("hub", "show ip nhrp"); strings.Contains(text, "10.255.0.1") {
		t.Errorf("a protected hub took a registration in clear:\n%s", text)
	}
	c := n.Router("hub").Counters()
	if c.Reasons[fastpath.ClearOnProtected] == 0 || c.Reasons[fastpath.NHRP] != 0 {
		t.Errorf("the hub dropped %d packets in clear, and handed %d to NHRP", c.Reasons[fastpath.ClearOnProtected], c.Reasons[fastpath.NHRP])
	}
	for _, r := range n.Received("hub") {
		if r.Via == "Tunnel0" {
			t.Errorf("a packet in clear reached the host stack: %v", r)
		}
	}
}

// A wrong key: nothing comes up, nothing leaves, and the log says why.
func TestProtectedWrongKey(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 51, crypto)
		r := n.Router("spoke1")
		r.text = strings.Replace(r.text, "navelab-key", "another-key", 1)
		n.Until(2*time.Minute, "spoke2 is there", func() bool { return registered(n, "hub", "10.255.0.12") })
		exercise(n)
		if len(secured(n, "spoke1")) != 0 || len(secured(n, "hub")) != 1 {
			t.Errorf("spoke1 has %v, the hub %v", secured(n, "spoke1"), secured(n, "hub"))
		}
		said := false
		for _, e := range append(r.Events(), n.Router("hub").Events()...) {
			said = said || strings.HasPrefix(e.About(), "ike failed authentication")
		}
		if !said {
			t.Error("nobody says that the key is wrong")
		}
	})
}
