package afxdp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/bpf"
	"nave/fastpath/port"
	"nave/testbed/netns"
)

// lab is a port on one end of a cable and a raw packet socket on the other.
type lab struct {
	umem     *UMEM
	steering *bpf.Steering
	dut, far *netns.NS
	mac      net.HardwareAddr
	ifindex  int
	raw      int
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{dut: netns.New(t, "dut"), far: netns.New(t, "far"), raw: -1}
	if err := netns.Veth(netns.End{NS: l.dut, Name: "eth0"}, netns.End{NS: l.far, Name: "eth0"}, 1500); err != nil {
		t.Fatal(err)
	}
	var err error
	if l.steering, err = bpf.New(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.steering.Close() })
	if l.umem, err = NewUMEM(2048, 2048); err != nil {
		t.Fatal(err)
	}
	must(t, l.dut.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		l.mac, l.ifindex = i.HardwareAddr, i.Index
		a, err := l.steering.Attach(1, i.Index, "")
		if err == nil {
			t.Cleanup(func() { a.Detach() })
		}
		return err
	}))
	p := bpf.Port{Base: 10}
	copy(p.MAC[:], l.mac)
	must(t, l.steering.SetPort(1, p))
	must(t, l.far.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		proto := int(binary.NativeEndian.Uint16([]byte{8, 0}))
		if l.raw, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, proto); err != nil {
			return err
		}
		tv := unix.Timeval{Sec: 30}
		if err := unix.SetsockoptTimeval(l.raw, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return err
		}
		return unix.Bind(l.raw, &unix.SockaddrLinklayer{Protocol: uint16(proto), Ifindex: i.Index})
	}))
	t.Cleanup(func() { unix.Close(l.raw) })
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (l *lab) open(t *testing.T) *Port {
	t.Helper()
	var p *Port
	must(t, l.dut.Do(func() (err error) {
		p, err = openAgain(l.umem, Config{Ifindex: l.ifindex, Ring: 512})
		return err
	}))
	must(t, l.steering.SetSocket(10, p.FD()))
	return p
}

// transit is a frame that steering sends to nave, marked with n.
func (l *lab) transit(n int) []byte {
	b := make([]byte, 64)
	copy(b, l.mac)
	copy(b[6:], []byte{2, 0, 0, 0, 0, 9, 8, 0, 0x45})
	b[14+8], b[14+9] = 64, 17
	copy(b[14+12:], []byte{192, 0, 2, 9, 10, 99, 0, 1})
	binary.BigEndian.PutUint32(b[60:], uint32(n))
	return b
}

func receive(p *Port, want int) []port.Frame {
	var got []port.Frame
	fs := make([]port.Frame, 64)
	for end := time.Now().Add(30 * time.Second); len(got) < want && time.Now().Before(end); {
		n := p.Recv(fs)
		got = append(got, fs[:n]...)
		if n == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	return got
}

func TestReceiveAndSend(t *testing.T) {
	l := newLab(t)
	p := l.open(t)
	const n = 1000 // several times round the rings
	for i := range n {
		if _, err := unix.Write(l.raw, l.transit(i)); err != nil {
			t.Fatal(err)
		}
		if i%100 != 99 {
			continue
		}
		got := receive(p, 100)
		if len(got) != 100 {
			t.Fatalf("after frame %d: %d of 100 arrived", i, len(got))
		}
		for k, f := range got {
			if !bytes.Equal(l.umem.pool.Bytes(f), l.transit(i-99+k)) {
				t.Fatalf("frame %d came as % x", i-99+k, l.umem.pool.Bytes(f))
			}
			if f.Start < port.Headroom {
				t.Fatalf("frame starts at %d, headroom must be %d", f.Start, port.Headroom)
			}
		}
		// Send them back with a header put in front, in place.
		for k := range got {
			got[k].Start -= 4
			got[k].Len += 4
			copy(l.umem.pool.Bytes(got[k]), []byte{2, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 8, 0, 0xab, byte(k)})
		}
		if s := p.Send(got); s != 100 {
			t.Fatalf("sent %d of 100", s)
		}
		buf := make([]byte, 2048)
		for k := range got {
			p.Flush()
			m, err := unix.Read(l.raw, buf)
			if err != nil || m != 68 || buf[15] != byte(k) {
				t.Fatalf("frame %d back: %d bytes, %v", k, m, err)
			}
		}
	}
	for end := time.Now().Add(30 * time.Second); p.outstanding != 0; time.Sleep(time.Millisecond) {
		if p.Flush(); time.Now().After(end) {
			t.Fatalf("%d packets not completed", p.outstanding)
		}
	}
	must(t, p.Close())
	if free := l.umem.pool.Free(); free != 2048 {
		t.Errorf("%d of 2048 chunks are back after Close", free)
	}
	must(t, l.umem.Close())
}

// Two ports share a UMEM; the one that registered it can be closed and opened again while the other lives.
func TestSharedUMEM(t *testing.T) {
	l := newLab(t)
	other := netns.New(t, "other")
	must(t, netns.Veth(netns.End{NS: other, Name: "eth1"}, netns.End{NS: l.far, Name: "eth1"}, 1500))
	a := l.open(t)
	var b *Port
	must(t, other.Do(func() (err error) {
		i, err := net.InterfaceByName("eth1")
		if err != nil {
			return err
		}
		b, err = Open(l.umem, Config{Ifindex: i.Index, Ring: 512})
		return err
	}))
	must(t, l.steering.ClearSocket(10))
	must(t, a.Close())
	if _, err := unix.Write(l.raw, l.transit(1)); err != nil {
		t.Fatal(err)
	}
	a = l.open(t)
	if _, err := unix.Write(l.raw, l.transit(2)); err != nil {
		t.Fatal(err)
	}
	got := receive(a, 1)
	if len(got) != 1 || !bytes.Equal(l.umem.pool.Bytes(got[0]), l.transit(2)) {
		t.Fatalf("after reopening: %d frames", len(got))
	}
	if n := b.Send(got); n != 1 {
		t.Fatal("the other port refused the frame")
	}
	b.Flush()
	must(t, a.Close())
	must(t, b.Close())
	if free := l.umem.pool.Free(); free != 2048 {
		t.Errorf("%d of 2048 chunks are back", free)
	}
}

// A second program on the same queue gets an error that says so.
func TestQueueTaken(t *testing.T) {
	l := newLab(t)
	p := l.open(t)
	defer p.Close()
	u, err := NewUMEM(64, 2048)
	must(t, err)
	err = l.dut.Do(func() error { _, err := Open(u, Config{Ifindex: l.ifindex, Ring: 64}); return err })
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("another program has this queue")) {
		t.Errorf("second socket on the queue: %v", err)
	}
	must(t, u.Close())
}

// With the link down, sending neither blocks nor crashes.
func TestLinkDown(t *testing.T) {
	l := newLab(t)
	p := l.open(t)
	if _, err := l.dut.Run("ip", "link", "set", "eth0", "down"); err != nil {
		t.Fatal(err)
	}
	c, _ := l.umem.pool.Get()
	p.Send([]port.Frame{{Chunk: c, Start: 256, Len: 64}})
	p.Flush()
	p.Flush()
	must(t, p.Close())
	if free := l.umem.pool.Free(); free != 2048 {
		t.Errorf("%d of 2048 chunks are back", free)
	}
}

func TestBadConfig(t *testing.T) {
	if _, err := NewUMEM(16, 1024); err == nil {
		t.Error("a chunk size of 1024 was taken")
	}
	u, err := NewUMEM(16, 2048)
	must(t, err)
	if _, err := Open(u, Config{Ifindex: 1, Ring: 100}); err == nil {
		t.Error("a ring of 100 entries was taken")
	}
	must(t, u.Close())
}

// openAgain opens a port whose queue the kernel frees a moment after the socket before is closed.
func openAgain(u *UMEM, c Config) (p *Port, err error) {
	for range 3000 {
		if p, err = Open(u, c); !errors.Is(err, unix.EBUSY) {
			return p, err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return p, err
}

// TestFirstCloses: the port that registered the memory closes while others are open, and opens again, also otherwise than it was: the memory stays what it is.
func TestFirstCloses(t *testing.T) {
	l := newLab(t)
	must(t, netns.Veth(netns.End{NS: l.dut, Name: "eth1"}, netns.End{NS: l.far, Name: "eth1"}, 1500))
	must(t, l.dut.Do(func() error {
		i, err := net.InterfaceByName("eth1")
		if err != nil {
			return err
		}
		c := Config{Ifindex: l.ifindex, Ring: 256}
		first, err := Open(l.umem, c)
		if err != nil {
			return err
		}
		other, err := Open(l.umem, Config{Ifindex: i.Index, Ring: 256})
		if err != nil {
			return err
		}
		for _, ring := range []int{256, 1024} {
			must(t, first.Close())
			must(t, first.Close())
			c.Ring = ring
			if first, err = openAgain(l.umem, c); err != nil {
				return err
			}
			if first.Mode().Ring != ring {
				t.Errorf("ring of %d entries: %+v", ring, first.Mode())
			}
		}
		must(t, other.Close())
		must(t, first.Close())
		return nil
	}))
	if free := l.umem.pool.Free(); free != 2048 {
		t.Errorf("%d of 2048 chunks are back", free)
	}
}

// TestMovedPort: a port whose netdev goes to another network namespace is opened there by a socket that was made there, while the others forward on, and packets come.
func TestMovedPort(t *testing.T) {
	l := newLab(t)
	elsewhere := netns.New(t, "vrf")
	must(t, netns.Veth(netns.End{NS: l.dut, Name: "eth1"}, netns.End{NS: l.far, Name: "eth1"}, 1500))
	first := l.open(t)
	var other *Port
	must(t, l.dut.Do(func() error {
		i, err := net.InterfaceByName("eth1")
		if err != nil {
			return err
		}
		other, err = Open(l.umem, Config{Ifindex: i.Index, Ring: 256})
		return err
	}))
	if _, err := l.dut.Run("ip", "link", "set", "eth0", "netns", elsewhere.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := elsewhere.Run("ip", "link", "set", "eth0", "up"); err != nil {
		t.Fatal(err)
	}
	var ifindex, socket int
	must(t, elsewhere.Do(func() (err error) {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		ifindex = i.Index
		socket, err = NewSocket()
		return err
	}))
	// the dead socket of before is still there, and the first in the list
	moved, err := Open(l.umem, Config{Ifindex: ifindex, Ring: 256, Socket: socket})
	must(t, err)
	must(t, first.Close())
	must(t, l.steering.SetSocket(10, moved.FD()))
	frames := make([]port.Frame, 8)
	got := 0
	for end := time.Now().Add(30 * time.Second); got == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		_, _ = unix.Write(l.raw, l.transit(1)) // refused until the link is up
		got = moved.Recv(frames)
	}
	if got == 0 {
		t.Error("no packet came by the moved port")
	}
	must(t, l.steering.ClearSocket(10))
	must(t, moved.Close())
	must(t, other.Close())
}
