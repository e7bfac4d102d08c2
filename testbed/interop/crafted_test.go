package interop

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

const (
	key0, hub0 = 100000, "10.255.0.1"
	key1, hub1 = 200, "10.254.0.1"
)

// What a stranger's packets do to a nave hub; see scenarios/crafted.
func TestCrafted(t *testing.T) {
	t.Parallel()
	s := Start(t, "crafted")
	for _, c := range []struct {
		name string
		run  func(*testing.T, *Scenario)
	}{
		{"duplicate", duplicateCrafted}, {"errors", errorsWithErrors}, {"purge", purgeCrafted}, {"authentication", authenticationCrafted},
		{"extension", unknownExtension}, {"hops", hopCounts}, {"loop", loops}, {"unsolicited", unsolicited},
		{"truncated", truncated}, {"mutilated", mutilated},
	} {
		t.Run(c.name, func(t *testing.T) {
			born := s.born(t)
			c.run(t, s)
			if s.born(t) != born {
				t.Error("naved has started anew")
			}
		})
	}
	t.Run("tshark", func(t *testing.T) { hubWellFormed(t, s) })
}

// hubWellFormed checks that tshark, which sees what is wrong with the stranger's packets, sees nothing wrong with the
// hub's: but for Error Indications, which hold what was wrong.
func hubWellFormed(t *testing.T, s *Scenario) {
	t.Helper()
	rows, _, err := s.Wire.Tshark("nhrp", "ip.src", "nhrp.hdr.op.type", "_ws.malformed", "_ws.expert.message")
	if err != nil {
		t.Fatal(err)
	}
	var wrong, right int
	for _, r := range rows {
		f := strings.Split(r, "\t")
		switch {
		case len(f) != 4:
			t.Fatalf("tshark printed %q", r)
		case f[0] != hubNBMA && f[2]+f[3] != "":
			wrong++
		case f[0] == hubNBMA && f[2]+f[3] == "":
			right++
		case f[0] == hubNBMA && f[1] != "7":
			t.Errorf("tshark complains of the hub: %q", r)
		}
	}
	if wrong < 1000 || right < 100 {
		t.Errorf("tshark sees %d wrong packets of the stranger's, %d right ones of the hub's", wrong, right)
	}
}

// born is when the hub's naved started.
func (s *Scenario) born(t *testing.T) string {
	t.Helper()
	var v struct{ Started string }
	if err := s.show("hub", "version", &v); err != nil {
		t.Fatal(err)
	}
	return v.Started
}

func duplicateCrafted(t *testing.T, s *Scenario) {
	first, second := s.Stranger(t, "192.0.2.66", key0), s.Stranger(t, "192.0.2.67", key0)
	const who = "10.255.0.50"
	if r := first.Ask(first.Registration(1, who, hub0), nhrpmsg.RegistrationReply); r.CIEs[0].Code != nhrpmsg.Success || r.CIEs[0].HoldTime != 120 {
		t.Fatalf("first: %+v", r.CIEs)
	}
	before := s.Learned(t, "hub", who+"/32", "192.0.2.66", "unique", "registered")
	for id := uint32(2); id < 5; id++ {
		m := second.Registration(id, who, hub0)
		if id == 4 {
			m.Flags = 0 // the owner's flag counts
		}
		r := second.Ask(m, nhrpmsg.RegistrationReply)
		if len(r.CIEs) != 1 || r.CIEs[0].Code != nhrpmsg.AlreadyRegistered || r.CIEs[0].HoldTime != 0 {
			t.Errorf("second, request %d: %+v", id, r.CIEs)
		}
	}
	if after := s.Learned(t, "hub", who+"/32", "192.0.2.66", "unique"); !after.Expires.Equal(*before.Expires) {
		t.Errorf("the entry lives until %v, and before %v", after.Expires, before.Expires)
	}
	s.Logs(t, "hub", "%NHRP-3-UNIQUE")
	if r := first.Ask(first.Registration(5, who, hub0), nhrpmsg.RegistrationReply); r.CIEs[0].Code != nhrpmsg.Success {
		t.Errorf("renewal: %+v", r.CIEs)
	}
	if after := s.Learned(t, "hub", who+"/32", "192.0.2.66"); !after.Expires.After(*before.Expires) {
		t.Errorf("a renewal does not lengthen the entry's life: %v, %v", after.Expires, before.Expires)
	}
	// Not unique: the second takes over.
	shared := first.Registration(6, "10.255.0.49", hub0)
	shared.Flags = 0
	first.Ask(shared, nhrpmsg.RegistrationReply)
	s.Learned(t, "hub", "10.255.0.49/32", "192.0.2.66", "registered")
	if r := second.Ask(second.Registration(7, "10.255.0.49", hub0), nhrpmsg.RegistrationReply); r.CIEs[0].Code != nhrpmsg.Success {
		t.Errorf("taking over: %+v", r.CIEs)
	}
	s.Learned(t, "hub", "10.255.0.49/32", "192.0.2.67", "registered", "unique")
	// Nobody owns what belongs to all.
	if r := first.Ask(first.Registration(8, "10.255.0.255", hub0), nhrpmsg.RegistrationReply); r.CIEs[0].Code != nhrpmsg.Prohibited {
		t.Errorf("the broadcast address: %+v", r.CIEs)
	}
	s.Unknown(t, "hub", "10.255.0.255/32")
}

// unknown is an extension that nobody knows.
func unknown(compulsory bool) nhrpmsg.Extension {
	return nhrpmsg.Extension{Type: 0x1234, Compulsory: compulsory, Value: []byte{1, 2, 3}}
}

func errorsWithErrors(t *testing.T, s *Scenario) {
	x := s.Stranger(t, "192.0.2.66", key0)
	errorOf := func(p []byte) *nhrpmsg.Message {
		m := x.message(nhrpmsg.ErrorIndication, 0, "10.255.0.51", hub0)
		m.Exts, m.Packet, m.Code = nil, p, uint16(nhrpmsg.ProtocolError)
		return m
	}
	start := time.Now()
	x.Answer(func(p *Packet) *nhrpmsg.Message { return errorOf(p.Payload) })
	e := x.Ask(with(x.Registration(1, "10.255.0.51", hub0), unknown(true)), nhrpmsg.ErrorIndication)
	if nhrpmsg.ErrorCode(e.Code) != nhrpmsg.UnrecognizedExtension || len(e.Exts) != 0 || e.DstProto.String() != "10.255.0.51" {
		t.Errorf("the error: %+v", e)
	}
	s.Wire.Wait(t, "error about the error", Since(start), OfType(nhrpmsg.ErrorIndication), Between(x.NBMA, hubNBMA))
	for code := range uint16(20) {
		m := errorOf(x.encode(x.Registration(uint32(code), hub0, "10.255.0.51"))) // about a packet of the hub's
		m.Code = code
		x.Send(m)
		m.Exts = []nhrpmsg.Extension{unknown(true), nhrpmsg.End()}
		x.Send(m)
	}
	time.Sleep(time.Second)
	if got := s.Wire.Packets(Since(start), AnyNHRP, Between(hubNBMA, "")); len(got) != 1 {
		t.Errorf("the hub has sent %d packets, not one", len(got))
	}
	s.Unknown(t, "hub", "10.255.0.51/32")
}

func purgeCrafted(t *testing.T, s *Scenario) {
	owner, other := s.Stranger(t, "192.0.2.66", key0), s.Stranger(t, "192.0.2.67", key0)
	const who = "10.255.0.52"
	owner.Ask(owner.Registration(1, who, hub0), nhrpmsg.RegistrationReply)
	other.Ask(other.Registration(2, "10.255.0.53", hub0), nhrpmsg.RegistrationReply)
	s.Learned(t, "hub", who+"/32", owner.NBMA)
	// Somebody else has no say, under its own name or the owner's.
	for id, name := range map[uint32]string{3: "10.255.0.53", 4: who} {
		other.Ask(other.Purge(id, name, hub0, who), nhrpmsg.PurgeReply)
		s.Learned(t, "hub", who+"/32", owner.NBMA)
	}
	r := owner.Ask(owner.Purge(5, who, hub0, who), nhrpmsg.PurgeReply)
	if len(r.CIEs) != 1 || r.CIEs[0].Proto.String() != who || r.SrcProto.String() != who || r.DstProto.String() != hub0 {
		t.Errorf("the purge reply: %+v", r)
	}
	responder(t, &r, hubNBMA, hub0)
	s.Gone(t, "hub", who+"/32")
	// The N flag: no reply, but the deed.
	owner.Ask(owner.Registration(6, who, hub0), nhrpmsg.RegistrationReply)
	s.Learned(t, "hub", who+"/32", owner.NBMA)
	m := owner.Purge(7, who, hub0, who)
	m.Flags = nhrpmsg.PurgeNoReply
	owner.Silence("a purge with the N flag", func() { owner.Send(m) })
	s.Gone(t, "hub", who+"/32")
	// What is not there: answered all the same.
	owner.Ask(owner.Purge(8, who, hub0, "10.255.0.99"), nhrpmsg.PurgeReply)
}

func authenticationCrafted(t *testing.T, s *Scenario) {
	x := s.Stranger(t, "192.0.2.66", key1)
	start := time.Now()
	wrong := []nhrpmsg.Extension{
		nhrpmsg.Auth("wrong1"), nhrpmsg.Auth("right"), nhrpmsg.Auth("right12"), nhrpmsg.Auth("right1\x00"), nhrpmsg.Auth(""),
		{Compulsory: true, Type: nhrpmsg.ExtAuthentication}, unknown(false),
	}
	for i, e := range wrong {
		got := x.Ask(with(x.Registration(uint32(i+1), "10.254.0.60", hub1), e), nhrpmsg.ErrorIndication)
		if nhrpmsg.ErrorCode(got.Code) != nhrpmsg.AuthenticationFailure || len(got.Exts) != 0 {
			t.Errorf("extension %d: %+v", i, got)
		}
	}
	twice := with(with(x.Registration(20, "10.254.0.60", hub1), nhrpmsg.Auth("wrong1")), nhrpmsg.Auth("right1"))
	if got := x.Ask(twice, nhrpmsg.ErrorIndication); nhrpmsg.ErrorCode(got.Code) != nhrpmsg.AuthenticationFailure {
		t.Errorf("two authentications: %+v", got)
	}
	for i := range uint32(300) {
		x.Send(x.Registration(100+i, "10.254.0.60", hub1))
	}
	time.Sleep(time.Second)
	errs := s.Wire.Packets(Since(start), AnyNHRP, Between(hubNBMA, ""))
	took := time.Since(start)
	if most := 21 + int(2*took.Seconds()); len(errs) > most { // 20 at once, then 2 a second
		t.Errorf("%d errors in %v; %d would be right", len(errs), took, most)
	}
	s.Unknown(t, "hub", "10.254.0.60/32")
	if p, err := s.Peer("hub", x.NBMA); err != nil || p != nil && p.Tunnel.String() == "10.254.0.60" {
		t.Errorf("show dmvpn has %+v (%v)", p, err)
	}
	r := x.Ask(with(x.Registration(1000, "10.254.0.60", hub1), nhrpmsg.Auth("right1")), nhrpmsg.RegistrationReply)
	if r.CIEs[0].Code != nhrpmsg.Success || !slices.Equal(passwords(&r), []string{"right1"}) {
		t.Errorf("with the right password: %+v", r)
	}
	s.Learned(t, "hub", "10.254.0.60/32", x.NBMA, "registered")
	log, err := os.ReadFile(s.LogFile("hub"))
	if err != nil || strings.Contains(string(log), "right1") || strings.Contains(string(log), "wrong1") {
		t.Errorf("a password is in the log (%v)", err)
	}
}

// passwords lists the authentication extensions of a message.
func passwords(m *nhrpmsg.Message) (out []string) {
	for _, e := range m.Exts {
		if e.Type == nhrpmsg.ExtAuthentication && len(e.Value) >= 4 {
			out = append(out, string(e.Value[4:]))
		}
	}
	return out
}

func unknownExtension(t *testing.T, s *Scenario) {
	a, b := s.Stranger(t, "192.0.2.66", key0), s.Stranger(t, "192.0.2.67", key0)
	const who, other = "10.255.0.54", "10.255.0.55"
	e := a.Ask(with(a.Registration(1, who, hub0), unknown(true)), nhrpmsg.ErrorIndication)
	if nhrpmsg.ErrorCode(e.Code) != nhrpmsg.UnrecognizedExtension {
		t.Errorf("a compulsory one: %+v", e)
	}
	s.Unknown(t, "hub", who+"/32")
	r := a.Ask(with(a.Registration(2, who, hub0), unknown(false)), nhrpmsg.RegistrationReply)
	back := r.Ext(0x1234)
	if r.CIEs[0].Code != nhrpmsg.Success || back == nil || back.Compulsory || string(back.Value) != "\x01\x02\x03" {
		t.Errorf("one that is not: %+v", r)
	}
	s.Learned(t, "hub", who+"/32", a.NBMA)
	// In transit it is somebody else's business; the hub does not enter itself in the list then.
	b.Ask(b.Registration(3, other, hub0), nhrpmsg.RegistrationReply)
	s.Learned(t, "hub", other+"/32", b.NBMA)
	start := time.Now()
	a.Send(with(a.Resolution(4, who, other), unknown(true)))
	p := s.Wire.Wait(t, "request passed on", Since(start), OfType(nhrpmsg.ResolutionRequest), Between(hubNBMA, b.NBMA)).NHRP
	if x := p.Ext(0x1234); x == nil || !x.Compulsory || len(transit(t, &p, nhrpmsg.ExtForwardTransit)) != 0 {
		t.Errorf("passed on: %+v", p)
	}
}

func hopCounts(t *testing.T, s *Scenario) {
	a, b := s.Stranger(t, "192.0.2.66", key0), s.Stranger(t, "192.0.2.67", key0)
	const far = "10.255.0.58"
	b.Ask(b.Registration(9, far, hub0), nhrpmsg.RegistrationReply)
	for hops := range uint8(3) {
		who := fmt.Sprintf("10.255.0.7%d", hops)
		m := a.Registration(uint32(hops)+1, who, hub0)
		m.HopCount = hops
		if r := a.Ask(m, nhrpmsg.RegistrationReply); r.CIEs[0].Code != nhrpmsg.Success || r.HopCount == 0 {
			t.Errorf("registration with hop count %d: %+v", hops, r)
		}
		s.Learned(t, "hub", who+"/32", a.NBMA)
		start := time.Now()
		q := a.Resolution(uint32(hops)+11, who, far)
		q.HopCount = hops
		if hops < 2 {
			if e := a.Ask(q, nhrpmsg.ErrorIndication); nhrpmsg.ErrorCode(e.Code) != nhrpmsg.HopCountExceeded {
				t.Errorf("request with hop count %d: %+v", hops, e)
			}
			if on := s.Wire.Packets(Since(start), AnyNHRP, Between(hubNBMA, b.NBMA)); len(on) > 0 {
				t.Errorf("a request with hop count %d was passed on", hops)
			}
			continue
		}
		a.Send(q)
		on := s.Wire.Wait(t, "request passed on", Since(start), OfType(nhrpmsg.ResolutionRequest), Between(hubNBMA, b.NBMA))
		if on.NHRP.HopCount != hops-1 {
			t.Errorf("hop count %d became %d", hops, on.NHRP.HopCount)
		}
	}
}

func loops(t *testing.T, s *Scenario) {
	a, b := s.Stranger(t, "192.0.2.66", key0), s.Stranger(t, "192.0.2.67", key0)
	const near, far = "10.255.0.56", "10.255.0.57"
	a.Ask(a.Registration(1, near, hub0), nhrpmsg.RegistrationReply)
	b.Ask(b.Registration(2, far, hub0), nhrpmsg.RegistrationReply)
	been := a.Resolution(3, near, far)
	for i := range been.Exts {
		if been.Exts[i].Type == nhrpmsg.ExtForwardTransit {
			been.Exts[i].AddEntry(nhrpmsg.CIE{PrefixLen: 32, NBMA: netip.MustParseAddr(hubNBMA), Proto: netip.MustParseAddr(hub0)})
		}
	}
	start := time.Now()
	if e := a.Ask(been, nhrpmsg.ErrorIndication); nhrpmsg.ErrorCode(e.Code) != nhrpmsg.LoopDetected {
		t.Errorf("a request that was here: %+v", e)
	}
	// Our own request comes back, and a reply that was here.
	a.Send(a.Resolution(4, hub0, far))
	reply := a.message(nhrpmsg.ResolutionReply, 5, far, near)
	reply.CIEs = []nhrpmsg.CIE{{PrefixLen: 32, HoldTime: 60, NBMA: netip.MustParseAddr(a.NBMA), Proto: netip.MustParseAddr(near)}}
	for i := range reply.Exts {
		if reply.Exts[i].Type == nhrpmsg.ExtReverseTransit {
			reply.Exts[i].AddEntry(nhrpmsg.CIE{PrefixLen: 32, NBMA: netip.MustParseAddr(hubNBMA), Proto: netip.MustParseAddr(hub0)})
		}
	}
	a.Send(reply)
	time.Sleep(500 * time.Millisecond)
	for _, p := range s.Wire.Packets(Since(start), AnyNHRP, Between(hubNBMA, "")) {
		if p.NHRP.Type != nhrpmsg.ErrorIndication {
			t.Errorf("something that goes in a circle was passed on or answered: %s to %s", p.NHRP.Type, p.To)
		}
	}
}

func unsolicited(t *testing.T, s *Scenario) {
	x := s.Stranger(t, "192.0.2.66", key0)
	me := netip.MustParseAddr(x.NBMA)
	entry := []nhrpmsg.CIE{{PrefixLen: 24, HoldTime: 600, NBMA: me, Proto: netip.MustParseAddr("10.255.0.59")}}
	reply := func(typ nhrpmsg.Type) *nhrpmsg.Message {
		m := x.message(typ, 77, hub0, "10.77.0.1")
		m.CIEs = entry
		return m
	}
	if e := x.Ask(reply(nhrpmsg.ResolutionReply), nhrpmsg.ErrorIndication); nhrpmsg.ErrorCode(e.Code) != nhrpmsg.InvalidResolutionReply {
		t.Errorf("a resolution reply: %+v", e)
	}
	x.Silence("a reply to nothing", func() {
		x.Send(reply(nhrpmsg.RegistrationReply))
		x.Send(reply(nhrpmsg.PurgeReply))
	})
	hint := x.message(nhrpmsg.TrafficIndication, 0, "10.255.0.59", hub0)
	hint.Packet = append([]byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 7, 10, 77, 0, 7}, make([]byte, 8)...)
	x.Silence("a traffic indication", func() { x.Send(hint) })
	// A sender that claims to be the hub, or to be nobody.
	absurd := []string{hub0, "0.0.0.0", "255.255.255.255", "224.0.0.10", "127.0.0.1"}
	x.Silence("an absurd registration", func() {
		for _, src := range absurd {
			x.Send(x.Registration(78, src, hub0))
		}
	})
	for _, src := range absurd {
		s.Unknown(t, "hub", src+"/32")
	}
	foreign := s.Stranger(t, "192.0.2.67", 4711)
	foreign.Silence("a tunnel key that is nobody's", func() { foreign.Send(foreign.Registration(79, "10.255.0.59", hub0)) })
	for _, p := range []string{"10.255.0.59/32", "10.77.0.0/24", "10.255.0.0/24", "10.77.0.7/32"} {
		s.Unknown(t, "hub", p)
	}
}

// entries is what the hub has learned, by prefix.
func entries(t *testing.T, s *Scenario) map[netip.Prefix]Entry {
	t.Helper()
	var all []Entry
	if err := s.show("hub", "ip nhrp", &all); err != nil {
		t.Fatal(err)
	}
	list := make(map[netip.Prefix]Entry)
	for _, e := range all {
		list[e.Prefix] = e
	}
	return list
}

// unchanged checks that the hub has learned nothing since before, and has forgotten what has expired and no more.
func unchanged(t *testing.T, s *Scenario, before map[netip.Prefix]Entry) {
	t.Helper()
	now := entries(t, s)
	for prefix, e := range now {
		if _, ok := before[prefix]; !ok {
			t.Errorf("the hub has learned %+v", e)
		}
	}
	for prefix, e := range before {
		if _, ok := now[prefix]; !ok && (e.Expires == nil || time.Now().Before(*e.Expires)) {
			t.Errorf("the hub has forgotten %+v", e)
		}
	}
}

// alive checks that the hub still serves, with a registration that is in order.
func alive(t *testing.T, s *Scenario, x *Stranger, id uint32) {
	t.Helper()
	if r := x.Ask(x.Registration(id, "10.255.0.80", hub0), nhrpmsg.RegistrationReply); r.CIEs[0].Code != nhrpmsg.Success {
		t.Errorf("afterwards: %+v", r)
	}
	s.Learned(t, "hub", "10.255.0.80/32", x.NBMA)
}

// reseal makes size and checksum right again.
func reseal(b []byte) []byte {
	if len(b) < 20 {
		return b
	}
	b[10], b[11], b[12], b[13] = byte(len(b)>>8), byte(len(b)), 0, 0
	sum := nhrpmsg.Checksum(b)
	b[12], b[13] = byte(sum>>8), byte(sum)
	return b
}

func truncated(t *testing.T, s *Scenario) {
	x := s.Stranger(t, "192.0.2.67", key0)
	before := entries(t, s)
	whole := x.encode(x.Registration(1, "10.255.0.90", hub0))
	for n := range whole {
		x.Raw(whole[:n])
	}
	// Down to where the extensions end the packet is whole but for its sizes: with those right, only a cut inside an
	// extension, an entry or an address is left to notice.
	off := int(whole[14])<<8 | int(whole[15])
	for n := off + 1; n < len(whole); n++ {
		x.Raw(reseal(slices.Clone(whole[:n])))
	}
	for n := range off {
		cut := slices.Clone(whole[:n])
		if n > 15 {
			cut[14], cut[15] = 0, 0
		}
		x.Raw(reseal(cut))
	}
	time.Sleep(500 * time.Millisecond)
	unchanged(t, s, before)
	s.Unknown(t, "hub", "10.255.0.90/32")
	alive(t, s, x, 2)
}

func mutilated(t *testing.T, s *Scenario) {
	x := s.Stranger(t, "192.0.2.67", key0)
	before := entries(t, s)
	random := rand.New(rand.NewPCG(1, 2))
	seeds := [][]byte{
		x.encode(x.Registration(1, "10.255.0.91", hub0)), x.encode(x.Resolution(2, "10.255.0.91", "10.255.0.92")),
		x.encode(x.Purge(3, "10.255.0.91", hub0, "10.255.0.91")),
	}
	flipped := func(i int) []byte {
		b := slices.Clone(seeds[i%len(seeds)])
		for range 1 + random.IntN(4) {
			b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		}
		return b
	}
	x.Flood(1500, func(i int) []byte {
		b := flipped(i)
		if nhrpmsg.ChecksumOK(b) { // two flips may undo each other
			return nil
		}
		return b
	})
	time.Sleep(500 * time.Millisecond)
	unchanged(t, s, before)
	// The same with right checksums: what they teach is anybody's guess, but naved must live.
	x.Flood(1500, func(i int) []byte { return reseal(flipped(i)) })
	alive(t, s, x, 4)
}
