// Package reassembly puts fragments of IPv4 packets for this box together again (RFC 791 section 3.2, RFC 815): outer
// packets of tunnels that were fragmented on their way.
//
// What an attacker can make it hold is bounded: in packets, in bytes and in time. When it is full, the oldest packet
// makes room: what lacks fragments for so long is less likely to be completed than what comes now. A fragment that overlaps another with
// different limits ends the whole packet (as RFC 5722 has it for IPv6), because nothing honest sends one.
package reassembly

import (
	"container/list"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"nave/fastpath/packet"
)

// Limits of what is held.
const (
	MaxPackets   = 512 // packets not complete
	MaxFragments = 64  // of one packet
	MaxBytes     = 8 << 20
	Timeout      = 15 * time.Second // RFC 791 suggests 15 s
	maxPayload   = 65535 - packet.IPv4Len
)

// Key names the packet that a fragment belongs to. Context keeps apart what arrives in different tables.
type Key struct {
	Context  uint32
	Src, Dst netip.Addr
	ID       uint16
	Proto    uint8
}

type fragment struct {
	from, to int // of the payload, bytes
	data     []byte
}

type partial struct {
	key       Key
	place     *list.Element // in Buffer.order
	since     time.Time
	header    []byte // of the first fragment; nil until it comes
	fragments []fragment
	total     int // of the payload; -1 until the last fragment comes
	bytes     int
	port      uint16
}

// Stats counts packets and fragments.
type Stats struct {
	Fragments, Reassembled          uint64
	TimedOut, Overlap, Full, Broken uint64 // Full: packets of too many fragments
	Evicted                         uint64 // packets that made room for others
}

// Buffer holds fragments. It belongs to one goroutine.
type Buffer struct {
	partial map[Key]*partial
	order   *list.List // of *partial, oldest first: each that is held, once
	bytes   int
	Stats   Stats
}

// New makes an empty buffer.
func New() *Buffer { return &Buffer{partial: make(map[Key]*partial), order: list.New()} }

// Add takes a fragment and returns the whole packet once it is complete. port is where the first fragment came in, and
// is returned with the packet.
func (b *Buffer) Add(now time.Time, context uint32, port uint16, frag []byte) (whole []byte, cameBy uint16, ok bool) {
	b.expire(now)
	b.Stats.Fragments++
	ip, fault := packet.ParseIPv4(frag)
	if fault != packet.OK {
		b.Stats.Broken++
		return nil, 0, false
	}
	word := ip.FlagsOffset()
	from, more := int(word&packet.OffsetMask)*8, word&packet.FlagMF != 0
	payload := ip.Payload()
	to := from + len(payload)
	if !ip.IsFragment() || to > maxPayload || len(payload) == 0 || more && len(payload)%8 != 0 {
		b.Stats.Broken++
		return nil, 0, false
	}
	k := Key{Context: context, Src: netip.AddrFrom4([4]byte(ip[12:16])), Dst: netip.AddrFrom4([4]byte(ip[16:20])), ID: ip.ID(), Proto: ip.Proto()}
	p := b.partial[k]
	if p == nil {
		if len(b.partial) >= MaxPackets {
			b.evict(nil)
		}
		p = &partial{key: k, since: now, total: -1, port: port}
		b.partial[k] = p
		p.place = b.order.PushBack(p)
	}
	if !b.insert(p, fragment{from, to, payload}, more) {
		b.drop(p)
		return nil, 0, false
	}
	if from == 0 {
		p.header = slices.Clone(ip[:ip.HeaderLen()])
	}
	if !p.complete() {
		return nil, 0, false
	}
	whole = p.assemble()
	b.drop(p)
	b.Stats.Reassembled++
	return whole, p.port, true
}

// insert puts a fragment in its place. False: the packet is to be forgotten.
func (b *Buffer) insert(p *partial, f fragment, more bool) bool {
	for _, o := range p.fragments {
		if o.from == f.from && o.to == f.to {
			return true // the same again
		}
		if f.from < o.to && o.from < f.to {
			b.Stats.Overlap++
			return false
		}
	}
	if !more {
		if p.total >= 0 && p.total != f.to {
			b.Stats.Overlap++
			return false
		}
		p.total = f.to
	}
	if p.total >= 0 && (f.to > p.total || slices.ContainsFunc(p.fragments, func(o fragment) bool { return o.to > p.total })) {
		b.Stats.Overlap++
		return false
	}
	if len(p.fragments) >= MaxFragments {
		b.Stats.Full++
		return false
	}
	for b.bytes+len(f.data) > MaxBytes {
		b.evict(p)
	}
	f.data = slices.Clone(f.data)
	p.fragments = append(p.fragments, f)
	p.bytes += len(f.data)
	b.bytes += len(f.data)
	return true
}

func (p *partial) complete() bool {
	return p.total >= 0 && p.header != nil && p.bytes == p.total // no overlap: the sum says it all
}

func (p *partial) assemble() []byte {
	out := make([]byte, len(p.header)+p.total)
	copy(out, p.header)
	for _, f := range p.fragments {
		copy(out[len(p.header)+f.from:], f.data)
	}
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
	binary.BigEndian.PutUint16(out[6:], binary.BigEndian.Uint16(out[6:])&packet.FlagDF)
	packet.IPv4(out[:len(p.header)]).SetSum()
	return out
}

func (b *Buffer) drop(p *partial) {
	b.bytes -= p.bytes
	delete(b.partial, p.key)
	b.order.Remove(p.place)
}

// evict drops the oldest packet that is not keep. There is one: no packet fills the buffer by itself.
func (b *Buffer) evict(keep *partial) {
	e := b.order.Front()
	if e.Value.(*partial) == keep {
		e = e.Next()
	}
	b.Stats.Evicted++
	b.drop(e.Value.(*partial))
}

// oldest is the packet that waits longest, nil when none does.
func (b *Buffer) oldest() *partial {
	if e := b.order.Front(); e != nil {
		return e.Value.(*partial)
	}
	return nil
}

func (b *Buffer) expire(now time.Time) {
	for p := b.oldest(); p != nil && now.Sub(p.since) >= Timeout; p = b.oldest() {
		b.Stats.TimedOut++
		b.drop(p)
	}
}

// Tick forgets what is too old.
func (b *Buffer) Tick(now time.Time) { b.expire(now) }

// Deadline is when the oldest packet times out; the zero Time when nothing is held.
func (b *Buffer) Deadline() time.Time {
	if p := b.oldest(); p != nil {
		return p.since.Add(Timeout)
	}
	return time.Time{}
}

// Held is how many packets wait for fragments, and their bytes.
func (b *Buffer) Held() (packets, bytes int) { return len(b.partial), b.bytes }
