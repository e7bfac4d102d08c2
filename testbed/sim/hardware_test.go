package sim

import (
	"encoding/binary"
	"regexp"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/packet"
	"nave/testbed/labs"
)

var profileLine = regexp.MustCompile(`(?m)^platform hardware profile .*$`)

// withProfile is a configuration with another hardware profile, and nothing else changed.
func withProfile(text, profile string) string {
	return profileLine.ReplaceAllString(text, "platform hardware profile "+profile)
}

// hardwareLab is the lab of that name, with the profiles that nave has built in, and cables that are long enough for all that is on them.
func hardwareLab(t *testing.T, seed uint64) *Net {
	t.Helper()
	l, err := labs.Find("hardware")
	if err != nil {
		t.Fatal(err)
	}
	n := FromTopology(t, seed, l.Topology, LinkConfig{Delay: 100 * time.Microsecond, Frames: 4096})
	spoke := n.Router("spoke1")
	spoke.text = withProfile(spoke.text, "sup720-3bxl-7600-spa")
	n.Until(time.Minute, "the sites know each other, and go to each other", func() bool {
		r := n.Ping("host1", "10.2.0.7")
		return r.OK && r.TTL == 62
	})
	return n
}

// tally counts UDP that comes to a node.
func tally(n *Net, node string) *int {
	count := 0
	n.Tap(func(c Crossing) {
		if c.Lost || c.To != node || len(c.Frame) < packet.EthernetLen+packet.IPv4Len {
			return
		}
		if ip := packet.IPv4(c.Frame[packet.EthernetLen:]); ip.Proto() == protoUDP {
			count++
		}
	})
	return &count
}

// stream has a host send UDP to an address all the time, so many packets a second.
func (n *Net) stream(from, to string, rate int) {
	host := n.elements[from].(*Node)
	udp := make([]byte, packet.UDPLen+18)
	binary.BigEndian.PutUint16(udp[0:], 7007)
	binary.BigEndian.PutUint16(udp[2:], 7007)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	began, sent := n.now, int64(0)
	b := IP(host.segments[0].addr.Addr(), n.addr(to), protoUDP, defaultTTL, false, 0, udp)
	var next func()
	next = func() {
		host.send(append([]byte(nil), b...))
		sent++
		n.at(began+sent*int64(time.Second)/int64(rate), event{do: next})
	}
	n.at(n.now, event{do: next})
}

// A profile alone changes what a protected tunnel with a key carries, to the packet: nothing else does, and nobody but the traffic notices.
func TestHardwareRates(t *testing.T) {
	const (
		offered = 600_000 // packets a second
		window  = 50 * time.Millisecond
	)
	n := hardwareLab(t, 81)
	spoke, far := n.Router("spoke1"), n.Router("spoke2")
	far.Configure(withProfile(far.text, "none"))
	arrived := tally(n, "host2")
	n.stream("host1", "10.2.0.7", offered)
	sessions := n.Show("spoke1", "show crypto session")
	for _, c := range []struct {
		profile string
		rate    int // packets a second that pass
		reason  fastpath.Reason
	}{
		{"sup720-3bxl-7600-spa", 500_000, fastpath.CEFOver}, // its route processor's express forwarding
		{"none", offered, 0},
		{"sup720-3bxl-7600", 15_000, fastpath.ProcessOver}, // without a module it encrypts in a process
		{"none", offered, 0},
		{"sup720-3bxl-7600-spa", 500_000, fastpath.CEFOver},
	} {
		spoke.Configure(withProfile(spoke.text, c.profile))
		n.Run(40 * time.Millisecond) // what its queue holds passes first
		before, over := *arrived, spoke.Counters().Reasons
		n.Run(window)
		want := int(int64(c.rate) * int64(window) / int64(time.Second))
		if got := *arrived - before; got < want-2 || got > want+2 {
			t.Errorf("%s: %d packets in %v, want %d", c.profile, got, window, want)
		}
		now := spoke.Counters().Reasons
		for _, r := range []fastpath.Reason{fastpath.CEFOver, fastpath.ProcessOver, fastpath.EngineOver, fastpath.CryptoOver} {
			lost := 0
			if r == c.reason {
				lost = int(int64(offered-c.rate) * int64(window) / int64(time.Second))
			}
			if got := int(now[r] - over[r]); got < lost-2 || got > lost+2 {
				t.Errorf("%s: %d packets of %v, want %d", c.profile, got, r, lost)
			}
		}
	}
	if s := n.Show("spoke1", "show crypto session"); s != sessions {
		t.Errorf("sessions before:\n%s\nafter:\n%s", sessions, s)
	}
}
