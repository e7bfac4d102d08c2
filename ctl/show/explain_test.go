package show

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

var explainAddr = netip.MustParseAddr

// explained is an explanation of a packet from 10.0.0.9 to 10.1.0.5, by a tunnel to 192.0.2.11, changed by f.
func explained(f func(x *Explanation)) *Explanation {
	x := &Explanation{
		Time: now, Back: netip.MustParsePrefix("10.0.0.0/24"), BGPAS: 65000,
		Ports: map[fib.PortID]string{1: "Ethernet0", 2: "Ethernet1"}, Tunnels: map[fib.TunnelID]string{1: "Tunnel0"}, VRFs: map[fib.VRF]string{3: "RED"},
	}
	x.Packet = fastpath.Explanation{
		From: fastpath.Origin{Port: 2}, Src: explainAddr("10.0.0.9"), Dst: explainAddr("10.1.0.5"), Proto: 1, Length: 100, TTL: 64, Fate: fastpath.Forwarded,
		Looks: []fastpath.RouteUse{{Found: true, Prefix: netip.MustParsePrefix("10.1.0.0/24"), Paths: []fib.AdjID{17}, Chosen: 17}},
		Ways: []fastpath.Way{{
			Adj: 17, Kind: fib.AdjTunnel, Port: 1, Tunnel: 1, Peer: explainAddr("192.0.2.11"), MTU: 1400, Limit: 1400, LinkMTU: 1500, HasKey: true, Key: 700, Inner: 8, Outer: 20, Left: true,
			Frames: []fastpath.Frame{{Port: 1, SrcMAC: [6]byte{2, 0, 0, 0, 0, 1}, DstMAC: [6]byte{2, 0, 0, 0, 0, 4}, Length: 128, Src: explainAddr("192.0.2.1"), Dst: explainAddr("192.0.2.11"), Proto: 47, TTL: 255}},
		}},
	}
	x.Routes = []ExplainedRoute{{
		Known: true, Route: rib.Route{Prefix: x.Packet.Looks[0].Prefix, Source: rib.EIGRP, Process: 100, Distance: 90, Metric: 28160, Since: ago(time.Hour)}, Hop: explainAddr("10.255.0.11"), Iface: "Tunnel0",
	}}
	x.NHRP = []nhrp.EntryStatus{{Iface: "Tunnel0", Prefix: netip.MustParsePrefix("10.255.0.11/32"), Type: nhrp.TypeDynamic, NBMA: explainAddr("192.0.2.11"), Created: ago(time.Minute), Expires: now.Add(time.Hour)}}
	if f != nil {
		f(x)
	}
	return x
}

// dropped is the same where the packet goes nowhere.
func explainDropped(r fastpath.Reason, more func(x *Explanation)) *Explanation {
	return explained(func(x *Explanation) {
		x.Packet.Fate, x.Packet.Reason = fastpath.Dropped, r
		if r.Class() == fastpath.ClassPunt {
			x.Packet.Fate = fastpath.Punted
		}
		w := &x.Packet.Ways[0]
		w.Left, w.Frames, w.Reason = false, nil, r
		if more != nil {
			more(x)
		}
	})
}

func sealedBy(x *Explanation) {
	w := &x.Packet.Ways[0]
	w.Limit = 1394
	w.Seals = []fastpath.SealUse{{
		ID: 5, Installed: true, SPI: 0xABCD0001, Cipher: fib.CipherAESGCM, KeyLen: 32, IV: 8, ICV: 16, Align: 4, Local: explainAddr("192.0.2.1"), Remote: explainAddr("192.0.2.11"),
		Bytes: 4000, Packets: 40, Hard: 4718592000, Expires: now.Unix() + 3000,
	}}
	if len(w.Frames) == 1 {
		f := &w.Frames[0]
		f.Proto, f.SPI, f.Length = 50, 0xABCD0001, 100+8+20+36
	}
	x.Sessions = []dmvpn.SessionStatus{{Ifaces: []string{"Tunnel0"}, Peer: explainAddr("192.0.2.11"), State: dmvpn.Up, Since: ago(time.Minute)}}
}

// explanations is one of every kind.
func explanations() []*Explanation {
	return []*Explanation{
		explained(nil),
		explained(sealedBy),
		explained(func(x *Explanation) { // cut after it was sealed, in UDP, by a link with a tag, and a SYN
			sealedBy(x)
			x.Packet.Proto, x.Packet.Ports, x.Packet.MSS, x.Packet.Cut, x.Packet.TOS = 6, [2]uint16{40000, 443}, 1360, true, 0xb8
			w := &x.Packet.Ways[0]
			w.Seals[0].Encap, w.Seals[0].RemotePort, w.Seals[0].TunnelMode, w.PeerPort = true, 4500, true, 4500
			f := w.Frames[0]
			f.Proto, f.SrcPort, f.DstPort, f.VLAN, f.TOS, f.More = 17, 4500, 4500, 30, 0xb8, true
			g := f
			g.Offset, g.More, g.SPI, g.Length, g.SrcPort, g.DstPort = 1480, false, 0, 90, 0, 0
			w.Frames = []fastpath.Frame{f, g}
		}),
		explained(func(x *Explanation) { // from spoke to spoke, several ways, flows remembered
			x.Packet.From = fastpath.Origin{Tunnel: 1, Peer: explainAddr("192.0.2.12"), SA: 7}
			x.Packet.Told = []fastpath.Reason{fastpath.Redirect}
			x.Packet.Looks[0].Paths = []fib.AdjID{17, 17, 18}
			x.Packet.Flow = fastpath.FlowUse{Known: true, Worker: 1, Stale: true}
			x.NHRP[0].Flags = nhrp.FlagVia
		}),
		explained(func(x *Explanation) { // MPLS VPN: a label in, labels out
			x.Chosen = true
			x.Packet.From = fastpath.Origin{Tunnel: 1, Peer: explainAddr("192.0.2.12")}
			x.Packet.Labels = []fastpath.LabelUse{{Label: 1001, Known: true, Action: fib.LabelLookup, VRF: 3}, {Label: fib.ExplicitNull}}
			x.Labels = []rib.LabelEntry{{In: 1001, LabelUse: rib.LabelUse{Lookup: true, VRF: 3, Prefix: netip.MustParsePrefix("10.1.0.0/16")}}}
			x.Packet.Looks[0].VRF = 3
			x.Packet.Ways[0].Labels, x.Packet.Ways[0].Outside = []uint32{100, 200}, []uint32{30}
			x.Packet.Ways[0].Frames[0].Labels = []uint32{30}
		}),
		explained(func(x *Explanation) { // swapped, to a link
			x.Packet.Labels = []fastpath.LabelUse{{Label: 1002, Known: true, Action: fib.LabelSwap, Paths: []fib.AdjID{20, 21}, Software: true}}
			x.Packet.Looks, x.Routes = nil, nil
			x.Packet.Ways = []fastpath.Way{{Adj: 20, Kind: fib.AdjLink, Port: 1, NextHop: explainAddr("192.0.2.254"), Labels: []uint32{17}, MTU: 1496, Limit: 1496, Left: true,
				Frames: []fastpath.Frame{{Port: 1, DstMAC: [6]byte{2, 0, 0, 0, 0, 4}, Labels: []uint32{17}, Length: 100}}}}
		}),
		explained(func(x *Explanation) { // multicast
			x.Packet.Dst, x.Packet.Looks, x.Routes, x.Packet.Members, x.Packet.Group = explainAddr("239.1.1.1"), nil, nil, 70, 2
			w := x.Packet.Ways[0]
			back, refused := w, w
			back.Left, back.Peer = false, explainAddr("192.0.2.12")
			refused.Left, refused.Peer, refused.Reason = false, explainAddr("192.0.2.13"), fastpath.NoSA
			x.Packet.Ways = []fastpath.Way{w, back, refused}
		}),
		explained(func(x *Explanation) { // prices
			x.Profile = "vpn-spa"
			x.Packet.Spent = []fastpath.BudgetUse{{Budget: fib.Engine, Units: 24, Rate: 480_000_000}, {Budget: fib.CEF, Units: 1}}
			x.Packet.Looks[0].Software = true
		}),
		explainDropped(fastpath.NoSA, func(x *Explanation) {
			x.Packet.Ways[0].MustSeal = true
			x.Sessions = []dmvpn.SessionStatus{{Ifaces: []string{"Tunnel0"}, Peer: explainAddr("192.0.2.11"), State: dmvpn.Negotiating, Since: ago(time.Minute), Tries: 3, NextTry: now.Add(time.Minute), LastWhy: ike.WhyTimeout}}
			x.IKE = []ike.SAStatus{{ID: 9, Version: 1, State: "MM_NO_STATE", Path: ike.Path{Remote: netip.MustParseAddrPort("192.0.2.11:500")}}}
		}),
		explainDropped(fastpath.NoSA, func(x *Explanation) { x.Packet.Ways[0].MustSeal = true }),
		explainDropped(fastpath.Unroutable, func(x *Explanation) {
			x.Packet.Looks, x.Routes, x.Packet.Ways = []fastpath.RouteUse{{VRF: 3}}, []ExplainedRoute{{}}, nil
			x.Packet.From.VRF = 3
		}),
		explainDropped(fastpath.Glean, func(x *Explanation) {
			x.Packet.Ways[0].Kind, x.Packet.Ways[0].Peer = fib.AdjGlean, netip.Addr{}
			x.NHRP[0].Type, x.NHRP[0].NBMA = nhrp.TypeIncomplete, netip.Addr{}
		}),
		explainDropped(fastpath.Glean, func(x *Explanation) {
			x.Packet.Ways[0] = fastpath.Way{Adj: 19, Kind: fib.AdjGlean, Port: 2}
			x.Routes[0] = ExplainedRoute{Known: true, Route: rib.Route{Prefix: x.Packet.Looks[0].Prefix, Source: rib.Connected}}
		}),
		explainDropped(fastpath.FragNeeded, func(x *Explanation) { x.Packet.MTU, x.Packet.DF, x.Packet.Length = 1400, true, 1500 }),
		explainDropped(fastpath.TTLExpired, func(x *Explanation) {
			x.Packet.Lost = true
			x.Packet.Spent = []fastpath.BudgetUse{{Budget: fib.LimitTTL, Rate: 10, Refused: true}}
		}),
		explainDropped(fastpath.Local, func(x *Explanation) {
			x.Packet.Looks[0].Chosen, x.Packet.Ways = fib.Receive, nil
			x.Routes[0].Route.Source = rib.Local
		}),
		explainDropped(fastpath.LeakLoop, func(x *Explanation) {
			x.Packet.Ways[0] = fastpath.Way{Adj: 70, Kind: fib.AdjLookup, VRF: 3}
			x.Packet.Looks = append(x.Packet.Looks, fastpath.RouteUse{VRF: 3, Found: true, Prefix: netip.MustParsePrefix("10.1.0.5/32"), Chosen: 70, Paths: []fib.AdjID{70}})
			x.Routes = append(x.Routes, ExplainedRoute{Known: true, Route: rib.Route{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Source: rib.BGP}})
		}),
		explainDropped(fastpath.NullRoute, func(x *Explanation) {
			x.Packet.From = fastpath.Origin{Own: true}
			x.Back, x.Packet.Looks[0].Chosen, x.Packet.Ways = netip.Prefix{}, fib.Null, nil
		}),
	}
}

func TestExplainGolden(t *testing.T) {
	var text, values strings.Builder
	for _, x := range explanations() {
		text.WriteString(Explain(x) + "--\n")
		b, err := ExplainJSON(x)
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		delete(v, "steps") // in the text above
		b, _ = json.Marshal(v)
		values.Write(append(b, '\n'))
	}
	golden(t, "explain", text.String())
	golden(t, "explain_json", values.String())
}

// TestExplainEveryReason: there is a sentence for whatever can become of a packet, with everything known and with nothing.
func TestExplainEveryReason(t *testing.T) {
	for r := range fastpath.Reason(fastpath.NumReasons) {
		for _, x := range []*Explanation{explainDropped(r, nil), {Packet: fastpath.Explanation{Reason: r}}, {Packet: fastpath.Explanation{Reason: r, Fate: fastpath.Punted}}} {
			text := Explain(x)
			if !strings.Contains(text, r.String()) || !strings.Contains(text, r.Text()) {
				t.Errorf("%s:\n%s", r, text)
			}
			if _, err := ExplainJSON(x); err != nil {
				t.Errorf("%s: %v", r, err)
			}
		}
	}
}

// TestExplainNames: the names for programs are all there in every answer, whatever becomes of the packet.
func TestExplainNames(t *testing.T) {
	want := []string{"budgets", "cut", "fate", "flow", "from", "labels", "lost", "members", "mss", "mtu", "multicast", "notes", "packet", "profile", "reason", "reason_text", "routes", "steps", "told", "verdict", "ways"}
	for _, x := range append(explanations(), &Explanation{}) {
		b, err := ExplainJSON(x)
		if err != nil {
			t.Fatal(err)
		}
		var v map[string]json.RawMessage
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		var got []string
		for name, raw := range v {
			got = append(got, name)
			if list := slices.Contains([]string{"labels", "routes", "ways", "budgets", "told", "notes"}, name); list && string(raw) == "null" {
				t.Errorf("%s is null", name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("names %v, want %v", got, want)
		}
	}
}

// TestAskCheck: what can't be asked.
func TestAskCheck(t *testing.T) {
	good := Ask{Src: explainAddr("10.0.0.1"), Dst: explainAddr("10.0.0.2")}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, f := range []func(a *Ask){
		func(a *Ask) { a.Src = netip.Addr{} }, func(a *Ask) { a.Dst = explainAddr("::1") }, func(a *Ask) { a.Box, a.In = true, "Tunnel0" }, func(a *Ask) { a.Box, a.Labels = true, []uint32{17} },
		func(a *Ask) { a.Labels = make([]uint32, MostAskLabels+1) }, func(a *Ask) { a.Labels = []uint32{1 << 20} },
	} {
		a := good
		f(&a)
		if a.Check() == nil {
			t.Errorf("%+v passes", a)
		}
	}
}
