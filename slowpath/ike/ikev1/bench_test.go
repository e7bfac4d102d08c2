package ikev1

import (
	"runtime"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/suite"
)

func newPair(p ike.V1Policy) *iketest.Pair[*Engine] {
	return iketest.NewPair(version, func(c *ike.Config) { c.V1.Policies, c.NoNATT = []ike.V1Policy{p}, true })
}

// setUp makes an IKE SA with a child; keep leaves them to the responder. The initiator's identity and selectors are those of its address wherever it is seen,
// so that is the same each time, and the initiator is forgotten between two set-ups.
func setUp(x *iketest.Pair[*Engine], keep bool) {
	x.Initiate()
	x.Now = x.Now.Add(time.Second)
	x.Handle(0, ike.Tick{})
	for i, e := range x.Engines {
		if i == 1 && keep {
			continue
		}
		e.begin(x.Now)
		for _, c := range e.childList() {
			c.end(ike.WhyCleared)
		}
		for _, s := range e.saList() {
			s.end(ike.WhyCleared, false)
		}
		e.end()
	}
}

// BenchmarkSetUp is main mode by pre-shared key and quick mode: what it takes of either side.
func BenchmarkSetUp(b *testing.B) {
	for _, c := range []struct {
		name   string
		policy ike.V1Policy
	}{
		{"modp1024-3des-sha1", ike.V1Policy{Cipher: suite.Cipher3DES, Hash: suite.HashSHA1, Group: suite.GroupMODP1024}},
		{"modp2048-aes256-sha256", ike.V1Policy{Cipher: suite.CipherAESCBC, KeyBits: 256, Hash: suite.HashSHA256, Group: suite.GroupMODP2048}},
	} {
		b.Run(c.name, func(b *testing.B) {
			x := newPair(c.policy)
			for range b.N {
				setUp(x, false)
			}
			if x.Activated[0] != b.N || x.Activated[1] != b.N {
				b.Fatalf("%d and %d of %d are up", x.Activated[0], x.Activated[1], b.N)
			}
			b.ReportMetric(float64(b.N)/x.Spent[0].Seconds(), "initiated/s")
			b.ReportMetric(float64(b.N)/x.Spent[1].Seconds(), "responded/s")
		})
	}
}

// BenchmarkMemory is what an IKE SA with a child takes of the responder, in bytes of heap.
func BenchmarkMemory(b *testing.B) {
	const n = 200
	for range b.N {
		x := newPair(ike.V1Policy{Cipher: suite.Cipher3DES, Hash: suite.HashSHA1, Group: suite.GroupMODP1024})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range n {
			setUp(x, true)
		}
		x.Engines[0] = nil
		runtime.GC()
		runtime.ReadMemStats(&after)
		if len(x.Engines[1].children) == 0 {
			b.Fatal("nothing stays")
		}
		b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/float64(max(1, len(x.Engines[1].sas))), "B/SA")
		runtime.KeepAlive(x)
	}
}
