package bpf

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"nave/testbed/need"
)

// tagged puts an 802.1Q tag into a frame.
func tagged(f []byte, tpid, tci uint16) []byte {
	tag := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, tpid), tci)
	return slices.Insert(slices.Clone(f), 12, tag...)
}

func load(t *testing.T, s *Steering, number uint32) *ebpf.Program {
	t.Helper()
	prog, err := s.program(number)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { prog.Close() })
	return prog
}

func verdict(t *testing.T, prog *ebpf.Program, f []byte) uint32 {
	t.Helper()
	v, err := prog.Run(&ebpf.RunOptions{Data: f})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// What carries the tag of a subinterface goes to nave whole, and every other tag to the kernel; each port has VLANs of its own.
func TestVLANs(t *testing.T) {
	need.Root(t)
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n := range uint32(2) {
		if err := s.SetPort(n, Port{MAC: ourMAC, Base: 64 * n}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetLocals([]Local{{0, netip.MustParseAddr("10.1.0.1"), LocalHost}}); err != nil {
		t.Fatal(err)
	}
	for n, v := range [][]uint16{{10, 20}, {20}} {
		if err := s.SetVLANs(uint32(n), v); err != nil {
			t.Fatal(err)
		}
	}
	one, two := load(t, s, 0), load(t, s, 1)
	const nave, kernel = xdpDrop, xdpPass
	broadcast := [6]byte{255, 255, 255, 255, 255, 255}
	host := frame(ourMAC, 0x0800, "10.1.0.1", 6, 0)
	for _, c := range []struct {
		name     string
		frame    []byte
		one, two uint32
	}{
		{"transit, VLAN 10", tagged(frame(ourMAC, 0x0800, "10.2.0.1", 17, 0), 0x8100, 10), nave, kernel},
		{"for the host, VLAN 10", tagged(host, 0x8100, 10), nave, kernel},
		{"with a priority and DEI", tagged(host, 0x8100, 0xf00a), nave, kernel},
		{"VLAN 20 of both", tagged(host, 0x8100, 20), nave, nave},
		{"ARP request", tagged(frame(broadcast, 0x0806, "10.2.0.1", 0, 0), 0x8100, 10), nave, kernel},
		{"IPv6 group", tagged(frame([6]byte{0x33, 0x33, 0, 0, 0, 1}, 0x86dd, "10.2.0.1", 0, 0), 0x8100, 10), nave, kernel},
		{"labelled", tagged(frame(ourMAC, 0x8847, "10.2.0.1", 0, 0), 0x8100, 10), nave, kernel},
		{"another VLAN", tagged(host, 0x8100, 11), kernel, kernel},
		{"priority tag", tagged(host, 0x8100, 0xe000), kernel, kernel},
		{"service tag", tagged(host, 0x88a8, 10), kernel, kernel},
		{"cut in the tag", tagged(host, 0x8100, 10)[:16], kernel, kernel},
		{"tag and nothing else", tagged(host, 0x8100, 10)[:18], nave, kernel},
		{"untagged for the host", host, kernel, kernel},
		{"untagged transit", frame(ourMAC, 0x0800, "10.2.0.1", 17, 0), nave, nave},
	} {
		if a, b := verdict(t, one, c.frame), verdict(t, two, c.frame); a != c.one || b != c.two {
			t.Errorf("%s: verdicts %d and %d, want %d and %d", c.name, a, b, c.one, c.two)
		}
	}
	// Taken away, a VLAN is the kernel's again, and those of other ports stay.
	if err := s.SetVLANs(0, []uint16{10}); err != nil {
		t.Fatal(err)
	}
	if f := tagged(host, 0x8100, 20); verdict(t, one, f) != kernel || verdict(t, two, f) != nave || verdict(t, one, tagged(host, 0x8100, 10)) != nave {
		t.Error("VLANs taken away from one port: others changed, or it did not")
	}
	for _, id := range []uint16{0, 4095} {
		if s.SetVLANs(0, []uint16{id}) == nil {
			t.Errorf("VLAN %d was taken", id)
		}
	}
}

// Two ports in two VRFs: an address is local where it belongs, and transit on the other port.
func TestVRFs(t *testing.T) {
	need.Root(t)
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n, p := range []Port{{MAC: ourMAC, VRF: 1, Flags: PortMPLS}, {MAC: ourMAC, VRF: 2, Base: 64}} {
		if err := s.SetPort(uint32(n), p); err != nil {
			t.Fatal(err)
		}
	}
	both, red, source := netip.MustParseAddr("192.168.11.2"), netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("192.0.2.1")
	if err := s.SetLocals([]Local{{1, both, LocalHost}, {2, both, LocalHost}, {1, red, LocalHost}, {1, source, LocalHost | LocalTunnel}, {2, source, LocalHost}}); err != nil {
		t.Fatal(err)
	}
	one, two := load(t, s, 0), load(t, s, 1)
	const nave, kernel = xdpDrop, xdpPass
	for _, c := range []struct {
		name     string
		frame    []byte
		one, two uint32
	}{
		{"an address of both", frame(ourMAC, 0x0800, "192.168.11.2", 1, 0), kernel, kernel},
		{"an address of one", frame(ourMAC, 0x0800, "10.1.0.1", 1, 0), kernel, nave},
		{"a tunnel source of one, of both an address", frame(ourMAC, 0x0800, "192.0.2.1", 47, 0), nave, kernel},
		{"labelled, where one takes labels", frame(ourMAC, 0x8847, "192.168.11.2", 0, 0), nave, kernel},
	} {
		if a, b := verdict(t, one, c.frame), verdict(t, two, c.frame); a != c.one || b != c.two {
			t.Errorf("%s: verdicts %d and %d, want %d and %d", c.name, a, b, c.one, c.two)
		}
	}
	if err := s.SetPort(0, Port{MAC: ourMAC, VRF: 1}); err != nil {
		t.Fatal(err)
	}
	if verdict(t, one, frame(ourMAC, 0x8847, "192.168.11.2", 0, 0)) != kernel {
		t.Error("a labelled frame goes to nave after mpls ip was taken away")
	}
}
