package sim

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"nave/fastpath/packet"
)

// box is two hosts behind a NAT box, 10.0.0.1 and 10.0.0.2, and the far hosts 203.0.113.1 and .2.
func box(t *testing.T, cfg NATConfig) (*Net, *Node) {
	t.Helper()
	n := New(t, 1)
	nd := n.AddNAT("nat", "192.0.2.1", "192.0.2.254", cfg)
	nd.Segment("lan", "10.0.0.254/24")
	n.AddInternet("internet").Segment("far", "203.0.113.254/24")
	n.Connect("nat:192.0.2.1/24", "internet:192.0.2.254/24", LinkConfig{})
	for i := 1; i <= 2; i++ {
		n.AddHost(fmt.Sprintf("in%d", i), "10.0.0.254")
		n.AddHost(fmt.Sprintf("far%d", i), "203.0.113.254")
		n.Connect(fmt.Sprintf("in%d:10.0.0.%d/24", i, i), "nat:lan", LinkConfig{})
		n.Connect(fmt.Sprintf("far%d:203.0.113.%d/24", i, i), "internet:far", LinkConfig{})
	}
	return n, nd
}

// say sends UDP with a checksum from a host's port, and tells who was heard, as "host port from address:port", or "" for nobody.
func say(t *testing.T, n *Net, from string, port uint16, to string) string {
	t.Helper()
	dst := netip.MustParseAddrPort(to)
	h := n.elements[from].(*Node)
	src := h.segments[0].addr.Addr()
	u := UDP(port, dst.Port(), []byte("said"))
	sum := packet.PseudoSum(src.As4(), dst.Addr().As4(), protoUDP, len(u))
	binary.BigEndian.PutUint16(u[6:], ^packet.Fold(packet.Sum(u, sum)))
	h.send(IP(src, dst.Addr(), protoUDP, defaultTTL, false, 1, u))
	return heard(t, n)
}

func heard(t *testing.T, n *Net) string {
	t.Helper()
	n.Run(10 * time.Millisecond)
	for _, who := range []string{"in1", "in2", "far1", "far2"} {
		for _, r := range n.Received(who) {
			u := r.Packet.Payload()
			if r.Packet.Proto() != protoUDP {
				return fmt.Sprintf("%s protocol %d from %v", who, r.Packet.Proto(), addr4(r.Packet.Src()))
			}
			src, dst := addr4(r.Packet.Src()), addr4(r.Packet.Dst())
			if packet.Fold(packet.Sum(u, packet.PseudoSum(src.As4(), dst.As4(), protoUDP, len(u)))) != 0xffff {
				t.Errorf("%s got a wrong checksum", who)
			}
			return fmt.Sprintf("%s %d from %v:%d", who, binary.BigEndian.Uint16(u[2:]), src, binary.BigEndian.Uint16(u))
		}
	}
	return ""
}

// RFC 4787: one outside port for everybody, one for each far address, or one for each far address and port; and who gets in to it.
func TestNATBehaviours(t *testing.T) {
	for mapping := EndpointIndependent; mapping <= AddressAndPortDependent; mapping++ {
		for filtering := EndpointIndependent; filtering <= AddressAndPortDependent; filtering++ {
			t.Run(fmt.Sprintf("%v mapping, %v filtering", mapping, filtering), func(t *testing.T) {
				n, _ := box(t, NATConfig{Mapping: mapping, Filtering: filtering})
				expect := func(got, want string) {
					t.Helper()
					if got != want {
						t.Errorf("got %q, want %q", got, want)
					}
				}
				second, third := 20001, 20001
				if mapping == AddressAndPortDependent {
					second, third = 20002, 20003
				} else if mapping == AddressDependent {
					third = 20002
				}
				expect(say(t, n, "in1", 4500, "203.0.113.1:7"), "far1 7 from 192.0.2.1:20001")
				in := func(who string, port uint16, allowed bool) {
					t.Helper()
					want := ""
					if allowed {
						want = fmt.Sprintf("in1 4500 from %v:%d", n.elements[who].(*Node).segments[0].addr.Addr(), port)
					}
					expect(say(t, n, who, port, "192.0.2.1:20001"), want)
				}
				in("far1", 7, true)
				in("far1", 8, filtering <= AddressDependent)
				in("far2", 7, filtering == EndpointIndependent)
				expect(say(t, n, "in1", 4500, "203.0.113.1:8"), fmt.Sprintf("far1 8 from 192.0.2.1:%d", second))
				expect(say(t, n, "in1", 4500, "203.0.113.2:7"), fmt.Sprintf("far2 7 from 192.0.2.1:%d", third))
				in("far2", 7, filtering == EndpointIndependent || mapping == EndpointIndependent)
				expect(say(t, n, "far1", 7, "192.0.2.1:29999"), "")
			})
		}
	}
}

// A box that keeps ports gives the second inside address another one, and after a restart the same ones.
func TestNATPreservesPorts(t *testing.T) {
	n, nd := box(t, NATConfig{Mapping: AddressAndPortDependent, Filtering: AddressAndPortDependent, Preserve: true})
	for _, want := range []string{"far1 7 from 192.0.2.1:4500", "far1 7 from 192.0.2.1:4500"} {
		if got := say(t, n, "in1", 4500, "203.0.113.1:7"); got != want {
			t.Errorf("got %q", got)
		}
		if got := say(t, n, "in1", 4500, "203.0.113.2:7"); got != "far2 7 from 192.0.2.1:4500" {
			t.Errorf("got %q", got)
		}
		if got := say(t, n, "in2", 4500, "203.0.113.1:7"); got == want || got == "" {
			t.Errorf("a second inside address: %q", got)
		}
		if m := nd.Mapped("10.0.0.1:4500"); len(m) != 2 || m[0].Port() != 4500 {
			t.Errorf("mapped to %v", m)
		}
		nd.Rebind()
		if got := say(t, n, "far1", 7, "192.0.2.1:4500"); got != "" {
			t.Errorf("after a restart came in: %q", got)
		}
	}
}

// Mappings end when nothing is sent from inside for a while; what comes in does not hold them.
func TestNATForgets(t *testing.T) {
	n, _ := box(t, NATConfig{Timeout: 30 * time.Second})
	say(t, n, "in1", 4500, "203.0.113.1:7")
	for k := range 4 {
		n.Run(9 * time.Second)
		if got := say(t, n, "far1", 7, "192.0.2.1:20001"); (got != "") != (k < 3) {
			t.Errorf("after %d s: %q", 9*(k+1), got)
		}
	}
	if got := say(t, n, "in1", 4500, "203.0.113.1:7"); got != "far1 7 from 192.0.2.1:20002" {
		t.Errorf("another mapping: %q", got)
	}
}

func TestNATBlocks(t *testing.T) {
	n, nd := box(t, NATConfig{})
	nd.Block(4500)
	if got := say(t, n, "in1", 500, "203.0.113.1:4500"); got != "" {
		t.Errorf("blocked: %q", got)
	}
	if got := say(t, n, "in1", 500, "203.0.113.1:500"); got == "" {
		t.Error("the other port does not pass")
	}
	nd.Block()
	if got := say(t, n, "in1", 4500, "203.0.113.1:4500"); got == "" {
		t.Error("it does not pass when it is not blocked any more")
	}
}

// Hairpinning, and a static address: both ways by the outside addresses, where the box does that.
func TestNATHairpin(t *testing.T) {
	for _, hairpin := range []bool{false, true} {
		n, nd := box(t, NATConfig{Hairpin: hairpin, Static: map[string]string{"10.0.0.2": "192.0.2.2"}})
		if got := say(t, n, "in2", 500, "203.0.113.1:7"); got != "far1 7 from 192.0.2.2:500" {
			t.Errorf("static: %q", got)
		}
		if got := say(t, n, "far2", 9, "192.0.2.2:500"); got != "in2 500 from 203.0.113.2:9" {
			t.Errorf("in to the static address: %q", got)
		}
		want, back := "", ""
		if hairpin {
			want, back = "in2 500 from 192.0.2.1:20001", "in1 4500 from 192.0.2.2:500"
		}
		if got := say(t, n, "in1", 4500, "192.0.2.2:500"); got != want {
			t.Errorf("hairpin %v: %q", hairpin, got)
		}
		if got := say(t, n, "in2", 500, "192.0.2.1:20001"); got != back {
			t.Errorf("hairpin %v, back: %q", hairpin, got)
		}
		nd.Rebind()
		if got := say(t, n, "far2", 9, "192.0.2.2:500"); got == "" {
			t.Error("a static address does not outlive a restart")
		}
	}
}

// ESP has no ports: a static address has it pass, of others one at most.
func TestNATRaw(t *testing.T) {
	raw := func(n *Net, from string, to string) string {
		h := n.elements[from].(*Node)
		h.send(IP(h.segments[0].addr.Addr(), n.addr(to), protoESP, defaultTTL, false, 1, make([]byte, 40)))
		return heard(t, n)
	}
	n, _ := box(t, NATConfig{})
	if got := raw(n, "in1", "203.0.113.1"); got != "" {
		t.Errorf("passes: %q", got)
	}
	n, _ = box(t, NATConfig{OneRaw: true, Timeout: time.Minute})
	if got := raw(n, "in1", "203.0.113.1"); got != "far1 protocol 50 from 192.0.2.1" {
		t.Errorf("the first: %q", got)
	}
	if got := raw(n, "in2", "203.0.113.1"); got != "" {
		t.Errorf("the second passes, too: %q", got)
	}
	if got := raw(n, "in2", "203.0.113.2"); got != "far2 protocol 50 from 192.0.2.1" {
		t.Errorf("the second to another: %q", got)
	}
	if got := raw(n, "far1", "192.0.2.1"); got != "in1 protocol 50 from 203.0.113.1" {
		t.Errorf("back: %q", got)
	}
	n.Run(2 * time.Minute)
	if got := raw(n, "in2", "203.0.113.1"); got == "" {
		t.Error("the second does not pass after the timeout")
	}
	n, _ = box(t, NATConfig{Static: map[string]string{"10.0.0.1": "192.0.2.2"}})
	if got := raw(n, "in1", "203.0.113.1") + ", " + raw(n, "far1", "192.0.2.2"); got != "far1 protocol 50 from 192.0.2.2, in1 protocol 50 from 203.0.113.1" {
		t.Errorf("static: %q", got)
	}
}
