package interop

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"nave/testbed/topo"
)

// The suites of the DMVPN scenarios.
var (
	cloudV1 = Suite{Version: 1, Auth: "psk", IKE: "3des-md5-modp1024", ESP: "3des-md5"}
	cloudV2 = Suite{Version: 2, Auth: "psk", IKE: "aes256gcm16-prfsha256-ecp256", ESP: "aes256gcm16"}
)

// sealedDirect waits until pings between two sites are answered by a node that is that many routers away, and checks that they crossed between the two
// NBMA addresses in ESP.
//
// When both sides of a pair begin at once, strongSwan lets in what comes by one of the two children only, until the other is deleted some seconds later; and FRR,
// whose request or answer was lost meanwhile, does not ask again soon. So this may take long.
func (s *Scenario) sealedDirect(t *testing.T, a, b Site, routers int) {
	t.Helper()
	began, first := time.Now(), error(nil)
	err := topo.Eventually(2*patience, func() (err error) {
		defer func() {
			if first == nil {
				first = err
			}
		}()
		start := time.Now()
		for range 3 {
			ttl, err := s.ttl(a, b)
			if err != nil {
				return err
			}
			if ttl != 64-routers {
				return fmt.Errorf("answers from %s to %s come by %d routers", b.Addr, a.Addr, 64-ttl)
			}
		}
		n := make(map[string]int)
		for _, p := range s.Wire.Outers(start, a.NBMA, b.NBMA) {
			if p.ESP() {
				n[p.From.String()]++
			}
		}
		if n[a.NBMA] < 3 || n[b.NBMA] < 3 {
			return fmt.Errorf("of ESP %v packets crossed for 3 pings between %s and %s", n, a.NBMA, b.NBMA)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if first != nil {
		t.Logf("%s and %s talk directly after %v; at first: %v", a.Addr, b.Addr, time.Since(began).Round(time.Millisecond), first)
	}
}

// ttl is that of an answer to a ping.
func (s *Scenario) ttl(a, b Site) (int, error) {
	words := []string{"ping", "-n", "-c", "1", "-W", "2", "-I", a.Addr, b.Addr}
	var out string
	var err error
	if g := s.Guests[a.Node]; g != nil {
		out, err = g.Run(strings.Join(words, " "))
	} else {
		out, err = s.Run(a.Node, words...)
	}
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(out, "ttl=")
	return strconv.Atoi(strings.Fields(after + " ")[0])
}

// noneInClear checks what crossed the wire since the scenario began.
func (s *Scenario) noneInClear(t *testing.T) {
	t.Helper()
	if leaks := s.Wire.InClear(time.Time{}); len(leaks) > 0 {
		t.Errorf("%d packets in clear:\n%s", len(leaks), strings.Join(leaks[:min(5, len(leaks))], "\n"))
	}
}

// agree waits until a router's session with a guest, and the guest's with it, are as the suite has it.
func (s *Scenario) agree(t *testing.T, router, routerNBMA, guest, guestNBMA string, suite Suite) {
	t.Helper()
	Soon(t, func() error {
		n, err := s.Session(router, guestNBMA)
		if err != nil {
			return err
		}
		if n == nil || n.Status != "UP-ACTIVE" || n.Active() == nil || n.Active().Transform != suite.naveChild().Transform {
			return fmt.Errorf("%s has %+v with %s", router, n, guest)
		}
		sas, err := s.Guests[guest].SwanSAs()
		if err != nil {
			return err
		}
		for k := range sas {
			sa := &sas[k]
			if sa.field("remote-host") == routerNBMA && sa.field("state") == "ESTABLISHED" && sa.algorithms() == suite.SwanIKE() && len(sa.Children) > 0 {
				return nil
			}
		}
		return fmt.Errorf("%s has nothing of %s with %s: %v", guest, suite, routerNBMA, sas)
	})
}

// A nave hub with FRR spokes behind strongSwan and a nave spoke; see scenarios/secure-v1 and secure-v2.
func TestSecureSpokes(t *testing.T) {
	t.Parallel()
	for _, suite := range []Suite{cloudV1, cloudV2} {
		t.Run(fmt.Sprint("v", suite.Version), func(t *testing.T) {
			s := Start(t, fmt.Sprint("secure-v", suite.Version))
			for n, nbma := range map[string]string{"10.255.0.11": lan1.NBMA, "10.255.0.12": lan2.NBMA, "10.255.0.13": lan3.NBMA} {
				s.Learned(t, "hub", n+"/32", nbma, "registered")
				s.Up(t, "hub", nbma, n, "D")
			}
			s.agree(t, "hub", hubNBMA, "frr1", lan1.NBMA, suite)
			s.agree(t, "hub", hubNBMA, "frr2", lan2.NBMA, suite)
			s.Reaches(t, "hub-host", "10.0.0.7", lan1.Addr)
			// The SAs first: FRR asks for a shortcut once, and the answer is lost if it comes before strongSwan, as responder of a quick mode, has
			// installed what the third message completes.
			s.Reaches(t, "spoke3", "10.255.0.13", "10.255.0.11")
			s.agree(t, "spoke3", lan3.NBMA, "frr1", lan1.NBMA, suite)
			s.Reaches(t, "spoke3", "10.255.0.13", "10.255.0.12")
			s.agree(t, "spoke3", lan3.NBMA, "frr2", lan2.NBMA, suite)
			s.Reaches(t, lan1.Node, lan1.Addr, lan3.Addr)
			s.sealedDirect(t, lan1, lan3, 1) // an FRR guest is router and host in one
			s.sealedDirect(t, lan3, lan2, 1)
			s.Reaches(t, lan1.Node, lan1.Addr, lan2.Addr)
			s.sealedDirect(t, lan1, lan2, 0)
			s.agree(t, "spoke3", lan3.NBMA, "frr1", lan1.NBMA, suite)
			if suite.Version == 2 {
				hubKilled(t, s)
			}
			s.noneInClear(t)
		})
	}
}

// hubKilled: kill -9 of the hub's naved, pings while it is dead, and a new start.
func hubKilled(t *testing.T, s *Scenario) {
	if err := s.KillRouter("hub"); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping("hub-host", "10.0.0.7", lan1.Addr); err == nil {
		t.Error("a hub without naved forwards")
	}
	s.again(t, "hub")
	// nobody has told the spoke: without dead peer detection it is for the operator to do
	if _, err := s.Nave("spoke3", "clear", "crypto", "session"); err != nil {
		t.Error(err)
	}
	s.Learned(t, "hub", "10.255.0.13/32", lan3.NBMA, "registered")
	s.Reaches(t, "hub-host", "10.0.0.7", lan3.Addr)
	s.Reaches(t, lan3.Node, lan3.Addr, "10.0.0.7")
}

// Nave spokes at an FRR hub behind strongSwan; see scenarios/secure-hub.
func TestSecureFRRHub(t *testing.T) {
	t.Parallel()
	s := Start(t, "secure-hub")
	for _, sp := range []Site{lan3, lan4} {
		router := sp.Node[:len("spoke0")]
		s.Up(t, router, hubNBMA, "10.255.0.1", "S")
		s.agree(t, router, sp.NBMA, "frr1", hubNBMA, cloudV2)
		s.says(t, router, "ip nhrp nhs", "10.255.0.1  R")
		FRRHas(t, s.Guests["frr1"], "show ip nhrp", "dynamic", "10.255.0.1"+router[5:], sp.NBMA)
	}
	s.Reaches(t, lan3.Node, lan3.Addr, lan4.Addr)
	s.sealedDirect(t, lan3, lan4, 2)
	s.Reaches(t, lan3.Node, lan3.Addr, lan2.Addr)
	s.sealedDirect(t, lan3, lan2, 1)
	s.sealedDirect(t, lan2, lan4, 1)
	s.noneInClear(t)
}

// natted waits until a router's session with a peer stands, with ESP in UDP and IKE that knows where the NAT box is.
func (s *Scenario) natted(t *testing.T, router, peer string, where func(NaveIKE) bool) {
	t.Helper()
	Soon(t, func() error {
		n, err := s.Session(router, peer)
		if err == nil && (n == nil || len(n.established()) == 0 || !where(n.established()[0]) || n.Active() == nil || !n.Active().Encap) {
			err = fmt.Errorf("the session of %s with %s through NAT: %+v", router, peer, n)
		}
		return err
	})
}

// inUDP checks that what crossed between two nodes since a moment was ESP in UDP, both ways, and IKE.
func (s *Scenario) inUDP(start time.Time, a, b string) error {
	from := make(map[string]int)
	for _, p := range s.Wire.Outers(start, a, b) {
		switch {
		case p.Proto == protoUDP && p.ESP():
			from[p.From.String()]++
		case p.Proto != protoUDP:
			return fmt.Errorf("a packet of protocol %d from %s", p.Proto, p.From)
		}
	}
	if from[a] == 0 || from[b] == 0 {
		return fmt.Errorf("ESP in UDP by sender: %v", from)
	}
	return nil
}

// Spokes behind NAT; see scenarios/secure-nat and secure-nat-spoke.
func TestSecureNAT(t *testing.T) {
	t.Parallel()
	t.Run("FRR behind NAT", func(t *testing.T) {
		s := Start(t, "secure-nat")
		s.Learned(t, "hub", "10.255.0.11/32", natOutside, "registered")
		s.natted(t, "hub", natOutside, func(i NaveIKE) bool { return i.NATRemote })
		start := time.Now()
		s.Reaches(t, "hub-host", "10.0.0.7", lan1.Addr)
		s.Reaches(t, "frr1", lan1.Addr, "10.0.0.7")
		Soon(t, func() error { return s.inUDP(start, hubNBMA, natOutside) })
		s.Reaches(t, lan3.Node, lan3.Addr, lan1.Addr)
		portMoves(t, s)
		s.noneInClear(t)
	})
	t.Run("nave behind NAT", func(t *testing.T) {
		s := Start(t, "secure-nat-spoke")
		s.Up(t, "spoke3", hubNBMA, "10.255.0.1", "S")
		s.says(t, "spoke3", "ip nhrp nhs", "10.255.0.1  R")
		s.natted(t, "spoke3", hubNBMA, func(i NaveIKE) bool { return i.NATLocal })
		FRRHas(t, s.Guests["frr1"], "show ip nhrp", "dynamic", "10.255.0.13", natOutside)
		start := time.Now()
		s.Reaches(t, lan3.Node, lan3.Addr, "10.0.0.1")
		s.Reaches(t, "frr1", "10.0.0.1", lan3.Addr)
		Soon(t, func() error { return s.inUDP(start, hubNBMA, natOutside) })
		s.noneInClear(t)
	})
}

// portMoves: the NAT box forgets the spoke, and takes another port for it. The hub follows the spoke's next packet.
func portMoves(t *testing.T, s *Scenario) {
	for _, name := range []string{"netfilter/nf_conntrack_udp_timeout", "netfilter/nf_conntrack_udp_timeout_stream"} {
		if err := s.NS(natNode).Sysctl(name, "1"); err != nil {
			t.Fatal(err)
		}
	}
	s.Reaches(t, "frr1", lan1.Addr, "10.0.0.7") // a flow takes the new limit with its next packet
	for _, c := range []string{
		"nft flush chain ip nat out",
		"nft add rule ip nat out oifname eth0 ip saddr " + natInside + " udp sport 4500 snat to " + natOutside + ":14500",
		"nft flush chain ip nat in",
		"nft add rule ip nat in iifname eth0 udp dport 14500 dnat to " + natInside + ":4500",
	} {
		if _, err := s.Run(natNode, strings.Fields(c)...); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(3 * time.Second)
	start := time.Now()
	s.Reaches(t, "frr1", lan1.Addr, "10.0.0.7")
	s.Reaches(t, "hub-host", "10.0.0.7", lan1.Addr)
	Soon(t, func() error {
		n := 0
		for _, p := range s.Wire.Outers(start, hubNBMA, natOutside) {
			if p.ESP() && p.From.String() == hubNBMA && p.DstPort == 14500 {
				n++
			}
		}
		session, err := s.Session("hub", natOutside)
		if err == nil && (n == 0 || session == nil || session.Port != 14500) {
			err = fmt.Errorf("the hub sent %d packets to the spoke's new port, and has it as %+v", n, session)
		}
		return err
	})
}
