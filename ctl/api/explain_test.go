package api

import (
	"errors"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// explainer is an Explainer for tests.
type explainer struct {
	asked []show.Ask
	x     show.Explanation
	err   error
}

func (e *explainer) Explain(a show.Ask) (show.Explanation, error) {
	e.asked = append(e.asked, a)
	return e.x, e.err
}

// fullExplanation has a value that is not zero in every field.
func fullExplanation() show.Explanation {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	a, p := netip.MustParseAddr("192.0.2.1"), netip.MustParsePrefix("10.0.0.0/24")
	frame := fastpath.Frame{Port: 1, VLAN: 2, SrcMAC: [6]byte{3}, DstMAC: [6]byte{4}, Labels: []uint32{5}, Length: 6, Src: a, Dst: a, Proto: 7, TTL: 8, TOS: 9, DF: true, Offset: 10, More: true, SrcPort: 11, DstPort: 12, SPI: 13}
	seal := fastpath.SealUse{ID: 1, Installed: true, AH: true, SPI: 2, Cipher: 3, KeyLen: 4, Auth: 5, IV: 6, ICV: 7, Align: 8, TunnelMode: true, Encap: true, ESN: true, Local: a, Remote: a, RemotePort: 9, Bytes: 1 << 60, Soft: 11, Hard: 12, Packets: 13, Expires: 14}
	way := fastpath.Way{Adj: 1, Kind: fib.AdjTunnel, Port: 2, Tunnel: 3, VRF: 4, NextHop: a, Peer: a, PeerPort: 5, Labels: []uint32{6}, Outside: []uint32{7}, MTU: 8, Limit: 9, LinkMTU: 10, HasKey: true, Key: 11, Inner: 12, Outer: 13,
		MSS: 14, Seals: []fastpath.SealUse{seal}, MustSeal: true, CopyDF: true, Resolve: true, Network: 15, Left: true, Reason: fastpath.NoSA, Frames: []fastpath.Frame{frame}}
	return show.Explanation{
		Time: at, Asked: fullAsk(), Back: p, BackVRF: 1, Chosen: true, Ports: map[fib.PortID]string{1: "Ethernet0"}, Tunnels: map[fib.TunnelID]string{1: "Tunnel0"}, VRFs: map[fib.VRF]string{1: "red"}, BGPAS: 4200000000, Profile: "p",
		Packet: fastpath.Explanation{
			From: fastpath.Origin{Own: true, VRF: 1, Port: 2, Tunnel: 3, Peer: a, PeerPort: 4, SA: 5}, Src: a, Dst: a, Proto: 1, Ports: [2]uint16{2, 3}, Length: 4, TTL: 5, TOS: 6, DF: true,
			Labels: []fastpath.LabelUse{{Label: 1, Known: true, Action: fib.LabelLookup, VRF: 2, Paths: []fib.AdjID{3}, Software: true}},
			Looks:  []fastpath.RouteUse{{VRF: 1, Found: true, Prefix: p, Paths: []fib.AdjID{2}, Chosen: 3, Software: true}},
			Flow:   fastpath.FlowUse{Known: true, Worker: 1, Stale: true}, Group: 1, Members: 2, Ways: []fastpath.Way{way},
			Spent: []fastpath.BudgetUse{{Budget: fib.CEF, Units: 1, Refused: true, Level: -2, Rate: 3, Burst: 4}}, Fate: fastpath.Punted, Reason: fastpath.Glean, Lost: true, MTU: 5, Cut: true, Told: []fastpath.Reason{fastpath.Redirect}, MSS: 6,
		},
		Routes:   []show.ExplainedRoute{{Known: true, Route: rib.Route{Prefix: p, Source: rib.EIGRP, Distance: 1, Metric: 2, Tag: 3, Since: at, Process: 4, External: true}, Hop: a, Iface: "Tunnel0"}},
		Labels:   []rib.LabelEntry{{In: 1, LabelUse: rib.LabelUse{Lookup: true, VRF: 2, Prefix: p}, Paths: []rib.LabelPath{{Out: []uint32{3}, Iface: "Tunnel0", Addr: a}}, Leaves: true}},
		NHRP:     []nhrp.EntryStatus{{Iface: "Tunnel0", Prefix: p, NextHop: a, Type: nhrp.TypeNegative, Flags: nhrp.FlagNoSock, NBMA: a, Created: at, Expires: at}},
		Sessions: []dmvpn.SessionStatus{{Ifaces: []string{"Tunnel0"}, Peer: a, State: dmvpn.Securing, Since: at, Tries: 1, NextTry: at, LastWhy: ike.WhyTimeout, LastEnd: at}},
		IKE:      []ike.SAStatus{{ID: 1, Version: 2, State: "IN-NEG", Path: ike.Path{VRF: 1, Local: netip.AddrPortFrom(a, 500), Remote: netip.AddrPortFrom(a, 4500)}}},
	}
}

func fullAsk() show.Ask {
	a := netip.MustParseAddr("192.0.2.1")
	return show.Ask{Src: a, Dst: a, VRF: "red", In: "Tunnel0", Box: true, Proto: 6, SrcPort: 1, DstPort: 2, Size: 3, TTL: 4, TOS: 5, DF: true, Labels: []uint32{6}}
}

// TestExplain: a question goes to the daemon as it was asked, and an explanation comes back whole; so does an error.
func TestExplain(t *testing.T) {
	e := &explainer{x: fullExplanation()}
	socket := filepath.Join(t.TempDir(), "nave.sock")
	s, err := Serve(socket, Services{Box: &box{}, Explain: e})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := NewClient(socket).Explain(fullAsk())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*got, e.x) {
		t.Errorf("got\n%+v, want\n%+v", *got, e.x)
	}
	if len(e.asked) != 1 || !reflect.DeepEqual(e.asked[0], fullAsk()) {
		t.Errorf("asked %+v", e.asked)
	}
	// What has no value yet would not be seen missing.
	for i, v := 0, reflect.ValueOf(e.x.Packet); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("%s is zero", v.Type().Field(i).Name)
		}
	}
	e.err = errors.New("no route back")
	if _, err := NewClient(socket).Explain(fullAsk()); err == nil || !strings.Contains(err.Error(), "no route back") {
		t.Errorf("error %v", err)
	}
}

// TestNoExplainer: a daemon without it says so.
func TestNoExplainer(t *testing.T) {
	socket, _ := serve(t, &box{})
	if _, err := NewClient(socket).Explain(fullAsk()); err == nil || !strings.Contains(err.Error(), "explanation") {
		t.Errorf("error %v", err)
	}
}
