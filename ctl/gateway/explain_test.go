package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/bgp"
)

// forwarder is a Forwarder for tests: it says how packets come back, and notes what it is asked.
type forwarder struct {
	back map[netip.Addr]fastpath.Back
	q    fastpath.Question
	vrf  fib.VRF
	x    fastpath.Explanation
	err  error
	bad  bool // it has a fault
}

func (f *forwarder) WayBack(vrf fib.VRF, src netip.Addr) fastpath.Back {
	f.vrf = vrf
	return f.back[src]
}

func (f *forwarder) Explain(_ int64, q fastpath.Question) (fastpath.Explanation, error) {
	f.q = q
	if f.bad {
		panic("slice bounds out of range")
	}
	x := f.x
	x.From = q.From
	return x, f.err
}

const explainConfig = `ip vrf red
 rd 1:1
 route-target both 1:1
interface Tunnel0
 ip address 10.255.0.1 255.255.255.0
 ip nhrp network-id 7
 tunnel source Ethernet0
 tunnel mode gre multipoint
interface Loopback0
 ip address 10.9.9.9 255.255.255.255
interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
interface Ethernet1
 ip vrf forwarding red
 ip address 192.168.11.1 255.255.255.0
ip route 10.1.0.0 255.255.0.0 10.255.0.2
`

// TestExplainFault: a packet that the fast path has a fault with is an error that says where, and nothing else.
func TestExplainFault(t *testing.T) {
	c, _ := newCore(t, explainConfig)
	a := netip.MustParseAddr("10.1.0.5")
	f := &forwarder{back: map[netip.Addr]fastpath.Back{a: {Origin: fastpath.Origin{Own: true}, Found: true, Leads: true}}, bad: true}
	if _, err := c.Explain(start, f, 1, show.Ask{Src: a, Dst: a, Proto: 1}); err == nil || !strings.Contains(err.Error(), "out of range") || !strings.Contains(err.Error(), "explain_test.go") {
		t.Error(err)
	}
	if f.bad = false; f.err == nil {
		if _, err := c.Explain(start, f, 1, show.Ask{Src: a, Dst: a, Proto: 1}); err != nil {
			t.Error(err)
		}
	}
}

// TestExplainOrigin: where a packet comes in, if it is said and if it is not.
func TestExplainOrigin(t *testing.T) {
	c, _ := newCore(t, explainConfig)
	number := map[string]fastpath.Origin{}
	for _, i := range c.Current().Interfaces {
		if i.Tunnel != nil {
			number[i.Name] = fastpath.Origin{Tunnel: i.Tunnel.ID}
		} else {
			number[i.Name] = fastpath.Origin{Port: i.Port}
		}
	}
	red, err := c.vrfNamed("red")
	if err != nil {
		t.Fatal(err)
	}
	spoke, own, nowhere, far := netip.MustParseAddr("10.1.0.5"), netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("10.66.0.1")
	peer := netip.MustParseAddr("198.51.100.1")
	behind := fastpath.Origin{Port: number["Ethernet0"].Port, Tunnel: number["Tunnel0"].Tunnel, Peer: peer, PeerPort: 4500}
	f := &forwarder{back: map[netip.Addr]fastpath.Back{
		spoke: {Origin: behind, Found: true, Leads: true, Prefix: netip.MustParsePrefix("10.1.0.0/16")},
		own:   {Origin: fastpath.Origin{Own: true}, Found: true, Leads: true},
		far:   {Found: true, Prefix: netip.MustParsePrefix("10.66.0.0/16")},
	}}
	for name, x := range map[string]struct {
		ask   show.Ask
		want  fastpath.Origin
		vrf   fib.VRF
		fails string
	}{
		"the way back":            {ask: show.Ask{Src: spoke}, want: behind},
		"ours":                    {ask: show.Ask{Src: own}, want: fastpath.Origin{Own: true}},
		"ours, as though it came": {ask: show.Ask{Src: own, In: "Ethernet0"}, want: number["Ethernet0"]},
		"the box":                 {ask: show.Ask{Src: nowhere, Box: true, VRF: "red"}, want: fastpath.Origin{Own: true, VRF: red}, vrf: red},
		"by a tunnel":             {ask: show.Ask{Src: spoke, In: "Tunnel0"}, want: behind},
		"by a tunnel, of another": {ask: show.Ask{Src: nowhere, In: "Tunnel0"}, want: number["Tunnel0"]},
		"by a port":               {ask: show.Ask{Src: nowhere, In: "Ethernet1"}, want: number["Ethernet1"]},
		"no way back":             {ask: show.Ask{Src: nowhere}, fails: "no route back to 10.77.0.1 in the global table"},
		"no way back in red":      {ask: show.Ask{Src: nowhere, VRF: "red"}, fails: "in the table of VRF red", vrf: red},
		"to nowhere":              {ask: show.Ask{Src: far}, fails: "10.66.0.0/16, leads out by no interface"},
		"no such interface":       {ask: show.Ask{Src: spoke, In: "Ethernet9"}, fails: "no interface Ethernet9"},
		"a loopback":              {ask: show.Ask{Src: spoke, In: "Loopback0"}, fails: "neither a port nor a tunnel"},
		"no such VRF":             {ask: show.Ask{Src: spoke, VRF: "green"}, fails: "No VRF named green"},
		"too small":               {ask: show.Ask{Src: spoke, Proto: 6, Size: 40}, fails: "40 bytes"},
		"no packet of ours":       {ask: show.Ask{Src: spoke, Box: true, In: "Tunnel0"}, fails: "leave out"},
	} {
		x.ask.Dst = netip.MustParseAddr("10.2.0.5")
		got, err := c.Explain(start, f, 1, x.ask)
		if x.fails != "" {
			if err == nil || !strings.Contains(err.Error(), x.fails) {
				t.Errorf("%s: %v, want %q", name, err, x.fails)
			}
			continue
		}
		if err != nil || f.q.From != x.want || f.vrf != x.vrf || len(f.q.Packet) != show.DefaultAskSize || got.Packet.From != x.want {
			t.Errorf("%s: %v, from %+v, want %+v", name, err, f.q.From, x.want)
		}
		if (name == "the way back") != got.Back.IsValid() {
			t.Errorf("%s: by %s", name, got.Back)
		}
	}
	f.err = fmt.Errorf("port 9: %w", fastpath.ErrNoPort)
	if _, err := c.Explain(start, f, 1, show.Ask{Src: spoke, Dst: own, In: "Ethernet1"}); err == nil || !strings.Contains(err.Error(), "Ethernet1") {
		t.Errorf("an interface that is down: %v", err)
	}
}

// TestExplainLabel: packets from where labels lead come with a label of ours, of the destination's prefix, if there is one.
func TestExplainLabel(t *testing.T) {
	c, _ := newCore(t, explainConfig)
	c.Router().At(start).BGP(bgp.Effects{Swaps: []bgp.Swap{
		{Label: 100, VRF: "red", Prefix: netip.MustParsePrefix("10.2.0.0/16")}, {Label: 101, VRF: "red", Prefix: netip.MustParsePrefix("10.2.3.0/24")}, {Label: 102, VRF: "red", Prefix: netip.MustParsePrefix("10.3.0.0/16")},
	}})
	src := netip.MustParseAddr("10.1.0.5")
	f := &forwarder{back: map[netip.Addr]fastpath.Back{src: {Origin: fastpath.Origin{Port: 1}, Found: true, Leads: true, Labelled: true}}}
	for dst, want := range map[string][]uint32{"10.2.0.5": {100}, "10.2.3.5": {101}, "10.3.0.5": {102}, "10.4.0.5": nil} {
		x, err := c.Explain(start, f, 1, show.Ask{Src: src, Dst: netip.MustParseAddr(dst), VRF: "red"})
		if err != nil || !slices.Equal(f.q.Labels, want) || x.Chosen != (want != nil) {
			t.Errorf("%s: %v, labels %v, want %v", dst, err, f.q.Labels, want)
		}
	}
	if _, err := c.Explain(start, f, 1, show.Ask{Src: src, Dst: netip.MustParseAddr("10.2.0.5"), VRF: "red", Labels: []uint32{55}}); err != nil || !slices.Equal(f.q.Labels, []uint32{55}) {
		t.Errorf("%v, labels %v", err, f.q.Labels)
	}
	if _, err := c.Explain(start, f, 1, show.Ask{Src: src, Dst: netip.MustParseAddr("10.2.0.5")}); err != nil || len(f.q.Labels) != 0 {
		t.Errorf("%v, labels %v in the global table", err, f.q.Labels)
	}
}

// TestExplainBeside: the route, as the control plane has it, and names.
func TestExplainBeside(t *testing.T) {
	c, _ := newCore(t, explainConfig)
	src, dst := netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("10.1.0.5")
	f := &forwarder{back: map[netip.Addr]fastpath.Back{src: {Origin: fastpath.Origin{Own: true}, Found: true, Leads: true}}}
	f.x.Dst, f.x.Looks = dst, []fastpath.RouteUse{{Found: true, Prefix: netip.MustParsePrefix("10.1.0.0/16"), Chosen: 17}, {}}
	f.x.Ways = []fastpath.Way{{Adj: 17, Tunnel: 1}}
	x, err := c.Explain(start, f, 1, show.Ask{Src: src, Dst: dst})
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Routes) != 2 || !x.Routes[0].Known || x.Routes[0].Route.Source.String() != "static" || x.Routes[1].Known || len(x.VRFs) != 1 || len(x.Tunnels) != 1 || len(x.Ports) != 2 {
		t.Errorf("%+v", x)
	}
}
