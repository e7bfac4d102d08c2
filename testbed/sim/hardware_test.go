package sim

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"nave/ctl/gateway"
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

// slowProfiles is a folder of profiles, each of which is slow at one thing.
func slowProfiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, values := range map[string]string{
		"engine":    "hw.bus_mpps: {value: 0.2, unit: Mpps, X}\n  gre.recirc_passes: {value: 1, unit: passes, X}\n  mpls.recirc_cost: {value: 2, unit: factor, X}",
		"module":    "crypto.in_hw: {value: yes, X}\n  crypto.gbps: {value: 0.1, unit: Gbps, X}",
		"exception": "fib.units72: {value: 1024, unit: units, X}\n  fib.split.ip_mpls: {value: 800, unit: entries, X}\n  fib.exception_pps: {value: 20000, unit: pps, X}",
	} {
		text := fmt.Sprintf("name: %s\nplatform: a test\nsupervisor: a test\nvalues:\n  dmvpn.supported: {value: yes, X}\n  %s\n", name, values)
		text = strings.ReplaceAll(text, "X}", "basis: assumed, source: \"this test\"}")
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sealed counts ESP that leaves a router for the internet.
func sealed(n *Net, router string) *int {
	count := 0
	n.Tap(func(c Crossing) {
		if c.From == router && c.To == "internet" && packet.IPv4(c.Frame[packet.EthernetLen:]).Proto() == protoESP {
			count++
		}
	})
	return &count
}

// What is slow holds packets to its rate, and what it drops is counted as its own: the forwarding engine with two passes into a tunnel, the crypto module by bytes, a
// full table by the packets of routes without room.
func TestHardwareBudgets(t *testing.T) {
	const (
		offered = 400_000
		window  = 50 * time.Millisecond
		size    = packet.IPv4Len + packet.UDPLen + 18 // bytes of a packet of the stream
	)
	dir := slowProfiles(t)
	for k, c := range []struct {
		profile string
		to      string
		rate    int
		reason  fastpath.Reason
	}{
		{"engine", "10.2.0.7", 100_000, fastpath.EngineOver},
		{"module", "10.2.0.7", 100_000_000 / 8 / size, fastpath.CryptoOver},
		{"exception", "10.2.0.7", offered, 0},
		{"exception", "10.65.0.1", 20_000, fastpath.ExceptionOver},
	} {
		t.Run(c.profile+" to "+c.to, func(t *testing.T) {
			n := hardwareLab(t, 90+uint64(k))
			r := n.Router("spoke1")
			r.core.Emulate(&gateway.Profiles{Dir: dir}, r.engine)
			r.Configure(withProfile(r.text, c.profile))
			if c.profile == "exception" {
				var more strings.Builder
				for i := range 900 {
					fmt.Fprintf(&more, "ip route 10.64.%d.%d 255.255.255.255 10.255.0.12\n", i>>8, i&255)
				}
				r.Configure(r.text + more.String())
				r.Configure(r.text + "ip route 10.65.0.1 255.255.255.255 10.255.0.12\n")
			}
			n.Run(time.Second)
			left := sealed(n, "spoke1")
			n.stream("host1", c.to, offered)
			n.Run(40 * time.Millisecond)
			before, over := *left, r.Counters().Reasons
			n.Run(window)
			const chance = 3 // of the protocols' own, which may leave meanwhile
			want := int(int64(c.rate) * int64(window) / int64(time.Second))
			if got := *left - before; got < want-chance || got > want+chance {
				t.Errorf("%d packets left in %v, want %d", got, window, want)
			}
			want = int(int64(offered-c.rate) * int64(window) / int64(time.Second))
			if got := int(r.Counters().Reasons[c.reason] - over[c.reason]); c.reason != 0 && (got < want-chance || got > want+chance) {
				t.Errorf("%d packets of %v, want %d", got, c.reason, want)
			}
		})
	}
}

// A fast path whose control plane has died holds to the profile, and to that of the next one: no packet more passes, and none less.
func TestHardwareTakeover(t *testing.T) {
	const window = 50 * time.Millisecond
	n := hardwareLab(t, 82)
	spoke, far := n.Router("spoke1"), n.Router("spoke2")
	far.Configure(withProfile(far.text, "none"))
	arrived := tally(n, "host2")
	n.stream("host1", "10.2.0.7", 600_000)
	n.Run(40 * time.Millisecond)
	same := func(when string, want int) {
		t.Helper()
		before := *arrived
		n.Run(window)
		if got := *arrived - before; got < want-2 || got > want+2 {
			t.Errorf("%s: %d packets in %v, want %d", when, got, window, want)
		}
	}
	same("at first", 25_000)
	spoke.Orphan()
	same("without a control plane", 25_000)
	text := spoke.text
	spoke.TakeOver(text)
	n.Run(40 * time.Millisecond) // what is priced anew begins with a queue that is empty
	same("with the next", 25_000)
	spoke.Orphan()
	spoke.TakeOver(withProfile(text, "none"))
	n.Run(40 * time.Millisecond)
	same("with one that has no profile", 30_000)
}
