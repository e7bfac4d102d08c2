package fastpath

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// manyPeers gives the hub n peers more, each with associations of its own, a network behind it, and an adjacency. It is enough of them for the worker to look ahead.
func manyPeers(n int) func(*Config, *fib.Batch) {
	return func(c *Config, b *fib.Batch) {
		c.ArenaBytes, c.MaxSAs, c.PuntSlots = 64<<20, 4*n+16, 4096
		b.Tunnels[0].Protected, b.Tunnels[0].Protection = true, protection
		for i := range n {
			nbma := peerNBMA(i)
			out, in := fib.SAID(10+2*i), fib.SAID(11+2*i)
			for _, d := range []struct {
				id      fib.SAID
				inbound bool
				spi     uint32
			}{{out, false, uint32(0x20000 + i)}, {in, true, uint32(0x10000 + i)}} {
				f := fib.SA{ID: d.id, Inbound: d.inbound, SPI: d.spi, Local: addr(hubNBMA), Remote: addr(nbma), Cipher: fib.CipherAESGCM, Protection: protection}
				f.CipherKey = testKey([]int{20, 28, 36}[i%3], d.spi)
				f.ICV, f.ESN = []uint8{16, 12, 8}[i/3%3], i%5 == 0
				if d.inbound {
					f.Window = 64
				}
				b.SAs = append(b.SAs, f)
			}
			a := tunnelAdj(fib.AdjID(100+i), nbma)
			a.SA = out
			b.Adjacencies = append(b.Adjacencies, a)
			b.Routes = append(b.Routes, fib.Route{Prefix: netip.PrefixFrom(addr(behindPeer(i)), 32), Paths: []fib.AdjID{a.ID}})
		}
	}
}

func peerNBMA(i int) [4]byte   { return [4]byte{198, 18, byte(i >> 8), byte(i)} }
func behindPeer(i int) [4]byte { return [4]byte{10, 77, byte(i >> 8), byte(i)} }

// peers makes what the peers of manyPeers send.
type peers struct {
	forgers []*forger
	seqs    []uint64
}

func newPeers(t *testing.T, r *rig, n int) *peers {
	cfg, b := &Config{}, rigBatch()
	manyPeers(n)(cfg, b)
	p := &peers{seqs: make([]uint64, n)}
	pr := &pair{t: t, hub: r, spoke: r}
	for i := range n {
		p.forgers = append(p.forgers, pr.forgerOf(b.SAs[2*i+1]))
	}
	return p
}

// frame is a packet of peer i for dst, with a sequence number that is so much from the next one.
func (p *peers) frame(i int, skip int64, ip []byte) []byte {
	p.seqs[i]++
	seq := uint64(max(1, int64(p.seqs[i])+skip))
	p.seqs[i] = max(p.seqs[i], seq)
	f := p.forgers[i]
	return toWAN(ipv4(peerNBMA(i), hubNBMA, f.esp(seq, f.body(gre(packet.TypeIPv4, ip), packet.ProtoGRE)), proto(packet.ProtoESP)))
}

// outcome is what became of packets: the frames that left, by port, and the counters.
type outcome struct {
	lan, wan [][]byte
	reasons  map[string]uint64
	sas      []SACount
}

func (r *rig) outcome(n int) outcome {
	o := outcome{lan: r.lan.take(), wan: r.wan.take(), reasons: r.nonZero()}
	for id := range fib.SAID(10 + 2*n) {
		if c, ok := r.e.SACount(id); ok {
			c.AuthFailed, c.Replayed = 0, c.AuthFailed+c.Replayed
			o.sas = append(o.sas, c)
		}
	}
	// A packet that repeats a number and is damaged, too, is refused for the one or the other.
	o.reasons[SAAuth.String()] += o.reasons[SAReplay.String()]
	delete(o.reasons, SAReplay.String())
	return o
}

// TestTogether: whatever comes in a burst has the same end as when it comes alone: packets of many peers, spoke to spoke, to the LAN and from there,
// damaged, repeated, too old, out of order, without an association.
func TestTogether(t *testing.T) {
	const n = 200
	for seed := range uint64(6) {
		burst, alone := newRig(t, manyPeers(n)), newRig(t, manyPeers(n))
		if !burst.w.t.Far() {
			t.Fatal("the worker does not look ahead")
		}
		rnd := rand.New(rand.NewPCG(seed, 1))
		ps := newPeers(t, burst, n)
		var last []byte
		for range 8 {
			var wanIn, lanIn [][]byte
			busy := 1 + rnd.IntN(n) // few peers make runs
			for k := range 150 {
				i := rnd.IntN(busy)
				dst := behindPeer(rnd.IntN(busy))
				if rnd.IntN(2) == 0 {
					dst = hostIP
				}
				body := pattern(1 + rnd.IntN(1300))
				f := ps.frame(i, int64(rnd.IntN(8)/7*(rnd.IntN(200)-100)), ipv4(behindPeer(i), dst, body))
				switch rnd.IntN(12) {
				case 0:
					f[packet.EthernetLen+packet.IPv4Len+16+rnd.IntN(8)] ^= 1 << rnd.IntN(8)
				case 1:
					if last != nil {
						f = last
					}
				case 2:
					binary.BigEndian.PutUint32(f[packet.EthernetLen+packet.IPv4Len:], 0x99999)
				case 3:
					f = fromSpoke1(ipv4(behind1, hostIP, body)) // in clear
				}
				last = f
				wanIn = append(wanIn, f)
				lanIn = append(lanIn, toLAN(ipv4(hostIP, behindPeer((i+k)%n), body)))
			}
			for _, f := range wanIn {
				alone.fromWAN(bytes.Clone(f))
			}
			for _, f := range lanIn {
				alone.fromLAN(bytes.Clone(f))
			}
			clones := func(fs [][]byte) (out [][]byte) {
				for _, f := range fs {
					out = append(out, bytes.Clone(f))
				}
				return out
			}
			burst.fromWAN(clones(wanIn)...)
			burst.fromLAN(clones(lanIn)...)
		}
		compare(t, burst.outcome(n), alone.outcome(n))
	}
}

// compare finds differences, but for the order of packets of different flows and for the identification of outer headers.
func compare(t *testing.T, got, want outcome) {
	t.Helper()
	if fmt.Sprint(got.reasons) != fmt.Sprint(want.reasons) {
		t.Errorf("reasons\n%v, want\n%v", got.reasons, want.reasons)
	}
	for i := range want.sas {
		if got.sas[i] != want.sas[i] {
			t.Errorf("association %d counts\n%+v, want\n%+v", i, got.sas[i], want.sas[i])
			break
		}
	}
	flows := func(frames [][]byte) map[string][]byte {
		m := map[string][]byte{}
		for _, f := range frames {
			f = bytes.Clone(f)
			ip := packet.IPv4(f[packet.EthernetLen:])
			if ip.Proto() == packet.ProtoESP {
				clear(ip[4:6])
				clear(ip[10:12])
			}
			k := string(ip[12:20])
			m[k] = append(m[k], f...)
		}
		return m
	}
	for _, side := range []struct {
		name string
		a, b [][]byte
	}{{"LAN", got.lan, want.lan}, {"WAN", got.wan, want.wan}} {
		if len(side.a) != len(side.b) {
			t.Errorf("%s: %d frames left, want %d", side.name, len(side.a), len(side.b))
		}
		a, b := flows(side.a), flows(side.b)
		for k := range b {
			if !bytes.Equal(a[k], b[k]) {
				t.Errorf("%s: flow %x: other frames, or in another order", side.name, k)
			}
		}
	}
}

// TestSealedBeforeCut: a packet that is cut after it was sealed is sealed first, with others waiting before it, and its sequence number follows theirs.
func TestSealedBeforeCut(t *testing.T) {
	p := newPair(t, gcm128, func(_ *Config, b *fib.Batch) { b.Adjacencies[1].LinkMTU = 700 })
	var frames [][]byte
	for i := range 20 {
		frames = append(frames, toLAN(ipv4(hostIP, behind1, pattern([]int{100, 900}[i%2]))))
	}
	p.hub.fromLAN(frames...)
	var seqs []uint32
	for _, f := range p.hub.wan.take() {
		ip := packet.IPv4(f[packet.EthernetLen:])
		if ip.FlagsOffset()&packet.OffsetMask == 0 {
			seqs = append(seqs, binary.BigEndian.Uint32(ip[packet.IPv4Len+4:]))
		}
	}
	if len(seqs) != 20 {
		t.Fatalf("%d packets left: %v", len(seqs), p.hub.nonZero())
	}
	for i, s := range seqs {
		if s != uint32(i+1) {
			t.Fatalf("sequence numbers %v", seqs)
		}
	}
}

// TestHint: what was looked up ahead serves only a packet of the same VRF and destination.
func TestHint(t *testing.T) {
	r := newRig(t, manyPeers(200))
	w := r.w
	for i := range w.pkts {
		w.pkts[i].hint, w.pkts[i].hintFor = 77, routeKey(0, 0x0a000009)
	}
	p := &w.pkts[0]
	p.ip = ipv4(hostIP, [4]byte{10, 66, 0, 1}, nil)
	if got := w.path(p, p.ip.Dst()); got != uint32(fib.Null) {
		t.Errorf("the hint of another address is used: adjacency %d", got)
	}
	p.vrf = 1
	if got := w.path(p, 0x0a000009); got != 0 {
		t.Errorf("the hint of another VRF is used: adjacency %d", got)
	}
	p.vrf = 0
	if got := w.path(p, 0x0a000009); got != 77 {
		t.Errorf("adjacency %d, want that of the hint", got)
	}
}

// TestCalm: an association with the lifetime that nobody configures, by either version of IKE, is not near its end from the start.
func TestCalm(t *testing.T) {
	const life = 4608000 << 10
	p := newPair(t, gcm128, func(_ *Config, b *fib.Batch) {
		for i := range b.SAs {
			b.SAs[i].HardBytes, b.SAs[i].SoftBytes = life, life/100*72
		}
	})
	s := p.hub.w.t.SA(uint32(saOut))
	if near(s) {
		t.Error("a fresh association is near its limits")
	}
	s.Bytes.Store(life / 100 * 70)
	if near(s) {
		t.Error("it is near them at 70 % of the volume, with a soft limit at 72")
	}
	s.Bytes.Store(life/100*72 - 1000)
	if !near(s) {
		t.Error("it is not near them a thousand bytes before the soft one")
	}
}

// TestLaneThenKernel: what waited in the lane of slow ciphers is alone when its turn comes, also when its association has become one that packets are opened together by.
func TestLaneThenKernel(t *testing.T) {
	p := newPair(t, suite{name: "3des-sha1", cipher: fib.Cipher3DES, key: 24, auth: fib.AuthHMACSHA1, authKey: 20, window: 64})
	for range 20 {
		p.hub.wan.in = append(p.hub.wan.in, p.one(p.sealed(ipv4(behind1, hostIP, pattern(1300)))))
	}
	p.hub.w.Poll(1)
	if p.hub.w.lane.n == 0 {
		t.Fatal("nothing waits")
	}
	p.hub.apply(&fib.Batch{DelSAs: []fib.SAID{saIn}})
	p.hub.apply(&fib.Batch{SAs: []fib.SA{gcm128.associations(hubNBMA, spoke1NBMA, spiToSpoke, spiToHub)[1]}})
	p.hub.settle()
	if n := p.hub.w.opening.n; n != 0 {
		t.Errorf("%d packets wait to be opened together after the poll", n)
	}
	p.hub.conserved()
}
