package bpf

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"nave/testbed/need"
)

// Verdicts of XDP (linux/bpf.h).
const (
	xdpDrop     = 1
	xdpPass     = 2
	xdpRedirect = 4
)

var ourMAC = [6]byte{2, 0, 0, 0, 0, 1}

// frame makes an Ethernet frame: IPv4 with this protocol and payload, unless etherType says otherwise.
func frame(dst [6]byte, etherType uint16, to string, proto byte, frag uint16, payload ...byte) []byte {
	b := make([]byte, 0, 64)
	b = append(b, dst[:]...)
	b = append(b, 2, 0, 0, 0, 0, 9)
	b = binary.BigEndian.AppendUint16(b, etherType)
	ip := make([]byte, 20)
	ip[0], ip[8], ip[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(payload)))
	binary.BigEndian.PutUint16(ip[6:], frag)
	copy(ip[12:], []byte{192, 0, 2, 9})
	a := netip.MustParseAddr(to).As4()
	copy(ip[16:], a[:])
	b = append(append(b, ip...), payload...)
	for len(b) < 60 {
		b = append(b, 0)
	}
	return b
}

func udp(dport uint16, payload ...byte) []byte {
	b := []byte{0x10, 0x00, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(b[2:], dport)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	return append(b, payload...)
}

func TestSteering(t *testing.T) {
	need.Root(t)
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	prog, err := s.program(3)
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	port := Port{MAC: ourMAC, VRF: 7, Base: 64, Flags: PortMPLS}
	if err := s.SetPort(3, port); err != nil {
		t.Fatal(err)
	}
	locals := []Local{
		{7, netip.MustParseAddr("10.1.0.1"), LocalHost},
		{7, netip.MustParseAddr("192.0.2.1"), LocalHost | LocalTunnel | LocalNATT},
		{8, netip.MustParseAddr("10.8.0.1"), LocalHost}, // another VRF's
	}
	if err := s.SetLocals(locals); err != nil {
		t.Fatal(err)
	}
	var broadcast = [6]byte{255, 255, 255, 255, 255, 255}
	var group = [6]byte{1, 0, 0x5e, 0, 0, 5}
	const nave, kernel = xdpDrop, xdpPass // no socket is in the map: what is for nave is dropped
	cases := []struct {
		name  string
		frame []byte
		want  uint32
	}{
		{"transit", frame(ourMAC, 0x0800, "10.2.0.1", 17, 0), nave},
		{"transit fragment", frame(ourMAC, 0x0800, "10.2.0.1", 17, 100), nave},
		{"another VRF's address is transit here", frame(ourMAC, 0x0800, "10.8.0.1", 1, 0), nave},
		{"for the host", frame(ourMAC, 0x0800, "10.1.0.1", 6, 0), kernel},
		{"GRE to an address that is no tunnel source", frame(ourMAC, 0x0800, "10.1.0.1", 47, 0), kernel},
		{"GRE", frame(ourMAC, 0x0800, "192.0.2.1", 47, 0), nave},
		{"GRE fragment", frame(ourMAC, 0x0800, "192.0.2.1", 47, 185), nave},
		{"ESP", frame(ourMAC, 0x0800, "192.0.2.1", 50, 0), nave},
		{"AH", frame(ourMAC, 0x0800, "192.0.2.1", 51, 0), nave},
		{"ICMP to a tunnel source", frame(ourMAC, 0x0800, "192.0.2.1", 1, 0), kernel},
		{"SSH to a tunnel source", frame(ourMAC, 0x0800, "192.0.2.1", 6, 0), kernel},
		{"IKE", frame(ourMAC, 0x0800, "192.0.2.1", 17, 0, udp(500, 1, 2, 3, 4)...), kernel},
		{"IKE on 4500", frame(ourMAC, 0x0800, "192.0.2.1", 17, 0, udp(4500, 0, 0, 0, 0, 9)...), kernel},
		{"ESP in UDP", frame(ourMAC, 0x0800, "192.0.2.1", 17, 0, udp(4500, 0, 0, 1, 0, 9)...), nave},
		{"fragment of UDP 4500", frame(ourMAC, 0x0800, "192.0.2.1", 17, 0x2000, udp(4500, 0, 0, 1, 0, 9)...), kernel},
		{"DHCP offer to an address not ours yet", frame(ourMAC, 0x0800, "192.0.2.77", 17, 0, udp(68, 2)...), kernel},
		{"DHCP's port in TCP is transit", frame(ourMAC, 0x0800, "192.0.2.77", 6, 0, udp(68, 2)...), nave},
		{"broadcast", frame(broadcast, 0x0800, "255.255.255.255", 17, 0), kernel},
		{"link-local multicast", frame(group, 0x0800, "224.0.0.5", 89, 0), kernel},
		{"multicast", frame(group, 0x0800, "239.1.1.1", 17, 0), kernel},
		{"somebody else's MAC", frame([6]byte{2, 0, 0, 0, 0, 2}, 0x0800, "10.2.0.1", 17, 0), kernel},
		{"ARP", frame(ourMAC, 0x0806, "10.2.0.1", 0, 0), kernel},
		{"MPLS", frame(ourMAC, 0x8847, "10.2.0.1", 0, 0), nave},
		{"header length below 5", func() []byte { b := frame(ourMAC, 0x0800, "10.2.0.1", 17, 0); b[14] = 0x44; return b }(), kernel},
		{"cut in the IP header", frame(ourMAC, 0x0800, "10.2.0.1", 17, 0)[:30], kernel},
	}
	for _, c := range cases {
		got, err := prog.Run(&ebpf.RunOptions{Data: c.frame})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got != c.want {
			t.Errorf("%s: verdict %d, want %d", c.name, got, c.want)
		}
	}
	v, err := s.Verdicts()
	if err != nil {
		t.Fatal(err)
	}
	if v.NoSocket == 0 || v.Kernel == 0 || v.Nave != 0 || v.NoSocket+v.Kernel != uint64(len(cases)) {
		t.Errorf("verdicts %+v over %d frames", v, len(cases))
	}
	// An address that goes away is transit from then on; one that stays is untouched.
	if err := s.SetLocals(locals[1:]); err != nil {
		t.Fatal(err)
	}
	if got, _ := prog.Run(&ebpf.RunOptions{Data: frame(ourMAC, 0x0800, "10.1.0.1", 6, 0)}); got != xdpDrop {
		t.Errorf("an address taken away still goes to the kernel (verdict %d)", got)
	}
	if got, _ := prog.Run(&ebpf.RunOptions{Data: frame(ourMAC, 0x0800, "192.0.2.1", 6, 0)}); got != xdpPass {
		t.Errorf("an address that stayed went missing (verdict %d)", got)
	}
}

// A live socket in the slot makes the verdict a redirect; when it closes, the verdict is drop again.
func TestSocketInSlot(t *testing.T) {
	need.Root(t)
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.SetPort(0, Port{MAC: ourMAC, Base: 5}); err != nil {
		t.Fatal(err)
	}
	prog, err := s.program(0)
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_XDP, unix.XDP_RX_RING, 64); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSocket(5, fd); err != nil {
		t.Fatal(err)
	}
	transit := &ebpf.RunOptions{Data: frame(ourMAC, 0x0800, "10.2.0.1", 17, 0)}
	if got, err := prog.Run(transit); err != nil || got != xdpRedirect {
		t.Errorf("with a socket: verdict %d, %v; want %d", got, err, xdpRedirect)
	}
	if err := s.ClearSocket(5); err != nil {
		t.Fatal(err)
	}
	if got, _ := prog.Run(transit); got != xdpDrop {
		t.Errorf("without a socket: verdict %d, want %d", got, xdpDrop)
	}
}

// The Go and the C side must agree on the layout of what stands in the maps.
func TestLayout(t *testing.T) {
	if got := binary.Size(xdpPort{}); got != 16 {
		t.Errorf("port is %d bytes, want 16", got)
	}
	if got := binary.Size(xdpLocal{}); got != 8 {
		t.Errorf("local address is %d bytes, want 8", got)
	}
	if got := binary.Size(xdpVlan{}); got != 8 {
		t.Errorf("VLAN is %d bytes, want 8", got)
	}
	spec, err := loadXdp()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint32{xdpMapPorts: 16, xdpMapLocals: 4, xdpMapVlans: 4, xdpMapXsks: 4, xdpMapVerdicts: 8} {
		if got := spec.Maps[name].ValueSize; got != want {
			t.Errorf("map %s: values of %d bytes, want %d", name, got, want)
		}
	}
	if n := spec.Maps[xdpMapPorts].MaxEntries; n != MaxPorts {
		t.Errorf("map ports has %d entries, want %d", n, MaxPorts)
	}
	if n := spec.Maps[xdpMapVlans].MaxEntries; n != MaxVLANs {
		t.Errorf("map vlans has %d entries, want %d", n, MaxVLANs)
	}
	if n := spec.Maps[xdpMapXsks].MaxEntries; n != MaxSockets {
		t.Errorf("map xsks has %d entries, want %d", n, MaxSockets)
	}
}
