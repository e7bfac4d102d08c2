package capture

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"nave/fastpath"
	"nave/fastpath/packet"
)

// ipv4 is a packet with ports.
func ipv4(src, dst string, proto uint8, sport, dport uint16) []byte {
	b := make([]byte, packet.IPv4Len+8)
	h := packet.Header{TTL: 64, Proto: proto, Src: netip.MustParseAddr(src).As4(), Dst: netip.MustParseAddr(dst).As4()}
	h.Put(b, 8)
	b[20], b[21], b[22], b[23] = byte(sport>>8), byte(sport), byte(dport>>8), byte(dport)
	return b
}

func TestFilter(t *testing.T) {
	dns := ipv4("10.1.0.5", "10.0.0.9", packet.ProtoUDP, 40000, 53)
	gre := ipv4("192.0.2.1", "192.0.2.2", packet.ProtoGRE, 53, 53)
	later := ipv4("10.1.0.5", "10.0.0.9", packet.ProtoUDP, 40000, 53)
	later[7] = 1 // a fragment that has no ports
	for _, c := range []struct {
		filter string
		want   [3]bool // of dns, gre, later
	}{
		{"", [3]bool{true, true, true}},
		{"ip", [3]bool{true, true, true}},
		{"host 10.1.0.5", [3]bool{true, false, true}},
		{"10.0.0.9", [3]bool{true, false, true}},
		{"src host 10.0.0.9", [3]bool{}},
		{"dst 10.0.0.9", [3]bool{true, false, true}},
		{"net 192.0.2.0/24", [3]bool{false, true, false}},
		{"src net 10.1.0.77/16", [3]bool{true, false, true}},
		{"net 0.0.0.0/0", [3]bool{true, true, true}},
		{"udp", [3]bool{true, false, true}},
		{"proto 47", [3]bool{false, true, false}},
		{"proto gre or udp", [3]bool{true, true, true}},
		{"port 53", [3]bool{true, false, false}},
		{"src port 53", [3]bool{}},
		{"dst port 50-60", [3]bool{true, false, false}},
		{"dst portrange 50-60", [3]bool{true, false, false}},
		{"not port 53", [3]bool{false, true, true}},
		{"udp and not port 53", [3]bool{false, false, true}},
		{"udp port 53", [3]bool{true, false, false}},
		{"!udp", [3]bool{false, true, false}},
		{"not not udp", [3]bool{true, false, true}},
		{"(src 10.1.0.5 or src 10.1.0.6) and (dst 10.0.0.9 and port 53)", [3]bool{true, false, false}},
		{"gre or udp and port 53", [3]bool{true, true, false}},
		{"(gre or udp) && port 53", [3]bool{true, false, false}},
		{"not (gre || port 53)", [3]bool{false, false, true}},
		{"UDP PORT 53", [3]bool{true, false, false}},
	} {
		steps, err := Compile(c.filter)
		if err != nil {
			t.Errorf("%q: %v", c.filter, err)
			continue
		}
		for i, b := range [][]byte{dns, gre, later} {
			if got := fastpath.MatchCapture(steps, packet.TypeIPv4, b); got != c.want[i] {
				t.Errorf("%q takes packet %d: %v", c.filter, i, got)
			}
		}
	}
}

// TestFilterLayers: behind Ethernet, tags and labels, and what is no IPv4.
func TestFilterLayers(t *testing.T) {
	ip := ipv4("10.1.0.5", "10.0.0.9", packet.ProtoUDP, 40000, 53)
	eth := func(types ...uint16) []byte {
		b := make([]byte, 12)
		for i, ty := range types {
			b = append(b, byte(ty>>8), byte(ty))
			if ty == packet.TypeVLAN && i < len(types)-1 {
				b = append(b, 0, 10)
			}
		}
		return b
	}
	labels := []byte{0, 1, 0, 9, 0, 2, 1, 9} // the second is the last
	steps, err := Compile("port 53")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		proto uint16
		b     []byte
		want  bool
	}{
		"frame":        {0, append(eth(packet.TypeIPv4), ip...), true},
		"tagged":       {0, append(eth(packet.TypeVLAN, packet.TypeIPv4), ip...), true},
		"tagged twice": {0, append(eth(packet.TypeVLAN, packet.TypeVLAN, packet.TypeIPv4), ip...), true},
		"labelled":     {0, append(append(eth(packet.TypeMPLS), labels...), ip...), true},
		"in a tunnel":  {packet.TypeMPLS, append(append([]byte{}, labels...), ip...), true},
		"NHRP":         {packet.TypeNHRP, ip, false},
		"ARP":          {0, append(eth(0x0806), ip...), false},
		"short":        {0, eth(packet.TypeIPv4), false},
		"no bottom":    {packet.TypeMPLS, labels[:4], false},
	} {
		if got := fastpath.MatchCapture(steps, c.proto, c.b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for n := range 60 { // cut anywhere: no panic
		b := append(append(eth(packet.TypeVLAN, packet.TypeMPLS), labels...), ip...)
		fastpath.MatchCapture(steps, 0, b[:min(n, len(b))])
		fastpath.MatchCapture(steps, packet.TypeIPv4, ip[:min(n, len(ip))])
	}
}

func TestFilterRefuses(t *testing.T) {
	for filter, want := range map[string]string{
		"host":                              `host ""`,
		"host fe80::1":                      "want an IPv4 address",
		"net 10.0.0.0":                      "want an IPv4 prefix",
		"net 10.0.0.0/33":                   "want an IPv4 prefix",
		"port x":                            `port "x"`,
		"port 9-3":                          `port "9-3"`,
		"port 65536":                        `port "65536"`,
		"proto 256":                         `proto "256"`,
		"proto nothing":                     `proto "nothing"`,
		"foo":                               `"foo" is no test`,
		"src tcp":                           `"tcp" is no test`,
		"src":                               "ends too early",
		"udp or":                            "ends too early",
		"udp and":                           "ends too early",
		"not":                               "ends too early",
		"(udp":                              "not closed",
		"udp)":                              `unexpected ")"`,
		"udp or or tcp":                     `"or" is no test`,
		strings.Repeat("(", 40):             "in each other",
		strings.Repeat("not ", 40):          "in each other",
		strings.Repeat("host 1.1.1.1 ", 17): "34 tests",
		strings.Repeat("x", 2000):           "longer than",
	} {
		if _, err := Compile(filter); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", filter, err, want)
		}
	}
}

// eval answers a filter by its tree, for comparison with what it is compiled to.
func (n *node) eval(b []byte) bool {
	switch n.op {
	case "not":
		return !n.parts[0].eval(b)
	case "and":
		for _, p := range n.parts {
			if !p.eval(b) {
				return false
			}
		}
		return true
	case "or":
		for _, p := range n.parts {
			if p.eval(b) {
				return true
			}
		}
		return false
	}
	s := n.test
	s.Yes, s.No = fastpath.CaptureAccept, fastpath.CaptureReject
	return fastpath.MatchCapture([]fastpath.CaptureStep{s}, packet.TypeIPv4, b)
}

// TestFilterCompiles: random filters say the same compiled as they do by their tree.
func TestFilterCompiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var random func(depth int) string
	random = func(depth int) string {
		if depth == 0 || r.IntN(4) == 0 {
			return []string{"udp", "tcp", "port 1", "src 10.0.0.1", "dst net 10.0.0.2/31", "src port 1-2", "ip", "host 10.0.0.3"}[r.IntN(8)]
		}
		a, b := random(depth-1), random(depth-1)
		return []string{"not " + a, "(" + a + ") or (" + b + ")", "(" + a + ") and " + b, a + " " + b, "not (" + a + " or " + b + ")"}[r.IntN(5)]
	}
	tried := 0
	for range 3000 {
		text := random(3)
		steps, err := Compile(text)
		if err != nil {
			if strings.Contains(err.Error(), "tests: at most") {
				continue
			}
			t.Fatalf("%q: %v", text, err)
		}
		p := &parser{words: strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(text))}
		tree, err := p.either(0)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			b := ipv4(fmt.Sprintf("10.0.0.%d", r.IntN(4)), fmt.Sprintf("10.0.0.%d", r.IntN(4)), []uint8{6, 17, 1}[r.IntN(3)], uint16(r.IntN(3)), uint16(r.IntN(3)))
			if got, want := fastpath.MatchCapture(steps, packet.TypeIPv4, b), tree.eval(b); got != want {
				t.Fatalf("%q of %x: %v, want %v; %+v", text, b, got, want, steps)
			}
			tried++
		}
	}
	if tried < 20000 {
		t.Errorf("only %d packets were tried", tried)
	}
}

// FuzzFilter: any text is refused or compiled to tests that the fast path takes and that come to an end.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", "udp and port 53", "not (host 10.0.0.1 or net 10.0.0.0/8)", "src port 1-2 || gre", "((", "!!ip"} {
		f.Add(s, []byte{0x45, 0, 0, 28})
	}
	e, err := fastpath.New(fastpath.Config{Private: true, ArenaBytes: 16 << 20, MaxRoutes: 1024, MaxAdjacencies: 256})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, b []byte) {
		steps, err := Compile(text)
		if err != nil {
			return
		}
		c, err := e.Capture(fastpath.CaptureRequest{Points: fastpath.CaptureRx, Filter: steps})
		if err != nil {
			t.Fatalf("%q compiles to what the fast path refuses: %v", text, err)
		}
		c.Close()
		for _, proto := range []uint16{0, packet.TypeIPv4, packet.TypeMPLS} {
			fastpath.MatchCapture(steps, proto, b)
		}
	})
}
