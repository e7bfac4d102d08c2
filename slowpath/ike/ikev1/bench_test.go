package ikev1

import (
	"crypto/rand"
	"net/netip"
	"runtime"
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

func newPair(p ike.V1Policy) *pair {
	x := &pair{now: start}
	for i := range x.e {
		cfg := config(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}))
		cfg.V1.Policies = []ike.V1Policy{p}
		cfg.Admission.InNegotiation = 1 << 30
		cfg.NoNATT = true // the responder sees each initiator at another address
		x.e[i] = New(ike.NewEnv(rand.Reader, uint64(i)))
		x.e[i].env.Admission.Limits = cfg.Admission
		x.e[i].Configure(x.now, &cfg)
	}
	return x
}

// handle gives an engine an event, and the other one what comes of it, until nobody says anything. The initiator's identity and selectors are those
// of 192.0.2.1 whatever its address is, so the address is the same and the initiator is forgotten between two set-ups.
func (x *pair) handle(i int, ev ike.Event) {
	before := time.Now()
	effects := x.e[i].Handle(x.now, ev)
	x.spent[i] += time.Since(before)
	for _, f := range effects {
		switch f := f.(type) {
		case ike.Send:
			x.handle(1-i, ike.Received{Path: ike.Path{Local: f.Path.Remote, Remote: f.Path.Local}, Packet: f.Packet})
		case ike.Activate:
			x.up[i]++
		}
	}
}

// setUp makes an IKE SA with a child; keep leaves them to the responder.
func (x *pair) setUp(keep bool) {
	x.handle(0, ike.Initiate{Protection: 1, Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 2}), 0)})
	x.now = x.now.Add(time.Second)
	x.handle(0, ike.Tick{})
	for i, e := range x.e {
		if i == 1 && keep {
			continue
		}
		e.begin(x.now)
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
				x.setUp(false)
			}
			if x.up[0] != b.N || x.up[1] != b.N {
				b.Fatalf("%d and %d of %d are up", x.up[0], x.up[1], b.N)
			}
			b.ReportMetric(float64(b.N)/x.spent[0].Seconds(), "initiated/s")
			b.ReportMetric(float64(b.N)/x.spent[1].Seconds(), "responded/s")
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
			x.setUp(true)
		}
		x.e[0] = nil
		runtime.GC()
		runtime.ReadMemStats(&after)
		if len(x.e[1].children) == 0 {
			b.Fatal("nothing stays")
		}
		b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/float64(max(1, len(x.e[1].sas))), "B/SA")
		runtime.KeepAlive(x)
	}
}
