package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"nave/fastpath/packet"
)

var target = netip.MustParseAddr("10.2.0.7")

// icmp makes a message with a right checksum.
func icmp(typ, code uint8, rest uint32, body []byte) []byte {
	b := append([]byte{typ, code, 0, 0, 0, 0, 0, 0}, body...)
	binary.BigEndian.PutUint32(b[4:], rest)
	binary.BigEndian.PutUint16(b[2:], packet.Checksum(b))
	return b
}

// quote is a packet as an error has it.
func quote(proto uint8, dst netip.Addr, l4 []byte) []byte {
	b := make([]byte, 20, 28)
	b[0], b[9] = 0x45, proto
	to := dst.As4()
	copy(b[16:], to[:])
	return append(b, l4...)
}

// datagram is the beginning of a UDP datagram.
func datagram(sport, dport uint16) []byte {
	b := make([]byte, 8)
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	return b
}

func TestComplete(t *testing.T) {
	r := Request{Target: target}
	if err := r.Complete(); err != nil || r.Repeat != 5 || r.Size != 100 || r.Timeout != 2*time.Second {
		t.Errorf("%v %+v", err, r)
	}
	r = Request{Target: target, Trace: true}
	if err := r.Complete(); err != nil || r.Repeat != 3 || r.FirstTTL != 1 || r.LastTTL != 30 || r.Timeout != 3*time.Second || r.Port != 33434 {
		t.Errorf("%v %+v", err, r)
	}
	for _, bad := range []Request{
		{}, {Target: netip.MustParseAddr("224.0.0.9")}, {Target: netip.MustParseAddr("255.255.255.255")}, {Target: netip.MustParseAddr("0.0.0.0")}, {Target: netip.MustParseAddr("2001:db8::1")},
		{Target: target, Size: 35}, {Target: target, Size: 18025}, {Target: target, Repeat: -1}, {Target: target, Timeout: -1}, {Target: target, Timeout: 2 * time.Hour},
		{Target: target, Trace: true, FirstTTL: 9, LastTTL: 8}, {Target: target, Trace: true, LastTTL: 256}, {Target: target, Trace: true, Repeat: 17},
		{Target: target, Trace: true, Port: 65536}, {Target: target, Source: netip.MustParseAddr("::1")},
	} {
		if err := bad.Complete(); !errors.Is(err, ErrRequest) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestEcho(t *testing.T) {
	b := echo(7, 9, 100)
	if len(b) != 80 || b[0] != 8 || packet.Checksum(b) != 0 || !bytes.Equal(b[4:12], []byte{0, 7, 0, 9, 0xab, 0xcd, 0xab, 0xcd}) {
		t.Errorf("%x", b)
	}
}

// stack is an extension with labels, behind a quoted packet that is filled up to 128 bytes.
func stack(quoted []byte, words ...uint32) []byte {
	b := make([]byte, 128)
	copy(b, quoted)
	object := make([]byte, 4, 64)
	binary.BigEndian.PutUint16(object, uint16(4+4*len(words)))
	object[2], object[3] = 1, 1
	for _, w := range words {
		object = binary.BigEndian.AppendUint32(object, w)
	}
	ext := append([]byte{0x20, 0, 0, 0}, object...)
	binary.BigEndian.PutUint16(ext[2:], packet.Checksum(ext))
	return append(b, ext...)
}

func TestUnderstand(t *testing.T) {
	udp := quote(17, target, datagram(4000, 33434))
	for _, c := range []struct {
		name string
		b    []byte
		ok   bool
		want message
	}{
		{"reply", icmp(0, 0, 7<<16|9, nil), true, message{kind: Reply, id: 7, seq: 9}},
		{"request", icmp(8, 0, 7<<16|9, nil), false, message{}},
		{"unreachable", icmp(3, 1, 0, quote(1, target, echo(7, 9, 36))), true, message{kind: Unreachable, code: 1, id: 7, seq: 9}},
		{"too big", icmp(3, 4, 1400, quote(1, target, echo(7, 9, 36))), true, message{kind: TooBig, code: 4, mtu: 1400, id: 7, seq: 9}},
		{"exceeded", icmp(11, 0, 0, udp), true, message{kind: Exceeded}},
		{"exceeded, with labels", icmp(11, 0, 32<<16, stack(udp, 16<<12|5<<9|1, 17<<12|1<<8|255)), true, message{kind: Exceeded, labels: []Label{{16, 5, 1}, {17, 0, 255}}}},
		{"labels behind a length that nobody said", icmp(11, 0, 0, stack(udp, 16<<12|1)), true, message{kind: Exceeded, labels: []Label{{16, 0, 1}}}},
		{"quench", icmp(4, 0, 0, udp), true, message{kind: Quench}},
		{"about TCP", icmp(3, 1, 0, quote(6, target, make([]byte, 8))), false, message{}},
		{"about a reply", icmp(3, 1, 0, quote(1, target, make([]byte, 8))), false, message{}},
		{"redirect", icmp(5, 0, 0, udp), false, message{}},
	} {
		m, ok := understand(c.b)
		about := m.about
		m.about = c.want.about
		if ok != c.ok || ok && !reflect.DeepEqual(m, c.want) || ok && c.b[0] != 0 && (about.dst != target || !about.valid) {
			t.Errorf("%s: %v %+v %+v", c.name, ok, m, about)
		}
		broken := bytes.Clone(c.b)
		broken[len(broken)-1] ^= 1
		if _, ok := understand(broken); ok {
			t.Errorf("%s: taken with a wrong checksum", c.name)
		}
	}
}

// What is cut anywhere is refused or read without labels, and never read past its end.
func TestTruncated(t *testing.T) {
	whole := stack(quote(17, target, datagram(4000, 33434)), 16<<12|1, 17<<12|0x100|1)
	for n := range len(whole) {
		m, ok := understand(icmp(11, 0, 32<<16, whole[:n:n]))
		if ok != (n >= 28) || len(m.labels) != 0 {
			t.Errorf("%d bytes: %v %+v", n, ok, m)
		}
	}
}

func FuzzUnderstand(f *testing.F) {
	f.Add(icmp(0, 0, 7<<16|9, nil))
	f.Add(icmp(11, 0, 32<<16, stack(quote(17, target, datagram(4000, 33434)), 16<<12|1)))
	f.Add(icmp(3, 4, 1400, quote(1, target, echo(7, 9, 36))))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= icmpHeader {
			b = bytes.Clone(b)
			binary.BigEndian.PutUint16(b[2:], 0)
			binary.BigEndian.PutUint16(b[2:], packet.Checksum(b))
		}
		m, ok := understand(b)
		if ok && m.kind != Reply && !m.about.valid || len(m.labels) > maxLabels {
			t.Errorf("%+v", m)
		}
	})
}

// wire is a network in memory: each packet that is sent is answered by answer, or not.
type wire struct {
	answer func(w *wire) // puts into queue what comes
	sent   int
	to     netip.AddrPort
	ttl    int
	last   []byte
	queue  []arrival
	fail   error
}

type arrival struct {
	from netip.Addr
	b    []byte
}

func (w *wire) Echo(to netip.Addr, b []byte) error {
	w.sent++
	w.to, w.last = netip.AddrPortFrom(to, 0), b
	w.answer(w)
	return w.fail
}

func (w *wire) Datagram(to netip.AddrPort, ttl int) error {
	w.sent++
	w.to, w.ttl = to, ttl
	w.answer(w)
	return w.fail
}

func (w *wire) Receive(time.Time) (netip.Addr, []byte, error) {
	if len(w.queue) == 0 {
		return netip.Addr{}, nil, ErrLate
	}
	a := w.queue[0]
	w.queue = w.queue[1:]
	return a.from, a.b, nil
}
func (w *wire) LocalPort() uint16 { return 4000 }
func (w *wire) ID() uint16        { return 7 }

func (w *wire) comes(from string, b []byte) {
	w.queue = append(w.queue, arrival{netip.MustParseAddr(from), b})
}

// do runs a request and returns what came of it.
func do(t *testing.T, r Request, w *wire) (list []Answer) {
	t.Helper()
	r.Target = target
	if err := r.Complete(); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), w, &r, 0, func(a Answer) {
		if a.Kind != Timeout && a.Kind != Unsent && a.RTT < 0 {
			t.Errorf("%+v", a)
		}
		a.RTT = 0
		list = append(list, a)
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPing(t *testing.T) {
	seq := func(n int) uint32 { return 7<<16 | uint32(n) }
	w := &wire{answer: func(w *wire) {
		switch w.sent {
		case 1:
			w.comes("10.2.0.7", icmp(0, 0, seq(1), nil))
		case 2: // of others, late, and from elsewhere: none counts
			w.comes("10.2.0.7", icmp(0, 0, 8<<16|2, nil))
			w.comes("10.2.0.7", icmp(0, 0, seq(1), nil))
			w.comes("10.2.0.8", icmp(0, 0, seq(2), nil))
			w.comes("10.2.0.8", icmp(3, 1, 0, quote(1, netip.MustParseAddr("10.2.0.9"), w.last)))
			w.comes("10.2.0.8", []byte{1, 2, 3})
		case 3:
			w.comes("10.9.9.1", icmp(3, 1, 0, quote(1, target, w.last)))
		case 4:
			w.comes("10.9.9.1", icmp(11, 0, 0, quote(1, target, w.last)))
		case 5:
			w.comes("10.9.9.1", icmp(3, 4, 1400, quote(1, target, w.last)))
		}
	}}
	from := netip.MustParseAddr("10.9.9.1")
	want := []Answer{{Seq: 1, Kind: Reply, From: target}, {Seq: 2, Kind: Timeout}, {Seq: 3, Kind: Unreachable, Code: 1, From: from}, {Seq: 4, Kind: Exceeded, From: from}, {Seq: 5, Kind: TooBig, Code: 4, From: from, MTU: 1400}}
	if got := do(t, Request{}, w); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	w = &wire{answer: func(*wire) {}, fail: ErrTooBig}
	if got := do(t, Request{Repeat: 1}, w); got[0].Kind != TooBig {
		t.Errorf("%+v", got)
	}
	w.fail = errors.New("no route")
	if got := do(t, Request{Repeat: 1}, w); got[0].Kind != Unsent || got[0].Why != "no route" {
		t.Errorf("%+v", got)
	}
}

func TestTrace(t *testing.T) {
	w := &wire{answer: func(w *wire) {
		q := quote(17, target, datagram(4000, w.to.Port()))
		switch w.ttl {
		case 1:
			w.comes("10.1.0.1", icmp(11, 0, 0, q))
		case 3:
			w.comes("10.2.0.7", icmp(3, 3, 0, q))
		}
	}}
	got := do(t, Request{Trace: true, Repeat: 2}, w)
	hop := netip.MustParseAddr("10.1.0.1")
	want := []Answer{
		{Seq: 1, TTL: 1, Kind: Exceeded, From: hop}, {Seq: 2, TTL: 1, Kind: Exceeded, From: hop}, {Seq: 1, TTL: 2, Kind: Timeout}, {Seq: 2, TTL: 2, Kind: Timeout},
		{Seq: 1, TTL: 3, Kind: Reply, From: target}, {Seq: 2, TTL: 3, Kind: Reply, From: target},
	}
	if !reflect.DeepEqual(got, want) || w.to.Port() != 33434+5 {
		t.Errorf("%+v, the last port %d", got, w.to.Port())
	}
	// Who says that it can't be reached ends the trace, too.
	w = &wire{answer: func(w *wire) { w.comes("10.1.0.1", icmp(3, 1, 0, quote(17, target, datagram(4000, w.to.Port())))) }}
	if got := do(t, Request{Trace: true, Repeat: 1}, w); len(got) != 1 || got[0].Kind != Unreachable {
		t.Errorf("%+v", got)
	}
	// Nobody answers.
	w = &wire{answer: func(*wire) {}}
	if got := do(t, Request{Trace: true, Repeat: 1, FirstTTL: 2, LastTTL: 4, Port: 65535}, w); len(got) != 3 || got[2].TTL != 4 || w.to.Port() != 65535 {
		t.Errorf("%+v", got)
	}
}

// A ping that is ended by its caller is no error, and sends nothing more.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := &wire{answer: func(w *wire) {
		if w.sent == 3 {
			cancel()
		}
		w.comes("10.2.0.7", icmp(0, 0, 7<<16|uint32(w.sent), nil))
	}}
	r := Request{Target: target, Repeat: 1000}
	if err := r.Complete(); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := Run(ctx, w, &r, 0, func(Answer) { n++ }); err != nil || n != 2 || w.sent != 3 {
		t.Errorf("%v, %d answers, %d sent", err, n, w.sent)
	}
}
