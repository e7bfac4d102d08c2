package sim

import (
	"strings"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/packet"
)

const crypto = `crypto isakmp policy 1
 encryption aes
 hash sha
 authentication pre-share
 group 14
crypto isakmp key navelab-key address 0.0.0.0
crypto ipsec transform-set strong esp-aes esp-sha-hmac
 mode transport
crypto ipsec profile vpn
 set transform-set strong
`

const protection = " tunnel protection ipsec profile vpn\n"

// protect adds tunnel protection to a router's configuration.
func protect(r *Router) {
	r.Configure(strings.Replace(crypto+r.text, " tunnel key 700\n", " tunnel key 700\n"+protection, 1))
}

// leaks counts GRE packets that the routers send.
func leaks(n *Net) *int {
	var count int
	n.Tap(func(c Crossing) {
		if _, router := n.elements[c.From].(*Router); !router {
			return
		}
		eth, fault := packet.ParseEthernet(c.Frame)
		if fault != packet.OK || eth.Type() != packet.TypeIPv4 {
			return
		}
		if ip, fault := packet.ParseIPv4(c.Frame[packet.EthernetLen:]); fault == packet.OK && ip.Proto() == protoGRE {
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
		src := n.Router(s).sourceFor(n.addr("10.255.0.99"))
		n.Router(s).Send("Tunnel0", IP(src, n.addr("224.0.0.5"), 89, 1, false, 1, nil))
		n.Router(s).Send("Tunnel0", IP(src, n.addr("239.9.9.9"), 17, 9, false, 1, nil))
	}
	n.Run(3 * time.Minute)
}

func TestProtectedTunnelLeaksNothing(t *testing.T) {
	n := lab(t, "phase3", 41)
	n.Run(0)
	count := leaks(n)
	for _, s := range []string{"hub", "spoke1", "spoke2"} {
		protect(n.Router(s))
	}
	*count = 0
	exercise(n)
	if *count != 0 {
		t.Errorf("%d packets left in clear", *count)
	}
}

// Protection that is configured on sessions that are up: from then on nothing leaves.
func TestProtectionAddedLater(t *testing.T) {
	n := lab(t, "phase3", 42)
	converge(t, n, "hub")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	for _, s := range []string{"spoke1", "spoke2", "hub"} {
		protect(n.Router(s))
	}
	n.Run(100 * time.Millisecond) // what is on its way
	count := leaks(n)
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
	if *count != 0 {
		t.Errorf("%d packets left in clear", *count)
	}
}

// One side is protected: what the other sends in clear does not enter.
func TestProtectedTunnelTakesNothingInClear(t *testing.T) {
	n := lab(t, "phase3", 43)
	n.Run(0)
	protect(n.Router("hub"))
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
