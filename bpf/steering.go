package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// What an address of this box is (flags, enum in xdp.c).
const (
	LocalHost   uint32 = 1 // every address of the box: packets for it go to the kernel
	LocalTunnel uint32 = 2 // a tunnel source: GRE, ESP and AH for it are nave's
	LocalNATT   uint32 = 4 // ESP in UDP 4500 for it is nave's
)

// What a port takes besides IPv4 (flags, enum in xdp.c).
const PortMPLS uint16 = 1 // `mpls ip`: labelled frames are nave's

// Limits of the maps in xdp.c.
const (
	MaxPorts   = 256
	MaxSockets = 4096
	MaxVLANs   = 4096 // subinterfaces of all ports
)

// Port is what the program knows of one port.
type Port struct {
	MAC   [6]byte
	Flags uint16 // PortMPLS, or 0
	VRF   uint32 // whose addresses are local to what comes in by the port: Local.VRF
	Base  uint32 // slot of the socket of RX queue 0; queue q has Base+q
}

// Verdicts counts frames by what the program did with them.
type Verdicts struct {
	Kernel   uint64 // passed to the kernel
	Nave     uint64 // redirected to a socket
	NoSocket uint64 // for nave, and dropped because no live socket stood in the map
}

// Steering is the maps that the programs of all ports share.
type Steering struct {
	shared xdpMaps
	locals map[xdpLocal]uint32 // what stands in the map
	vlans  map[xdpVlan]bool
}

// New makes the maps. It needs CAP_BPF and CAP_NET_ADMIN.
func New() (*Steering, error) {
	spec, err := loadXdp()
	if err != nil {
		return nil, fmt.Errorf("bpf: read the XDP program: %w", err)
	}
	s := &Steering{locals: make(map[xdpLocal]uint32), vlans: make(map[xdpVlan]bool)}
	if err := spec.LoadAndAssign(&s.shared, nil); err != nil {
		return nil, fmt.Errorf("bpf: make the maps (root, or CAP_BPF and CAP_NET_ADMIN?): %w", err)
	}
	return s, nil
}

// Close lets go of the maps. Attached programs keep theirs, so steering goes on and drops what was for nave.
func (s *Steering) Close() error { return s.shared.Close() }

// SetPort tells the program of port number what the port is.
func (s *Steering) SetPort(number uint32, p Port) error {
	v := xdpPort{Mac: p.MAC, Flags: p.Flags, Vrf: p.VRF, Base: p.Base}
	if err := s.shared.Ports.Put(number, v); err != nil {
		return fmt.Errorf("bpf: describe port %d: %w", number, err)
	}
	return nil
}

// SetSocket puts the AF_XDP socket fd into a slot.
func (s *Steering) SetSocket(slot uint32, fd int) error {
	if err := s.shared.Xsks.Put(slot, uint32(fd)); err != nil {
		return fmt.Errorf("bpf: socket into slot %d: %w", slot, err)
	}
	return nil
}

// ClearSocket empties a slot: frames for it are dropped from now on.
func (s *Steering) ClearSocket(slot uint32) error {
	if err := s.shared.Xsks.Delete(slot); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("bpf: clear slot %d: %w", slot, err)
	}
	return nil
}

// Local is one address of the box in a VRF, with its flags.
type Local struct {
	VRF   uint32
	Addr  netip.Addr
	Flags uint32
}

// SetLocals makes want the addresses of the box: only what differs is written, additions first, so that no
// address is missing at any time.
func (s *Steering) SetLocals(want []Local) error {
	next := make(map[xdpLocal]uint32, len(want))
	for _, l := range want {
		if !l.Addr.Is4() {
			continue
		}
		a := l.Addr.As4()
		next[xdpLocal{Vrf: l.VRF, Addr: binary.NativeEndian.Uint32(a[:])}] |= l.Flags
	}
	for k, f := range next {
		if old, ok := s.locals[k]; ok && old == f {
			continue
		}
		if err := s.shared.Locals.Put(k, f); err != nil {
			return fmt.Errorf("bpf: add a local address (%d of them): %w", len(next), err)
		}
		s.locals[k] = f
	}
	for k := range s.locals {
		if _, ok := next[k]; ok {
			continue
		}
		if err := s.shared.Locals.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("bpf: remove a local address: %w", err)
		}
		delete(s.locals, k)
	}
	return nil
}

// SetVLANs makes want the VLANs (1 to 4094) of port number that are subinterfaces: all frames with their tag go to nave, and those with another one to the
// kernel. Only what differs is written.
func (s *Steering) SetVLANs(number uint32, want []uint16) error {
	next := make(map[xdpVlan]bool, len(want))
	for _, id := range want {
		if id < 1 || id > 4094 {
			return fmt.Errorf("bpf: VLAN %d of port %d: want 1 to 4094", id, number)
		}
		next[xdpVlan{Port: number, Id: uint32(id)}] = true
	}
	for k := range next {
		if s.vlans[k] {
			continue
		}
		if err := s.shared.Vlans.Put(k, uint32(1)); err != nil {
			return fmt.Errorf("bpf: add VLAN %d to port %d (%d subinterfaces at most): %w", k.Id, number, MaxVLANs, err)
		}
		s.vlans[k] = true
	}
	for k := range s.vlans {
		if k.Port != number || next[k] {
			continue
		}
		if err := s.shared.Vlans.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("bpf: remove VLAN %d of port %d: %w", k.Id, number, err)
		}
		delete(s.vlans, k)
	}
	return nil
}

// Verdicts reads the counters, summed over the CPUs.
func (s *Steering) Verdicts() (Verdicts, error) {
	var sum [3]uint64
	for i := range sum {
		var per []uint64
		if err := s.shared.Verdicts.Lookup(uint32(i), &per); err != nil {
			return Verdicts{}, fmt.Errorf("bpf: read the counters: %w", err)
		}
		for _, n := range per {
			sum[i] += n
		}
	}
	return Verdicts{Kernel: sum[0], Nave: sum[1], NoSocket: sum[2]}, nil
}

// program loads a copy of the program for port number over the shared maps.
func (s *Steering) program(number uint32) (*ebpf.Program, error) {
	if number >= MaxPorts {
		return nil, fmt.Errorf("bpf: port %d: at most %d ports", number, MaxPorts)
	}
	spec, err := loadXdp()
	if err != nil {
		return nil, fmt.Errorf("bpf: read the XDP program: %w", err)
	}
	if err := spec.Variables[xdpVarPortNumber].Set(number); err != nil {
		return nil, fmt.Errorf("bpf: number the program: %w", err)
	}
	var prog struct {
		NavePort *ebpf.Program `ebpf:"nave_port"`
	}
	err = spec.LoadAndAssign(&prog, &ebpf.CollectionOptions{MapReplacements: map[string]*ebpf.Map{
		xdpMapPorts: s.shared.Ports, xdpMapLocals: s.shared.Locals,
		xdpMapVlans: s.shared.Vlans, xdpMapXsks: s.shared.Xsks, xdpMapVerdicts: s.shared.Verdicts,
	}})
	if err != nil {
		return nil, fmt.Errorf("bpf: load the XDP program: %w", err)
	}
	return prog.NavePort, nil
}

// Attachment is the program on one port.
type Attachment struct {
	link link.Link
	pin  string
	// Native tells whether the driver runs the program; otherwise the kernel does, more slowly (generic XDP).
	Native bool
	// TookOver tells whether a program of an earlier naved was there and was replaced without a gap.
	TookOver bool
}

// Attach puts the program of port number on the netdev ifindex of the caller's network namespace and pins the link
// at pin (in a bpffs; "" for no pin), so that steering outlives the process. A pinned link of an earlier run on the same netdev is
// taken over in one step.
func (s *Steering) Attach(number uint32, ifindex int, pin string) (*Attachment, error) {
	prog, err := s.program(number)
	if err != nil {
		return nil, err
	}
	defer prog.Close()
	if a := takeOver(pin, ifindex, prog); a != nil {
		return a, nil
	}
	a := &Attachment{pin: pin, Native: true}
	a.link, err = link.AttachXDP(link.XDPOptions{Program: prog, Interface: ifindex, Flags: link.XDPDriverMode})
	if err != nil {
		var generic error
		a.Native = false
		a.link, generic = link.AttachXDP(link.XDPOptions{Program: prog, Interface: ifindex, Flags: link.XDPGenericMode})
		if generic != nil {
			return nil, fmt.Errorf("bpf: attach to interface %d (is another XDP program there? `ip link` shows it): native: %w; generic: %w", ifindex, err, generic)
		}
	}
	if pin == "" {
		return a, nil
	}
	if err := os.MkdirAll(filepath.Dir(pin), 0o700); err != nil {
		a.link.Close()
		return nil, fmt.Errorf("bpf: folder of the pin: %w", err)
	}
	if err := a.link.Pin(pin); err != nil {
		a.link.Close()
		return nil, fmt.Errorf("bpf: pin the program at %s (is a bpffs mounted there?): %w", pin, err)
	}
	return a, nil
}

// takeOver replaces the program of a pinned link, or returns nil where there is none that fits.
func takeOver(pin string, ifindex int, prog *ebpf.Program) *Attachment {
	if pin == "" {
		return nil
	}
	l, err := link.LoadPinnedLink(pin, nil)
	if err != nil {
		os.Remove(pin)
		return nil
	}
	if info, err := l.Info(); err == nil && info.XDP() != nil && int(info.XDP().Ifindex) == ifindex && l.Update(prog) == nil {
		return &Attachment{link: l, pin: pin, TookOver: true, Native: true}
	}
	l.Unpin()
	l.Close()
	return nil
}

// Detach takes the program off the port: what nave forwarded is the kernel's from now on.
func (a *Attachment) Detach() error {
	if a.pin != "" {
		if err := a.link.Unpin(); err != nil {
			return fmt.Errorf("bpf: unpin %s: %w", a.pin, err)
		}
	}
	return a.link.Close()
}

// Leave lets go of the program but leaves it attached, through its pin. Without a pin it is detached.
func (a *Attachment) Leave() error { return a.link.Close() }
