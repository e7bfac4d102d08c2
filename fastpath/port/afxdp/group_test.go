package afxdp

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/bpf"
	"nave/fastpath/port"
	"nave/testbed/netns"
)

// wideLab is a cable of four queues, with a socket on each queue of its near end.
func wideLab(t *testing.T, c Config) (l *lab, ports []*Port) {
	t.Helper()
	l = newLab(t)
	must(t, netns.Veth(netns.End{NS: l.dut, Name: "wide", Queues: 4}, netns.End{NS: l.far, Name: "wide", Queues: 4}, 1500))
	must(t, l.dut.Do(func() error {
		i, err := net.InterfaceByName("wide")
		if err != nil {
			return err
		}
		l.mac, c.Ifindex = i.HardwareAddr, i.Index
		for q := range 4 {
			c.Queue = q
			p, err := Open(l.umem, c)
			if err != nil {
				return err
			}
			ports = append(ports, p)
			if err := l.steering.SetSocket(uint32(64+q), p.FD()); err != nil {
				return err
			}
		}
		if err := l.steering.SetPort(2, bpf.Port{Base: 64, MAC: [6]byte(l.mac)}); err != nil {
			return err
		}
		a, err := l.steering.Attach(2, i.Index, "")
		if err == nil {
			t.Cleanup(func() { a.Detach() })
		}
		return err
	}))
	must(t, l.far.Do(func() error {
		i, err := net.InterfaceByName("wide")
		if err != nil {
			return err
		}
		return unix.Bind(l.raw, &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16([]byte{8, 0}), Ifindex: i.Index})
	}))
	return l, ports
}

// udpFrame is transit of a flow of its own, which the cable puts on a queue by its hash.
func (l *lab) udpFrame(flow, n int) []byte {
	b := l.transit(n)
	binary.BigEndian.PutUint16(b[16:], 50)
	binary.BigEndian.PutUint16(b[34:], uint16(1000+flow))
	binary.BigEndian.PutUint16(b[36:], 53)
	binary.BigEndian.PutUint16(b[38:], 30)
	return b
}

// TestGroup: four queues as one port. All that comes on any of them is received, its descriptor says when, and what is sent leaves.
func TestGroup(t *testing.T) {
	l, ports := wideLab(t, Config{Ring: 256})
	g, err := NewGroup(ports)
	must(t, err)
	readable := func() bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(g.FD()), Events: unix.POLLIN}}, 30_000)
		return err == nil && n == 1
	}
	fs := make([]port.Frame, 64)
	for round := range 20 {
		for flow := range 20 {
			if _, err := unix.Write(l.raw, l.udpFrame(flow, round)); err != nil {
				t.Fatal(err)
			}
		}
		if !readable() {
			t.Fatalf("round %d: packets wait on the queues, and the group's descriptor is not readable", round)
		}
		got := 0
		for range 1000 {
			n := g.Recv(fs)
			got += n
			if n == 0 {
				if got >= 20 || !readable() {
					break
				}
				continue
			}
			for _, f := range fs[:n] {
				copy(l.umem.pool.Bytes(f), []byte{2, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 8, 0})
			}
			if g.Send(fs[:n]) != n {
				t.Fatal("the group took not all")
			}
			g.Flush()
		}
		if got != 20 {
			t.Fatalf("round %d: %d of 20 packets", round, got)
		}
		buf := make([]byte, 2048)
		for k := range got {
			if n, err := unix.Read(l.raw, buf); err != nil || n != 64 || !bytes.Equal(buf[:6], []byte{2, 1, 1, 1, 1, 1}) {
				t.Fatalf("round %d: frame %d back: %d bytes, %v", round, k, n, err)
			}
		}
	}
	used := 0
	for _, p := range ports {
		if p.rx.cons > 0 {
			used++
		}
	}
	if used < 2 {
		t.Errorf("%d queues received anything", used)
	}
	for g.Pending() {
		g.Flush()
	}
	must(t, g.Close())
	must(t, g.Close())
	if free := l.umem.pool.Free(); free != 2048 {
		t.Errorf("%d of 2048 chunks are back", free)
	}
}

func TestGroupRefused(t *testing.T) {
	u, err := NewUMEM(16, 2048)
	must(t, err)
	defer u.Close()
	if _, err := NewGroup([]*Port{{umem: u}}); err == nil {
		t.Error("a group of one")
	}
	if _, err := NewGroup([]*Port{{umem: u}, {umem: &UMEM{}}}); err == nil {
		t.Error("a group of two memories")
	}
	if _, err := NewGroup([]*Port{{umem: u, fd: -1}, {umem: u, fd: -1}}); err == nil {
		t.Error("a group without sockets")
	}
}

// TestMode: a veth has no zero-copy, and says so; copying works all the same, with busy polling where the kernel takes it.
func TestMode(t *testing.T) {
	_, ports := wideLab(t, Config{Ring: 256, BusyPoll: 20})
	m := ports[0].Mode()
	if m.ZeroCopy || m.WhyCopy == "" || m.Ring != 256 {
		t.Errorf("mode %+v", m)
	}
	if m.BusyPoll != (m.WhyNoBusy == "") {
		t.Errorf("busy polling %v, and why not %q", m.BusyPoll, m.WhyNoBusy)
	}
	for _, p := range ports[1:] { // which share the memory, and so the mode
		if n := p.Mode(); n.ZeroCopy != m.ZeroCopy || n.WhyCopy != m.WhyCopy {
			t.Errorf("another port of the memory works otherwise: %+v, not %+v", n, m)
		}
	}
	for k := len(ports) - 1; k >= 0; k-- {
		must(t, ports[k].Close())
	}
}

// TestBusyPollReceives: with busy polling, packets come and go.
func TestBusyPollReceives(t *testing.T) {
	l, ports := wideLab(t, Config{Ring: 256, BusyPoll: 20, Budget: 16, Copy: true})
	if m := ports[0].Mode(); !m.BusyPoll || m.WhyCopy != ErrCopyWanted.Error() {
		t.Fatalf("mode %+v", m)
	}
	g, err := NewGroup(ports)
	must(t, err)
	for flow := range 20 {
		if _, err := unix.Write(l.raw, l.udpFrame(flow, 1)); err != nil {
			t.Fatal(err)
		}
	}
	fs, got := make([]port.Frame, 64), 0
	for late := time.Now().Add(30 * time.Second); got < 20 && time.Now().Before(late); {
		got += g.Recv(fs[got:])
	}
	if got != 20 {
		t.Fatalf("%d of 20 packets", got)
	}
	g.Send(fs[:got])
	for g.Pending() {
		g.Flush()
	}
	if s := ports[0].Stats(); s.Wakeups == 0 {
		t.Error("busy polling made no calls")
	}
	must(t, g.Close())
}

// TestMixed: a refusal by the driver of a later port says that all must copy.
func TestMixed(t *testing.T) {
	zero := &UMEM{ports: []*Port{{}}}
	for _, e := range []error{unix.EOPNOTSUPP, enotsupp} {
		if err := bindError(e, zero); err == nil || !bytes.Contains([]byte(err.Error()), []byte("all must copy")) {
			t.Errorf("%v: %v", e, err)
		}
	}
	if err := bindError(unix.EOPNOTSUPP, &UMEM{}); err == nil || bytes.Contains([]byte(err.Error()), []byte("all must copy")) {
		t.Errorf("first port: %v", err)
	}
	if err := bindError(nil, zero); err != nil {
		t.Error(err)
	}
}

// TestHugePages: memory comes in huge pages where the system has them, and else in ordinary ones, and says which; it is zero and whole either way.
func TestHugePages(t *testing.T) {
	for _, n := range []int{16, 1024, 2048 + 1} {
		u, err := NewUMEM(n, 2048)
		must(t, err)
		huge, why := u.Huge()
		if huge != (why == nil) || huge && n*2048 < HugePage {
			t.Errorf("%d chunks: huge pages %v, why not: %v", n, huge, why)
		}
		if want := max(1, (n*2048+HugePage-1)/HugePage); u.HugePages() != want {
			t.Errorf("%d chunks: %d huge pages, want %d", n, u.HugePages(), want)
		}
		if len(u.mem) != n*2048 || u.pool.Free() != n {
			t.Errorf("%d chunks: %d bytes, %d free", n, len(u.mem), u.pool.Free())
		}
		for i := 0; i < len(u.mem); i += 1024 {
			if u.mem[i] != 0 {
				t.Fatalf("%d chunks: byte %d is not zero", n, i)
			}
			u.mem[i] = 1
		}
		must(t, u.Close())
	}
	if _, err := NewUMEM(0, 2048); err == nil {
		t.Error("memory for no packets")
	}
}
