package slowpath

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
	"nave/slowpath/nhrp"
	"nave/slowpath/nhrp/nhrpmsg"
)

// fakeIKE is an engine that does what a test says.
type fakeIKE struct {
	got    []ike.Event
	answer func(ike.Event) []ike.Effect
	config *ike.Config
}

func (f *fakeIKE) Configure(_ time.Time, c *ike.Config) []ike.Effect { f.config = c; return nil }
func (f *fakeIKE) Deadline() time.Time                               { return time.Time{} }
func (f *fakeIKE) AppendStatus(time.Time, *ike.Status)               {}
func (f *fakeIKE) Handle(_ time.Time, ev ike.Event) []ike.Effect {
	f.got = append(f.got, ev)
	if f.answer == nil {
		return nil
	}
	return f.answer(ev)
}

func (f *fakeIKE) has(want ike.Event) bool {
	return slices.ContainsFunc(f.got, func(e ike.Event) bool {
		if _, message := e.(ike.Received); message {
			return false
		}
		return e == want
	})
}

const nhsNBMA = "192.0.2.9"

var ikePath = ike.Path{Local: netip.MustParseAddrPort("192.0.2.1:500"), Remote: netip.MustParseAddrPort(nhsNBMA + ":500")}

func testChild(id ike.ChildID) ike.Child {
	key := func() ike.Secret { return bytes.Repeat([]byte{byte(id)}, 16) }
	return ike.Child{
		ID: id, SA: 1, Protection: 3, Path: ikePath, Window: 64, Transform: ike.Transform{Cipher: suite.CipherAESCBC, KeyBits: 128, Auth: suite.HashSHA1},
		ESP:  ike.Pair{InSPI: 0x1000 + uint32(id), OutSPI: 0x2000 + uint32(id), In: ike.Keys{Cipher: key(), Auth: key()}, Out: ike.Keys{Cipher: key(), Auth: key()}},
		Peer: ike.Identity{Kind: ike.IDFQDN, Value: "hub"},
	}
}

// protectedRig is a router whose tunnel is protected, with IKE that does what the test says.
func protectedRig(t *testing.T, answer func(ike.Event) []ike.Effect) (*rig, *fakeIKE) {
	t.Helper()
	r := &rig{t: t, engine: newEngine(), host: &host{}, now: start, config: baseConfig()}
	c := &r.config
	c.Interfaces[2].Tunnel.Protected, c.Interfaces[2].Tunnel.Protection, c.Interfaces[2].Tunnel.PathMTU = true, 3, true
	c.NHRP.Interfaces[0].Protected = true
	c.Sessions = dmvpn.Config{Protections: []dmvpn.Protection{{ID: 3, Profile: "vpn", Ifaces: []string{"Tunnel0"}, Local: ip("192.0.2.1")}}}
	c.IKE = ike.Config{Protections: []ike.Protection{{ID: 3, Profile: "vpn", Local: ip("192.0.2.1"), Version: 1}}}
	r.Router = NewSeeded(r.engine, r.host, 1)
	f := &fakeIKE{answer: answer}
	r.ike = ike.New(ike.NewEnv(nil, 1), f, &fakeIKE{})
	r.At(r.now).Neighbour("Ethernet0", ip(nhsNBMA), [6]byte{2, 9, 9, 9, 9, 9}, true)
	if err := r.At(r.now).Configure(*c); err != nil {
		t.Fatal(err)
	}
	r.At(r.now).Neighbour("Ethernet0", ip(nhsNBMA), [6]byte{2, 9, 9, 9, 9, 9}, true)
	r.At(r.now).Neighbour("Ethernet0", ip("192.0.2.254"), [6]byte{2, 9, 9, 9, 9, 254}, true)
	return r, f
}

// sealed are the NHRP messages that were injected, each through an adjacency that seals.
func (r *rig) sealed() (out []nhrpmsg.Message) {
	r.t.Helper()
	for _, in := range r.engine.take() {
		if in.Kind != fastpath.InjectAdjacent {
			r.t.Errorf("a packet of a protected tunnel is injected otherwise: %+v", in)
			continue
		}
		a := r.engine.adjacencies[in.Adj]
		if _, ok := r.engine.sas[a.SA]; !ok || a.Kind != fib.AdjTunnel || in.Proto != greProtoNHRP || in.TOS != nhrpTOS {
			r.t.Errorf("injected %+v by %+v", in, a)
		}
		m, err := nhrpmsg.Parse(in.Packet)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// From what NHRP wants to the registration under protection, in one step.
func TestProtectedSession(t *testing.T) {
	up := func(ev ike.Event) []ike.Effect {
		if ev, ok := ev.(ike.Initiate); ok && ev.Protection == 3 {
			c := testChild(1)
			return []ike.Effect{ike.Install{Child: c}, ike.Activate{Child: c.ID}}
		}
		return nil
	}
	r, f := protectedRig(t, up)
	if !f.has(ike.Initiate{Protection: 3, Remote: netip.AddrPortFrom(ip(nhsNBMA), 0)}) || len(f.config.Protections) != 1 {
		t.Fatalf("IKE was told %v", f.got)
	}
	if len(r.engine.sas) != 2 {
		t.Fatalf("associations %v", r.engine.sas)
	}
	r.wait(time.Second)
	if m := r.sealed(); len(m) != 1 || m[0].Type != nhrpmsg.RegistrationRequest {
		t.Errorf("sent %v", m)
	}
	if s := r.Status(); len(s.Sessions.Sessions) != 1 || s.Sessions.Sessions[0].State != dmvpn.Up || s.Packets.NHRPSent != 1 {
		t.Errorf("%+v, %+v", s.Sessions, s.Packets)
	}
	// The keys are in the fast path, and not where IKE had them.
	for _, sa := range r.engine.sas {
		if !bytes.Equal(sa.CipherKey, bytes.Repeat([]byte{1}, 16)) {
			t.Errorf("key of %d", sa.ID)
		}
	}
	// NHRP that comes out of the association has its peer's name: a registration from another address would be the same client's.
	r.punt(fastpath.Punt{Reason: fastpath.NHRP, Port: wanPort, Tunnel: tunnelID, OuterSrc: ip(nhsNBMA), SA: 1, Packet: []byte{1}})
	// The end: nothing is left.
	f.got = nil
	_ = r.step(func() { r.carryOutIKE([]ike.Effect{ike.Remove{Child: 1, Why: ike.WhyDeadPeer}}) })
	if len(r.engine.sas) != 0 || r.engine.to("10.0.0.1").Kind == fib.AdjTunnel {
		t.Errorf("associations %v, the NHS is reached by %+v", r.engine.sas, r.engine.to("10.0.0.1"))
	}
	r.engine.take()
	before := r.Status().Packets
	_ = r.step(func() { r.sendNHRP(nhrp.Send{Iface: "Tunnel0", To: peerAt(ip(nhsNBMA)), Payload: []byte{1}}) })
	if after := r.Status().Packets; len(r.engine.take()) != 0 || after.NHRPLost != before.NHRPLost+1 {
		t.Error("something is sent without a session")
	}
	r.wait(time.Second)
	if !f.has(ike.Initiate{Protection: 3, Remote: netip.AddrPortFrom(ip(nhsNBMA), 0)}) {
		t.Error("the session does not begin again")
	}
}

// orderedEngine and orderedHost note what comes before what.
type ordered struct {
	*engine
	*host
	log []string
}

func (o *ordered) Apply(b *fib.Batch) ([]fib.Refusal, error) {
	if len(b.SAs) > 0 {
		o.log = append(o.log, "associations")
	}
	return o.engine.Apply(b)
}

func (o *ordered) SendIKE(p ike.Path, b []byte) { o.log = append(o.log, "message") }

// The answer that lets the peer use an association leaves once the fast path has it.
func TestAnswerAfterAssociation(t *testing.T) {
	r, f := protectedRig(t, nil)
	o := &ordered{engine: r.engine, host: r.host}
	r.Router = NewSeeded(o, o, 1)
	r.ike = ike.New(ike.NewEnv(nil, 1), f, &fakeIKE{})
	if err := r.At(r.now).Configure(r.config); err != nil {
		t.Fatal(err)
	}
	f.answer = func(ev ike.Event) []ike.Effect {
		if _, ok := ev.(ike.Received); ok {
			return []ike.Effect{ike.Send{Path: ikePath, Packet: []byte("answer")}, ike.Install{Child: testChild(2)}}
		}
		return nil
	}
	o.log = nil
	msg := make([]byte, 28)
	msg[17] = 0x10
	r.At(r.now).IKE(ikePath, msg)
	if !slices.Equal(o.log, []string{"associations", "message"}) {
		t.Errorf("%v", o.log)
	}
}

// What the fast path says of associations reaches IKE as its child's.
func TestAssociationPunts(t *testing.T) {
	r, f := protectedRig(t, nil)
	k := testChild(1)
	k.Encap, k.Path = true, ike.Path{Local: netip.MustParseAddrPort("192.0.2.1:4500"), Remote: netip.MustParseAddrPort(nhsNBMA + ":4500")}
	_ = r.step(func() { r.carryOutIKE([]ike.Effect{ike.Install{Child: k}, ike.Activate{Child: 1}}) })
	in, out := fib.SAID(1), fib.SAID(2)
	if !r.engine.sas[in].Inbound || r.engine.sas[out].Inbound {
		t.Fatalf("associations %v", r.engine.sas)
	}
	packet := make([]byte, 28)
	packet[9] = 50
	for _, c := range []struct {
		p    fastpath.Punt
		want ike.Event
	}{
		{fastpath.Punt{Reason: fastpath.SAHeard, SA: in}, ike.Heard{Child: 1}},
		{fastpath.Punt{Reason: fastpath.SASoft, SA: out}, ike.Volume{Child: 1}},
		{fastpath.Punt{Reason: fastpath.SAHard, SA: out}, ike.Volume{Child: 1, Hard: true}},
		{fastpath.Punt{Reason: fastpath.SAMoved, SA: in, OuterSrc: ip("203.0.113.5"), OuterPort: 77}, ike.Moved{Child: 1, Remote: netip.MustParseAddrPort("203.0.113.5:77")}},
		{fastpath.Punt{Reason: fastpath.SAUnknown, SPI: 9, OuterSrc: ip("203.0.113.5"), OuterDst: ip("192.0.2.1"), Packet: packet}, ike.UnknownSPI{
			Path:     ike.Path{Local: netip.MustParseAddrPort("192.0.2.1:0"), Remote: netip.MustParseAddrPort("203.0.113.5:0")},
			Protocol: 50, SPI: 9,
		}},
		{fastpath.Punt{Reason: fastpath.SAUnknown, SPI: 9, OuterSrc: ip("203.0.113.5"), OuterDst: ip("192.0.2.1"), OuterPort: 1025, Packet: packet}, ike.UnknownSPI{
			Path:     ike.Path{Local: netip.MustParseAddrPort("192.0.2.1:4500"), Remote: netip.MustParseAddrPort("203.0.113.5:1025")},
			Protocol: 50, SPI: 9,
		}},
	} {
		f.got = nil
		r.punt(c.p)
		if !f.has(c.want) {
			t.Errorf("%v: IKE was told %v", c.p.Reason, f.got)
		}
	}
	for _, p := range []fastpath.Punt{
		{Reason: fastpath.SAHeard, SA: 77}, {Reason: fastpath.SAMoved, SA: in, OuterSrc: ip("203.0.113.5")}, {Reason: fastpath.SAUnknown, SPI: 1},
		{Reason: fastpath.SAUnknown, SPI: 1, OuterSrc: ip("203.0.113.5"), OuterDst: ip("192.0.2.1"), Packet: packet[:19]},
	} {
		f.got = nil
		if r.punt(p); len(f.got) != 0 {
			t.Errorf("%+v: IKE was told %v", p, f.got)
		}
	}
	// The sweep sees traffic that no punt told of.
	f.got = nil
	r.engine.saCounts[in] = fastpath.SACount{Packets: 5}
	r.wait(sweepEvery)
	if !f.has(ike.Heard{Child: 1}) {
		t.Errorf("the sweep told IKE %v", f.got)
	}
	f.got = nil
	r.wait(sweepEvery)
	if f.has(ike.Heard{Child: 1}) {
		t.Error("what was heard once is told twice")
	}
}

// A router's word about a sealed packet that was too large.
func TestTooBigSealed(t *testing.T) {
	r, _ := protectedRig(t, nil)
	_ = r.step(func() { r.carryOutIKE([]ike.Effect{ike.Install{Child: testChild(1)}, ike.Activate{Child: 1}}) })
	spi := []byte{0, 0, 0x20, 1, 0, 0, 0, 9}
	for _, c := range []struct {
		name string
		t    TooBig
		mtu  uint16
	}{
		{"in clear", TooBig{ip("192.0.2.1"), ip(nhsNBMA), protoGRE, 900, []byte{0x20, 0, 8, 0, 0, 0, 2, 188}}, 1400},
		{"of nobody", TooBig{ip("192.0.2.1"), ip("192.0.2.77"), protoESP, 900, spi}, 1400},
		{"of another association", TooBig{ip("192.0.2.1"), ip(nhsNBMA), protoESP, 900, []byte{0, 0, 0x20, 2, 0, 0, 0, 9}}, 1400},
		{"short", TooBig{ip("192.0.2.1"), ip(nhsNBMA), protoESP, 900, spi[:7]}, 1400},
		{"without SPI", TooBig{ip("192.0.2.1"), ip(nhsNBMA), protoAH, 900, []byte{4, 4, 0, 0, 0, 0, 0, 0}}, 1400},
		{"AH of ESP's SPI", TooBig{ip("192.0.2.1"), ip(nhsNBMA), protoAH, 900, append([]byte{4, 4, 0, 0}, spi[4:]...)}, 1400},
		{"absurd", TooBig{ip("192.0.2.1"), ip(nhsNBMA), protoESP, 100, spi}, 1400},
		{"ours", TooBig{ip("192.0.2.1"), ip(nhsNBMA), protoESP, 900, spi}, 900 - 20 - 36 - 12 - 2 - 8}, // 844 in blocks of 16 is 832
	} {
		r.wait(time.Second)
		r.At(r.now).TooBig(fib.Global, c.t)
		if a := r.engine.adjacencies[mustPeer(t, r)]; a.MTU != c.mtu {
			t.Errorf("%s: MTU %d, want %d", c.name, a.MTU, c.mtu)
		}
	}
}

func mustPeer(t *testing.T, r *rig) fib.AdjID {
	t.Helper()
	id, ok := r.rib.PeerAdjacency("Tunnel0", peerAt(ip(nhsNBMA)))
	if !ok {
		t.Fatal("no adjacency of the peer")
	}
	return id
}

// An association that finds no room is given up, and its session stays down.
func TestNoRoomForAssociation(t *testing.T) {
	r, f := protectedRig(t, nil)
	r.engine.refuseSAs = true
	_ = r.step(func() { r.carryOutIKE([]ike.Effect{ike.Install{Child: testChild(1)}}) })
	if !f.has(ike.Drop{Child: 1}) {
		t.Errorf("IKE was told %v", f.got)
	}
	said := false
	for _, e := range r.host.logs {
		l, ok := e.(dmvpn.Log)
		said = said || ok && l.Kind == dmvpn.LogNoRoom
	}
	if !said {
		t.Error("nobody says so")
	}
}

// What operators clear, and how busy the box is, reaches IKE.
func TestClearAndLoad(t *testing.T) {
	r, f := protectedRig(t, nil)
	r.At(r.now).ClearIKE(ike.Clear{Children: true})
	if !f.has(ike.Clear{Children: true}) {
		t.Errorf("IKE was told %v", f.got)
	}
	f.got = nil
	_ = r.step(func() { r.carryOutIKE([]ike.Effect{ike.Install{Child: testChild(1)}, ike.Activate{Child: 1}}) })
	r.At(r.now).Clear(nhrp.Clear{Static: true})
	if !f.has(ike.Release{Protection: 3, Remote: netip.AddrPortFrom(ip(nhsNBMA), 0)}) || len(r.engine.sas) != 0 {
		t.Errorf("IKE was told %v", f.got)
	}
	r.At(r.now).Load(55)
	if got := r.Status().IKE.Admission.LoadNow; got != 55 {
		t.Errorf("load %d", got)
	}
}

// The last word tells peers that their associations are gone, and begins nothing anew.
func TestGoodbye(t *testing.T) {
	r, f := protectedRig(t, func(ev ike.Event) []ike.Effect {
		if _, ok := ev.(ike.Clear); ok {
			return []ike.Effect{
				ike.Send{Path: ikePath, Packet: []byte("delete")}, ike.Remove{Child: 5, Why: ike.WhyCleared}, ike.Failed{Protection: 3, Why: ike.WhyCleared},
			}
		}
		return nil
	})
	before := len(r.host.sent)
	f.got = nil
	r.At(r.now).Goodbye()
	if len(r.host.sent) != before+1 || string(r.host.sent[before].packet) != "delete" {
		t.Errorf("sent %+v", r.host.sent[before:])
	}
	if len(f.got) != 1 {
		t.Errorf("IKE was told %+v", f.got)
	}
}
