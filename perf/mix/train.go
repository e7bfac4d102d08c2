package mix

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"net/netip"

	"nave/fastpath/packet"
)

// HeaderLen is how many bytes of a frame differ from packet to packet: every header fits.
const HeaderLen = 128

const (
	espHeader = 8 // SPI and sequence number
	espIV     = 8 // of AES-GCM (RFC 4106 section 3.1)
	espICV    = 16
	minFrame  = 60 // Ethernet's least without its checksum
)

// Slot is one packet of a train: the first bytes of its frame, how long the frame is, and where its stamp goes; 0 where there is no room for one.
type Slot struct {
	Header [HeaderLen]byte
	Len    uint16
	Stamp  uint16
	seal   uint16 // where the ESP header starts, of packets that are sealed
}

// Train is the packets of a mix in the order they leave, from the beginning again when it ends.
type Train struct {
	Mix   *Mix
	Slots []Slot
	// MaxLen is the longest frame, and Bytes the sum of all, in bytes.
	MaxLen int
	Bytes  uint64
	aead   cipher.AEAD
	salt   [4]byte
	seq    uint32
	aad    [espHeader]byte
	nonce  [12]byte
}

// Link is what a train's Ethernet headers say.
type Link struct {
	Src, Dst [6]byte
}

// order is which size comes at each turn: by weight, as evenly as can be.
func order(sizes []Size) []int {
	total := 0
	for _, s := range sizes {
		total += s.Weight
	}
	credit := make([]int, len(sizes))
	var out []int
	for range total {
		best := 0
		for i, s := range sizes {
			if credit[i] += s.Weight; credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		out = append(out, best)
	}
	return out
}

// Train works out every packet of the mix. Every flow has every size in turn; flows come in an order that jumps, as they do where many hosts send.
func (m *Mix) Train(l Link) (*Train, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("mix: %s: %w", m.Name, err)
	}
	t := &Train{Mix: m}
	if m.sealed() {
		n := len(m.ESP.Key) - 4
		block, err := aes.NewCipher(m.ESP.Key[:n])
		if err != nil {
			return nil, fmt.Errorf("mix: %s: %w", m.Name, err)
		}
		if t.aead, err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("mix: %s: %w", m.Name, err)
		}
		copy(t.salt[:], m.ESP.Key[n:])
	}
	turns := order(m.Sizes)
	stride := coprime(m.Flows)
	round := lcm(len(turns), m.Flows)
	for i := range len(turns) * m.Flows {
		flow := (i + i/round) % m.Flows * stride % m.Flows
		s := m.slot(l, m.Sizes[turns[i%len(turns)]].Bytes, flow)
		if int(s.Len) > 14+MaxSize+4*len(m.Labels) {
			return nil, fmt.Errorf("mix: %s: a packet of %d bytes with all its headers is longer than a link takes (%d)", m.Name, int(s.Len)-14, MaxSize)
		}
		t.MaxLen = max(t.MaxLen, int(s.Len))
		t.Bytes += uint64(s.Len)
		t.Slots = append(t.Slots, s)
	}
	return t, nil
}

// coprime is a step that visits all of n, far from one to the next.
func coprime(n int) int {
	for k := n*5/8 + 1; ; k++ {
		if gcd(k, n) == 1 {
			return k
		}
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func lcm(a, b int) int { return a / gcd(a, b) * b }

// writer puts headers one behind the other.
type writer struct {
	b []byte
	n int
}

func (w *writer) take(n int) []byte {
	w.n += n
	return w.b[w.n-n : w.n]
}

func (w *writer) ipv4(h packet.Header, payload int) { h.Put(w.take(packet.IPv4Len), payload) }

// slot is the packet of a flow with this size.
func (m *Mix) slot(l Link, size, flow int) Slot {
	var s Slot
	w := &writer{b: s.Header[:]}
	e := w.take(packet.EthernetLen)
	copy(e, l.Dst[:])
	copy(e[6:], l.Src[:])
	binary.BigEndian.PutUint16(e[12:], packet.TypeIPv4)
	if m.ESP != nil && !m.sealed() {
		m.rawESP(&s, w)
		return s
	}
	for i, label := range m.Labels {
		binary.BigEndian.PutUint16(e[12:], 0x8847)
		word := label<<12 | 64
		if i == len(m.Labels)-1 {
			word |= 1 << 8
		}
		binary.BigEndian.PutUint32(w.take(4), word)
	}
	trailer := 0
	if m.GRE != nil {
		h := m.header(packet.ProtoGRE, m.GRE.From, m.GRE.To)
		n := m.greLen() + size
		if m.sealed() {
			h.Proto = packet.ProtoESP
			trailer = padding(n) + 2 + espICV
			n += espHeader + espIV + trailer
		}
		w.ipv4(h, n)
		if m.sealed() {
			s.seal = uint16(w.n)
			binary.BigEndian.PutUint32(w.take(espHeader+espIV), m.ESP.SPI)
		}
		g := w.take(m.greLen())
		g[2], g[3] = packet.TypeIPv4>>8, packet.TypeIPv4&0xff
		if m.GRE.HasKey {
			g[0] = packet.GREKey >> 8
			binary.BigEndian.PutUint32(g[4:], m.GRE.Key)
		}
	}
	inner := w.n
	w.ipv4(m.header(packet.ProtoUDP, m.From, advance(m.To, flow%m.Over)), size-packet.IPv4Len)
	u := w.take(packet.UDPLen) // its checksum stays 0: none (RFC 768)
	binary.BigEndian.PutUint16(u, uint16(1024+flow%60000))
	binary.BigEndian.PutUint16(u[2:], uint16(1024+flow/60000))
	binary.BigEndian.PutUint16(u[4:], uint16(size-packet.IPv4Len))
	if size >= MinSize+StampLen {
		s.Stamp = uint16(inner + size - StampLen)
	}
	s.Len = uint16(max(minFrame, inner+size+trailer))
	return s
}

// rawESP is a packet that looks like ESP and can't be opened.
func (m *Mix) rawESP(s *Slot, w *writer) {
	from, to := m.From, m.To
	if m.GRE != nil {
		from, to = m.GRE.From, m.GRE.To
	}
	w.ipv4(m.header(packet.ProtoESP, from, to), espHeader+m.ESP.Raw)
	b := w.take(espHeader)
	binary.BigEndian.PutUint32(b, m.ESP.SPI)
	binary.BigEndian.PutUint32(b[4:], 1)
	s.Len = uint16(max(minFrame, w.n+m.ESP.Raw))
	if m.ESP.Raw >= StampLen {
		s.Stamp = uint16(w.n + m.ESP.Raw - StampLen)
	}
}

func (m *Mix) header(proto uint8, from, to netip.Addr) packet.Header {
	h := packet.Header{TOS: m.TOS, TTL: 64, Proto: proto, Src: from.As4(), Dst: to.As4()}
	if m.DF {
		h.Flags = packet.FlagDF
	}
	return h
}

// padding makes GRE, padding and two bytes of trailer a multiple of four (RFC 4303 section 2.4).
func padding(n int) int { return -(n + 2) & 3 }

func advance(a netip.Addr, n int) netip.Addr {
	b := a.As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(n))
	return netip.AddrFrom4(b)
}

// Sealed tells whether each packet is encrypted as it leaves: a driver that only copies headers can't send such a mix.
func (t *Train) Sealed() bool { return t.aead != nil }

// Write makes packet i of the train in b, which has Len bytes: header, stamp, and the seal where there is one. What lies between header and stamp
// stays as it is in b.
func (t *Train) Write(b []byte, i int, stamp Stamp) {
	s := &t.Slots[i]
	copy(b, s.Header[:min(HeaderLen, len(b))])
	if s.Stamp != 0 {
		stamp.Put(b[s.Stamp : s.Stamp+StampLen])
	}
	if t.aead != nil {
		t.sealAt(b, int(s.seal))
	}
}

// Unstamp takes the stamp off packet i, which Write has made, unless it is sealed.
func (t *Train) Unstamp(b []byte, i int) {
	if s := t.Slots[i].Stamp; s != 0 && t.aead == nil {
		clear(b[s : s+StampLen])
	}
}

// sealAt encrypts in place what follows the ESP header at offset at (RFC 4303 section 2, RFC 4106). Sequence numbers start at 1.
func (t *Train) sealAt(b []byte, at int) {
	t.seq++
	esp := b[at:]
	binary.BigEndian.PutUint32(esp[4:], t.seq)
	copy(t.aad[:], esp[:espHeader])
	binary.BigEndian.PutUint64(esp[espHeader:], uint64(t.seq))
	copy(t.nonce[:], t.salt[:])
	copy(t.nonce[4:], esp[espHeader:espHeader+espIV])
	text := esp[espHeader+espIV : len(esp)-espICV]
	// The padding is 1, 2, 3; its length stands behind it, and then the next header.
	pad := padding(t.greAndInner(esp[espHeader+espIV:]))
	for k := range pad {
		text[len(text)-2-pad+k] = byte(k + 1)
	}
	text[len(text)-2], text[len(text)-1] = byte(pad), packet.ProtoGRE
	t.aead.Seal(text[:0], t.nonce[:], text, t.aad[:])
}

// greAndInner is the length of the GRE header and the packet in it.
func (t *Train) greAndInner(b []byte) int {
	g := t.Mix.greLen()
	return g + int(binary.BigEndian.Uint16(b[g+2:]))
}
