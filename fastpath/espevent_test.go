package fastpath

import (
	"errors"
	"net/netip"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
)

// of is the punts of one reason.
func (r *rig) of(reason Reason) (list []Punt) {
	for _, u := range r.punts {
		if u.Reason == reason {
			list = append(list, u)
		}
	}
	return list
}

// TestHeard: the slow path hears once that the peer uses an association.
func TestHeard(t *testing.T) {
	p := newPair(t, gcm128)
	for range 5 {
		p.deliver(p.sealed(ipv4(behind1, hostIP, pattern(40)))...)
	}
	u := p.hub.of(SAHeard)
	if len(u) != 1 || u[0].SA != saIn || u[0].SPI != spiToHub || u[0].OuterSrc != addr(spoke1NBMA) || u[0].Tunnel != 0 || len(u[0].Packet) != 0 {
		t.Fatalf("heard %+v", u)
	}
	// A copy of what is inside says where it came out of.
	p.deliver(p.sealed(ipv4(behind1, hostIP, nil, ttl(2)))...)
	if u := p.hub.of(TTLExpired); len(u) != 1 || u[0].SA != saIn || u[0].OuterSrc != addr(spoke1NBMA) {
		t.Errorf("TTL %+v", u)
	}
	if len(p.spoke.punts) != 0 {
		t.Errorf("the sender punted %+v", p.spoke.punts)
	}
}

// TestHeardAgain: what finds no room in the ring is told with the next packet.
func TestHeardAgain(t *testing.T) {
	p := newPair(t, gcm128)
	for range 64 {
		p.hub.wan.in = append(p.hub.wan.in, toWAN(ipv4(behind1, hubNBMA, nil)))
	}
	frames := p.sealed(ipv4(behind1, hostIP, nil), ipv4(behind1, hostIP, nil))
	p.hub.wan.in = append(p.hub.wan.in, frames[0])
	p.hub.poll()
	if u := p.hub.of(SAHeard); len(u) != 0 {
		t.Fatalf("the ring was not full: %+v", u)
	}
	p.deliver(frames[1])
	if u := p.hub.of(SAHeard); len(u) != 1 {
		t.Errorf("%+v", u)
	}
}

// TestLimits: soft once, in time; hard once, and nothing passes afterwards. Limits that are changed count anew.
func TestLimits(t *testing.T) {
	p := newPair(t, gcm128)
	set := func(r *rig, local, remote [4]byte, out, in uint32, soft, hard uint64) {
		list := gcm128.associations(local, remote, out, in)
		for i := range list {
			list[i].SoftBytes, list[i].HardBytes = soft, hard
		}
		r.apply(&fib.Batch{SAs: list})
	}
	plain := ipv4(behind1, hostIP, pattern(72)) // 92 bytes, 100 with GRE
	set(p.hub, hubNBMA, spoke1NBMA, spiToSpoke, spiToHub, 500, 1000)
	for range 20 {
		p.deliver(p.sealed(plain)...)
	}
	n, _ := p.hub.e.SACount(saIn)
	if n.Packets != 10 || n.Bytes != 1000 || n.Errors != 10 || p.hub.count(SAExpired) != 10 {
		t.Errorf("hub opened %+v: %v", n, p.hub.nonZero())
	}
	for _, reason := range []Reason{SASoft, SAHard} {
		if u := p.hub.of(reason); len(u) != 1 || u[0].SA != saIn {
			t.Errorf("%s: %+v", reason, u)
		}
	}
	set(p.spoke, spoke1NBMA, hubNBMA, spiToHub, spiToSpoke, 2500, 3000)
	sent := 0
	for range 20 {
		sent += len(p.sealed(plain))
	}
	if n, _ := p.spoke.e.SACount(saOut); sent != 10 || n.Packets != 30 || n.Bytes != 3000 || n.Errors != 10 || n.LastSeq != 30 {
		t.Errorf("the spoke sent %d more: %+v", sent, n)
	}
	if a, b := len(p.spoke.of(SASoft)), len(p.spoke.of(SAHard)); a != 1 || b != 1 {
		t.Errorf("%d soft, %d hard", a, b)
	}
	set(p.spoke, spoke1NBMA, hubNBMA, spiToHub, spiToSpoke, 3100, 0)
	if n := len(p.sealed(plain, plain)); n != 2 || len(p.spoke.of(SASoft)) != 2 {
		t.Errorf("%d sent with a new limit, soft %d", n, len(p.spoke.of(SASoft)))
	}
}

// TestLastNumber: nine tenths of the numbers are told, the last one is used, and none after it.
func TestLastNumber(t *testing.T) {
	for _, esn := range []bool{false, true} {
		s := gcm128
		s.esn, s.window = esn, 64
		p := newPair(t, s)
		last := uint64(1<<32 - 1)
		out := p.spoke.e.tables.SA(uint32(saOut))
		out.Seq.Store(last/10*9 - 2)
		p.hub.e.tables.SA(uint32(saIn)).Seq.Store(last - 100)
		p.sealed(ipv4(behind1, hostIP, nil))
		if u := p.spoke.of(SASoft); len(u) != 0 {
			t.Errorf("soft at %d", out.Seq.Load())
		}
		p.sealed(ipv4(behind1, hostIP, nil))
		if u := p.spoke.of(SASoft); (len(u) == 1) == esn {
			t.Errorf("ESN %v: soft %+v at %d", esn, u, out.Seq.Load())
		}
		out.Seq.Store(last - 2)
		sent := 0
		for range 5 {
			frames := p.sealed(ipv4(behind1, hostIP, pattern(30)))
			sent += len(frames)
			p.deliver(frames...)
		}
		want := 2
		if esn {
			want = 5
		}
		n, _ := p.hub.e.SACount(saIn)
		if sent != want || n.Packets != uint64(want) || n.AuthFailed+n.Replayed != 0 {
			t.Errorf("ESN %v: %d sent, %+v opened", esn, sent, n)
		}
		if esn {
			continue
		}
		if c, _ := p.spoke.e.SACount(saOut); p.spoke.count(SASequence) != 3 || len(p.spoke.of(SAHard)) != 1 || c.LastSeq != last || c.Errors != 3 {
			t.Errorf("%v, %+v", p.spoke.nonZero(), c)
		}
	}
}

// TestMoved: the peer of ESP in UDP is followed after a packet that is authentic and the newest; no other packet moves it.
func TestMoved(t *testing.T) {
	s := suite{cipher: fib.CipherAESGCM, key: 20, encap: true, window: 64}
	p := newPair(t, s)
	f := p.forger(s, saOut)
	packetNo := func(seq uint64) []byte {
		return f.esp(seq, f.body(gre(packet.TypeIPv4, ipv4(behind1, hostIP, nil)), 47))
	}
	where := func() string {
		c, _ := p.hub.e.SACount(saIn)
		return netAddr(c)
	}
	bad := packetNo(1)
	bad[len(bad)-1]++
	p.deliver(udp4500(spoke2NBMA, 7, bad))
	if w := where(); w != "192.0.2.11:4500" || len(p.hub.of(SAMoved)) != 0 {
		t.Errorf("a forged packet moved the peer to %s", w)
	}
	if out := p.deliver(udp4500(spoke2NBMA, 1111, packetNo(10))); len(out) != 1 {
		t.Fatalf("%v", p.hub.nonZero())
	}
	u := p.hub.of(SAMoved)
	if w := where(); w != "192.0.2.12:1111" || len(u) != 1 || u[0].SA != saIn || u[0].OuterSrc != addr(spoke2NBMA) || u[0].OuterPort != 1111 {
		t.Errorf("moved to %s, %+v", w, u)
	}
	// A packet that was on its way before is no move back, and neither is one that comes twice.
	if out := p.deliver(udp4500(spoke1NBMA, natPort, packetNo(9))); len(out) != 1 {
		t.Errorf("%v", p.hub.nonZero())
	}
	p.deliver(udp4500(spoke1NBMA, natPort, packetNo(10)))
	if w := where(); w != "192.0.2.12:1111" || len(p.hub.of(SAMoved)) != 1 {
		t.Errorf("moved to %s", w)
	}
	// What is applied as it was leaves the peer where it is; what is applied anew moves it.
	list := s.associations(hubNBMA, spoke1NBMA, spiToSpoke, spiToHub)
	p.hub.apply(&fib.Batch{SAs: list})
	if w := where(); w != "192.0.2.12:1111" {
		t.Errorf("applying the same moved the peer to %s", w)
	}
	list[1].RemotePort = 999
	p.hub.apply(&fib.Batch{SAs: list})
	if w := where(); w != "192.0.2.11:999" {
		t.Errorf("the peer is at %s", w)
	}
	// Keepalives and IKE are the slow path's.
	before := len(p.hub.of(Local))
	p.deliver(udp4500(spoke1NBMA, 1, []byte{0xff}), udp4500(spoke1NBMA, 1, []byte{0, 0, 0, 0, 1, 2, 3, 4}), udp4500(spoke1NBMA, 1, nil))
	if n := len(p.hub.of(Local)); n != before+3 {
		t.Errorf("%d punted", n-before)
	}
}

func netAddr(c SACount) string { return netip.AddrPortFrom(c.Remote, c.RemotePort).String() }

// TestUnknown: the slow path hears of an SPI once a sender and second.
func TestUnknown(t *testing.T) {
	p := newPair(t, gcm128)
	frames := p.sealed(ipv4(behind1, hostIP, pattern(40)), ipv4(behind1, hostIP, pattern(40)), ipv4(behind1, hostIP, pattern(40)))
	p.hub.apply(&fib.Batch{DelSAs: []fib.SAID{saIn}})
	p.deliver(frames...)
	u := p.hub.of(SAUnknown)
	if len(u) != 1 || u[0].SPI != spiToHub || u[0].OuterSrc != addr(spoke1NBMA) || u[0].OuterDst != addr(hubNBMA) || u[0].SA != 0 || len(u[0].Packet) == 0 {
		t.Errorf("%+v", u)
	}
	if n := p.hub.count(SAUnknownSPI); n != 3 {
		t.Errorf("%d dropped", n)
	}
	p.hub.now += 2e9
	p.deliver(frames[0])
	if n := len(p.hub.of(SAUnknown)); n != 2 {
		t.Errorf("%d punts after two seconds", n)
	}
	if _, ok := p.hub.e.SACount(saIn); ok {
		t.Error("still counted")
	}
}

// TestSARefusals: what is malformed changes nothing; what does not fit is refused by itself.
func TestSARefusals(t *testing.T) {
	r := newRig(t, gcm128.hub, func(c *Config, _ *fib.Batch) { c.MaxSAs = 8 })
	good := gcm128.associations(hubNBMA, spoke1NBMA, spiToSpoke, spiToHub)[1]
	other := good
	other.ID, other.SPI = 5, 0x9999
	for name, change := range map[string]func(f *fib.SA){
		"number zero":       func(f *fib.SA) { f.ID = 0 },
		"reserved SPI":      func(f *fib.SA) { f.SPI = 255 },
		"VRF":               func(f *fib.SA) { f.OuterVRF = 999 },
		"no local":          func(f *fib.SA) { f.Local = addr([4]byte{}) },
		"key length":        func(f *fib.SA) { f.CipherKey = f.CipherKey[1:] },
		"AH in UDP":         func(f *fib.SA) { f.AH, f.Encap, f.LocalPort, f.RemotePort = true, true, 1, 1 },
		"no ports":          func(f *fib.SA) { f.Encap = true },
		"window of 65":      func(f *fib.SA) { f.Window = 65 },
		"window of 2048":    func(f *fib.SA) { f.Window = 2048 },
		"under itself":      func(f *fib.SA) { f.Under = f.ID },
		"nothing protected": func(f *fib.SA) { f.Cipher, f.CipherKey = fib.CipherNull, nil },
		"another key":       func(f *fib.SA) { *f = good; f.CipherKey = append(fib.Key(nil), f.CipherKey...); f.CipherKey[3]++ },
		"another SPI":       func(f *fib.SA) { *f = good; f.SPI++ },
		"another window":    func(f *fib.SA) { *f = good; f.Window = 128 },
		"ESN":               func(f *fib.SA) { *f = good; f.ESN = true },
	} {
		f := other
		change(&f)
		gen := r.e.Generation()
		if _, err := r.e.Apply(&fib.Batch{SAs: []fib.SA{f}, Routes: []fib.Route{route("10.9.0.0/16", fib.Null)}}); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if r.e.Generation() != gen {
			t.Errorf("%s: something changed", name)
		}
	}
	twice := other
	twice.ID = 6
	if _, err := r.e.Apply(&fib.Batch{SAs: []fib.SA{other, twice}}); err == nil {
		t.Error("two with one SPI in a batch: accepted")
	}
	taken, far := good, other
	taken.ID, far.ID, far.SPI = 7, 8, 0x7777
	refused, err := r.e.Apply(&fib.Batch{SAs: []fib.SA{taken, far, other}})
	var spi *table.ErrSPITaken
	if err != nil || len(refused) != 2 || refused[0].SA != 7 || !errors.As(refused[0].Err, &spi) || refused[1].SA != 8 || !errors.Is(refused[1].Err, ErrFull) {
		t.Errorf("refused %v, %v", refused, err)
	}
	if _, ok := r.e.SACount(5); !ok {
		t.Error("what fits is not installed")
	}
	// ESP-NULL without anything over it would be clear text in a wrapper.
	null := fib.SA{ID: 6, SPI: 0x5555, Local: addr(hubNBMA), Remote: addr(spoke1NBMA)}
	a := tunnelAdj(40, spoke1NBMA)
	a.SA = 6
	if refused, err := r.e.Apply(&fib.Batch{SAs: []fib.SA{null}, Adjacencies: []fib.Adjacency{a}}); err != nil || len(refused) != 1 || refused[0].Adj != 40 {
		t.Errorf("refused %v, %v", refused, err)
	}
	// Idempotent, and a number can be given away again.
	r.apply(&fib.Batch{SAs: []fib.SA{good}})
	gen := r.e.Generation()
	r.apply(&fib.Batch{SAs: []fib.SA{good, other}})
	if r.e.Generation() != gen {
		t.Error("applying again changed something")
	}
	r.apply(&fib.Batch{DelSAs: []fib.SAID{5, 77}})
	other.CipherKey = testKey(20, 99)
	r.apply(&fib.Batch{SAs: []fib.SA{other}})
}

// TestKeysCleared: the keys of an association that was taken away stay nowhere in the arena.
func TestKeysCleared(t *testing.T) {
	r := newRig(t, suite{cipher: fib.CipherAESCBC, key: 32, auth: fib.AuthHMACSHA512, authKey: 64}.hub)
	keys := [][]byte{}
	s := r.e.tables.SA(uint32(saOut))
	c, a := r.e.tables.SAKeys(s)
	keys = append(keys, c, a)
	r.apply(&fib.Batch{DelSAs: []fib.SAID{saOut}})
	r.apply(&fib.Batch{})
	for _, k := range keys {
		for _, b := range k[4:] { // a free block's link stands in front
			if b != 0 {
				t.Fatalf("%x is left", k)
			}
		}
	}
	if len(r.e.spent) != 0 || r.e.transforms[saOut].Load() != nil {
		t.Error("the transform is left")
	}
}
