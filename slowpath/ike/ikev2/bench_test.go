package ikev2

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/suite"
)

func newPair(p ike.V2Proposal) *iketest.Pair[*Engine] {
	p.Name = "only"
	return iketest.NewPair(version, func(c *ike.Config) {
		c.V2.Proposals, c.V2.Policies = []ike.V2Proposal{p}, []ike.V2Policy{{Proposals: []string{"only"}, VRF: ike.AnyVRF}}
		c.V2.Cookies = 1 << 30
	})
}

// setUp makes the nth child of the initiator with the responder, in an IKE SA of its own: behind NAT, as far as the responder sees.
func setUp(x *iketest.Pair[*Engine], n int) {
	x.Seen = netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	x.Initiate()
	for _, s := range x.Engines[0].all() { // the initiator forgets it, to begin afresh
		s.end(ike.WhyNone)
	}
	x.Engines[0].take()
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
			x := newPair(p)
			for n := range b.N {
				setUp(x, n)
			}
			if x.Installed[0] != b.N || x.Installed[1] != b.N {
				b.Fatalf("%d and %d of %d are up", x.Installed[0], x.Installed[1], b.N)
			}
			b.ReportMetric(float64(b.N)/x.Spent[0].Seconds(), "initiated/s")
			b.ReportMetric(float64(b.N)/x.Spent[1].Seconds(), "responded/s")
		})
	}
}

// BenchmarkMemory is what an established SA with its child keeps of memory.
func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	x := newPair(benchProposals["x25519-aes256gcm"])
	setUp(x, 0)
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 2000
	for i := range n {
		setUp(x, i+1)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if len(x.Engines[1].sas) != n+1 {
		b.Fatalf("%d SAs", len(x.Engines[1].sas))
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/SA")
	b.ReportMetric(0, "ns/op")
	runtime.KeepAlive(x)
}

// With thousands of peers a message costs what it costs with a few: nothing walks over all of them. Both are measured in turns, and of each the cheapest
// counts, so that a busy machine disturbs both alike, and neither for long.
func TestManyPeers(t *testing.T) {
	few, many := newPair(benchProposals["x25519-aes256gcm"]), newPair(benchProposals["x25519-aes256gcm"])
	for n := range 3000 {
		setUp(many, n)
	}
	cost := func(x *iketest.Pair[*Engine], n int, least time.Duration) time.Duration {
		x.Spent[1] = 0
		setUp(x, n)
		return min(least, x.Spent[1])
	}
	ofFew, ofMany := time.Hour, time.Hour
	for n := range 200 {
		ofFew, ofMany = cost(few, n, ofFew), cost(many, 3000+n, ofMany)
	}
	if few.Installed[1] != 200 || many.Installed[1] != 3200 {
		t.Fatalf("%d and %d are up", few.Installed[1], many.Installed[1])
	}
	t.Logf("set-up at the responder: %v with a few peers, %v with three thousand", ofFew, ofMany)
	if ofMany > 5*ofFew {
		t.Errorf("set-up takes %v with three thousand peers, %v with a few", ofMany, ofFew)
	}
}
