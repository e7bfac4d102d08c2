package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/ctl/debug"
	"nave/ctl/show"
	"nave/fastpath/packet"
	"nave/slowpath"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
	"nave/slowpath/trace"
)

// debugged is what a router's protocols told.
type debugged struct {
	things []slowpath.Traced
}

// debug has a router's protocols tell of what flags and conditions select.
func (r *Router) debug(t *testing.T, s debug.Set) *debugged {
	t.Helper()
	d := &debugged{}
	r.core.Router().At(r.net.Now()).Debug(slowpath.Debug{Rules: s.Rules(), Take: func(x slowpath.Traced) { d.things = append(d.things, x.Clone()) }})
	return d
}

// undebug ends it.
func (r *Router) undebug() { r.core.Router().At(r.net.Now()).Debug(slowpath.Debug{}) }

// lines is the text of all that was told.
func (d *debugged) lines() (out []string) {
	for i := range d.things {
		out = append(out, show.Trace(&d.things[i])...)
	}
	return out
}

// wireNHRP is a packet of NHRP as it crossed a link in clear.
type wireNHRP struct {
	peer    netip.Addr // the other end, as the router sees it
	sent    bool
	payload []byte
}

// tapNHRP notes the packets of NHRP that a router sends and is sent.
func tapNHRP(n *Net, router string) *[]wireNHRP {
	var out []wireNHRP
	n.Tap(func(c Crossing) {
		if c.From != router && c.To != router || c.Lost {
			return
		}
		ip, fault := packet.ParseIPv4(c.Frame[packet.EthernetLen:])
		if fault != packet.OK || ip.Proto() != protoGRE {
			return
		}
		gre := c.Frame[packet.EthernetLen+int(ip[0]&15)*4 : packet.EthernetLen+int(binary.BigEndian.Uint16(ip[2:]))]
		if binary.BigEndian.Uint16(gre[2:]) != 0x2001 {
			return
		}
		w := wireNHRP{peer: addr4(ip.Src()), payload: bytes.Clone(gre[8:])}
		if w.sent = c.From == router; w.sent {
			w.peer = addr4(ip.Dst())
		}
		out = append(out, w)
	})
	return &out
}

// What is told of packets under a condition on one peer is what crossed the wire to and from that peer, byte by byte, and nothing else: of the other one, no value is handed on, and so
// no text is made.
func TestDebugOfOnePeer(t *testing.T) {
	n := lab(t, "phase3", 1)
	hub := n.Router("hub")
	n.startRouters()
	wire := tapNHRP(n, "hub")
	one := netip.MustParseAddr("198.51.100.1")
	d := hub.debug(t, debug.Set{Flags: []debug.Flag{"nhrp packet"}, NHRP: debug.Conditions{List: []debug.Condition{{NBMA: netip.PrefixFrom(one, 32)}}}})
	converge(t, n, "hub")
	ping(t, n, "host1", "10.2.0.7")
	direct(t, n, "host1", "10.2.0.7", "spoke1", "spoke2")
	n.Run(time.Second)

	others := 0
	var want []wireNHRP
	for _, w := range *wire {
		if w.peer == one {
			want = append(want, w)
		} else {
			others++
		}
	}
	var mine []slowpath.Traced
	for _, x := range d.things {
		if p := peerOf(x); p == one {
			mine = append(mine, x)
		} else if !strings.Contains(strings.Join(show.Trace(&x), "\n"), one.String()) { // a request that spoke1 has made and the hub passes on is about it
			t.Errorf("told of %v, in which spoke1 has no part: %v", p, show.Trace(&x))
		}
	}
	if others == 0 || len(want) < 4 || len(mine) != len(want) {
		t.Fatalf("%d things told of spoke1, %d packets with it on the wire, %d with others", len(mine), len(want), others)
	}
	for i, w := range want {
		x := mine[i]
		payload, sent := payloadOf(x)
		if !bytes.Equal(payload, w.payload) || sent != w.sent {
			t.Fatalf("packet %d:\n told %x, sent %v\n wire %x, sent %v", i, payload, sent, w.payload, w.sent)
		}
		agrees(t, show.Trace(&x), w)
	}
	told := len(d.things)
	hub.undebug()
	n.Run(6 * time.Minute)
	if len(d.things) != told {
		t.Errorf("%d things more were told once it was off", len(d.things)-told)
	}
}

// peerOf is with whom a packet was exchanged.
func peerOf(x slowpath.Traced) netip.Addr {
	switch e := x.Event.(type) {
	case nhrp.Received:
		return e.From.Addr
	case nhrp.Send:
		return e.To.Addr
	}
	return netip.Addr{}
}

func payloadOf(x slowpath.Traced) (payload []byte, sent bool) {
	switch e := x.Event.(type) {
	case nhrp.Received:
		return e.Payload, false
	case nhrp.Send:
		return e.Payload, true
	}
	return nil, false
}

// agrees compares lines with the bytes that they are about, read here by offsets and not by the codec.
func agrees(t *testing.T, lines []string, w wireNHRP) {
	t.Helper()
	b := w.payload
	kind := []string{"", "Resolution Request", "Resolution Reply", "Registration Request", "Registration Reply", "Purge Request", "Purge Reply", "Error Indication", "Traffic Indication"}[b[17]]
	verb := "Receive"
	if w.sent {
		verb = "Send"
	}
	src, dst := netip.AddrFrom4([4]byte(b[32:36])), netip.AddrFrom4([4]byte(b[36:40]))
	want := []string{
		fmt.Sprintf("NHRP: %s %s via Tunnel0 vrf 0, packet size: %d", verb, kind, len(b)),
		fmt.Sprintf(" src: %s, dst: %s, NBMA: %s", src, dst, w.peer),
		fmt.Sprintf(" (F) afn: AF_IP(1), type: IP(800), hop: %d, ver: 1", b[9]),
		"     shtl: 4(NSAP), sstl: 0(NSAP)",
		fmt.Sprintf("     pktsz: %d extoff: %d", binary.BigEndian.Uint16(b[10:]), binary.BigEndian.Uint16(b[14:])),
	}
	if len(lines) < 8 || !slices.Equal(lines[:5], want) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	rest := []string{
		fmt.Sprintf("     src NBMA: %s", netip.AddrFrom4([4]byte(b[28:32]))), fmt.Sprintf("     src protocol: %s, dst protocol: %s", src, dst),
	}
	if !slices.Equal(lines[6:8], rest) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(lines[6:8], "\n"), strings.Join(rest, "\n"))
	}
	if b[17] <= 6 && !strings.HasSuffix(lines[5], fmt.Sprintf("reqid: %d", binary.BigEndian.Uint32(b[24:]))) {
		t.Errorf("%q: the request ID is %d", lines[5], binary.BigEndian.Uint32(b[24:]))
	}
}

// A peer's tunnel address selects its IKE, too, once NHRP knows where the peer is; and everything about one peer can be had without the other being in a line of it.
func TestDebugOfTunnelAddress(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 3, crypto)
		converge(t, n, "hub")
		var all []debug.Flag
		for _, l := range debug.Levels {
			for _, f := range debug.Facilities {
				all = append(all, debug.DMVPNFlag(l, f))
			}
		}
		set := debug.Set{Flags: all, DMVPN: debug.Conditions{List: []debug.Condition{{Tunnel: netip.MustParsePrefix("10.255.0.11/32")}}}}
		hub := n.Router("hub")
		d := hub.debug(t, set)
		n.Run(5 * time.Minute) // registrations come again
		if err := hub.Clear(api.Clear{What: api.ClearCrypto}); err != nil {
			t.Fatal(err)
		}
		n.Run(2 * time.Minute)
		n.Ping("host1", "10.2.0.7")
		text := strings.Join(d.lines(), "\n")
		messages := 0
		for _, x := range d.things {
			if e, ok := x.Event.(ike.Trace); ok && e.Kind == ike.TraceReceived {
				messages++
			}
		}
		if messages == 0 {
			t.Error("nothing told of IKE with spoke1")
		}
		if len(d.things) == 0 || !strings.Contains(text, "NHRP: Receive Registration Request via Tunnel0 vrf 0") {
			t.Fatalf("nothing told of spoke1's registration:\n%s", text)
		}
		for _, x := range d.things {
			lines := strings.Join(show.Trace(&x), "\n")
			if strings.Contains(lines, "203.0.113.1") && !strings.Contains(lines, "10.255.0.11") {
				t.Errorf("this is of spoke2:\n%s", lines)
			}
		}
		for _, secret := range []string{"navelab-key", "navelab\"", "data:navelab"} {
			if strings.Contains(text, secret) {
				t.Errorf("a secret is told: %s", secret)
			}
		}
	})
}

// Each level of `debug dmvpn` has what the one before it has, and a session's making is told at its levels.
func TestDebugLevels(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n, _ := protectedLab(t, 4, crypto)
		n.startRouters()
		hub := n.Router("hub")
		var all []debug.Flag
		for _, f := range debug.Facilities {
			all = append(all, debug.DMVPNFlag("packet", f))
		}
		d := hub.debug(t, debug.Set{Flags: all})
		converge(t, n, "hub")
		byTopic := make(map[trace.Topics]int)
		for _, x := range d.things {
			for bit := trace.Topics(1); bit <= trace.All; bit <<= 1 {
				if x.Topics&bit != 0 {
					byTopic[bit]++
				}
			}
			if len(show.Trace(&x)) == 0 {
				t.Errorf("nothing is said of %+v", x)
			}
		}
		_, state, messages := trace.IKE(1)
		if strings.Contains(crypto, "ikev2") {
			_, state, messages = trace.IKE(2)
		}
		for name, topic := range map[string]trace.Topics{
			"NHRP packets": trace.NHRPPacket, "extensions": trace.NHRPExtension, "cache": trace.NHRPCache, "NHRP detail": trace.NHRPDetail, "IKE messages": messages, "IKE states": state,
			"IPsec": trace.IPsecDetail, "tunnel": trace.TunnelDetail, "socket": trace.SocketDetail,
		} {
			if byTopic[topic] == 0 {
				t.Errorf("nothing told of %s", name)
			}
		}
		text := strings.Join(d.lines(), "\n")
		for _, want := range []string{
			"CRYPTO_SS(TUNNEL SEC): Socket is now OPEN: local 192.0.2.1, remote 198.51.100.1, prot 47, ifc Tunnel0", "IPSEC(create_sa): sa created, peer 198.51.100.1:",
			"IPSEC-IFC MGRE/Tunnel0(198.51.100.1): packets leave protected by SA", "NHRP: Tunnel0: Cache add for target 10.255.0.11/32 next-hop 10.255.0.11 (registered)",
			" Authentication Extension(7):\n   type:Cleartext(1), data:********",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("not told: %s\n%s", want, text)
			}
		}
	})
}

// EIGRP with one neighbor is told, both ways, and what is sent to all only where there is no condition on a neighbor.
func TestDebugEIGRP(t *testing.T) {
	n := hubSpoke(t, 5, true)
	hub := n.Router("hub")
	one := netip.MustParseAddr("10.0.0.2")
	d := hub.debug(t, debug.Set{Flags: []debug.Flag{"eigrp packets terse"}, DMVPN: debug.Conditions{List: []debug.Condition{{Tunnel: netip.PrefixFrom(one, 32)}}}})
	knowEachOther(n, 3*time.Minute)
	counts := make(map[bool]int)
	for _, x := range d.things {
		e, ok := x.Event.(slowpath.EIGRPTrace)
		if !ok || e.Peer != one || e.Iface != "Tunnel0" || e.Payload[1] == 5 {
			t.Errorf("told of %+v", x)
		}
		counts[e.Sent]++
	}
	if counts[true] == 0 || counts[false] == 0 {
		t.Errorf("%d sent and %d received", counts[true], counts[false])
	}
	d = hub.debug(t, debug.Set{Flags: []debug.Flag{"eigrp packets"}})
	n.Run(time.Minute)
	text := strings.Join(d.lines(), "\n")
	for _, want := range []string{"EIGRP: Sending HELLO on Tunnel0 - paklen ", "nbr 224.0.0.10\n", "EIGRP: Received HELLO on Tunnel0 - paklen "} {
		if !strings.Contains(text, want) {
			t.Errorf("not told: %q\n%s", want, text)
		}
	}
}
