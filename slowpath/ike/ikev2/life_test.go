package ikev2

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
)

// A peer that is silent is asked five times, at the interval that is configured for it, and then taken for dead.
func TestDPDRetry(t *testing.T) {
	for _, periodic := range []bool{false, true} {
		w := join(t, 30, func(a, b *ike.Config) {
			a.V2.Profiles[0].DPD = ike.Keepalive{Interval: 10 * time.Second, Retry: 3 * time.Second, Periodic: periodic}
		})
		w.A.Initiate()
		w.Run(time.Second)
		w.Ladder = nil
		for range 8 { // signs of life in between
			w.Run(5 * time.Second)
			w.A.Event(ike.Heard{Child: w.A.Active})
		}
		asked := strings.Count(strings.Join(w.Ladder, ","), "a INFO req")
		if periodic && asked < 3 || !periodic && asked != 0 {
			t.Errorf("periodic %v: the peer was asked %d times", periodic, asked)
		}
		w.B.Stopped = true
		died := w.Now
		for len(w.A.Engine.sas) > 0 && w.Now.Sub(died) < time.Hour {
			w.Run(time.Second)
		}
		if d := w.Now.Sub(died); d < 15*time.Second || d > 26*time.Second {
			t.Errorf("noticed after %v", d)
		}
		if len(w.A.Children) != 0 || w.A.Engine.stats.DeadPeers != 1 || !w.A.Logged(ike.LogChildDown, ike.WhyDeadPeer) {
			t.Errorf("children %d, stats %+v", len(w.A.Children), w.A.Engine.stats)
		}
	}
}

// A peer that never answers: five messages in 62 seconds, then Failed.
func TestNoAnswer(t *testing.T) {
	w := join(t, 31, nil)
	w.B.Stopped = true
	var at []time.Duration
	w.Tap = func(*node, ike.Path, []byte) bool { at = append(at, w.Now.Sub(iketest.Start)); return true }
	w.A.Initiate()
	w.Run(2 * time.Minute)
	if want := []time.Duration{0, 2e9, 6e9, 14e9, 30e9}; !slices.Equal(at, want) {
		t.Errorf("sent at %v", at)
	}
	if len(w.A.Failed) != 1 || w.A.Failed[0].Why != ike.WhyTimeout || len(w.A.Engine.sas) != 0 {
		t.Errorf("failed %+v", w.A.Failed)
	}
}

// A repeated request gets the same bytes, and is not done twice.
func TestRepeatedRequest(t *testing.T) {
	w := join(t, 32, nil)
	var requests, answers [][]byte
	w.Tap = func(from *node, _ ike.Path, p []byte) bool {
		if from == w.A {
			requests = append(requests, p)
		} else {
			answers = append(answers, p)
		}
		return true
	}
	w.A.Initiate()
	w.Run(time.Second)
	w.A.Event(ike.Volume{Child: w.A.Active})
	w.Run(15 * time.Millisecond) // CREATE_CHILD_SA is answered, the answer under way
	w.Run(300 * time.Millisecond)
	children, sent := len(w.B.Children), len(answers)
	last := requests[len(requests)-1]
	path := ike.Path{Local: netip.AddrPortFrom(w.B.Addr, portNATT), Remote: netip.AddrPortFrom(w.A.Addr, portNATT)}
	w.B.Event(ike.Received{Path: path, Packet: last})
	if len(answers) != sent+1 || !slices.Equal(answers[sent], answers[sent-1]) || len(w.B.Children) != children {
		t.Errorf("%d answers more", len(answers)-sent)
	}
	w.B.Event(ike.Received{Path: path, Packet: last}) // at once again: not answered, so that nobody makes much of little
	for _, old := range requests[1 : len(requests)-1] {
		w.B.Event(ike.Received{Path: path, Packet: old})
	}
	if len(answers) != sent+1 {
		t.Errorf("%d answers to what is over", len(answers)-sent-1)
	}
	w.Run(time.Minute)
	wantOne(w)
}

// Hard limits end a child and bring another; the end of the lifetime does the same where nobody rekeys.
func TestHardLimits(t *testing.T) {
	w := join(t, 33, func(a, b *ike.Config) {
		for _, c := range []*ike.Config{a, b} {
			c.Protections[0].Kilobytes, c.Protections[0].Lifetime = 1000, 10*time.Minute
		}
	})
	w.A.Initiate()
	w.Run(time.Second)
	c := w.A.Children[w.A.Active]
	if c.HardBytes != 1_024_000 || c.SoftBytes < 700_000 || c.SoftBytes >= c.HardBytes || c.Lifetime != 10*time.Minute {
		t.Errorf("limits %d %d %v", c.SoftBytes, c.HardBytes, c.Lifetime)
	}
	w.A.Event(ike.Volume{Child: c.ID, Hard: true})
	w.Run(time.Second)
	wantOne(w)
	if w.A.Removed[c.ID] != ike.WhyExpired || w.B.Removed[c.ID] != ike.WhyPeerDeleted {
		t.Errorf("removed %v %v", w.A.Removed, w.B.Removed)
	}
	w.Run(30 * time.Minute)
	wantOne(w)
	// Responders only, on both sides: nobody rekeys, and the child ends.
	w = join(t, 34, nil)
	w.A.Initiate()
	w.Run(time.Second)
	for _, n := range []*node{w.A, w.B} {
		n.Config.Protections = slices.Clone(n.Config.Protections)
		n.Config.Protections[0].ResponderOnly = true
		n.Configure()
	}
	w.Run(2 * time.Hour)
	if len(w.A.Children)+len(w.B.Children) != 0 || !w.B.Logged(ike.LogChildDown, ike.WhyExpired) {
		t.Errorf("children %d %d: %+v", len(w.A.Children), len(w.B.Children), w.B.Logs)
	}
	w.A.Initiate()
	if k := len(w.A.Failed); k == 0 || w.A.Failed[k-1].Why != ike.WhyPolicy {
		t.Errorf("failed %+v", w.A.Failed)
	}
}

// The lifetime of the IKE SA ends where the peer refuses to rekey it.
func TestIKEExpires(t *testing.T) {
	w := join(t, 35, func(a, b *ike.Config) { a.V2.Profiles[0].Lifetime = time.Hour })
	w.A.Initiate()
	w.Run(time.Second)
	w.B.Config.V2.Proposals = []ike.V2Proposal{{Name: "x", Ciphers: ikeCiphers[:1], Integrity: hashes[:1], Groups: groups[:1]}}
	w.B.Config.V2.Policies = []ike.V2Policy{{Proposals: []string{"x"}, VRF: ike.AnyVRF}}
	w.B.Configure()
	w.Run(61 * time.Minute)
	if len(w.A.Engine.sas)+len(w.B.Engine.sas) != 0 || !w.A.Logged(ike.LogSADown, ike.WhyExpired) || !w.B.Logged(ike.LogSADown, ike.WhyPeerDeleted) {
		t.Errorf("SAs %d %d: %+v", len(w.A.Engine.sas), len(w.B.Engine.sas), w.A.Logs)
	}
}

// ESP that comes to an SPI which is not ours is told of through the IKE SA, and the peer makes a new child.
func TestInvalidSPI(t *testing.T) {
	w := join(t, 36, func(a, b *ike.Config) { b.InvalidSPIRecovery = true })
	w.A.Initiate()
	w.Run(time.Minute)
	out := w.A.Children[w.A.Active].ESP.OutSPI
	for _, c := range w.B.Engine.childList() { // b forgets it, without a word
		c.remove(ike.WhyNone)
	}
	w.B.Do(w.B.Engine.take())
	for range 100 {
		w.B.Event(ike.UnknownSPI{Path: ike.Path{Local: netip.AddrPortFrom(w.B.Addr, 0), Remote: netip.AddrPortFrom(w.A.Addr, 0)}, Protocol: 50, SPI: out})
	}
	w.Run(time.Second)
	wantOne(w)
	if n := strings.Count(strings.Join(w.Ladder, ","), "b INFO req"); n != 1 {
		t.Errorf("the peer was told %d times", n)
	}
}

// A message of a later version is answered by INVALID_MAJOR_VERSION, an answer of one by nothing.
func TestLaterVersion(t *testing.T) {
	w := join(t, 37, nil)
	h := ikemsg.Header{Initiator: ikemsg.SPI{1}, Exchange: ikev2msg.ExchangeInit, Flags: ikev2msg.FlagInitiator}
	packet := ikev2msg.Clear(h, nil)
	packet[17] = 0x30
	path := ike.Path{Local: netip.AddrPortFrom(w.B.Addr, 500), Remote: netip.AddrPortFrom(w.A.Addr, 500)}
	out := w.B.Engine.Handle(w.Now, ike.Received{Path: path, Packet: packet})
	s, ok := out[0].(ike.Send)
	if len(out) != 1 || !ok {
		t.Fatalf("%+v", out)
	}
	m, err := ikev2msg.Parse(s.Packet)
	if err != nil {
		t.Fatal(err)
	}
	if n, bad := errorOf(m.Payloads); !bad || n.Type != ikev2msg.InvalidMajorVersion || m.Version != ikemsg.Version2 {
		t.Errorf("answered by %+v", m)
	}
	packet[19] |= ikev2msg.FlagResponse
	if out := w.B.Engine.Handle(w.Now, ike.Received{Path: path, Packet: packet}); len(out) != 0 {
		t.Errorf("%+v", out)
	}
}

// Call admission refuses peers silently, and says why to whoever wants a child.
func TestAdmission(t *testing.T) {
	w := join(t, 38, nil)
	w.B.Engine.env.Admission.Load, w.B.Engine.env.Admission.LoadNow = 80, 90
	w.A.Initiate()
	w.Run(3 * time.Second)
	if st := w.B.Engine.env.Admission.Stats; st.In != 2 || st.InRejected != 2 || st.RejectedResources != 2 || !w.B.Logged(ike.LogLimit, ike.WhyLimit) {
		t.Errorf("%+v %+v", st, w.B.Logs)
	}
	w.B.Initiate()
	if len(w.B.Failed) != 1 || w.B.Failed[0].Why != ike.WhyLimit {
		t.Errorf("%+v", w.B.Failed)
	}
	w.B.Engine.env.Admission.LoadNow = 10
	w.Run(10 * time.Second)
	w.WantUp()
}

// What a peer that has not authenticated can have us keep is bounded.
func TestHalfOpenBounds(t *testing.T) {
	w := join(t, 39, func(a, b *ike.Config) { b.V2.Cookies = 1 << 20; b.Admission.InNegotiation = 50 })
	w.B.Engine.env.Admission.Limits = w.B.Config.Admission
	var first []byte
	w.Tap = func(_ *node, _ ike.Path, p []byte) bool {
		if first == nil {
			first = slices.Clone(p)
		}
		return false
	}
	w.A.Initiate()
	send := func(i int, p []byte) []ike.Effect {
		p = slices.Clone(p)
		p[0], p[1], p[2] = byte(i), byte(i>>8), 0xee
		return w.B.Engine.Handle(w.Now, ike.Received{Path: ike.Path{Local: netip.AddrPortFrom(w.B.Addr, 500), Remote: netip.MustParseAddrPort("203.0.113.1:500")}, Packet: p})
	}
	for i := range 500 {
		send(i, first)
	}
	if len(w.B.Engine.sas) != 50 {
		t.Errorf("%d half-open SAs", len(w.B.Engine.sas))
	}
	w.Run(time.Minute)
	if len(w.B.Engine.sas) != 0 {
		t.Errorf("%d half-open SAs stay", len(w.B.Engine.sas))
	}
	long := append(slices.Clone(first), make([]byte, 60000)...) // a vendor ID without end
	long[ikemsg.HeaderLen-2], long[ikemsg.HeaderLen-1] = byte(len(long)>>8), byte(len(long))
	m, err := ikev2msg.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	var list []ikev2msg.Out
	for _, p := range m.Payloads {
		list = append(list, ikev2msg.Out{Type: p.Type, Body: p.Body})
	}
	list = append(list, ikev2msg.Out{Type: ikev2msg.PayloadVendor, Body: make([]byte, 60000)})
	if out := send(1, ikev2msg.Clear(m.Header, list)); len(w.B.Engine.sas) != 0 {
		t.Errorf("a first message of 60 kB is kept: %d effects", len(out))
	}
}

// A refusal, or the answer to a delete, that is lost is given again when the peer asks again.
func TestLastWords(t *testing.T) {
	w := join(t, 45, func(a, b *ike.Config) { b.Keyrings[0].Keys[0].Remote = ike.Secret("other") })
	lost := 0
	w.Tap = func(from *node, _ ike.Path, p []byte) bool {
		if from == w.B && p[18] == ikev2msg.ExchangeAuth {
			lost++
			return lost > 2
		}
		return true
	}
	w.A.Initiate()
	w.Run(20 * time.Second)
	if len(w.A.Failed) != 1 || w.A.Failed[0].Why != ike.WhyAuthentication || lost != 3 {
		t.Errorf("failed %+v after %d answers", w.A.Failed, lost)
	}
	w = join(t, 46, nil)
	w.A.Initiate()
	w.Run(time.Second)
	lost = 0
	w.Tap = func(from *node, _ ike.Path, p []byte) bool {
		if from == w.B {
			lost++
			return lost > 1
		}
		return true
	}
	w.A.Event(ike.Clear{})
	w.Run(3 * time.Second)
	if len(w.A.Engine.sas)+len(w.B.Engine.sas) != 0 || lost != 2 {
		t.Errorf("%d and %d SAs stay, after %d answers", len(w.A.Engine.sas), len(w.B.Engine.sas), lost)
	}
}

// AH authenticates addresses, so it is not offered, and not taken, where they are translated.
func TestAHThroughNAT(t *testing.T) {
	ah := ike.Transform{AH: suite.HashSHA1}
	gcm := ike.Transform{Cipher: suite.CipherAESGCM, KeyBits: 128, ICV: 16}
	for _, sets := range [][]ike.Transform{{ah, gcm}, {ah}} {
		w := join(t, 47, func(a, b *ike.Config) { a.Protections[0].Transforms, b.Protections[0].Transforms = sets, sets })
		w.NAT = netip.MustParseAddrPort("198.51.100.7:10000")
		w.A.Initiate()
		w.Run(time.Second)
		if len(sets) == 2 {
			w.WantUp()
			if got := w.A.Children[w.A.Active].Transform; got != gcm {
				t.Errorf("%+v", got)
			}
		} else if len(w.A.Failed) != 1 || w.A.Failed[0].Why != ike.WhyPolicy || len(w.A.Children) != 0 {
			t.Errorf("failed %+v", w.A.Failed)
		}
	}
}
