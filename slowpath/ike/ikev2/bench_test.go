package ikev2

import (
	"crypto/rand"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// pair is two engines that hand each other messages at once, and how long each of them took.
type pair struct {
	e     [2]*Engine
	spent [2]time.Duration
	up    [2]int
	now   time.Time
}

func newPair(tb testing.TB, p ike.V2Proposal) *pair {
	tb.Helper()
	x := &pair{now: start}
	p.Name = "only"
	for i := range x.e {
		cfg := config(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}))
		cfg.V2.Proposals, cfg.V2.Policies = []ike.V2Proposal{p}, []ike.V2Policy{{Proposals: []string{"only"}, VRF: ike.AnyVRF}}
		cfg.V2.Cookies, cfg.Admission.InNegotiation = 1<<30, 1<<30
		x.e[i] = New(ike.NewEnv(rand.Reader, uint64(i)))
		x.e[i].env.Admission.Limits = cfg.Admission
		x.e[i].Configure(x.now, &cfg)
	}
	return x
}

// handle gives an engine an event, and the other one what comes of it, until nobody says anything. from is where the initiator is, seen from the responder.
func (x *pair) handle(i int, ev ike.Event, from netip.Addr) {
	before := time.Now()
	effects := x.e[i].Handle(x.now, ev)
	x.spent[i] += time.Since(before)
	for _, f := range effects {
		switch f := f.(type) {
		case ike.Send:
			to := ike.Path{Local: f.Path.Remote, Remote: f.Path.Local}
			if i == 0 {
				to.Remote = netip.AddrPortFrom(from, f.Path.Local.Port())
			} else {
				to.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), f.Path.Remote.Port())
			}
			x.handle(1-i, ike.Received{Path: to, Packet: f.Packet}, from)
		case ike.Install:
			x.up[i]++
		}
	}
}

// setUp makes the nth child of the initiator with the responder, in an IKE SA of its own: behind NAT, as far as the responder sees.
func (x *pair) setUp(n int) {
	from := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	x.handle(0, ike.Initiate{Protection: 1, Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 2}), 0)}, from)
	for _, s := range x.e[0].all() { // the initiator forgets it, to begin afresh
		s.end(ike.WhyNone)
	}
	x.e[0].take()
}

var benchProposals = map[string]ike.V2Proposal{
	"x25519-aes256gcm":       {Ciphers: []ike.V2Cipher{{Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16}}, PRFs: []suite.Hash{suite.HashSHA256}, Groups: []suite.Group{suite.GroupX25519}},
	"ecp256-aes256gcm":       {Ciphers: []ike.V2Cipher{{Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16}}, PRFs: []suite.Hash{suite.HashSHA256}, Groups: []suite.Group{suite.GroupECP256}},
	"modp2048-aes128-sha256": {Ciphers: []ike.V2Cipher{{Cipher: suite.CipherAESCBC, KeyBits: 128}}, Integrity: []suite.Hash{suite.HashSHA256}, Groups: []suite.Group{suite.GroupMODP2048}},
	"x25519-mlkem768": {Ciphers: []ike.V2Cipher{{Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16}}, PRFs: []suite.Hash{suite.HashSHA256}, Groups: []suite.Group{suite.GroupX25519},
		Additional: map[int][]suite.Group{1: {suite.GroupMLKEM768}}},
}

// BenchmarkSetUp is an IKE SA with a child, by pre-shared key, IKE_SA_INIT and IKE_AUTH: what it takes of either side.
func BenchmarkSetUp(b *testing.B) {
	for name, p := range benchProposals {
		b.Run(name, func(b *testing.B) {
			x := newPair(b, p)
			for n := range b.N {
				x.setUp(n)
			}
			if x.up[0] != b.N || x.up[1] != b.N {
				b.Fatalf("%d and %d of %d are up", x.up[0], x.up[1], b.N)
			}
			b.ReportMetric(float64(b.N)/x.spent[0].Seconds(), "initiated/s")
			b.ReportMetric(float64(b.N)/x.spent[1].Seconds(), "responded/s")
		})
	}
}

// BenchmarkMemory is what an established SA with its child keeps of memory.
func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	x := newPair(b, benchProposals["x25519-aes256gcm"])
	x.setUp(0)
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 2000
	for i := range n {
		x.setUp(i + 1)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if len(x.e[1].sas) != n+1 {
		b.Fatalf("%d SAs", len(x.e[1].sas))
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/SA")
	b.ReportMetric(0, "ns/op")
	runtime.KeepAlive(x)
}

// With thousands of peers a message costs what it costs with one: nothing walks over all of them.
func TestManyPeers(t *testing.T) {
	x := newPair(t, benchProposals["x25519-aes256gcm"])
	cost := func(from, to int) time.Duration { // the median, which a busy machine disturbs little
		var list []time.Duration
		for n := from; n < to; n++ {
			x.spent[1] = 0
			x.setUp(n)
			list = append(list, x.spent[1])
		}
		slices.Sort(list)
		return list[len(list)/2]
	}
	few := cost(0, 200)
	cost(200, 3000)
	many := cost(3000, 3200)
	if x.up[1] != 3200 {
		t.Fatalf("%d are up", x.up[1])
	}
	t.Logf("set-up at the responder: %v with a few peers, %v with three thousand", few, many)
	if many > 5*few {
		t.Errorf("set-up takes %v with three thousand peers, %v with a few", many, few)
	}
}
