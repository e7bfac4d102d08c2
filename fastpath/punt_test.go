package fastpath

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// TestPuntRingFull: what the slow path is too slow for is lost, and counted by its reason; forwarding goes on.
func TestPuntRingFull(t *testing.T) {
	r := newRig(t)
	for range 100 {
		r.wan.in = append(r.wan.in, toWAN(ipv4(behind1, hubLAN, nil)))
	}
	r.wan.in = append(r.wan.in, toWAN(ipv4(behind1, hostIP, nil)), fromSpoke1(ipv4(behind1, behind2, nil)))
	r.w.Poll(r.now)
	s := r.e.Counters()
	if s.Reasons[Local] != 64 || s.Lost[Local] != 36 || s.Lost[Redirect] != 1 || len(r.lan.out) != 1 || len(r.wan.out) != 1 {
		t.Errorf("%d punted, %d and %d lost, %d and %d forwarded", s.Reasons[Local], s.Lost[Local], s.Lost[Redirect], len(r.lan.out), len(r.wan.out))
	}
	if n := r.e.Drain(0, func(*Punt) {}); n != 64 {
		t.Errorf("drained %d", n)
	}
}

// TestPuntTooLong: a packet that fits no slot is lost; of what is only quoted, the start is enough.
func TestPuntTooLong(t *testing.T) {
	r := newRig(t, func(c *Config, _ *fib.Batch) { c.SlotSize = 1024 })
	r.fromWAN(toWAN(ipv4(behind1, hubLAN, pattern(1100))), toWAN(ipv4(behind1, hostIP, pattern(1100), ttl(1))))
	if u := r.onePunt(TTLExpired); u.Len != 1120 || len(u.Packet) != quoteLen {
		t.Errorf("punt of %d bytes of %d", len(u.Packet), u.Len)
	}
	if n := r.e.Counters().Lost[Local]; n != 1 {
		t.Errorf("%d lost", n)
	}
}

// TestDecodePunt does not trust what another process may have written.
func TestDecodePunt(t *testing.T) {
	s := make([]byte, 256)
	s[2], s[3] = 225, 0
	var u Punt
	if u.decode(s) {
		t.Error("a packet longer than its slot")
	}
	s[2], s[0] = 3, NumReasons
	if u.decode(s) {
		t.Error("a reason that does not exist")
	}
}

func TestPuntWake(t *testing.T) {
	r := newRig(t)
	fd, err := r.e.PuntFD(0)
	if err != nil {
		t.Fatal(err)
	}
	readable := func() bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	local := toWAN(ipv4(behind1, hubLAN, nil))
	r.fromWAN(local)
	if readable() {
		t.Error("a wake-up that nobody asked for")
	}
	r.wan.in = append(r.wan.in, local)
	r.w.Poll(r.now)
	if r.e.ArmPunt(0) {
		t.Error("may sleep though a punt waits")
	}
	r.poll()
	if !r.e.ArmPunt(0) || readable() {
		t.Error("may not sleep though nothing waits")
	}
	r.fromWAN(local)
	if !readable() {
		t.Error("no wake-up")
	}
	for _, i := range []int{-1, 1} {
		if _, err := r.e.PuntFD(i); err == nil || r.e.ArmPunt(i) || r.e.Drain(i, nil) != 0 {
			t.Errorf("worker %d has punts", i)
		}
	}
}

func TestPunts(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan []byte)
	ended := make(chan error)
	go func() {
		ended <- r.e.Punts(ctx, 0, func(u *Punt) { got <- bytes.Clone(u.Packet) })
	}()
	for i := range 20 {
		if i%5 == 0 {
			time.Sleep(2 * time.Millisecond) // let it fall asleep
		}
		want := ipv4(behind1, hubLAN, pattern(i))
		r.wan.in = append(r.wan.in, toWAN(want))
		r.w.Poll(r.now)
		if b := <-got; !bytes.Equal(b, want) {
			t.Fatalf("punt %d: %x", i, b)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := r.e.Punts(ctx, 3, nil); err == nil {
		t.Error("punts of a worker that is not there")
	}
}

func TestReasonTable(t *testing.T) {
	seen := map[string]bool{}
	for i := range Reason(NumReasons) {
		name, text := i.String(), i.Text()
		if name == "" || strings.ToLower(name) != name || strings.ContainsAny(name, " _") || seen[name] {
			t.Errorf("reason %d has the name %q", i, name)
		}
		if text == "" || strings.HasSuffix(text, ".") {
			t.Errorf("reason %s has the text %q", i, text)
		}
		seen[name] = true
	}
	var beyond Reason = NumReasons
	if beyond.String() != "unknown" || beyond.Text() == "" || beyond.Class() != ClassDrop {
		t.Error("a reason that does not exist")
	}
	for f, r := range ipFault {
		if f != int(packet.OK) && r == Unknown {
			t.Errorf("IPv4 fault %d has no reason", f)
		}
	}
	for f, r := range greFault {
		if f != int(packet.OK) && r == Unknown {
			t.Errorf("GRE fault %d has no reason", f)
		}
	}
}

func TestPollCounters(t *testing.T) {
	r := newRig(t)
	for _, n := range []int{0, 1, 3, 200, 0} {
		for range n {
			r.wan.in = append(r.wan.in, toWAN(ipv4(behind1, hostIP, nil)))
		}
		if got := r.poll(); got != n {
			t.Errorf("poll handled %d packets, want %d", got, n)
		}
	}
	c := r.e.Counters().Workers[0]
	if c.Polls != 5 || c.EmptyPolls != 2 || c.Packets != 204 || c.Forwarded != 204 || c.Ticks == 0 {
		t.Errorf("%+v", c)
	}
	if want := [HistogramBuckets]uint64{0: 2, 1: 1, 2: 1, 8: 1}; c.Histogram != want {
		t.Errorf("histogram %v, want %v", c.Histogram, want)
	}
}

// TestTxFull: what a port does not take is lost and counted; its frames come back.
func TestTxFull(t *testing.T) {
	r := newRig(t)
	r.lan.limit = 10
	for range 30 {
		r.wan.in = append(r.wan.in, toWAN(ipv4(behind1, hostIP, nil)))
	}
	r.poll()
	s := r.e.Counters()
	if len(r.lan.out) != 10 || s.Reasons[TxFull] != 20 || s.Ports[lan].Tx != (Count{10, 340}) {
		t.Errorf("%d sent, %d lost, counted %+v", len(r.lan.out), s.Reasons[TxFull], s.Ports[lan].Tx)
	}
	r.lan.stuck = true
	r.fromWAN(toWAN(ipv4(behind1, hostIP, nil)))
	if r.count(TxFull) != 21 {
		t.Errorf("%d lost", r.count(TxFull))
	}
}
