package slowpath

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ldp"
	"nave/slowpath/ldp/ldpmsg"
	"nave/slowpath/rib"
)

// labelEngine is a fast path that knows labels, too.
type labelEngine struct {
	*engine
	labels map[uint32]fib.Label
}

func (e *labelEngine) Apply(b *fib.Batch) ([]fib.Refusal, error) {
	for _, l := range b.Labels {
		e.labels[l.In] = l
	}
	for _, in := range b.DelLabels {
		delete(e.labels, in)
	}
	return e.engine.Apply(b)
}

// ldpRig is a router with LDP on its tunnel, and what it wants of its sockets. Its peer is the hub.
type ldpRig struct {
	*Router
	t      *testing.T
	engine *labelEngine
	out    []ldp.Effect
	now    time.Time
	config Config
	conn   ldp.Conn
	next   uint32
}

// ldpHost is its Linux.
type ldpHost struct {
	host
	r *ldpRig
}

// LDP implements Linux. A message may leave only when what it says is installed.
func (h *ldpHost) LDP(e ldp.Effect) {
	r := h.r
	r.out = append(r.out, e)
	if s, ok := e.(ldp.Send); ok {
		for _, m := range r.messages(s.Bytes) {
			if l, ok := m.(*ldpmsg.Label); ok && l.Kind == ldpmsg.TypeMapping && l.Label > 15 && r.engine.labels[l.Label].In == 0 {
				r.t.Errorf("label %d is told before it is installed", l.Label)
			}
		}
	}
}

var hubID, ownID = ldp.ID{LSR: ip("10.9.9.1")}, ldp.ID{LSR: ip("10.9.9.11")}

func newLDPRig(t *testing.T, change func(*Config), old *fib.Batch) *ldpRig {
	t.Helper()
	r := &ldpRig{t: t, engine: &labelEngine{newEngine(), make(map[uint32]fib.Label)}, now: start, config: baseConfig()}
	c := &r.config
	c.Interfaces[2].MPLS = true
	c.Interfaces = append(c.Interfaces, Interface{Interface: rib.Interface{Name: "Loopback0", Addrs: []netip.Prefix{pfx("10.9.9.11/32")}, Up: true, MTU: 1500}})
	c.MPLS = MPLS{First: 100, Last: 119, LDP: ldp.Config{RouterID: ownID.LSR, HelloHold: 0xffff * time.Second, Interfaces: []ldp.Interface{{Name: "Tunnel0"}}}}
	c.Statics[fib.Global] = []rib.StaticRoute{
		{Prefix: pfx("0.0.0.0/0"), Hops: []rib.NextHop{{Addr: ip("192.0.2.254")}}},
		{Prefix: pfx("10.3.0.0/24"), Hops: []rib.NextHop{{Addr: ip("10.0.0.1")}}},
		{Prefix: pfx("10.4.0.0/24")}, // Null0
	}
	if change != nil {
		change(c)
	}
	r.Router = NewSeeded(r.engine, &ldpHost{r: r}, 1)
	if old != nil {
		r.At(r.now).Inherit(*old)
	}
	r.configure()
	r.At(r.now).Neighbour("Ethernet0", ip("192.0.2.254"), [6]byte{2, 9, 9, 9, 9, 254}, true)
	r.At(r.now).Neighbour("Ethernet0", ip("192.0.2.9"), [6]byte{2, 9, 9, 9, 9, 9}, true)
	r.Tick(r.now)
	return r
}

func (r *ldpRig) configure() {
	r.t.Helper()
	if err := r.At(r.now).Configure(r.config); err != nil {
		r.t.Fatal(err)
	}
}

func (r *ldpRig) messages(b []byte) (out []ldpmsg.Message) {
	r.t.Helper()
	for len(b) > 0 {
		n, err := ldpmsg.Frame(b, ldpmsg.DefaultMaxPDU)
		if err != nil || n == 0 {
			r.t.Fatalf("%x: %v", b, err)
		}
		_, body, err := ldpmsg.ParsePDU(b[:n], ldpmsg.DefaultMaxPDU)
		for err == nil && len(body) > 0 {
			var raw ldpmsg.Raw
			var m ldpmsg.Message
			if raw, body, err = ldpmsg.Next(body); err == nil {
				if m, err = ldpmsg.Parse(raw); err == nil {
					out = append(out, m)
				}
			}
		}
		if err != nil {
			r.t.Fatal(err)
		}
		b = b[n:]
	}
	return out
}

func (r *ldpRig) pdu(ms ...ldpmsg.Message) []byte {
	var b []byte
	for _, m := range ms {
		r.next++
		b, _ = ldpmsg.Append(b, r.next, m)
	}
	return ldpmsg.Pack(nil, hubID, ldpmsg.DefaultMaxPDU, b)
}

func (r *ldpRig) say(ms ...ldpmsg.Message) {
	r.At(r.now).LDP(ldp.Data{Conn: r.conn, Bytes: r.pdu(ms...)})
}

// establish brings a session with the hub up, which has told its address on the tunnel.
func (r *ldpRig) establish() {
	r.t.Helper()
	r.At(r.now).LDP(ldp.HelloReceived{Iface: "Tunnel0", From: ip("10.0.0.1"), Payload: r.pdu(&ldpmsg.Hello{HoldTime: ldpmsg.HoldForever, Transport: hubID.LSR})})
	for _, e := range r.out {
		if c, ok := e.(ldp.Connect); ok {
			r.conn = c.Conn
			r.At(r.now).LDP(ldp.Connected{Conn: c.Conn, Local: netip.AddrPortFrom(c.Local, 1111), Remote: c.Remote})
		}
	}
	r.say(&ldpmsg.Initialization{Version: 1, KeepAlive: 0xffff, Receiver: ownID}, &ldpmsg.KeepAlive{})
	r.say(&ldpmsg.Address{Addrs: []netip.Addr{ip("10.0.0.1"), hubID.LSR}})
	if n := r.LDPStatus().Neighbors; len(n) != 1 || n[0].State != ldp.StateOperational {
		r.t.Fatalf("no session: %+v", n)
	}
}

// told are the mappings that the hub was sent since the last call, by prefix, and addresses.
func (r *ldpRig) told() (mappings map[string]uint32, addrs []netip.Addr) {
	mappings = make(map[string]uint32)
	for _, e := range r.out {
		s, ok := e.(ldp.Send)
		if !ok {
			continue
		}
		for _, m := range r.messages(s.Bytes) {
			switch m := m.(type) {
			case *ldpmsg.Address:
				addrs = append(addrs, m.Addrs...)
			case *ldpmsg.Label:
				if m.Kind == ldpmsg.TypeMapping {
					mappings[m.FEC.Prefixes[0].String()] = m.Label
				} else if m.Kind == ldpmsg.TypeWithdraw {
					delete(mappings, m.FEC.Prefixes[0].String())
				}
			}
		}
	}
	r.out = nil
	return mappings, addrs
}

// A session tells the hub of our addresses and routes; the hub's labels are pushed; a label of a route that went is not given again.
func TestLDPRoutes(t *testing.T) {
	r := newLDPRig(t, nil, nil)
	hello := false
	for _, e := range r.out {
		if h, ok := e.(ldp.Hello); ok {
			hello = h.Iface == "Tunnel0" && h.From == ip("10.0.0.11")
		}
	}
	if !hello {
		t.Errorf("no Hello: %+v", r.out)
	}
	r.establish()
	m, addrs := r.told()
	slices.SortFunc(addrs, netip.Addr.Compare)
	if !slices.Equal(addrs, []netip.Addr{ip("10.0.0.11"), ip("10.1.0.1"), ip("10.9.9.11"), ip("192.0.2.1")}) {
		t.Errorf("addresses %v", addrs)
	}
	static := m["10.3.0.0/24"]
	want := map[string]uint32{
		"10.0.0.0/24": 3, "10.1.0.0/24": 3, "192.0.2.0/24": 3, "10.9.9.11/32": 3, // connected: implicit null
		"10.4.0.0/24": 3,      // Null0: whatever is more specific is looked at
		"10.3.0.0/24": static, // and no default route, and no addresses of interfaces
	}
	if static < 100 || static > 109 || len(m) != len(want) {
		t.Errorf("told %v", m)
	}
	for p, l := range want {
		if m[p] != l {
			t.Errorf("%s: label %d, want %d", p, m[p], l)
		}
	}
	if l := r.engine.labels[static]; l.Action != fib.LabelForward || len(l.Paths) != 1 {
		t.Errorf("in the fast path, while the hub has not told a label: %+v", l)
	}
	// The hub's label.
	r.say(&ldpmsg.Label{Kind: ldpmsg.TypeMapping, FEC: ldpmsg.FEC{Prefixes: []netip.Prefix{pfx("10.3.0.0/24")}}, Label: 777, Labelled: true})
	if a := r.engine.to("10.3.0.9"); !slices.Equal(a.Labels, []uint32{777}) || a.Kind != fib.AdjTunnel {
		t.Errorf("to 10.3.0.9: %+v", a)
	}
	if l := r.engine.labels[static]; l.Action != fib.LabelSwap || len(l.Paths) != 1 || !slices.Equal(r.engine.adjacencies[l.Paths[0]].Labels, []uint32{777}) {
		t.Errorf("in the fast path: %+v", l)
	}
	r.say(&ldpmsg.Label{Kind: ldpmsg.TypeWithdraw, FEC: ldpmsg.FEC{Prefixes: []netip.Prefix{pfx("10.3.0.0/24")}}, Label: 777, Labelled: true})
	if a := r.engine.to("10.3.0.9"); len(a.Labels) != 0 || a.Kind != fib.AdjTunnel {
		t.Errorf("after it was withdrawn: %+v", a)
	}
	// Another route in its place.
	r.config.Statics[fib.Global][1].Prefix = pfx("10.5.0.0/24")
	r.configure()
	m, _ = r.told()
	if l := m["10.5.0.0/24"]; l == static || l < 100 || l > 109 || r.engine.labels[static].In != 0 || r.engine.labels[l].In != l {
		t.Errorf("told %v, was %d", m, static)
	}
	// The loopback goes, and with the router ID LDP.
	r.config.Interfaces[3].Up = false
	r.config.MPLS.LDP.RouterID = netip.Addr{}
	r.configure()
	if st := r.LDPStatus(); st.On || len(st.Neighbors) != 0 || len(r.engine.labels) != 0 {
		t.Errorf("%+v, labels %v", st, r.engine.labels)
	}
}

// An interface that moves into a VRF takes its address and its prefix with it.
func TestLDPInterfaceLeaves(t *testing.T) {
	r := newLDPRig(t, nil, nil)
	r.establish()
	r.told()
	r.config.VRFs = []VRF{{ID: 1, Name: "red"}}
	r.config.Interfaces[1].VRF = 1
	r.configure()
	r.now = r.now.Add(time.Second)
	r.Tick(r.now)
	for _, b := range r.LDPStatus().Bindings {
		if b.Prefix == pfx("10.1.0.0/24") {
			t.Errorf("%+v", b)
		}
	}
	withdrawn := false
	for _, e := range r.out {
		if s, ok := e.(ldp.Send); ok {
			for _, m := range r.messages(s.Bytes) {
				if a, ok := m.(*ldpmsg.Address); ok && a.Withdraw {
					withdrawn = slices.Equal(a.Addrs, []netip.Addr{ip("10.1.0.1")})
				}
			}
		}
	}
	if !withdrawn {
		t.Error("the address is not withdrawn")
	}
}

// Labels that the fast path has from before are given to nobody, by LDP and by BGP's pool, until everybody has forgotten them.
func TestLDPInherited(t *testing.T) {
	old := &fib.Batch{}
	for in := uint32(100); in < 120; in++ {
		if in != 105 && in != 115 {
			old.Labels = append(old.Labels, fib.Label{In: in, Action: fib.LabelLookup})
		}
	}
	r := newLDPRig(t, func(c *Config) {
		c.Statics[fib.Global] = append(c.Statics[fib.Global], rib.StaticRoute{Prefix: pfx("10.6.0.0/24"), Hops: []rib.NextHop{{Addr: ip("10.0.0.1")}}})
	}, old)
	r.establish()
	m, _ := r.told()
	if a, b := m["10.3.0.0/24"], m["10.6.0.0/24"]; a+b != 105 {
		t.Errorf("labels %d and %d: only 105 is free", a, b)
	}
	if l, err := r.pool.Take(r.now); err != nil || l != 115 {
		t.Errorf("BGP gets %d, %v", l, err)
	}
	if l, err := r.pool.Take(r.now.Add(ldp.DefaultLabelGrace - 1)); err == nil {
		t.Errorf("BGP gets %d", l)
	}
	if _, err := r.pool.Take(r.now.Add(ldp.DefaultLabelGrace)); err != nil {
		t.Error(err)
	}
	for range 11 {
		r.now = r.now.Add(30 * time.Second)
		r.say(&ldpmsg.KeepAlive{})
		r.Tick(r.now)
	}
	m, _ = r.told()
	if len(m) != 1 {
		t.Errorf("after the grace time: %v", m)
	}
}

// A range is cut in two, whatever its size.
func TestLabelRanges(t *testing.T) {
	for _, c := range []struct {
		m    MPLS
		want [4]uint32
	}{
		{MPLS{}, [4]uint32{16, 524295, 524296, 1048575}},
		{MPLS{First: 100, Last: 199}, [4]uint32{100, 149, 150, 199}},
		{MPLS{First: 100, Last: 101}, [4]uint32{100, 100, 101, 101}},
		{MPLS{First: 100, Last: 102}, [4]uint32{100, 101, 102, 102}},
	} {
		a, b, x, y := c.m.ranges()
		if got := [4]uint32{a, b, x, y}; got != c.want {
			t.Errorf("%+v: %v, want %v", c.m, got, c.want)
		}
	}
}
