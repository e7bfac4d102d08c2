package path

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
	"nave/perf/report"
)

const testHz = 2e9 // no test looks at times

// short is options that measure next to nothing.
func short() Options {
	return Options{Runs: 3, Passes: 2, Time: 10 * time.Microsecond, Burst: 32}
}

func measure(t *testing.T, o Options) (rows []report.Row) {
	t.Helper()
	err := Measure(t.Context(), o, testHz, func(r report.Row) error {
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestEveryWork: every work at every size and a few numbers of tunnels forwards all and right, which the measurement itself checks, and says so in full.
func TestEveryWork(t *testing.T) {
	o := short()
	o.Sizes = []report.Size{28, 64, 1400, report.IMIX}
	o.Tunnels = []int{1, 3, 50}
	rows := measure(t, o)
	if len(rows) != len(works)*len(o.Sizes)*len(o.Tunnels) {
		t.Fatalf("%d rows", len(rows))
	}
	seen := map[string]bool{}
	for i := range rows {
		r := &rows[i]
		if seen[r.Key()] {
			t.Errorf("%s twice", r.Key())
		}
		seen[r.Key()] = true
		if !(r.TicksPerPacket > 0) || !(r.NsPerPacket > 0) || !(r.Mpps > 0) || !(r.Gbps > 0) || r.Burst != 32 || !(r.P999BurstTicks >= 32*r.TicksPerPacket/2) || r.Spread < 0 || r.SetAside < 0 || r.SetAside > 0.5 {
			t.Errorf("%+v", r)
		}
		if sealed := strings.HasPrefix(r.Work, "esp-") || r.Work == "hairpin"; (r.Transform == defaultCipher) != sealed {
			t.Errorf("%s has transform %q", r.Work, r.Transform)
		}
	}
}

// TestEveryTransform: each is forwarded, sealed so that the peer opens it, and opened.
func TestEveryTransform(t *testing.T) {
	o := short()
	o.Works, o.Sizes, o.Tunnels, o.Transforms = []string{"esp-encap", "esp-decap", "hairpin"}, []report.Size{100, report.IMIX}, []int{2}, parseTransforms("all")
	if rows := measure(t, o); len(rows) != 3*2*len(transforms) {
		t.Errorf("%d rows", len(rows))
	}
}

// TestCold: it walks over many frames, and the same comes out.
func TestCold(t *testing.T) {
	o := short()
	o.Works, o.Sizes, o.Tunnels, o.Cold, o.Runs = []string{"gre-encap", "esp-decap"}, []report.Size{64}, []int{3}, true, 1
	if rows := measure(t, o); len(rows) != 2 {
		t.Errorf("%d rows", len(rows))
	}
}

// TestNoAllocation: forwarding allocates nothing, and neither does what makes bursts ready.
func TestNoAllocation(t *testing.T) {
	for i := range works {
		s := testScene(t, &works[i], 7)
		if n := testing.AllocsPerRun(20, func() {
			if err := s.pass(warmStep, func(uint64) {}); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: %g allocations a pass", works[i].name, n)
		}
	}
}

// testScene is a scene of a work that has been warmed up.
func testScene(t *testing.T, w *work, n int) *scene {
	t.Helper()
	s, err := newScene(w, findTransform(defaultCipher), n, 32, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	m, err := newMix(report.IMIX)
	if err != nil {
		t.Fatal(err)
	}
	s.setMix(m)
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	if err := s.warm(0, testHz); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWrongBytes: a frame that differs anywhere from what should have come out is found out.
func TestWrongBytes(t *testing.T) {
	for i := range works {
		w := &works[i]
		s := testScene(t, w, 3)
		var frame []byte
		s.checking = true
		s.to.take = func(fs []port.Frame) { frame = append(frame[:0], s.gw.w.Pool().Bytes(fs[0])...) }
		if err := s.pass(warmStep, func(uint64) {}); err != nil {
			t.Fatal(err)
		}
		if err := s.checkFrame(frame, true); err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		for at := range frame {
			bad := bytes.Clone(frame)
			bad[at] ^= 0x40
			if err := s.checkFrame(bad, true); err == nil {
				t.Errorf("%s: byte %d of %d is changed, and nobody minds", w.name, at, len(frame))
			}
		}
		for cut := range frame {
			if err := s.checkFrame(frame[:cut], true); err == nil {
				t.Errorf("%s: %d bytes of %d, and nobody minds", w.name, cut, len(frame))
			}
		}
	}
}

// TestLost: packets that do not leave end the measurement with the reason.
func TestLost(t *testing.T) {
	s := testScene(t, &works[0], 3)
	refused, err := s.gw.e.Apply(&fib.Batch{DelRoutes: []fib.RouteKey{{Prefix: net24(target(1))}}})
	if err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	err = s.pass(warmStep, func(uint64) {})
	if err == nil || !strings.Contains(err.Error(), "unroutable") && !strings.Contains(err.Error(), "no-route") {
		t.Errorf("error %v", err)
	}
}

// TestSealer: what it seals is ESP by RFC 4303 and RFC 4106, with numbers that go up.
func TestSealer(t *testing.T) {
	tr := findTransform("aes-256-gcm")
	z, err := newSealer(tr, 2)
	if err != nil {
		t.Fatal(err)
	}
	key := material(tr.key, sealerKey, 'c')
	block, err := aes.NewCipher(key[:32])
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	ivs := map[string]bool{}
	for size := 28; size < 100; size++ {
		ip := inner(1, size, innerTTL)
		frame := sealedFrame(peer(1), 77, ip)
		z.seal(frame, 1, size)
		outer, fault := packet.ParseIPv4(frame[packet.EthernetLen:])
		if fault != packet.OK || outer.Proto() != packet.ProtoESP || outer.Src() != uint32(peer(1)) || len(outer.Payload())%4 != 0 {
			t.Fatalf("%d: outer header %x", size, frame[:34])
		}
		esp := outer.Payload()
		if binary.BigEndian.Uint32(esp) != 77 || binary.BigEndian.Uint32(esp[4:]) != uint32(size-27) || ivs[string(esp[8:16])] {
			t.Fatalf("%d: ESP header %x", size, esp[:16])
		}
		ivs[string(esp[8:16])] = true
		text, err := aead.Open(nil, slices.Concat(key[32:], esp[8:16]), esp[16:], esp[:8])
		if err != nil {
			t.Fatalf("%d: %v", size, err)
		}
		pad := int(text[len(text)-2])
		if text[len(text)-1] != packet.ProtoGRE || pad > 3 || !bytes.Equal(text[greLen:len(text)-2-pad], ip) {
			t.Fatalf("%d: opened %x", size, text)
		}
		for i := range pad {
			if text[len(text)-2-pad+i] != byte(i+1) {
				t.Errorf("%d: padding %x", size, text[len(text)-2-pad:])
			}
		}
	}
	if z, err := newSealer(findTransform("chacha20-poly1305"), 1); z != nil || err != nil {
		t.Errorf("a sealer for what it can not seal: %v", err)
	}
}

// TestFarSideAgrees: the second engine and the library's cipher come to the same: a transform that both can do gives packets that the gateway takes from either.
func TestFarSideAgrees(t *testing.T) {
	tr := *findTransform(defaultCipher)
	tr.icv = tagLen // the same, and not the sealer's
	s, err := newScene(&works[4], &tr, 3, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.far == nil || s.own != nil {
		t.Fatal("the far side is not there")
	}
	m, err := newMix(report.IMIX)
	if err != nil {
		t.Fatal(err)
	}
	s.setMix(m)
	if err := s.check(); err != nil {
		t.Error(err)
	}
}

// TestOrder: every flow has its turn before one has its second, and every size its share.
func TestOrder(t *testing.T) {
	s := testScene(t, &works[0], 64)
	flows, sizes := map[int]int{}, map[int]int{}
	s.to.take = func(fs []port.Frame) {
		for _, f := range fs {
			ip := packet.IPv4(s.gw.w.Pool().Bytes(f)[packet.EthernetLen:])
			flows[targetFlow(ip.Dst())]++
			sizes[len(ip)]++
		}
	}
	for range 12 {
		if err := s.pass(warmStep, func(uint64) {}); err != nil {
			t.Fatal(err)
		}
	}
	if len(flows) != 64 || sizes[40] != 7*64 || sizes[576] != 4*64 || sizes[tunnelMTU] != 64 {
		t.Errorf("%d flows, sizes %v", len(flows), sizes)
	}
	for i, n := range flows {
		if n != 12 {
			t.Errorf("flow %d had %d turns", i, n)
		}
	}
}

func TestMeanWithout(t *testing.T) {
	if mean, n := meanWithout([]float64{10, 12, 14, 1000}); mean != 12 || n != 3 {
		t.Errorf("%g of %d", mean, n)
	}
	if mean, n := meanWithout([]float64{10, 20}); mean != 15 || n != 2 {
		t.Errorf("%g of %d", mean, n)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := short()
	if err := Measure(ctx, o, testHz, func(report.Row) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	stop := fmt.Errorf("enough")
	if err := Measure(t.Context(), o, testHz, func(report.Row) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

// TestPrices: rows with prices forward all and right, each under a name of its own, and those that pay do pay.
func TestPrices(t *testing.T) {
	o := short()
	o.Sizes, o.Tunnels, o.Prices = []report.Size{64}, []int{3}, []string{noPrices, zeroPrices, paidPrices}
	seen := map[string]bool{}
	for _, r := range measure(t, o) {
		seen[r.Key()] = true
	}
	if len(seen) != 3*len(works) || !seen["ipv4/64/3"] || !seen["ipv4+zero/64/3"] || !seen["hairpin+paid/aes-128-gcm/64/3"] {
		t.Errorf("rows %v", seen)
	}
	for i := range works {
		for _, name := range priceNames[1:] {
			s := testScene(t, &works[i], 7)
			if err := s.gw.e.SetPricer(pricer(name)); err != nil {
				t.Fatal(err)
			}
			before := s.gw.e.Counters()
			if err := s.pass(warmStep, func(uint64) {}); err != nil {
				t.Fatal(err)
			}
			after := s.gw.e.Counters()
			spent := after.Spent[fib.Engine] - before.Spent[fib.Engine]
			if packets := uint64(len(s.slots)); name == zeroPrices && spent != 0 || name == paidPrices && spent < packets*fib.PassCost {
				t.Errorf("%s+%s: %d packets spent %d", works[i].name, name, packets, spent)
			}
		}
	}
}
