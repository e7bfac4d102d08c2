package interop

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"nave/slowpath/nhrp/nhrpmsg"
	"nave/testbed/netns"
)

// GRE protocol types.
const (
	greIPv4 = 0x0800
	greNHRP = 0x2001
)

// Packet is a GRE packet that crossed the Ethernet.
type Packet struct {
	At       time.Time
	From, To netip.Addr // NBMA addresses
	Key      uint32
	Protocol uint16
	Payload  []byte // what follows GRE

	NHRP nhrpmsg.Message // if that is NHRP and can be parsed
	Err  error           // if it cannot
	// Addresses and TTL of an IPv4 packet inside.
	Src, Dst netip.Addr
	TTL      uint8
}

// Wire is all that crossed the Ethernet since Listen.
type Wire struct {
	dir    string // for files
	mu     sync.Mutex
	frames []frame
}

type frame struct {
	info gopacket.CaptureInfo
	data []byte
}

// Listen records what crosses a bridge, until the end of the test. Then tshark, too, must find nothing wrong with it.
func Listen(t *testing.T, ns *netns.NS, dev string) *Wire {
	t.Helper()
	var h *pcapgo.EthernetHandle
	err := ns.Do(func() (err error) {
		if h, err = pcapgo.NewEthernetHandle(dev); err == nil {
			err = h.SetPromiscuous(true)
		}
		return err
	})
	if err != nil {
		t.Fatalf("listen on %s: %v", dev, err)
	}
	w := &Wire{dir: t.TempDir()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			data, info, err := h.ReadPacketData()
			if err != nil {
				return // closed
			}
			w.mu.Lock()
			w.frames = append(w.frames, frame{info, data})
			w.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		h.Close()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("the capture does not end")
		}
	})
	return w
}

// Packets are the GRE packets so far, in order, that fit all filters.
func (w *Wire) Packets(filters ...Filter) []Packet { return pick(w.snapshot(), filters...) }

func (w *Wire) snapshot() []frame {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.frames[:len(w.frames):len(w.frames)]
}

func pick(frames []frame, filters ...Filter) (out []Packet) {
next:
	for _, f := range frames {
		p, ok := takeApart(f.data)
		if !ok {
			continue
		}
		p.At = f.info.Timestamp
		for _, fits := range filters {
			if !fits(&p) {
				continue next
			}
		}
		out = append(out, p)
	}
	return out
}

// Filter picks packets.
type Filter func(*Packet) bool

// Since picks what crossed after a moment.
func Since(at time.Time) Filter { return func(p *Packet) bool { return p.At.After(at) } }

// Between picks what went from one NBMA address to another; an empty string stands for any.
func Between(from, to string) Filter {
	return func(p *Packet) bool {
		return (from == "" || p.From == netip.MustParseAddr(from)) && (to == "" || p.To == netip.MustParseAddr(to))
	}
}

// OfType picks well-formed NHRP packets of a type.
func OfType(t nhrpmsg.Type) Filter {
	return func(p *Packet) bool { return p.Protocol == greNHRP && p.Err == nil && p.NHRP.Type == t }
}

// AnyNHRP picks all NHRP packets.
func AnyNHRP(p *Packet) bool { return p.Protocol == greNHRP }

// Data picks IPv4 packets from one inner address to another.
func Data(src, dst string) Filter {
	return func(p *Packet) bool {
		return p.Protocol == greIPv4 && p.Src == netip.MustParseAddr(src) && p.Dst == netip.MustParseAddr(dst)
	}
}

// Wait waits for a packet that fits all filters, and returns the first.
func (w *Wire) Wait(t *testing.T, what string, filters ...Filter) Packet {
	t.Helper()
	var found []Packet
	Soon(t, func() error {
		if found = w.Packets(filters...); len(found) == 0 {
			return fmt.Errorf("no %s was seen", what)
		}
		return nil
	})
	return found[0]
}

// takeApart takes Ethernet, IPv4 and GRE off a frame. ok is false for what is no GRE.
func takeApart(b []byte) (p Packet, ok bool) {
	if len(b) < 14+20 || binary.BigEndian.Uint16(b[12:]) != 0x0800 {
		return p, false
	}
	const protocolGRE = 47
	b = b[14:]
	hl, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if hl < 20 || b[9] != protocolGRE || total > len(b) || total < hl+4 {
		return p, false
	}
	p.From, p.To = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	ok = p.readGRE(b[hl:total])
	return p, ok
}

// readGRE reads a GRE packet; false if it is cut off.
func (p *Packet) readGRE(b []byte) bool {
	n := 4
	if len(b) < n {
		return false
	}
	for _, flag := range []byte{0x80, 0x20, 0x10} { // checksum, key, sequence
		if b[0]&flag == 0 {
			continue
		}
		if n += 4; len(b) < n {
			return false
		}
		if flag == 0x20 {
			p.Key = binary.BigEndian.Uint32(b[n-4:])
		}
	}
	p.Protocol, p.Payload = binary.BigEndian.Uint16(b[2:]), b[n:]
	switch p.Protocol {
	case greNHRP:
		p.NHRP, p.Err = nhrpmsg.Parse(p.Payload)
	case greIPv4:
		if src, dst, ok := nhrpmsg.DataAddrs(p.Payload); ok {
			p.Src, p.Dst, p.TTL = src, dst, p.Payload[8]
		}
	}
	return true
}

// String lists the NHRP packets.
func (w *Wire) String() string {
	var b strings.Builder
	for _, p := range w.Packets(AnyNHRP) {
		fmt.Fprintf(&b, "%s %s > %s ", p.At.Format("05.000"), p.From, p.To)
		if p.Err != nil {
			fmt.Fprintf(&b, "%v\n", p.Err)
			continue
		}
		m := &p.NHRP
		fmt.Fprintf(&b, "%s hops %d flags %04x id %d %s %s > %s", m.Type, m.HopCount, m.Flags, m.RequestID, m.SrcNBMA, m.SrcProto, m.DstProto)
		if m.Type == nhrpmsg.ErrorIndication {
			fmt.Fprintf(&b, " %v", nhrpmsg.ErrorCode(m.Code))
		}
		for _, c := range m.CIEs {
			fmt.Fprintf(&b, " [code %d /%d hold %d %s %s]", c.Code, c.PrefixLen, c.HoldTime, c.NBMA, c.Proto)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Tshark decodes all frames with tshark and returns the fields asked for (the first of each), a line a packet that fits its
// filter; and the NHRP packets of the same frames.
func (w *Wire) Tshark(filter string, fields ...string) (rows []string, nhrp []Packet, err error) {
	file, frames, err := w.save()
	if err != nil {
		return nil, nil, err
	}
	defer os.Remove(file)
	args := []string{"-n", "-r", file, "-Y", filter, "-T", "fields", "-E", "occurrence=f"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	text, err := exec.Command("tshark", args...).Output()
	if err != nil {
		return nil, nil, fmt.Errorf("tshark: %w", err)
	}
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' }), pick(frames, AnyNHRP), nil
}

// save writes all frames so far to a file of its own: tunnels that are tested side by side look at the same wire.
func (w *Wire) save() (file string, frames []frame, err error) {
	frames = w.snapshot()
	f, err := os.CreateTemp(w.dir, "wire-*.pcap")
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	out := pcapgo.NewWriter(f)
	if err := out.WriteFileHeader(65536, layers.LinkTypeEthernet); err != nil {
		return "", nil, err
	}
	for _, fr := range frames {
		if err := out.WritePacket(fr.info, fr.data); err != nil {
			return "", nil, err
		}
	}
	return f.Name(), frames, nil
}
