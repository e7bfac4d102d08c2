package afxdp

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/asavie/xdp"

	"nave/bpf"
	"nave/fastpath/port"
	"nave/testbed/netns"
)

// stranger is an AF_XDP socket that we did not write, on the far end of the cable.
type stranger struct {
	t       *testing.T
	socket  *xdp.Socket
	program *xdp.Program
	ifindex int
	mac     net.HardwareAddr
}

func newStranger(t *testing.T, ns *netns.NS, dev string) *stranger {
	t.Helper()
	s := &stranger{t: t}
	must(t, ns.Do(func() error {
		i, err := net.InterfaceByName(dev)
		if err != nil {
			return err
		}
		s.ifindex, s.mac = i.Index, i.HardwareAddr
		if s.program, err = xdp.NewProgram(1); err != nil {
			return err
		}
		if err := s.program.Attach(s.ifindex); err != nil {
			return err
		}
		if s.socket, err = xdp.NewSocket(s.ifindex, 0, &xdp.SocketOptions{
			NumFrames: 1024, FrameSize: 2048, FillRingNumDescs: 256, CompletionRingNumDescs: 256, RxRingNumDescs: 256, TxRingNumDescs: 256,
		}); err != nil {
			return err
		}
		return s.program.Register(0, s.socket.FD())
	}))
	t.Cleanup(func() {
		s.socket.Close()
		_ = ns.Do(func() error { return s.program.Detach(s.ifindex) }) // the namespace goes next
		s.program.Close()
	})
	s.socket.Fill(s.socket.GetDescs(s.socket.NumFreeFillSlots() / 2))
	return s
}

func (s *stranger) send(frames ...[]byte) {
	s.t.Helper()
	descs := s.socket.GetDescs(len(frames))
	if len(descs) != len(frames) {
		s.t.Fatalf("the stranger has room for %d of %d frames", len(descs), len(frames))
	}
	for k, f := range frames {
		descs[k].Len = uint32(copy(s.socket.GetFrame(descs[k]), f))
	}
	if n := s.socket.Transmit(descs); n != len(descs) {
		s.t.Fatalf("the stranger sent %d of %d frames", n, len(descs))
	}
	for range len(frames) / 32 { // the kernel sends 32 frames a wake-up
		s.socket.Transmit(nil)
	}
}

// receive waits for n frames for the stranger's MAC address; others (the kernel's own) are left out.
func (s *stranger) receive(n int) [][]byte {
	s.t.Helper()
	var out [][]byte
	for end := time.Now().Add(30 * time.Second); len(out) < n && time.Now().Before(end); {
		got, _, err := s.socket.Poll(100)
		must(s.t, err)
		for _, d := range s.socket.Receive(got) {
			if b := s.socket.GetFrame(d); bytes.Equal(b[:6], s.mac) {
				out = append(out, bytes.Clone(b))
			}
		}
		s.socket.Fill(s.socket.GetDescs(min(256, s.socket.NumFreeFillSlots())))
	}
	return out
}

// An independent implementation of AF_XDP and ours agree on the wire, both ways, over several turns of the rings.
func TestAgainstAnotherImplementation(t *testing.T) {
	dut, far := netns.New(t, "dut"), netns.New(t, "far")
	must(t, netns.Veth(netns.End{NS: dut, Name: "eth0"}, netns.End{NS: far, Name: "eth0"}, 1500))
	s := newStranger(t, far, "eth0")
	umem, err := NewUMEM(2048, 2048)
	must(t, err)
	steering, err := bpf.New()
	must(t, err)
	t.Cleanup(func() { steering.Close() })
	var p *Port
	var mac net.HardwareAddr
	must(t, dut.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		mac = i.HardwareAddr
		if p, err = Open(umem, Config{Ifindex: i.Index, Ring: 256}); err != nil {
			return err
		}
		b := bpf.Port{Base: 64, MAC: [6]byte(mac)}
		if err := steering.SetPort(1, b); err != nil {
			return err
		}
		if err := steering.SetSocket(64, p.FD()); err != nil {
			return err
		}
		a, err := steering.Attach(1, i.Index, "")
		if err == nil {
			t.Cleanup(func() { a.Detach() })
		}
		return err
	}))
	frame := func(n, size int) []byte {
		b := make([]byte, size)
		copy(b, mac)
		copy(b[6:], s.mac)
		copy(b[12:], []byte{8, 0, 0x45})
		b[14+8], b[14+9] = 64, 17
		copy(b[14+16:], []byte{10, 99, 0, 1})
		binary.BigEndian.PutUint32(b[size-4:], uint32(n))
		return b
	}
	for round := range 20 {
		var sent [][]byte
		for k := range 50 {
			sent = append(sent, frame(round*50+k, []int{64, 590, 1514}[k%3]))
		}
		s.send(sent...)
		got := receive(p, len(sent))
		if len(got) != len(sent) {
			t.Fatalf("round %d: %d of %d frames came", round, len(got), len(sent))
		}
		for k, f := range got {
			b := umem.pool.Bytes(f)
			if !bytes.Equal(b, sent[k]) {
				t.Fatalf("round %d: frame %d of %d bytes came changed", round, k, len(sent[k]))
			}
			copy(b, s.mac) // back to where it came from
			copy(b[6:], mac)
		}
		back(t, p, got)
		answers := s.receive(len(sent))
		if len(answers) != len(sent) {
			t.Fatalf("round %d: %d of %d answers came", round, len(answers), len(sent))
		}
		for k := range answers {
			if !bytes.Equal(answers[k][12:], sent[k][12:]) {
				t.Fatalf("round %d: answer %d came changed", round, k)
			}
		}
	}
	must(t, p.Close())
	if free := umem.pool.Free(); free != 2048 {
		t.Errorf("%d of 2048 chunks are back", free)
	}
	must(t, umem.Close())
}

func back(t *testing.T, p *Port, fs []port.Frame) {
	t.Helper()
	if n := p.Send(fs); n != len(fs) {
		t.Fatalf("sent %d of %d", n, len(fs))
	}
	p.Flush()
}
