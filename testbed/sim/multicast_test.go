package sim

import (
	"net/netip"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/packet"
)

// copies counts, by the router that they come to, the tunnel packets to a group.
func copies(n *Net, group string) map[string]int {
	count := make(map[string]int)
	to := netip.MustParseAddr(group)
	n.Tap(func(c Crossing) {
		if ip, tunnel := Inner(c.Frame); tunnel && addr4(ip.Dst()) == to && c.To != "internet" {
			count[c.To]++
		}
	})
	return count
}

// groupPackets are what a host stack got for a group by a tunnel.
func groupPackets(n *Net, name, group string) (out []packet.IPv4) {
	for _, r := range n.Received(name) {
		if r.Via == "Tunnel0" && addr4(r.Packet.Dst()).String() == group {
			out = append(out, r.Packet)
		}
	}
	return out
}

func TestLinkLocalMulticast(t *testing.T) {
	n := lab(t, "phase3", 31)
	converge(t, n, "hub")
	const ospf = 89
	hello := func(src string) []byte {
		return IP(n.addr(src), n.addr("224.0.0.5"), ospf, 1, false, 7, []byte("hello"))
	}
	n.Router("hub").Send("Tunnel0", hello("10.255.0.1"))
	n.Run(time.Second)
	for _, s := range []string{"spoke1", "spoke2"} {
		got := groupPackets(n, s, "224.0.0.5")
		if len(got) != 1 || got[0].TTL() != 1 || addr4(got[0].Src()).String() != "10.255.0.1" || string(got[0].Payload()) != "hello" {
			t.Errorf("%s got %v", s, got)
		}
	}
	n.Router("spoke1").Send("Tunnel0", hello("10.255.0.11"))
	n.Run(time.Second)
	if got := groupPackets(n, "hub", "224.0.0.5"); len(got) != 1 || got[0].TTL() != 1 {
		t.Errorf("the hub got %v", got)
	}
	for _, s := range []string{"spoke1", "spoke2"} {
		if got := groupPackets(n, s, "224.0.0.5"); len(got) != 0 {
			t.Errorf("a link-local packet of spoke 1 was relayed to %s: %v", s, got)
		}
	}
}

func TestTransitMulticast(t *testing.T) {
	n := lab(t, "phase3", 32)
	converge(t, n, "hub")
	count := copies(n, "239.1.1.1")
	var ttl uint8
	n.Tap(func(c Crossing) {
		if ip, tunnel := Inner(c.Frame); tunnel && c.To == "spoke2" && addr4(ip.Dst()).String() == "239.1.1.1" {
			ttl = ip.TTL()
		}
	})
	n.Router("spoke1").Send("Tunnel0", IP(n.addr("10.255.0.11"), n.addr("239.1.1.1"), 17, 8, false, 1, make([]byte, 32)))
	n.Run(time.Second)
	if count["hub"] != 1 || count["spoke2"] != 1 || count["spoke1"] != 0 {
		t.Errorf("copies that arrived: %v; want one at the hub, one at spoke 2, none back", count)
	}
	if ttl != 7 {
		t.Errorf("TTL %d at spoke 2, want 7", ttl)
	}
	// One whose TTL is used up ends at the hub.
	before := n.Router("hub").Counters().Reasons[fastpath.MulticastTTL]
	n.Router("spoke1").Send("Tunnel0", IP(n.addr("10.255.0.11"), n.addr("239.1.1.1"), 17, 1, false, 2, make([]byte, 32)))
	n.Run(time.Second)
	if count["spoke2"] != 1 || n.Router("hub").Counters().Reasons[fastpath.MulticastTTL] != before+1 {
		t.Errorf("TTL 1 went on: %v", count)
	}
}

func TestMulticastFollowsRegistrations(t *testing.T) {
	n := lab(t, "phase3", 33)
	converge(t, n, "hub")
	count := copies(n, "224.0.0.5")
	send := func() {
		n.Router("hub").Send("Tunnel0", IP(n.addr("10.255.0.1"), n.addr("224.0.0.5"), 89, 1, false, 1, nil))
		n.Run(time.Second)
	}
	send()
	n.Router("spoke2").Stop()
	n.Run(6 * time.Minute) // its registration runs out
	send()
	if count["spoke1"] != 2 || count["spoke2"] != 1 {
		t.Errorf("copies: %v; want two to spoke 1 and one to spoke 2", count)
	}
}
