package sim

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/ctl/gateway"
	"nave/slowpath/nhrp"
)

func lease(addr, gw string) gateway.Lease {
	return gateway.Lease{Address: netip.MustParsePrefix(addr), Gateway: netip.MustParseAddr(gw)}
}

func TestLossConverges(t *testing.T) {
	for seed := range uint64(5) {
		n := lab(t, "phase3", seed)
		for _, l := range []*Link{n.Link("hub", "Ethernet0"), n.Link("spoke1", "Ethernet0"), n.Link("spoke2", "Ethernet0")} {
			l.SetLoss(0.3)
		}
		n.Until(10*time.Minute, "both spokes are registered", func() bool { return registered(n, "hub", "10.255.0.11", "10.255.0.12") })
		answered, shortest := 0, false
		for range 400 {
			r := n.Ping("host1", "10.2.0.7")
			if r.OK {
				answered++
			}
			shortest = shortest || Same(r.Out, "spoke1", "spoke2")
		}
		// Two links each way at best: 0.7 to the fourth of the pings are answered.
		if answered < 30 || !shortest {
			t.Errorf("seed %d: %d of 400 answered, direct %v", seed, answered, shortest)
		}
		for _, l := range n.links {
			l.SetLoss(0)
		}
		n.Run(2 * time.Minute)
		direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	}
}

func TestHubRestart(t *testing.T) {
	n := lab(t, "phase3", 11)
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	hub := n.Router("hub")
	hub.Stop()
	n.Run(10 * time.Second)
	ping(t, n, "host1", "10.2.0.7", "spoke1", "spoke2") // spoke to spoke stands without the hub
	if r := n.Ping("spoke1", "10.255.0.1"); r.OK {
		t.Errorf("a dead hub answers through its tunnel: %v", r)
	}
	hub.Start()
	if registered(n, "hub", "10.255.0.11") {
		t.Error("a new hub knows a spoke already")
	}
	// They renew at a third of the hold time.
	n.Until(100*time.Second, "the spokes have registered with the new hub", func() bool { return registered(n, "hub", "10.255.0.11", "10.255.0.12") })
	ping(t, n, "spoke1", "10.255.0.1", "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
}

func TestAddressChange(t *testing.T) {
	for _, c := range []struct {
		name     string
		noUnique bool
	}{{"unique", false}, {"no-unique", true}} {
		t.Run(c.name, func(t *testing.T) { addressChange(t, c.noUnique) })
	}
}

func addressChange(t *testing.T, noUnique bool) {
	n := lab(t, "dhcp", 12)
	s := n.Router("spoke1")
	n.Run(time.Millisecond)
	if !noUnique {
		s.Edit(" ip nhrp registration no-unique\n", "")
	}
	s.SetLease("Ethernet0", lease("198.51.100.50/24", "198.51.100.254"))
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	s.SetLease("Ethernet0", gateway.Lease{})
	n.Run(2 * time.Second)
	s.SetLease("Ethernet0", lease("198.51.100.77/24", "198.51.100.254"))
	n.Run(10 * time.Second)
	hub := n.Show("hub", "show dmvpn")
	if noUnique {
		if !strings.Contains(hub, "198.51.100.77") || strings.Contains(hub, "198.51.100.50") {
			t.Fatalf("the hub did not learn the new address:\n%s", hub)
		}
		n.Run(20 * time.Second)
		direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
		return
	}
	if strings.Contains(hub, "198.51.100.77") || !strings.Contains(hub, "198.51.100.50") {
		t.Fatalf("a unique address moved to another NBMA address:\n%s", hub)
	}
	if !logged(n.Router("hub"), nhrp.LogUniqueRefused) || !logged(s, nhrp.LogRegistrationFailed) {
		t.Errorf("nobody reports the refusal: hub %v, spoke %v", n.Router("hub").Logs(), s.Logs())
	}
	// The old registration runs out, and then the new one is taken.
	moved := func() bool { return strings.Contains(n.Show("hub", "show dmvpn"), "198.51.100.77") }
	for end := n.Now().Add(10 * time.Minute); !moved() && n.Now().Before(end); {
		n.Run(2 * time.Second) // Until looks ten times a second, which takes its time
	}
	n.Until(time.Second, "the spoke is registered from its new address", moved)
	n.Run(time.Minute)
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
}

var clearAll = api.Clear{What: api.ClearSessions}

func logged(r *Router, k nhrp.LogKind) bool {
	for _, l := range r.Logs() {
		if l.Kind == k {
			return true
		}
	}
	return false
}

func TestIdleShortcutExpires(t *testing.T) {
	n := lab(t, "phase3", 13)
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	n.Run(10 * time.Minute) // twice the hold time: what carried traffic is asked for once more
	if text := n.Show("spoke1", "show ip nhrp"); strings.Contains(text, "10.2.0.0/24") || strings.Contains(text, "10.255.0.12") {
		t.Errorf("an idle shortcut outlived its hold time:\n%s", text)
	}
	ping(t, n, "host1", "10.2.0.7", "spoke1", "hub", "spoke2")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	// One in use stays, and never goes by the hub again.
	for range 60 {
		ping(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
		n.Run(15 * time.Second)
	}
}

func TestIdleTimeout(t *testing.T) {
	n := lab(t, "phase3", 14)
	n.Run(time.Millisecond)
	n.Router("spoke1").Edit(" ip nhrp shortcut\n", " ip nhrp shortcut\n ip nhrp idle-timeout 60\n")
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	n.Run(90 * time.Second)
	if text := n.Show("spoke1", "show ip nhrp"); strings.Contains(text, "10.2.0.0/24") {
		t.Errorf("a shortcut without traffic outlived the idle timeout:\n%s", text)
	}
	ping(t, n, "host1", "10.2.0.7")
}

func TestDualHubFailover(t *testing.T) {
	n := lab(t, "dual-hub", 15)
	converge(t, n, "hub1", "hub2")
	ping(t, n, "host1", "10.2.0.7")
	n.Router("hub1").Stop()
	// Registrations are renewed every 2 s here; three of them may be missed.
	n.Run(3*2*time.Second + 8*time.Second)
	if !logged(n.Router("spoke1"), nhrp.LogNHSDown) {
		t.Errorf("the spoke did not notice:\n%s", n.Show("spoke1", "show ip nhrp nhs"))
	}
	for _, s := range []string{"spoke1", "spoke2"} {
		if err := n.Router(s).Clear(clearAll); err != nil {
			t.Fatal(err)
		}
	}
	r := ping(t, n, "host1", "10.2.0.7")
	if Same(r.Out, "spoke1", "hub1", "spoke2") {
		t.Errorf("traffic takes the dead hub: %v", r)
	}
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	n.Router("hub1").Start()
	n.Until(2*time.Minute, "hub1 has the registrations again", func() bool { return registered(n, "hub1", "10.255.0.11", "10.255.0.12") })
}

func TestLinkDownAndUp(t *testing.T) {
	n := lab(t, "phase3", 16)
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	wan := n.Link("spoke1", "Ethernet0")
	wan.SetUp(false)
	if r := n.Ping("host1", "10.2.0.7"); r.OK {
		t.Fatalf("a spoke without a link reaches another: %v", r)
	}
	if text := n.Show("spoke1", "show interfaces tunnel 0"); !strings.Contains(text, "line protocol is down") {
		t.Errorf("the tunnel is up over a link that is down:\n%s", text)
	}
	n.Run(30 * time.Second)
	wan.SetUp(true)
	n.Until(20*time.Second, "the spoke reaches the hub again", func() bool { return n.Ping("spoke1", "10.255.0.1").OK })
	ping(t, n, "host1", "10.2.0.7")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
}

func TestLANDown(t *testing.T) {
	n := lab(t, "phase3", 17)
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	n.Link("spoke2", "Ethernet1").SetUp(false)
	n.Run(5 * time.Second)
	// The network that spoke 2 answered for is gone: it takes its answer back.
	if text := n.Show("spoke1", "show ip route"); strings.Contains(text, "H    10.2.0.0/24") {
		t.Errorf("the shortcut to a network that is gone stays:\n%s", text)
	}
	n.Link("spoke2", "Ethernet1").SetUp(true)
	n.Run(2 * time.Second)
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
}
