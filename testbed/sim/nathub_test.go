package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"nave/ctl/show"
	"nave/slowpath/dmvpn"
)

// noNATHub is hardware that can be no hub behind NAT, nor a spoke of one.
const noNATHub = "platform hardware profile sup720-3bxl-7600-spa\n"

// eachModuleCrypto runs a test under each way of protection, with a cipher that the crypto module of noNATHub has.
func eachModuleCrypto(t *testing.T, f func(t *testing.T, crypto string)) {
	t.Helper()
	eachCrypto(t, func(t *testing.T, crypto string) {
		f(t, strings.Replace(crypto, "esp-gcm 256", "esp-aes 256 esp-sha256-hmac", 1))
	})
}

// hubBehindNAT is two spokes, and a hub behind static NAT that they know by its public address. Lines go in front of the configurations of hub and spoke1.
func hubBehindNAT(t *testing.T, seed uint64, crypto, hub, spoke1 string) *Net {
	t.Helper()
	n := New(t, seed)
	n.AddInternet("internet")
	n.AddNAT("nat", "192.0.2.9", "192.0.2.254", NATConfig{Static: map[string]string{"10.9.0.1": "192.0.2.1"}})
	text := strings.ReplaceAll(patHub(crypto, 2), "192.0.2.1 ", "10.9.0.1 ")
	n.AddRouter("hub", hub+strings.ReplaceAll(text, "192.0.2.254", "10.9.0.254"))
	c := LinkConfig{Delay: 5 * time.Millisecond}
	n.Connect("nat:192.0.2.9/24", "internet:192.0.2.254/24", c)
	n.Connect("hub:Ethernet0", "nat:10.9.0.254/24", LinkConfig{Delay: time.Millisecond})
	n.AddRouter("spoke1", spoke1+patSpoke(crypto, 1))
	n.Connect("spoke1:Ethernet0", "internet:198.51.100.254/24", c)
	n.AddRouter("spoke2", strings.ReplaceAll(patSpoke(crypto, 2), "198.51.100.", "203.0.113."))
	n.Connect("spoke2:Ethernet0", "internet:203.0.113.254/24", c)
	count := clearPackets(n)
	t.Cleanup(func() {
		if *count != 0 {
			t.Errorf("%d packets left in clear", *count)
		}
	})
	return n
}

// natHubLines counts what the log of a router says of hubs behind NAT.
func natHubLines(n *Net, router string) (count int) {
	for _, e := range n.Router(router).linux.logs {
		if l, ok := e.(dmvpn.Log); ok && l.Kind == dmvpn.LogNATHub {
			count++
		}
	}
	return count
}

// restricted tells whether a router says that its hardware takes a command of Tunnel0 away because of NAT.
func restricted(n *Net, router, command string) bool {
	h := n.Status(router).Hardware
	return h != nil && slices.Contains(h.Restricted, show.Restricted{Interface: "Tunnel0", Command: command, Refused: true, Key: "nat.hub"})
}

// says tells of commands on a router that do not say what they must.
func says(t *testing.T, n *Net, router, what string, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if text := n.Show(router, c); !strings.Contains(text, what) {
			t.Errorf("%s: %s has no %q:\n%s", router, c, what, text)
		}
	}
}

// A hub that IKE finds behind NAT, on hardware that can't be that, refuses its peers and says why, and takes them as soon as it is something else.
func TestHubBehindNATRefused(t *testing.T) {
	eachModuleCrypto(t, func(t *testing.T, crypto string) {
		n := hubBehindNAT(t, 91, crypto, "", "")
		hub := n.Router("hub")
		plain := hub.text
		n.Until(time.Minute, "both spokes are up", func() bool { return len(sessionsUp(n, "hub")) == 2 })
		if natHubLines(n, "hub") != 0 || n.Status("hub").Hardware != nil {
			t.Errorf("refused without reason: %s", n.Show("hub", "show dmvpn detail"))
		}
		hub.Configure(noNATHub + plain)
		n.Run(30 * time.Second)
		before := hub.core.Router().Status().IKE.Stats
		for range 60 {
			n.Run(10 * time.Second)
			if n.Ping("spoke1", "10.255.0.1").OK || n.Ping("spoke2", "10.255.0.1").OK || len(sessionsUp(n, "hub")) != 0 || len(hub.Counters().SAs) != 0 {
				t.Fatalf("at %v: up\n%s", n.Now().Sub(epoch), n.Show("hub", "show crypto session"))
			}
			if !restricted(n, "hub", "tunnel source") {
				t.Fatalf("at %v: %+v", n.Now().Sub(epoch), n.Status("hub").Hardware.Restricted)
			}
		}
		after := hub.core.Router().Status().IKE.Stats
		calls := after[1].Responded + after[2].Responded + after[1].Initiated + after[2].Initiated - before[1].Responded - before[2].Responded - before[1].Initiated - before[2].Initiated
		if calls < 10 || calls > 80 {
			t.Errorf("negotiated %d times in ten minutes, with two spokes", calls)
		}
		if got := natHubLines(n, "hub"); got < 1 || got > 2 {
			t.Errorf("%d lines in ten minutes", got)
		}
		t.Logf("%d negotiations and %d lines in ten minutes", calls, natHubLines(n, "hub"))
		says(t, n, "hub", "  Refused: this router, the hub, is behind NAT, and this hardware can be no hub behind NAT, nor a spoke of one (nat.hub is no", "show dmvpn detail", "show crypto session")
		says(t, n, "hub", "tunnel source", "show platform software-switched")
		if left := hub.core.Router().Status().Refused; len(left) != 0 {
			t.Errorf("left over: %v", left)
		}
		hub.Configure(plain)
		from := n.Now()
		n.Until(90*time.Second, "both spokes are up again", func() bool { return n.Ping("spoke1", "10.255.0.1").OK && n.Ping("spoke2", "10.255.0.1").OK })
		t.Logf("both up again after %v", n.Now().Sub(from))
	})
}

// A spoke that can have no hub behind NAT refuses it, and nobody else feels that.
func TestSpokeOfHubBehindNATRefused(t *testing.T) {
	eachModuleCrypto(t, func(t *testing.T, crypto string) {
		n := hubBehindNAT(t, 92, crypto, "", noNATHub)
		spoke := n.Router("spoke1")
		n.Until(time.Minute, "spoke2 is up, and spoke1 has refused the hub", func() bool { return n.Ping("spoke2", "10.255.0.1").OK && natHubLines(n, "spoke1") == 1 })
		since := sessionsUp(n, "spoke2")[0].Since
		for range 60 {
			n.Run(10 * time.Second)
			if n.Ping("spoke1", "10.255.0.1").OK || len(sessionsUp(n, "spoke1")) != 0 || len(spoke.Counters().SAs) != 0 {
				t.Fatalf("at %v: up\n%s", n.Now().Sub(epoch), n.Show("spoke1", "show crypto session"))
			}
			if r := n.Ping("spoke2", "10.255.0.1"); !r.OK {
				t.Errorf("spoke2 at %v: %v", n.Now().Sub(epoch), r)
			}
		}
		st := spoke.core.Router().Status()
		if calls := st.IKE.Stats[1].Initiated + st.IKE.Stats[2].Initiated; calls < 5 || calls > 25 {
			t.Errorf("called %d times in ten minutes", calls)
		}
		if got := natHubLines(n, "spoke1"); got < 1 || got > 2 {
			t.Errorf("%d lines in ten minutes", got)
		}
		if !restricted(n, "spoke1", "ip nhrp nhs") || natHubLines(n, "hub")+natHubLines(n, "spoke2") != 0 || sessionsUp(n, "spoke2")[0].Since != since {
			t.Errorf("%+v\n%s", n.Status("spoke1").Hardware.Restricted, n.Show("spoke2", "show crypto session"))
		}
		says(t, n, "spoke1", "  Refused: the hub is behind NAT", "show dmvpn detail", "show crypto session")
		says(t, n, "spoke1", "; tried again in ", "show dmvpn detail")
		spoke.Configure(strings.TrimPrefix(spoke.text, noNATHub))
		n.Until(5*time.Second, "spoke1 is up as well", func() bool { return n.Ping("spoke1", "10.255.0.1").OK })
		if text := n.Show("spoke1", "show dmvpn detail"); strings.Contains(text, "Refused") {
			t.Errorf("still refused:\n%s", text)
		}
		spoke.Configure(noNATHub + spoke.text)
		n.Until(5*time.Second, "and refuses the hub again", func() bool { return len(sessionsUp(n, "spoke1")) == 0 && natHubLines(n, "spoke1") >= 2 })
	})
}

// Spokes behind NAT are what every hardware can be and serve, with a hub that is not.
func TestSpokesBehindNATAreAllowed(t *testing.T) {
	eachModuleCrypto(t, func(t *testing.T, crypto string) {
		n, _ := behindOne(t, 93, crypto, 2, NATConfig{})
		for _, name := range []string{"hub", "spoke1", "spoke2"} {
			n.Router(name).text = noNATHub + n.Router(name).text
		}
		patUp(n, 2)
		for range 30 {
			if got := around(n, 2); got != 2 {
				t.Errorf("%d of 2 answered", got)
			}
			n.Run(10 * time.Second)
		}
		for _, name := range []string{"hub", "spoke1", "spoke2"} {
			if natHubLines(n, name) != 0 || restricted(n, name, "tunnel source") || restricted(n, name, "ip nhrp nhs") {
				t.Errorf("%s: %+v", name, n.Status(name).Hardware.Restricted)
			}
		}
	})
}

// The process that takes a fast path over, and is the first to have such a profile, ends what it has inherited once it sees the NAT.
func TestHubBehindNATRefusedAfterTakeOver(t *testing.T) {
	eachModuleCrypto(t, func(t *testing.T, crypto string) {
		n := hubBehindNAT(t, 94, crypto, "", "")
		hub := n.Router("hub")
		plain := hub.text
		n.Until(time.Minute, "both spokes are up", func() bool { return len(sessionsUp(n, "hub")) == 2 })
		hub.Orphan()
		hub.TakeOver(noNATHub + plain)
		n.Until(2*time.Minute, "both are refused", func() bool { return len(sessionsUp(n, "hub")) == 0 && len(hub.Counters().SAs) == 0 })
		n.Run(5 * time.Minute)
		if up := sessionsUp(n, "hub"); len(up) != 0 || !restricted(n, "hub", "tunnel source") {
			t.Errorf("%+v", up)
		}
	})
}
