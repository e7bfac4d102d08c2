package table

import (
	"crypto/subtle"
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"
	"sync/atomic"
	"unsafe"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
)

// Flags of an association.
const (
	SAInbound = 1 << iota
	SAAH
	SAEncap // ESP in UDP
	SATunnel
	SAESN
	SAOver // AH that has to have ESP inside
)

// Marks of an association: what the slow path was told once.
const (
	MarkHeard = 1 << iota
	MarkSoft
	MarkHard
)

// noLimit is a limit of bytes that is never reached.
const noLimit = 1<<64 - 1

// SA is one direction of a security association: what finds it and what sealing and opening need in the first cache line, what changes with every packet in the third,
// where a window of up to 64 packets has its slots, too, and what hardly any packet asks for in the second. It stays where it is as long as it exists. The keys follow, on a line
// of their own (keyAt), behind what a cipher kernel made of them: all can be fetched ahead by the place of the first line.
//
// All that changes is a word of its own, so any worker of any process may seal or open with it at any time. Sequence numbers and window slots change by atomic operations; the
// top of the window and the counts of packets that go together are stored without a lock (arena.Set). A sequence number is used by whoever took it from Seq, and by nobody else: it is gone when its taker dies.
type SA struct {
	next       uint32 // the next association of the same hash; the writer may change it under readers
	SPI        uint32
	Local      uint32
	VRF        uint16
	Flags      uint16
	ID         uint32
	Under      uint32
	keys       uint32
	Salt       uint32 // of a cipher with a kernel, as its bytes stand in memory
	Kernel     uint8  // of the cipher, which needs no object of the process; 0: none
	IV         uint8  // bytes, of the transform: IV, ICV, and what the payload is padded to
	ICV        uint8
	Align      uint8
	slots      uint8
	ICVAsked   uint8 // as ICV was installed
	Window     uint16
	Protection atomic.Uint32
	Marks      atomic.Uint32
	remote     atomic.Uint64 // where the peer is now: address<<16 | port
	SeqLimit   uint64        // last sequence number there is

	asked      uint64        // what was installed as remote; the writer's
	Soft       atomic.Uint64 // bytes; and of an outbound association SeqSoft packets
	Hard       atomic.Uint64
	Expires    atomic.Uint32 // when its lifetime ends, Unix seconds; 0 is not known
	Inside     atomic.Uint32 // the peer's address behind NAT, as it was installed; 0: none
	Generation uint32        // of no other association, before or after
	LocalPort  uint16
	Cipher     fib.Cipher
	Auth       fib.Auth
	AuthBad    atomic.Uint64 // packets dropped: wrong ICV, replayed or too old, anything else
	Replayed   atomic.Uint64
	Errors     atomic.Uint64

	Seq     atomic.Uint64 // outbound: last one taken. Inbound: highest received
	Bytes   atomic.Uint64
	Packets atomic.Uint64 // inbound
	Calm    atomic.Uint64 // bytes, as long as there are fewer of which no limit is near
}

const (
	saSize  = int(unsafe.Sizeof(SA{}))
	keySize = 2 + maxCipherKey + maxAuthKey
)

// Longest keys, in bytes.
const (
	maxCipherKey = 36
	maxAuthKey   = 64
)

// KernelSize is how many bytes a cipher kernel keeps of a key.
const KernelSize = 512

// Two cache lines, and half of a third.
const _, _ = uint(160 - saSize), uint(saSize - 160)

// CalmSlack is how far from its limits an association is calm, in bytes: more than all workers can have under way, which is 64 packets each in 64 workers. It has to
// be a small part of the lifetimes that are in use: 4608000 kilobytes where nothing is said.
const CalmSlack = 1 << 26

// SAShape is what a transform adds to a packet, how many slots its window has, and what its kernel made of the key.
type SAShape struct {
	IV, ICV, Align uint8 // bytes
	Slots          int
	Kernel         uint8  // which kernel; 0: none
	Key            []byte // KernelSize bytes where there is one; copied
	Salt           uint32
}

// SeqSoft is the sequence number from which on the slow path is told that there are few left.
func (s *SA) SeqSoft() uint64 { return s.SeqLimit / 10 * 9 }

// Is tells whether flag is set.
func (s *SA) Is(flag uint16) bool { return s.Flags&flag != 0 }

// Slots is the words of the anti-replay window.
func (s *SA) Slots() []atomic.Uint64 {
	return unsafe.Slice((*atomic.Uint64)(unsafe.Add(unsafe.Pointer(s), saSize)), s.slots)
}

// Remote is where the peer is: its address and, of ESP in UDP, its port.
func (s *SA) Remote() (addr uint32, port uint16) {
	r := s.remote.Load()
	return uint32(r >> 16), uint16(r)
}

// Move says where the peer is now.
func (s *SA) Move(addr uint32, port uint16) { s.remote.Store(uint64(addr)<<16 | uint64(port)) }

// Mark sets a mark. Only one caller gets true, until it takes it back with Unmark.
func (s *SA) Mark(m uint32) bool { return s.Marks.Load()&m == 0 && s.Marks.Or(m)&m == 0 }

// Unmark takes a mark back: what it stood for did not get through.
func (s *SA) Unmark(m uint32) { s.Marks.And(^m) }

// End has the association carry nothing any more, as though it had reached its limit of bytes, until SetSA gives it another. False: it had ended so before. Any process may call it.
func (s *SA) End() bool {
	if s.Hard.Swap(0) == 0 {
		return false
	}
	s.Calm.Store(0) // after the limit that is looked at next
	return true
}

// Extra is what ESP or AH add to an outer packet apart from padding, in bytes.
func (s *SA) Extra() int {
	n := 8 + int(s.IV) + int(s.ICV)
	if s.Is(SAAH) {
		n = 12 + int(s.ICV)
	}
	if s.Is(SATunnel) {
		n += 20
	}
	return n
}

// SA is association id, nil without one.
func (t *Tables) SA(id uint32) *SA { return (*SA)(t.record(t.sas, id)) }

func spiHash(vrf uint16, local, spi uint32, flags uint16) uint32 {
	return hash(vrf, local, uint32(flags&SAAH), spi)
}

// FindSA is the inbound association that a packet belongs to, ESP or with flag SAAH AH, nil when there is none.
func (t *Tables) FindSA(vrf uint16, local, spi uint32, flag uint16) *SA {
	b := spiHash(vrf, local, spi, flag) & uint32(len(t.spis)-1)
	for r := atomic.LoadUint32(&t.spis[b]); r != 0; {
		s := (*SA)(t.at(r))
		if s.SPI == spi && s.Local == local && s.VRF == vrf && s.Flags&SAAH == flag {
			return s
		}
		r = atomic.LoadUint32(&s.next)
	}
	return nil
}

// ErrSPITaken means that another association receives the same packets.
type ErrSPITaken struct{ By uint32 }

// Error says which it is.
func (e *ErrSPITaken) Error() string {
	return "the SPI is that of security association " + strconv.FormatUint(uint64(e.By), 10) + " at the same address: take another"
}

// SetSA installs an association or changes what may change of one. The engine has checked it, and that the rest is the same.
func (t *Tables) SetSA(f *fib.SA, shape SAShape) (*SA, error) {
	if int64(f.ID) >= int64(t.size.SAs) {
		return nil, ErrFull
	}
	if s := t.SA(uint32(f.ID)); s != nil {
		t.changeSA(s, f)
		return s, nil
	}
	flags := saFlags(f)
	if flags&SAInbound != 0 {
		if s := t.FindSA(uint16(f.OuterVRF), addrWord(f.Local), f.SPI, flags&SAAH); s != nil {
			return nil, &ErrSPITaken{By: s.ID}
		}
	}
	at, blockSize := keyAt(shape.Slots), keyBlock(shape.Kernel)
	r, err := t.alloc(at + blockSize)
	if err != nil {
		return nil, err
	}
	keys := r + arena.Ref(at/arena.Line)
	copy(t.a.Bytes(keys, blockSize), shape.Key)
	k := t.a.Bytes(keys, blockSize)[blockSize-keySize:]
	k[0], k[1] = uint8(len(f.CipherKey)), uint8(len(f.AuthKey))
	copy(k[2:], f.CipherKey)
	copy(k[2+maxCipherKey:], f.AuthKey)
	t.root.saGeneration++
	s := (*SA)(t.a.Ptr(r))
	s.ID, s.Generation, s.SPI, s.Local, s.VRF = uint32(f.ID), t.root.saGeneration, f.SPI, addrWord(f.Local), uint16(f.OuterVRF)
	s.Flags, s.Under, s.Window, s.LocalPort, s.Cipher, s.Auth, s.ICVAsked = flags, uint32(f.Under), f.Window, f.LocalPort, f.Cipher, f.Auth, f.ICV
	s.IV, s.ICV, s.Align, s.slots, s.keys = shape.IV, shape.ICV, shape.Align, uint8(shape.Slots), uint32(keys)
	s.Kernel, s.Salt = shape.Kernel, shape.Salt
	s.SeqLimit = 1<<32 - 1
	if f.ESN {
		s.SeqLimit = 1<<64 - 2 // the counter itself never wraps
	}
	t.changeSA(s, f)
	if flags&SAInbound != 0 {
		b := &t.spis[spiHash(s.VRF, s.Local, s.SPI, flags)&uint32(len(t.spis)-1)]
		s.next = *b
		atomic.StoreUint32(b, uint32(r))
	}
	t.replace(t.sas, uint32(f.ID), r, 0)
	t.root.installedSAs.Add(1)
	return s, nil
}

func saFlags(f *fib.SA) (flags uint16) {
	for _, b := range []struct {
		on   bool
		flag uint16
	}{{f.Inbound, SAInbound}, {f.AH, SAAH}, {f.Encap, SAEncap}, {f.TunnelMode, SATunnel}, {f.ESN, SAESN}, {f.Over, SAOver}} {
		if b.on {
			flags |= b.flag
		}
	}
	return flags
}

// changeSA stores what may change while an association is in use.
func (t *Tables) changeSA(s *SA, f *fib.SA) {
	limit := func(n uint64) uint64 {
		if n == 0 {
			return noLimit
		}
		return n
	}
	asked := uint64(addrWord(f.Remote)) << 16
	if f.Encap {
		asked |= uint64(f.RemotePort) // without UDP packets come from no port
	}
	if s.asked != asked {
		s.asked = asked
		s.remote.Store(asked) // and not when it is applied again as it was: the peer may have moved
	}
	if s.Soft.Load() != limit(f.SoftBytes) {
		s.Soft.Store(limit(f.SoftBytes))
		s.Unmark(MarkSoft)
	}
	if s.Hard.Load() != limit(f.HardBytes) {
		s.Hard.Store(limit(f.HardBytes))
		s.Unmark(MarkHard)
	}
	s.Calm.Store(0)
	if least := min(limit(f.SoftBytes), limit(f.HardBytes)); least > CalmSlack {
		s.Calm.Store(least - CalmSlack)
	}
	s.Protection.Store(uint32(f.Protection))
	s.Expires.Store(uint32(min(max(f.Expires, 0), math.MaxUint32)))
	s.Inside.Store(addrWord(f.Inside))
}

// keyAt is where the keys of an association with a window of so many slots are, in bytes from its start.
func keyAt(slots int) int { return (saSize + 8*slots + arena.Line - 1) &^ (arena.Line - 1) }

// size is how long the association's block is, keys included.
func (s *SA) size() int { return keyAt(int(s.slots)) + keyBlock(s.Kernel) }

// keyBlock is how long the block of keys is: the kernel's first, where there is one.
func keyBlock(kernel uint8) int {
	if kernel != 0 {
		return KernelSize + keySize
	}
	return keySize
}

// Key is what the kernel made of the key: KernelSize bytes in the arena, not to be kept. Only where s.Kernel is not 0.
func (t *Tables) Key(s *SA) *[KernelSize]byte { return (*[KernelSize]byte)(t.at(s.keys)) }

// SameSA tells whether f is installed association s as far as that may not change.
func (t *Tables) SameSA(s *SA, f *fib.SA) bool {
	same := s.SPI == f.SPI && s.Local == addrWord(f.Local) && s.VRF == uint16(f.OuterVRF) && s.Flags == saFlags(f) &&
		s.Under == uint32(f.Under) && s.LocalPort == f.LocalPort && s.Cipher == f.Cipher && s.Auth == f.Auth && s.ICVAsked == f.ICV && s.Window == f.Window
	if len(f.CipherKey)+len(f.AuthKey) == 0 {
		return same // the keys are left out
	}
	c, a := t.SAKeys(s)
	return same && subtle.ConstantTimeCompare(c, f.CipherKey) == 1 && subtle.ConstantTimeCompare(a, f.AuthKey) == 1
}

// SAKeys is the keys of an association, in the arena: not to be kept.
func (t *Tables) SAKeys(s *SA) (cipher, auth []byte) {
	n := keyBlock(s.Kernel)
	k := unsafe.Slice((*byte)(t.at(s.keys)), n)[n-keySize:]
	return k[2 : 2+min(int(k[0]), maxCipherKey)], k[2+maxCipherKey : 2+maxCipherKey+min(int(k[1]), maxAuthKey)]
}

// SAEntry is an association as it was installed, for who has to make its transform anew. Its keys are those of SAKeys.
func (t *Tables) SAEntry(s *SA) fib.SA {
	c, a := t.SAKeys(s)
	addr, port := s.Remote()
	bytes := func(n uint64) uint64 {
		switch n {
		case noLimit:
			return 0
		case 0:
			return 1 // End: as few as there can be
		}
		return n
	}
	var inside netip.Addr
	if w := s.Inside.Load(); w != 0 {
		inside = wordAddr(w)
	}
	return fib.SA{
		ID: fib.SAID(s.ID), Inbound: s.Is(SAInbound), AH: s.Is(SAAH), SPI: s.SPI, OuterVRF: fib.VRF(s.VRF),
		Local: wordAddr(s.Local), Remote: wordAddr(addr), Encap: s.Is(SAEncap), LocalPort: s.LocalPort, RemotePort: port, TunnelMode: s.Is(SATunnel),
		Cipher: s.Cipher, CipherKey: c, Auth: s.Auth, AuthKey: a, ICV: s.ICVAsked, ESN: s.Is(SAESN), Over: s.Is(SAOver), Window: s.Window,
		Protection: fib.ProtectionID(s.Protection.Load()), Under: fib.SAID(s.Under), Expires: int64(s.Expires.Load()), Inside: inside,
		SoftBytes: bytes(s.Soft.Load()), HardBytes: bytes(s.Hard.Load()),
	}
}

// DelSA takes an association away, and overwrites its keys once no worker can read them any more.
func (t *Tables) DelSA(id uint32) {
	s := t.SA(id)
	if s == nil {
		return
	}
	ref := t.sas[id]
	if s.Is(SAInbound) {
		p := t.chainOf(s)
		for *p != ref {
			p = &(*SA)(t.at(*p)).next
		}
		atomic.StoreUint32(p, s.next)
	}
	atomic.StoreUint32(&t.sas[id], 0)
	t.a.RetireSecret(arena.Ref(ref), s.size())
	t.dirty = true
	t.root.installedSAs.Add(^uint32(0))
}

func wordAddr(w uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], w)
	return netip.AddrFrom4(b)
}
